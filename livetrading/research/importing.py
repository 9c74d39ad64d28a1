"""A model that was trained elsewhere is tested as one trained here, and then registered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd
from stable_baselines3.common.policies import BasePolicy

from ..adapters import foreign_zip
from ..adapters.bars.base import BarSet
from ..adapters.openings import IMPORT, Openings
from ..adapters.packages import versions
from ..adapters.policy import Ensemble, ensemble_of, networks_of
from ..adapters.registry import Registry, sha256, zip_name
from ..adapters.store import Store
from ..core import market
from ..core.bars import bars_sha256
from ..core.card import Member, ModelCard, Span
from ..core.errors import BadBars, BadInput
from ..core.import_card import ImportCard
from ..core.lineage import IMPORTED
from ..core.market import Market
from ..core.range_content import content_of
from ..core.rules import RULES_VERSION
from ..core.significance import returns_of
from ..core.types import Terms
from ..core.wording import counted
from .rebuilding import rebuilt
from .report import Report, judged
from .training import MIN_TEST, MIN_TRAIN


@dataclass(frozen=True, eq=False)
class Imported:
    """A registered model that was trained elsewhere, and what its test found."""

    card: ModelCard
    report: Report


@dataclass(frozen=True, eq=False)
class _Ready:
    """All that was checked before the test is opened. ``contents`` are the zips that will be stored, ``given_sha256``
    tells which came."""

    card: ImportCard
    given_sha256: tuple[str, ...]
    contents: Sequence[bytes]
    timesteps: int
    barset: BarSet
    frame: pd.DataFrame
    market: Market
    train: range
    test: range
    policy: Ensemble


def import_model(
    given: ImportCard,
    zips: Sequence[tuple[str, bytes]],
    barset: BarSet,
    *,
    registry: Registry,
    store: Store,
    clock: Callable[[], datetime],
) -> Imported:
    """Check everything, open the test once, register. On failure nothing is left. ``zips``: name and bytes of each
    network, in the order in which their outputs are averaged. Raises BadInput or BadBars in one sentence."""
    ready = _checked(given, zips, barset)
    openings, content = Openings(store), content_of(ready.market, ready.test)
    opening = openings.record(IMPORT, given.symbol, content, now=clock(), terms=Terms(), tries=given.trials)
    opened = openings.of(given.symbol, content).tries
    report = judged(ready.market, ready.train, ready.test, given.agent_type, ready.policy, {})
    card = _register(registry, ready, report, opened, clock)
    openings.keep(opening, report.test.sessions[1:], returns_of(report.test.run.equity), card.model_id)
    return Imported(card, report)


def _checked(given: ImportCard, zips: Sequence[tuple[str, bytes]], barset: BarSet) -> _Ready:
    contents = [content for _, content in zips]
    digests = [member.zip_sha256 for member in given.members] or [given.zip_sha256]
    if len(digests) != len(zips):
        raise BadInput(
            f"The card describes {counted(len(digests), 'network')} and {counted(len(zips), 'zip')} came; give each."
        )
    for (name, content), digest in zip(zips, digests, strict=True):
        if digest and sha256(content) != digest:
            raise BadInput(
                f"{name} does not fit its card: its SHA-256 is {sha256(content)} and the card says {digest}."
            )
        foreign_zip.check(content, name, given.agent_type, len(given.features), given.policy)
    frame = _from_first(given, barset)
    view = market.build(frame, given.scaler, given.features)
    train = _decidable(view, given.train, "training", MIN_TRAIN, barset)
    test = _decidable(view, given.test, "test", MIN_TEST, barset)
    timesteps = given.timesteps or foreign_zip.steps(contents[0], zips[0][0])
    own = [
        rebuilt(given.agent_type, given.policy, view, train, network, timesteps)
        for network in _networks(given, zips[0][0], contents)
    ]
    # From the zips that are stored, so that these are what the test measures.
    policy = ensemble_of(given.agent_type, _networks(given, zips[0][0], own))
    return _Ready(given, tuple(map(sha256, contents)), own, timesteps, barset, frame, view, train, test, policy)


def _networks(given: ImportCard, name: str, contents: Sequence[bytes]) -> list[BasePolicy]:
    return networks_of(name, given.agent_type, len(given.features), given.policy, contents)


def _from_first(given: ImportCard, barset: BarSet) -> pd.DataFrame:
    """The bars from the session on that the card's features were computed from."""
    if given.first_bar is None:
        return barset.frame
    stamp = pd.Timestamp(given.first_bar)
    if stamp not in barset.frame.index:
        raise BadBars(
            f"{barset.source} has no bar of {given.symbol} for {given.first_bar}, the card's first_bar;"
            " give the source that the model was trained on."
        )
    return barset.frame.loc[stamp:]


def _decidable(view: Market, span: tuple[date, date], what: str, least: int, barset: BarSet) -> range:
    start, end = span
    rows = view.decidable(start, end)
    if end > view.sessions[-1]:
        raise BadBars(f"The card's {what} ends on {end} and the bars from {barset.source} on {view.sessions[-1]}.")
    if len(rows) < least:
        raise BadInput(
            f"The card's {what} from {start} to {end} has {len(rows)} sessions that can be decided on the bars from"
            f" {barset.source}, and {least} are needed."
        )
    return rows


def _register(
    registry: Registry, ready: _Ready, report: Report, opened: int, clock: Callable[[], datetime]
) -> ModelCard:
    with registry.scratch() as folder:
        paths = [folder / zip_name(number) for number in range(len(ready.contents))]
        for path, content in zip(paths, ready.contents, strict=True):
            path.write_bytes(content)
        return registry.register_new(
            lambda model_id, now: _card(ready, report, opened, model_id, now),
            ready.card.agent_type,
            ready.card.symbol,
            paths,
            ready.frame,
            report.document(),
            clock,
        )


def _card(ready: _Ready, report: Report, opened: int, model_id: str, now: datetime) -> ModelCard:
    given, sessions = ready.card, ready.market.sessions
    seeds = [member.seed for member in given.members] or [given.seed]
    members = tuple(Member(seed, sha256(content)) for seed, content in zip(seeds, ready.contents, strict=True))

    def span(rows: range) -> Span:
        return Span(sessions[rows.start], sessions[rows.stop - 1], len(rows))

    return ModelCard(
        model_id=model_id,
        agent_type=given.agent_type,
        symbol=given.symbol,
        version=model_id.removeprefix(f"{given.agent_type}_{given.symbol}_"),
        first_bar=sessions[0],
        feature_set=given.feature_set,
        features=given.features,
        scaler=given.scaler,
        rules_version=RULES_VERSION,
        train=span(ready.train),
        test=span(ready.test),
        source=ready.barset.source,
        source_note=ready.barset.note,
        bars_sha256=bars_sha256(ready.frame),
        seed=given.seed,
        timesteps=ready.timesteps,
        trials=given.trials,
        opened=opened,
        metrics=report.summary(),
        packages=versions(),
        zip_sha256=members[0].zip_sha256,
        created=now,
        policy=given.policy,
        members=members,
        lineage={"kind": IMPORTED, "note": given.note, "zips_sha256": list(ready.given_sha256)},
    )

"""How often a test range was looked at: each look makes its result weaker evidence.

``openings.json`` has a record for each look, written before it happens; so has the look's own file in ``openings/``, with
the returns that it showed, so that a lost ``openings.json`` loses no look. What the range's bars say is kept there as
well, once for each range, so that the same bars count as the same test under any name, scale or file. Without that file a
record counts by symbol and dates, as those of versions that kept no content.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from ..core.card import ModelCard
from ..core.errors import Damaged, LivetradingError
from ..core.lineage import tested_weights
from ..core.market import Market, quotes
from ..core.range_content import Content, content_of, likeness, same_test
from ..core.significance import effective_tries
from ..core.types import Terms
from . import request_ids
from .files import atomic_write, make_directory, read_file
from .jsonio import plain
from .registry import Registry
from .stamps import stamp
from .store import Store

NAME = "openings"
KEYS = frozenset({"symbol", "start", "end", "at"})
TRAIN, BACKTEST, REPLAY, WHATIF, DEPLOY, GATE, STUDY, IMPORT, CHALLENGE = (
    "train",
    "backtest",
    "replay",
    "whatif",
    "deploy",
    "gate",
    "study",
    "import",
    "challenge",
)
REBUILT = "proved by a card"
CONTENT_NAME = 64
"""Characters of a SHA-256, which names the file of a range; a look's is shorter."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opening:
    """One look at a test range: which command, what for, and as how many ``tries`` it counts."""

    kind: str
    symbol: str
    start: date
    end: date
    at: str
    model_id: str = ""
    tries: int = 1
    terms: str = ""
    id: str = ""
    content: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As files hold it."""
        return {**vars(self), "start": str(self.start), "end": str(self.end)}


@dataclass(frozen=True)
class Count:
    """All looks at one test, oldest first. ``effective``: how many independent tries their returns amount to."""

    openings: tuple[Opening, ...]
    effective: float

    @property
    def tries(self) -> int:
        return sum(opening.tries for opening in self.openings)

    def to_dict(self) -> dict[str, Any]:
        """``count``, ``n_effective``, ``list``."""
        shown = [
            {name: value for name, value in opening.to_dict().items() if name not in ("terms", "content", "id")}
            for opening in self.openings
        ]
        return {"count": self.tries, "n_effective": round(self.effective, 2), "list": shown}


class Openings:
    """The looks at test ranges in one home."""

    def __init__(self, store: Store) -> None:
        self._store, self._folder = store, store.home.root / NAME
        self._registry = Registry(store.home)

    def record(
        self,
        kind: str,
        symbol: str,
        content: Content,
        *,
        now: datetime,
        model_id: str = "",
        terms: Terms | None = None,
        tries: int = 1,
    ) -> Opening:
        """Records one look, before it happens."""
        data = _content_bytes(content)
        made = Opening(
            kind=kind,
            symbol=symbol,
            start=content.sessions[0],
            end=content.sessions[-1],
            at=stamp(now),
            model_id=model_id,
            tries=tries,
            terms=terms_key(terms),
            id=request_ids.new(),
            content=hashlib.sha256(data).hexdigest(),
        )
        path = self._folder / f"{made.content}.json"
        if read_file(path) != data:
            make_directory(self._folder)
            atomic_write(path, data)
        atomic_write(self._folder / f"{made.id}.json", json.dumps({"look": made.to_dict()}).encode())
        with self._store.transaction(NAME) as db:
            db.table(NAME).insert(made.to_dict())
        return made

    def keep(self, opening: Opening, sessions: Sequence[str], returns: np.ndarray, model_id: str = "") -> None:
        """What the look showed: ``(N,)`` returns of the equity, each with its session; and the model that it made."""
        look = {**opening.to_dict(), "model_id": model_id or opening.model_id}
        shown = {"look": look, "sessions": list(sessions), "returns": np.asarray(returns).tolist()}
        atomic_write(self._folder / f"{opening.id}.json", json.dumps(plain(shown)).encode())
        if model_id:
            with self._store.transaction(NAME) as db:
                db.table(NAME).update({"model_id": model_id}, lambda record: record.get("id") == opening.id)

    def kept(self, count: Count) -> list[tuple[Opening, Sequence[str], np.ndarray]]:
        """Of these looks, those whose returns are known, each with its sessions and ``(N,)`` returns."""
        shown = [(opening, self._returns(opening)) for opening in count.openings]
        return [(opening, *found) for opening, found in shown if found is not None]

    def known(self, model_id: str, terms: Terms, start: date, end: date) -> bool:
        """Whether this model was looked at with these terms over this whole range before."""
        key = terms_key(terms)
        return any(
            (found.model_id, found.terms) == (model_id, key) and found.start <= start and end <= found.end
            for found in self._all()
        )

    def of(self, symbol: str, content: Content) -> Count:
        """The looks at what is the same test as this range."""
        models = _Models(self._registry)
        same = dict[str, bool]()

        def concerns(opening: Opening) -> bool:
            key = opening.content or f"{opening.symbol} {opening.start} {opening.end}"
            if key not in same:
                known = self._content(opening.content) or models.content(opening)
                same[key] = _dates_meet(opening, symbol, content) if known is None else same_test(known, content)
            return same[key]

        found = [opening for opening in self._all() if concerns(opening)]
        found += _unrecorded([card for card in models.cards if concerns(_of_card(card))], found)
        return Count(tuple(sorted(found, key=lambda opening: opening.at)), self._effective(found))

    def of_model(self, model_id: str) -> Count:
        """The looks at a model's test."""
        card = self._registry.card(model_id)
        return self.of(card.symbol, content_of_frame(self._registry.bars(model_id), card))

    def _all(self) -> list[Opening]:
        found = [_opening(record) for record in self._store.read(NAME).get(NAME, {}).values()]
        return [*found, *self._lost({opening.id for opening in found})]

    def _lost(self, known: set[str]) -> Iterator[Opening]:
        """Looks that only their own files hold: another program changed the list, or a crash came between."""
        for path in sorted(self._folder.glob("*.json")):
            if len(path.stem) == CONTENT_NAME or path.stem in known:
                continue
            try:
                yield _opening((self._look(path.stem) or {}).get("look"))
            except Damaged as error:
                log.warning("The look %s is not counted: %s", path.stem, error)

    def _look(self, name: str) -> dict[str, Any] | None:
        """What the file of a look holds; None where it cannot be read, which the record itself survives."""
        try:
            values = json.loads(read_file(self._folder / f"{name}.json") or b"null")
        except (ValueError, RecursionError) as error:
            log.warning("The file of the look %s cannot be read: %s", name, error)
            return None
        return values if isinstance(values, dict) else None

    def _content(self, digest: str) -> Content | None:
        """A stored range; None if there is none, or if its file is not what it was."""
        data = read_file(self._folder / f"{digest}.json") if digest else None
        if data is None or hashlib.sha256(data).hexdigest() != digest:
            return None
        values = json.loads(data)
        days = tuple(date.fromisoformat(day) for day in values["sessions"])
        return Content(days, np.array(values["returns"], dtype=np.float64))

    def _effective(self, found: Sequence[Opening]) -> float:
        """Looks whose returns are known count by their likeness; each other try counts whole."""
        shown = [(opening, self._returns(opening)) for opening in found]
        series = [returns for _, returns in shown if returns is not None]
        rest = sum(opening.tries - (returns is not None) for opening, returns in shown)
        return effective_tries(likeness(series)) + rest

    def _returns(self, opening: Opening) -> tuple[Sequence[str], np.ndarray] | None:
        """What a look showed; None where that is not known, not readable, or not a return for each session."""
        values = self._look(opening.id) if opening.id else None
        if values is None or "returns" not in values:
            return None
        try:
            sessions, returns = list(map(str, values["sessions"])), np.array(values["returns"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            log.warning("The returns of the look %s cannot be read: %s", opening.id, error)
            return None
        return (sessions, returns) if returns.shape == (len(sessions),) and np.isfinite(returns).all() else None


class _Models:
    """Cards of the home's models and, read when first asked for, their bars' content."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.cards = list(_readable(registry))
        self._content: dict[str, Content | None] = {}

    def content(self, opening: Opening) -> Content | None:
        """The content of a range that was recorded without it, from the bars of a model that holds all of it."""
        for card in self.cards:
            if card.symbol == opening.symbol and card.test.start <= opening.start and opening.end <= card.test.end:
                whole = self._whole(card)
                if whole is not None:
                    kept = [i for i, day in enumerate(whole.sessions) if opening.start <= day <= opening.end]
                    return Content(tuple(whole.sessions[i] for i in kept), whole.returns[kept])
        return None

    def _whole(self, card: ModelCard) -> Content | None:
        if card.model_id not in self._content:
            try:
                frame = self._registry.bars(card.model_id)
                self._content[card.model_id] = content_of_frame(frame, card)
            except LivetradingError as error:
                log.warning("The test range of %s counts by its dates: %s", card.model_id, error)
                self._content[card.model_id] = None
        return self._content[card.model_id]


def _readable(registry: Registry) -> Iterator[ModelCard]:
    """Also cards that lack a measure, which lists do not show: their test was looked at all the same."""
    for model_id in registry.ids():
        try:
            yield registry.card(model_id)
        except LivetradingError as error:
            log.warning("%s proves no look at a test: %s", model_id, error)


def content_of_frame(frame: pd.DataFrame, card: ModelCard) -> Content:
    """The content of a card's test range in its bars. Raises Damaged if they do not hold the range."""
    sessions = frame.index.date.tolist()
    if card.test.start not in sessions or card.test.end not in sessions:
        raise Damaged(f"The bars of {card.model_id} do not hold its test range: train it again.")
    view = Market(tuple(sessions), quotes(frame), np.zeros(0), np.zeros((0, 0)), card.features)
    return content_of(view, range(sessions.index(card.test.start), sessions.index(card.test.end) + 1))


def opened_range(card: ModelCard, market: Market, bars: range) -> range:
    """Of a run's sessions those that the model was not fitted on: looking at them is looking at a test."""
    first = next((t for t in bars if market.sessions[t] > card.train.end), bars.stop)
    return range(first, bars.stop)


def terms_key(terms: Terms | None) -> str:
    """Equal for equal terms."""
    return "" if terms is None else hashlib.sha256(repr(terms).encode()).hexdigest()[:16]


def _unrecorded(cards: Sequence[ModelCard], known: Sequence[Opening]) -> list[Opening]:
    """Looks that cards prove and no record explains: of models copied into the home, or a list that lost some."""
    found: list[Opening] = []
    for card in sorted(cards, key=lambda card: card.created):
        before = stamp(card.created)
        count = sum(opening.tries for opening in [*known, *found] if opening.at <= before)
        own = any(opening.model_id == card.model_id for opening in known)
        unnamed = any(not opening.model_id and opening.symbol == card.symbol for opening in known)
        explained = own or unnamed or not tested_weights(card)  # a refit opened no test
        if missing := max(card.opened - count, 0 if explained else 1):
            found.append(replace(_of_card(card), tries=missing))
    return found


def _of_card(card: ModelCard) -> Opening:
    return Opening(REBUILT, card.symbol, card.test.start, card.test.end, stamp(card.created), card.model_id)


def _opening(record: Any) -> Opening:
    """A stored look; records of earlier versions have fewer keys. Raises Damaged for what is none."""
    try:
        values = {name: record[name] for name in Opening.__dataclass_fields__ if name in record}
        made = Opening(**{"kind": TRAIN, **values})
        start, end = date.fromisoformat(made.start), date.fromisoformat(made.end)  # type: ignore[arg-type]
        words = (made.kind, made.symbol, made.at, made.model_id, made.terms, made.id, made.content)
    except (TypeError, ValueError) as error:
        raise Damaged(f"{NAME}.json holds what is no look at a test ({error}): put its backup back.") from error
    if not all(isinstance(word, str) for word in words) or not isinstance(made.tries, int) or made.tries < 1:
        raise Damaged(f"{NAME}.json holds a look of another form ({made.tries!r} tries): put its backup back.")
    return replace(made, start=start, end=end)


def _dates_meet(opening: Opening, symbol: str, other: Content | Opening) -> bool:
    first, last = (other.start, other.end) if isinstance(other, Opening) else (other.sessions[0], other.sessions[-1])
    return opening.symbol == symbol and opening.start <= last and first <= opening.end


def _content_bytes(content: Content) -> bytes:
    shown = {"sessions": [str(day) for day in content.sessions], "returns": content.returns.tolist()}
    return json.dumps(shown).encode()

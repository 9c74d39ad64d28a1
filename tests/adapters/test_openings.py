"""A look at a test range counts, whatever the bars are called: by their content, before it happens, and for good."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from livetrading.adapters import openings
from livetrading.adapters.home import Home
from livetrading.adapters.openings import Openings, content_of_frame
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.core.bars import bars_sha256
from livetrading.core.card import ModelCard, Span
from livetrading.core.errors import Damaged
from livetrading.core.range_content import Content, cut
from livetrading.core.types import AgentType, Terms
from tests.doubles.models import make_zip
from tests.doubles.series import eventful, generated

NOW = datetime(2025, 11, 8, 16, 24, 33, tzinfo=UTC)
FRAME = eventful(1)
CARD, ZIP_BYTES, _ = make_zip(AgentType.PPO)  # once: a zip holds the time at which it was made


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(Home.resolve(str(tmp_path / "home")))


def card_on(frame: pd.DataFrame, rows: range, symbol: str = "INTC", **changes: object) -> ModelCard:
    """A card whose test is on some rows of a frame."""
    days = frame.index.date
    card = CARD
    made = replace(
        card,
        first_bar=days[0],
        train=Span(days[rows.start - 20], days[rows.start - 1], 20),
        test=Span(days[rows.start], days[rows.stop - 1], len(rows)),
        bars_sha256=bars_sha256(frame),
        symbol=symbol,
        model_id=f"PPO_{symbol}_{card.version}",
    )
    return replace(made, **changes)


def content(frame: pd.DataFrame, first: int = 600, last: int = 800) -> Content:
    return content_of_frame(frame, card_on(frame, range(first, last)))


def look(store: Store, frame: pd.DataFrame, symbol: str = "INTC", first: int = 600, last: int = 800, **more: object):
    return Openings(store).record(openings.TRAIN, symbol, content(frame, first, last), now=NOW, **more)


def scaled(frame: pd.DataFrame, factor: float) -> pd.DataFrame:
    """Every price in another unit, in whole cents."""
    other = frame.copy()
    prices = ["open", "high", "low", "close", "dividend"]
    other[prices] = (other[prices] * factor).round(2)
    return other


def moved(frame: pd.DataFrame, days: int) -> pd.DataFrame:
    """The same bars under other dates."""
    return frame.set_axis(frame.index + pd.Timedelta(days=days))


@pytest.mark.parametrize(
    "other",
    [
        lambda frame: frame,
        lambda frame: scaled(frame, 3.7),
        lambda frame: moved(frame, 4000),
        lambda frame: moved(scaled(frame, 2.0), -3000),
        lambda frame: frame.drop(frame.index[700]),
    ],
    ids=["another name", "another unit", "other dates", "other dates and unit", "a bar left out"],
)
def test_the_same_bars_are_the_same_test_under_any_name_scale_or_dates(store, other):
    look(store, FRAME)
    frame = other(FRAME)
    assert Openings(store).of("ZZZZ", content(frame, 600, len(frame))).tries == 1


@pytest.mark.parametrize(("first", "last"), [(500, 620), (790, 800), (600, 800), (520, 800)])
def test_a_range_that_overlaps_is_the_same_test_and_one_that_does_not_is_none(store, first, last):
    look(store, FRAME)
    assert Openings(store).of("OTHER", content(FRAME, first, last)).tries == 1
    assert Openings(store).of("INTC", content(FRAME, 520, 600)).tries == 0


@pytest.mark.parametrize("seed", range(5))
def test_other_bars_of_the_same_days_are_another_test(store, seed):
    look(store, FRAME)
    other = generated(seed + 10, 800)
    assert Openings(store).of("INTC", content(other)).tries == 0


def test_every_kind_of_look_counts_one_and_a_study_counts_its_trials(store):
    for kind in (openings.TRAIN, openings.BACKTEST, openings.REPLAY, openings.WHATIF, openings.DEPLOY, openings.GATE):
        Openings(store).record(kind, "INTC", content(FRAME), now=NOW, terms=Terms())
    look(store, FRAME, tries=20)
    found = Openings(store).of("INTC", content(FRAME)).to_dict()
    assert found["count"] == 26 and found["n_effective"] == 26.0 and len(found["list"]) == 7


def test_looks_that_show_the_same_returns_are_one_independent_try(store):
    known, rng = Openings(store), np.random.default_rng(0)
    days = [str(day) for day in content(FRAME).sessions[1:]]
    one, other = rng.normal(0, 0.01, len(days)), rng.normal(0, 0.01, len(days))
    for returns in (one, one * 2.0, one + 1e-5, other):
        known.keep(look(store, FRAME), days, returns, "")
    found = known.of("INTC", content(FRAME))
    # Three equal series and an independent one: 16 / (3 * 3 + 1) = 1.6, but for a correlation by chance.
    assert found.tries == 4 and 1.5 < found.effective < 1.7


def test_a_look_whose_file_is_damaged_counts_by_symbol_and_dates(store):
    made = look(store, FRAME)
    (store.home.root / "openings" / f"{made.content}.json").write_text("{}")
    assert Openings(store).of("INTC", content(FRAME)).tries == 1
    assert Openings(store).of("NVDA", content(FRAME)).tries == 0


def test_a_look_of_before_is_found_by_the_bars_of_its_model(store, tmp_path):
    """An earlier version kept symbol and dates alone; its models' bars say what the range was."""
    register(store, card_on(FRAME, range(600, 800)), FRAME, tmp_path)
    first, last = (content(FRAME).sessions[i] for i in (0, -1))
    record = {"symbol": "INTC", "start": str(first), "end": str(last), "at": "2025-01-01T00:00:00Z"}
    with store.transaction(openings.NAME) as db:
        for _ in range(3):
            db.table(openings.NAME).insert(dict(record))
    assert Openings(store).of("COPY", content(scaled(FRAME, 2.0))).tries == 3


def test_a_model_that_no_record_explains_counts_as_often_as_its_card_says(store, tmp_path):
    register(store, card_on(FRAME, range(600, 800), opened=7), FRAME, tmp_path)
    found = Openings(store).of("COPY", content(FRAME))
    assert found.tries == 7 and {opening.kind for opening in found.openings} == {openings.REBUILT}
    assert Openings(store).of_model(f"PPO_INTC_{CARD.version}").tries == 7


def test_a_recorded_model_counts_once(store, tmp_path):
    card = card_on(FRAME, range(600, 800), created=NOW + timedelta(seconds=5))
    known, made = Openings(store), look(store, FRAME)
    register(store, card, FRAME, tmp_path)
    known.keep(made, [str(day) for day in content(FRAME).sessions[1:]], content(FRAME).returns[1:], card.model_id)
    found = known.of("INTC", content(FRAME))
    assert found.tries == 1 and found.openings[0].model_id == card.model_id


def test_terms_are_known_for_the_model_and_range_that_they_were_tried_on(store):
    days = content(FRAME).sessions
    look(store, FRAME, model_id="M", terms=Terms())
    known = Openings(store)
    assert known.known("M", Terms(), days[0], days[-1]) and known.known("M", Terms(), days[5], days[9])
    assert not known.known("M", Terms(20_000.0), days[0], days[-1])
    assert not known.known("N", Terms(), days[0], days[-1])


def test_content_is_the_log_return_with_splits_taken_out():
    frame, split = FRAME.iloc[560:800], FRAME["split"].iloc[560:800]
    found = content_of_frame(frame, card_on(frame, range(40, 240)))
    expected = np.log(frame["close"] * split / frame["close"].shift(1)).to_numpy()[40:]
    np.testing.assert_allclose(found.returns, expected, rtol=1e-9, atol=1e-12)
    part = cut(found, found.sessions[3], found.sessions[7])
    assert part.sessions == found.sessions[3:8] and (part.returns == found.returns[3:8]).all()


def register(store: Store, card: ModelCard, frame: pd.DataFrame, folder) -> None:
    path = folder / "model.zip"
    path.write_bytes(ZIP_BYTES)
    Registry(store.home).register(card, path, frame, {})


def test_homes_of_the_versions_before_count_their_models_looks(tmp_path):
    for name, count in (("home-before", 1), ("home-one-network", 1)):
        root = shutil.copytree(Path(__file__).parents[1] / "fixtures" / name, tmp_path / name)
        home = Home.resolve(str(root))
        assert [Openings(Store(home)).of_model(model_id).tries for model_id in Registry(home).ids()] == [count], name


def test_a_list_that_was_lost_or_emptied_loses_no_look(store, tmp_path):
    card = card_on(FRAME, range(600, 800), created=NOW + timedelta(seconds=5))
    register(store, card, FRAME, tmp_path)
    known = Openings(store)
    known.keep(
        look(store, FRAME), [str(day) for day in content(FRAME).sessions[1:]], content(FRAME).returns[1:], card.model_id
    )
    for _ in range(3):
        known.record(openings.BACKTEST, "INTC", content(FRAME), now=NOW, model_id=card.model_id)
    before = known.of("INTC", content(FRAME))
    assert before.tries == 4
    for spoil in (lambda path: path.unlink(), lambda path: path.write_text('{"openings": {}}')):
        spoil(store.path(openings.NAME))
        assert {look.id for look in Openings(store).of("INTC", content(FRAME)).openings} == {
            look.id for look in before.openings
        }


def test_noise_on_every_bar_does_not_make_another_test(store):
    """As two vendors' closes may differ, or as a user may wish that they did."""
    look(store, FRAME)
    noisy, rng = FRAME.copy(), np.random.default_rng(4)
    noisy[["open", "high", "low", "close"]] = noisy[["open", "high", "low", "close"]].mul(
        1.0 + rng.normal(0, 0.002, len(noisy)), axis=0
    )
    assert Openings(store).of("ZZZZ", content(noisy)).tries == 1


SPOILT = {
    "no json": "{",
    "no object": "[1]",
    "no look": '{"look": 5}',
    "another form": '{"look": {"symbol": 1, "start": "2020-01-01", "end": "x", "at": null}}',
    "no number of tries": '{"look": {"symbol": "INTC", "start": "2020-01-02", "end": "2020-02-03", "at": "", "tries": true, "id": 3}}',
}


@pytest.mark.parametrize("text", SPOILT.values(), ids=SPOILT)
def test_a_file_that_holds_no_look_hides_no_other(store, text):
    look(store, FRAME)
    (store.home.root / "openings" / "0123456789abcdef.json").write_text(text)
    assert Openings(store).of("INTC", content(FRAME)).tries == 1


@pytest.mark.parametrize(
    "change",
    [{"start": "soon"}, {"tries": 0}, {"tries": "many"}, {"kind": 4}],
    ids=["no date", "no try", "no number", "no kind"],
)
def test_a_record_of_another_form_is_damage_in_one_sentence(store, change):
    look(store, FRAME)
    with store.transaction(openings.NAME) as db:
        db.table(openings.NAME).update(change)
    with pytest.raises(Damaged, match=r"openings\.json holds"):
        Openings(store).of("INTC", content(FRAME))


@pytest.mark.parametrize(
    ("sessions", "returns"),
    [(["2012-01-03"], []), ([], [0.1]), (5, [0.1]), (["2012-01-03"], ["x"]), (["2012-01-03"], [float("nan")])],
    ids=["a lost account", "no session", "no list", "no number", "not finite"],
)
def test_a_look_without_a_return_for_each_session_is_one_whole_try(store, sessions, returns):
    made = look(store, FRAME)
    path = store.home.root / "openings" / f"{made.id}.json"
    path.write_text(json.dumps({"look": made.to_dict(), "sessions": sessions, "returns": returns}))
    found = Openings(store).of("INTC", content(FRAME))
    assert (found.tries, found.effective) == (1, 1.0) and Openings(store).kept(found) == []


def test_a_card_that_tells_of_very_many_looks_is_one_line_of_so_many_tries(store, tmp_path):
    register(store, card_on(FRAME, range(600, 800), opened=10**9), FRAME, tmp_path)
    found = Openings(store).of("COPY", content(FRAME))
    assert found.tries == 10**9 and len(found.openings) == 1

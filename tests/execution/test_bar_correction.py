"""A source that corrects booked bars: what changed is shown, a person accepts it, and the agent goes on."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from livetrading.adapters.brokers.paper import PaperBroker
from livetrading.cli import bars as bars_command
from livetrading.core import agent as agents
from livetrading.core import market
from livetrading.core.bar_changes import changes, replaced, rows_of
from livetrading.core.bars import bars_sha256
from livetrading.core.errors import BadBars, Conflict
from livetrading.core.events import DISPUTED_BARS, BarsCorrected, Noted, decode, encode
from livetrading.core.ledger import obs_sha256
from livetrading.core.observe import observe
from livetrading.core.types import AgentStatus, Leg
from livetrading.execution import bar_diff, decided_again, verification
from livetrading.execution.bar_diff import Diff
from livetrading.execution.state import queries
from livetrading.execution.state.bar_series import Series
from livetrading.execution.trading import no_further_bars
from tests.doubles import account_days
from tests.doubles.account_life import AccountLife
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, at, deployed, until, write_csv
from tests.doubles.series import generated

DAYS = 16


class Leaning:
    """Buys above a threshold of its first feature and sells below it, so that bars matter to it."""

    def raw(self, obs: np.ndarray) -> float:
        return 2.0 if obs[0] > 0 else 0.0


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return generated(1, FIRST + DAYS + 8)


def moved(frame: pd.DataFrame, t: int, column: str, value: float) -> pd.DataFrame:
    changed = frame.copy()
    changed.iloc[t, changed.columns.get_loc(column)] = value
    return changed


def with_dividend(frame: pd.DataFrame, t: int, amount: float = 0.4) -> pd.DataFrame:
    return moved(frame, t, "dividend", amount)


def lived(root: Path, frame: pd.DataFrame, policy: object, days: int = DAYS, **options: object) -> Life:
    life = deployed(root, frame, policy, **options)
    for t in range(FIRST, FIRST + days):
        life.day(t)
    return life


def evening(life: Life, t: int = FIRST + DAYS - 1):
    return at(life.sessions[t], "20:00")


def compared(life: Life, t: int = FIRST + DAYS - 1) -> Diff:
    return bar_diff.diff(life.home, AGENT, evening(life, t), life.node.registry)


def accepted(life: Life, made: Diff | None = None, request_id: str | None = None, t: int = FIRST + DAYS - 1) -> dict:
    made = made or compared(life, t)
    return life.ask("accept_bars", evening(life, t), request_id, rows=made.rows, source=made.source)


def wrong(life: Life, monkeypatch: pytest.MonkeyPatch) -> list:
    """What verify finds."""
    monkeypatch.setattr(verification, "Registry", lambda home: life.node.registry)
    return verification.audit(life.home)["problems"]


def test_a_source_without_a_correction_has_nothing_to_accept(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = lived(tmp_path, bars, Cycler())
    made = compared(life)
    assert (made.changes, made.rows, made.redecided) == ((), [], ())
    refused = life.ask("accept_bars", evening(life), rows=made.rows, source=made.source)
    assert refused["status"] == "refused" and not life.named("BarsCorrected")


def test_rows_that_the_agent_holds_already_are_no_correction(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = lived(tmp_path, bars, Cycler())
    rows = [[f"{life.sessions[FIRST]}", *map(float, bars.iloc[FIRST])]]
    refused = life.ask("accept_bars", evening(life), rows=rows, source="csv")
    assert refused["status"] == "refused" and "no correction" in refused["message"]


def test_a_late_dividend_holds_the_agent_until_it_is_accepted(
    tmp_path: Path, bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = lived(tmp_path, bars, Cycler())
    late = with_dividend(bars, FIRST + 4)
    write_csv(life.csv, late)
    held = life.day(FIRST + DAYS).held
    assert len(held) == 1 and "dividend" in held[0]["reason"] and f"bars diff {AGENT}" in held[0]["reason"]
    made = compared(life)
    assert [(c.session, c.column, c.booked, c.now) for c in made.changes] == [
        (life.sessions[FIRST + 4], "dividend", 0.0, 0.4)
    ]
    assert made.checked == DAYS
    before = life.ledger
    assert accepted(life)["status"] == "done"
    assert life.ledger == before and compared(life).changes == ()
    assert len(life.check(at(life.sessions[FIRST + DAYS], "21:00")).decided) == 1
    assert not wrong(life, monkeypatch)


def test_the_reason_of_a_held_session_tells_the_model_s_bars_from_those_that_the_agent_booked(
    tmp_path: Path, bars: pd.DataFrame
) -> None:
    life = lived(tmp_path, bars, Cycler())
    booked = with_dividend(bars, FIRST + 4)
    write_csv(life.csv, booked)
    (held,) = life.day(FIRST + DAYS).held
    assert f"with the bars that this agent has booked: dividend of {life.sessions[FIRST + 4]}" in held["reason"]
    write_csv(life.csv, with_dividend(booked, FIRST - 4))
    (held,) = life.check(at(life.sessions[FIRST + DAYS], "21:00")).held
    assert f"with the bars that the model was trained on: dividend of {life.sessions[FIRST - 4]}" in held["reason"]


def test_later_decisions_see_the_corrected_bars_and_earlier_ones_stay(tmp_path: Path, bars: pd.DataFrame) -> None:
    life, late = lived(tmp_path, bars, Leaning()), with_dividend(bars, FIRST - 30, 1.5)
    write_csv(life.csv, late)
    accepted(life)
    for t in range(FIRST + DAYS, FIRST + DAYS + 5):
        life.day(t)
    card = life.node.registry.card(life.model_id)
    views = {name: market.build(frame, card.scaler) for name, frame in (("old", bars), ("new", late))}
    seen = list(decided_again.walked(card, Series(life.node.registry.bars(life.model_id), []), life.events))
    for state, event, _ in seen:
        if type(event).__name__ != "Decided":
            continue
        t = [str(s) for s in life.sessions].index(event.session)
        view = views["old" if t < FIRST + DAYS else "new"]
        assert event.obs == obs_sha256(observe(view.scaled[t], state.book.account, view.columns.close[t]))
    assert views["old"].scaled[FIRST + DAYS].tolist() != views["new"].scaled[FIRST + DAYS].tolist()


def test_the_corrected_series_survives_a_restart_and_agrees_with_its_source(tmp_path: Path, bars: pd.DataFrame) -> None:
    life, late = lived(tmp_path, bars, Cycler()), moved(bars, FIRST - 3, "close", float(bars.iloc[FIRST - 3]["low"]))
    write_csv(life.csv, late)
    accepted(life)
    life.restart()
    series = life.repository.series(life.node.registry.bars(life.model_id))
    series.check(late)
    assert bars_sha256(series.up_to(series.end)) == bars_sha256(late.iloc[: FIRST + DAYS])


def test_asked_again_after_a_crash_it_is_booked_once(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = lived(tmp_path, bars, Cycler())
    write_csv(life.csv, with_dividend(bars, FIRST + 4))
    made = compared(life)
    accepted(life, made, "the-one")
    with life.store.transaction("requests") as db:  # the answer was lost
        db.table("requests").update({"status": "pending", "message": "", "result": {}, "finished": None})
    life.restart()
    answer = accepted(life, made, "the-one")
    assert answer["status"] == "done" and "already" in answer["message"]
    assert len(life.named("BarsCorrected")) == 1
    assert [e.request for e in life.events if isinstance(e, Noted) and e.request] == ["the-one"]


def test_a_dividend_on_held_shares_is_said_not_to_be_booked(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = lived(tmp_path, bars, Cycler())
    days = [r["bar"] for r in life.ledger]
    row = next(i for i, r in enumerate(life.ledger) if i and r["shares"] and life.ledger[i - 1]["shares"])
    held = int(life.ledger[row - 1]["shares"])
    write_csv(life.csv, with_dividend(bars, FIRST + row, 0.4))
    cash = life.state.book.cash
    answer = accepted(life)
    assert answer["result"]["dividends_not_booked"] == [
        {"session": days[row], "shares": held, "amount": pytest.approx(0.4 * held)}
    ]
    assert "is not booked" in answer["message"] and life.state.book.cash == cash


def test_a_dividend_that_is_taken_back_was_never_booked_and_leaves_nothing_open(
    tmp_path: Path, bars: pd.DataFrame
) -> None:
    life = lived(tmp_path, bars, Cycler())
    row = next(i for i, r in enumerate(life.ledger) if i and r["shares"] and life.ledger[i - 1]["shares"])
    write_csv(life.csv, with_dividend(bars, FIRST + row, 0.4))
    (first,) = accepted(life)["result"]["dividends_not_booked"]
    write_csv(life.csv, with_dividend(bars, FIRST + row, 0.5))
    (more,) = accepted(life)["result"]["dividends_not_booked"]
    assert more["amount"] == pytest.approx(first["amount"] * 5 / 4), "of all that is not booked"
    write_csv(life.csv, bars)
    assert compared(life).dividends == ()
    answer = accepted(life)
    assert answer["result"]["dividends_not_booked"] == [] and "not booked" not in answer["message"]


def test_a_booked_dividend_that_is_taken_back_is_what_was_paid_too_much(tmp_path: Path, bars: pd.DataFrame) -> None:
    plain = lived(tmp_path / "plain", bars, Cycler())
    row = next(i for i, r in enumerate(plain.ledger) if i and r["shares"] and plain.ledger[i - 1]["shares"])
    life = lived(tmp_path / "paid", with_dividend(bars, FIRST + row, 0.4), Cycler())
    (paid,) = (e for e in life.named("DividendPaid") if e.session == f"{life.sessions[FIRST + row]}")
    write_csv(life.csv, moved(bars, FIRST + row, "dividend", 0.0))
    (left,) = compared(life).dividends
    assert left.amount == pytest.approx(-paid.amount * paid.shares)


def test_a_later_correction_lists_its_own_effect_alone(tmp_path: Path, bars: pd.DataFrame) -> None:
    life, t = lived(tmp_path, bars, Leaning()), FIRST + 6
    low, high = float(bars.iloc[t]["low"]), float(bars.iloc[t]["high"])
    once = moved(bars, t, "close", low if float(bars.iloc[t]["close"]) > (low + high) / 2 else high)
    write_csv(life.csv, once)
    first = compared(life)
    assert first.redecided
    accepted(life, first)
    write_csv(life.csv, moved(once, FIRST + 2, "volume", float(bars.iloc[FIRST + 2]["volume"]) * 1.07))
    later = compared(life)
    assert [c.column for c in later.changes] == ["volume"]
    assert (later.redecided, later.checked) == ((), DAYS), "the model reads no volume"
    write_csv(life.csv, bars)
    back = compared(life)
    assert [(r.session, r.now, r.then) for r in back.redecided] == [(r.session, r.then, r.now) for r in first.redecided]


def test_a_dividend_before_the_shares_were_bought_is_owed_to_nobody(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = lived(tmp_path, bars, Cycler())
    write_csv(life.csv, with_dividend(bars, FIRST - 40))
    assert accepted(life)["result"]["dividends_not_booked"] == []


def test_decisions_that_would_have_come_out_otherwise_are_shown_before_and_after(
    tmp_path: Path, bars: pd.DataFrame
) -> None:
    life = lived(tmp_path, bars, Leaning())
    t = FIRST + 6
    low, high = float(bars.iloc[t]["low"]), float(bars.iloc[t]["high"])
    was = float(bars.iloc[t]["close"])
    write_csv(life.csv, moved(bars, t, "close", low if was > (low + high) / 2 else high))
    made = compared(life)
    assert made.redecided and made.redecided[0].session >= f"{life.sessions[t]}"
    assert all(each.then != each.now for each in made.redecided)
    recorded = {e.session: (e.action, e.qty) for e in life.named("Decided")}
    assert all((r.then.action, r.then.qty) == recorded[r.session] for r in made.redecided)


def test_an_agent_that_was_blocked_by_it_runs_again(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = lived(tmp_path, bars, Cycler())
    write_csv(life.csv, with_dividend(bars, FIRST + 4))
    last = until(lambda: life.state.status == AgentStatus.BLOCKED, life, FIRST + DAYS, 6)
    answer = accepted(life, t=last - 1)
    assert "runs again" in answer["message"] and life.state.status == AgentStatus.RUNNING
    assert life.day(last).decided


def blocked(life: Life, bars: pd.DataFrame) -> int:
    """Three sessions and a fourth are held for a late dividend; returns the row of the fourth."""
    write_csv(life.csv, with_dividend(bars, FIRST + 4))
    t = until(lambda: life.state.status == AgentStatus.BLOCKED, life, FIRST + DAYS, 6) - 1
    life.check(at(life.sessions[t], "21:00"))
    return t


def complaints(life: Life) -> list[str]:
    return list(queries.agent(life.store, AGENT)["warnings"])


def test_after_the_acceptance_no_old_complaint_is_shown(
    tmp_path: Path, bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = lived(tmp_path, bars, Cycler())
    t = blocked(life, bars)
    before = queries.agent(life.store, AGENT)
    assert any("is held: the agent is blocked" in text for text in before["warnings"])
    accepted(life, t=t)
    for _ in range(2):
        shown = queries.agent(life.store, AGENT)
        assert (shown["no_bars_since"], shown["status_reason"]) == (None, "")
        assert not [text for text in shown["warnings"] if "held" in text or "later bars" in text]
        (life.home.agent(AGENT) / "state.json").unlink()
        life.restart()  # rebuilt from the journal it says the same
    assert not wrong(life, monkeypatch)
    assert len(life.check(at(life.sessions[t], "21:30")).decided) == 1 and not wrong(life, monkeypatch)


def test_a_single_held_session_is_free_at_once(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = lived(tmp_path, bars, Cycler())
    write_csv(life.csv, with_dividend(bars, FIRST + 4))
    life.day(FIRST + DAYS)
    assert life.state.held is not None and life.state.held.cause == DISPUTED_BARS
    accepted(life, t=FIRST + DAYS)
    assert life.state.held is None and not any("is held" in text for text in complaints(life))


def test_a_session_that_is_held_for_another_reason_stays_held(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = lived(tmp_path, bars, Cycler())
    life.ask("pause", evening(life))
    write_csv(life.csv, with_dividend(bars, FIRST + 4))
    life.day(FIRST + DAYS)
    held = life.state.held
    assert held is not None and "paused" in held.reason
    accepted(life, t=FIRST + DAYS)
    assert life.state.held == held


def test_sessions_missed_for_a_correction_are_no_sign_that_the_source_has_ended(
    tmp_path: Path, bars: pd.DataFrame
) -> None:
    life = lived(tmp_path, bars, Cycler())
    t = blocked(life, bars)
    accepted(life, t=t)
    assert no_further_bars.ended(life.state) is None
    write_csv(life.csv, with_dividend(bars, FIRST + 4).iloc[: FIRST + DAYS])
    life.check(at(life.sessions[t + 1], "10:00"))
    assert queries.agent(life.store, AGENT)["no_bars_since"] == f"{life.sessions[FIRST + DAYS - 1]}"


def test_a_correction_in_the_journal_without_the_word_frees_nothing(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = lived(tmp_path, bars, Cycler())
    write_csv(life.csv, with_dividend(bars, FIRST + 4))
    life.day(FIRST + DAYS)
    made = compared(life, FIRST + DAYS)
    event = BarsCorrected(made.rows, made.source)
    assert "frees" not in encode(event) and agents.apply(life.state, decode(encode(event))).held == life.state.held


def test_a_paused_agent_stays_paused(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = lived(tmp_path, bars, Cycler())
    write_csv(life.csv, with_dividend(bars, FIRST + 4))
    life.ask("pause", evening(life))
    assert "start it" in accepted(life)["message"] and life.state.status == AgentStatus.PAUSED


def test_an_entry_decided_on_a_bar_that_moved_is_not_sent(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = deployed(tmp_path, bars, Cycler())
    t = until(lambda: bool(life.state.open_orders(Leg.ENTRY)), life, FIRST) - 1
    close = float(bars.iloc[t]["low"])
    write_csv(life.csv, moved(bars, t, "close", close))
    accepted(life, t=t)
    assert not life.state.open_orders(Leg.ENTRY)
    assert life.check(at(life.sessions[t + 1], "08:00")).sent == []


def test_a_split_of_held_shares_is_refused_until_they_are_sold(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = lived(tmp_path, bars, Cycler(hold=100))
    assert life.state.book.shares
    # A source that splits late restates no earlier price: bars are as traded.
    write_csv(life.csv, moved(bars, FIRST + 6, "split", 1.001))
    made = compared(life)
    answer = accepted(life, made)
    assert answer["status"] == "refused" and "close its position first" in answer["message"]
    assert not life.named("BarsCorrected")
    assert made.refusal == answer["message"], "the comparison states the same condition"
    assert bars_command.text(life.home, made).splitlines()[-1] == made.refusal


def test_another_series_is_no_correction(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = lived(tmp_path, bars, Cycler())
    other = bars.copy()
    other[["open", "high", "low", "close"]] *= 1.01
    write_csv(life.csv, other)
    with pytest.raises(BadBars, match="another series"):
        compared(life)


def test_a_replay_has_no_source_that_corrects_it(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = deployed(tmp_path, bars, Cycler(), mode="replay", model_rows=FIRST + 10)
    with pytest.raises(Conflict, match="replays"):
        compared(life)


def test_a_final_volume_is_a_change_that_can_be_taken_over(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = lived(tmp_path, bars, Cycler())
    t = FIRST + 3
    final = float(bars.iloc[t]["volume"]) * 1.07
    write_csv(life.csv, moved(bars, t, "volume", final))
    life.day(FIRST + DAYS)
    assert life.named("Decided")[-1].session == f"{life.sessions[FIRST + DAYS]}", "it holds nothing up"
    made = compared(life)
    assert [c.column for c in made.changes] == ["volume"] and made.rows[0][5] == pytest.approx(final)
    assert made.rows[0][1:5] == list(bars.iloc[t][:4])
    assert accepted(life)["status"] == "done" and compared(life).changes == ()


def test_the_paper_broker_rebuilt_from_the_journal_is_the_same(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = lived(tmp_path, bars, Cycler())
    write_csv(life.csv, with_dividend(bars, FIRST + 4))
    accepted(life)
    shares = life.state.book.shares
    (life.home.agent(AGENT) / "paper.json").unlink()
    life.restart()
    broker = life.node.executor(AGENT).broker
    assert isinstance(broker, PaperBroker) and broker.position() == shares


def test_only_the_session_s_own_row_is_replaced(bars: pd.DataFrame) -> None:
    late = with_dividend(bars, 100)
    found = changes(bars, late, 1e-4, bars.index)
    assert bars_sha256(replaced(bars, rows_of(found, bars, late))) == bars_sha256(late)
    with pytest.raises(BadBars, match=re.escape("1999-01-04")):
        replaced(bars, [["1999-01-04", 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0]])


def test_the_event_reads_back_as_it_was_written() -> None:
    event = BarsCorrected([["2024-06-03", 1.0, 2.0, 0.5, 1.5, 9.0, 0.1, 1.0]], "yahoo")
    assert decode(encode(event)) == event


def test_in_an_account_the_cash_of_a_late_dividend_is_left_to_the_cash_check(
    eventful: AccountLife, tws: object
) -> None:
    life, t = eventful, FIRST
    account_days.deployed(life)
    while not (life.state.book.shares and life.state.overnight):
        life.live(t)
        t += 1
    life.live(t)
    late = with_dividend(life.frame, t, float(life.frame["dividend"].iloc[t]) + 0.4)
    write_csv(life.csv, late)
    cash, shares = life.state.book.cash, life.state.book.shares
    answer = accepted(life, t=t)
    assert answer["status"] == "done", answer
    assert answer["result"]["dividends_not_booked"][0]["shares"] > 0 and "confirm-cash" in answer["message"]
    assert (life.state.book.cash, life.state.book.shares) == (cash, shares)
    assert life.check(at(life.sessions[t + 1], "08:00")) and life.state.status == AgentStatus.RUNNING
    life.live(t + 1)
    assert life.named("Decided")[-1].session == f"{life.sessions[t + 1]}"

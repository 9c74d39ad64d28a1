"""What the pages say, page by page; what people click is tested in the browser."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.adapters.stamps import stamp
from livetrading.adapters.store import Store
from livetrading.core.metrics import TRADES_NOTE
from livetrading.dashboard.components.agents import agent_facts, agent_table, board
from livetrading.dashboard.components.shell import emergency
from livetrading.execution.state import alarms, queries
from livetrading.research import jobs

from .conftest import AGENT, ROOT, TRADES, model_of

MAIN = str(ROOT / "livetrading" / "dashboard" / "main.py")
EMPTY = "No active agents. Add an agent to start live trading."

Open = Callable[..., AppTest]


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Open:
    def run(root: Path, page: str = "live_trading", **query: str) -> AppTest:
        monkeypatch.setenv("LIVETRADING_HOME", str(root))
        at = AppTest.from_file(MAIN, default_timeout=180)
        for name, value in query.items():
            at.query_params[name] = value
        at.run()
        if page != "live_trading":
            at.switch_page(str(ROOT / "pages" / f"{page}.py")).run()
        assert not at.exception, at.exception
        return at

    return run


def text_of(at: AppTest) -> str:
    """All that stands on the page, without tags."""
    parts = [*at.html, *at.markdown, *at.error, *at.warning, *at.info, *at.success, *at.caption]
    return " ".join(str(part.value) for part in parts)


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def test_an_empty_home_says_what_to_do(open_page: Open, tmp_path: Path) -> None:
    at = open_page(tmp_path)
    assert EMPTY in text_of(at)
    assert {"EMERGENCY STOP", "Add Agent", "Start scheduler"} <= set(labels(at))


def test_alarms_stand_on_the_page_with_new_york_time_agent_and_words(open_page: Open, tmp_path: Path) -> None:
    store, at_noon = Store(Home.resolve(str(tmp_path))), datetime(2024, 6, 3, 16, 0, tzinfo=UTC)
    alarms.add(store, "", "The scheduler ended by signal 9; it starts again in 2 s.", at_noon)
    alarms.add(store, AGENT, "2024-06-03 MISSED: no bar", at_noon)
    at = open_page(tmp_path)
    assert at.expander[0].label == "2 alarms · 2024-06-03 MISSED: no bar"
    for words in ("New York", "12:00", AGENT, "The scheduler ended by signal 9"):
        assert words in text_of(at)


def test_a_missing_scheduler_is_said_with_the_way_to_start_it(open_page: Open, tmp_path: Path) -> None:
    said = text_of(open_page(tmp_path))
    assert "Scheduler not running" in said and "python -m livetrading scheduler" in said


@pytest.mark.parametrize("page", ["live_trading", "training"])
def test_a_halt_is_on_every_page_with_its_reason_and_the_way_back(open_page: Open, tmp_path: Path, page: str) -> None:
    at_time = datetime(2024, 6, 3, 20, 40, tzinfo=UTC)
    HaltLatch(Home.resolve(str(tmp_path))).set("<b>smoke</b> in the server room", "night watch", at_time)
    at = open_page(tmp_path, page)
    said = text_of(at)
    assert "TRADING IS HALTED" in said and "night watch" in said and "16:40 New York" in said
    assert "&lt;b&gt;smoke" in said and "<b>smoke" not in said
    assert "Re-arm …" in labels(at) and "EMERGENCY STOP" in labels(at)


def test_an_unreadable_latch_is_a_halt_on_screen(open_page: Open, tmp_path: Path) -> None:
    (tmp_path / "halt.json").write_text("{")
    assert "TRADING IS HALTED" in text_of(open_page(tmp_path))


def test_an_agent_shows_its_figures_chart_and_what_can_be_done(open_page: Open, traded: Path) -> None:
    at = open_page(traded)
    agent = queries.agent(Store(Home(traded)), AGENT)
    said = text_of(at)
    for figure in (
        f"${agent['portfolio_value']:,.2f}",
        f"${agent['entry_price']:,.2f}",
        f"${agent['current_price']:,.2f}",
        f"${agent['stop_price']:,.2f}",
        f"{agent['current_position']:,} shares",
        "16:00 New York",
        "WAITING FOR THE SCHEDULER",
        "REPLAY",
    ):
        assert figure in said, figure
    spec = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert [trace["type"] for trace in spec["data"]][:2] == ["candlestick", "bar"]
    assert {"Buy", "Sell"} & {trace.get("name") for trace in spec["data"]}
    assert {"Pause", "Close Position", "Remove", "Download CSV"} <= {
        *labels(at),
        *(b.label for b in at.get("download_button")),
    }


def test_the_trade_history_is_the_stores_newest_first(open_page: Open, traded: Path) -> None:
    trades = queries.history(Store(Home(traded)), AGENT)["trades"]
    assert len(trades) >= TRADES
    shown = open_page(traded).dataframe[0].value
    assert list(shown["Exit"]) == [trade["exit_session"] for trade in reversed(trades)]
    assert shown["P&L"].sum() == pytest.approx(sum(trade["pnl"] for trade in trades))


def test_a_damaged_state_file_costs_one_agent_its_numbers_and_no_page(open_page: Open, own: Path) -> None:
    (own / "agents" / AGENT / "state.json").write_text('{"agent": {"1": ')
    at = open_page(own)
    assert "state.json" in text_of(at) and "UNREADABLE" in text_of(at)
    assert "EMERGENCY STOP" in labels(at)


def test_a_damaged_shared_file_is_one_sentence_and_the_stop_is_still_there(open_page: Open, own: Path) -> None:
    (own / "system.json").write_text("no json")
    at = open_page(own)
    assert any("system.json" in str(error.value) for error in at.error)
    assert "EMERGENCY STOP" in labels(at)


def test_a_model_under_the_gate_is_deployed_only_as_practice(open_page: Open, traded: Path) -> None:
    at = open_page(traded, "training")
    sharpe = json.loads((traded / "models" / model_of(traded) / "card.json").read_text())["metrics"]["test"][
        "sharpe_ratio"
    ]
    assert [w.value for w in at.warning if "Sharpe" in w.value] == [
        f"Sharpe Ratio too low ({sharpe:.2f}). Recommended: > 1.5 for live trading."
    ]
    assert "Deploy to Live Trading" not in labels(at)
    tick = next(box for box in at.checkbox if "practice" in box.label)
    tick.check().run()
    assert "Deploy to Live Trading" in labels(at)


def test_the_form_starts_with_the_values_of_the_specification(open_page: Open, traded: Path) -> None:
    at = open_page(traded, "training")
    values = {field.label: field.value for field in at.number_input}
    assert (values["Initial capital ($)"], values["Max position (%)"], values["Risk per trade (%)"]) == (10_000, 50, 2)
    assert (values["Timesteps"], values["Seed"]) == (50_000, 0)
    assert next(box for box in at.selectbox if box.label == "Time frame").value == "Daily/EOD"
    assert not any("ibkr" in option.lower() for radio in at.radio for option in radio.options)


def test_a_test_stands_beside_buy_and_hold(open_page: Open, traded: Path) -> None:
    at = open_page(traded, "training")
    said = text_of(at)
    assert "Sharpe ratio" in said and "Buy &amp; hold" in said and "Max drawdown" in said
    names = {t.get("name") for chart in at.get("plotly_chart") for t in json.loads(chart.proto.spec)["data"]}
    assert {"PPO", "Buy and hold", "PPO drawdown"} <= names


def test_measures_that_leave_dividends_out_say_so_where_they_are_shown(open_page: Open, traded: Path) -> None:
    at = open_page(traded, "training")
    assert TRADES_NOTE in text_of(at) and "without dividends" in TRADES_NOTE
    assert any("without dividends" in caption.value for caption in at.caption)


def test_a_damaged_model_is_named_and_the_others_are_shown(open_page: Open, own: Path) -> None:
    other = own / "models" / "SAC_NVDA_v20200101_000000"
    other.mkdir()
    (other / "card.json").write_text("{}")
    at = open_page(own, "training")
    assert any("SAC_NVDA_v20200101_000000" in str(error.value) for error in at.error)
    assert "Sharpe ratio" in text_of(at)


def test_a_training_of_another_process_is_watched(open_page: Open, tmp_path: Path) -> None:
    store = Store(Home.resolve(str(tmp_path)))
    job = jobs.start(store, "train", "AAPL", "PPO", 50_000, now=datetime.now(UTC))
    jobs.update(store, job, jobs.Progress("Training", 0.42, 21_000, 50_000, 3_100.0, 9.4), now=datetime.now(UTC))
    at = open_page(tmp_path, "training")
    assert at.progress[0].value == 42
    said = text_of(at)
    assert "21,000 / 50,000" in said and "3,100 steps/s" in said and "9 s" in said
    jobs.fail(store, job, "The bars of AAPL have a hole: choose another source.", now=datetime.now(UTC))
    at.run()
    assert any("have a hole" in str(error.value) for error in at.error)


def test_a_training_that_died_without_a_word_is_not_shown_as_running(open_page: Open, tmp_path: Path) -> None:
    store = Store(Home.resolve(str(tmp_path)))
    job = jobs.start(store, "train", "AAPL", "PPO", 50_000, now=datetime.now(UTC))
    with store.transaction("jobs") as db:
        db.table("jobs").update({"pid_mark": "0"})
    at = open_page(tmp_path, "training")
    assert not at.progress and "No training is running." in text_of(at), job


def agent(**changes: Any) -> dict[str, Any]:
    """An agent as the read model gives it."""
    return {
        "agent_id": "PPO_AAPL_001",
        "agent_type": "PPO",
        "symbol": "AAPL",
        "mode": "paper",
        "status": "running",
        "status_reason": "",
        "is_running": True,
        "current_position": 10,
        "entry_price": 100.0,
        "stop_price": 95.0,
        "current_price": 101.0,
        "price_time": stamp(datetime(2024, 6, 3, 20, tzinfo=UTC)),
        "portfolio_value": 10_010.0,
        "cash": 9_000.0,
        "total_pnl": 10.0,
        "total_pnl_pct": 0.1,
        "realized_pnl": 0.0,
        "unrealized_pnl": 10.0,
        "num_trades": 3,
        "last_check": None,
        "next_check": None,
        "last_decision": None,
        "warnings": [],
        "capital": 10_000.0,
        "model_id": "m",
        "source": "sample",
        "pace": 1.0,
        "deployed_at": None,
        "max_position_pct": 50.0,
        "risk_per_trade": 0.02,
        **changes,
    }


def test_the_stop_names_what_it_will_do() -> None:
    agents = [agent(), agent(current_position=0, unrealized_pnl=0.0), agent(is_running=False, unrealized_pnl=-25.5)]
    said = emergency.announcement(agents)
    assert "**2 running agents**" in said and "**2 positions**" in said and r"−\$15.50" in said.replace("\u2060", "")
    assert "cannot be read" in emergency.announcement(None)


def test_a_position_frozen_in_a_finished_replay_is_not_promised_to_be_closed() -> None:
    assert "**0 positions**" in emergency.announcement([agent(status="finished", is_running=False)])


def test_the_strip_sums_what_the_agents_show() -> None:
    agents = [agent(), agent(total_pnl=-110.0, portfolio_value=9_890.0, current_position=0)]
    facts = {fact.label: fact for fact in board.totals(agents, True)}
    assert facts["Portfolio"].value == "$19,900.00" and facts["Total P&L"].value == "−$100.00"
    assert facts["Total P&L"].sub == "−0.50%" and facts["Total P&L"].tone == "lt-down"
    assert facts["Open positions"].value == "1" and facts["Closed trades"].value == "6"


def test_a_provisional_fill_is_called_so() -> None:
    history = {"fills": [{"provisional": True}]}
    assert any("provisional" in fact.sub for fact in agent_facts.facts(agent(), history))
    assert any("provisional" in note for note in agent_facts.notes(agent(), history))


def test_an_agent_without_a_single_number_is_still_shown() -> None:
    numbers = (
        "entry_price",
        "stop_price",
        "current_price",
        "price_time",
        "portfolio_value",
        "cash",
        "total_pnl",
        "total_pnl_pct",
        "realized_pnl",
        "unrealized_pnl",
        "last_check",
        "next_check",
        "capital",
        "pace",
        "deployed_at",
        "max_position_pct",
        "risk_per_trade",
        "model_id",
        "source",
    )
    bare = agent(**dict.fromkeys(numbers), current_position=0, status="unreadable", is_running=False)
    facts = agent_facts.facts(bare, {"fills": []})
    assert {fact.value for fact in facts} <= {"–", "Flat", "3", "Not asked"}
    assert "UNREADABLE" in agent_facts.heading(bare)
    assert board.totals([bare], True) and len(agent_table.frame_of([bare])) == 1
    assert not any(choose(bare) for name, choose in agent_table.FILTERS.items() if name not in ("All", "Not running"))

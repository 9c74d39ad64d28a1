"""An agent whose files cannot be read: its position is unknown, never zero, and everything that makes it safe can be asked."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from livetrading.adapters.home import Home
from livetrading.adapters.locks import SchedulerLock
from livetrading.adapters.store import Store
from livetrading.cli.main import main
from livetrading.dashboard import kinds
from livetrading.dashboard.components.agents import agent_facts, agent_table, board
from livetrading.dashboard.components.shell import emergency
from livetrading.execution.state import queries

from .conftest import AGENT
from .test_pages import Open, agent, labels, open_page, text_of

__all__ = ["open_page"]

NONE = dict.fromkeys(
    (
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
        "current_position",
        "num_trades",
    )
)
UNREAD = agent(
    **NONE, agent_id="PPO_A_009", mode="unknown", status="unreadable", status_text="cannot be read", is_running=False
)


@pytest.fixture(params=["garbage", '{"agent": {"1": {"agent_id": "PPO_NVDA_001"}}}', None])
def spoilt(own: Path, request: pytest.FixtureRequest) -> Path:
    """The home of an agent that holds shares, and whose state.json does not say so."""
    path = own / "agents" / AGENT / "state.json"
    path.unlink() if request.param is None else path.write_text(request.param)
    return own


def test_its_position_is_null_in_the_data_and_the_cure_fits_whether_a_scheduler_runs(spoilt: Path) -> None:
    home = Home(spoilt)
    shown = queries.agent(Store(home), AGENT)
    assert (shown["status"], shown["current_position"], shown["num_trades"]) == ("unreadable", None, None)
    (said,) = shown["warnings"]
    assert "state.json" in said and "position cannot be read" in said and "Start the scheduler" in said
    with SchedulerLock(home).acquire("scheduler") as lock:
        lock.beat()
        (said,) = queries.agent(Store(home), AGENT)["warnings"]
    assert "The scheduler rebuilds" in said and "start the scheduler" not in said.lower()


def test_the_command_line_does_not_call_it_flat(spoilt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["--home", str(spoilt), "agents"]) == 0
    line = capsys.readouterr().out
    assert "cannot be read" in line and "unknown sh" in line and " 0 sh" not in line
    assert main(["--home", str(spoilt), "agents", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["agents"][0]["current_position"] is None


def button(at: AppTest, key: str) -> "AppTest.Button":  # type: ignore[name-defined]
    return next(b for b in at.button if b.key == key)


def test_the_page_offers_close_and_pause_and_no_figure_says_flat(open_page: Open, spoilt: Path) -> None:
    at = open_page(spoilt)
    said = text_of(at)
    assert (
        "Cannot be read" in said and "1 cannot be read" in said and ">Flat<" not in said and "no position" not in said
    )
    assert "none yet" not in said and "not running</div>" not in said
    assert not button(at, f"close_{AGENT}").disabled and "Pause" in labels(at)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (f"pause_{AGENT}", "If it holds shares it keeps them"),
        (f"close_{AGENT}", "holds by its journal is sold at market"),
        (f"remove_{AGENT}", "removing is refused: close the position first"),
        ("emergency_open", "**1 agent** cannot be read: stopped, too, and whatever it holds by the journal is closed"),
    ],
)
def test_each_dialog_says_that_the_position_cannot_be_read_and_what_that_means(
    open_page: Open, spoilt: Path, key: str, words: str
) -> None:
    at = open_page(spoilt)
    button(at, key).click().run()
    said = text_of(at)
    assert "cannot be read" in said and words in said and "holds no position" not in said
    assert {"Pause agent", "Close position", "Remove agent", "Stop everything"} & set(labels(at))


def test_closing_by_the_command_line_sells_what_the_journal_holds(
    spoilt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(spoilt), "close", AGENT, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] in ("flat", "exit queued")
    assert isinstance(queries.agent(Store(Home(spoilt)), AGENT)["current_position"], int)


def test_strip_header_and_table_count_it_as_what_it_is() -> None:
    facts = {fact.label: fact for fact in board.totals([agent(), UNREAD], True)}
    assert (facts["Open positions"].value, facts["Open positions"].sub) == ("1", "of 2 agents, 1 cannot be read")
    assert facts["Closed trades"].value == "3" and "cannot be read" in facts["Portfolio"].sub
    alone = {fact.label: fact.value for fact in board.totals([UNREAD], True)}
    assert {alone[name] for name in ("Portfolio", "Open positions", "Agents running", "Closed trades")} == {"–"}
    assert kinds.running_words([agent(), UNREAD], True) == "1 running · 1 cannot be read"
    row = agent_table.frame_of([agent(), UNREAD]).iloc[1]
    assert row["Status"] == "cannot be read" and row["Shares"] != row["Shares"]  # NaN
    assert {name for name, choose in agent_table.FILTERS.items() if choose(UNREAD)} == {
        "All",
        "In position",
        "Not running",
    }
    assert "CANNOT BE READ" in agent_facts.heading(UNREAD)


def test_the_announcement_of_a_stop_names_several() -> None:
    said = emergency.announcement([agent(), UNREAD, UNREAD])
    assert (
        "**1 running agent**" in said
        and "**1 position**" in said
        and "**2 agents** cannot be read" in said
        and "they hold" in said
    )

"""A broker that the program has never seen: registered in one line, an agent lives its whole life there in the shell."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.brokers import registry
from livetrading.adapters.stamps import stamp
from livetrading.cli import acting, safety, trading
from livetrading.cli.main import main, parser
from livetrading.core.errors import BadInput
from livetrading.core.types import Costs, Terms
from livetrading.execution import pass_runner
from livetrading.execution.node import Node
from livetrading.execution.state.agent_repository import AgentRepository
from tests.doubles.lives import AGENT, FIRST, Always, Known, Life, a_life, at, store_test
from tests.doubles.series import generated

from .broker import NAME, described, exchange_of
from .exchange import ACCOUNT, Exchange


@dataclass
class Shell:
    """Commands on a clock that the test sets."""

    life: Life
    capsys: pytest.CaptureFixture[str]
    now: datetime
    code: int = 0

    def run(self, *words: str) -> dict[str, Any]:
        self.capsys.readouterr()
        self.code = main(["--home", str(self.life.home.root), *words, "--json"])
        return json.loads(self.capsys.readouterr().out)

    def at(self, row: int, clock: str) -> "Shell":
        self.now = at(self.life.sessions[row], clock)
        return self

    def passes(self, row: int, *clocks: str) -> None:
        """Passes of one trading process, which keeps its memory between them."""
        with acting.node_in_hand(self.life.home) as node:
            for clock in clocks:
                pass_runner.run(node, self.at(row, clock).now)

    @property
    def exchange(self) -> Exchange:
        return Exchange(exchange_of(self.life.home))

    @property
    def agent(self) -> dict[str, Any]:
        return self.run("agents")["agents"][0]

    def opens(self, row: int) -> None:
        self.at(row, "09:31").exchange.opens("TEST", float(self.life.frame["open"].iloc[row]), self.now)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    frame = generated(1, FIRST + 12)
    life = a_life(tmp_path, frame, Always(2), terms=Terms(10_000.0, costs=Costs(regulatory=False)), mode=NAME)
    made = Shell(life, capsys, at(life.sessions[FIRST - 1], "20:00"))
    new_node = acting.new_node

    def known(home: Any, chosen: Any = None) -> Node:
        node = new_node(home, chosen)
        node.registry = Known(home, life.policy)
        return node

    monkeypatch.setattr(acting, "new_node", known)
    for module in (acting, safety, trading):
        monkeypatch.setattr(module, "utc_now", lambda: made.now)
    monkeypatch.setitem(registry.BROKERS, NAME, described(lambda: made.now))  # the one line that registers it
    yield made


def deployed(shell: Shell) -> Shell:
    answer = asked(shell, ACCOUNT)
    assert answer["status"] == "done", answer["message"]
    shell.life.node.close()
    return shell


def asked(shell: Shell, confirm: str) -> dict[str, Any]:
    return shell.life.ask(
        "create",
        shell.now,
        model_id=shell.life.model_id,
        mode=NAME,
        source=f"csv:{shell.life.csv}",
        job_id="tested",
        capital=10_000.0,
        costs=vars(shell.life.terms.costs),
        confirm=confirm,
    )


def holding(shell: Shell) -> int:
    """Decided on row FIRST, bought at the open of the next; returns that row."""
    deployed(shell)
    for row, clock in ((FIRST, "16:40"), (FIRST + 1, "08:00")):
        shell.at(row, clock).run("check")
    shell.opens(FIRST + 1)
    shell.at(FIRST + 1, "09:33").run("check")
    assert shell.agent["current_position"] == shell.exchange.shares["TEST"] > 0
    return FIRST + 1


def traded_by_hand(shell: Shell, row: int, bought: int) -> None:
    """A person sells three of the agent's shares, then transfers five of his own: each blocks until it is explained."""
    shell.exchange.by_hand("TEST", -3, float(shell.life.frame["close"].iloc[FIRST]))
    shell.passes(row, "10:00", "10:01")
    assert shell.agent["status"] == "blocked" and "compare with Shelf's screen" in shell.agent["status_reason"]
    assert shell.run("adopt", AGENT)["adopted"] == -3
    shell.run("start", AGENT)
    assert (shell.agent["status"], shell.agent["current_position"]) == ("running", bought - 3)

    shell.exchange.by_hand("TEST", 5)
    shell.passes(row, "10:10", "10:11")
    assert shell.agent["status"] == "blocked"
    assert shell.run("ignore", AGENT)["unmanaged"] == 5
    shell.run("start", AGENT)


def test_an_agent_lives_its_whole_life_on_a_broker_that_was_registered_in_one_line(shell: Shell) -> None:
    row = holding(shell)
    agent = shell.agent
    bought = agent["current_position"]
    assert (agent["mode"], agent["account"], agent["status"]) == (NAME, ACCOUNT, "running")
    (stop,) = [o for o in shell.exchange.orders if o.live]
    assert (stop.ticket.type, stop.ticket.qty, stop.waits) == ("STP", bought, False)

    traded_by_hand(shell, row, bought)
    assert shell.at(row, "11:00").run("close", AGENT)["outcome"] == "exit queued"
    shell.exchange.opens("TEST", 60.0, shell.now)
    shell.at(row, "11:01").run("check")
    assert (shell.agent["current_position"], shell.exchange.shares["TEST"]) == (0, 5)
    assert [o for o in shell.exchange.orders if o.live] == []

    shell.at(row, "16:40").run("check")  # it decides to buy again
    shell.at(row + 1, "08:00").run("check")
    shell.opens(row + 1)
    shell.at(row + 1, "09:33").run("check")
    assert shell.agent["current_position"] > 0
    shell.at(row + 1, "12:00").run("emergency-stop")
    assert shell.code != 0  # not flat before the market has taken the exit
    shell.exchange.opens("TEST", 60.0, shell.now)
    shell.at(row + 1, "12:01")
    assert shell.run("emergency-stop")["flat"] is True and shell.code == 0
    assert shell.exchange.shares["TEST"] == 5 and not any(o.live for o in shell.exchange.orders)
    shell.run("rearm")
    # The model is not a real one, so its file cannot be read; journals, book and account agree.
    assert [p["text"] for p in shell.run("verify")["problems"] if "The zip of" not in p["text"]] == []
    shell.run("remove", AGENT)
    assert shell.run("agents")["agents"] == []


def test_the_command_line_deploys_there(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trading, "tested", lambda *given: "cli")  # the model is not a real one
    store_test(shell.life.store, shell.life.model_id, Terms(10_000.0), "cli")
    with shell.life.store.transaction("jobs") as db:
        for job in db.table("jobs").all():
            job["result"]["test"] |= {"total_return_pct": None, "start": "2010-01-04", "end": "2012-01-25"}
            job |= {"kind": "deploy", "started": stamp(shell.now), "pid": 0, "pid_mark": "", "message": ""}
            db.table("jobs").update(job, doc_ids=[job.doc_id])
    done = shell.run(
        *("deploy", shell.life.model_id, "--mode", NAME, "--source", f"csv:{shell.life.csv}", "--capital", "10000"),
        *("--confirm", ACCOUNT),
    )
    assert (shell.code, done.get("mode"), done.get("agent_id")) == (0, NAME, AGENT), done.get("error")


@pytest.mark.parametrize(("typed", "said"), [("", "counts as real money"), ("X1", "X1 was typed, but")])
def test_an_account_that_is_not_known_as_a_paper_one_is_confirmed_by_its_number(
    shell: Shell, typed: str, said: str
) -> None:
    answer = asked(shell, typed)
    assert answer["status"] == "refused" and said in answer["message"] and ACCOUNT in answer["message"]


def test_its_stop_sells_at_the_broker_and_is_booked(shell: Shell) -> None:
    row = holding(shell)
    shell.at(row, "13:00").exchange.falls("TEST", 0.0, shell.now)
    shell.at(row, "13:01").run("check")
    assert shell.agent["current_position"] == shell.exchange.shares["TEST"] == 0


def test_the_journal_keeps_the_brokers_own_names(shell: Shell) -> None:
    deployed(shell)
    config = AgentRepository(shell.life.home, AGENT).state.agent
    assert (config.mode_name, config.broker, config.con_id) == (NAME, NAME, "shelf/TEST")
    stored = config.to_dict()
    assert (stored["mode"], stored["con_id"]) == (NAME, "shelf/TEST") and "broker" not in stored


def test_a_home_trades_through_one_broker_at_a_time(shell: Shell) -> None:
    deployed(shell)
    answer = shell.life.ask(
        "create",
        shell.now,
        model_id=shell.life.model_id,
        mode="ibkr",
        job_id="tested",
        capital=10_000.0,
        costs=vars(shell.life.terms.costs),
    )
    assert answer["status"] == "refused" and "one broker at a time" in answer["message"]


def test_an_agent_of_a_broker_that_is_gone_says_so_and_the_rest_goes_on(shell: Shell) -> None:
    deployed(shell)
    registry.BROKERS.pop(NAME)
    shell.at(FIRST, "16:40").run("check")
    assert shell.agent["mode"] == NAME
    assert "There is no broker 'shelf'; registered are ibkr." in shell.agent["status_reason"]


def test_another_package_registers_a_broker_by_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "shelf-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{NAME} = tests.plugged.broker:DESCRIPTION\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.forget_installed()
    try:
        assert NAME in registry.names() and registry.named(NAME).words.title == "Shelf Securities"
    finally:
        monkeypatch.undo()
        registry.forget_installed()


@pytest.mark.parametrize("code", ["raise SystemExit('bye')", "1 / 0", "DESCRIPTION = 5", "import no_such_module"])
def test_a_broken_broker_of_another_package_is_named_and_ends_no_command(
    tmp_path: Path, code: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is its code run before somebody asks for it."""
    (info := tmp_path / "bad-1.dist-info").mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\nbad = a_bad_broker:DESCRIPTION\n")
    (tmp_path / "a_bad_broker.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.forget_installed()
    try:
        parser()
        assert "bad" in registry.names() and "a_bad_broker" not in sys.modules
        assert registry.find("bad") is None and "the broker bad" in caplog.text
        with pytest.raises(BadInput, match="There is no broker 'bad'"):
            registry.named("bad")
    finally:
        monkeypatch.undo()
        registry.forget_installed()
        sys.modules.pop("a_bad_broker", None)


def test_nothing_of_it_lies_outside_its_folder() -> None:
    root = Path(__file__).resolve().parents[2]
    named = [
        p
        for p in [*(root / "livetrading").rglob("*.py"), *(root / "tests").rglob("*.py")]
        if "shelf" in p.read_text().lower()
    ]
    assert {p.parent for p in named} == {Path(__file__).parent}
    assert not any("ibkr" in p.read_text() for p in named if p.name in ("broker.py", "exchange.py"))

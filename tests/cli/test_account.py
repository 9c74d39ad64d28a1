"""``import-statement`` and ``confirm-cash``: done or one sentence, exit 1, and nothing changed."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from livetrading.cli.main import main
from livetrading.execution.state import queries
from tests.doubles import flex
from tests.doubles.account_life import AccountLife, in_account
from tests.doubles.lives import AGENT, FIRST, Cycler, at
from tests.doubles.series import generated
from tests.doubles.tws import TwsDouble
from tests.execution.test_account_cash import DAY, slept

Said = dict[str, Any]


@pytest.fixture(scope="module")
def calm() -> pd.DataFrame:
    return generated(1, FIRST + 10)


@pytest.fixture
def life(tmp_path: Path, calm: pd.DataFrame) -> Any:
    """An agent that slept through its purchase, in doubt; no process holds the home."""
    with TwsDouble(157) as tws:
        made = in_account(tmp_path, calm, Cycler(), tws)
        t = slept(made)
        made.check(at(made.sessions[t], "08:10"))
        assert made.node.cash.doubt(made.state)
        made.node.close()
        yield made


def run(life: AccountLife, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Said, str]:
    code = main(["--home", str(life.home.root), *words, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def journal(life: AccountLife) -> bytes:
    return (life.home.agent(AGENT) / "journal.jsonl").read_bytes()


def test_a_statement_corrects_the_book_and_the_second_time_changes_nothing(life: AccountLife, capsys: Any) -> None:
    path = flex.xml(life.home.root / "f.xml", flex.of(life.tws.ledger))
    code, done, _ = run(life, capsys, "import-statement", str(path))
    assert (code, done["corrected"], done["estimates_left"]) == (0, 1, 0), done
    shown = queries.agent(life.store, AGENT)
    assert shown["cash"] == pytest.approx(life.tws.ledger.cash - 90_000.0) and shown["estimates"] == 0
    before = journal(life)
    code, done, _ = run(life, capsys, "import-statement", str(path))
    assert (code, done["corrected"]) == (0, 0) and "Nothing to correct" in done["message"] and journal(life) == before


def files(life: AccountLife) -> dict[str, tuple[list[str], str]]:
    """Arguments and what is said about them."""
    root, rows = life.home.root, flex.of(life.tws.ledger)
    (root / "bars.csv").write_text("date,open\n2024-01-01,1\n")
    ours = str(flex.xml(root / "ours.xml", rows))
    return {
        "no statement": ([str(root / "bars.csv")], "not a Flex statement"),
        "no file": ([str(root / "none.xml")], "no file"),
        "another account": ([str(flex.xml(root / "other.xml", flex.of(life.tws.ledger, accountId="U999")))], "U999"),
        "another wanted": ([ours, "--account", "U999"], "U999"),
        "no trade of ours": (
            [str(flex.csv(root / "msft.csv", flex.of(life.tws.ledger, symbol="MSFT", conid="1", orderReference="")))],
            "no trade of the agents",
        ),
        "no trades": ([str(flex.xml(root / "empty.xml", []))], "no execution"),
        "NaN": ([str(flex.xml(root / "nan.xml", flex.of(life.tws.ledger, tradePrice="nan")))], "price"),
    }


@pytest.mark.parametrize(
    "case", ["no statement", "no file", "another account", "another wanted", "no trade of ours", "no trades", "NaN"]
)
def test_a_file_that_cannot_be_used_is_one_sentence_and_changes_nothing(
    life: AccountLife, capsys: Any, case: str
) -> None:
    words, said = files(life)[case]
    before = journal(life)
    code, answer, err = run(life, capsys, "import-statement", *words)
    assert code == 1 and said in answer["error"] and err.strip().splitlines() == [answer["error"]]
    assert journal(life) == before


@pytest.mark.parametrize("target", [AGENT, "DU1234567"])
def test_cash_is_confirmed_by_agent_or_account_once(life: AccountLife, capsys: Any, target: str) -> None:
    code, answer, _ = run(life, capsys, "confirm-cash", target, "--amount", "1")
    assert code == 1 and "look at it and confirm again" in answer["error"]
    code, done, _ = run(life, capsys, "confirm-cash", target)
    assert code == 0 and done["confirmed"] < -30
    code, answer, _ = run(life, capsys, "confirm-cash", target)
    assert code == 1 and "nothing to confirm" in answer["error"]


def test_an_account_or_agent_that_is_none_is_said(life: AccountLife, capsys: Any) -> None:
    for target in ("U999", "PPO_XXX_001"):
        code, answer, _ = run(life, capsys, "confirm-cash", target)
        assert code == 1 and "list them with" in answer["error"]
    assert DAY == FIRST + 1

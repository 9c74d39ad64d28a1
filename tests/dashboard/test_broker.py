"""Interactive Brokers on the pages: its health, whose money trades, both sides of a difference, the gate."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from livetrading.adapters import settings
from livetrading.adapters.home import Home
from livetrading.adapters.openings import Openings, content_of_frame
from livetrading.adapters.registry import Registry
from livetrading.adapters.stamps import stamp
from livetrading.adapters.store import Store
from livetrading.core.errors import BadInput
from livetrading.dashboard import payloads
from livetrading.dashboard.components.agents import account_strip, agent_facts, records
from tests.doubles.gates import opened_gate

from .conftest import AGENT, copy_of, model_of
from .test_pages import Open, agent, labels, open_page, text_of

__all__ = ["open_page"]
SIDES = {"agent_id": AGENT, "book": 10, "broker": 7, "unmanaged": 2, "text": "3 NVDA are missing at the broker."}


def told(**changes: Any) -> dict[str, Any]:
    """The broker's document as the scheduler writes it."""
    return {
        "state": "ready",
        "ready": True,
        "detail": "Trading account DU1234567.",
        "account": "DU1234567",
        "mode": "paper",
        "host": "127.0.0.1",
        "port": 7497,
        "since": stamp(datetime.now(UTC)),
        "heard": None,
        "net_liquidation": 101_234.5,
        "currency": "USD",
        "cash_usd": 50_000.25,
        "at": stamp(datetime.now(UTC)),
        **changes,
    }


def write(root: Path, table: str, doc: dict[str, Any]) -> None:
    with Store(Home.resolve(str(root))).transaction("system") as db:
        db.table(table).insert(doc)


def test_the_strip_tells_state_money_and_age_and_hides_the_number(open_page: Open, tmp_path: Path) -> None:
    write(tmp_path, "broker", told())
    said = text_of(open_page(tmp_path))
    for words in ("Interactive Brokers ready", "•••4567", "paper money", "$101,234.50", "$50,000.25"):
        assert words in said, words
    assert "DU1234567" not in said


def test_without_an_account_there_is_no_strip(open_page: Open, tmp_path: Path) -> None:
    assert "Interactive Brokers" not in text_of(open_page(tmp_path))


def test_trouble_is_told_with_its_cure_and_unknown_figures_are_dashes() -> None:
    lost = told(
        state="refused", ready=False, detail="Read-Only; clear it.", net_liquidation=None, currency=None, cash_usd=None
    )
    pills = " ".join(account_strip.pills(lost, 5.0, "A broker"))
    assert "lt-down" in pills and "net liquidation –" in pills
    assert account_strip.notes(lost, True) == ["Read-Only; clear it."]
    assert any("does not run" in note for note in account_strip.notes(told(), False))


def test_real_money_is_written_large_and_another_currency_is_named() -> None:
    pills = " ".join(account_strip.pills(told(mode="live", account="U7654321", currency="EUR"), 300.0, "A broker"))
    assert "REAL MONEY" in pills and "101,234.50 EUR" in pills and "5 min" in pills and "lt-warn" in pills


@pytest.fixture
def differing(traded: Path, tmp_path: Path) -> Path:
    """An agent of an account whose book and broker differ."""
    root = copy_of(traded, tmp_path / "home")
    path = root / "agents" / AGENT / "state.json"
    path.write_text(
        path.read_text().replace('"mode":"replay"', '"mode":"ibkr"').replace('"mode": "replay"', '"mode": "ibkr"')
    )
    write(root, "reconciliation", SIDES)
    return root


def test_both_sides_of_a_difference_are_shown_with_two_ways_to_resolve_it(open_page: Open, differing: Path) -> None:
    at = open_page(differing)
    said = text_of(at)
    for words in ("Book and broker differ", "10 shares", "7 shares", "2 shares", "3 NVDA are missing"):
        assert words in said, words
    assert {"Adopt …", "Ignore as mine …"} <= set(labels(at))


@pytest.mark.parametrize(("button", "words"), [("adopt", "sets the book to 7"), ("ignore", "book stays at 10")])
def test_resolving_asks_first_and_names_what_it_does(open_page: Open, differing: Path, button: str, words: str) -> None:
    at = open_page(differing)
    at.button(f"{button}_{AGENT}").click().run()
    assert words in text_of(at)
    at.button(f"danger_{button}").click().run()
    assert any("No scheduler is running" in str(error.value) for error in at.error)


CASH = {
    "account": "DU1234567",
    "session": "2024-06-04",
    "cash": 9_418.40,
    "explained": 9_795.70,
    "unexplained": -377.30,
    "unmanaged": 90_000.0,
    "received": 0.0,
    "due": [{"agent_id": AGENT, "session": "2024-06-03", "amount": 25.0}],
    "lines": {},
    "agents": [AGENT],
    "text": "the account has 9,418.40 USD in cash and 9,795.70 are explained: -377.30 are not",
    "at": "",
}


@pytest.fixture
def unexplained(differing: Path) -> Path:
    """The same agent, with fills that are booked by estimates and cash that does not bear them out."""
    path = differing / "agents" / AGENT / "state.json"
    path.write_text(
        re.sub(
            r'"estimates": ?0', '"estimates":1', re.sub(r'"account": ?null', '"account":"DU1234567"', path.read_text())
        )
    )
    write(differing, "cash", CASH)
    return differing


def test_cash_that_is_not_explained_shows_both_sides_and_what_is_an_estimate(
    open_page: Open, unexplained: Path
) -> None:
    at = open_page(unexplained)
    said = text_of(at)
    for words in ("cash is not explained", "$9,418.40", "$9,795.70", "$377.30", "$25.00", "buys nothing", "(estimate)"):
        assert words in said, words
    assert "DU1234567" not in said and "It is mine …" in labels(at)


def test_confirming_cash_asks_first_and_names_the_amount(open_page: Open, unexplained: Path) -> None:
    at = open_page(unexplained)
    at.button(f"confirm_cash_{AGENT}").click().run()
    assert "377.30" in text_of(at) and "exactly this amount" in text_of(at)
    at.button("danger_confirm_cash").click().run()
    assert any("No scheduler is running" in str(error.value) for error in at.error)


def test_the_body_that_confirms_cash_holds_an_amount_or_nothing() -> None:
    assert payloads.confirm_cash({"request_id": "12345678"}) == ("12345678", None)
    assert payloads.confirm_cash({"difference": -377.3})[1] == -377.3
    for body in ({"difference": "x"}, {"difference": True}, {"amount": 1}):
        with pytest.raises(BadInput):
            payloads.confirm_cash(body)


def test_an_agent_in_agreement_has_no_box(open_page: Open, traded: Path) -> None:
    assert "Adopt …" not in labels(open_page(traded))


def test_an_order_says_how_long_it_is_in_force() -> None:
    orders = [{"key": str(i), "tif": tif} for i, tif in enumerate(("OPG", "DAY", "GTC"))]
    shown = records.frame_of(orders, records.ORDERS)
    assert list(shown["In force"]) == ["GTC: until cancelled", "DAY: regular hours", "OPG: at the open"]


def test_an_agent_shows_account_late_entries_and_who_priced_its_last_bar() -> None:
    facts = {
        f.label: f
        for f in agent_facts.facts(
            agent(account="DU1234567", late_entry="day", bars_source="yahoo", source="ibkr"), {"fills": []}
        )
    }
    assert facts["Bars"].value == "ibkr" and "yahoo" in facts["Bars"].sub
    assert facts["Account"].value == "•••4567" and "DAY" in facts["Account"].sub


# -- deploying ----------------------------------------------------------


Form = Callable[..., AppTest]


@pytest.fixture
def form(open_page: Open, own: Path) -> Form:
    """The deploy form of a model with this test, in mode ibkr."""

    def run(test: dict[str, Any], **chosen: Any) -> AppTest:
        settings.save_all(Home.resolve(str(own)), {"ibkr_port": 4002, **chosen})
        path = own / "models" / model_of(own) / "card.json"
        card = json.loads(path.read_text())
        card["metrics"]["test"] |= test
        path.write_text(json.dumps(card))
        at = open_page(own, "training")
        mode = next(radio for radio in at.radio if radio.label == "Mode")
        mode.set_value("ibkr").run()
        assert not at.exception, at.exception
        return at

    return run


GOOD = {"sharpe_ratio": 1.8, "sharpe_se": 0.5, "sessions": 600, "num_trades": 30}


LIVE = {"ibkr_port": 4001, "ibkr_mode": "live", "ibkr_account": "U7654321"}


def test_a_test_that_is_too_weak_or_short_leaves_no_button_for_real_money(form: Form) -> None:
    at = form({"sharpe_ratio": 1.2, "sharpe_se": 0.5, "sessions": 300, "num_trades": 30}, **LIVE)
    said = text_of(at)
    assert "does not open an Interactive Brokers account with real money" in said
    assert "beats" not in said and "chance that always-long is as good" in said
    assert "Deploy to Live Trading" not in labels(at)


def test_a_weak_test_deploys_to_the_paper_account_after_a_warning_that_lists_the_gate(form: Form) -> None:
    at = form({"sharpe_ratio": 1.2, "sharpe_se": 0.5, "sessions": 300, "num_trades": 30})
    said = text_of(at)
    assert "Sharpe Ratio too low (1.20)" in said and "The gate to real money: closed" in expanders(at)
    assert "Deploy to Live Trading" not in labels(at)
    next(box for box in at.checkbox if "practice" in box.label).check().run()
    assert "Deploy to Live Trading" in labels(at)


def test_a_good_test_deploys_to_the_paper_account_with_its_late_entries(form: Form) -> None:
    at = form(GOOD)
    assert "Deploy to Live Trading" in labels(at)
    assert "1.80 ± 0.50" in text_of(at)
    assert any("missed the open" in radio.label for radio in at.radio)
    assert next(t for t in at.text_input if t.label == "Bars").value == "ibkr"


def test_real_money_needs_an_open_gate_and_the_accounts_number_typed(form: Form, own: Path) -> None:
    opened_gate(Home.resolve(str(own)), model_of(own))
    at = form({}, **LIVE)
    assert any("REAL MONEY" in option for radio in at.radio for option in radio.options)
    assert "U7654321" not in text_of(at) and "The gate to real money: open" in expanders(at)
    typed = next(t for t in at.text_input if "real money" in t.label)
    assert "Deploy to Live Trading" not in labels(at)
    typed.set_value("U1111111").run()
    assert "Deploy to Live Trading" not in labels(at)
    next(t for t in at.text_input if "real money" in t.label).set_value("U7654321").run()
    assert "Deploy to Live Trading" in labels(at)


def test_looks_at_the_test_that_were_too_many_close_the_gate_on_the_page(form: Form, own: Path) -> None:
    home = Home.resolve(str(own))
    opened_gate(home, model_of(own))
    store, card = Store(home), Registry(home).card(model_of(own))
    content = content_of_frame(Registry(home).bars(card.model_id), card)
    Openings(store).record("study", "OTHER", content, now=datetime.now(UTC), tries=9_000_000)
    said = text_of(form({}, **LIVE))
    assert "for 9000001 tries" in said and "does not open" in said


def expanders(at: AppTest) -> str:
    return " ".join(box.label for box in at.expander)


def test_a_rest_deployment_carries_confirmation_and_late_entries() -> None:
    body = {"model_id": "PPO_NVDA_v20240101_000000", "mode": "ibkr", "confirm": "U7654321", "late_entry": "day"}
    options = payloads.new_agent(body).options
    assert (options["mode"], options["confirm"], options["late-entry"]) == ("ibkr", "U7654321", "day")
    with pytest.raises(BadInput, match="late_entry"):
        payloads.new_agent(body | {"late_entry": "never"})


def test_an_old_word_of_the_broker_is_warned_of() -> None:
    old = told(at=stamp(datetime.now(UTC) - timedelta(minutes=10)))
    age = account_strip.age_of(old)
    assert age is not None and age >= 600
    assert "10 min" in " ".join(account_strip.pills(old, age, "A broker"))


def test_a_connection_that_lacks_an_answer_or_a_figure_says_what_waits() -> None:
    lacking = told(state="degraded", missing=["executions"], detail="It has not answered the question for executions.")
    assert account_strip.notes(lacking, True) == ["It has not answered the question for executions."]
    assert "lt-warn" in account_strip.pills(lacking, 5.0, "A broker")[0]
    absent = told(net_liquidation=None, missing=[], absent=["NetLiquidation of DU1234567 is 'n/a'"])
    assert account_strip.notes(absent, True) == ["NetLiquidation of DU1234567 is 'n/a'; entries wait."]

"""The Settings page: what is stored, what is refused, what the environment decides."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from livetrading.adapters import settings
from livetrading.adapters.home import Home
from livetrading.dashboard.components.settings import connection_test

from .conftest import ROOT

Open = Callable[[Path], AppTest]


@pytest.fixture
def open_settings(monkeypatch: pytest.MonkeyPatch) -> Open:
    def run(root: Path) -> AppTest:
        monkeypatch.setenv("LIVETRADING_HOME", str(root))
        at = AppTest.from_file(str(ROOT / "livetrading" / "dashboard" / "main.py"), default_timeout=180).run()
        at.switch_page(str(ROOT / "pages" / "settings.py")).run()
        assert not at.exception, at.exception
        return at

    return run


def save(at: AppTest) -> None:
    at.button("settings_save").click().run()
    assert not at.exception, at.exception


def stored(root: Path) -> settings.Settings:
    return settings.load(Home.resolve(str(root)), {})


def test_what_is_entered_is_stored_and_no_more(open_settings: Open, tmp_path: Path) -> None:
    at = open_settings(tmp_path)
    assert at.number_input("set_ibkr_port").value == 7497 and at.radio("set_ibkr_mode").value == "paper"
    at.text_input("set_ibkr_host").set_value("gateway")
    at.number_input("set_ibkr_port").set_value(4002)
    at.number_input("set_max_capital").set_value(25_000)
    at.selectbox("set_ibkr_timezone").set_value("Europe/Berlin")
    save(at)
    assert (tmp_path / "settings.toml").read_text().splitlines() == [
        'ibkr_host = "gateway"',
        "ibkr_port = 4002",
        'ibkr_timezone = "Europe/Berlin"',
        "max_capital = 25000",
    ]


def test_what_is_refused_is_one_sentence_and_stores_nothing(open_settings: Open, tmp_path: Path) -> None:
    at = open_settings(tmp_path)
    at.text_input("set_ibkr_restart").set_value("25:00")
    at.number_input("set_ibkr_port").set_value(4002)
    save(at)
    assert any("ibkr_restart is '25:00'" in str(error.value) for error in at.error)
    assert not (tmp_path / "settings.toml").exists()


def test_mode_and_port_that_disagree_are_said_so(open_settings: Open, tmp_path: Path) -> None:
    at = open_settings(tmp_path)
    at.number_input("set_ibkr_port").set_value(7496)
    save(at)
    assert any("live port" in str(w.value) and "nothing is sent" in str(w.value) for w in at.warning)


def test_what_the_environment_decides_is_shown_and_cannot_be_edited(
    open_settings: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVETRADING_IBKR_PORT", "4002")
    at = open_settings(tmp_path)
    port = at.number_input("set_ibkr_port")
    assert (port.value, port.disabled, port.label) == (4002, True, "Port (environment)")
    assert "LIVETRADING_IBKR_PORT" in port.help
    at.number_input("set_max_orders_a_day").set_value(7)
    save(at)
    assert stored(tmp_path) == settings.Settings(max_orders_a_day=7)


def test_a_file_that_cannot_be_read_is_named(open_settings: Open, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("ibkr_prot = 1\n")
    assert any("ibkr_prot" in str(error.value) for error in open_settings(tmp_path).error)


def test_a_check_reads_as_verdict_finding_and_cure() -> None:
    name, verdict, found = connection_test.row(
        {"name": "broker bars", "ok": True, "detail": "none of SPY: 354", "cure": "subscribe"}
    )
    assert (name, verdict, found) == ("Bars", ("note", "lt-warn"), ("None of SPY: 354. Subscribe.", "wide"))
    assert connection_test.row({"name": "broker", "ok": False, "detail": "no", "cure": "start TWS"})[1][0] == "failed"
    assert connection_test.row({"name": "broker clock", "ok": True, "detail": "fine", "cure": ""})[2][0] == "Fine."

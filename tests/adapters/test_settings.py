from pathlib import Path

import pytest

from livetrading.adapters.home import Home
from livetrading.adapters.settings import Settings, load, overridden, save, save_all
from livetrading.core.errors import BadInput


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def write(home: Home, text: str) -> None:
    (home.root / "settings.toml").write_text(text)


def read(home: Home) -> str:
    return (home.root / "settings.toml").read_text()


def test_without_a_file_the_defaults_hold_and_paper_is_the_default_port(home: Home) -> None:
    settings = load(home, {})
    assert settings == Settings()
    assert (settings.address, settings.port, settings.ibkr_port) == ("127.0.0.1", 8501, 7497)


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(home: Home) -> None:
    write(home, 'port = 9000\nibkr_host = "10.0.0.1"\nallowed_hosts = ["a.example", "b.example"]\n')
    environ = {"LIVETRADING_IBKR_HOST": "gateway", "LIVETRADING_IBKR_CLIENT_ID": "5", "LIVETRADING_HOME": "x"}
    settings = load(home, environ)
    assert (settings.port, settings.ibkr_host, settings.ibkr_client_id) == (9000, "gateway", 5)
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert load(home, {"LIVETRADING_ALLOWED_HOSTS": "one, two"}).allowed_hosts == ("one", "two")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ibkr_prot = 7496", "ibkr_prot"),
        ("[ibkr]\nport = 7496", "ibkr"),
        ("port = 0", "port"),
        ('port = "8501"', "port"),
        ("port = true", "port"),
        ("port = 8501.0", "port"),
        ("check_delay_minutes = 14", "check_delay_minutes"),
        ("check_delay_minutes = 901", "check_delay_minutes"),
        ('address = ""', "address"),
        ('address = "a b"', "address"),
        ('allowed_hosts = "localhost"', "allowed_hosts"),
        ("allowed_hosts = []", "allowed_hosts"),
        ("allowed_hosts = [1]", "allowed_hosts"),
        ("ibkr_client_id = 0", "ibkr_client_id"),
        ('ibkr_mode = "real"', "ibkr_mode"),
        ('ibkr_restart = "24:00"', "ibkr_restart"),
        ('ibkr_restart = "9:30"', "ibkr_restart"),
        ("ibkr_restart = 23:45:00", "ibkr_restart"),
        ('ibkr_timezone = "New York"', "ibkr_timezone"),
        ('ibkr_timezone = "America"', "ibkr_timezone"),
        ('ibkr_timezone = "../../etc/passwd"', "ibkr_timezone"),
        ("ibkr_timezone = 5", "ibkr_timezone"),
        ('ibkr_paper_open = "open"', "ibkr_paper_open"),
        ("max_capital = -1", "max_capital"),
        ("max_capital = 10000.5", "max_capital"),
        ("max_day_loss_pct = 0", "max_day_loss_pct"),
        ("max_day_loss_pct = 101", "max_day_loss_pct"),
        ("max_orders_a_day = 0", "max_orders_a_day"),
        ("max_order_notional = -5", "max_order_notional"),
        ('ibkr_account = "DU 1"', "ibkr_account"),
        ("port = ", "settings.toml"),
        ("port = 1\nport = 2", "settings.toml"),
    ],
)
def test_an_unknown_key_or_a_bad_value_is_named(home: Home, text: str, named: str) -> None:
    write(home, text)
    with pytest.raises(BadInput, match=named):
        load(home, {})


def test_a_bad_variable_is_named(home: Home) -> None:
    with pytest.raises(BadInput, match="LIVETRADING_IBKR_PORT is 'paper'"):
        load(home, {"LIVETRADING_IBKR_PORT": "paper"})


def test_a_file_that_is_not_text_is_named(home: Home) -> None:
    (home.root / "settings.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="is not valid TOML"):
        load(home, {})


def test_storing_one_setting_keeps_the_others_and_the_comments(home: Home) -> None:
    write(home, "# mine\nport = 9000  # not 8501\ncheck_delay_minutes = 30")
    assert save(home, "check_delay_minutes", 45).check_delay_minutes == 45
    assert read(home) == "# mine\nport = 9000  # not 8501\ncheck_delay_minutes = 45"
    save(home, "ibkr_account", "DU123")
    assert read(home).endswith('= 45\nibkr_account = "DU123"\n')
    assert load(home, {}) == Settings(port=9000, check_delay_minutes=45, ibkr_account="DU123")


def test_storing_the_first_setting_makes_the_file(home: Home) -> None:
    save(home, "allowed_hosts", ("a.example", "b.example"))
    assert load(home, {}).allowed_hosts == ("a.example", "b.example")


def test_a_value_over_several_lines_is_replaced_whole(home: Home) -> None:
    write(home, 'allowed_hosts = [\n  "a.example",\n]\nport = 9000\n')
    save(home, "allowed_hosts", ("b.example",))
    assert load(home, {}) == Settings(port=9000, allowed_hosts=("b.example",))


def test_what_the_environment_says_is_not_written_to_the_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVETRADING_PORT", "9999")
    save(home, "check_delay_minutes", 20)
    assert load(home, {}).port == 8501
    assert load(home).port == 9999


@pytest.mark.parametrize(("key", "value"), [("check_delay_minutes", 5), ("colour", "red"), ("port", "8501")])
def test_a_setting_that_is_refused_changes_nothing(home: Home, key: str, value: str | int) -> None:
    write(home, "port = 9000\n")
    with pytest.raises(BadInput, match=key):
        save(home, key, value)
    assert read(home) == "port = 9000\n"


def test_paper_is_the_default_mode_and_the_account_has_limits(home: Home) -> None:
    settings = load(home, {})
    assert (settings.ibkr_mode, settings.ibkr_paper_open, settings.ibkr_restart) == ("paper", "day", "23:45")
    assert (settings.max_day_loss_pct, settings.max_orders_a_day) == (5, 50)


def test_a_restart_may_be_none_and_a_zone_this_computers_or_a_known_one(home: Home) -> None:
    write(home, 'ibkr_restart = ""\nibkr_timezone = "Europe/Berlin"\n')
    assert (load(home, {}).ibkr_restart, load(home, {}).ibkr_timezone) == ("", "Europe/Berlin")
    assert load(home, {"LIVETRADING_IBKR_TIMEZONE": "", "LIVETRADING_IBKR_RESTART": "01:15"}).ibkr_restart == "01:15"


def test_several_settings_are_stored_at_once_or_not_at_all(home: Home) -> None:
    write(home, "# mine\nport = 9000\n")
    with pytest.raises(BadInput, match="max_capital"):
        save_all(home, {"ibkr_port": 4002, "max_capital": -1})
    assert read(home) == "# mine\nport = 9000\n"
    save_all(home, {"ibkr_port": 4002, "max_capital": 5000, "port": 9001})
    assert read(home) == "# mine\nport = 9001\nibkr_port = 4002\nmax_capital = 5000\n"


def test_what_the_environment_decides_is_named() -> None:
    environ = {"LIVETRADING_IBKR_PORT": "4002", "LIVETRADING_HOME": "x", "PATH": "y"}
    assert overridden(environ) == {"ibkr_port": "4002"}


@pytest.mark.parametrize("host", ["tws..local", ".tws", "x" * 64 + ".local", "tws..", "a" * 300])
def test_a_host_that_cannot_be_a_computers_name_is_refused(host: str) -> None:
    with pytest.raises(BadInput, match="ibkr_host"):
        Settings(ibkr_host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "tws.local", "tws.local.", "my_host-1", "localhost"])
def test_hosts_that_can_be_are_taken(host: str) -> None:
    assert Settings(ibkr_host=host).ibkr_host == host

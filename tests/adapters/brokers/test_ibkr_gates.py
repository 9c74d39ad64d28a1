"""Mode, port, account and typed number agree, or nothing is sent."""

from datetime import UTC, date, datetime, time

import pytest

from livetrading.adapters.brokers.ibkr import account_gates as gates
from livetrading.adapters.brokers.ibkr.account_gates import Gate
from livetrading.core.errors import Refused

PAPER, REAL = "DU1234567", "U7654321"


@pytest.mark.parametrize("port", [7497, 4002, 5555])
def test_paper_needs_no_typed_number(port):
    assert gates.check_account(Gate("paper", port, 17), [PAPER]) == PAPER
    assert gates.check_account(Gate("paper", port, 17, PAPER), [REAL, PAPER]) == PAPER


@pytest.mark.parametrize("port", [7496, 4001])
def test_real_money_passes_when_all_four_agree(port):
    assert gates.check_account(Gate("live", port, 17, REAL, REAL), [REAL]) == REAL


@pytest.mark.parametrize(
    ("gate", "managed", "words"),
    [
        (Gate("paper", 7496, 17, PAPER), [PAPER], "live port"),
        (Gate("paper", 4001, 17), [PAPER], "4002"),
        (Gate("paper", 7497, 17, REAL), [REAL], "not a paper account"),
        (Gate("paper", 7497, 17), [REAL], "log in to the paper account"),
        (Gate("paper", 7497, 17), [PAPER, "DU2"], "several accounts"),
        (Gate("paper", 7497, 17, PAPER), ["DU2"], "logged in to DU2"),
        (Gate("live", 7497, 17, REAL, REAL), [REAL], "paper port"),
        (Gate("live", 5555, 17, REAL, REAL), [REAL], "no known live port"),
        (Gate("live", 7496, 17, "", ""), [REAL], "no account is configured"),
        (Gate("live", 7496, 17, PAPER, PAPER), [PAPER], "set ibkr_mode to paper"),
        (Gate("live", 7496, 17, REAL, ""), [REAL], f"--confirm {REAL}"),
        (Gate("live", 7496, 17, REAL, "U1"), [REAL], "U1 was typed"),
        (Gate("live", 7496, 17, REAL, REAL), ["U1"], "logged in to U1"),
        (Gate("demo", 7497, 17, PAPER), [PAPER], "paper or live"),
    ],
)
def test_any_disagreement_is_refused_with_its_cure(gate, managed, words):
    with pytest.raises(Refused, match=words):
        gates.check_account(gate, managed)


def test_an_agent_stays_with_the_account_it_was_deployed_to():
    live = Gate("live", 7496, 17, REAL, REAL)
    gates.check_agent(live, REAL, REAL, REAL)
    with pytest.raises(Refused, match="deployed to account U1"):
        gates.check_agent(live, REAL, "U1", "U1")
    with pytest.raises(Refused, match="no typed confirmation"):
        gates.check_agent(live, REAL, REAL, "")


def test_read_only_and_a_taken_client_id_name_the_cure():
    assert "clear Read-Only API" in gates.read_only(321, "The API interface is currently in Read-Only mode.")
    assert gates.read_only(321, "Invalid account") is None
    assert gates.read_only(201, "Read-Only") is None
    assert "ibkr_client_id" in gates.client_id_taken(17)


@pytest.mark.parametrize(
    ("clock", "near"),
    [("23:39", False), ("23:40", True), ("23:45", True), ("23:55", True), ("23:56", False), ("00:10", False)],
)
def test_nothing_is_sent_near_the_gateways_restart(clock, near):
    hour, minute = map(int, clock.split(":"))
    now = datetime(2024, 6, 3, hour, minute, tzinfo=gates.NEW_YORK)
    assert gates.near_restart(now, time(23, 45), "America/New_York") is near
    assert not gates.near_restart(now, None, "")


def test_a_restart_at_midnight_is_near_on_both_sides():
    for at in (datetime(2024, 6, 3, 23, 57, tzinfo=UTC), datetime(2024, 6, 4, 0, 8, tzinfo=UTC)):
        assert gates.near_restart(at, time(0, 0), "UTC")


@pytest.mark.parametrize(
    ("at", "zone", "disturbs"),
    [
        (time(23, 45), "America/New_York", False),
        (time(9, 25), "America/New_York", True),
        (time(4, 0), "America/New_York", True),
        (time(3, 40), "America/New_York", False),
        (time(16, 11), "America/New_York", False),
        (time(23, 45), "Asia/Tokyo", True),  # 10:45 in New York
        (time(23, 45), "Europe/Berlin", False),  # 17:45 in New York
        (time(12, 0), "Europe/Berlin", True),
    ],
)
def test_doctor_can_tell_a_restart_inside_the_trading_day(at, zone, disturbs):
    assert gates.restart_disturbs(at, zone, date(2024, 6, 3)) is disturbs

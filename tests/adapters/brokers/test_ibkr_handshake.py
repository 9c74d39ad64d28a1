"""Who listens at TWS's port: each kind is told apart, in time, with the cure that fits it."""

import time

import pytest

from livetrading.adapters.brokers.ibkr.handshake import Answer, explain, shake
from tests.doubles import listeners
from tests.doubles.tws import TwsDouble

WEB = "correct ibkr_port"
TRUSTED = "add 127.0.0.1 to Trusted IPs"
DIALOG = "confirm its dialog"


@pytest.mark.parametrize(
    ("act", "answer", "cure"),
    [
        (listeners.silent, Answer.SILENT, DIALOG),
        (listeners.closing, Answer.CLOSED, TRUSTED),
        (listeners.resetting, Answer.CLOSED, TRUSTED),
        (listeners.closing_after_the_greeting, Answer.CLOSED, TRUSTED),
        (listeners.saying(b"SSH-2.0-OpenSSH_9.6\r\n"), Answer.OTHER, WEB),
        (listeners.saying(b"\xff\xff\xff\xff123"), Answer.OTHER, WEB),
        (listeners.saying(b"\0\0\0\0"), Answer.OTHER, WEB),
        (listeners.saying(b"\0\0\0\x63half"), Answer.OTHER, WEB),
        (listeners.saying(b"ab"), Answer.OTHER, WEB),
        (listeners.saying(listeners.message("hello", "world")), Answer.OTHER, WEB),
        (listeners.saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Answer.HTTP, WEB),
        (listeners.saying(b"\x15\x03\x01\0\x02\x02\x46"), Answer.TLS, WEB),
        (listeners.encrypted, Answer.TLS, WEB),
        (listeners.saying(b"76\x0020180307 16:05:05 EET\0"), Answer.OLD, "update TWS"),
        (listeners.greeting(151), Answer.OLD, "update TWS"),
        (listeners.greeting(203), Answer.NEW, "earlier release"),
        (listeners.saying(b"\0\0\0\x08\0\0\0\xcc\x08\x01\x10\x02"), Answer.NEW, "earlier release"),
        (
            listeners.complaining(503, "The TWS is out of date and must be upgraded."),
            Answer.COMPLAINT,
            "do what TWS says",
        ),
        (listeners.greeting(176), Answer.NO_ACCOUNTS, DIALOG),
        (listeners.greeting(176, listeners.closing), Answer.CLOSED_LATER, TRUSTED),
        (
            listeners.greeting(176, lambda line: line.sendall(listeners.message(4, 2, -1, 504, "Not connected"))),
            Answer.COMPLAINT,
            "do what TWS says",
        ),
    ],
)
def test_each_kind_of_listener_has_its_sentence_and_its_cure(act: listeners.Act, answer: Answer, cure: str) -> None:
    with listeners.listening(act) as port:
        before = time.monotonic()
        found = shake("127.0.0.1", port, 24, 0.2)
        assert time.monotonic() - before < 5
    assert found.answer == answer and not found.ok, found
    detail, told = explain(found, f"127.0.0.1:{port}")
    assert cure in told and "\n" not in detail
    assert not found.version or (
        (str(found.version) in detail and "157 to 178" in detail) or answer not in (Answer.OLD, Answer.NEW)
    )


def test_a_web_server_that_waits_for_the_end_of_a_request_is_told() -> None:
    with listeners.web() as port:
        assert shake("127.0.0.1", port, 24, 0.2).answer == Answer.HTTP


@pytest.mark.parametrize("version", [157, 178])
def test_a_tws_is_greeted_its_version_is_known_and_nothing_is_ordered(version: int) -> None:
    with TwsDouble(version) as tws:
        found = shake("127.0.0.1", tws.port, 24)
        assert (found.ok, found.version, found.accounts) == (True, version, ("DU1234567",))
        assert [h.id for h in tws.received] == [71] and tws.received[0].client_id in (-1, 24)


@pytest.mark.parametrize("host", ["tws..local", "no-such-host.invalid", "x" * 300])
def test_a_name_that_is_no_address_is_nothing_that_listens(host: str) -> None:
    assert shake(host, 7497, 24, 0.1).answer == Answer.NOTHING_LISTENS

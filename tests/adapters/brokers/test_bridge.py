"""The HTTP bridge: for paper accounts alone, and never the same order twice."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livetrading.adapters.brokers.bridge.broker import UNKNOWN, InterReactBridgeAdapter
from livetrading.core.errors import BadInput, LivetradingError, Refused, Unavailable
from tests.doubles.ibkr import NOW, entry, stop


class BridgeDouble:
    """Answers as the public copies do; ``orders`` are the bodies posted to /place-order."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.answers: dict[str, Any] = {
            "/health": {"status": "ok"},
            "/connection-status": {"connected": True, "port": 7497},
            "/accounts": ["DU1234567"],
            "/account": {
                "value": [
                    {"tag": "NetLiquidation", "value": "5506.37", "currency": "USD"},
                    {"tag": "TotalCashValue", "value": "500.0", "currency": "USD"},
                    {"tag": "AccountType", "value": "INDIVIDUAL", "currency": ""},
                ]
            },
            "/portfolio": {"value": [{"symbol": "TSLA", "averageCost": 217.53, "position": 10}]},
            "/historical": {
                "bars": [{"Date": "20240603", "Open": 1, "High": 2, "Low": 0.5, "Close": 1.5, "Volume": 9}]
            },
            "/place-order": {"success": True, "orderId": 5},
        }
        self.status = 200
        self.lose_answer = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(double: BridgeDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, double.answers.get(self.path.partition("?")[0]))

        def do_POST(self) -> None:
            double.orders.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if double.lose_answer:
                return self.connection.close()
            return self.answer(double.status, double.answers[self.path])

        def answer(self, status: int, body: Any) -> None:
            data = (
                body if isinstance(body, bytes) else (json.dumps(body) if not isinstance(body, str) else body).encode()
            )
            self.send_response(status if body is not None else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


@pytest.fixture
def double() -> Iterator[BridgeDouble]:
    bridge = BridgeDouble()
    yield bridge
    bridge.close()


@pytest.fixture
def bridge(double: BridgeDouble) -> InterReactBridgeAdapter:
    return InterReactBridgeAdapter("127.0.0.1", double.port, timeout=30)


def test_it_knows_the_specifications_address_by_default():
    assert InterReactBridgeAdapter().url == "http://localhost:5080"
    assert InterReactBridgeAdapter(host="localhost", port=5080).url == "http://localhost:5080"


def test_an_order_on_a_paper_account_is_sent_once(bridge, double):
    assert bridge.place_order("aapl", "buy", 10, "mkt") == {"success": True, "error": None}
    assert double.orders == [{"symbol": "AAPL", "action": "BUY", "quantity": 10, "orderType": "MKT"}]
    assert bridge.place_order("AAPL", "SELL", 10, "STP", stop_price=90.5)["success"]
    assert double.orders[1]["stopPrice"] == 90.5


@pytest.mark.parametrize("accounts", [["U7654321"], ["DU1234567", "U7654321"], [], [{"account": "U7654321"}]])
def test_a_real_or_unnamed_account_gets_no_order_and_the_reason(bridge, double, accounts):
    double.answers["/accounts"] = accounts
    answer = bridge.place_order("AAPL", "BUY", 10, "MKT")
    assert answer["success"] is False and "no reference and no stop" in answer["error"] and not double.orders


@pytest.mark.parametrize(
    ("order", "word"),
    [
        (("AAPL", "HOLD", 10, "MKT"), "BUY or SELL"),
        (("AAPL", "BUY", 0, "MKT"), "whole shares"),
        (("AAPL", "BUY", 1.5, "MKT"), "whole shares"),
        (("AAPL", "BUY", 1, "OPG"), "MKT, LMT, STP"),
        (("AAPL", "BUY", 1, "STP"), "needs its price"),
    ],
)
def test_an_order_that_cannot_be_is_an_error_and_not_sent(bridge, double, order, word):
    answer = bridge.place_order(*order)
    assert (answer["success"], word in answer["error"], double.orders) == (False, True, [])


def test_a_lost_answer_says_that_the_outcome_is_unknown_and_nothing_is_repeated(bridge, double):
    double.lose_answer = True
    assert bridge.place_order("AAPL", "BUY", 10, "MKT") == {"success": False, "error": UNKNOWN}
    assert len(double.orders) == 1


@pytest.mark.parametrize(
    ("status", "body", "word"),
    [
        (200, {"success": False, "error": "Not connected"}, "Not connected"),
        (200, {"success": False, "message": "no"}, "no"),
        (400, {"error": "bad symbol"}, "bad symbol"),
        (200, {}, "did not say"),
        (500, {"detail": "crash"}, "not known"),
    ],
)
def test_only_a_clear_yes_counts_as_success(bridge, double, status, body, word):
    double.status, double.answers["/place-order"] = status, body
    answer = bridge.place_order("AAPL", "BUY", 10, "MKT")
    assert answer["success"] is False and word in answer["error"] and len(double.orders) == 1


def test_account_portfolio_bars_and_health_are_read_in_either_form(bridge, double):
    assert bridge.health() and bridge.connection_status()["connected"]
    figures = bridge.account()
    assert (figures.number, figures.net_liquidation, figures.cash_usd) == ("DU1234567", 5506.37, 500.0)
    assert bridge.portfolio() == {"TSLA": 10} and bridge.position("TSLA") == 10 and bridge.position("X") == 0
    assert bridge.historical("INTC")[0]["close"] == 1.5
    double.answers["/account"] = {
        "NetLiquidation": {"value": "7", "currency": "USD"},
        "TotalCashValue": {"value": "3", "currency": "USD"},
    }
    double.answers["/portfolio"] = [{"symbol": "TSLA", "average_cost": 1, "position": 4}]
    double.answers["/historical"] = [{"date": "20240603", "close": 2.5}]
    assert bridge.account().cash_usd == 3.0 and bridge.portfolio() == {"TSLA": 4}
    assert bridge.historical("INTC")[0]["close"] == 2.5


def test_what_its_routes_do_not_carry_is_refused_with_the_way_past(bridge, double):
    for call in (
        lambda: bridge.submit(entry(), stop(), NOW),
        lambda: bridge.cancel("k", NOW),
        lambda: bridge.find("k"),
        bridge.executions,
    ):
        with pytest.raises(Refused, match="mode ibkr, through TWS itself"):
            call()
    assert not double.orders


def test_a_bridge_that_is_not_there_is_unavailable(double):
    double.close()
    gone = InterReactBridgeAdapter("127.0.0.1", double.port, timeout=30)
    with pytest.raises(Unavailable, match="start it"):
        gone.account()
    assert gone.place_order("AAPL", "BUY", 1, "MKT")["success"] is False


def test_an_answer_that_is_no_json_is_unavailable(bridge, double):
    double.answers["/accounts"] = "<html>"
    with pytest.raises(Unavailable, match="not JSON"):
        bridge.accounts()


@pytest.mark.parametrize("symbol", ["", "IN TC;", "../x", "ABCDEFGHIJKL", None, 5, "IN\nTC"])
def test_a_symbol_that_is_no_ticker_is_not_posted(bridge, double, symbol):
    answer = bridge.place_order(symbol, "BUY", 10, "MKT")
    assert (answer["success"], "ticker symbol" in answer["error"], double.orders) == (False, True, [])
    with pytest.raises(BadInput, match="ticker symbol"):
        bridge.historical(symbol)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("quantity", [NAN, INF, -INF, "10", None, True, -1, 10**30, 1e300, 1.5])
def test_a_quantity_that_is_no_whole_number_of_shares_is_not_posted(bridge, double, quantity):
    answer = bridge.place_order("AAPL", "BUY", quantity, "MKT")
    assert (answer["success"], "whole shares" in answer["error"], double.orders) == (False, True, [])


@pytest.mark.parametrize("price", [NAN, INF, 0, -1.0, "90", True, 10**400])
def test_a_price_that_is_no_number_above_zero_is_not_posted(bridge, double, price):
    for kind in ({"limit_price": price}, {"stop_price": price}):
        answer = bridge.place_order("AAPL", "BUY", 10, "MKT", **kind)
        assert (answer["success"], "number above 0" in answer["error"], double.orders) == (False, True, [])


@pytest.mark.parametrize(("action", "kind"), [(None, "MKT"), (1, "MKT"), ("BUY", None), ("BUY", 7)])
def test_an_action_or_a_type_that_is_no_text_is_an_error_and_not_sent(bridge, double, action, kind):
    assert bridge.place_order("AAPL", action, 10, kind)["success"] is False and not double.orders


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        ("many", Unavailable, "not a number"),
        ("", Unavailable, "not a number"),
        (None, Unavailable, "not a number"),
        ("1e999", Unavailable, "not a number"),
        (True, Unavailable, "not a number"),
        (0.5, Refused, "whole shares"),
        ("2.25", Refused, "whole shares"),
    ],
)
def test_a_position_that_is_no_whole_number_is_refused_with_a_word_and_never_cut_off(bridge, double, told, kind, words):
    double.answers["/portfolio"] = [{"symbol": "TSLA", "position": told}]
    with pytest.raises(kind, match=words):
        bridge.portfolio()
    with pytest.raises(kind, match=words):
        bridge.position("TSLA")


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "7",
        '"x"',
        '{"value": {}}',
        "NaN",
        "Infinity",
        '[{"symbol": "A", "position": NaN}]',
        b"\xff\xfe",
        "[" * 100_000,
        "9" * 5_000,
        "[7]",
        "[null]",
        '[{"position": 1}]',
        '[{"symbol": ["A"], "position": 1}]',
    ],
)
def test_an_answer_of_another_shape_is_unavailable_and_never_an_empty_account(bridge, double, text):
    double.answers["/portfolio"] = double.answers["/accounts"] = double.answers["/account"] = text
    for ask in (bridge.portfolio, bridge.accounts, bridge.account):
        if (ask, text) != (bridge.accounts, '[{"position": 1}]'):
            with pytest.raises(Unavailable):
                ask()
    assert bridge.place_order("AAPL", "BUY", 1, "MKT")["success"] is False and not double.orders


def test_bars_with_a_price_that_is_none_are_unavailable(bridge, double):
    for price in (0, -1, "x", None, "Infinity"):
        double.answers["/historical"] = {"bars": [{"Date": "20240603", "Close": price}]}
        with pytest.raises(Unavailable, match="a bar's close"):
            bridge.historical("INTC")


def test_values_that_are_no_numbers_are_absent(bridge, double):
    for value in ("NaN", "n/a", "", "inf", None):
        double.answers["/account"] = {"NetLiquidation": value, "TotalCashValue": "1"}
        with pytest.raises(Unavailable, match="as numbers"):
            bridge.account()


def test_an_answer_that_does_not_end_is_given_up_in_time(double):
    """Each byte comes before the socket's own time-out, and the last one never."""

    def drip(handler: Any, status: int, body: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)

    double._server.RequestHandlerClass.answer = drip
    before = time.monotonic()
    with pytest.raises(Unavailable, match="did not end"):
        InterReactBridgeAdapter("127.0.0.1", double.port, timeout=0.3).portfolio()
    assert time.monotonic() - before < 3


@pytest.mark.parametrize("host", ["tws..local", "a b", "", "x" * 300])
def test_an_address_that_cannot_be_one_is_unavailable(host):
    with pytest.raises(Unavailable, match="does not answer"):
        InterReactBridgeAdapter(host, 5080, timeout=1).portfolio()


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["DU1234567", "NaN", "1e999", "7"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "value",
                    "symbol",
                    "position",
                    "tag",
                    "currency",
                    "account",
                    "bars",
                    "close",
                    "NetLiquidation",
                    "TotalCashValue",
                    "success",
                    "error",
                    "status",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=anything, raw=st.binary(max_size=20) | st.none(), status=st.sampled_from([200, 400, 500]))
def test_whatever_it_answers_nothing_but_an_error_of_ours_comes_out(bridge, double, answer, raw, status):
    for path in double.answers:
        double.answers[path] = json.dumps(answer) if raw is None else raw
    double.status = status
    for ask in (
        bridge.health,
        bridge.connection_status,
        bridge.accounts,
        bridge.account,
        bridge.portfolio,
        lambda: bridge.position("AAPL"),
        lambda: bridge.historical("AAPL"),
    ):
        try:
            ask()
        except LivetradingError as error:
            assert "\n" not in str(error)
    assert set(bridge.place_order("AAPL", "BUY", 1)) == {"success", "error"}
    double.answers["/accounts"] = ["DU1234567"]
    assert set(bridge.place_order("AAPL", "BUY", 1)) == {"success", "error"}

"""The HTTP bridge: for paper accounts alone, and never the same order twice."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from livetrading.adapters.brokers.bridge import UNKNOWN, InterReactBridgeAdapter
from livetrading.core.errors import Refused, Unavailable
from tests.doubles.ibkr import NOW, entry, stop


class BridgeDouble:
    """Answers as the public copies do; ``orders`` are the bodies posted to /place-order."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.answers: dict[str, Any] = {
            "/health": {"status": "ok"}, "/connection-status": {"connected": True, "port": 7497},
            "/accounts": ["DU1234567"],
            "/account": {"value": [{"tag": "NetLiquidation", "value": "5506.37", "currency": "USD"},
                                   {"tag": "TotalCashValue", "value": "500.0", "currency": "USD"},
                                   {"tag": "AccountType", "value": "INDIVIDUAL", "currency": ""}]},
            "/portfolio": {"value": [{"symbol": "TSLA", "averageCost": 217.53, "position": 10}]},
            "/historical": {"bars": [{"Date": "20240603", "Open": 1, "High": 2, "Low": 0.5, "Close": 1.5, "Volume": 9}]},
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
            data = (json.dumps(body) if not isinstance(body, str) else body).encode()
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


@pytest.mark.parametrize(("order", "word"), [
    (("AAPL", "HOLD", 10, "MKT"), "BUY or SELL"), (("AAPL", "BUY", 0, "MKT"), "whole shares"),
    (("AAPL", "BUY", 1.5, "MKT"), "whole shares"), (("AAPL", "BUY", 1, "OPG"), "MKT, LMT, STP"),
    (("AAPL", "BUY", 1, "STP"), "needs its price")])
def test_an_order_that_cannot_be_is_an_error_and_not_sent(bridge, double, order, word):
    answer = bridge.place_order(*order)
    assert (answer["success"], word in answer["error"], double.orders) == (False, True, [])


def test_a_lost_answer_says_that_the_outcome_is_unknown_and_nothing_is_repeated(bridge, double):
    double.lose_answer = True
    assert bridge.place_order("AAPL", "BUY", 10, "MKT") == {"success": False, "error": UNKNOWN}
    assert len(double.orders) == 1


@pytest.mark.parametrize(("status", "body", "word"), [
    (200, {"success": False, "error": "Not connected"}, "Not connected"), (200, {"success": False, "message": "no"}, "no"),
    (400, {"error": "bad symbol"}, "bad symbol"), (200, {}, "did not say"), (500, {"detail": "crash"}, "not known")])
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
    double.answers["/account"] = {"NetLiquidation": {"value": "7", "currency": "USD"}, "TotalCashValue": {"value": "3", "currency": "USD"}}
    double.answers["/portfolio"] = [{"symbol": "TSLA", "average_cost": 1, "position": 4}]
    double.answers["/historical"] = [{"date": "20240603", "close": 2.5}]
    assert bridge.account().cash_usd == 3.0 and bridge.portfolio() == {"TSLA": 4}
    assert bridge.historical("INTC")[0]["close"] == 2.5


def test_what_its_routes_do_not_carry_is_refused_with_the_way_past(bridge, double):
    for call in (lambda: bridge.submit(entry(), stop(), NOW), lambda: bridge.cancel("k", NOW),
                 lambda: bridge.find("k"), bridge.executions):
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
    with pytest.raises(Unavailable, match="no JSON"):
        bridge.accounts()

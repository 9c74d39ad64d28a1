"""The HTTP bridge that many already run (C#, InterReact) at http://localhost:5080.

Its routes carry no order reference, no time in force, no parent, no cancel and
no list of orders or executions. An order through it can neither be found again
after a lost answer nor be protected by a stop. It is therefore offered for
paper accounts alone; agents trade real money through TWS itself.

What its answers look like differs between the copies that are public: numbers
come as texts, lists come bare or under ``value``, names in either case.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from ...core.errors import BadInput, Refused, Unavailable
from .base import AccountFigures, BrokerOrder, Execution, Ticket
from .ibkr_gates import PAPER_PREFIX, is_paper

SECONDS = 10.0
ORDER_TYPES = ("MKT", "LMT", "STP")
UNKNOWN = "the bridge did not answer; whether the order arrived is not known: look in TWS before sending it again"
CANNOT = "The bridge carries no order reference and cannot {what}; deploy the agent in mode ibkr, through TWS itself."


class InterReactBridgeAdapter:
    """One bridge. Reading raises Unavailable; ``place_order`` answers, and never sends twice."""

    def __init__(self, host: str = "localhost", port: int = 5080, timeout: float = SECONDS) -> None:
        self.url, self._timeout = f"http://{host}:{port}", timeout

    # -- the specification's interface --------------------------------------

    def place_order(self, symbol: str, action: str, quantity: int, order_type: str = "MKT", *,
                    limit_price: float | None = None, stop_price: float | None = None) -> dict[str, Any]:
        """``{"success": bool, "error": str | None}``. A lost answer is an error that says so."""
        try:
            body = _order(symbol, action, quantity, order_type, limit_price, stop_price)
            self._paper_account()
        except (BadInput, Refused, Unavailable) as error:
            return {"success": False, "error": str(error)}
        try:
            answer = self._call("/place-order", body=body)
        except Refused as error:
            return {"success": False, "error": str(error)}
        except Unavailable:
            return {"success": False, "error": UNKNOWN}
        said = _lower(answer)
        if said.get("success") is True:
            return {"success": True, "error": None}
        why = said.get("error") or said.get("message") or "the bridge did not say that it succeeded"
        return {"success": False, "error": str(why)}

    def health(self) -> bool:
        """Whether the bridge answers and says ok."""
        return str(_lower(self._call("/health")).get("status", "")).lower() in ("ok", "healthy")

    def connection_status(self) -> dict[str, Any]:
        return _lower(self._call("/connection-status"))

    def accounts(self) -> list[str]:
        """Numbers of the accounts that TWS is logged in to."""
        found = _rows(self._call("/accounts"))
        named = [_lower(a) or {"account": a} for a in found]
        return [str(a.get("account") or a.get("id") or "") for a in named]

    def account(self) -> AccountFigures:
        """The value of the account, from tags in a list or in a mapping."""
        values = _tags(self._call("/account"))
        worth = values.get("netliquidation")
        cash = values.get("totalcashvalue", values.get("cashbalance"))
        if worth is None or cash is None:
            raise Unavailable("The bridge does not tell NetLiquidation and TotalCashValue; connect it to TWS first.")
        number = next(iter(self.accounts()), "")
        return AccountFigures(number, worth[0], worth[1], cash[0], datetime.now(UTC))

    def portfolio(self) -> dict[str, int]:
        """Shares by symbol."""
        rows = [_lower(row) for row in _rows(self._call("/portfolio"))]
        return {str(r["symbol"]): int(float(r.get("position", r.get("quantity", 0)))) for r in rows if r.get("symbol")}

    def historical(self, symbol: str, days: int = 7, bar_size: str = "1 day") -> list[dict[str, Any]]:
        """Bars as the bridge serves them, keys in lower case; split-adjusted like all of IB's."""
        query = {"symbol": symbol, "secType": "STK", "exchange": "SMART", "durationDays": days, "barSize": bar_size}
        answer = self._call("/historical", query)
        inner = _lower(answer).get("bars", answer) if isinstance(answer, Mapping) else answer
        return [_lower(row) for row in _rows(inner)]

    # -- the Broker protocol, as far as the routes carry it ---------------------

    def submit(self, ticket: Ticket, child: Ticket | None, now: datetime) -> BrokerOrder:
        """Refused: an order of an agent needs a key, a stop and market-on-open."""
        raise Refused(CANNOT.format(what="send an agent's order with its stop and find it again"))

    def cancel(self, ref: str, now: datetime) -> None:
        raise Refused(CANNOT.format(what="cancel an order"))

    def find(self, ref: str) -> BrokerOrder | None:
        raise Refused(CANNOT.format(what="look an order up"))

    def executions(self) -> list[Execution]:
        raise Refused(CANNOT.format(what="tell executions"))

    def reported(self) -> list[Execution]:
        return self.executions()

    def position(self, symbol: str = "") -> int:
        """Shares of the whole account."""
        return self.portfolio().get(symbol, 0)

    # -- inside -----------------------------------------------------------------

    def _paper_account(self) -> None:
        numbers = [a for a in self.accounts() if a]
        real = [a for a in numbers if not is_paper(a)]
        if real or not numbers:
            what = f"account {real[0]}" if real else "an account that the bridge does not name"
            raise Refused(f"The bridge is offered for paper accounts ({PAPER_PREFIX}…) alone and is connected to {what}:"
                          f" its orders carry no reference and no stop; trade real money in mode ibkr, through TWS"
                          f" itself.")

    def _call(self, path: str, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None) -> Any:
        """One request, never repeated. Refused when the bridge says no, Unavailable without an answer."""
        url = f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        request = Request(url, data, {"Content-Type": "application/json"} if data else {})
        try:
            with urlopen(request, timeout=self._timeout) as answer:
                return json.loads(answer.read() or b"{}")
        except HTTPError as error:
            text = error.read().decode(errors="replace")[:200]
            if error.code < 500:
                raise Refused(f"The bridge refused {path} with {error.code}: {text}") from error
            raise Unavailable(f"The bridge failed on {path} with {error.code}: {text}") from error
        except (URLError, HTTPException, OSError) as error:
            raise Unavailable(f"The bridge does not answer at {self.url} ({error}); start it and connect it to"
                              f" TWS.") from error
        except ValueError as error:
            raise Unavailable(f"The bridge's answer to {path} is no JSON ({error}); check that {self.url} is the"
                              f" bridge.") from error


def _order(
    symbol: str, action: str, quantity: int, order_type: str, limit: float | None, stop: float | None
) -> dict[str, Any]:
    if action.upper() not in ("BUY", "SELL"):
        raise BadInput(f"action is {action!r}; it must be BUY or SELL.")
    if isinstance(quantity, bool) or quantity != int(quantity) or quantity < 1:
        raise BadInput(f"quantity is {quantity!r}; it must be whole shares from 1.")
    if order_type.upper() not in ORDER_TYPES:
        raise BadInput(f"order type is {order_type!r}; choose {', '.join(ORDER_TYPES)}.")
    if order_type.upper() == "LMT" and not limit or order_type.upper() == "STP" and not stop:
        raise BadInput(f"a {order_type.upper()} order needs its price.")
    body = {"symbol": symbol.upper(), "action": action.upper(), "quantity": int(quantity)}
    return body | {"orderType": order_type.upper()} | ({"limitPrice": limit} if limit else {}) | ({"stopPrice": stop} if stop else {})


def _lower(answer: Any) -> dict[str, Any]:
    return {str(k).lower().replace("_", ""): v for k, v in answer.items()} if isinstance(answer, Mapping) else {}


def _rows(answer: Any) -> list[Any]:
    """A list, bare or under ``value`` or the like."""
    if isinstance(answer, Mapping):
        inner = next((v for v in answer.values() if isinstance(v, list)), None)
        return inner if inner is not None else []
    return answer if isinstance(answer, list) else []


def _tags(answer: Any) -> dict[str, tuple[float, str]]:
    """tag in lower case -> (value, currency)."""
    rows = [_lower(r) for r in _rows(answer)] or [
        {"tag": tag, **(_lower(v) if isinstance(v, Mapping) else {"value": v})}
        for tag, v in (answer.items() if isinstance(answer, Mapping) else ())
    ]
    found: dict[str, tuple[float, str]] = {}
    for row in rows:
        try:
            found[str(row["tag"]).lower()] = (float(row["value"]), str(row.get("currency", "USD")))
        except (KeyError, TypeError, ValueError):
            continue  # tags such as AccountType carry words
    return found

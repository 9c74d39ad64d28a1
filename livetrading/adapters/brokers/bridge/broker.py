"""The HTTP bridge (C#, InterReact) at http://localhost:5080.

Its routes have no order reference, no time in force, no parent, no cancel and no
list of orders or executions. After a lost answer an order cannot be found again, and
it cannot be protected by a stop. The bridge is therefore offered for paper accounts
only; agents trade real money through TWS itself.

Public copies of the bridge answer differently: numbers may be texts, lists may be
wrapped under ``value``, names may be in upper or lower case.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from ....core.errors import BadInput, LivetradingError, Refused, Unavailable
from ...bars.base import check_symbol
from ..base import AccountFigures, BrokerOrder, Execution, Ticket
from ..ibkr.account_gates import PAPER_PREFIX, is_paper
from . import answers as answers

SECONDS = 10.0
ORDER_TYPES = ("MKT", "LMT", "STP")
MOST_SHARES = 1_000_000
UNKNOWN = "the bridge did not answer; whether the order arrived is not known: look in TWS before sending it again"
CANNOT = "The bridge has no order references and cannot {what}; deploy the agent in mode ibkr, through TWS itself."


class InterReactBridgeAdapter:
    """One bridge. Reading raises Unavailable or Refused; ``place_order`` returns errors and never sends twice."""

    def __init__(self, host: str = "localhost", port: int = 5080, timeout: float = SECONDS) -> None:
        self.url, self._timeout = f"http://{host}:{port}", timeout

    # -- the specification's interface --------------------------------------

    def place_order(
        self,
        symbol: str,
        action: str,
        quantity: int,
        order_type: str = "MKT",
        *,
        limit_price: float | None = None,
        stop_price: float | None = None,
    ) -> dict[str, Any]:
        """``{"success": bool, "error": str | None}``. A lost answer is an error that says so."""
        try:
            body = _order(symbol, action, quantity, order_type, limit_price, stop_price)
            self._paper_account()
        except LivetradingError as error:
            return {"success": False, "error": str(error)}
        try:
            answer = self._call("/place-order", body=body)
        except Refused as error:
            return {"success": False, "error": str(error)}
        except Unavailable:
            return {"success": False, "error": UNKNOWN}
        reply = answers.lower(answer)
        if reply.get("success") is True:
            return {"success": True, "error": None}
        why = reply.get("error") or reply.get("message") or "the bridge did not say that it succeeded"
        return {"success": False, "error": answers.short(why)}

    def health(self) -> bool:
        """Whether the bridge answers with the status ok."""
        return str(answers.lower(self._call("/health")).get("status", "")).lower() in ("ok", "healthy")

    def connection_status(self) -> dict[str, Any]:
        return answers.mapping(self._call("/connection-status"), "/connection-status")

    def accounts(self) -> list[str]:
        """Numbers of the accounts that TWS is logged in to."""
        return answers.accounts(self._call("/accounts"))

    def account(self) -> AccountFigures:
        """The value of the account, from tags in a list or in a mapping."""
        values = answers.tags(self._call("/account"))
        worth = values.get("netliquidation")
        cash = values.get("totalcashvalue", values.get("cashbalance"))
        if worth is None or cash is None:
            raise Unavailable(
                "The bridge does not give NetLiquidation and TotalCashValue as numbers; connect it to TWS first."
            )
        number = next(iter(self.accounts()), "")
        return AccountFigures(number, worth[0], worth[1], cash[0], datetime.now(UTC))

    def portfolio(self) -> dict[str, int]:
        """Shares by symbol."""
        return answers.positions(self._call("/portfolio"))

    def historical(self, symbol: str, days: int = 7, bar_size: str = "1 day") -> list[dict[str, Any]]:
        """Bars as the bridge serves them, keys in lower case; split-adjusted like all of IB's."""
        if not _whole(days, 100_000):
            raise BadInput(f"days is {answers.short(days)}; it must be a whole number from 1.")
        query = {
            "symbol": _symbol(symbol),
            "secType": "STK",
            "exchange": "SMART",
            "durationDays": int(days),
            "barSize": str(bar_size),
        }
        return answers.bars(self._call("/historical", query))

    # -- the Broker protocol, as far as the routes allow it ---------------------

    def submit(self, ticket: Ticket, child: Ticket | None, now: datetime) -> BrokerOrder:
        """Refused: an order of an agent needs a key, a stop and market-on-open."""
        raise Refused(CANNOT.format(what="send an agent's order with its stop and find it again"))

    def cancel(self, ref: str, now: datetime) -> None:
        raise Refused(CANNOT.format(what="cancel an order"))

    def find(self, ref: str) -> BrokerOrder | None:
        raise Refused(CANNOT.format(what="look an order up"))

    def executions(self) -> list[Execution]:
        raise Refused(CANNOT.format(what="report executions"))

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
            raise Refused(
                f"The bridge may be used with paper accounts only ({PAPER_PREFIX}…) and is connected to {what}:"
                f" its orders have no reference and no stop; trade real money in mode ibkr, through TWS"
                f" itself."
            )

    def _call(self, path: str, query: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None) -> Any:
        """One request, never repeated. Refused when the bridge says no, Unavailable without an answer."""
        url = f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else answers.encoded(body)
        end = time.monotonic() + self._timeout
        try:
            request = Request(url, data, {"Content-Type": "application/json"} if data else {})
            with urlopen(request, timeout=self._timeout) as answer:
                text = _read(answer, end)
        except HTTPError as error:
            reason = _reason(error)
            if error.code < 500:
                raise Refused(f"The bridge refused {path} with {error.code}: {reason}") from error
            raise Unavailable(f"The bridge failed on {path} with {error.code}: {reason}") from error
        # ValueError: an impossible address, or a malformed header.
        except (HTTPException, OSError, ValueError) as error:
            raise Unavailable(
                f"The bridge does not answer at {self.url} ({error}); start it and connect it to TWS."
            ) from error
        return answers.decoded(text, path, self.url)


def _read(answer: HTTPResponse, end: float) -> bytes:
    """The whole body. Unavailable when it comes too slowly or does not end."""
    parts: list[bytes] = []
    while part := answer.read1(65_536):
        parts.append(part)
        if sum(map(len, parts)) > answers.MOST_BYTES:
            raise Unavailable(
                f"The bridge's answer is longer than {answers.MOST_BYTES:,} bytes; check that its address"
                f" is the bridge's."
            )
        if time.monotonic() > end:
            raise Unavailable("The bridge's answer did not end in time; restart it.")
    return b"".join(parts)


def _reason(error: HTTPError) -> str:
    """The text of a refusal, if it can be read."""
    try:
        return answers.short(error.read(1_000).decode(errors="replace"))
    except (HTTPException, OSError, ValueError):
        return "it did not say why"


def _order(symbol: Any, action: Any, quantity: Any, order_type: Any, limit: Any, stop: Any) -> dict[str, Any]:
    side, kind = (value.upper() if isinstance(value, str) else "" for value in (action, order_type))
    if side not in ("BUY", "SELL"):
        raise BadInput(f"action is {answers.short(action)}; it must be BUY or SELL.")
    if not _whole(quantity, MOST_SHARES):
        raise BadInput(f"quantity is {answers.short(quantity)}; it must be whole shares from 1 to {MOST_SHARES:,}.")
    if kind not in ORDER_TYPES:
        raise BadInput(f"order type is {answers.short(order_type)}; choose {', '.join(ORDER_TYPES)}.")
    for name, price in (("limit", limit), ("stop", stop)):
        if price is not None and not _price(price):
            raise BadInput(f"the {name} price is {answers.short(price)}; it must be a number above 0.")
    if (kind == "LMT" and limit is None) or (kind == "STP" and stop is None):
        raise BadInput(f"a {kind} order needs its price.")
    prices = {"limitPrice": limit, "stopPrice": stop}
    body = {"symbol": _symbol(symbol), "action": side, "quantity": int(quantity), "orderType": kind}
    return body | {name: float(price) for name, price in prices.items() if price is not None}


def _symbol(symbol: Any) -> str:
    if not isinstance(symbol, str):
        raise BadInput(f"{answers.short(symbol)} is not a ticker symbol; use one such as AAPL or BRK-B.")
    return check_symbol(symbol)


def _whole(value: Any, most: int) -> bool:
    """Whether it is a whole number from 1 to ``most``, and not a boolean."""
    number = answers.finite(value)
    return not isinstance(value, str) and number is not None and number == int(number) and 1 <= number <= most


def _price(value: Any) -> bool:
    number = answers.finite(value)
    return not isinstance(value, str) and number is not None and number > 0

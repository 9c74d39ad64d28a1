"""TWS's messages, field by field, at server versions 157 to 178."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from .ledger import Fill, Ledger, Listing, Order
from .wire import UNSET_DOUBLE, UNSET_INT, frame, number

HOURS = "20240603:0930-20240603:1600"


def error(version: int, about: int, code: int, text: str) -> bytes:
    more = ("",) if version >= 166 else ()
    return frame(4, 2, about, code, text, *more)


def _contract(listing: Listing, exchange: str = "SMART") -> tuple[Any, ...]:
    """conId, symbol, secType, lastTrade, strike, right, multiplier, exchange, currency, localSymbol, tradingClass."""
    return (listing.con_id, listing.symbol, "STK", "", 0, "?", "", exchange, "USD", listing.symbol, "NMS")


def position(account: str, listing: Listing, qty: float, cost: float) -> bytes:
    return frame(61, 3, account, *_contract(listing, ""), qty, cost)


def portfolio(account: str, listing: Listing, qty: float, cost: float) -> bytes:
    c = _contract(listing, listing.primary)
    return frame(7, 8, *c, qty, cost, qty * cost, cost, 0, 0, account)


# fmt: off
def contract_details(version: int, request: str, listing: Listing) -> bytes:
    head = (8,) if version < 164 else ()
    size = (100,) if version < 164 else ()
    tail = (1, 1, 100) if version >= 164 else (100,) if version == 163 else ()
    return frame(
        10, *head, request, listing.symbol, "STK", "", 0, "", "SMART", "USD", listing.symbol, "NMS", "NMS",
        listing.con_id, listing.min_tick, *size, "", "ACTIVETIM,MKT,STP", f"SMART,{listing.primary}", 1, 0,
        f"{listing.symbol} INC", listing.primary, "", "Technology", "", "", "US/Eastern", HOURS, HOURS, "", 0,
        0, 1, "", "", "26,26", "", "COMMON", *tail,
    )
# fmt: on


def historical(request: str, bars: list[tuple[Any, ...]]) -> bytes:
    """Each bar: date, open, high, low, close, volume, wap, count."""
    first, last = (bars[0][0], bars[-1][0]) if bars else ("", "")
    return frame(17, request, first, last, len(bars), *(value for bar in bars for value in bar))


def order_status(order: Order) -> bytes:
    return frame(
        3,
        order.order_id,
        order.status,
        order.filled,
        order.remaining,
        order.avg,
        order.perm_id,
        order.parent_id,
        order.last,
        order.client_id,
        order.why_held,
        0,
    )


def _head(order: Order) -> tuple[Any, ...]:
    return (order.action, order.qty, order.type, 0.0, order.aux, order.tif, "", order.account, "", 0, order.ref)


def _fa(version: int) -> tuple[str, ...]:
    return ("", "", "", "") if version < 177 else ("", "", "")


# fmt: off
def open_order(version: int, order: Order) -> bytes:
    fields = [
        5, order.order_id, *_contract(order.listing), *_head(order), order.client_id, order.perm_id,
        order.outside_rth, 0, 0, "", "", *_fa(version),
        "", "", "", UNSET_DOUBLE, "", 0, "", -1, 0, UNSET_DOUBLE, UNSET_DOUBLE, UNSET_DOUBLE, UNSET_DOUBLE,
        UNSET_DOUBLE, 0, 0, 0, 0, UNSET_INT, 3, 0, 0, UNSET_DOUBLE, order.parent_id, 0, UNSET_DOUBLE, 0,
        "None", UNSET_DOUBLE, 0, "", "", "", "?", 0, 0, "",  # TWS writes the word None, then eight fields more
        0, 0, order.aux or UNSET_DOUBLE, UNSET_DOUBLE, UNSET_DOUBLE, UNSET_INT, "", 0, 0, 0,
        UNSET_INT, UNSET_INT, UNSET_DOUBLE, "", 0, "", "IB", 0, 0, "", 0, 0, order.status,
        *([UNSET_DOUBLE] * 9), UNSET_DOUBLE, UNSET_DOUBLE, UNSET_DOUBLE, "", "", 0, 0, 0,
        "None", UNSET_DOUBLE, UNSET_DOUBLE, UNSET_DOUBLE, UNSET_DOUBLE, UNSET_DOUBLE, UNSET_DOUBLE, 0,
        "", "", "", UNSET_DOUBLE, 1, 0, 0, 0,
        *((UNSET_INT,) if version >= 159 else ()), *((UNSET_INT,) if version >= 160 else ()),
        *((0,) if version >= 162 else ()), *(_pegged() if version >= 170 else ()),
    ]
    return frame(*fields)
# fmt: on


def _pegged() -> tuple[str, ...]:
    return (UNSET_INT, UNSET_INT, UNSET_DOUBLE, UNSET_DOUBLE, UNSET_DOUBLE)


# fmt: off
def completed_order(version: int, order: Order) -> bytes:
    at = order.done_at.astimezone(ZoneInfo("US/Eastern")) if order.done_at else None
    status = "Cancelled" if order.status == "Inactive" else order.status
    ended = f"Filled Size: {int(order.filled)}" if order.filled else "Cancelled by Trader"
    fields = [
        101, *_contract(order.listing), *_head(order), order.perm_id,
        order.outside_rth, 0, 0, "", *_fa(version),
        "", "", "", UNSET_DOUBLE, "", 0, "", -1, UNSET_DOUBLE, UNSET_DOUBLE, UNSET_DOUBLE, UNSET_DOUBLE,
        UNSET_DOUBLE, 0, 0, 0, UNSET_INT, 3, 0, UNSET_DOUBLE, 0, "None", UNSET_DOUBLE, 0, "", 0, "?",
        0, 0, order.aux or UNSET_DOUBLE, UNSET_DOUBLE, "", 0, 0, 0, UNSET_INT, UNSET_INT, UNSET_DOUBLE, "",
        "", "IB", 0, 0, "", 0, status, 0, 0, 0,
        UNSET_DOUBLE, UNSET_DOUBLE, UNSET_DOUBLE, 1, 0, "", order.filled, UNSET_INT, 0, "Not an insider", 0, 0,
        order.parent_perm, f"{at:%Y%m%d %H:%M:%S} US/Eastern" if at else "", ended,
        *(_pegged() if version >= 170 else ()),
    ]
    return frame(*fields)
# fmt: on


def execution_time(at: datetime, zone: str, naive: bool) -> str:
    """With the zone's name, or as two-space local time without it."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%Y%m%d  %H:%M:%S}" if naive else f"{local:%Y%m%d %H:%M:%S} {zone}"


def execution(version: int, request: int | str, fill: Fill, when: str) -> bytes:
    o = fill.order
    more = (0,) if version >= 178 else ()
    return frame(
        11,
        request,
        max(o.order_id, 0),
        *_contract(o.listing),
        fill.exec_id,
        when,
        o.account,
        o.listing.primary,
        "BOT" if o.action == "BUY" else "SLD",
        fill.qty,
        fill.price,
        o.perm_id,
        o.client_id,
        0,
        fill.cum,
        fill.avg,
        o.ref,
        "",
        "",
        "",
        2,
        *more,
    )


def commission(fill: Fill, reported: Any = None) -> bytes:
    """``reported`` replaces the charged amount: a sign for "unknown", nothing, or a wrong number."""
    return frame(
        59, 1, fill.exec_id, fill.commission if reported is None else reported, "USD", UNSET_DOUBLE, UNSET_DOUBLE, 0
    )


def account_values(ledger: Ledger) -> list[tuple[str, str, str]]:
    """(tag, value, currency)."""
    worth = sum(qty * cost for qty, cost in ledger.positions.values())
    own = ledger.currency
    return [
        ("NetLiquidation", f"{ledger.cash + worth:.2f}", own),
        ("TotalCashValue", f"{ledger.cash:.2f}", own),
        ("CashBalance", f"{ledger.cash:.2f}", own),
        ("CashBalance", f"{ledger.cash:.2f}", "BASE"),
        ("BuyingPower", f"{4 * ledger.cash:.2f}", own),
    ]


def order_of(fields: list[str], client_id: int, ledger: Ledger) -> Order | None:
    """The order of a placeOrder message; None for an unknown contract."""
    by_id = {x.con_id: x for x in ledger.listings.values()}
    listing = by_id.get(int(number(fields[2]))) or ledger.listings.get(fields[3])
    if listing is None or fields[4] != "STK":
        return None
    return Order(
        order_id=int(fields[1]),
        client_id=client_id,
        listing=listing,
        action=fields[16],
        qty=number(fields[17]),
        type=fields[18],
        aux=number(fields[20]),
        tif=fields[21] or "DAY",
        account=fields[23] or ledger.account,
        ref=fields[26],
        transmit=fields[27] == "1",
        parent_id=int(number(fields[28])),
        outside_rth=fields[33] == "1",
    )

"""A double of IB's Flex statements: the executions of the TWS double's account as a file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr
from zoneinfo import ZoneInfo

from .tws.ledger import Fill, Ledger

NEW_YORK = ZoneInfo("America/New_York")
COLUMNS = {
    "accountId": "ClientAccountID",
    "currency": "CurrencyPrimary",
    "assetCategory": "AssetClass",
    "symbol": "Symbol",
    "conid": "Conid",
    "ibOrderID": "IBOrderID",
    "ibExecID": "IBExecID",
    "orderReference": "OrderReference",
    "tradeDate": "TradeDate",
    "dateTime": "DateTime",
    "quantity": "Quantity",
    "tradePrice": "TradePrice",
    "ibCommission": "IBCommission",
    "ibCommissionCurrency": "IBCommissionCurrency",
    "buySell": "Buy/Sell",
    "levelOfDetail": "LevelOfDetail",
}


def row(fill: Fill, **changes: Any) -> dict[str, str]:
    at, sign = fill.at.astimezone(NEW_YORK), 1 if fill.order.action == "BUY" else -1
    values = {
        "accountId": fill.order.account,
        "currency": "USD",
        "assetCategory": "STK",
        "symbol": fill.order.listing.symbol,
        "conid": fill.order.listing.con_id,
        "ibOrderID": fill.order.perm_id,
        "ibExecID": fill.exec_id,
        "orderReference": fill.order.ref,
        "tradeDate": f"{at:%Y%m%d}",
        "dateTime": f"{at:%Y%m%d;%H%M%S}",
        "quantity": f"{sign * fill.qty:g}",
        "tradePrice": repr(float(fill.price)),
        "ibCommission": f"{-fill.commission:.4f}",
        "ibCommissionCurrency": "USD",
        "buySell": fill.order.action,
        "levelOfDetail": "EXECUTION",
    }
    return {name: str(value) for name, value in (values | changes).items()}


def summed(first: dict[str, str]) -> dict[str, str]:
    """A summary row of an order in the same section, which is not an execution."""
    return {**first, "ibExecID": "", "levelOfDetail": "ORDER", "tradePrice": "1.0"}


def xml(path: Path, rows: Iterable[dict[str, str]], element: str = "Trade") -> Path:
    lines = [f"<{element} {' '.join(f'{k}={quoteattr(v)}' for k, v in r.items())} />" for r in rows]
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<FlexQueryResponse queryName="t" type="AF"><FlexStatements count="1">'
        '<FlexStatement accountId="" fromDate="" toDate=""><Trades>\n'
        + "\n".join(lines)
        + "\n</Trades></FlexStatement></FlexStatements></FlexQueryResponse>\n"
    )
    return path


def csv(path: Path, rows: list[dict[str, str]]) -> Path:
    lines = [
        ",".join(f'"{name}"' for name in COLUMNS.values()),
        *(",".join(f'"{r[k]}"' for k in COLUMNS) for r in rows),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def of(ledger: Ledger, **changes: Any) -> list[dict[str, str]]:
    """The account's fills, each followed by a summary row."""
    return [r for fill in ledger.fills for r in (row(fill, **changes), summed(row(fill, **changes)))]

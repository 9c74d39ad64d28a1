"""Reads executions of stocks from files of Interactive Brokers' Flex statements, XML or CSV.

XML: the elements Trade (activity statements), Execution and TradeConfirm. CSV: every
section whose header has trade columns. Rows that sum up executions (orders, symbols)
are skipped. Commissions are negative there and positive here.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from ....core.errors import BadInput, NotFound
from ....core.statement import StatementExecution

LARGEST = 64 * 1024 * 1024
ELEMENTS = ("Trade", "Execution", "TradeConfirm")
NAMES: Mapping[str, tuple[str, ...]] = {
    "account": ("accountid", "clientaccountid", "account"),
    "exec_id": ("ibexecid", "execid", "executionid"),
    "order_id": ("iborderid", "orderid"),
    "ref": ("orderreference", "orderref"),
    "symbol": ("symbol",),
    "con_id": ("conid",),
    "side": ("buysell",),
    "qty": ("quantity",),
    "price": ("tradeprice", "price"),
    "fee": ("ibcommission", "commission"),
    "fee_currency": ("ibcommissioncurrency", "commissioncurrency"),
    "taxes": ("taxes", "tax"),
    "day": ("tradedate",),
    "at": ("datetime", "datetimeofexecution"),
    "kind": ("assetcategory", "assetclass"),
    "currency": ("currency", "currencyprimary"),
    "level": ("levelofdetail",),
    "transaction": ("transactiontype",),
    "notes": ("notes", "notescodes", "code"),
}
"""Our names of the columns, and their names in statements, reduced to lower-case letters."""
COLUMNS = frozenset(alias for aliases in NAMES.values() for alias in aliases) | {"accountalias", "model", "description"}
RECORDS = frozenset({"BOF", "BOA", "BOS", "EOS", "EOA", "EOF", "MSG", "TRAILER"})
"""First fields of lines that structure a CSV statement and are not rows."""
CURE = "export it from IB's Client Portal as a Flex query with the section Trades, its option Execution and all fields"
Row = dict[str, str]


def read(path: Path) -> list[StatementExecution]:
    """Every execution of a stock in USD. Raises BadInput with what is wrong with the file."""
    try:
        data = path.read_bytes()[: LARGEST + 1]
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}; check its path.") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > LARGEST:
        raise BadInput(f"{path.name} is larger than {LARGEST // 2**20} MiB; export fewer days.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path.name} is not a Flex statement (it is not text); {CURE}.") from None
    rows = list(_of_xml(text, path.name) if text.lstrip().startswith("<") else _of_csv(text, path.name))
    found = [_stated(row, where) for where, row in rows if _is_execution(row)]
    if not found and rows and not any(row.get("exec_id") for _, row in rows):
        raise BadInput(f"{path.name} lists trades without the ids of their executions; {CURE}.")
    return found


def _of_xml(text: str, name: str) -> Iterator[tuple[str, Row]]:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BadInput(f"{name} is not a Flex statement (it declares a document type); {CURE}.")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise BadInput(f"{name} is not a Flex statement ({error}); {CURE}.") from None
    if root.tag != "FlexQueryResponse":
        raise BadInput(f"{name} is not a Flex statement (it begins with {root.tag[:40]!r}); {CURE}.")
    for statement in root.iter("FlexStatement"):
        account = statement.get("accountId", "")
        rows = (e for e in statement.iter() if e.tag in ELEMENTS)
        for count, element in enumerate(rows, 1):
            row = _named(element.attrib)
            yield f"{name}, {element.tag} {count}", {**row, "account": row.get("account") or account}


def _of_csv(text: str, name: str) -> Iterator[tuple[str, Row]]:
    header: list[str] = []
    headers = 0
    rows = csv.reader(io.StringIO(text))
    try:
        for fields in rows:
            plain = [_plain(field) for field in fields]
            if len(COLUMNS.intersection(plain)) > 1:
                trades = "symbol" in plain and ("buysell" in plain or "quantity" in plain)
                header, headers = (plain, headers + 1) if trades else ([], headers)
            elif header and any(plain) and fields[0].strip().upper() not in RECORDS:
                yield (
                    f"{name}, line {rows.line_num}",
                    _named(_by_column(header, fields, f"{name}, line {rows.line_num}")),
                )
    except csv.Error as error:
        raise BadInput(f"{name} is not a Flex statement ({error}); {CURE}.") from None
    if not headers:
        raise BadInput(f"{name} is not a Flex statement (no line names the columns of trades); {CURE}.")


def _by_column(header: list[str], fields: list[str], where: str) -> Row:
    """A row by column names. Raises BadInput for another number of fields: values could get the wrong names."""
    more = fields[len(header) :]
    if len(fields) < len(header) or any(field.strip() for field in more):
        raise BadInput(
            f"{where} has {len(fields)} fields, and the columns are {len(header)}; nothing was imported: export the"
            " statement again."
        )
    return dict(zip(header, fields, strict=False))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _named(values: Mapping[str, str]) -> Row:
    given = {_plain(key): value.strip() for key, value in values.items()}
    return {name: given[alias] for name, aliases in NAMES.items() for alias in reversed(aliases) if given.get(alias)}


def _is_execution(row: Row) -> bool:
    """Whether a row is one execution of a stock in USD, and not a sum of several."""
    return bool(
        row.get("exec_id")
        and row.get("level", "EXECUTION").upper() in ("EXECUTION", "")
        and row.get("kind", "STK") == "STK"
        and row.get("currency", "USD") == "USD"
    )


def _is_cancelled(row: Row) -> bool:
    """Whether a row cancels its execution: by its side, its kind of transaction or its notes."""
    notes = re.split(r"[;,\s]+", row.get("notes", "").upper())
    return "(CA" in row.get("side", "").upper() or row.get("transaction", "").upper() == "TRADECANCEL" or "CA" in notes


def _stated(row: Row, where: str) -> StatementExecution:
    side = row.get("side", "").upper()
    qty = abs(_number(row, "qty", where))
    fee = None
    if row.get("fee") and row.get("fee_currency", "USD") == "USD":
        fee = -(_number(row, "fee", where) + (_number(row, "taxes", where) if row.get("taxes") else 0.0)) + 0.0
    at = row.get("at", "")
    return StatementExecution(
        row.get("account", ""),
        row["exec_id"],
        row.get("order_id", ""),
        row.get("ref", ""),
        row.get("symbol", ""),
        int(row["con_id"]) if _CONTRACT.fullmatch(row.get("con_id", "")) else 0,
        side.split()[0] if side else "",
        0.0 if _is_cancelled(row) else qty,
        _number(row, "price", where),
        fee,
        _day(row.get("day") or at),
        at,
        where,
    )


_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d*)?([eE][+-]?\d{1,3})?|[+-]?\.\d+", re.ASCII)
"""A decimal point, and commas only between thousands: a decimal comma would make a price a hundred times too high."""
_CONTRACT = re.compile(r"\d{1,12}", re.ASCII)


WORDS = {"qty": "quantity", "fee": "commission"}


def _number(row: Row, name: str, where: str) -> float:
    text = row.get(name, "")
    try:
        if not _NUMBER.fullmatch(text.strip()):
            raise ValueError(text)
        return float(text.replace(",", ""))
    except ValueError:
        raise BadInput(
            f"{where}: the {WORDS.get(name, name)} is {text!r}, which is not a number; export the statement again."
        ) from None


def _day(text: str) -> str:
    """ISO date from yyyyMMdd or yyyy-MM-dd, with or without a time after it. Other text stays, and a later check
    names it."""
    found = re.match(r"(\d{4})-?(\d{2})-?(\d{2})(?!\d)", text)
    return f"{found[1]}-{found[2]}-{found[3]}" if found else text

"""Removes private data from a recording of TWS: account numbers, names, foreign references, money.

A replay needs the rest: the messages and their times, symbols, order and execution
ids, prices and fees of orders, and numbers of shares. Positions of the account are
therefore visible.
"""

import math
import re
from dataclasses import dataclass, field

OURS = re.compile(r"((PPO|SAC)_[A-Z0-9.^=-]+_\d+|PROBE):\d{4}-\d\d-\d\d:(entry|exit|stop):\d+")
_ACCOUNT = re.compile(r"(?<![A-Za-z0-9])(D?[UFI])\d{5,10}(?![A-Za-z0-9])")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([Ee][-+]?\d+)?")
_DATE = re.compile(r"\d{8}([ -]+\d\d:\d\d:\d\d( [A-Za-z_/]+)?)?")
# fmt: off
_PLAIN_TAGS = frozenset({
    "AccountType", "AccountReady", "Currency", "RealCurrency", "TradingType-S", "WhatIfPMEnabled", "SegmentTitle-S",
    "SegmentTitle-C",
})
_PLAIN_VALUES = frozenset({"", "n/a", "N/A", "NaN", "nan", "true", "false", "BASE", "All", "Infinity"})
_ORDER_WORDS = frozenset({
    "", "?", "None", "IB", "Customer", "Not an insider", "BUY", "SELL", "BOT", "SLD", "MKT", "LMT", "STP", "STP LMT", "TRAIL",
    "MOC", "LOC", "MIDPRICE", "DAY", "GTC", "OPG", "IOC", "GTD", "FOK", "O", "C", "default", "Infinite", "Infinity", "NaN",
    "Filled", "Submitted", "PreSubmitted", "Cancelled", "ApiCancelled", "Inactive", "PendingSubmit", "PendingCancel",
    "ApiPending", "SMART", "STK", "NASDAQ", "NYSE", "ARCA", "AMEX", "BATS", "ISLAND", "IBKRATS", "IEX", "EDGEA",
})
# fmt: on
_RECEIVED = frozenset("3 4 5 6 7 8 9 10 11 15 17 49 52 53 54 55 58 59 61 62 63 64 73 74 101 102".split())
_SENT = frozenset("1 2 3 4 5 6 7 8 9 15 16 20 25 49 58 59 61 62 63 64 71 76 99".split())
LEAST = 4
"""Names of at least so many characters are replaced everywhere; shorter ones would match parts of other words."""


def rounded(text: str) -> str:
    """An amount with one significant digit; marks for "unset", texts and zero are unchanged."""
    if not _NUMBER.fullmatch(text):
        return text
    value = float(text)
    if value == 0 or not math.isfinite(value) or abs(value) > 1e300 or text == "2147483647":
        return text
    places = -math.floor(math.log10(abs(value)))
    near = round(value, places)
    return f"{near:.{max(places, 0)}f}"


@dataclass
class Scrubber:
    """The scrubber of one recording: each account always gets the same replacement. ``values``: keep money."""

    values: bool = False
    version: int = 0
    _accounts: dict[str, str] = field(default_factory=dict)
    _words: dict[str, str] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    """Words that are replaced wherever they occur."""

    def frame(self, sent: bool, fields: list[str]) -> list[str]:
        """The fields of one message without private data."""
        kind = fields[0] if fields else ""
        if kind not in (_SENT if sent else _RECEIVED):
            return [kind, *(f if _NUMBER.fullmatch(f) or not f else "text" for f in fields[1:])]
        known = self._placed(fields) if sent and kind == "3" else fields if sent else self._received(kind, list(fields))
        return [self._public(f) for f in known]

    def _received(self, kind: str, fields: list[str]) -> list[str]:
        if kind == "15" and len(fields) > 2:
            for account in filter(None, fields[2].split(",")):
                self._account(account)
        elif kind in ("6", "63", "73"):
            self._value(fields, *{"6": (2, 3), "63": (4, 5), "73": (5, 6)}[kind])
        elif kind in ("7", "61", "59"):
            self._money(fields, {"7": (15, 16, 17, 18), "61": (15,), "59": (5,)}[kind])
        elif kind == "11":
            return self._order(fields, contract=range(3, 14), ref=26, plain=(14, 15, 17))
        elif kind == "5":
            return self._order(fields, contract=range(2, 13), ref=23, plain=())
        elif kind == "101":
            said = len(fields) - (6 if self.version >= 170 else 1)
            return self._order(fields, contract=range(1, 12), ref=22, plain=(said,))
        return fields

    def _placed(self, fields: list[str]) -> list[str]:
        return self._order(list(fields), contract=range(2, 14), ref=26, plain=())

    def _order(self, fields: list[str], contract: range, ref: int, plain: tuple[int, ...]) -> list[str]:
        """Keep only those fields of an order message that are known not to be names."""
        for i, text in enumerate(fields):
            if i in contract or i in plain or _NUMBER.fullmatch(text) or _DATE.fullmatch(text):
                continue
            if i == ref:
                fields[i] = text if not text or OURS.fullmatch(text) else self._acknowledged(text, "ref")
            elif text not in _ORDER_WORDS and text.upper() not in self._accounts and not _ACCOUNT.fullmatch(text):
                fields[i] = self._acknowledged(text, "text")
        return fields

    def _value(self, fields: list[str], tag: int, value: int) -> None:
        """An account value: an amount is rounded, a text stays if its tag is known not to contain a name."""
        if len(fields) <= value:
            return
        text = fields[value]
        if _NUMBER.fullmatch(text):
            self._money(fields, (value,))
        elif fields[tag] not in _PLAIN_TAGS and text not in _PLAIN_VALUES and not _ACCOUNT.fullmatch(text):
            if text.upper() not in self._accounts:
                self._names |= {text} if len(text) >= LEAST else set()
                fields[value] = self._acknowledged(text, "text")

    def _money(self, fields: list[str], places: tuple[int, ...]) -> None:
        if not self.values:
            for i in places:
                if i < len(fields):
                    fields[i] = rounded(fields[i])

    def _account(self, account: str) -> str:
        """The replacement of an account number, with the same prefix."""
        if account.upper() not in self._accounts:
            match = _ACCOUNT.fullmatch(account)
            prefix = match[1] if match else "U"
            self._accounts[account.upper()] = f"{prefix}{len(self._accounts) + 1:07d}"
        return self._accounts[account.upper()]

    def _acknowledged(self, text: str, kind: str) -> str:
        if text not in self._words:
            same = sum(word.startswith(kind) for word in self._words.values())
            self._words[text] = f"{kind}-{same + 1}"
        return self._words[text]

    def _public(self, text: str) -> str:
        """Replace private words wherever they occur, also in the text of errors."""
        replacements = set(self._accounts.values()) | set(self._words.values())
        if text in replacements or (_NUMBER.fullmatch(text) and text not in self._accounts):
            return text
        text = _ACCOUNT.sub(lambda m: m[0] if m[0] in replacements else self._account(m[0]), text)
        private = {**self._accounts, **{name: self._words[name] for name in self._names}}
        for word in sorted(private, key=len, reverse=True):
            if word.upper() in text.upper() and private[word] not in text:
                text = re.sub(re.escape(word), private[word], text, flags=re.IGNORECASE)
        return text

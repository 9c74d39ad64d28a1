"""Compares the cash of a shared account with its agents' books, outside trading hours only.

Within trading hours a broker reports a fill before the cash that it changed. A difference
counts once it has lasted longer than a broker takes to report account values.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ...adapters import logs
from ...adapters.calendar import Calendar
from ...adapters.stamps import stamp
from ...core import account_book, windows
from ...core import cash as rules
from ...core.account_book import CashConfirmed
from ...core.agent import AgentState
from ...core.cash import TOLERANCE, BookCash, Cash, Explanation
from ...core.errors import Conflict
from ...core.types import Mode
from ...core.windows import NEW_YORK
from .broker_account import BrokerAccount

log = logging.getLogger(__name__)
LASTS = timedelta(minutes=4)
"""Some brokers report account values only every three minutes: a late report cannot explain an older difference."""
AFTER_CLOSE = timedelta(minutes=15)
"""Until so long after the close the day's fills may be missing in the reported cash."""
CURE = "import the account's statement, or confirm that it is yours"
Doc = dict[str, Any]


@dataclass
class CashReconciliation:
    """Explains the cash of the account that is traded now. ``unreported(number)``: whether the account has
    reported fills that are not booked yet."""

    broker_account: BrokerAccount
    calendar: Calendar
    delay: timedelta
    unreported: Callable[[str], bool] = lambda number: False
    notices: list[tuple[str, str]] = field(default_factory=list)
    """Messages for the user, with the agent that they concern (empty: the account)."""
    _recent: dict[str, tuple[Cash, datetime]] = field(default_factory=dict)
    """Differences that are not recorded yet, and since when they exist."""

    # -- comparing ----------------------------------------------------------

    def compare(self, now: datetime) -> None:
        """Compare, and record what is new. Does nothing if cash cannot be compared now."""
        if self._trading(now):
            return
        figures = self._figures()
        if figures is None or self.unreported(figures[0]):
            return
        number, cash = figures
        books, known = self.books(number), self.broker_account.journal(number).book.cash
        if not books:
            return
        session = self.calendar.last_complete(now, self.delay).isoformat()
        if known is None:
            self.broker_account.journal(number).record(account_book.cash_record(rules.first(session, cash, books)), now)
        elif known.books.keys() <= books.keys():  # otherwise an agent's journal cannot be read
            self._compare(number, known, rules.explain(known, max(session, known.session), cash, books), now)

    def begin(self, number: str, now: datetime) -> None:
        """Record all cash as unmanaged before the first agent of an account trades."""
        figures = self._figures()
        if self.broker_account.journal(number).book.cash is None and figures is not None and figures[0] == number:
            if not self.books(number):
                session = self.calendar.last_complete(now, self.delay).isoformat()
                self.broker_account.journal(number).record(
                    account_book.cash_record(rules.first(session, figures[1], {})), now
                )

    def books(self, number: str) -> dict[str, BookCash]:
        """The money in the books of all agents that trade, or ever traded, the account."""
        return {
            s.agent.agent_id: BookCash(s.book.traded, s.book.dividends + s.book.fractions, s.book.estimated)
            for s in self.broker_account.states()
            if s.agent.mode == Mode.BROKER and s.agent.account == number
        }

    def _figures(self) -> tuple[str, float] | None:
        try:
            figures = self.broker_account.connection.ready().account()
        except Exception as error:  # an error here must not end an agent's pass; it is in the log
            logs.caught(log, "the account's cash", error)
            return None
        return None if figures.cash_usd is None else (figures.number, figures.cash_usd)

    def _trading(self, now: datetime) -> bool:
        day = now.astimezone(NEW_YORK).date()
        if not self.calendar.is_session(day):
            return False
        return windows.at(day, windows.OPG_UNTIL) <= now < self.calendar.close_at(day) + AFTER_CLOSE

    def _compare(self, number: str, known: Cash, found: Explanation, now: datetime) -> None:
        moved = abs(found.after.unexplained - known.unexplained) > TOLERANCE
        if moved and found.after.open:
            before = self._recent.get(number)
            same = before is not None and abs(before[0].unexplained - found.after.unexplained) < 0.01
            since = before[1] if before is not None and same else now
            self._recent[number] = found.after, since
            if now - since < LASTS:
                return
        self._recent.pop(number, None)
        if _is_news(known, found.after):
            self.broker_account.journal(number).record(account_book.cash_record(found.after, found), now)
            if moved and found.after.open:
                self._notify(number, found.after)

    def _notify(self, number: str, cash: Cash) -> None:
        doubted = self._doubted(number, cash)
        self.notices += [(agent_id, _text(cash)) for agent_id in doubted]
        if not doubted:
            self.notices.append(
                (
                    "",
                    (
                        f"{_difference(cash)}. No agent's estimate can be the reason: if it is interest, a deposit"
                        " or a trade by hand, confirm it on the page of one of the account's agents, or with"
                        " `confirm-cash ACCOUNT`"
                    ),
                )
            )

    def _doubted(self, number: str, cash: Cash) -> list[str]:
        return [agent_id for agent_id, book in self.books(number).items() if cash.doubts(book.estimates)]

    # -- consequences ---------------------------------------------------------

    def doubt(self, state: AgentState) -> str:
        """Why an agent may not buy now: a cash difference, recorded or recent, puts its estimated fills in doubt.
        Empty when it may buy."""
        known, recent = (
            self.broker_account.journal(state.agent.account).book.cash,
            self._recent.get(state.agent.account),
        )
        if known is not None and known.doubts(state.book.estimated):
            return _text(known)
        return _text(recent[0]) if recent is not None and recent[0].doubts(state.book.estimated) else ""

    def confirm(
        self, state: AgentState, seen: float | None, request_id: str, by: str, now: datetime
    ) -> tuple[str, Doc]:
        """The user confirms that the unexplained cash is his own. ``seen`` is the amount that he was shown."""
        number, journal = state.agent.account, self.broker_account.journal(state.agent.account)
        answer = {"account": number, "agent_id": state.agent.agent_id}
        if request_id and journal.book.confirmed == request_id:
            return f"The cash of account {number} was already confirmed before the last interruption.", answer
        known = journal.book.cash
        if known is None or not known.open:
            raise Conflict(f"The cash of account {number} is fully explained; there is nothing to confirm.")
        if seen is not None and not abs(seen - known.unexplained) <= 0.01:
            raise Conflict(
                f"The unexplained amount has changed to {known.unexplained:+,.2f} USD (you confirmed"
                f" {seen:+,.2f}); look at it and confirm again."
            )
        journal.record(CashConfirmed(known.unexplained, by, request_id), now)
        self._recent.pop(number, None)
        return (
            f"{known.unexplained:+,.2f} USD of account {number} are unmanaged from now on.",
            answer | {"confirmed": known.unexplained},
        )

    def documents(self, now: datetime) -> list[Doc]:
        """For pages: what each account's cash consists of, as last recorded."""
        numbers = sorted({s.agent.account for s in self.broker_account.agents()})
        found = []
        for number in numbers:
            book = self.broker_account.journal(number).book
            if book.cash is not None:
                found.append(_document(number, book.cash, book.lines, self._doubted(number, book.cash), now))
        return found


def _is_news(known: Cash, after: Cash) -> bool:
    """Whether a comparison has to be recorded: a new session, or a change in what is unexplained."""
    estimates = [[book.estimates for book in c.books.values()] for c in (known, after)]
    return (
        after.session > known.session
        or estimates[0] != estimates[1]
        or after.suspects != known.suspects
        or after.due != known.due
        or after.open != known.open
        or abs(after.unexplained - known.unexplained) > TOLERANCE
    )


def _difference(cash: Cash) -> str:
    """Both sides, without the account's number, because pages hide it."""
    if cash.masked:
        return (
            f"the account has {cash.cash:,.2f} USD in cash, which agrees with the books only because a later difference"
            " made up for an earlier one"
        )
    return (
        f"the account has {cash.cash:,.2f} USD in cash, but {cash.explained:,.2f} USD are explained:"
        f" {cash.unexplained:+,.2f} USD are not"
    )


def _text(cash: Cash) -> str:
    return f"{_difference(cash)}, while fills of this agent are booked by estimates, so it buys nothing; {CURE}"


def _document(number: str, cash: Cash, lines: dict[str, float], doubted: list[str], now: datetime) -> Doc:
    return {
        "account": number,
        "session": cash.session,
        "cash": cash.cash,
        "explained": cash.explained,
        "unexplained": cash.unexplained if cash.open else 0.0,
        "unmanaged": cash.unmanaged,
        "received": cash.received,
        "due": [{"agent_id": d.agent_id, "session": d.session, "amount": d.amount} for d in cash.due],
        "lines": lines,
        "agents": doubted,
        "text": _difference(cash) if cash.open else "",
        "at": stamp(now),
    }

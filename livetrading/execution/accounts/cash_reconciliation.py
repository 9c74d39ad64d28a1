"""The cash of a shared account against its agents' books, once a session and whenever it may explain more.

Outside trading hours alone: within them a fill is heard before the cash that it moved.
A difference counts when it has lasted longer than a broker takes to report account values.
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
"""Some brokers report account values every three minutes only: a difference that is older is none of a late report."""
SETTLED = timedelta(minutes=15)
"""After the close, before which the day's fills may not be in the cash yet."""
CURE = "import the account's statement, or confirm that it is yours"
Doc = dict[str, Any]


@dataclass
class CashReconciliation:
    """Explains the cash of the account that is traded now. ``unheard`` says whether fills of an
    account are known that are not in a book yet."""

    broker_account: BrokerAccount
    calendar: Calendar
    delay: timedelta
    unreported: Callable[[str], bool] = lambda number: False
    notices: list[tuple[str, str]] = field(default_factory=list)
    """What a person should hear, by agent (empty: the account)."""
    _young: dict[str, tuple[Cash, datetime]] = field(default_factory=dict)
    """Differences that are not recorded yet, and since when they are seen."""

    # -- looking ------------------------------------------------------------

    def look(self, now: datetime) -> None:
        """Compare, and record what is new. Does nothing where it cannot be compared now."""
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
        elif known.books.keys() <= books.keys():  # else an agent's journal cannot be read
            self._compare(number, known, rules.explain(known, max(session, known.session), cash, books), now)

    def begin(self, number: str, now: datetime) -> None:
        """Before the first agent of an account trades: what is there is a person's."""
        figures = self._figures()
        if self.broker_account.journal(number).book.cash is None and figures is not None and figures[0] == number:
            if not self.books(number):
                session = self.calendar.last_complete(now, self.delay).isoformat()
                self.broker_account.journal(number).record(
                    account_book.cash_record(rules.first(session, figures[1], {})), now
                )

    def books(self, number: str) -> dict[str, BookCash]:
        """The money of every agent that trades or ever traded the account."""
        return {
            s.agent.agent_id: BookCash(s.book.traded, s.book.dividends + s.book.fractions, s.book.estimated)
            for s in self.broker_account.states()
            if s.agent.mode == Mode.BROKER and s.agent.account == number
        }

    def _figures(self) -> tuple[str, float] | None:
        try:
            figures = self.broker_account.connection.ready().account()
        except (
            Exception
        ) as error:  # the connection says why; what nobody foresaw is in the log, and ends no agent's pass
            logs.caught(log, "the account's cash", error)
            return None
        return None if figures.cash_usd is None else (figures.number, figures.cash_usd)

    def _trading(self, now: datetime) -> bool:
        day = now.astimezone(NEW_YORK).date()
        if not self.calendar.is_session(day):
            return False
        return windows.at(day, windows.OPG_UNTIL) <= now < self.calendar.close_at(day) + SETTLED

    def _compare(self, number: str, known: Cash, found: Explanation, now: datetime) -> None:
        moved = abs(found.after.unexplained - known.unexplained) > TOLERANCE
        if moved and found.after.open:
            before = self._young.get(number)
            same = before is not None and abs(before[0].unexplained - found.after.unexplained) < 0.01
            since = before[1] if before is not None and same else now
            self._young[number] = found.after, since
            if now - since < LASTS:
                return
        self._young.pop(number, None)
        if _says_more(known, found.after):
            self.broker_account.journal(number).record(account_book.cash_record(found.after, found), now)
            if moved and found.after.open:
                self._tell(number, found.after)

    def _tell(self, number: str, cash: Cash) -> None:
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

    # -- what follows ---------------------------------------------------------

    def doubt(self, state: AgentState) -> str:
        """Why an agent buys nothing now: the cash does not bear its estimates out, as recorded or as just
        seen. Empty when it may buy."""
        known, young = self.broker_account.journal(state.agent.account).book.cash, self._young.get(state.agent.account)
        if known is not None and known.doubts(state.book.estimated):
            return _text(known)
        return _text(young[0]) if young is not None and young[0].doubts(state.book.estimated) else ""

    def confirm(
        self, state: AgentState, seen: float | None, request_id: str, by: str, now: datetime
    ) -> tuple[str, Doc]:
        """A person's word that what is unexplained is his own. ``seen`` is the amount that he was shown."""
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
        self._young.pop(number, None)
        return (
            f"{known.unexplained:+,.2f} USD of account {number} are unmanaged from now on.",
            answer | {"confirmed": known.unexplained},
        )

    def documents(self, now: datetime) -> list[Doc]:
        """For pages: how each account's cash is made up, as last recorded."""
        numbers = sorted({s.agent.account for s in self.broker_account.agents()})
        found = []
        for number in numbers:
            book = self.broker_account.journal(number).book
            if book.cash is not None:
                found.append(_document(number, book.cash, book.lines, self._doubted(number, book.cash), now))
        return found


def _says_more(known: Cash, after: Cash) -> bool:
    """Whether a look is worth a record: a new session, or another state of what is open."""
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
    """Both sides; without the account's number, for pages hide it."""
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

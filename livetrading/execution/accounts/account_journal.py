"""The journal of a shared broker account: unmanaged shares, cash, and the account's value."""

from datetime import datetime

from ...adapters.home import Home
from ...adapters.journal import Journal, read_lines
from ...core import account_book
from ...core.account_book import AccountBook, AccountEvent


class AccountJournal:
    """For the process that holds the lock. ``book`` is the fold of all recorded events."""

    def __init__(self, home: Home, number: str) -> None:
        """Raises Damaged, naming the line, if the journal was changed from outside."""
        self._journal = Journal.open(home.account(number) / "journal.jsonl")
        self._journal.recover()
        self.book = account_book.fold(
            account_book.decode(data) for line in self._journal.lines() for data in line.events
        )

    def record(self, event: AccountEvent, now: datetime) -> None:
        """Write the event, then change ``book``. Raises Unavailable when the disk refuses."""
        after = account_book.apply(self.book, event)
        self._journal.append([account_book.encode(event)], now)
        self.book = after


class AccountJournals:
    """The journals of a home's accounts, each opened when first needed."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._open: dict[str, AccountJournal] = {}

    def of(self, number: str) -> AccountJournal:
        """What was recorded of an account. Raises Damaged like the journal itself."""
        if number not in self._open:
            self._open[number] = AccountJournal(self._home, number)
        return self._open[number]


def read(home: Home, number: str) -> AccountBook:
    """An account's book, for readers without the lock."""
    lines = read_lines(home.account(number) / "journal.jsonl")
    return account_book.fold(account_book.decode(data) for line in lines for data in line.events)

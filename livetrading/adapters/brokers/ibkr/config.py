"""The configuration of a connection to TWS: its address, its account, and all time limits."""

from dataclasses import dataclass, field
from datetime import time
from typing import TYPE_CHECKING

from ....core.errors import Refused, Unavailable
from .account_gates import AccountMode, Gate

if TYPE_CHECKING:
    from .recorder import Recorder


LINK_LOST, LINK_BACK = frozenset({1100, 2110}), frozenset({1101, 1102})
FARM_NOTICES = frozenset({2103, 2104, 2105, 2106, 2107, 2108, 2119, 2158})


class Denied(Unavailable):
    """TWS answered a question with an error; ``code`` is its number."""

    def __init__(self, name: str, code: int, text: str) -> None:
        super().__init__(f"Interactive Brokers answered the question for {name} with {code} {text.rstrip('.')}.")
        self.code, self.text = code, text


@dataclass(frozen=True)
class Timing:
    """Seconds. A silent TWS is noticed after ``probe_every + answer`` at the latest.

    An attempt to connect ends within ``connecting``. ``optional`` is the time limit for questions
    that the connection can do without; ``again`` are the pauses before they are asked again. A
    report of an order that should fill at once counts as current for ``unfilled``, every other
    report for ``fresh``.
    """

    connect: float = 10.0
    connecting: float = 45.0
    answer: float = 10.0
    optional: float = 5.0
    again: tuple[float, ...] = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
    probe_every: float = 20.0
    pauses: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 20.0)
    refused_pause: float = 60.0
    refused_look: float = 1.0
    cancel_again: float = 10.0
    link_patience: float = 60.0
    fresh: float = 30.0
    unfilled: float = 5.0
    acknowledge: float = 4.0
    cancel: tuple[float, ...] = (1.25, 2.5)
    settle: float = 0.3
    between_looks: float = 1.0
    commission: float = 2.0
    history: float = 60.0


@dataclass(frozen=True)
class IbkrConfig:
    """The address of TWS, and what may be traded there.

    ``zone`` is the time zone of TWS, empty for this computer's; ``restart`` is Gateway's
    daily restart in that zone, None if it has none. ``read_only``: only bars are read,
    nothing is ordered or cancelled. ``recorder`` records every message of the connection.
    """

    host: str = "127.0.0.1"
    port: int = 7497
    client_id: int = 17
    account: str = ""
    mode: AccountMode = "paper"
    confirmed: str = ""
    zone: str = ""
    restart: time | None = time(23, 45)
    timing: Timing = field(default_factory=Timing)
    read_only: bool = False
    recorder: "Recorder | None" = field(default=None, compare=False, repr=False)

    @property
    def gate(self) -> Gate:
        return Gate(self.mode, self.port, self.client_id, self.account, self.confirmed, self.read_only)

    def check_may_order(self) -> None:
        """Raise Refused on a read-only connection; called before every message that could change an order."""
        if self.read_only:
            raise Refused(
                "This connection to Interactive Brokers only reads bars; order and cancel through the scheduler's."
            )

    def explain(self, error: BaseException) -> str:
        """A message for the user: why there is no connection, and what to do."""
        where = f"{self.host}:{self.port}"
        if isinstance(error, Unavailable):
            return str(error)
        if isinstance(error, UnicodeError):
            return f"{self.host} cannot be the name of a computer ({error}); correct ibkr_host."
        if isinstance(error, TimeoutError):
            return f"TWS at {where} accepts the connection but does not answer; confirm its dialog, or restart it."
        if isinstance(error, OSError):
            return (
                f"TWS does not answer at {where} ({error}); start TWS or Gateway and log in, or correct ibkr_host and"
                f" ibkr_port."
            )
        return (
            f"The connection to TWS at {where} failed with an unexpected error ({type(error).__name__}: {error});"
            f" it is tried again. If that lasts, look at ibkr_host and ibkr_port, restart TWS, and send the log."
        )

    def unreached(self) -> str:
        """A message for the user: nothing accepted the connection in time."""
        return (
            f"Nothing answers at {self.host}:{self.port}; start TWS or Gateway, correct"
            f" ibkr_host and ibkr_port, or check the firewall."
        )

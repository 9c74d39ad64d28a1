"""How long the double's account held shares that no working order would sell, measured at the broker."""

import time
from typing import TYPE_CHECKING, ClassVar

from .ledger import Ledger

if TYPE_CHECKING:
    from .server import TwsDouble


class Bare:
    """Seconds of the real clock in which ``symbol`` was held without a working stop or exit;
    ``own`` shares of a person are not counted."""

    worst: ClassVar[float] = 0.0
    """The longest period that ended in this process since ``worst`` was set to 0, for a sweep's report."""

    def __init__(self, tws: "TwsDouble", symbol: str, own: int = 0) -> None:
        self._symbol, self._own, self._tws = symbol, own, tws
        self._since: float | None = None
        self._longest = self._total = 0.0
        tws.watchers.append(self._watch)

    def _watch(self, ledger: Ledger) -> None:
        now = time.monotonic()
        bare = ledger.holds(self._symbol) > self._own and not ledger.on_sale(self._symbol)
        if self._since is not None and not bare:
            self._total += now - self._since
            self._longest = max(self._longest, now - self._since)
            Bare.worst = max(Bare.worst, self._longest)
        self._since = (self._since or now) if bare else None

    @property
    def now(self) -> bool:
        """Whether the shares are without a sale now."""
        return self._since is not None

    @property
    def longest(self) -> float:
        """The longest period, also one that has not ended."""
        return max(self._longest, time.monotonic() - self._since if self._since is not None else 0.0)

    @property
    def total(self) -> float:
        return self._total + (time.monotonic() - self._since if self._since is not None else 0.0)

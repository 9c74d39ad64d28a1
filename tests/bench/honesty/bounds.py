"""How sure a counted share is."""

from dataclasses import dataclass
from typing import Any

from scipy.stats import beta

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Share:
    """``hits`` of ``of``, with the one-sided bounds of Clopper and Pearson (1934): the true share is below ``upper``,
    and above ``lower``, with 95 % confidence each."""

    hits: int
    of: int

    @property
    def rate(self) -> float:
        return self.hits / self.of if self.of else 0.0

    @property
    def upper(self) -> float:
        return 1.0 if self.hits == self.of else float(beta.ppf(CONFIDENCE, self.hits + 1, self.of - self.hits))

    @property
    def lower(self) -> float:
        return 0.0 if self.hits == 0 else float(beta.ppf(1.0 - CONFIDENCE, self.hits, self.of - self.hits + 1))

    def to_dict(self) -> dict[str, Any]:
        return {"hits": self.hits, "of": self.of, "rate": self.rate, "lower": self.lower, "upper": self.upper}

    def __str__(self) -> str:
        return f"{self.hits:4d} of {self.of:4d}  {100 * self.rate:5.1f} %  ({100 * self.lower:.1f} to {100 * self.upper:.1f} %)"

"""A broker's settings and accounts, as pages and the command line need them without a connection."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ..settings import Settings


@dataclass(frozen=True)
class SettingField:
    """One setting as a form asks for it; ``key`` is its name in ``Settings``.

    ``low`` and ``high`` belong to a whole number, ``choices`` (stored value: label) to a choice, ``empty`` is
    shown in place of an empty value. ``width`` is relative to the other fields of the row.
    """

    key: str
    label: str
    kind: Literal["text", "whole", "choice", "zone"]
    help: str = ""
    empty: str = ""
    low: int = 0
    high: int = 0
    choices: Mapping[str, str] = field(default_factory=dict)
    most_characters: int | None = None
    width: int = 1


class AccountSetup(Protocol):
    """How an account of one broker is set up in a home."""

    @property
    def rows(self) -> tuple[tuple[SettingField, ...], ...]:
        """The settings of this broker, row by row as a form shows them."""

    def is_configured(self, settings: Settings) -> bool:
        """Whether the user has set anything for this broker."""

    def account(self, settings: Settings) -> str:
        """The number of the account to trade; empty if the program finds it at the broker."""

    def is_real_money(self, settings: Settings) -> bool:
        """Whether the configured account is one with real money."""

    def is_paper(self, account: str) -> bool:
        """Whether an account with this number is a paper account of the broker."""

    def enters_in_auction(self, settings: Settings) -> bool:
        """Whether entries on a paper account go into the opening auction."""

    def check(self, settings: Settings) -> None:
        """Raise Refused, with what to do, if the settings contradict each other."""

    def check_deployment(self, settings: Settings, confirmed: str) -> None:
        """The same, and for real money ``confirmed`` must be the account's number."""

"""One broker account that several agents share: whose a fill is, and whose the shares are.

Every order carries its key, and a key begins with its agent's id: that says
whose a fill is. The agents' books say whose the shares are. Shares that are in no book
are unmanaged: bought by hand, or by a program that is not ours.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from . import rules
from .order_key import OrderKey


class _Referenced(Protocol):
    @property
    def ref(self) -> str: ...


T = TypeVar("T", bound=_Referenced)
K = TypeVar("K")


def of_agent(agent_id: str, reports: Iterable[T]) -> list[T]:
    """What the account reports of one agent's orders: ``PPO_TNA_0010`` is not ``PPO_TNA_001``."""
    return [item for item in reports if OrderKey.owner(item.ref) == agent_id]


def unmanaged(positions: Mapping[K, int], books: Iterable[tuple[K, int]]) -> dict[K, int]:
    """Whole shares by symbol or contract that no agent holds; ``books`` are (symbol, shares) of each agent.

    Negative where a person sold what an agent's book still holds.
    """
    left = dict(positions)
    for symbol, shares in books:
        left[symbol] = left.get(symbol, 0) - shares
    return left


def position_of(agent_id: str, position: int, holdings: Mapping[str, int], unmanaged_shares: int) -> int:
    """The part of the account's ``position`` in a symbol that is this agent's.

    ``holdings`` are the shares of every agent on that symbol by id. Equal to the
    agent's own as long as nobody traded its shares by hand.
    """
    return position - shares_of_others(agent_id, holdings, unmanaged_shares)


def shares_of_others(agent_id: str, holdings: Mapping[str, int], unmanaged_shares: int) -> int:
    """Shares of a contract that are not this agent's: other agents' and the unmanaged ones."""
    return unmanaged_shares + sum(n for other, n in holdings.items() if other != agent_id)


def cure(symbol: str, managed: int, books: Mapping[str, int], program: str) -> str:
    """What a person does about a difference in shares. ``managed``: shares of the account without the
    unmanaged ones. ``books``: shares by agent; with several agents, the difference can be of one of them alone.
    ``program`` is where a person looks at the account."""
    total, whose = sum(books.values()), ""
    if len(books) > 1:
        whose = (
            f"the account holds {managed} {symbol} for {', '.join(sorted(books))}, whose books hold {total} together,"
            f" and only one of these agents may be the reason; "
        )
    if managed < 0:
        return f"{whose}the account is short: buy {-managed} {symbol} back by hand and sell nothing, then adopt the difference"
    if managed < total:
        left = f"of which at most {managed} can be sold by hand" if managed else "and nothing is left to sell"
        return f"{whose}compare with {program}, then adopt the difference for the agent whose shares are gone, {left}"
    return f"{whose}compare with {program}, then adopt or ignore the difference"


def unmanaged_after_split(unmanaged_shares: int, holdings: Iterable[int], ratio: float) -> int:
    """The unmanaged shares when a split is rounded once for the account and once for each agent.

    Agents are paid cash for their fractions of a share. In the account these fractions may make a
    whole share. It belongs to no book, so it becomes unmanaged.
    """
    held = list(holdings)
    whole = int(rules.whole(unmanaged_shares + sum(held), ratio))
    return whole - sum(int(rules.whole(shares, ratio)) for shares in held)

"""One broker account that several agents share: whose a fill is, and whose the shares are.

Every order carries its key, and a key begins with its agent's id: that is how
fills are told apart. Shares are told apart by the books. What no book holds is the
unmanaged rest: bought by hand, or by a program that is not ours.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from . import rules
from .order_key import OrderKey


class _Told(Protocol):
    @property
    def ref(self) -> str: ...


T = TypeVar("T", bound=_Told)
K = TypeVar("K")


def of_agent(agent_id: str, told: Iterable[T]) -> list[T]:
    """What the account reports of one agent's orders: ``PPO_TNA_0010`` is not ``PPO_TNA_001``."""
    return [item for item in told if OrderKey.owner(item.ref) == agent_id]


def unmanaged(positions: Mapping[K, int], books: Iterable[tuple[K, int]]) -> dict[K, int]:
    """Whole shares by symbol or contract that no agent holds; ``books`` are (symbol, shares) of each agent.

    Negative where a person sold what an agent's book still holds.
    """
    rest = dict(positions)
    for symbol, shares in books:
        rest[symbol] = rest.get(symbol, 0) - shares
    return rest


def position_of(agent_id: str, position: int, holdings: Mapping[str, int], rest: int) -> int:
    """The part of the account's ``position`` in a symbol that is this agent's.

    ``holdings`` are the shares of every agent on that symbol by id. Equal to the
    agent's own as long as nobody traded its shares by hand.
    """
    return position - not_of(agent_id, holdings, rest)


def not_of(agent_id: str, holdings: Mapping[str, int], rest: int) -> int:
    """Shares of a contract that are not this agent's: other agents' and the unmanaged rest."""
    return rest + sum(n for other, n in holdings.items() if other != agent_id)


def cure(symbol: str, managed: int, books: Mapping[str, int], program: str) -> str:
    """What a person does about a difference in shares. ``managed`` shares of the account are not the unmanaged
    rest, ``books`` are those of each agent: with several, not each of them misses the whole difference.
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


def rest_after_split(rest: int, holdings: Iterable[int], ratio: float) -> int:
    """The unmanaged rest when a split is rounded once for the account and once for each agent.

    A fraction that agents were paid in cash for may make up a whole share of the account: it is
    the rest's, since a book holds whole shares of its own alone.
    """
    held = list(holdings)
    whole = int(rules.whole(rest + sum(held), ratio))
    return whole - sum(int(rules.whole(shares, ratio)) for shares in held)

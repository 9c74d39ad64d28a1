"""A shared account: whose fills and whose shares."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from livetrading.core import account

SHARES = st.integers(0, 10_000)


def test_a_fill_belongs_to_the_agent_that_its_key_names_in_full() -> None:
    told = [
        SimpleNamespace(ref=r)
        for r in ("PPO_TNA_001:2024-06-03:entry:1", "PPO_TNA_0010:2024-06-03:entry:1", "PPO_TNA_001", "")
    ]
    assert account.of_agent("PPO_TNA_001", told) == told[:1]
    assert account.of_agent("", told) == told[2:]


def test_the_unmanaged_rest_is_what_no_book_holds() -> None:
    assert account.unmanaged({"TNA": 120, "INTC": 5}, [("TNA", 100), ("TNA", 30), ("AAPL", 1)]) == {
        "TNA": -10,
        "INTC": 5,
        "AAPL": -1,
    }


@given(st.dictionaries(st.text("ab", min_size=1), SHARES, min_size=1), st.integers(-50, 5_000))
def test_each_agent_is_told_its_own_shares_of_the_accounts(holdings: dict[str, int], rest: int) -> None:
    position = rest + sum(holdings.values())
    assert {a: account.position_of(a, position, holdings, rest) for a in holdings} == holdings


@given(st.lists(SHARES, max_size=10), SHARES, st.sampled_from([2.0, 1.5, 0.5, 0.1, 1 / 3, 7.0]))
def test_a_split_makes_no_shares_but_those_of_the_account(held: list[int], rest: int, ratio: float) -> None:
    after = account.unmanaged_after_split(rest, held, ratio)
    each = [int(n * ratio + 1e-9) for n in held]
    assert after + sum(each) == int((rest + sum(held)) * ratio + 1e-9)
    assert 0 <= after - int(rest * ratio + 1e-9) <= len(held)

"""What every broker must do, as tests: a broker's own test file derives a class and makes its world."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from livetrading.adapters.brokers.base import Broker
from livetrading.core.errors import BadInput
from livetrading.core.orders import OrderState
from tests.doubles.ibkr import NOW, await_that, entry, exit_, other, stop


@dataclass
class World:
    """A broker and the market behind it. ``opens`` plays an open at this price, ``falls`` a low."""

    broker: Broker
    opens: Callable[[float], None]
    falls: Callable[[float], None]

    def becomes(self, ref: str, wanted: OrderState) -> None:
        def state() -> OrderState | None:
            found = self.broker.find(ref)
            return found.state if found else None

        await_that(lambda: state() == wanted, f"{ref} {wanted}, not {state()}")

    def holding(self) -> "World":
        """Bought at 100, with the stop of ``stop()``."""
        self.broker.submit(entry(), stop(), NOW)
        self.opens(100.0)
        self.becomes(entry().ref, OrderState.FILLED)
        await_that(lambda: self.broker.position() == 10, "the position")
        return self


class BrokerSuite:
    """Derive it and define the fixture ``world``."""

    @pytest.fixture
    def world(self) -> World:
        raise NotImplementedError

    def test_what_was_sent_is_found_by_its_key(self, world: World) -> None:
        sent = world.broker.submit(entry(), stop(), NOW)
        found = world.broker.find(entry().ref)
        assert found is not None and sent.broker_id == found.broker_id != ""
        assert (found.ref, found.state, found.side, found.qty, found.filled) == (
            entry().ref,
            OrderState.NEW,
            "BUY",
            10,
            0,
        )

    def test_a_key_that_was_never_sent_is_found_nowhere(self, world: World) -> None:
        assert world.broker.find(entry().ref) is None

    def test_only_whole_shares_are_taken(self, world: World) -> None:
        with pytest.raises(BadInput, match="whole shares"):
            world.broker.submit(other(entry(), qty=0), None, NOW)
        assert world.broker.find(entry().ref) is None

    def test_a_fill_is_reported_once_under_its_key_and_moves_the_position(self, world: World) -> None:
        world.holding()
        for _ in range(2):
            (fill,) = world.broker.executions()
            assert (fill.ref, fill.qty) == (entry().ref, 10) and fill.exec_id and fill.price > 0 and fill.fee >= 0
        assert world.broker.position() == 10

    def test_the_stop_of_an_entry_works_from_its_fill_on_and_sells_once(self, world: World) -> None:
        world.holding().falls(80.0)
        world.becomes(stop().ref, OrderState.FILLED)
        await_that(lambda: world.broker.position() == 0, "the sale")
        assert sorted(e.ref for e in world.broker.executions()) == sorted([entry().ref, stop().ref])

    def test_a_cancelled_entry_buys_nothing_and_takes_its_stop_along(self, world: World) -> None:
        world.broker.submit(entry(), stop(), NOW)
        world.broker.cancel(entry().ref, NOW)
        world.becomes(entry().ref, OrderState.CANCELED)
        world.becomes(stop().ref, OrderState.CANCELED)
        world.opens(100.0)
        assert (world.broker.position(), world.broker.executions()) == (0, [])

    def test_a_cancelled_stop_lets_the_exit_sell_all(self, world: World) -> None:
        world.holding().broker.cancel(stop().ref, NOW)
        world.becomes(stop().ref, OrderState.CANCELED)
        world.broker.submit(exit_(), None, NOW)
        world.opens(101.0)
        world.becomes(exit_().ref, OrderState.FILLED)
        await_that(lambda: world.broker.position() == 0, "the sale")

    def test_its_own_orders_are_no_strangers(self, world: World) -> None:
        world.holding()
        assert world.broker.unknown([entry().ref, stop().ref]) == [] and world.broker.unanswered() == ()

"""The test broker passes what every broker must."""

from pathlib import Path

import pytest

from livetrading.adapters.home import Home
from livetrading.core.types import Costs
from livetrading.adapters.brokers.connection import Seat
from tests.doubles.broker_suite import BrokerSuite, World
from tests.doubles.ibkr import AGENT, NOW

from .broker import ShelfBroker, ShelfConnection, Stock, exchange_of
from .exchange import ACCOUNT


class TestShelf(BrokerSuite):
    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        connection = ShelfConnection(exchange_of(Home.resolve(str(tmp_path))), "", lambda: NOW)
        seat = Seat(AGENT, ACCOUNT, "", Stock("TNA"), Costs(), lambda ref: 0, lambda: 0, lambda: (0, 0))
        return World(
            ShelfBroker(connection, seat),
            opens=lambda price: connection.exchange.opens("TNA", price, NOW),
            falls=lambda low: connection.exchange.falls("TNA", low, NOW),
        )

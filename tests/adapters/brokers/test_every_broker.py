"""The simulated broker and Interactive Brokers pass what every broker must."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from livetrading.adapters.brokers.paper import PaperBroker
from livetrading.adapters.calendar import calendar
from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.core.rules import Quote
from livetrading.core.types import Costs
from tests.doubles.broker_suite import BrokerSuite, World
from tests.doubles.ibkr import NOW, broker, connected
from tests.doubles.tws import TwsDouble


class TestPaper(BrokerSuite):
    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        paper = PaperBroker(Store(Home.resolve(str(tmp_path))), tmp_path / "paper.json", Costs())
        sessions = iter(calendar().sessions(NOW.date() + timedelta(days=1), date(NOW.year, 12, 31)))

        def bar(opened: float, low: float) -> None:
            session = next(sessions)
            quote = Quote(*map(np.float64, (opened, low, opened, opened, 0.0, 1.0, 0.0, 0.0, 0.0)))
            paper.advance(session.isoformat(), calendar().open_at(session), quote)

        return World(paper, opens=lambda price: bar(price, price), falls=lambda low: bar(100.0, low))


class TestIbkr(BrokerSuite):
    @pytest.fixture
    def world(self) -> Iterator[World]:
        with TwsDouble(clock=lambda: NOW) as tws, connected(tws) as connection:

            def opens(price: float) -> None:
                tws.happen(lambda ledger: [e for trade in (ledger.auction, ledger.market) for e in trade("TNA", price)])

            def falls(low: float) -> None:
                for order in [o for o in tws.ledger.open_orders() if o.type == "STP" and low <= o.aux]:
                    tws.happen(lambda ledger, o=order: ledger.fill(o, o.remaining, o.aux))

            yield World(broker(connection), opens, falls)

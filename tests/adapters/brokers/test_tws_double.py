"""The double speaks the protocol, and not our wishes: two clients that others wrote say so."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest

from tests.doubles.ibkr import NOW, VERSIONS, await_that
from tests.doubles.tws import Fault, TwsDouble

BARS = [("20240603", 1.0, 2.0, 0.5, 1.5, 100, 1.2, 10), ("20240604", 1.5, 2.5, 1.0, 2.0, 200, 1.7, 20)]


@pytest.fixture(params=VERSIONS)
def tws(request: pytest.FixtureRequest) -> Iterator[TwsDouble]:
    with TwsDouble(request.param, clock=lambda: NOW) as double:
        double.bars["AAPL", "1 day", "TRADES"] = BARS
        yield double


# -- the official client, which knows versions up to 157 -------------------------


def _witness():
    ibapi = pytest.importorskip("ibapi.client")
    from ibapi.wrapper import EWrapper

    class Witness(EWrapper, ibapi.EClient):
        """Notes every callback that the double's messages cause."""

        def __init__(self) -> None:
            ibapi.EClient.__init__(self, self)
            self.seen: dict[str, list[tuple]] = {}

        def __getattribute__(self, name: str):
            if name in NOTED:
                return lambda *a: self.seen.setdefault(name, []).append(a)
            return super().__getattribute__(name)

    return Witness()


NOTED = frozenset(
    {
        "nextValidId",
        "managedAccounts",
        "error",
        "position",
        "positionEnd",
        "contractDetails",
        "contractDetailsEnd",
        "historicalData",
        "historicalDataEnd",
        "openOrder",
        "openOrderEnd",
        "orderStatus",
        "execDetails",
        "execDetailsEnd",
        "commissionReport",
        "completedOrder",
        "completedOrdersEnd",
        "accountSummary",
        "accountSummaryEnd",
        "updatePortfolio",
        "updateAccountValue",
        "accountDownloadEnd",
        "currentTime",
    }
)


@pytest.fixture
def witness(tws: TwsDouble):
    logging.getLogger("ibapi").setLevel(logging.CRITICAL)
    client = _witness()
    client.connect("127.0.0.1", tws.port, 5)
    thread = threading.Thread(target=client.run, daemon=True)
    thread.start()
    await_that(lambda: "nextValidId" in client.seen and "managedAccounts" in client.seen)
    yield client
    client.done = True
    client.disconnect()
    thread.join(5)


def _contract():
    from ibapi.contract import Contract

    c = Contract()
    c.symbol, c.secType, c.exchange, c.currency = "AAPL", "STK", "SMART", "USD"
    return c


def _order(order_id: int, **values):
    from ibapi.order import Order

    o = Order()
    for name, value in {"totalQuantity": 10, "eTradeOnly": False, "firmQuoteOnly": False, **values}.items():
        setattr(o, name, value)
    return o


def test_the_official_client_shakes_hands_and_reads_the_account(witness, tws):
    witness.reqPositions()
    witness.reqAccountUpdates(True, "DU1234567")
    witness.reqAccountSummary(9, "All", "NetLiquidation")
    witness.reqCurrentTime()
    await_that(lambda: {"positionEnd", "accountDownloadEnd", "accountSummaryEnd", "currentTime"} <= set(witness.seen))
    assert witness.seen["managedAccounts"] == [("DU1234567",)]
    assert ("NetLiquidation", "100000.00", "USD", "DU1234567") in witness.seen["updateAccountValue"]
    assert witness.serverVersion() == 157


def test_the_official_client_reads_contracts_and_bars(witness, tws):
    witness.reqContractDetails(1, _contract())
    witness.reqHistoricalData(2, _contract(), "", "2 D", "1 day", "TRADES", 1, 1, False, [])
    await_that(lambda: {"contractDetailsEnd", "historicalDataEnd"} <= set(witness.seen))
    details = witness.seen["contractDetails"][0][1]
    assert (details.contract.conId, details.contract.primaryExchange, details.minTick) == (265598, "NASDAQ", 0.01)
    assert (details.longName, details.stockType) == ("AAPL INC", "COMMON")
    assert [(b.date, b.close, b.volume) for _, b in witness.seen["historicalData"]] == [
        ("20240603", 1.5, 100),
        ("20240604", 2.0, 200),
    ]


def test_the_official_client_follows_a_bracket_from_the_auction_to_the_stop(witness, tws):
    first = witness.seen["nextValidId"][0][0]
    witness.placeOrder(
        first, _contract(), _order(first, action="BUY", orderType="MKT", tif="OPG", orderRef="A:1", transmit=False)
    )
    child = _order(first + 1, action="SELL", orderType="STP", auxPrice=90.0, tif="GTC", orderRef="A:2", parentId=first)
    witness.placeOrder(first + 1, _contract(), child)
    await_that(lambda: len(witness.seen.get("orderStatus", [])) == 2)
    tws.happen(lambda ledger: ledger.auction("AAPL", 100.5, 4))
    tws.happen(lambda ledger: ledger.auction("AAPL", 101.0))
    tws.happen(lambda ledger: ledger.market("AAPL", 89.0))
    await_that(lambda: len(witness.seen.get("commissionReport", [])) == 3)
    witness.reqCompletedOrders(False)
    witness.reqExecutions(7, __import__("ibapi.execution", fromlist=["x"]).ExecutionFilter())
    witness.reqAllOpenOrders()
    await_that(lambda: {"completedOrdersEnd", "execDetailsEnd", "openOrderEnd"} <= set(witness.seen))
    orders = {o.orderRef: (o.action, o.tif, o.auxPrice, o.parentId) for _, _, o, _ in witness.seen["openOrder"]}
    assert orders["A:1"][:2] == ("BUY", "OPG") and orders["A:2"] == ("SELL", "GTC", 90.0, first)
    states = [(a[0], a[1], a[2]) for a in witness.seen["orderStatus"]]
    assert (
        (first, "Submitted", 4.0) in states
        and (first, "Filled", 10.0) in states
        and (first + 1, "Filled", 10.0) in states
    )
    fills = [(e.orderRef, e.side, e.shares, e.price, e.cumQty) for _, _, e in witness.seen["execDetails"][:3]]
    assert fills == [
        ("A:1", "BOT", 4.0, 100.5, 4.0),
        ("A:1", "BOT", 6.0, 101.0, 10.0),
        ("A:2", "SLD", 10.0, 89.0, 10.0),
    ]
    done = {o.orderRef: (s.status, o.permId > 0, s.completedStatus) for _, o, s in witness.seen["completedOrder"]}
    assert done == {"A:1": ("Filled", True, "Filled Size: 10"), "A:2": ("Filled", True, "Filled Size: 10")}
    assert [a[1].conId for a in witness.seen.get("position", [])] == []  # it never subscribed


def test_the_official_client_reads_the_errors(witness, tws):
    first = witness.seen["nextValidId"][0][0]
    unknown = _contract()
    unknown.symbol = "NOSUCH"
    witness.placeOrder(first, unknown, _order(first, action="BUY", orderType="MKT", tif="DAY"))
    witness.cancelOrder(99)
    witness.placeOrder(
        first + 1, _contract(), _order(first + 1, action="SELL", orderType="STP", auxPrice=1.0, parentId=77)
    )
    tws.fail(Fault("reject", only=lambda f: f[1] == str(first + 2)))
    witness.placeOrder(first + 2, _contract(), _order(first + 2, action="BUY", orderType="MKT", tif="DAY"))
    codes = await_that(lambda: (c := {a[0]: a[1] for a in witness.seen.get("error", [])}) and len(c) >= 5 and c)
    assert (codes[first], codes[99], codes[first + 1], codes[first + 2]) == (200, 10147, 10006, 201)


# -- ib_async, at both versions ----------------------------------------------------


def test_ib_async_decodes_every_message_at_both_versions(tws, caplog):
    from ib_async import IB, Order, Stock

    async def live() -> tuple:
        ib = IB()
        ib.RaiseRequestErrors = True
        await ib.connectAsync("127.0.0.1", tws.port, 17, timeout=30, raiseSyncErrors=True)
        (details,) = await ib.reqContractDetailsAsync(Stock("TNA", "SMART", "USD"))
        first = ib.client.getReqId()
        ib.placeOrder(
            details.contract,
            Order(
                orderId=first,
                action="BUY",
                totalQuantity=10,
                orderType="MKT",
                tif="OPG",
                orderRef="A:1",
                transmit=False,
            ),
        )
        second = ib.client.getReqId()
        trade = ib.placeOrder(
            details.contract,
            Order(
                orderId=second,
                action="SELL",
                totalQuantity=10,
                orderType="STP",
                auxPrice=90.0,
                tif="GTC",
                orderRef="A:2",
                parentId=first,
            ),
        )
        while trade.orderStatus.status != "PreSubmitted":
            await ib.updateEvent
        tws.happen(lambda ledger: ledger.auction("TNA", 100.5))
        while trade.orderStatus.whyHeld != "trigger":
            await ib.updateEvent
        opened = await ib.reqAllOpenOrdersAsync()
        done = await ib.reqCompletedOrdersAsync(False)
        fills = await ib.reqExecutionsAsync()
        held = await ib.reqPositionsAsync()
        ib.disconnect()
        return details, opened, done, fills, held

    with caplog.at_level(logging.ERROR, logger="ib_async"):
        details, opened, done, fills, held = asyncio.run(live())
    assert not caplog.records
    assert details.contract.primaryExchange == "ARCA"
    assert [(t.order.orderRef, t.order.parentId > 0, t.orderStatus.status) for t in opened] == [
        ("A:2", True, "PreSubmitted")
    ]
    assert [(t.order.orderRef, t.order.orderId, t.order.filledQuantity, t.orderStatus.status) for t in done] == [
        ("A:1", 0, 10.0, "Filled")
    ]
    assert [(f.execution.orderRef, f.execution.cumQty) for f in fills] == [("A:1", 10.0)]
    assert [(p.contract.symbol, p.position) for p in held] == [("TNA", 10.0)]
    fields = len(tws.orders_reported()[0].fields)
    assert fields == {157: 110, 178: 114}[tws.version]

"""Orders through the real ib_async over a real socket, at both server versions."""

from collections.abc import Iterator

import pytest

from livetrading.adapters.brokers.ibkr.broker import IbkrBroker, IbkrConnection
from livetrading.core.errors import BadInput, NotFound, Refused, Unavailable
from livetrading.core.orders import OrderState
from tests.doubles.ibkr import AGENT, NOW, VERSIONS, await_that, broker, connected, entry, exit_, impatient, other, stop
from tests.doubles.tws import Fault, Listing, TwsDouble


@pytest.fixture(params=VERSIONS)
def tws(request: pytest.FixtureRequest) -> Iterator[TwsDouble]:
    with TwsDouble(request.param, clock=lambda: NOW) as double:
        yield double


@pytest.fixture
def connection(tws: TwsDouble) -> Iterator[IbkrConnection]:
    with connected(tws) as ready:
        yield ready


@pytest.fixture
def tna(connection: IbkrConnection) -> IbkrBroker:
    return broker(connection)


def state(tna: IbkrBroker, ref: str) -> OrderState | None:
    found = tna.find(ref)
    return found.state if found else None


def becomes(tna: IbkrBroker, ref: str, wanted: OrderState) -> None:
    await_that(lambda: state(tna, ref) == wanted, f"{ref} {wanted}")


# -- sending ---------------------------------------------------------------------


def test_an_entry_leaves_with_its_stop_under_keys_that_the_broker_carries(tws, tna):
    answer = tna.submit(entry(), stop(), NOW)
    assert (answer.state, answer.ref, int(answer.broker_id) > 0) == (OrderState.NEW, entry().ref, True)
    first, second = (h.fields for h in tws.orders_reported())
    named = {
        "side": 16,
        "qty": 17,
        "type": 18,
        "trigger": 20,
        "tif": 21,
        "account": 23,
        "ref": 26,
        "transmit": 27,
        "outside": 33,
    }
    assert {k: first[i] for k, i in named.items()} == {
        "side": "BUY",
        "qty": "10",
        "type": "MKT",
        "trigger": "",
        "tif": "OPG",
        "account": "DU1234567",
        "ref": entry().ref,
        "transmit": "0",
        "outside": "0",
    }
    assert {k: second[i] for k, i in named.items()} == {
        "side": "SELL",
        "qty": "10",
        "type": "STP",
        "trigger": "90.03",
        "tif": "GTC",
        "account": "DU1234567",
        "ref": stop().ref,
        "transmit": "1",
        "outside": "0",
    }
    assert second[28] == first[1]  # the parent
    assert (first[2], first[9], first[10]) == ("38708990", "SMART", "ARCA")


def test_sent_is_said_only_after_a_permid(tws, connection, tna):
    tws.fail(Fault("swallow"))
    with impatient(connection, acknowledge=0.3), pytest.raises(Unavailable, match="sent nothing"):
        tna.submit(exit_(), None, NOW)
    assert tna.find(exit_().ref) is None


def test_an_order_that_arrived_in_silence_is_found_and_not_sent_again(tws, connection, tna):
    tws.fail(Fault("mute", skip=1))
    with impatient(connection, acknowledge=0.3):
        answer = tna.submit(entry(), stop(), NOW)
    assert answer.state == OrderState.NEW and len(tws.orders_reported()) == 2


def test_fractions_of_a_share_never_reach_the_wire(tws, tna):
    for qty in (0, -1, 2.5):
        with pytest.raises(BadInput, match="whole shares"):
            tna.submit(other(entry(), qty=qty), None, NOW)
    assert tws.order_bytes() == 0


@pytest.mark.parametrize(
    ("price", "sent"), [(90.037, "90.03"), (90.03, "90.03"), (0.56789, "0.5678"), (1.0, "1.0"), (18.123456, "18.12")]
)
def test_a_trigger_is_rounded_down_to_the_tick(tws, tna, price, sent):
    tna.submit(stop(price=price), None, NOW)
    assert tws.orders_reported()[0].fields[20] == sent


# -- what becomes of them ----------------------------------------------------------


def test_an_auction_fills_the_entry_and_wakes_its_stop(tws, tna):
    tna.submit(entry(), stop(), NOW)
    tws.happen(lambda ledger: ledger.auction("TNA", 100.5, 4))
    becomes(tna, entry().ref, OrderState.PARTIALLY_FILLED)
    tws.happen(lambda ledger: ledger.auction("TNA", 101.0))
    becomes(tna, entry().ref, OrderState.FILLED)
    fills = tna.executions()
    assert [(e.ref, e.qty, e.price, e.fee, e.final) for e in fills] == [
        (entry().ref, 4, 100.5, 1.0, True),
        (entry().ref, 6, 101.0, 1.0, True),
    ]
    assert len({e.exec_id for e in fills}) == 2
    assert (tna.position(), state(tna, stop().ref)) == (10, OrderState.NEW)
    tws.happen(lambda ledger: ledger.market("TNA", 90.0))
    becomes(tna, stop().ref, OrderState.FILLED)
    assert tna.position() == 0


def test_a_cancelled_stop_is_cancelled_by_the_brokers_word(tws, tna):
    tna.submit(stop(), None, NOW)
    tna.cancel(stop().ref, NOW)
    found = tna.find(stop().ref)
    assert (found.state, found.reason[:6]) == (OrderState.CANCELED, "IB 202")
    tna.cancel(stop().ref, NOW)  # again changes nothing
    tna.cancel("never seen", NOW)


def test_cancelling_an_entry_takes_its_waiting_stop_along(tws, tna):
    tna.submit(entry(), stop(), NOW)
    tna.cancel(entry().ref, NOW)
    assert (state(tna, entry().ref), state(tna, stop().ref)) == (OrderState.CANCELED, OrderState.CANCELED)


def test_a_refused_or_pending_cancel_leaves_the_order_working(tws, tna):
    tna.submit(stop(), None, NOW)
    tws.fail(Fault("refuse", message=4))
    tna.cancel(stop().ref, NOW)
    assert state(tna, stop().ref) == OrderState.NEW
    tws.fail(Fault("stall", message=4))
    tna.cancel(stop().ref, NOW)
    assert state(tna, stop().ref) == OrderState.PENDING_CANCEL
    assert len([h for h in tws.received if h.id == 4]) == 2  # what IB works on is not asked again


def test_a_cancel_that_got_lost_is_asked_again(tws, tna):
    tna.submit(stop(), None, NOW)
    tws.fail(Fault("swallow", message=4))
    tna.cancel(stop().ref, NOW)
    assert state(tna, stop().ref) == OrderState.CANCELED
    assert len([h for h in tws.received if h.id == 4]) == 2


def test_many_orders_are_cancelled_at_once(tws, connection, tna):
    refs = []
    for n in range(1, 9):
        tna.submit(stop(n=n), None, NOW)
        refs.append(stop(n=n).ref)
    tws.fail(Fault("refuse", message=4, skip=2))
    assert connection.cancel(refs) == [refs[2]]
    assert connection.cancel(refs) == []


def test_an_order_of_another_client_does_not_keep_ours_from_being_cancelled(tws, connection, tna):
    tna.submit(stop(), None, NOW)
    with connected(tws, client_id=18) as second:
        broker(second).submit(stop(n=2), None, NOW)
        connection.read_account()
        assert connection.cancel([stop(n=2).ref, stop().ref]) == [stop(n=2).ref]
    assert state(tna, stop().ref) == OrderState.CANCELED


def test_a_cancel_that_crosses_a_fill_ends_as_filled(tws, tna):
    tna.submit(stop(), None, NOW)
    tws.happen(lambda ledger: ledger.market("TNA", 80.0))
    tna.cancel(stop().ref, NOW)
    assert state(tna, stop().ref) == OrderState.FILLED


def test_a_market_on_open_that_missed_the_auction_ends_by_the_brokers_word(tws, tna):
    tna.submit(entry(), stop(), NOW)
    tws.happen(lambda ledger: ledger.expire(entry().ref))
    becomes(tna, entry().ref, OrderState.CANCELED)
    assert state(tna, stop().ref) == OrderState.CANCELED


def test_an_order_of_another_client_is_seen_but_not_cancelled_by_us(tws, tna):
    tna.submit(stop(), None, NOW)
    with connected(tws, client_id=18) as second:
        seen = broker(second)
        assert state(seen, stop().ref) == OrderState.NEW
        with pytest.raises(Refused, match="client id 17"):
            seen.cancel(stop().ref, NOW)


def test_global_cancel_happens_on_the_explicit_word_alone(tws, connection, tna):
    tna.submit(stop(), None, NOW)
    aapl = broker(connection, "PPO_AAPL_001", "AAPL")
    aapl.submit(stop(agent_id="PPO_AAPL_001"), None, NOW)
    assert len(connection.open_orders()) == 2
    assert not [h for h in tws.received if h.id == 58]
    connection.cancel_everything()
    assert connection.open_orders() == []


# -- refusals ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reject", "reject_inactive"])
def test_a_rejected_order_says_so_with_ibs_words(tws, tna, kind):
    tws.fail(Fault(kind, text="Order rejected - reason:Exchange is closed"))
    answer = tna.submit(exit_(tif="OPG"), None, NOW)
    assert (answer.state, "Exchange is closed" in answer.reason) == (OrderState.REJECTED, True)


def test_a_refusal_that_leaves_no_trace_stays_unknown_and_is_not_repeated_at_once(tws, tna):
    tws.fail(Fault("vanish"))
    with pytest.raises(Unavailable, match="sent error 201"):
        tna.submit(exit_(), None, NOW)
    with pytest.raises(Unavailable, match="not sent again so soon"):
        tna.submit(exit_(), None, NOW)
    assert len(tws.orders_reported()) == 1 and tna.find(exit_().ref) is None


@pytest.mark.parametrize("kind", ["reject", "reject_inactive", "reject_held", "vanish"])
@pytest.mark.parametrize("skip", [0, 1])
def test_a_refused_pair_goes_as_an_entry_alone_and_never_twice(tws, connection, tna, kind, skip):
    """The first or the second message of the pair is refused; the stop then follows on the fill."""
    tws.fail(Fault(kind, skip=skip))
    assert tna.submit(entry(), stop(), NOW).state == OrderState.NEW
    assert state(tna, stop().ref) in (None, OrderState.CANCELED, OrderState.REJECTED)
    assert tws.ledger.on_sale("TNA") == 0
    tws.happen(lambda ledger: ledger.auction("TNA", 100.0))
    becomes(tna, entry().ref, OrderState.FILLED)
    assert tws.ledger.holds("TNA") == 10
    assert not connection.orders.pairs  # the next entry goes alone at once
    tna.submit(stop(n=2), None, NOW)
    assert tws.ledger.on_sale("TNA") == 10


def test_an_entry_that_filled_at_once_is_not_bought_again_whatever_is_said_about_its_stop(tws, connection, tna):
    """The answer is what IB has said by then; the fill may follow a moment after the permId."""
    tws.fills_at = 100.0
    tws.fail(Fault("grumble", skip=1))
    answer = tna.submit(other(entry(), tif="DAY"), stop(), NOW)
    assert answer.state in (OrderState.NEW, OrderState.PARTIALLY_FILLED, OrderState.FILLED)
    becomes(tna, entry().ref, OrderState.FILLED)
    connection.read_account()
    assert (tna.find(entry().ref).filled, tna.position(), tws.ledger.holds("TNA")) == (10, 10, 10)
    assert len(tws.orders_reported()) == 2 and connection.orders.pairs


def test_an_order_id_that_is_taken_is_replaced_by_one_far_behind(tws, tna):
    tws.complain(17, 1000, 103, "Duplicate order id")
    tws.fail(Fault("swallow", only=lambda f: f[1] == "1000"))
    answer = tna.submit(exit_(), None, NOW)
    assert answer.state == OrderState.NEW


# -- identity ----------------------------------------------------------------------


def test_executions_are_given_until_the_book_holds_them(tws, connection, tna):
    tna.submit(entry(), stop(), NOW)
    tws.happen(lambda ledger: ledger.auction("TNA", 100.5, 4))
    tws.happen(lambda ledger: ledger.auction("TNA", 101.0))
    becomes(tna, entry().ref, OrderState.FILLED)
    booked = broker(connection, booked=lambda ref: 4 if ref == entry().ref else 0)
    assert [(e.qty, e.price) for e in booked.executions()] == [(6, 101.0)]
    other_agent = broker(connection, "PPO_TNA_002")
    assert other_agent.executions() == []


def test_a_commission_that_never_comes_is_estimated_and_said_to_be(tws, connection, tna):
    tws.commissions = False
    tna.submit(exit_(400), None, NOW)
    tws.happen(lambda ledger: ledger.market("TNA", 100.0))
    with impatient(connection, commission=0.1):
        (fill,) = await_that(tna.executions)
    assert (fill.fee, fill.final) == (
        pytest.approx(2.0 + 40_000 * 27.80 / 1e6 + 400 * 0.000166),
        False,
    )  # a sale pays SEC and FINRA


def test_an_agents_position_leaves_out_what_is_not_its_own(tws, connection):
    tws.ledger.positions[38708990] = (25.0, 90.0)
    connection.read_account()
    assert broker(connection).position() == 25
    assert broker(connection, others=lambda: 15).position() == 10
    assert connection.positions() == {38708990: 25}


def test_a_symbol_is_found_on_its_primary_exchange(connection):
    tna = connection.instrument("TNA")
    assert (tna.con_id, tna.primary, tna.min_tick) == (38708990, "ARCA", 0.01)
    with pytest.raises(NotFound, match="not know a stock NOSUCH"):
        connection.instrument("NOSUCH")


def test_another_contract_under_the_same_symbol_is_refused(tws, connection):
    assert connection.instrument("TNA", 38708990).con_id == 38708990
    with pytest.raises(Refused, match="was contract 1 and is 38708990 now"):
        connection.instrument("TNA", 1)
    tws.listed.append(Listing(99, "TNA", "PINK"))
    with pytest.raises(Refused, match="ARCA, PINK"):
        connection.instrument("TNA")
    assert connection.instrument("TNA", primary="PINK").con_id == 99
    assert connection.instrument("TNA", 38708990).primary == "ARCA"


def test_the_account_is_valued_by_the_broker(connection):
    figures = connection.account()
    assert (figures.number, figures.net_liquidation, figures.currency, figures.cash_usd) == (
        "DU1234567",
        100_000.0,
        "USD",
        100_000.0,
    )


# -- the account -------------------------------------------------------------------


def test_a_broker_without_a_gate_cannot_be_made(connection, tna):
    with pytest.raises(TypeError, match="gate"):
        IbkrBroker(connection, AGENT, tna.instrument)


def test_a_gate_that_refuses_lets_no_byte_of_an_order_out(tws, connection, tna):
    def closed(number: str) -> None:
        raise Refused(f"TWS trades {number}.")

    before = tws.order_bytes()
    shut = IbkrBroker(connection, AGENT, tna.instrument, gate=closed)
    for act in (lambda: shut.submit(entry(), stop(), NOW), lambda: shut.cancel(entry().ref, NOW), shut.position):
        with pytest.raises(Refused, match="TWS trades DU"):
            act()
    assert tws.order_bytes() == before

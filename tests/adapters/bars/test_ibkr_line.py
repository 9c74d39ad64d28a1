"""A connection of its own for bars: read by any process, and nothing can be ordered through it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.bars import BarSet, ask_once, open_source
from livetrading.adapters.bars.agreement import TOLERANCE, tolerance, undecidable
from livetrading.adapters.bars.background import BackgroundSource
from livetrading.adapters.bars.sample import SampleSource
from livetrading.adapters.brokers.ibkr import account_gates, bar_line
from livetrading.adapters.brokers.ibkr.bar_line import OwnLine
from livetrading.adapters.brokers.ibkr.bars import IbkrSource
from livetrading.adapters.brokers.ibkr.broker import IbkrBroker, IbkrConnection
from livetrading.adapters.brokers.ibkr.orders import Instrument
from livetrading.adapters.calendar import calendar
from livetrading.cli.main import main
from livetrading.core.errors import BadBars, Refused, Unavailable
from livetrading.core.features import PRICE_SET, READS_VOLUME
from livetrading.execution.state import bar_check
from livetrading.execution.state.bar_series import Series
from tests.doubles.ibkr import NOW, VERSIONS, any_account, await_that, config, connected, entry, exit_, stop
from tests.doubles.ibkr_bars import Events, as_traded, ibs
from tests.doubles.models import make_card
from tests.doubles.tws import TwsDouble
from tests.doubles.tws.ledger import Listing
from tests.doubles.yahoo import YahooDouble, yahoo_at

REAL = "U7654321"
EVENING = datetime(2024, 6, 3, 20, 30, tzinfo=UTC)
CONNECT, BARS, CONTRACT = 71, 20, 9


@pytest.fixture(params=VERSIONS)
def tws(request: pytest.FixtureRequest) -> Iterator[TwsDouble]:
    with TwsDouble(request.param) as double:
        double.bars["AAPL", "1 day", "TRADES"] = ibs(as_traded())
        yield double


@pytest.fixture
def yahoo() -> Iterator[YahooDouble]:
    double = YahooDouble()
    double.serve("AAPL", as_traded())
    with yahoo_at(double.url):
        yield double
    double.close()


@pytest.fixture
def home(tmp_path: Path, tws: TwsDouble) -> Path:
    """A home whose settings lead to the double."""
    (tmp_path / "settings.toml").write_text(f'ibkr_port = {tws.port}\nibkr_restart = ""\n')
    return tmp_path


def asked(tws: TwsDouble, message: int) -> list[tuple[str, ...]]:
    return tws.do(lambda: [h.fields for h in tws.received if h.id == message])


def nobody_left(tws: TwsDouble) -> None:
    await_that(lambda: not tws.do(lambda: list(tws.sessions)), "the line is closed")


# -- the line ---------------------------------------------------------------


def test_one_question_makes_a_connection_of_its_own_and_leaves_none(home, tws, yahoo):
    bars = ask_once("ibkr", home / "cache", "AAPL", now=EVENING)
    assert (bars.source, bars.vendor, len(bars.frame)) == ("ibkr", "ibkr", 520)
    assert [fields[2] for fields in asked(tws, CONNECT)] == ["19"]  # the scheduler has 17, tests of the connection 18
    assert [fields[17] for fields in asked(tws, BARS)] == ["20 Y"]
    assert tws.order_bytes() == 0
    nobody_left(tws)


def test_a_deployment_asks_for_as_much_as_an_evening_does_and_leaves_no_connection(home, tws, yahoo):
    reach, _ = bar_check.read("ibkr", home / "cache", "AAPL", EVENING)
    assert reach.current and reach.source == "ibkr"
    assert [fields[17] for fields in asked(tws, BARS)] == ["3 Y"]
    nobody_left(tws)


def test_a_source_connects_at_its_first_question_and_all_of_a_process_share_the_line(home, tws, yahoo):
    first, second = open_source("ibkr", home / "cache"), open_source("ibkr", home / "cache")
    assert first.name == "ibkr" and asked(tws, CONNECT) == []
    try:
        for source in (first, second):
            assert source.daily("AAPL", now=EVENING).vendor == "ibkr"
        assert len(asked(tws, CONNECT)) == 1
    finally:
        bar_line.shared_line(home / "cache").close()
    nobody_left(tws)
    assert second.daily("AAPL", now=EVENING).vendor == "ibkr"  # a closed line is made anew
    bar_line.shared_line(home / "cache").close()


def test_with_a_feed_no_second_connection_is_made(home, tws, yahoo):
    with connected(tws) as feed:
        assert open_source("ibkr", home / "cache", feed).daily("AAPL", now=EVENING).vendor == "ibkr"
        assert [fields[2] for fields in asked(tws, CONNECT)] == ["17"]
        assert [fields[17] for fields in asked(tws, BARS)] == ["3 Y"]


def test_two_readers_at_once_take_client_ids_of_their_own(tws):
    with OwnLine(config(tws)) as one, OwnLine(config(tws)) as other:
        assert one.instrument("AAPL") == other.instrument("AAPL")
        assert sorted(s.client_id for s in tws.do(lambda: list(tws.sessions))) == [17, 18]


def test_a_silent_port_is_unavailable_with_the_cure(home, tws, yahoo):
    tws.close_port()
    with pytest.raises(Unavailable, match="does not answer.*start TWS or Gateway and log in"):
        ask_once("ibkr", home / "cache", "AAPL", now=EVENING)


def test_settings_that_disagree_are_refused_with_the_cure(home, tws, yahoo):
    (home / "settings.toml").write_text(f'ibkr_port = {tws.port}\nibkr_mode = "live"\nibkr_account = "{REAL}"\n')
    with pytest.raises(Refused, match="no known live port"):
        ask_once("ibkr", home / "cache", "AAPL", now=EVENING)
    assert asked(tws, CONNECT) == []


def test_a_line_that_was_lost_is_made_again(tws):
    with OwnLine(config(tws)) as line:
        aapl = line.instrument("AAPL")
        tws.close_port()
        await_that(lambda: not line._connection.health().ready, "the loss is noticed")
        with pytest.raises(Unavailable):
            line.bars(aapl, "1 day", "3 Y")
        tws.open_port()
        await_that(lambda: line._connection.health().ready, "connected again")
        assert len(line.bars(aapl, "1 day", "3 Y")) == 520


def test_a_process_that_leaves_the_line_open_ends_at_once_and_quietly(home, tws, yahoo):
    script = (
        "import sys\nfrom pathlib import Path\nfrom livetrading.adapters.brokers.ibkr.bar_line import shared_line\n"
        "print(shared_line(Path(sys.argv[1]) / 'cache').instrument('AAPL').con_id)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(home)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "265598", "")
    nobody_left(tws)


# -- nothing is ordered -----------------------------------------------------


def refused_everywhere(connection: IbkrConnection) -> None:
    tna = IbkrBroker(connection, "PPO_TNA_001", Instrument("TNA", 38708990, "ARCA"), gate=any_account)
    attempts: list[Callable[[], Any]] = [
        lambda: tna.submit(entry(), stop(), NOW),
        lambda: tna.submit(exit_(), None, NOW),
        lambda: tna.cancel(stop().ref, NOW),
        lambda: connection.cancel([entry().ref]),
        connection.cancel_everything,
    ]
    for attempt in attempts:
        with pytest.raises(Refused, match="only reads bars"):
            attempt()


@pytest.mark.parametrize("version", VERSIONS)
def test_real_money_without_a_typed_number_reads_bars_and_can_order_nothing(version, tmp_path, monkeypatch, yahoo):
    with TwsDouble(version, (REAL,)) as tws:
        tws.bars["AAPL", "1 day", "TRADES"] = ibs(as_traded())
        monkeypatch.setitem(account_gates.LIVE_PORTS, tws.port, "TWS")
        (tmp_path / "settings.toml").write_text(
            f'ibkr_port = {tws.port}\nibkr_mode = "live"\nibkr_account = "{REAL}"\n'
        )
        assert ask_once("ibkr", tmp_path / "cache", "AAPL", now=EVENING).vendor == "ibkr"
        live = config(tws, mode="live", account=REAL, read_only=True)
        with IbkrConnection(live) as connection:
            assert connection.wait_ready(10).ready
            refused_everywhere(connection)
        with IbkrConnection(replace(live, read_only=False)) as trading:
            assert f"--confirm {REAL}" in trading.wait_ready(10).detail
        assert tws.order_bytes() == 0


def test_a_read_only_connection_orders_nothing_on_paper_either(tws):
    with connected(tws, read_only=True) as connection:
        refused_everywhere(connection)
    assert tws.order_bytes() == 0


def test_bars_are_read_from_a_tws_in_read_only_api_mode(home, tws, yahoo):
    tws.read_only = True
    assert ask_once("ibkr", home / "cache", "AAPL", now=EVENING).vendor == "ibkr"


# -- which vendor may decide ------------------------------------------------

PRICE_FEATURES = ("return_1", "rsi_14")


def card(source: str, features: tuple[str, ...] = PRICE_FEATURES) -> Any:
    whole = make_card(source=source)
    scaler = type(whole.scaler)(whole.scaler.mean[: len(features)], whole.scaler.std[: len(features)])
    return replace(whole, features=features, scaler=scaler)


def bars_of(source: str, factor: float = 1.0) -> BarSet:
    frame = as_traded()
    frame["high"] *= factor
    return BarSet("AAPL", frame, source, f"bars of {source}")


@pytest.mark.parametrize(
    ("model", "asked_of", "priced", "factor", "words"),
    [
        ("ibkr", "ibkr", "ibkr", 1.0, None),
        ("ibkr", "ibkr", "yahoo", 1.0, None),
        ("ibkr", "ibkr", "yahoo", 1.0009, None),
        ("ibkr", "ibkr", "yahoo", 1.0011, "the sources disagree: high of"),
        ("ibkr", "yahoo", "yahoo", 1.0011, "the sources disagree"),
        ("sample", "ibkr", "yahoo", 1.0011, "the sources disagree"),
        ("yahoo", "ibkr", "ibkr", 1.0011, "the sources disagree"),
        ("yahoo", "ibkr", "yahoo", 1.0011, None),  # the model's own vendor
        ("sample", "yahoo", "yahoo", 1.0011, None),  # Series.check judges these
    ],
)
def test_bars_of_another_vendor_decide_only_when_500_agree(model, asked_of, priced, factor, words):
    found = undecidable(card(model), asked_of, as_traded(), bars_of(priced, factor))
    assert found is None if words is None else words in found


def test_a_model_that_reads_the_volume_is_not_decided_on_another_vendors_bars():
    reads = card("ibkr", ("return_1", "cmf_20", "volume_20"))
    assert undecidable(reads, "ibkr", as_traded(), bars_of("ibkr")) is None
    assert undecidable(reads, "replay", as_traded(), bars_of("replay")) is None  # the model's own bars again
    found = undecidable(reads, "ibkr", as_traded(), bars_of("yahoo"))
    assert "come from yahoo and the model's from ibkr" in found and "volume (cmf_20, volume_20)" in found
    assert "bars of yahoo" in found  # the note tells why they are asked
    fewer = BarSet("AAPL", as_traded().iloc[-499:], "yahoo", "")
    assert "share 499 bars, and at least 500 are needed" in undecidable(card("ibkr"), "ibkr", as_traded(), fewer)


def test_only_interactive_brokers_own_restatements_are_tolerated():
    series = Series(as_traded(), [])
    moved = bars_of("ibkr", 1.0005)
    assert tolerance(card("ibkr"), moved) == tolerance(card("yahoo"), moved) == TOLERANCE
    series.check(moved.frame, tolerance(card("ibkr"), moved))
    same = bars_of("yahoo", 1.0005)
    for model in ("yahoo", "sample", "csv:/a.csv"):
        with pytest.raises(BadBars, match="disagrees with the bars that the model was trained on: high of"):
            series.check(same.frame, tolerance(card(model), same))
    with pytest.raises(BadBars):
        series.check(bars_of("ibkr", 1.002).frame, TOLERANCE)


def test_a_bar_set_names_who_priced_it():
    assert [bars_of(s).vendor for s in ("ibkr", "yahoo", "csv:/tmp/a:b.csv")] == ["ibkr", "yahoo", "csv"]


# -- splits that are known before the open ----------------------------------


@pytest.mark.parametrize("clock", ["08:00", "13:00"])  # 04:00 and 09:00 in New York
@pytest.mark.parametrize("trouble", [None, (162, "No market data permissions for ISLAND STK")])
def test_a_split_effective_today_is_known_before_the_open(tws, tmp_path, yahoo, clock, trouble):
    morning = datetime.fromisoformat(f"2024-06-04T{clock}:00+00:00")
    assert open_source("yahoo", tmp_path).daily("AAPL", now=EVENING).ahead == ()  # kept, and looked for again
    yahoo.serve("AAPL", as_traded(), events={"2024-06-04": (0.0, 2.0)})
    if trouble:
        tws.history_trouble["AAPL"] = trouble
    with connected(tws) as feed:
        bars = open_source("ibkr", tmp_path, feed).daily("AAPL", now=morning)
    assert bars.ahead == ((date(2024, 6, 4), 2.0),) and bars.frame.index[-1].date() == date(2024, 6, 3)
    assert bars.vendor == ("yahoo" if trouble else "ibkr")


def test_a_sample_tells_a_split_on_its_morning_and_not_on_its_eve():
    source = SampleSource()
    assert source.daily("AAPL", now=datetime(2020, 8, 29, 2, tzinfo=UTC)).ahead == ()
    assert source.daily("AAPL", now=datetime(2020, 8, 31, 8, tzinfo=UTC)).ahead == ((date(2020, 8, 31), 4.0),)
    assert source.daily("AAPL", now=datetime(2020, 8, 31, 20, tzinfo=UTC)).ahead == ()


# -- pace --------------------------------------------------------------------


def test_twenty_agents_on_five_symbols_ask_five_times_an_evening(tws):
    symbols = ["AAPL", "INTC", "TNA", "MSFT", "IWM"]
    for number, symbol in enumerate(symbols[3:]):
        tws.listed.append(Listing(1000 + number, symbol))
    for symbol in symbols:
        tws.bars[symbol, "1 day", "TRADES"] = ibs(as_traded())
    with connected(tws) as feed:
        source = IbkrSource(feed, Events(as_traded()), clock=lambda: EVENING + timedelta(days=30))
        beside = BackgroundSource(source, calendar(), patience=30.0)
        for minute in (0, 1, 20, 180):  # passes of one evening
            for agent in range(20):
                bars = beside.daily(symbols[agent % 5], now=EVENING + timedelta(minutes=minute))
                assert bars.vendor == "ibkr"
    assert len(asked(tws, BARS)) == len(asked(tws, CONTRACT)) == 5


# -- from the command line ---------------------------------------------------


@pytest.fixture
def apple(tws: TwsDouble, yahoo: YahooDouble) -> Any:
    """AAPL 2014 to 2020 with its splits and dividends, at both vendors."""
    frame = (
        SampleSource().daily("AAPL", now=datetime(2024, 12, 31, 12, tzinfo=UTC)).frame.loc["2014-01-02":"2020-12-31"]
    )
    tws.bars["AAPL", "1 day", "TRADES"] = ibs(frame)
    yahoo.serve("AAPL", frame)
    return frame


@pytest.fixture
def call(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    def run(*words: str, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["--home", str(home), *words, "--json"]) == code
        return dict(json.loads(capsys.readouterr().out))

    return run


TRAIN = ("train", "AAPL", "--agent", "PPO", "--source", "ibkr", "--timesteps", "256")


@pytest.mark.parametrize("tws", [157], indirect=True)
def test_a_model_is_trained_tested_and_replayed_on_ibs_bars(call, tws, yahoo, apple):
    done = call(*TRAIN)
    card = call("model", done["model_id"])
    assert card["source"] == "ibkr" and "splits and dividends from yahoo" in card["source_note"]
    assert (card["first_bar"], card["test"]["end"]) == ("2014-01-02", "2020-12-31")
    assert card["feature_set"] == PRICE_SET and not READS_VOLUME.intersection(card["features"])
    own = call("backtest", done["model_id"])
    again = call("backtest", done["model_id"], "--source", "ibkr")
    assert again["ledger_sha256"] == own["ledger_sha256"]
    replayed = call("replay", done["model_id"], "--source", "ibkr", "--start", "2020-11-02")
    assert replayed["differences"] == [] and replayed["sessions"] == 42
    assert call("verify", "--lookahead", done["model_id"], "--sessions", "3")["features"] == len(card["features"]) == 12
    assert tws.order_bytes() == 0
    nobody_left(tws)


@pytest.mark.parametrize("tws", [157], indirect=True)
def test_a_model_trained_on_the_fallback_says_whose_bars_it_learned_from(call, tws, yahoo, apple):
    tws.history_trouble["AAPL"] = (162, "No market data permissions for ISLAND STK")
    done = call(*TRAIN)
    assert (
        done["source"] == "yahoo"
        and "used because Interactive Brokers gives no bars of AAPL: 162" in done["source_note"]
    )


@pytest.mark.parametrize("tws", [157], indirect=True)
def test_training_without_tws_fails_with_one_sentence_and_its_cure(call, tws, yahoo, apple):
    tws.close_port()
    assert "start TWS or Gateway and log in" in call(*TRAIN, code=1)["error"]


@pytest.mark.parametrize("tws", [157], indirect=True)
def test_a_model_that_reads_the_volume_does_not_go_on_with_another_vendors_bars(call, tws, yahoo, apple):
    """Trained on IB's bars up to one day, run on Yahoo's after it."""
    tws.bars["AAPL", "1 day", "TRADES"] = ibs(apple)[:-20]
    reads, prices = call(*TRAIN, "--features", "all"), call(*TRAIN)
    beyond = ("--source", "yahoo", "--start", "2020-11-02")
    assert "reads the volume" in call("backtest", reads["model_id"], *beyond, code=1)["error"]
    assert call("backtest", prices["model_id"], *beyond)["end"] == "2020-12-31"

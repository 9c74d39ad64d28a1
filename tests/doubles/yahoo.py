"""Yahoo's chart endpoint on a loopback socket, and the real yfinance connected to it.

It answers as Yahoo does: prices, volume and dividends adjusted for every
later split, six decimals in single precision, events in tables of their own.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd

ZONE = "America/New_York"
CHART = "/v8/finance/chart/"
NOT_FOUND = {
    "chart": {"result": None, "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"}}
}


class YahooDouble:
    """Answers by symbol; `charts` counts how often a chart was asked for."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[int, str]] = {}
        self.charts: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def serve(
        self,
        symbol: str,
        frame: pd.DataFrame,
        *,
        name: str | None = None,
        currency: str = "USD",
        zone: str = ZONE,
        events: dict[str, tuple[float, float]] | None = None,
    ) -> None:
        """Serve a canonical frame, as traded, for `symbol`; NaN becomes null.

        `events` adds (dividend, split) on dates for which there is no bar.
        """
        meta = {
            "symbol": name or symbol,
            "currency": currency,
            "instrumentType": "EQUITY",
            "exchangeTimezoneName": zone,
            "priceHint": 2,
            "dataGranularity": "1d",
            "validRanges": ["1d", "max"],
            "timezone": "EST",
            "gmtoffset": -18000,
        }
        chart = {"meta": meta, **_adjusted(frame, events or {})}
        self._answers[symbol] = (200, json.dumps({"chart": {"result": [chart], "error": None}}))

    def answer(self, symbol: str, status: int, body: str) -> None:
        self._answers[symbol] = (status, body)

    def respond(self, path: str, query: dict[str, list[str]]) -> tuple[int, str]:
        if path.startswith(CHART):
            symbol = path.removeprefix(CHART)
            self.charts.append(symbol)
            return self._answers.get(symbol, (404, json.dumps(NOT_FOUND)))
        return (200, "a-crumb") if path.endswith("/getcrumb") else (404, "not here")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(double: YahooDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            status, body = double.respond(url.path, parse_qs(url.query))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args) -> None:
            pass

    return Handler


def _adjusted(frame: pd.DataFrame, extra: dict[str, tuple[float, float]]) -> dict:
    """timestamp, events and indicators of Yahoo's chart."""
    ahead = np.prod([split for _, split in extra.values()]) if extra else 1.0
    split = frame["split"].to_numpy()
    later = split[::-1].cumprod()[::-1] / split * ahead
    times = [_opening(day) for day in frame.index]
    quote = {c: _numbers(np.round(frame[c] / later, 6).astype(np.float32)) for c in ("open", "high", "low", "close")}
    quote["volume"] = [int(v) if np.isfinite(v) else None for v in frame["volume"] * later]
    events = {"dividends": {}, "splits": {}}
    for at, dividend, ratio, factor in zip(times, frame["dividend"], split, later, strict=True):
        _event(events, at, round(dividend / factor, 6), ratio)
    for day, (dividend, ratio) in extra.items():
        _event(events, _opening(pd.Timestamp(day)), dividend, ratio)
    return {
        "timestamp": times,
        "events": events,
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": quote["close"]}]},
    }


def _event(events: dict, at: int, dividend: float, ratio: float) -> None:
    if dividend > 0:
        events["dividends"][str(at)] = {"amount": dividend, "date": at}
    if ratio not in (1, 0):
        exact = Fraction(ratio).limit_denominator(1000)
        events["splits"][str(at)] = {
            "date": at,
            "numerator": exact.numerator,
            "denominator": exact.denominator,
            "splitRatio": f"{exact.numerator}:{exact.denominator}",
        }


def _opening(day: pd.Timestamp) -> int:
    return int((day + pd.Timedelta(hours=9, minutes=30)).tz_localize(ZONE).timestamp())


def _numbers(values: pd.Series) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]


@contextmanager
def yahoo_at(url: str) -> Iterator[None]:
    """The real yfinance, unchanged but for the host that its session reaches.

    Every address of yahoo.com (charts, cookies, crumbs) goes to `url`; any
    other would leave the machine and fails.
    """
    from curl_cffi.requests import Session
    from yfinance.data import SingletonMeta, YfData

    def local(address: str) -> str:
        parts = urlsplit(address)
        assert parts.hostname and parts.hostname.endswith("yahoo.com"), address
        return f"{url}{parts.path}"

    class Redirected(Session):
        def get(self, url, **options):
            return super().get(local(url), **options)

        def post(self, url, **options):
            return super().post(local(url), **options)

    before = dict(SingletonMeta._instances)
    SingletonMeta._instances.clear()
    session = Redirected()
    YfData(session=session)
    try:
        yield
    finally:
        SingletonMeta._instances.clear()
        SingletonMeta._instances.update(before)
        session.close()

"""A recorded connection, played back: TWS's messages in order, each after the client's messages before it.

The client chooses ids of orders and requests, so they are mapped; all other fields are
compared. A question gets its recorded answer when it is asked. Other order or number
of questions is no difference, it is noted in ``questions``; orders and cancels must be
the same. Questions for the time are answered at once. A pause before a message of TWS
is kept up to LONGEST_PAUSE, so that an answer and a later fill stay separate.
"""

import asyncio
import json
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ib_async.decoder import Decoder

from .wire import UNSET_DOUBLE, frame, greeting, read_payload, split

TIME = "49"
ASKED = {"3": (1, 28), "4": (2,), "7": (2,), "9": (2,), "20": (1,), "25": (2,), "62": (2,), "63": (2,), "76": (2,)}
"""Positions of the ids that the client chose in its messages."""
TOLD = {
    "3": (1, 7),
    "4": (2,),
    "5": (1, 58),
    "11": (1, 2),
    "17": (1,),
    "52": (2,),
    "55": (2,),
    "63": (2,),
    "64": (2,),
    "73": (2,),
    "74": (2,),
}
OWNERS = {"3": 9, "5": 24, "11": 22}
"""Position of the client id in TWS's messages about orders; ids of other clients are not mapped."""


ANSWERS = {
    "5": ("5", "3"),
    "6": ("6", "7", "8"),
    "7": ("11", "59"),
    "9": ("10",),
    "16": ("5", "3"),
    "20": (),
    "61": ("61",),
    "62": ("63",),
    "76": ("73",),
    "99": ("101",),
}
ENDS = {
    "5": "53",
    "6": "54",
    "7": "55",
    "9": "52",
    "16": "53",
    "20": "17",
    "61": "62",
    "62": "64",
    "76": "74",
    "99": "102",
}
"""The messages that answer each question, and the one that ends the answer."""
LONGEST_PAUSE = 0.2
_REAL = re.compile(r"(?<![A-Za-z0-9])D?[UFI](\d{7})(?![A-Za-z0-9])")


@dataclass(frozen=True)
class Line:
    """One message, or the end of the connection (then ``fields`` is empty). ``at`` in seconds."""

    sent: bool
    fields: tuple[str, ...]
    at: float = 0.0


@dataclass(frozen=True)
class Cassette:
    header: dict[str, Any]
    lines: tuple[Line, ...]

    @property
    def version(self) -> int:
        return int(next(x.fields[0] for x in self.lines if not x.sent and x.fields))

    @property
    def client_id(self) -> int:
        return int(next(x.fields[2] for x in self.lines if x.sent and x.fields[0] == "71"))

    @property
    def account(self) -> str:
        """The traded account: the one whose values were asked for, or the first that TWS named."""
        asked = (x.fields[3] for x in self.lines if x.sent and x.fields[0] == "6")
        named = (x.fields[2].split(",")[0] for x in self.lines if not x.sent and x.fields[:1] == ("15",))
        return next(asked, "") or next(named)


def read(path: Path) -> Cassette:
    """The first connection of a file that reached the account. An unfinished last line is left out.

    A live account is played as a paper one, because a live one needs TWS's own port.
    """
    docs = []
    for text in _REAL.sub(r"DU\1", path.read_text()).splitlines():
        try:
            docs.append(json.loads(text))
        except ValueError:
            break
    header, *rest = docs
    for number in sorted({d["c"] for d in rest if d["c"]}):
        mine = [d for d in rest if d["c"] == number]
        made = Cassette(
            header,
            tuple(Line(d["d"] == ">", tuple(d.get("f", ())), d["t"]) for d in mine if d.get("e") != "unreadable"),
        )
        if any(not x.sent and x.fields[:1] == ("15",) for x in made.lines):
            return made
    raise AssertionError(f"{path} holds no connection that named its accounts")


def answers(cassette: Cassette) -> dict[int, int]:
    """Which line of TWS answers which question, by line numbers."""
    waiting: list[tuple[int, str, str]] = []
    found: dict[int, int] = {}
    for i, line in enumerate(cassette.lines):
        kind = line.fields[0] if line.fields else ""
        if line.sent and kind in ENDS:
            waiting.append((i, kind, line.fields[ASKED[kind][0]] if kind in ASKED else ""))
        elif not line.sent and kind:
            for place, asked, number in waiting:
                own = question_place(kind, cassette.version)
                mine = not number or own is None or line.fields[own] == number
                if (mine and kind in (*ANSWERS[asked], ENDS[asked])) or (
                    kind == "4" and number and line.fields[2] == number
                ):
                    found[i] = place
                    if kind in (ENDS[asked], "4"):
                        waiting.remove((place, asked, number))
                    break
    return found


def question_place(kind: str, version: int) -> int | None:
    """The position of the request number in an answer."""
    if kind == "10":
        return 1 if version >= 164 else 2
    return {"11": 1, "17": 1, "52": 2, "55": 2, "63": 2, "64": 2, "73": 2, "74": 2}.get(kind)


class CassetteTws:
    """The recorded TWS, for one client. ``waits_for`` is the client's next recorded message."""

    def __init__(self, cassette: Cassette) -> None:
        self.cassette, self.port = cassette, 0
        self.differences: list[str] = []
        self.questions: list[str] = []
        self._answers = answers(cassette)
        self.ids: dict[str, str] = {}
        self._come = [False] * len(cassette.lines)
        self._at, self._ended = 0, False
        self._writer: asyncio.StreamWriter | None = None
        self._loop = asyncio.new_event_loop()
        self._more = asyncio.Event()

    def __enter__(self) -> "CassetteTws":
        ready = threading.Event()

        async def start() -> None:
            server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()

        def serve() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.create_task(start())
            self._loop.run_forever()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *what: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def over(self) -> bool:
        return self._ended

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The fields of the client's message that it waits for; empty while it plays or at the end."""
        line = self.cassette.lines[self._at]
        return () if self._ended or not line.sent or self._come[self._at] else line.fields

    def awaited(self, kind: str) -> list[tuple[str, ...]]:
        """The client's next messages of a kind, up to the next message of TWS."""
        found = []
        for line, come in zip(self.cassette.lines[self._at :], self._come[self._at :], strict=True):
            if not line.sent:
                break
            if line.fields[0] == kind and not come:
                found.append(line.fields)
        return found

    # -- playing ------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer is not None:
            self.differences.append("the client connected a second time")
            return writer.close()
        self._writer = writer
        playing = asyncio.ensure_future(self._play())
        try:
            await greeting(reader)
            self._come[0] = True
            self._more.set()
            while True:
                self._take_reports(tuple(split(await read_payload(reader))))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        finally:
            playing.cancel()

    def _take_reports(self, fields: tuple[str, ...]) -> None:
        if fields[0] == TIME:
            return self._say((TIME, "1", str(int(time.time()))))
        for i, line in enumerate(self.cassette.lines):
            if line.sent and line.fields[0] == fields[0] and not self._come[i]:
                self._come[i] = True
                self._compare(line.fields, fields)
                self._answer(i)
                return self._more.set()
        asked = [i for i, x in enumerate(self.cassette.lines) if x.sent and x.fields[0] == fields[0]]
        if fields[0] not in ENDS or not asked:
            self.differences.append(f"sent and not in the cassette: {fields}")
            return None
        self.questions.append(f"asked once more: {fields}")
        self.ids |= {self.cassette.lines[asked[-1]].fields[i]: fields[i] for i in ASKED.get(fields[0], ())}
        return self._answer(asked[-1])

    def _answer(self, question: int) -> None:
        for i, place in self._answers.items():
            if place == question:
                self._say(self._mapped(self.cassette.lines[i].fields))

    def skip(self) -> None:
        """Continue without the awaited question, which the adapter no longer asks."""
        self.questions.append(f"not asked: {self.waits_for}")
        self._come[self._at] = True
        self._loop.call_soon_threadsafe(self._more.set)

    def _compare(self, recorded: tuple[str, ...], sent: tuple[str, ...]) -> None:
        """Equal except for the ids that the client chose; these must map one to one."""
        places = ASKED.get(recorded[0], ())
        for i in places:
            if i < min(len(recorded), len(sent)) and recorded[i] not in ("", "0"):
                if self.ids.setdefault(recorded[i], sent[i]) != sent[i]:
                    self.differences.append(f"{sent} means another order or question than {recorded}")
        plain = [tuple(f for i, f in enumerate(x) if i not in places) for x in (recorded, sent)]
        if plain[0] != plain[1]:
            apart = [
                (i, a, b) for i, (a, b) in enumerate(zip(recorded, sent, strict=False)) if a != b and i not in places
            ]
            self.differences.append(
                f"message {sent[0]} differs, (place, recorded, sent): {apart}, {len(recorded)}/{len(sent)}"
            )

    async def _play(self) -> None:
        """Play line by line, and wait for each message of the client."""
        before = 0.0
        for i, line in enumerate(self.cassette.lines):
            self._at = i
            while line.sent and not self._come[i] and line.fields[0] != TIME:
                self._more.clear()
                await self._more.wait()
            if not line.sent and line.fields and line.fields[0] != TIME and i not in self._answers:
                await asyncio.sleep(min(max(line.at - before, 0.0), LONGEST_PAUSE))
                self._say(self._mapped(line.fields))
            before = line.at
        self._ended = True

    def _mapped(self, fields: tuple[str, ...]) -> tuple[str, ...]:
        owner = OWNERS.get(fields[0])
        if owner is not None and fields[owner] != str(self.cassette.client_id):
            return fields
        places = TOLD.get(fields[0], ()) if fields[0] != "10" else (1 if self.cassette.version >= 164 else 2,)
        return tuple(self.ids.get(f, f) if i in places else f for i, f in enumerate(fields))

    def _say(self, fields: tuple[str, ...]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(frame(*fields))


# -- the cassette's content ------------------------------------------------------


@dataclass
class Said:
    """The content of TWS's messages in a cassette, read without the adapter: orders by permId, executions, positions."""

    status: dict[int, str] = field(default_factory=dict)
    filled: dict[int, float] = field(default_factory=dict)
    refs: dict[int, str] = field(default_factory=dict)
    executions: dict[str, tuple[str, float, float]] = field(default_factory=dict)
    commissions: dict[str, float] = field(default_factory=dict)
    held: dict[tuple[str, int], float] = field(default_factory=dict)
    ib: Any = field(default_factory=lambda: SimpleNamespace(TimezoneTWS="UTC"))
    defaultTimezone: Any = None

    def openOrder(self, order_id: int, contract: Any, order: Any, state: Any) -> None:
        if order.permId and not order.whatIf:
            self.refs[order.permId], self.status[order.permId] = order.orderRef, state.status

    def completedOrder(self, contract: Any, order: Any, state: Any) -> None:
        self.refs[order.permId], self.status[order.permId] = order.orderRef, state.status
        if order.filledQuantity < 1e300:
            self._filled(order.permId, order.filledQuantity)

    def orderStatus(
        self, order_id: int, status: str, filled: float, remaining: float, avg: float, perm: int, *more: Any
    ) -> None:
        if perm in self.refs:
            self.status[perm] = status
            self._filled(perm, filled)

    def _filled(self, perm: int, filled: float) -> None:
        self.filled[perm] = max(self.filled.get(perm, 0.0), filled)

    def execDetails(self, request: int, contract: Any, done: Any) -> None:
        if not any(known.rpartition(".")[0] == done.execId.rpartition(".")[0] for known in self.executions):
            self.executions[done.execId] = (done.orderRef, done.shares, done.price)

    def commissionReport(self, report: Any) -> None:
        if report.commission not in (-1.0, float(UNSET_DOUBLE)):
            self.commissions[report.execId] = report.commission

    def position(self, account: str, contract: Any, held: float, cost: float) -> None:
        self.held[account, contract.conId] = held


def said(cassette: Cassette) -> Said:
    found = Said()
    decoder = Decoder(found, cassette.version)
    messages = [x.fields for x in cassette.lines if not x.sent and x.fields]
    for fields in messages[1:]:
        if fields[0] in ("3", "5", "11", "59", "61", "101"):
            decoder.interpret(list(fields))
    return found

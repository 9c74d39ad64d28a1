"""Files of a home are cut, filled with noise, edited or deleted, and the home is started."""

import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from livetrading.adapters.brokers.paper import PaperBroker
from livetrading.adapters.calendar import calendar
from livetrading.adapters.home import Home
from livetrading.adapters.jsonio import load
from livetrading.adapters.store import Store
from livetrading.core.errors import LivetradingError
from livetrading.execution.node import Node
from tests.doubles.lives import AGENT, FIRST, Cycler, Known, Life, at, deployed
from tests.doubles.series import generated

OTHER = "PPO_TEST_002"
NOW = datetime(2024, 6, 3, 20, tzinfo=UTC)


@dataclass
class Counts:
    """How many injuries were tried, by kind, and what went wrong."""

    tried: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def check(self, kind: str, fine: bool, what: str) -> None:
        self.tried[kind] = self.tried.get(kind, 0) + 1
        if not fine:
            self.wrong.append(f"{kind}: {what}")


class LogCapture(logging.Handler):
    """Keeps all log messages."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def a_home(root: Path, days: int = 12) -> Life:
    """Two agents that traded for some days, one of them holding shares."""
    life = deployed(root, generated(7, FIRST + days + 3), Cycler())
    life.ask(
        "create",
        at(life.sessions[FIRST - 1], "20:01"),
        model_id=life.model_id,
        mode="paper",
        source=f"csv:{life.csv}",
        job_id="tested",
        pace=0.0,
        capital=life.terms.capital,
    )
    for t in range(FIRST, FIRST + days):
        life.day(t)
    assert set(life.node.repositories) == {AGENT, OTHER} and life.state.orders
    return life


def opened(root: Path, policy: Any) -> tuple[Node, list[str]]:
    """A start on the home as it is now, and its messages."""
    capture, log = LogCapture(), logging.getLogger("livetrading")
    before, log.propagate = log.propagate, False
    log.addHandler(capture)
    try:
        node = Node(Home(root), calendar())
        node.registry = Known(node.home, policy)
        for name in ("requests", "jobs", "system"):
            aside = node.store.repair(name, NOW)
            if aside is not None:
                capture.lines.append(f"{name}.json was set aside as {aside.name}")
        node.open()
        for agent_id in node.active():
            node.trader(agent_id)
    finally:
        log.removeHandler(capture)
        log.propagate = before
    return node, capture.lines


# -- TinyDB files -----------------------------------------------------------

Injury = Callable[[bytes, random.Random], bytes | None]


def cut(data: bytes, dice: random.Random) -> bytes:
    return data[: dice.randrange(len(data))]


def noise(data: bytes, dice: random.Random) -> bytes:
    return dice.randbytes(len(data))


def zeros(data: bytes, dice: random.Random) -> bytes:
    """What some file systems leave after a power cut."""
    return bytes(len(data))


def deleted(data: bytes, dice: random.Random) -> None:
    return None


def derived(root: Path) -> list[Path]:
    """Files that the journal rebuilds."""
    return sorted(p for a in (AGENT, OTHER) for p in (root / "agents" / a).glob("*.json"))


def tinydb_files(life: Life, counts: Counts, each: int, seed: int = 0) -> None:
    """Each derived file is damaged ``each`` times in every way: it is rebuilt as it was, with a message."""
    root, dice = life.home.root, random.Random(seed)
    for path in derived(root):
        sound = path.read_bytes()
        for injure, times in ((cut, each), (noise, max(1, each // 4)), (zeros, 1), (deleted, 1)):
            for _ in range(times):
                _injured(life, counts, path, sound, injure(sound, dice), injure.__name__)
    for name in ("requests", "jobs", "system"):
        _shared(life, counts, root / f"{name}.json", dice, max(2, each // 8))


def _injured(life: Life, counts: Counts, path: Path, sound: bytes, spoilt: bytes | None, how: str) -> None:
    kind = f"{path.name.split('-')[0].removesuffix('.json')} {how}"
    if spoilt is None:
        path.unlink()
    else:
        path.write_bytes(spoilt)
    node, said = opened(life.home.root, life.policy)
    theirs, ours = _account(path, node) if path.name == "paper.json" else (_tables(path), _tables_of(sound))
    same = theirs == ours
    counts.check(
        kind,
        same and not node.damaged and any(word in s for s in said for word in ("rebuilt", "damaged", "gone")),
        f"{path.name} after {how} of {len(spoilt or b'')} bytes: same {same}, said {said}",
    )
    for aside in path.parent.glob("*.damaged*"):
        aside.unlink()
    path.write_bytes(sound)


def _tables(path: Path) -> Any:
    return _plain(Store.read_docs(path)) if path.exists() else None


def _tables_of(sound: bytes) -> Any:
    return _plain({name: list(docs.values()) for name, docs in load(sound).items()})


def _plain(tables: dict[str, list[dict[str, Any]]]) -> Any:
    return {name: [{k: v for k, v in doc.items() if k != "shown"} for doc in docs] for name, docs in tables.items()}


def _account(path: Path, node: Node) -> Any:
    """The simulated broker's and the book's state of one agent: (shares, session, orders at the broker)."""
    repository = node.repositories[path.parent.name]
    state, broker = repository.state, PaperBroker(node.store, path, repository.state.agent.terms.costs)
    sent = sorted(o.key for o in state.orders if o.at_broker)
    on_file = [key for key in sent if broker.find(key) is not None]
    return (broker.position(), broker.traded(), on_file), (state.book.shares, state.booked or "", sent)


def _shared(life: Life, counts: Counts, path: Path, dice: random.Random, each: int) -> None:
    """A file of requests that cannot be read is set aside and kept, with a message; it is not read in part."""
    if not path.exists():
        return
    sound = path.read_bytes()
    for injure in (cut, noise):
        for _ in range(each):
            spoilt = injure(sound, dice)
            path.write_bytes(spoilt)
            _, said = opened(life.home.root, life.policy)
            asides = list(path.parent.glob(f"{path.name}.damaged*"))
            fine = any("set aside" in s for s in said) and [p.read_bytes() for p in asides] == [spoilt]
            counts.check(f"{path.stem} {injure.__name__}", fine, f"said {said}, kept {asides}")
            for aside in asides:
                aside.unlink()
            path.write_bytes(sound)


# -- the journal ------------------------------------------------------------


def journals(life: Life, counts: Counts, edits: int, cuts: int | None = None, seed: int = 0) -> None:
    """Cut in its last line: the line is lost if nothing used it. Any other changed byte stops the agent with a message."""
    root, dice = life.home.root, random.Random(seed)
    path = root / "agents" / AGENT / "journal.jsonl"
    sound = path.read_bytes()
    last = sound.rstrip(b"\n").rfind(b"\n") + 1
    shown = {p: p.read_bytes() for p in derived(root)}
    for at_byte in _some(range(last, len(sound)), cuts, dice):
        _unwritten(life, counts, path, sound, last, at_byte)
        _restore(path, sound, shown)
        path.write_bytes(sound[:at_byte])
        _stopped(life, counts, "acknowledged line cut", at_byte, "is lost or was replaced")
        _restore(path, sound, shown)
    for at_byte in (dice.randrange(len(sound)) for _ in range(edits)):
        other = bytes([(sound[at_byte] + dice.randrange(1, 256)) % 256])
        path.write_bytes(sound[:at_byte] + other + sound[at_byte + 1 :])
        line = sound[:at_byte].count(b"\n") + 1
        _stopped(life, counts, "journal byte edited", at_byte, f"line {line}|line {line + 1}")
        _restore(path, sound, shown)


def _some(places: range, count: int | None, dice: random.Random) -> Iterator[int]:
    yield from places if count is None else sorted({places[0], places[-1], *dice.sample(places, count)})


def _restore(path: Path, sound: bytes, shown: dict[Path, bytes]) -> None:
    path.write_bytes(sound)
    for file, data in shown.items():
        file.write_bytes(data)


def _unwritten(life: Life, counts: Counts, path: Path, sound: bytes, last: int, at_byte: int) -> None:
    """The process died in write(2): the line was never acknowledged."""
    state = path.with_name("state.json")
    path.write_bytes(sound[:last])
    state.unlink()
    node, _ = opened(life.home.root, life.policy)
    before = node.repositories[AGENT].state
    path.write_bytes(sound[:at_byte])
    node, said = opened(life.home.root, life.policy)
    kept = path.read_bytes() == sound[:last] and not node.damaged and node.repositories[AGENT].state == before
    reported = at_byte == last or any("unfinished last line" in s for s in said)
    counts.check("last line torn", kept and reported, f"byte {at_byte}: kept {kept}, said {said}")


def _stopped(life: Life, counts: Counts, kind: str, at_byte: int, what: str) -> None:
    path = life.home.root / "agents" / AGENT / "journal.jsonl"
    spoilt = path.read_bytes()
    node, _ = opened(life.home.root, life.policy)
    why = node.damaged.get(AGENT, "")
    try:
        node.repository(AGENT)
        refused = False
    except LivetradingError:
        refused = True
    shown = Store.read_docs(path.with_name("state.json"))["agent"][0]
    fine = (
        refused
        and str(path) in why
        and any(part in why for part in what.split("|"))
        and node.active() == [OTHER]
        and path.read_bytes() == spoilt
        and shown["status"] == "blocked"
        and shown["status_reason"] == why
    )
    counts.check(kind, fine, f"byte {at_byte}: {why!r}, active {node.active()}, shown {shown['status']}")

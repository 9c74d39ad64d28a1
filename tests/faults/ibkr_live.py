"""Real processes against the TWS double: the scheduler and the command line on a shifted clock, while TWS misbehaves.

An agent holds a position under its stop when its scheduler starts. Each scenario disturbs TWS,
makes a request, and returns what was wrong; how long the position was without stop or exit is
measured at the double.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from livetrading.adapters.home import CHECKOUT
from livetrading.execution.state import queries
from tests.doubles.account_days import holding
from tests.doubles.account_life import AccountLife, in_account
from tests.doubles.lives import AGENT, FIRST, Cycler, at
from tests.doubles.processes import awaited
from tests.doubles.series import generated
from tests.doubles.tws import Bare, Fault, TwsDouble

PLACE, CANCEL = 3, 4
WITHIN, SILENT = 5.0, 9.0
"""Seconds within which the stop must work again after the broker lists no exit, and seconds of silence."""


@dataclass
class Stage:
    """A home that holds a position, TWS, and a scheduler whose clock shows ``clock`` of that day."""

    life: AccountLife
    bare: Bare
    held: int
    offset: timedelta
    scheduler: subprocess.Popen[bytes] | None = None

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    @property
    def tws(self) -> TwsDouble:
        return self.life.tws

    def start(self) -> None:
        self.scheduler = self._run("scheduler", str(self.life.home.root), stderr=subprocess.DEVNULL)
        awaited(lambda: self.system["scheduler"]["alive"], "the scheduler")
        awaited(lambda: (self.system["broker"] or {}).get("ready"), "the scheduler's connection")

    def ask(self, *words: str, patience: float = 90.0) -> tuple[int, dict[str, Any], float]:
        """A command's exit code, its JSON, and the seconds that it took."""
        started = time.monotonic()
        command = self._run(
            *words, "--home", str(self.life.home.root), "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = command.communicate(timeout=patience)
        try:
            answer = dict(json.loads(out))
        except ValueError:
            answer = {"error": err.decode()[-500:]}
        return command.returncode, answer, time.monotonic() - started

    def _run(self, *words: str, **pipes: Any) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", "tests.faults.shifted", str(self.offset.total_seconds()), *words]
        return subprocess.Popen(line, cwd=CHECKOUT, **pipes)

    @property
    def system(self) -> dict[str, Any]:
        return queries.system(self.life.store, self.now)

    @property
    def agent(self) -> dict[str, Any]:
        return queries.agent(self.life.store, AGENT)

    @property
    def alarms(self) -> list[str]:
        return [a["text"] for a in self.system["alarms"]]

    def resting(self) -> list[tuple[str, int]]:
        return [(o.type, int(o.qty)) for o in self.tws.do(self.tws.ledger.open_orders)]

    def end(self) -> None:
        if self.scheduler is not None and self.scheduler.poll() is None:
            self.scheduler.kill()
            self.scheduler.wait()


@contextmanager
def staged(version: int = 157, clock: str = "11:00") -> Iterator[Stage]:
    """An agent that holds shares, its scheduler running at this New York time of that session."""
    frame = generated(1, FIRST + 6)
    with tempfile.TemporaryDirectory() as folder, TwsDouble(version) as tws:
        life = in_account(Path(folder), frame, Cycler(), tws)
        t = holding(life)
        life.node.close()
        stage = Stage(life, Bare(tws, "TEST"), life.state.book.shares, at(life.sessions[t], clock) - datetime.now(UTC))
        tws.ledger.clock = lambda: stage.now
        try:
            stage.start()
            yield stage
        finally:
            stage.end()


def exits(kind: str, times: int = 99) -> Fault:
    return Fault(kind, PLACE, times=times, only=lambda fields: fields[16] == "SELL" and fields[18] == "MKT")


# -- scenarios ------------------------------------------------------------------


def refused_close(stage: Stage, kind: str) -> list[str]:
    """A close whose every exit is refused, for a while."""
    stage.tws.fail(exits(kind))
    stage.ask("close", AGENT)
    awaited(
        lambda: any(o.type == "MKT" for o in stage.tws.ledger.orders) or len(stage.tws.orders_reported()) > 2, "an exit"
    )
    _back(stage)
    time.sleep(1.5 * WITHIN)  # its next steps must not leave the position unprotected either
    wrong = (
        [f"bare for {stage.bare.longest:.1f} s"]
        if stage.bare.longest > (SILENT if kind == "swallow" else WITHIN)
        else []
    )
    if not any("did not take the exit" in text or "REJECTED" in text or "CANCELED" in text for text in stage.alarms):
        wrong.append(f"no alarm reports the refusal: {stage.alarms}")
    return wrong + _whole(stage)


def refused_emergency(stage: Stage, kind: str) -> list[str]:
    """An emergency stop whose exit is refused twice, then taken."""
    stage.tws.fail(exits(kind, times=2))
    stage.tws.do(lambda: setattr(stage.tws, "fills_at", 10.0))
    code, answer, seconds = stage.ask("emergency-stop", "--reason", "a trial")
    wrong = [] if (code == 0) == answer["flat"] else [f"exit code {code}: {answer}"]
    awaited(lambda: stage.tws.ledger.holds("TEST") == 0, "the sale")
    if stage.bare.longest > (SILENT if kind == "swallow" else WITHIN):
        wrong.append(f"bare for {stage.bare.longest:.1f} s")
    return wrong + _whole(stage)


def accepted_at_last(stage: Stage, kind: str) -> list[str]:
    """A close that is refused twice and then works."""
    stage.tws.fail(exits(kind, times=2))
    stage.tws.do(lambda: setattr(stage.tws, "fills_at", 10.0))
    stage.ask("close", AGENT)
    awaited(lambda: stage.tws.ledger.holds("TEST") == 0, "the sale")
    wrong = [f"bare for {stage.bare.longest:.1f} s"] if stage.bare.longest > WITHIN else []
    return wrong + _whole(stage)


def silent_while_bare(stage: Stage, kind: str) -> list[str]:
    """TWS is away between the stop's end and the exit, for longer than the alarm needs."""
    stage.tws.fail(exits("drop_before", times=1))
    stage.tws.watchers.append(lambda ledger: None)
    closing = stage._run(
        "close", AGENT, "--home", str(stage.life.home.root), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    awaited(lambda: stage.bare.now, "the moment without a stop")
    awaited(lambda: not stage.tws.do(lambda: list(stage.tws.sessions)), "the drop")
    stage.tws.close_port()
    before = len(stage.tws.orders_reported())
    awaited(lambda: any("neither an active stop nor an active exit" in text for text in stage.alarms), "the alarm")
    wrong = [] if 18 <= stage.bare.longest <= 30 else [f"alarmed after {stage.bare.longest:.1f} s"]
    if len(stage.tws.orders_reported()) != before:
        wrong.append("something was sent while TWS did not answer")
    stage.tws.open_port()
    closing.wait(60)
    awaited(lambda: not stage.bare.now, "a sale at work")
    return wrong + _whole(stage)


def _back(stage: Stage) -> None:
    awaited(lambda: ("STP", stage.held) in stage.resting(), "the stop")


def _whole(stage: Stage) -> list[str]:
    """Never more on sale than held; the scheduler runs."""
    wrong = (
        []
        if stage.tws.do(lambda: stage.tws.ledger.on_sale("TEST")) <= stage.tws.ledger.holds("TEST")
        else ["more on sale than held"]
    )
    if stage.scheduler is None or stage.scheduler.poll() is not None:
        wrong.append("the scheduler has ended")
    return wrong


Scenario = tuple[str, str, Callable[[Stage, str], list[str]]]
SCENARIOS: tuple[Scenario, ...] = (
    *(
        ("a refused close", kind, refused_close)
        for kind in ("vanish", "swallow", "reject", "reject_inactive", "reject_held")
    ),
    *(("a refused exit of an emergency stop", kind, refused_emergency) for kind in ("vanish", "swallow", "reject")),
    *(("two refusals, then accepted", kind, accepted_at_last) for kind in ("vanish", "reject")),
    ("TWS away while nothing protects", "", silent_while_bare),
)


def run(version: int, scenarios: tuple[Scenario, ...] = SCENARIOS) -> tuple[str, list[str]]:
    """Every scenario once: the figures, and what was wrong."""
    wrongs: list[str] = []
    longest: dict[str, float] = {}
    for name, kind, play in scenarios:
        title = f"{name} ({kind})" if kind else name
        with staged(version) as stage:
            try:
                found = play(stage, kind)
            except AssertionError as error:
                found = [str(error)]
            longest[title] = stage.bare.longest
            wrongs += [f"{version}, {title}: {text}" for text in found]
    figures = ", ".join(f"{title} {seconds:.1f} s" for title, seconds in longest.items())
    return f"{len(scenarios)} scenarios at version {version}; longest without stop or exit: {figures}", wrongs


if __name__ == "__main__":
    for number in (157, 178):
        print(*run(number), sep="\n", flush=True)

"""The figures of trading through Interactive Brokers, adapter and shell: run by ``make faults-ibkr``, counts printed.

python -m tests.faults.ibkr_sweep [kills] [random] [rude] [outages] [codes] [questions] [stop] [life] [pair]
                                  [shell-stop] [live]
"""

import logging
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable

from tests.doubles.ibkr import VERSIONS
from tests.doubles.tws import Bare, Fault

from . import ibkr_life, ibkr_live, ibkr_pair, ibkr_questions, ibkr_stop
from .ibkr_emergency import stopped
from .ibkr_outages import DURATIONS, outage
from .ibkr_story import FAULTS, LEGS, random_life, run_life

RANDOM_RUNS, RUDE_RUNS, PAIR_RUNS = 500, 300, 100
Wrongs = list[str]


def kills() -> tuple[str, Wrongs]:
    """Every kill point of every leg, under every fault of every message that matters."""
    runs, wrongs, points = 0, [], {}
    for version in VERSIONS:
        for leg in LEGS:
            names, _ = run_life(version, leg, 0, [])
            points[leg] = len(names)
            for target in range(len(names) + 1):
                for faults in _faults(leg):
                    runs += 1
                    wrongs += [
                        f"{version} {leg} point {target} {faults}: {w}"
                        for w in _wrongs_of(version, leg, target, faults)
                    ]
    figures = ", ".join(f"{leg} {n}" for leg, n in points.items())
    return f"{runs} lives killed at {sum(points.values())} points ({figures}) at versions {VERSIONS}", wrongs


def _faults(leg: str) -> list[list[Fault]]:
    skips = (0, 1) if leg == "entry" else (0,)
    messages = (3, 4) if leg == "exit" else (3,)
    return [[]] + [[Fault(kind, message=m, skip=s)] for kind in FAULTS if kind for m in messages for s in skips]


def _wrongs_of(version: int, leg: str, target: int, faults: list[Fault]) -> Wrongs:
    try:
        return run_life(version, leg, target, faults)[1]
    except AssertionError as error:
        return [str(error)]


def randomised() -> tuple[str, Wrongs]:
    """Whole lives under random kills, faults, silences, partial fills and lost stops."""
    wrongs: Wrongs = []
    killed = struck = 0
    for seed in range(RANDOM_RUNS):
        life = random_life(VERSIONS[seed % 2], random.Random(seed))
        killed, struck = killed + life.killed, struck + life.struck
        wrongs += [f"seed {seed}: {w}" for w in life.wrongs]
    return f"{RANDOM_RUNS} random lives at versions {VERSIONS}: {killed} kills, {struck} faults", wrongs


def rude() -> tuple[str, Wrongs]:
    """The same, while TWS sends messages in pieces, twice, late, out of order, or not at all."""
    wrongs: Wrongs = []
    killed = struck = 0
    for seed in range(RUDE_RUNS):
        life = random_life(VERSIONS[seed % 2], random.Random(seed), rude=True)
        killed, struck = killed + life.killed, struck + life.struck
        wrongs += [f"seed {seed}: {w}" for w in life.wrongs]
    return f"{RUDE_RUNS} random lives beside a rude TWS: {killed} kills, {struck} faults", wrongs


def outages() -> tuple[str, Wrongs]:
    """Fills during outages of 1 s to 20 h, past midnight, with ids that begin anew."""
    wrongs, runs, fills, estimated, slowest = [], 0, 0, 0, 0.0
    for seconds in DURATIONS:
        for seed in range(20 if seconds <= 3_600 else 2):
            result = outage(VERSIONS[seed % 2], seconds, seed, roll_back=seed % 3 == 0)
            runs, fills, estimated = runs + 1, fills + result.fills, estimated + result.estimated
            slowest = max(slowest, result.ready_after)
            wrongs += [f"{seconds} s, seed {seed}: {w}" for w in result.wrongs]
    return (
        f"{runs} outages of {DURATIONS[0]} s to {DURATIONS[-1] // 3600} h: {fills} fills, {estimated} known by their count"
        f" alone, ready at most {slowest:.1f} s after the port's return"
    ), wrongs


def codes() -> tuple[str, Wrongs]:
    """Errors on working orders: none of them ends one."""
    from tests.adapters.brokers import test_ibkr_codes as t

    wrongs: Wrongs = []
    for version in VERSIONS:
        try:
            t.test_no_error_code_ends_a_working_order(version)
        except AssertionError as error:
            wrongs.append(f"{version}: {error}")
    return f"{len(t.CODES)} error codes on 2 working orders at versions {VERSIONS}", wrongs


def questions() -> tuple[str, Wrongs]:
    """One question unanswered, or answered late, twice or out of order; one field that is not a number."""
    counts, wrongs = Counter[str](), Wrongs()
    for version in VERSIONS:
        for leg in LEGS:
            more, wrong = ibkr_questions.sweep(version, leg)
            counts, wrongs = counts + more, wrongs + wrong
    return (
        f"lives under {counts['answers']} ways not to answer a question and {counts['fields']} fields that are no"
        f" numbers, at versions {VERSIONS}"
    ), wrongs


def stop() -> tuple[str, Wrongs]:
    """The emergency stop's cancels, also across a crash and a lost connection."""
    wrongs, slowest, runs = [], 0.0, 0
    for version in VERSIONS:
        for trouble in ("", "crash", "drop", "refused"):
            for scope in ("ours", "all"):
                runs += 1
                seconds, wrong = stopped(version, trouble, scope)
                slowest = max(slowest, seconds)
                wrongs += [f"{version} {trouble} {scope}: {w}" for w in wrong]
    return f"{runs} emergency stops of 40 orders: all acknowledged cancelled, at most {slowest:.2f} s", wrongs


def life() -> tuple[str, Wrongs]:
    """An agent's whole life through the shell, disturbed at every point: all of it at one version, a quarter at the other."""
    figures, wrongs = zip(
        *(ibkr_life.sweep(v, share) for v, share in zip(VERSIONS, (1.0, 0.25), strict=True)), strict=True
    )
    return "; ".join(figures), [w for some in wrongs for w in some]


def pair() -> tuple[str, Wrongs]:
    """Two agents on one symbol, in generated histories."""
    counts, wrongs = Counter[str](), Wrongs()
    for n, version in enumerate(VERSIONS):
        more, wrong = ibkr_pair.run(range(n, PAIR_RUNS, 2), version)
        counts, wrongs = counts + more, wrongs + wrong
    return f"{PAIR_RUNS} histories of two agents: " + ", ".join(f"{n} x {k}" for k, n in sorted(counts.items())), wrongs


def shell_stop() -> tuple[str, Wrongs]:
    """The emergency stop of twenty agents through the shell."""
    done = [ibkr_stop.sweep(version) for version in VERSIONS]
    return (
        f"{sum(d[0] for d in done)} emergency stops of {ibkr_stop.AGENTS} agents: purchases and stops cancelled after at"
        f" most {max(d[1] for d in done):.2f} s at a load of {os.getloadavg()[0]:.0f}"
    ), [w for d in done for w in d[2]]


def live() -> tuple[str, Wrongs]:
    """Real processes against a TWS that misbehaves."""
    figures, wrongs = zip(*(ibkr_live.run(version) for version in VERSIONS), strict=True)
    return "; ".join(figures), [w for some in wrongs for w in some]


SWEEPS: dict[str, Callable[[], tuple[str, Wrongs]]] = {
    "kills": kills,
    "random": randomised,
    "rude": rude,
    "outages": outages,
    "codes": codes,
    "questions": questions,
    "stop": stop,
    "life": life,
    "pair": pair,
    "shell-stop": shell_stop,
    "live": live,
}


def main(names: list[str]) -> int:
    logging.disable(logging.CRITICAL)
    bad = 0
    for name in names or list(SWEEPS):
        started, Bare.worst = time.monotonic(), 0.0
        figures, wrongs = SWEEPS[name]()
        bad += len(wrongs)
        bare = f"; longest without stop or exit {Bare.worst:.1f} s" if Bare.worst else ""
        print(f"{name}: {figures}; {len(wrongs)} wrong{bare}; {time.monotonic() - started:.0f} s", flush=True)
        for wrong in wrongs[:20]:
            print(f"    {wrong}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

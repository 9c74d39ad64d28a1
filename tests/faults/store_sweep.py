"""``python -m tests.faults.store_sweep``: the files of a home under contention, kills, damage and a full disk.

100,000 transactions by four processes; the cost of a commit after ten years; every TinyDB file and the journal
injured; the disk full and read-only. ``FAST=1`` takes a fiftieth.
"""

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults import store_damage, store_room
from tests.faults.store_contention import Contention

Found = tuple[str, list[str]]


def contention(root: Path, fast: bool) -> Found:
    done = Contention(root, 2_000 if fast else 100_000, kill_every=0.1 if fast else 0.4).run()
    return (
        (
            f"{done.transactions()} transactions by 4 processes, {done.kills} killed, {done.unacknowledged} updates were"
            f" written and not yet acknowledged, {done.reads} reads"
        ),
        done.wrong,
    )


def cost(root: Path, fast: bool) -> Found:
    found = store_room.cost(root, pairs=60 if fast else store_room.PAIRS)
    wrong = [] if found.ratio <= 1.5 else [f"a commit after ten years costs {found.ratio:.2f} times one on day one"]
    return (
        (
            f"a commit after ten years {found.old_ms:.2f} ms, on day one {found.new_ms:.2f} ms, median of {found.pairs}"
            f" pairs {found.ratio:.2f} (at most 1.5)"
        ),
        wrong,
    )


def damage(root: Path, fast: bool) -> Found:
    life, counts = store_damage.a_home(root), store_damage.Counts()
    store_damage.tinydb_files(life, counts, 4 if fast else 100)
    store_damage.journals(life, counts, *((20, 6) if fast else (1_000, None)))
    tried = ", ".join(f"{n} {kind}" for kind, n in counts.tried.items())
    return f"{sum(counts.tried.values())} injuries: {tried}", counts.wrong


def room(root: Path, fast: bool) -> Found:
    counts, wrong = store_room.room(root, 15 if fast else 120)
    return f"checks on a disk that was full: {counts['full']}, read-only: {counts['read-only']}", wrong


def main() -> int:
    logging.disable(logging.CRITICAL)
    fast, failed = os.environ.get("FAST", "") not in ("", "0"), 0
    parts: list[Callable[[Path, bool], Found]] = [contention, cost, damage, room]
    for part in parts:
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            if part is damage:
                logging.disable(logging.NOTSET)
            text, wrong = part(Path(folder), fast)
            logging.disable(logging.CRITICAL)
        failed += len(wrong)
        print(f"{part.__name__}: {text}; {time.monotonic() - started:.0f} s", flush=True)
        for line in wrong[:10]:
            print(f"  {line}")
    print("store sweep: " + (f"{failed} FAILED" if failed else "all well"))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

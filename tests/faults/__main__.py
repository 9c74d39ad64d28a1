"""``python -m tests.faults``: every sweep of docs/RELIABILITY.md, each in a process of its own; ``FAST=1``: a slice of each.

Two run at a time, as a small machine has two cores; those that use both themselves run alone. The output of a sweep is
printed when it has ended. Parts can be named: ``python -m tests.faults sweep decade``. Ends with 1 if any failed.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ALONE = ("decade",)
TOGETHER = (
    "sweep",
    "store_sweep",
    "calendar_sweep",
    "emergency_trials",
    "clean_bars",
    "bad_broker",
    "shared_account",
    "exceptions",
)
CORES = 2


def run(part: str) -> bool:
    """Run one sweep to its end, print its output, and return whether it succeeded."""
    started = time.monotonic()
    command = [sys.executable, "-m", f"tests.faults.{part}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    verdict = "" if done.returncode == 0 else f", FAILED with {done.returncode}"
    print(f"== {part}, {time.monotonic() - started:.0f} s{verdict}\n{done.stdout.rstrip()}\n", flush=True)
    return done.returncode == 0


def main(named: list[str]) -> int:
    fast = os.environ.get("FAST", "") not in ("", "0")
    alone = () if fast else ALONE
    parts = named or [*TOGETHER, *ALONE]
    unknown = [part for part in parts if part not in (*TOGETHER, *ALONE)]
    if unknown:
        print(f"There is no sweep {unknown[0]}; choose of {', '.join((*TOGETHER, *ALONE))}.", file=sys.stderr)
        return 2
    started = time.monotonic()
    with ThreadPoolExecutor(CORES) as pool:
        well = list(pool.map(run, (part for part in parts if part not in alone)))
    well += [run(part) for part in parts if part in alone]
    failed = well.count(False)
    print(
        f"{len(well)} sweeps in {time.monotonic() - started:.0f} s: " + (f"{failed} FAILED" if failed else "all well")
    )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

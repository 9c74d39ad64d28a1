"""``python -m tests.bench.learning``: how well agents learn what is planted, beside an oracle and plain regressions.

Every run is one line of ``--out`` (JSON lines) under a key of all that it depends on: what is there is not run again,
so that a bench can be stopped and continued. ``--json`` writes the tables' figures.

    python -m tests.bench.learning --split develop --procedures oracle,always_long,ridge,ppo --timesteps 20000
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from livetrading.core.rules import RULES_VERSION  # noqa: E402
from livetrading.core.types import AgentType, Terms  # noqa: E402
from livetrading.research.crew import Tell, each  # noqa: E402
from livetrading.research.evaluation import evaluate  # noqa: E402
from livetrading.research.walk_forward import Fitted  # noqa: E402

from . import planted, table  # noqa: E402
from .bounds import Problem, problem  # noqa: E402
from .planted import Name  # noqa: E402
from .procedures import ALGORITHMS, PLAIN, Size, fitted, settings_hash  # noqa: E402

ORACLE = "oracle"
PROCEDURES = (ORACLE, *PLAIN, *ALGORITHMS)
SEEDED = ("random", *ALGORITHMS)


@dataclass(frozen=True)
class Run:
    """One procedure on one series with one seed."""

    name: Name
    procedure: str
    seed: int
    size: Size

    @property
    def key(self) -> str:
        """All that the result depends on."""
        return "/".join(
            (
                str(self.name),
                f"v{planted.VERSION}",
                f"rules{RULES_VERSION}",
                f"terms{terms_hash()}",
                self.procedure,
                str(self.seed),
                settings_hash(self.procedure, self.size),
            )
        )

    def done(self) -> dict[str, Any]:
        """Its row: what it made in training and test, by the default terms."""
        given = problem(planted.planted(self.name))
        began = time.process_time()
        found = self._fitted(given)
        seconds = time.process_time() - began
        market, terms = given.scaled(), Terms()
        train = evaluate(market, given.train, found.agent_type, found.raw, terms).measures
        test = evaluate(market, given.test, found.agent_type, found.raw, terms).measures
        pause = test["pause"]
        return {
            "key": self.key,
            **asdict(self.name),
            "procedure": self.procedure,
            "seed": self.seed,
            **asdict(self.size),
            "train_sharpe": train["sharpe_ratio"],
            "test_sharpe": test["sharpe_ratio"],
            "test_sharpe_unpaused": (pause["without"] if pause else test)["sharpe_ratio"],
            "paused": pause is not None,
            "train_paused": train["pause"] is not None,
            "trades": test["num_trades"],
            "exposure_pct": test["exposure_pct"],
            "return_pct": test["total_return_pct"],
            "notes": found.notes,
            "seconds": round(seconds, 3),
        }

    def _fitted(self, given: Problem) -> Fitted:
        market = given.scaled()
        if self.procedure == ORACLE:
            return Fitted(AgentType.PPO, given.oracle(market), {})
        return fitted(self.procedure, market, given.train, Terms(), self.seed, self.size)


def terms_hash() -> str:
    """Of the default terms, by which everything on the bench trades."""
    return hashlib.sha256(repr(Terms()).encode()).hexdigest()[:8]


def runs(options: argparse.Namespace) -> list[Run]:
    """What is asked for, series by series."""
    return [
        Run(name, procedure, seed, Size(options.timesteps, options.members))
        for name in planted.names(options.split, tuple(options.kinds))
        if options.series is None or name.index < options.series
        for procedure in options.procedures
        for seed in range(options.seeds if procedure in SEEDED else 1)
    ]


def results(wanted: list[Run], out: Path | None, processes: int) -> list[dict[str, Any]]:
    """Rows of what is wanted: those on file, then the others as they are done, each written at once."""
    stored = _stored(out)
    left = [run for run in wanted if run.key not in stored]
    made = each(_work, left, processes, lambda row: _write(row, out))
    return [*(stored[run.key] for run in wanted if run.key in stored), *made]


def _work(run: Run, tell: Tell) -> dict[str, Any]:
    """Its row is told as soon as it is done, so that a bench that is stopped keeps it."""
    row = run.done()
    tell(row)
    return row


def _write(row: dict[str, Any], out: Path | None) -> None:
    if out is not None:
        with out.open("a") as file:
            file.write(json.dumps(row, sort_keys=True) + "\n")
    print(
        f"{row['key'].split('/')[0]:28} {row['procedure']:12} seed {row['seed']}  test {row['test_sharpe'] or 0:5.2f}"
        f"  train {row['train_sharpe'] or 0:5.2f}  {row['seconds']:6.1f} s",
        file=sys.stderr,
        flush=True,
    )


def _stored(out: Path | None) -> dict[str, dict[str, Any]]:
    """Rows on file by key; a last line that a stop cut off is not one."""
    if out is None or not out.exists():
        return {}
    found = {}
    for line in out.read_text().splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[row["key"]] = row
    return found


def _options(arguments: list[str]) -> argparse.Namespace:
    def listed(allowed: Iterable[str]) -> Any:
        def parse(text: str) -> list[str]:
            chosen = text.split(",")
            if unknown := [name for name in chosen if name not in allowed]:
                raise argparse.ArgumentTypeError(f"there is no {unknown[0]}; choose of {', '.join(allowed)}")
            return chosen

        return parse

    parser = argparse.ArgumentParser(prog="python -m tests.bench.learning", description=__doc__.splitlines()[0])
    parser.add_argument("--split", choices=list(planted.ROOTS), default="develop")
    parser.add_argument("--kinds", type=listed(planted.KINDS), default=list(planted.KINDS))
    parser.add_argument("--series", type=int, help="at most so many of each kind")
    parser.add_argument("--procedures", type=listed(PROCEDURES), default=[ORACLE, "always_long", "ridge", "ppo"])
    parser.add_argument("--seeds", type=int, default=1, help="runs of what is random")
    parser.add_argument("--timesteps", type=int, default=50_000)
    parser.add_argument("--members", type=int, default=5, help="of an ensemble")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON lines to read from and to append to")
    parser.add_argument("--json", type=Path, help="where the figures go")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
    rows = results(runs(options), options.out, options.processes)
    print(table.text(rows))
    if options.json is not None:
        options.json.write_text(json.dumps({"rows": rows, "summary": table.summary(rows)}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

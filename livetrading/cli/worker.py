"""``worker``: trials of studies that other machines have begun."""

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from ..adapters import logs
from ..adapters.home import Home
from ..core.errors import BadInput, Damaged, LivetradingError, NotFound, Refused
from .search import STORAGE, asked, opened

if TYPE_CHECKING:
    from ..research.study.storage import Storage
    from ..research.study.worker import Bench, News

LOOK_SECONDS = 0.5
PREPARED = 16
"""Studies whose bars are kept in memory."""


def worker(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Takes trials until all of the study, or of all studies, have ended."""
    logs.setup(home, "worker")
    if asked(options) is None:
        raise BadInput(f"Name the storage of the studies with --storage URL, or in ${STORAGE}.")
    storage = opened(home, options)
    try:
        return _Work(storage, options).run()
    finally:
        storage.close()


class _Work:
    """The studies that this process has prepared, and what it did."""

    def __init__(self, storage: "Storage", options: argparse.Namespace) -> None:
        from ..research.study.claims import Worker

        self._storage, self._options, self._me = storage, options, Worker.this()
        self._benches: dict[str, Bench] = {}
        self._refused: dict[str, LivetradingError] = {}
        self._done: dict[str, int] = {}

    def run(self) -> dict[str, Any]:
        names = self._wait()
        while names:
            # The first of them that has a trial to take; then from the oldest on again.
            if not any(self._turn(name) for name in names):
                if self._refused.keys() >= set(names):
                    break
                time.sleep(LOOK_SECONDS)
            names = self._open()
        if names and not self._done:
            raise self._refused[names[0]]
        count = sum(self._done.values())
        text = f"{count} trials of {len(self._done)} studies; all that are open to this worker have ended."
        return {"trials": count, "studies": self._done, "text": text}

    def _wait(self) -> list[str]:
        """The open studies, once there is one. NotFound if there is none of that name, or none at all, in time."""
        deadline = time.monotonic() + self._options.wait
        while True:
            try:
                if (names := self._open()) or self._options.study:
                    return names
            except NotFound:
                if time.monotonic() >= deadline:
                    raise
            if time.monotonic() >= deadline:
                self._expect_some()
                return []
            time.sleep(min(LOOK_SECONDS, self._options.wait))

    def _expect_some(self) -> None:
        from ..research.study import catalogue

        if catalogue.is_empty(self._storage):
            raise NotFound(
                f"There is no study in {self._storage.shown}: begin one with `train … --trials N --storage URL`."
            )

    def _open(self) -> list[str]:
        """Names of the studies with trials that have not ended. NotFound if there is none of the name that was given."""
        from ..research.study import catalogue

        if self._options.study and self._options.study not in self._benches:
            catalogue.find(self._storage, self._options.study)
        return [name for name in catalogue.open_names(self._storage) if self._options.study in (None, name)]

    def _bench(self, name: str) -> "Bench | None":
        """None if this process may not work on it."""
        from ..research.study import catalogue
        from ..research.study.worker import Bench

        if name not in self._benches and name not in self._refused:
            while len(self._benches) >= PREPARED:
                del self._benches[next(iter(self._benches))]
            try:
                self._benches[name] = Bench(catalogue.find(self._storage, name))
            except (Refused, BadInput, Damaged) as error:  # another study may be fit for this process
                self._refused[name] = error
        return self._benches.get(name)

    def _turn(self, name: str) -> bool:
        """Whether there was a trial to take."""
        from ..research.study.worker import turn

        def tell(news: "News") -> None:
            if news.what[0] == "begun" and not self._options.json:
                print(f"{name}: trial {news.number}", file=sys.stderr, flush=True)

        bench = self._bench(name)
        if bench is None or not turn(bench, self._me, tell):
            return False
        self._done[name] = self._done.get(name, 0) + 1
        return True

"""``worker``: trials of studies that other machines have begun."""

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from ..adapters import logs
from ..adapters.home import Home
from ..core.errors import BadInput, NotFound, Refused
from .search import STORAGE, opened

if TYPE_CHECKING:
    from ..research.study.catalogue import Study
    from ..research.study.storage import Storage
    from ..research.study.worker import Bench, News

LOOK_SECONDS = 0.5


def worker(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Takes trials until all of the study, or of all studies, have ended."""
    logs.setup(home, "worker")
    if not (options.storage or os.environ.get(STORAGE)):
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
        self._benches: dict[int, Bench] = {}
        self._refused: dict[int, Refused] = {}
        self._done: dict[str, int] = {}

    def run(self) -> dict[str, Any]:
        self._wait()
        while open_ones := self._open():
            if not any(self._turn(study) for study in open_ones):
                time.sleep(LOOK_SECONDS)
        count = sum(self._done.values())
        text = f"{count} trials of {len(self._done)} studies; all that are open to this worker have ended."
        return {"trials": count, "studies": self._done, "text": text}

    def _wait(self) -> None:
        """For a study to begin. NotFound if none of that name does in time."""
        deadline = time.monotonic() + self._options.wait
        while True:
            try:
                if self._open() or self._options.study:
                    return None
            except NotFound:
                if time.monotonic() >= deadline:
                    raise
            if time.monotonic() >= deadline:
                return self._nothing()
            time.sleep(min(LOOK_SECONDS, self._options.wait))

    def _nothing(self) -> None:
        from ..research.study import catalogue

        if catalogue.is_empty(self._storage):
            raise NotFound(
                f"There is no study in {self._storage.shown}: begin one with `train … --trials N --storage URL`."
            )

    def _open(self) -> "list[Study]":
        """The studies with trials that have not ended, and which this process may work on. Refused if there are some,
        and it may work on none."""
        from ..research.study import catalogue

        if self._options.study:
            catalogue.find(self._storage, self._options.study)
        found = [study for study in catalogue.open_studies(self._storage) if self._options.study in (None, study.name)]
        fit = [study for study in found if self._fits(study)]
        if found and not fit:
            raise self._refused[found[0].id]
        return fit

    def _fits(self, study: "Study") -> bool:
        from ..research.study.worker import Bench

        if study.id not in self._benches and study.id not in self._refused:
            try:
                self._benches[study.id] = Bench(study)
            except Refused as error:
                self._refused[study.id] = error
        return study.id in self._benches

    def _turn(self, study: "Study") -> bool:
        """Whether there was a trial to take."""
        from ..research.study.worker import turn

        def tell(news: "News") -> None:
            if news.what[0] == "begun" and not self._options.json:
                print(f"{study.name}: trial {news.number}", file=sys.stderr, flush=True)

        if not turn(self._benches[study.id], self._me, tell):
            return False
        self._done[study.name] = self._done.get(study.name, 0) + 1
        return True

"""How far a study is: its ended trials, whoever ended them."""

import time
from collections.abc import Callable

from ..progress import TRIALS, Listener, Progress
from . import claims
from .catalogue import Study
from .worker import News

STUDY_SHARE = 0.8
"""Of a whole search; the training of what was chosen is the rest."""
LOOK_SECONDS = 1.0


class StudyProgress:
    """Turns news of local workers into Progress; looks into the storage now and then for the trials of all."""

    def __init__(self, study: Study, listener: Listener, changed: Callable[[], None]) -> None:
        """``changed`` is called when another trial has ended."""
        self._study, self._listener, self._changed = study, listener, changed
        self._began = self._looked = time.monotonic()
        self._ended = self._first = self._count()
        self._say()

    def news(self, told: News) -> None:
        now = time.monotonic()
        if told.what[0] != "ended" and now - self._looked < LOOK_SECONDS:
            # An interrupt must be noticed at once, and a listener raises it.
            self._say()
            return
        self._looked, before = now, self._ended
        self._ended = self._count()
        self._say()
        if self._ended != before:
            self._changed()

    def _count(self) -> int:
        return sum(row.ended for row in claims.rows(self._study))

    def _say(self) -> None:
        wanted, took = self._study.definition, time.monotonic() - self._began
        done, share = self._ended - self._first, self._ended / wanted.trials
        each_trial = wanted.trial_seeds * wanted.folds * wanted.timesteps
        self._listener(
            Progress(
                TRIALS,
                STUDY_SHARE * share,
                self._ended * each_trial,
                wanted.trials * each_trial,
                done * each_trial / took if done and took > 0 else 0.0,
                took / done * (wanted.trials - self._ended) if done else None,
                folds=(self._ended, wanted.trials),
            )
        )

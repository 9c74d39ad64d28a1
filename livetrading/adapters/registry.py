"""Trained models on disk: ``models/<model_id>/`` with a zip for each member, card, bars and test.

A model appears whole or not at all: it is written to a temporary directory and renamed.
Listing and reading cards needs no torch; only ``load`` imports it.
"""

import errno
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from ..core import features, rules
from ..core.bars import COLUMNS, bars_sha256, from_rows, to_rows
from ..core.card import MODEL_ID, ModelCard, check_symbol
from ..core.errors import BadInput, Conflict, Damaged, LivetradingError, NotFound, Refused, Unavailable, in_a_line
from ..core.types import AgentType
from . import logs, private, processes
from .files import atomic_write, make_directory, sync_directory, unavailable, write_durably
from .home import Home
from .jsonio import plain
from .packages import check_versions
from .policy import Policy, load_policy

ZIP, CARD, BARS, TEST, LOOKAHEAD = "model.zip", "card.json", "bars.csv", "test.json", "lookahead.json"
STAGING = ".tmp-"
LISTED = ("sharpe_ratio", "total_return_pct", "max_drawdown_pct", "num_trades")
LARGEST = 1e15
"""No real measure is larger; a card with a larger one is refused."""
LISTED_OF_HOLDING = ("total_return_pct",)
"""Measures that every list of models shows; None where they are undefined."""


_SHAPE = (LivetradingError, TypeError, KeyError, ValueError, AttributeError, IndexError, OverflowError, RecursionError)
"""What reading raises if a file has another form than expected."""
log = logging.getLogger(__name__)


class Registry:
    """The models of one home."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def new_model_id(self, agent_type: AgentType, symbol: str, now: datetime) -> str:
        """``PPO_INTC_v20251108_162433``: the first free second (UTC) from ``now`` on."""
        check_symbol(symbol)
        moment = now.astimezone(UTC)
        while True:
            model_id = f"{agent_type}_{symbol}_v{moment:%Y%m%d_%H%M%S}"
            if not self.home.model(model_id).exists():
                return model_id
            moment += timedelta(seconds=1)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty directory beside the models, gone at the end or at the next register."""
        make_directory(self.home.models)
        prefix = f"{STAGING}{os.getpid()}-"
        with tempfile.TemporaryDirectory(prefix=prefix, dir=self.home.models) as folder:
            yield Path(folder)

    def register(self, card: ModelCard, zips: Path | Sequence[Path], bars: pd.DataFrame, test: dict[str, Any]) -> Path:
        """Writes a model and makes it visible in one step. Returns its directory.

        ``zips`` are its members' in their order. Damaged if they or the bars are not those of the card, Conflict if
        the id is taken.
        """
        self._sweep()
        paths = [zips] if isinstance(zips, Path) else list(zips)
        contents = [path.read_bytes() for path in paths]
        if [sha256(content) for content in contents] != _hashes(card) or bars_sha256(bars) != card.bars_sha256:
            raise Damaged(f"The zip or the bars given for {card.model_id} are not those of its card.")
        files = {zip_name(number): content for number, content in enumerate(contents)}
        files |= {CARD: _json(card.to_dict()), BARS: _csv(bars), TEST: _json(test)}
        staging = self.home.models / f"{STAGING}{os.getpid()}-{card.model_id}"
        try:
            make_directory(self.home.models)
            staging.mkdir(private.DIRECTORY)
            for name, data in files.items():
                write_durably(staging / name, data)
            sync_directory(staging)
            self._publish(staging, card.model_id)
        except OSError as error:
            raise unavailable(error, staging) from error
        finally:
            # After success it does not exist any more; failure and Ctrl-C must leave nothing.
            shutil.rmtree(staging, ignore_errors=True)
        return self.home.model(card.model_id)

    def register_new(
        self,
        made: Callable[[str, datetime], ModelCard],
        agent_type: AgentType,
        symbol: str,
        zips: Sequence[Path],
        bars: pd.DataFrame,
        test: dict[str, Any],
        clock: Callable[[], datetime],
    ) -> ModelCard:
        """Registers under the first free id, for which ``made`` gives the card; another process may take one meanwhile."""
        while True:
            now = clock()
            card = made(self.new_model_id(agent_type, symbol, now), now)
            try:
                self.register(card, zips, bars, test)
            except Conflict:
                continue
            return card

    def _publish(self, staging: Path, model_id: str) -> None:
        try:
            # rename(2) refuses a directory that holds something.
            os.rename(staging, self.home.model(model_id))
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                raise Conflict(f"The model {model_id} exists already: train again a second later.") from error
            raise
        sync_directory(self.home.models)

    def _sweep(self) -> None:
        """Removes what processes left that died during ``register``."""
        for path in self.home.models.glob(f"{STAGING}*"):
            pid = path.name.removeprefix(STAGING).split("-")[0]
            if pid.isdigit() and not processes.exists(int(pid)):
                shutil.rmtree(path, ignore_errors=True)

    def ids(self) -> list[str]:
        """Ids of all models, newest first."""
        names = [p.name for p in self.home.models.glob("*_v*") if MODEL_ID.fullmatch(p.name)]
        return sorted(names, key=lambda name: (name.rpartition("_v")[2], name), reverse=True)

    def list(self) -> list[ModelCard]:
        """Cards of all models that can be shown, newest first; ``damaged`` names the others."""
        return [card for _, card in self._each() if isinstance(card, ModelCard)]

    def damaged(self) -> dict[str, str]:
        """Ids of models whose card cannot be read or lacks a measure, each with what is wrong."""
        return {model_id: str(found) for model_id, found in self._each() if not isinstance(found, ModelCard)}

    def _each(self) -> Iterator[tuple[str, ModelCard | LivetradingError]]:
        for model_id in self.ids():
            try:
                card = self.card(model_id)
                wrong = unlisted(card.metrics)
                yield model_id, card if not wrong else Damaged(f"The card of {model_id} {wrong}: train it again.")
            except NotFound:
                continue  # removed meanwhile
            except Exception as error:  # one bad model must not hide the others
                yield model_id, logs.caught(log, f"the card of {model_id}", error)

    def card(self, model_id: str) -> ModelCard:
        """The card of a model. NotFound if there is none, Damaged if it cannot be read."""
        values = self._read_json(model_id, CARD)
        try:
            card = ModelCard.from_dict(values)
        except _SHAPE as error:
            said = error if isinstance(error, LivetradingError) else in_a_line(error)
            raise Damaged(f"The card of {model_id} is not usable ({said}): train it again.") from error
        if card.model_id != model_id:
            raise Damaged(f"The card in {model_id} belongs to {card.model_id}: train it again.")
        return card

    def bars(self, model_id: str) -> pd.DataFrame:
        """The canonical bars that the model was trained and tested on, exact to the bit."""
        card = self.card(model_id)
        try:
            lines = self._content(model_id, BARS).decode().splitlines()[1:]
            cells = [text.split(",") for text in lines]
            frame = from_rows([[row[0], *map(float, row[1:])] for row in cells])
            actual = bars_sha256(frame)
        except (Damaged, NotFound, Unavailable):
            raise
        except _SHAPE as error:
            raise Damaged(f"The bars of {model_id} cannot be read ({in_a_line(error)}): train it again.") from error
        if actual != card.bars_sha256:
            raise Damaged(f"The bars of {model_id} changed since its training: train it again.")
        return frame

    def test(self, model_id: str) -> dict[str, Any]:
        """The stored result of the model's test: metrics, equity, trades."""
        return self._read_json(model_id, TEST)

    def keep_lookahead(self, model_id: str, found: dict[str, Any]) -> None:
        """Keep the result of a look-ahead check beside the model; the newest counts."""
        path = self._file(model_id, CARD).with_name(LOOKAHEAD)
        atomic_write(path, _json({**found, "zip_sha256": self.card(model_id).zip_sha256}))

    def lookahead(self, model_id: str) -> dict[str, Any] | None:
        """The result of the newest look-ahead check of this model as it is; None if there was none that can be used."""
        if not self._file(model_id, CARD).with_name(LOOKAHEAD).is_file():
            return None
        found = self._read_json(model_id, LOOKAHEAD)
        of_this = found.get("zip_sha256") == self.card(model_id).zip_sha256
        return found if of_this and isinstance(found.get("problems"), list) else None

    def load(self, model_id: str) -> tuple[ModelCard, Policy]:
        """The model, ready to decide, and its card.

        Refused if this code computes other observations or rules than at training,
        or if package versions differ in the major number; Damaged if a byte changed.
        """
        card = self.card(model_id)
        check_rules(card)
        check_versions(card.packages, model_id)
        contents = [self._zip(model_id, number, digest) for number, digest in enumerate(_hashes(card))]
        return card, load_policy(card, contents)

    def _zip(self, model_id: str, number: int, digest: str) -> bytes:
        content = self._content(model_id, zip_name(number))
        if sha256(content) != digest:
            raise Damaged(f"{zip_name(number)} of {model_id} is not the file that its card describes: train it again.")
        return content

    def _file(self, model_id: str, name: str) -> Path:
        folder = self.home.model(model_id)
        if not folder.is_dir():
            raise NotFound(f"There is no model {model_id}: list them with `python -m livetrading models`.")
        if not (folder / name).is_file():
            raise Damaged(f"{name} of {model_id} is missing: train it again.")
        return folder / name

    def _content(self, model_id: str, name: str) -> bytes:
        try:
            return self._file(model_id, name).read_bytes()
        except OSError as error:
            raise unavailable(error, self.home.model(model_id) / name, "read") from None

    def _read_json(self, model_id: str, name: str) -> dict[str, Any]:
        content = self._content(model_id, name)
        try:
            values = plain(json.loads(content))
        except (ValueError, RecursionError, BadInput) as error:
            raise Damaged(f"{name} of {model_id} is not valid JSON ({error}): train it again.") from error
        if not isinstance(values, dict):
            raise Damaged(f"{name} of {model_id} is not a JSON object: train it again.")
        return values


def unlisted(metrics: dict[str, Any]) -> str | None:
    """Why a model cannot be listed, in words: a measure is missing or not a number. None if it can be listed."""
    for part, names in (("test", LISTED), ("buy_and_hold", LISTED_OF_HOLDING)):
        for name in names:
            if name not in metrics[part]:
                return f"lacks the measure {name} of its {part}"
            value = metrics[part][name]
            if not isinstance(value, int | float | None) or isinstance(value, bool) or abs(value or 0) > LARGEST:
                return f"holds {str(value)[:40]} as {name} of its {part}"
    return None


def check_rules(card: ModelCard) -> None:
    """Refused unless this code computes the model's features and rules."""
    if features.SETS.get(card.feature_set) != card.features:
        known = "; ".join(f"{name} ({', '.join(columns)})" for name, columns in features.SETS.items())
        raise Refused(
            f"{card.model_id} was trained on the features {card.feature_set} "
            f"({', '.join(card.features)}) and this version computes {known}: train it again."
        )
    if card.rules_version != rules.RULES_VERSION:
        raise Refused(
            f"{card.model_id} was trained under version {card.rules_version} of the rules and "
            f"this is version {rules.RULES_VERSION}: train it again."
        )


def zip_name(number: int) -> str:
    """The file of an ensemble's member, counted from 0: ``model.zip``, ``model-2.zip``, …"""
    return ZIP if number == 0 else f"model-{number + 1}.zip"


def _hashes(card: ModelCard) -> list[str]:
    return [member.zip_sha256 for member in card.members] or [card.zip_sha256]


def sha256(content: bytes) -> str:
    """Hexadecimal, as the card keeps it."""
    return hashlib.sha256(content).hexdigest()


def _json(values: dict[str, Any]) -> bytes:
    return json.dumps(plain(values), indent=1).encode() + b"\n"


def _csv(bars: pd.DataFrame) -> bytes:
    rows = [",".join([row[0], *map(repr, row[1:])]) for row in to_rows(bars)]
    return "\n".join([",".join(["date", *COLUMNS]), *rows, ""]).encode()

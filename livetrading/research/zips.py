"""A model's zip whose bytes follow from the model alone: two equal models have the same SHA-256."""

import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from stable_baselines3.common.base_class import BaseAlgorithm

from ..adapters.registry import sha256, zip_name

_ADDRESS = re.compile(rb" at 0x[0-9a-f]+")
"""Stable-Baselines3 describes functions by where they lie in memory; nobody reads that again."""
_SOME_TIME = (1980, 1, 1, 0, 0, 0)


def save(model: BaseAlgorithm, target: Path | io.BytesIO) -> None:
    """As ``model.save``, without addresses and times; ``PPO.load`` and ``SAC.load`` open it."""
    buffer = io.BytesIO()
    model.save(buffer)
    with zipfile.ZipFile(buffer) as theirs, zipfile.ZipFile(target, "w") as ours:
        for name in theirs.namelist():
            content = theirs.read(name)
            ours.writestr(zipfile.ZipInfo(name, _SOME_TIME), _ADDRESS.sub(b"", content) if name == "data" else content)


def saved(models: Sequence[BaseAlgorithm], folder: Path) -> tuple[list[Path], list[str]]:
    """The models' zips in a folder, named as the registry names them, and the SHA-256 of each."""
    paths = [folder / zip_name(number) for number in range(len(models))]
    for path, model in zip(paths, models, strict=True):
        save(model, path)
    return paths, [sha256(path.read_bytes()) for path in paths]

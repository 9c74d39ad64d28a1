"""Standardising features by the training part, and nothing else."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import BadBars, BadInput

CLIP = 5.0
SMALLEST_STD = 1e-12
"""A deviation below it is rounding noise of a constant column and counts as 1."""


@dataclass(frozen=True)
class Scaler:
    """Mean and population deviation (ddof 0) of each feature on the training rows."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """``(n_features,)`` or ``(T, n_features)`` -> float64 of that shape, clipped to +-5.

        Elementwise, so one row gives the same bits as a row of a matrix. NaN
        stays NaN. Raises BadInput when the number of columns differs.
        """
        values = np.asarray(rows, dtype=np.float64)
        if values.ndim == 0 or values.shape[-1] != len(self.mean):
            width = values.shape[-1] if values.ndim else 0
            raise BadInput(
                f"The rows have {width} features and the scaler {len(self.mean)}: "
                "use the features that the model's card names."
            )
        scaled: np.ndarray = np.clip((values - np.array(self.mean)) / np.array(self.std), -CLIP, CLIP)
        return scaled

    def to_dict(self) -> dict[str, list[float]]:
        """JSON-ready; floats keep their bits through a round trip."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Scaler":
        """The inverse of to_dict. Raises BadInput when it is not a scaler's document."""
        try:
            mean = tuple(float(value) for value in data["mean"])
            std = tuple(float(value) for value in data["std"])
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(
                f"The scaler cannot be read ({error!r}): restore the model's card or train again."
            ) from error
        usable = all(map(math.isfinite, mean)) and all(0.0 < value < math.inf for value in std)
        if not mean or len(mean) != len(std) or not usable:
            raise BadInput(
                "The scaler needs one finite mean and one positive deviation a feature: "
                "restore the model's card or train again."
            )
        return cls(mean, std)


def fit(rows: np.ndarray) -> Scaler:
    """The scaler of the training rows, ``(n, n_features)`` with n >= 1, all finite.

    ddof 0; a deviation under 1e-12 counts as 1. Raises BadBars for a value that
    is not finite, BadInput for another shape.
    """
    values = np.ascontiguousarray(rows, dtype=np.float64)
    if values.ndim != 2 or 0 in values.shape:
        raise BadInput(f"Training rows must be a table that is not empty, not {values.shape}: widen the range.")
    finite = np.isfinite(values)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise BadBars(
            f"Training row {row} has {values[row, column]} as feature {column}: "
            "correct the bars or start the training part later."
        )
    std = values.std(axis=0, ddof=0)
    std = np.where(std < SMALLEST_STD, 1.0, std)
    return Scaler(tuple(values.mean(axis=0).tolist()), tuple(std.tolist()))

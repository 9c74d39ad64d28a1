"""What a job's record keeps of a training's progress: curves of bounded size, and the folds' measures in short."""

from collections.abc import Mapping, Sequence
from typing import Any

from .progress import Progress

Doc = dict[str, Any]
MOST_POINTS, LEAST_POINTS = 60, 8
MOST_NUMBERS = 12_000
"""Of all curves together: about 100 KB, which every reader of the jobs reads each time."""
MEASURES = ("sharpe_ratio", "total_return_pct", "max_drawdown_pct", "num_trades")
FOLD = ("fold", "start", "end", "sharpe_ratio", "total_return_pct", "num_trades")


def kept(progress: Progress) -> Doc:
    """``curves`` as in Progress with four digits, and ``walk_forward``: by name its ``measures``, and a row a fold;
    None until the folds are judged. JSON-ready."""
    walked = progress.walk_forward
    return {
        "curves": curves(progress.curves),
        "walk_forward": walked and {name: _short(walk) for name, walk in walked.items()},
    }


def curves(found: Mapping[str, Sequence[Doc]]) -> dict[str, list[Doc]]:
    """Each part's points, thinned evenly if there are too many; the first and the last stay."""
    members = max((len(point["reward"]) for points in found.values() for point in points), default=1)
    room = MOST_NUMBERS // (2 * members * max(1, len(found)))
    most = max(LEAST_POINTS, min(MOST_POINTS, room))
    return {name: [_rounded(point) for point in thinned(points, most)] for name, points in found.items()}


def thinned(points: Sequence[Doc], most: int) -> list[Doc]:
    """At most so many points (2 or more), evenly taken, with the first and the last."""
    last = len(points) - 1
    if last < most:
        return list(points)
    return [points[round(k * last / (most - 1))] for k in range(most)]


def _rounded(point: Doc) -> Doc:
    digits = {name: [round(value, 4) for value in point[name]] for name in ("reward", "sharpe")}
    return {"share": round(point["share"], 4), **digits}


def _short(walk: Doc) -> Doc:
    return {
        "measures": {name: walk["measures"][name] for name in MEASURES},
        "folds": [{name: fold[name] for name in FOLD} for fold in walk["folds"]],
    }

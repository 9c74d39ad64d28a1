"""What the rows say: shares with their bounds, whether a promise is broken, and the table that is printed."""

from collections.abc import Callable, Iterable
from typing import Any

from . import lives, skilled
from .bounds import Share

Row = dict[str, Any]
MOST_LUCKY, LEAST_SKILLED = 0.05, 0.70
ALL = "all"
NEAR = 0.1
"""Of the expected Sharpe ratio; 115,000 sessions know it to 0.05."""
WAYS = {
    "alone": "chosen before, one look",
    "counted": "chosen before, 20 looks recorded",
    "best": "the best of 20 looks",
}


def summary(rows: Iterable[Row]) -> Row:
    """Figures of all parts; ``broken`` names each promise that does not hold."""
    found = list(rows)
    parts = {part: [row for row in found if row["part"] == part] for part in ("null", "trained", "skill", "leaks")}
    made = {
        "null": _by_market(parts["null"], ("real_money", "any")),
        "trained": _by_market(parts["trained"], ("real_money",)),
        "planted": _planted(parts["skill"]),
        "power": _power(parts["skill"]),
        "leaks": _leaks(parts["leaks"]),
    }
    return {**made, "broken": _broken(made)}


def _share(rows: list[Row], hit: Callable[[Row], bool]) -> Row:
    return Share(sum(map(hit, rows)), len(rows)).to_dict()


def _by_market(rows: list[Row], questions: tuple[str, ...]) -> list[Row]:
    """By market and length, and over all markets that are bounded."""
    places = sorted(
        {(row["kind"], row["sessions"]) for row in rows}, key=lambda at: (list(lives.MARKETS).index(at[0]), at[1])
    )
    groups = {place: [row for row in rows if (row["kind"], row["sessions"]) == place] for place in places}
    for length in lives.LENGTHS:
        groups[ALL, length] = [row for row in rows if row["kind"] in lives.NULLS and row["sessions"] == length]
    return [
        {
            "market": kind,
            "sessions": sessions,
            **{question: _share(some, lambda row, question=question: row[question]) for question in questions},
            "sharpe_above_1_5": _share(some, lambda row: (row["sharpe"] or 0.0) > 1.5),
            "n_effective": sum(row["n_effective"] for row in some) / len(some),
        }
        for (kind, sessions), some in groups.items()
        if some
    ]


def _planted(rows: list[Row]) -> list[Row]:
    """The lives that are bounded: an expected Sharpe ratio of 2 over 1,150 sessions, by kind of signal.

    ``worth``: the Sharpe ratio that the deployed tries have by themselves, a mean over the lives.
    """
    own = {row["kind"]: row["worth"] for row in rows if "worth" in row and row["expected"] == skilled.SHARPE}
    wanted = [row for row in rows if (row["expected"], row.get("sessions")) == (skilled.SHARPE, skilled.SESSIONS)]
    kinds = [kind for kind in skilled.GAINS if any(row["kind"] == kind for row in wanted)]
    groups = {kind: [row for row in wanted if row["kind"] == kind] for kind in kinds}
    if wanted:
        groups[ALL] = wanted
    return [
        {
            "signal": kind,
            **{way: _share(some, lambda row, way=way: row[way]["real_money"]) for way in WAYS},
            "worth": _mean(own[row["kind"]][row["which"]] for row in some if row["kind"] in own),
            "exposure": _mean(row["best"]["exposure"] for row in some),
            "only_always_long": sum(row["best"]["unmet"] == ["beats_always_long"] for row in some),
        }
        for kind, some in groups.items()
    ]


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return sum(known) / len(known) if known else None


def _power(rows: list[Row]) -> list[Row]:
    """By expected Sharpe ratio and length, of the signal that makes returns neither alike nor unlike."""
    kind = next(iter(skilled.GAINS))
    rows = [row for row in rows if row["kind"] == kind and "worth" not in row]
    places = sorted({(row["expected"], row["sessions"]) for row in rows})
    return [
        {
            "expected": expected,
            "sessions": sessions,
            **{way: _share(some, lambda row, way=way: row[way]["real_money"]) for way in WAYS},
        }
        for expected, sessions in places
        if (some := [row for row in rows if (row["expected"], row["sessions"]) == (expected, sessions)])
    ]


def _leaks(rows: list[Row]) -> Row:
    return {
        "flagged": _share([row for row in rows if row["leaks"]], lambda row: row["flagged"]),
        "accused": _share([row for row in rows if not row["leaks"]], lambda row: row["flagged"]),
    }


def _broken(made: Row) -> list[str]:
    """Promises that do not hold: of all lives together by what was counted, of a part of them where its bound says so."""
    found = [
        f"{part}: {row['market']} at {row['sessions']} sessions reaches real money in {100 * row['real_money']['rate']:.1f} %"
        for part in ("null", "trained")
        for row in made[part]
        if row["market"] in (*lives.NULLS, ALL)
        and row["real_money"]["rate" if row["market"] == ALL else "lower"] > MOST_LUCKY
    ]
    found += [
        f"planted: {row['signal']} reaches real money in {100 * row['best']['rate']:.1f} % only"
        for row in made["planted"]
        if row["best"]["rate" if row["signal"] == ALL else "upper"] < LEAST_SKILLED
    ]
    found += [
        f"planted: {row['signal']} deploys an expected Sharpe ratio of {row['worth']:.2f}"
        for row in made["planted"]
        if row["worth"] is not None and abs(row["worth"] - skilled.SHARPE) > NEAR
    ]
    leaks = made["leaks"]
    if leaks["flagged"]["hits"] < leaks["flagged"]["of"]:
        found.append("leaks: an injected look-ahead was not flagged")
    if leaks["accused"]["hits"]:
        found.append("leaks: a feature that does not look ahead was flagged")
    return found


def text(made: Row) -> str:
    """The table that is printed."""
    lines = []
    for part, head in (("null", "without skill, calibrated"), ("trained", "without skill, trained")):
        lines += [f"{head}: real money"] if made[part] else []
        for row in made[part]:
            lines.append(f"  {row['market']:14}{row['sessions']:6d} sessions  {_shown(row['real_money'])}")
    lines += [f"skill: an expected Sharpe ratio of {skilled.SHARPE:g} over {skilled.SESSIONS} sessions: real money"]
    for row in made["planted"]:
        lines += [f"  {row['signal']:10}{WAYS[way]:34}{_shown(row[way])}" for way in WAYS]
    lines += ["power, by expected Sharpe ratio and sessions (chosen before with 20 looks recorded; the best of 20)"]
    for row in made["power"]:
        lines.append(f"  {row['expected']:4g}{row['sessions']:7d}  {_shown(row['counted'])}   {_shown(row['best'])}")
    leaks = made["leaks"]
    lines += [f"look-ahead flagged {_shown(leaks['flagged'])}", f"honest accused     {_shown(leaks['accused'])}"]
    return "\n".join([*lines, *(f"BROKEN {one}" for one in made["broken"])])


def _shown(share: Row) -> str:
    return str(Share(share["hits"], share["of"]))

"""Draws docs/power.svg: how often a skill of a known Sharpe ratio reaches real money, by the length of its test.

``python docs/draw_power.py var/bench/honesty.json`` takes over the figures of a run of ``make bench-honesty`` into
docs/power.json first. Points are measured, with their 90 % interval; lines are the arithmetic of ``expected``.
"""

import json
import math
import sys
from pathlib import Path
from statistics import NormalDist
from typing import Any

from livetrading.core import real_money, significance
from livetrading.core.metrics import SESSIONS_A_YEAR

FOLDER = Path(__file__).resolve().parent
FIGURES, PICTURE = FOLDER / "power.json", FOLDER / "power.svg"
LOOKS = 20
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 860, 460, 70, 30, 150, 60
SHORTEST, LONGEST = 200.0, 6_000.0
COLOURS = {1.0: "#8c959f", 1.5: "#bf8700", 2.0: "#0969da", 2.5: "#1a7f37", 3.0: "#8250df"}


def expected(sharpe: float, sessions: int, looks: int = LOOKS) -> float:
    """The probability that a try chosen before is above both bars, Sharpe ratio and deflated Sharpe ratio, if its daily
    returns are independent and normal; always-long is taken as beaten."""
    if sessions < real_money.SESSIONS:
        return 0.0
    year = math.sqrt(SESSIONS_A_YEAR)
    confident = NormalDist().inv_cdf(real_money.DEFLATED)
    true, low, high = sharpe / year, 0.0, 1.0
    for _ in range(60):  # the lowest ratio whose deflated ratio is high enough
        middle = (low + high) / 2.0
        away = (middle - significance.luck(sessions - 1, looks)) / error(middle, sessions)
        low, high = (middle, high) if away < confident else (low, middle)
    needed = max(high, real_money.SHARPE / year)
    return 1.0 - NormalDist().cdf((needed - true) / error(true, sessions))


def error(ratio: float, sessions: int) -> float:
    """The standard error of a daily ratio of normal returns."""
    return significance.Record(ratio, 0.0, 3.0, sessions - 1).error


def across(sessions: float) -> float:
    span = math.log(LONGEST / SHORTEST)
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(sessions / SHORTEST) / span


def up(share: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def svg(power: list[dict[str, Any]]) -> str:
    """The picture as text; the same figures give the same text."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="14">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        *_axes(),
    ]
    for sharpe, colour in COLOURS.items():
        lines += [_curve(sharpe, colour)]
        for row in power:
            if row["expected"] == sharpe:
                lines += _point(row, colour)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _axes() -> list[str]:
    lines = []
    for percent in range(0, 101, 20):
        y = up(percent / 100.0)
        lines.append(f'<path d="M{LEFT},{y:.1f} H{WIDTH - RIGHT}" stroke="#d0d7de"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{y + 5:.1f}" text-anchor="end" fill="#57606a">{percent} %</text>')
    for sessions in (250, 500, 1_150, 2_500, 5_000):
        x = across(sessions)
        lines.append(f'<path d="M{x:.1f},{TOP} V{HEIGHT - BOTTOM}" stroke="#eaeef2"/>')
        lines.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" fill="#57606a">{sessions:,}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    words = f"sessions of the test; {LOOKS} looks at it recorded"
    lines.append(f'<text x="{middle:.0f}" y="{HEIGHT - 14}" text-anchor="middle" fill="#1f2328">{words}</text>')
    lines.append(f'<text x="{LEFT}" y="{TOP - 12}" fill="#1f2328">reaches real money</text>')
    return lines


def _curve(sharpe: float, colour: str) -> str:
    steps = range(101)
    first = math.log(real_money.SESSIONS)
    lengths = [round(math.exp(first + (math.log(LONGEST) - first) * step / 100)) for step in steps]
    places = " L".join(f"{across(length):.1f},{up(expected(sharpe, length)):.1f}" for length in lengths)
    end = up(expected(sharpe, lengths[-1]))
    shift = {2.0: 16, 2.5: 0, 3.0: -16}.get(sharpe, 0)
    text = f'<text x="{WIDTH - RIGHT + 8}" y="{end + 5 + shift:.1f}" fill="{colour}">Sharpe ratio {sharpe:g}</text>'
    return f'<path d="M{places}" fill="none" stroke="{colour}" stroke-width="2"/>\n{text}'


def _point(row: dict[str, Any], colour: str) -> list[str]:
    x, share = across(row["sessions"]), row["counted"]
    return [
        f'<path d="M{x:.1f},{up(share["lower"]):.1f} V{up(share["upper"]):.1f}" stroke="{colour}" stroke-width="1.5"/>',
        f'<circle cx="{x:.1f}" cy="{up(share["rate"]):.1f}" r="4.5" fill="{colour}"/>',
    ]


def table(power: list[dict[str, Any]]) -> str:
    """The rows of docs/EVALUATION.md."""
    lengths = sorted({row["sessions"] for row in power})
    lines = []
    for sharpe in COLOURS:
        found = {row["sessions"]: row for row in power if row["expected"] == sharpe}
        cells = [
            f"{100 * r['counted']['rate']:.0f} / {100 * r['best']['rate']:.0f}" if (r := found.get(n)) else "–"
            for n in lengths
        ]
        lines.append(f"| {sharpe:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        rows = json.loads(Path(sys.argv[1]).read_text("utf-8"))["power"]
        FIGURES.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    figures = json.loads(FIGURES.read_text("utf-8"))
    PICTURE.write_text(svg(figures), "utf-8")
    print(table(figures))

"""Draws docs/house.svg from the imports of the package: ``python docs/draw_house.py``.

A box is a room (a folder with one subject); its row is one above the highest room
that it imports. An arrow that two others already imply is left out.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "house.svg"
ROOMS = (
    "cli",
    "dashboard",
    "research",
    "execution/stopping",
    "execution/node",
    "execution/trading",
    "execution/accounts",
    "execution/orders",
    "execution/state",
    "execution",
    "adapters/bars",
    "adapters/brokers",
    "adapters",
    "core",
)
TOGETHER = {"adapters/bars": "adapters/bars, brokers", "adapters/brokers": "adapters/bars, brokers"}
"""Drawn as one box: a broker can be a bar source, so these two folders import each other (no two files do)."""
BOXES = tuple(dict.fromkeys(TOGETHER.get(room, room) for room in ROOMS))
WIDTH, ROW, BOX, HEIGHT = 1180, 92, 210, 46


def room_of(module: str) -> str | None:
    """The room of ``livetrading.a.b``; None for the package itself."""
    path = "/".join(module.split(".")[1:])
    rooms = (room for room in sorted(ROOMS, key=len, reverse=True) if path == room or path.startswith(f"{room}/"))
    room = next(rooms, None)
    return TOGETHER.get(room, room) if room else None


def imported(path: Path) -> set[str]:
    """Absolute names that a file imports, also inside functions and for type checkers."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("livetrading.")}


def arrows() -> dict[str, set[str]]:
    """Each room and the other rooms that its files import."""
    found: dict[str, set[str]] = {room: set() for room in BOXES}
    for path in sorted((ROOT / "livetrading").rglob("*.py")):
        room = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        if room is not None:
            found[room] |= {r for name in imported(path) if (r := room_of(name)) not in (None, room)}
    return found


def rows(graph: dict[str, set[str]]) -> dict[str, int]:
    """Height of each room from the ground. Raises ValueError for rooms in a circle."""
    height: dict[str, int] = {}
    while len(height) < len(graph):
        free = [room for room, seen in graph.items() if room not in height and seen <= height.keys()]
        if not free:
            raise ValueError(f"rooms import each other: {sorted(graph.keys() - height.keys())}")
        height |= {room: 1 + max((height[r] for r in graph[room]), default=-1) for room in free}
    return height


def direct(graph: dict[str, set[str]]) -> list[tuple[str, str]]:
    """Arrows that no longer way implies."""

    def below(room: str) -> set[str]:
        return graph[room].union(*(below(r) for r in graph[room]))

    return [(a, b) for a in graph for b in sorted(graph[a]) if not any(b in below(r) for r in graph[a] - {b})]


def svg() -> str:
    """The picture as text; the same imports give the same text."""
    graph = arrows()
    height = rows(graph)
    top = max(height.values())
    at: dict[str, tuple[float, int]] = {}
    for level in range(top + 1):
        row = [room for room in BOXES if height[room] == level]
        at |= {room: (WIDTH * (i + 1) / (len(row) + 1), 20 + (top - level) * ROW) for i, room in enumerate(row)}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {(top + 1) * ROW}" font-family="sans-serif" font-size="16">',
        (
            '<defs><marker id="tip" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
            '<path d="M0,0 L9,4 L0,8 z" fill="#57606a"/></marker></defs>'
        ),
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for a, b in direct(graph):
        (x, y), (u, v) = at[a], at[b]
        start = f"M{x:.0f},{y + HEIGHT} C{x:.0f},{y + HEIGHT + 40} {u:.0f},{v - 40}"
        if x != u and v - y > ROW:  # past other rows: out of the side, so that it crosses no box
            start = f"M{x + (BOX / 2 if u > x else -BOX / 2):.0f},{y + HEIGHT // 2} C{u:.0f},{y + HEIGHT // 2} {u:.0f},{y + ROW}"
        lines.append(
            f'<path d="{start} {u:.0f},{v}" fill="none" stroke="#57606a" stroke-width="1.5" marker-end="url(#tip)"/>'
        )
    for room, (x, y) in at.items():
        lines.append(
            f'<rect x="{x - BOX / 2:.0f}" y="{y}" width="{BOX}" height="{HEIGHT}" rx="6" fill="#eef4fb" stroke="#2f5d8a"/>'
        )
        lines.append(f'<text x="{x:.0f}" y="{y + 29}" text-anchor="middle" fill="#1f2328">{room}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(svg(), "utf-8")

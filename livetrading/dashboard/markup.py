"""Small pieces of HTML where Streamlit would shorten a number. All text is escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

STATUS_TONES = {
    "running": "lt-up",
    "paused": "lt-warn",
    "blocked": "lt-down",
    "finished": "lt-accent",
    "stopped": "lt-muted",
    "unreadable": "lt-down",
}


class Fact(NamedTuple):
    """A labelled value, a line under it, and the style classes of both."""

    label: str
    value: str
    sub: str = ""
    tone: str = ""
    sub_tone: str = ""


def tag(text: str, tone: str = "lt-muted") -> str:
    return f'<span class="lt-tag {tone}">{escape(text.upper())}</span>'


def status_tag(status: str, text: str = "") -> str:
    """The status, or ``text`` where the status alone would mislead: then in the colour of a warning."""
    other = text not in ("", status) and status != "unreadable"
    return tag(text or status, "lt-warn" if other else STATUS_TONES.get(status, "lt-muted"))


def pill(text: str, tone: str = "lt-muted") -> str:
    return f'<span class="lt-pill"><span class="lt-dot {tone}"></span>{escape(text)}</span>'


def row(parts: Sequence[str]) -> str:
    return f'<div class="lt-row">{"".join(parts)}</div>'


def kpis(facts: Sequence[Fact]) -> str:
    return f'<div class="lt-kpis">{"".join(_fact("lt-kpi", f) for f in facts)}</div>'


def group(name: str, sub: str, tone: str, items: Sequence[Fact]) -> str:
    """Figures that belong together, under their name."""
    head = f'<div class="lt-row">{tag(name, tone)}<span class="lt-muted">{escape(sub)}</span></div>'
    return f'<section class="lt-group" aria-label="{escape(name)}">{head}{kpis(items)}</section>'


def facts(items: Sequence[Fact], wide: bool = False) -> str:
    """A grid of facts; ``wide`` if it has the whole width of the page."""
    return f'<div class="lt-facts{" lt-wide" if wide else ""}">{"".join(_fact("lt-fact", f) for f in items)}</div>'


def title(text: str, sub: str = "") -> str:
    """A page's name, and a short text beside it."""
    return f'<div class="lt-head"><h1>{escape(text)}</h1><span class="lt-muted">{escape(sub)}</span></div>'


def heading(text: str, sub: str = "") -> str:
    """A section's name, and a short text beside it."""
    name, beside = f'<span class="name">{escape(text)}</span>', f'<span class="lt-muted">{escape(sub)}</span>'
    return f'<div class="lt-head">{name}{beside}</div>'


def _fact(kind: str, fact: Fact) -> str:
    sub = f'<div class="s {fact.sub_tone}">{escape(fact.sub)}</div>' if fact.sub else ""
    return (
        f'<div class="{kind}"><div class="l">{escape(fact.label)}</div>'
        f'<div class="v {fact.tone}">{escape(fact.value)}</div>{sub}</div>'
    )


def notes(texts: Sequence[str]) -> str:
    return "".join(f'<div class="lt-note">{escape(text)}</div>' for text in texts)


def remark(text: str) -> str:
    """A quiet line below what it explains."""
    return f'<p class="lt-muted">{escape(text)}</p>'


def empty(text: str) -> str:
    return f'<div class="lt-empty">{escape(text)}</div>'


def keys(colors: Mapping[str, str]) -> str:
    """The legend of several charts: names with the colours of their lines."""
    parts = [
        f'<span class="lt-key"><span class="lt-dot" style="color: {escape(color)}"></span>{escape(name)}</span>'
        for name, color in colors.items()
    ]
    return row(parts)


def table(
    head: Sequence[str], rows: Sequence[Sequence[tuple[str, str] | str]], stacks: bool = False, kind: str = ""
) -> str:
    """Right-aligned except for the first column; a cell may have a style class, and ``kind`` is one of the table's. On
    a narrow screen a table that ``stacks`` shows a row's cells below each other, each with its heading."""
    cells = "".join(f"<th>{escape(text)}</th>" for text in head)
    body = "".join(f"<tr>{''.join(_cell(*pair) for pair in zip(line, head, strict=True))}</tr>" for line in rows)
    inner = f"<thead><tr>{cells}</tr></thead><tbody>{body}</tbody>"
    names = " ".join(filter(None, ("lt-table", "lt-stacks" if stacks else "", kind)))
    return f'<div class="lt-scroll"><table class="{names}">{inner}</table></div>'


def _cell(cell: tuple[str, str] | str, heading: str) -> str:
    text, tone = (cell, "") if isinstance(cell, str) else cell
    return f'<td class="{tone}" data-label="{escape(heading)}">{escape(text)}</td>'

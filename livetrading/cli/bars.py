"""``bars diff`` and ``bars accept``: what a source has corrected in an agent's bars, and going on with it."""

import argparse
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ..adapters.home import Home
from ..adapters.stamps import parse_stamp
from ..core.errors import Conflict
from ..core.types import Action
from ..core.wording import counted
from ..execution.bar_correction import not_booked
from ..execution.bar_diff import Diff, diff, journal, state_of
from ..execution.decided_again import Outcome
from .acting import act, utc_now

SHOWN = 20
"""Lines of a list in the text; JSON holds all of them."""


def bars(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """``diff`` or ``accept``, by the word that was given."""
    now = parse_stamp(options.now) if options.now else utc_now()
    return (_accept if options.what == "accept" else _diff)(home, options, now)


def _diff(home: Home, options: argparse.Namespace, now: datetime) -> dict[str, Any]:
    made = diff(home, options.agent_id, now)
    return {**document(made), "text": text(home, made)}


def _accept(home: Home, options: argparse.Namespace, now: datetime) -> dict[str, Any]:
    """The bars are fetched here and the very rows that were compared are booked, so that a person gets what he saw."""
    made = diff(home, options.agent_id, now)
    if not made.changes:
        raise Conflict(_none(made))
    args = {"rows": made.rows, "source": made.source, "doubtful": options.doubtful}
    done = act(home, "accept_bars", agent_id=made.agent_id, args=args)
    return {**document(made), **done}


def document(made: Diff) -> dict[str, Any]:
    """JSON-ready."""
    return {
        "agent_id": made.agent_id,
        "source": made.source,
        "bars_compared": made.compared,
        "differ": bool(made.changes),
        "changes": [change.to_dict() for change in made.changes],
        "decisions_checked": made.checked,
        "decisions": [
            {"session": each.session, "before": _plain(each.then), "after": _plain(each.now)} for each in made.redecided
        ],
        "dividends_not_booked": [{**asdict(each), "amount": each.amount} for each in made.dividends],
        "doubts": list(made.doubts),
        "refusal": made.refusal or None,
    }


def _plain(made: Outcome) -> dict[str, Any]:
    return {"action": Action(made.action).name, "quantity": made.qty, "stop": made.stop}


def _none(made: Diff) -> str:
    return (
        f"{made.source} states the {counted(made.compared, 'bar')} of {made.agent_id} as it knows them; there is no"
        " correction."
    )


def text(home: Home, made: Diff) -> str:
    """The comparison in words, and what can be done about it."""
    if not made.changes:
        return _none(made)
    lines = [f"{made.source} states {counted(len(made.changes), 'value')} of {made.agent_id}'s bars otherwise:"]
    lines += _few([f"  {c.session}  {c.column:<8}  {c.booked:.10g} booked, {c.now:.10g} now" for c in made.changes])
    lines += [f"Doubtful: {doubt}." for doubt in made.doubts]
    lines += _decisions(made)
    lines += not_booked(state_of(journal(home, made.agent_id)), list(made.dividends))
    lines.append(made.refusal or _accept_it(made))
    return "\n".join(lines)


def _accept_it(made: Diff) -> str:
    doubtful = " --doubtful" if made.doubts else ""
    return (
        f"Accept it with `python -m livetrading bars accept {made.agent_id}{doubtful}`: decisions and money made stay as they"
        " are, and the agent goes on with the corrected bars."
    )


def _decisions(made: Diff) -> list[str]:
    if not made.redecided:
        return [f"None of {counted(made.checked, 'decision')} would have come out differently, each with its account."]
    head = (
        f"{len(made.redecided)} of {counted(made.checked, 'decision')} would have come out differently, each with the"
        " account that it had:"
    )
    return [head, *_few([f"  {r.session}  {_words(r.then)}  ->  {_words(r.now)}" for r in made.redecided])]


def _words(made: Outcome) -> str:
    name = Action(made.action).name
    stop = f", stop {made.stop:.2f}" if made.stop is not None else ""
    return f"{name} {made.qty}{stop}" if made.qty else name


def _few(lines: list[str]) -> list[str]:
    more = len(lines) - SHOWN
    return lines if more <= 0 else [*lines[:SHOWN], f"  and {more:,} more, see --json"]

"""The drawdown limit in training: where it would refuse entries, a member has nothing to choose and nothing to learn.

The limit is the rule of ``core.limits``, applied to the life that each member would lead on the table by its likeliest
actions. A pause without a length waits for a person, whom training does not know: it is left out.
"""

import math

import numpy as np

from ..core.limits import Pause, at_close
from ..core.types import Action, Limits
from .all_actions import FLAT, LONG, AllActions

NEAR = 1e-9
"""Of a logarithm: so close to the limit the rule itself is asked."""


def with_pauses(table: AllActions, policy: np.ndarray, limits: Limits) -> AllActions:
    """The table as it is for each member of ``policy`` ``(member, n, state, action)``: in its pauses a BUY of a flat
    account changes nothing. The table itself where there is no pause, or none with a length."""
    if limits.pause_sessions is None:
        return table
    paused = np.stack([paused_bars(table, member, limits) for member in policy])
    if not paused.any():
        return table
    reward, long = (np.broadcast_to(part, policy.shape).copy() for part in (table.reward, table.long))
    reward[paused, FLAT, Action.BUY] = 0.0
    long[paused, FLAT, Action.BUY] = False
    return AllActions(reward, long, table.last)


def paused_bars(table: AllActions, policy: np.ndarray, limits: Limits) -> np.ndarray:
    """``(n,)`` bool: whether the limit refuses entries at each decision to one member, ``policy`` ``(n, state,
    action)``, that starts each task flat."""
    likeliest = policy.argmax(axis=-1)[..., None]
    # Flat lists, two states a bar: this loop is the slowest part of a valuation.
    gains = np.take_along_axis(table.reward, likeliest, axis=-1).ravel().tolist()
    stays = np.take_along_axis(table.long, likeliest, axis=-1).ravel().tolist()
    buys = (likeliest[:, FLAT, 0] == Action.BUY).tolist()
    found = [False] * len(buys)
    most = math.log1p(-limits.max_drawdown) + NEAR if limits.max_drawdown < 1.0 else -math.inf
    state, equity, peak, pause = FLAT, 0.0, 0.0, Pause(1.0)
    for t, last in enumerate(table.last.tolist()):
        if pause.on or equity - peak <= most:
            pause, _ = at_close(Pause(math.exp(peak), pause.closes), math.exp(equity), limits)
            peak = math.log(pause.peak)
            found[t] = pause.on
            pause = pause.decided()
        refused = found[t] and state == FLAT and buys[t]
        if not refused:
            equity += gains[2 * t + state]
            state = LONG if stays[2 * t + state] else FLAT
            if equity > peak:
                peak = equity
        if last:
            state, equity, peak, pause = FLAT, 0.0, 0.0, Pause(1.0)
    return np.array(found)

"""What the agent sees."""

import numpy as np

from .rules import Account, Num, drawdown, equity_of

ACCOUNT_FIELDS = ("in_position", "unrealised_return", "bars_held_50", "drawdown")
CLIP = 5.0


def observe(scaled: np.ndarray, account: Account, close: Num) -> np.ndarray:
    """``(n_features + 4,)`` float32, or ``(n, n_features + 4)``: scaled features, then the account.

    ``scaled`` is float64, already standardised and clipped. The account's part:
    1 if held; close over average fill price less 1; closes held over 50; drawdown
    from the peak. Zeros when flat but for the last; clipped to +-5.
    """
    return filled_in(blank(scaled), account, close)


def blank(scaled: np.ndarray) -> np.ndarray:
    """Observations ``(..., n_features + 4)`` float32 whose account's part is not filled in yet."""
    room = np.zeros((*scaled.shape[:-1], len(ACCOUNT_FIELDS)))
    return np.concatenate([scaled, room], axis=-1).astype("<f4")


def filled_in(view: np.ndarray, account: Account, close: Num) -> np.ndarray:
    """Writes the account's part into ``view``, and returns it."""
    long = np.asarray(account.shares > 0)
    part = np.empty((len(ACCOUNT_FIELDS), *long.shape))
    part[0] = long
    part[1] = close / np.where(long, account.entry, close) - 1.0
    part[2] = account.held / 50.0
    part[3] = drawdown(equity_of(account, close), account.peak)
    view[..., -len(ACCOUNT_FIELDS) :] = np.minimum(np.maximum(part, -CLIP), CLIP).T
    return view

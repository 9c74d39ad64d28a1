"""What the agent sees."""

import numpy as np

from .rules import Account, Num, drawdown, equity_of, is_long

ACCOUNT_FIELDS = ("in_position", "unrealised_return", "bars_held_50", "drawdown")
CLIP = 5.0
# As arrays without a dimension: NumPy converts a Python number anew each time it meets an array.
_LOWEST, _HIGHEST, _ONE, _FIFTY = (np.array(value) for value in (-CLIP, CLIP, 1.0, 50.0))


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
    long = is_long(account)
    part = np.empty((len(ACCOUNT_FIELDS), *long.shape))
    part[0] = long
    part[1] = close / np.where(long, account.entry, close) - _ONE
    part[2] = account.held / _FIFTY
    part[3] = drawdown(equity_of(account, close), account.peak)
    view[..., -len(ACCOUNT_FIELDS) :] = np.minimum(np.maximum(part, _LOWEST), _HIGHEST).T
    return view

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
    long = account.shares > 0
    gain = np.where(long, close / np.where(long, account.entry, 1.0) - 1.0, 0.0)
    fall = drawdown(equity_of(account, close), account.peak)
    tail = np.stack([np.where(long, 1.0, 0.0), gain, account.held / 50.0, fall], axis=-1)
    return np.concatenate([scaled, np.clip(tail, -CLIP, CLIP)], axis=-1).astype("<f4")

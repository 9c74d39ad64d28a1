"""From an action to orders for the next open: only here a BUY becomes a number of shares."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from . import rules
from .rules import Account, Num, Plan
from .types import Action, AgentType, Costs, Limits

SAC_THRESHOLD = 1.0 / 3.0
# As arrays without a dimension: NumPy converts a Python number anew each time it meets an array.
_SELL, _HOLD, _BUY = (np.array(int(action)) for action in (Action.SELL, Action.HOLD, Action.BUY))
_ABOVE, _BELOW = np.array(SAC_THRESHOLD), np.array(-SAC_THRESHOLD)


class Reason(IntEnum):
    """Why a decision ordered what it did. The first that applies is given."""

    ORDERED = 0
    HOLD = 1
    ALREADY_LONG = 2
    NOTHING_TO_SELL = 3
    DRAWDOWN_PAUSE = 4
    NO_ATR = 5
    NO_STOP = 6
    RISK_BELOW_ONE_SHARE = 7
    CAP_BELOW_ONE_SHARE = 8
    NO_CASH = 9
    CUT_BY_CAP = 10
    CUT_BY_CASH = 11


TEXT = {
    Reason.ORDERED: "",
    Reason.HOLD: "the agent holds",
    Reason.ALREADY_LONG: "BUY while long changes nothing",
    Reason.NOTHING_TO_SELL: "SELL while flat changes nothing",
    Reason.DRAWDOWN_PAUSE: "entries are paused by the drawdown limit until a person resumes",
    Reason.NO_ATR: "ATR14 is not positive, so risk cannot be sized",
    Reason.NO_STOP: "the protective stop would not be a positive price",
    Reason.RISK_BELOW_ONE_SHARE: "risk per trade allows less than one share",
    Reason.CAP_BELOW_ONE_SHARE: "max position allows less than one share",
    Reason.NO_CASH: "cash allows less than one share",
    Reason.CUT_BY_CAP: "size cut to the max position",
    Reason.CUT_BY_CASH: "size cut to the cash",
}


class Intent(NamedTuple):
    """A plan for the next open, and its reason. Arrays when the account consists of arrays."""

    plan: Plan
    reason: Num


def action_of(agent_type: AgentType, raw: Num) -> Num:
    """The policy's raw output as 0 SELL, 1 HOLD, 2 BUY.

    PPO returns the number itself. SAC returns a number in [-1, 1]; each third of this
    range is one action.
    """
    if agent_type == AgentType.PPO:
        return raw
    # As float32 it would be compared with a threshold rounded to float32, and
    # training and live trading would differ on the numbers next to it.
    value = np.asarray(raw, dtype=np.float64)
    # In steps of one from HOLD: up to BUY, down to SELL.
    return _HOLD + (value > _ABOVE) - (value < _BELOW)


def _size_reason(sized: rules.Size) -> Num:
    """Which bound made the size what it is."""
    empty = np.where(
        sized.by_risk < 1,
        Reason.RISK_BELOW_ONE_SHARE,
        np.where(sized.by_cap < 1, Reason.CAP_BELOW_ONE_SHARE, Reason.NO_CASH),
    )
    by_cash = sized.by_cash < np.minimum(sized.by_risk, sized.by_cap)
    by_cap = sized.by_cap < sized.by_risk
    cut = np.where(by_cash, Reason.CUT_BY_CASH, np.where(by_cap, Reason.CUT_BY_CAP, Reason.ORDERED))
    return np.where(sized.qty < 1, empty, cut)


def plan_of(
    action: Num, account: Account, equity: Num, basis: rules.Basis, paused: Num, limits: Limits, costs: Costs
) -> Plan:
    """What this action orders for the next open, given the equity at the decision's close.

    Long only, one position: BUY counts when flat, SELL when long. ``paused``
    says that a limit forbids entries.
    """
    return _plan(action, account, rules.size(account, equity, basis, limits, costs), basis, paused)


def _plan(action: Num, account: Account, sized: rules.Size, basis: rules.Basis, paused: Num) -> Plan:
    long = rules.is_long(account)
    forbidden = long if paused is False else long | np.asarray(paused)
    qty = sized.qty * (np.asarray(action == _BUY) & ~forbidden)
    return Plan(qty, basis.stop * rules.held_of(qty), np.asarray(action == _SELL) & long)


def intend(action: Num, account: Account, close: Num, atr: Num, paused: Num, limits: Limits, costs: Costs) -> Intent:
    """The plan of ``plan_of`` with its reason."""
    basis = rules.basis(close, atr, limits)
    sized = rules.size(account, rules.equity_of(account, close), basis, limits, costs)
    long, paused = rules.is_long(account), np.asarray(paused)
    buy, sell = np.asarray(action == _BUY), np.asarray(action == _SELL)
    conditions = [~(buy | sell), sell & ~long, sell, long, paused, np.logical_not(atr > 0), basis.stop == 0]
    reasons = [
        Reason.HOLD,
        Reason.NOTHING_TO_SELL,
        Reason.ORDERED,
        Reason.ALREADY_LONG,
        Reason.DRAWDOWN_PAUSE,
        Reason.NO_ATR,
        Reason.NO_STOP,
    ]
    reason = np.select(conditions, reasons, _size_reason(sized))[()]
    return Intent(_plan(action, account, sized, basis, paused), reason)


def explain(reason: Num) -> str:
    """The reason of one decision in words; empty when it ordered without a cut."""
    return TEXT[Reason(int(reason))]

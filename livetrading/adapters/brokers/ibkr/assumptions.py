"""Assumptions about TWS that were not verified at a real one, each with a probe that would prove it.

``docs/IBKR.md`` shows the same list; a test holds both together.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Assumption:
    """``probe`` is what to do on a paper account, and what to expect. ``seen_by`` names the part of the
    program that records it by itself, empty if a person has to."""

    key: str
    sentence: str
    probe: str
    seen_by: str = ""


WORK, PROBE_OPEN = "the scheduler or doctor, in ordinary work", "doctor --probe-open"

ASSUMPTIONS = (
    Assumption(
        "paper-prefix",
        "Paper account numbers begin with DU.",
        "Log in to the paper account: `doctor --ibkr` shows its number.",
        WORK,
    ),
    Assumption(
        "pair-accepted",
        "An OPG parent with a GTC stop child is accepted as a pair. (If not, the stop follows on the fill.)",
        'Let a paper agent with `ibkr_paper_open = "auction"` send an entry before 09:20: TWS lists the entry and its stop'
        " side by side before the open.",
        WORK,
    ),
    Assumption(
        "refused-is-listed",
        "A rejected order shows as Cancelled or Inactive and then among the completed orders. (If IB leaves no trace of it,"
        " it counts as refused once IB, asked twice by its key, lists it nowhere; should it work after all, it is"
        " cancelled.)",
        "Let IB refuse an order, such as one for more than the account can pay: it shows in TWS among the day's orders.",
        WORK,
    ),
    Assumption(
        "cancel-takes-stop",
        "Cancelling an entry takes its waiting stop along; a partial fill of the entry leaves the stop waiting.",
        "Cancel a paper agent's entry in TWS between 09:20 and 09:25: its stop goes with it.",
    ),
    Assumption(
        "untransmitted-ends",
        "An order that was placed but not transmitted does not outlive its connection.",
        "Place an order from IB's sample program for its API with Transmit off, end the program: TWS no longer lists it.",
    ),
    Assumption(
        "completed-next-day",
        "Completed orders can still be asked for on the next day. (If not, a fill that nobody saw shows as a difference"
        " between book and account: the agent is blocked until a person looks.)",
        "Run `doctor --ibkr` on the day after an order was filled or cancelled.",
        WORK,
    ),
    Assumption(
        "cumulative-over-life",
        "An execution's cumulative quantity counts over the order's whole life.",
        "A stop that fills in parts on two days: the second day's execution counts on from the first.",
        WORK,
    ),
    Assumption(
        "correction-keeps-root",
        "A corrected execution keeps its id up to the last dot, and one that is taken back is reported with no shares. (If"
        " not, shares or cash differ, and a person looks.)",
        "Corrections are rare and come from the exchange: compare the ids in TWS's log when one came.",
    ),
    Assumption(
        "commission-marks",
        "A commission of 0 is a fee, and −1 and the unset number are not. (If IB states 0 and never more where it charges,"
        " the cash differs by it.)",
        "Compare the fees of a paper agent's fills with TWS's trade log on the next day.",
    ),
    Assumption(
        "commission-is-all",
        "The commission of an execution holds all that IB charges for it. (If not, the cash differs; up to 1 USD between two"
        " records that is ordinary.)",
        "Compare the commission of a sale in TWS's trade log with the account statement of that day.",
    ),
    Assumption(
        "cash-moves-with-trade",
        "`CashBalance` in USD moves with the trade and not with its settlement.",
        "Watch the account's USD cash on Live Trading before and after a fill of a paper agent.",
    ),
    Assumption(
        "flex-ids",
        "A Flex statement's `ibExecID` is the execution id, its `ibOrderID` the permanent id.",
        "`import-statement` of a Flex statement over a day with fills of a paper agent: it finds them all.",
    ),
    Assumption(
        "smart-takes-auction",
        "Stock quantities through SMART with the primary exchange named take part in the primary exchange's opening"
        " auction.",
        "After an entry in the auction of a real account, compare its price with the exchange's official opening price.",
    ),
    Assumption(
        "paper-auction",
        "The paper account simulates the opening auction. Some report that it does not.",
        "`doctor --probe-open --confirm DU…` some morning before 09:20 New York.",
        PROBE_OPEN,
    ),
    Assumption(
        "bars-in-one-answer",
        "Twenty years of daily bars, or what there is of them, come in one answer.",
        "`train AAPL --agent PPO --source ibkr --timesteps 1000`: its bars begin twenty years ago.",
    ),
    Assumption(
        "stop-above-market",
        "A sell stop whose trigger lies above the market executes at once.",
        "In TWS, sell one share that the paper account holds by a stop above the last price, in regular hours.",
    ),
    Assumption(
        "split-adjusts-history",
        "When IB adjusts its history for a split that is effective today: it is read off the prices.",
        "On the morning of a split, look at the stock's daily bars in TWS at 08:00 and after the open.",
    ),
    Assumption(
        "closed-when-not-trusted",
        "A client that TWS does not trust is closed at once or kept waiting behind a dialog, and is not answered.",
        "Run `doctor --ibkr` from a computer that is not among the Trusted IPs: it names the cure.",
    ),
    Assumption(
        "newer-messages-are-told",
        "A TWS that speaks only newer messages says so with its version, with binary messages, or with an error.",
        "Run `doctor --ibkr` against the newest TWS: it shows the version that both speak.",
    ),
)
KEYS = tuple(a.key for a in ASSUMPTIONS)


def as_text(assumption: Assumption) -> str:
    """The entry of the guide."""
    by = f" Recorded by {assumption.seen_by}." if assumption.seen_by else ""
    return f"- `{assumption.key}`: {assumption.sentence} *Probe:* {assumption.probe}{by}"

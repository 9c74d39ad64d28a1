"""Rows of the tables of a model's report, for the page and the file alike: pure functions from its document."""

from collections.abc import Mapping, Sequence
from typing import Any

from livetrading.core.wording import counted
from livetrading.research.report_names import AGENT, LEGS, WITNESSES

from . import markup
from .format import DASH, count, money, number, percent, sharpe, signed_money, signed_percent, tone
from .markup import Fact

Doc = dict[str, Any]
Cell = tuple[str, str] | str
HEAD = ("Sharpe", "Return", "Drawdown", "Trades")
SNUG = "lt-snug"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WORTH = ("In the test", "Sharpe", "95 % interval", "Return", "Drawdown", "Trades", "Exposure")

TRADES_NOTE = "Returns of trades are net of fees and leave dividends out."


def worth(report: Doc) -> str:
    """The test's Sharpe ratio with its interval beside the baselines' and that of agents without skill."""
    own = report["significance"]
    rows = [_worth(report["model"]["agent_type"], report["measures"], own["interval"])]
    for key, known in report["baselines"].items():
        # Buying and holding closes no trade: there is nothing to count.
        measures = known["measures"] | ({"num_trades": None} if key == "buy_and_hold" else {})
        rows.append(_worth(WITNESSES[key], measures, known["interval"]))
    if lucky := report["random"]:
        interval = _interval([lucky["sharpe_5"], lucky["sharpe_95"]])
        name = f"{count(lucky['agents'])} random agents: median, 5 % to 95 %"
        rows.append([name, sharpe(lucky["sharpe_ratio"]), interval, "", "", "", percent(lucky["exposure_pct"])])
    return markup.table(WORTH, rows, stacks=True, kind="lt-many")


def _worth(name: str, measures: Doc, interval: Sequence[float] | None) -> list[Cell]:
    shown = cells(measures)
    return [name, shown[0], _interval(interval), *shown[1:], percent(measures.get("exposure_pct"))]


def _interval(ends: Sequence[float] | None) -> str:
    return DASH if ends is None else f"{number(ends[0])} to {number(ends[1])}"


def luck(report: Doc) -> list[Fact]:
    """How much of the Sharpe ratio may be luck, one figure a fact."""
    own, lucky = report["significance"], report["random"]
    needed = own["minimum_track_record"]
    facts = [
        Fact("Probabilistic Sharpe", _share(own["probabilistic_sharpe"]), "the true ratio is above 0"),
        Fact("Deflated Sharpe", _share(own["deflated_sharpe"]), f"after {counted(own['tries'], 'look')} at this test"),
        Fact(
            "Minimum track record",
            DASH if needed is None else f"{count(needed)} sessions",
            f"there are {count(own['sessions'])}" if needed is not None else "never, at this ratio",
        ),
        Fact("Always-long is as good", _share(own["p_value_always_long"]), "its chance, for one try"),
    ]
    if lucky and lucky["percentile"] is not None:
        facts.append(
            Fact("Better than", f"{number(lucky['percentile'], 1)} %", f"of {count(lucky['agents'])} random agents")
        )
    return facts


def _share(value: float | None) -> str:
    return "undefined" if value is None else number(value, 3)


def months(report: Doc) -> str:
    """Years down, months across."""
    rows: list[list[Cell]] = [
        [row["year"], *(_gain(value) for value in row["months"]), _gain(row["total_return_pct"])]
        for row in report["months"]
    ]
    return markup.table(("Return in %", *MONTHS, "Year"), rows, stacks=True, kind="lt-many lt-months")


def _gain(value: float | None) -> Cell:
    return "" if value is None else (number(value, 2), tone(value))


def trade_facts(shape: Doc) -> list[Fact]:
    """The trades in a few numbers."""
    held = shape["median_sessions"]
    return [
        Fact("Closed trades", count(shape["count"])),
        Fact("Mean return", signed_percent(shape["mean_pct"]), f"median {signed_percent(shape['median_pct'])}"),
        Fact("Best and worst", signed_percent(shape["best_pct"]), signed_percent(shape["worst_pct"])),
        Fact(
            "P&L of closed trades",
            signed_money(shape["pnl"]),
            f"beside them {signed_money(shape['elsewhere'])}: dividends, an open position",
            tone(shape["pnl"]),
        ),
        Fact(
            "Held, median",
            DASH if held is None else f"{held:g} sessions",
            "" if held is None else f"at most {shape['longest_sessions']}",
        ),
    ]


def legs(shape: Doc) -> str:
    """Trades by what ended them."""
    head = ("Ended by", "Trades", "Won", "Mean return", "P&L")
    rows: list[list[Cell]] = [
        [
            LEGS.get(row["leg"], row["leg"]),
            count(row["count"]),
            percent(row["won_pct"], 0),
            (signed_percent(row["mean_pct"]), tone(row["mean_pct"])),
            (signed_money(row["pnl"]), tone(row["pnl"])),
        ]
        for row in shape["legs"]
    ]
    return markup.table(head, rows, kind=SNUG)


def held(row: Doc) -> str:
    """The name of one class of holding times."""
    least, most = row["from"], row["to"]
    if most is None:
        return f"{least} and more"
    return str(least) if least == most else f"{least} to {most}"


def seeds(report: Doc) -> str:
    """Each member of the ensemble alone."""
    rows = [[f"Seed {number_}", *cells(values)] for number_, values in enumerate(report["seeds"] or [], 1)]
    return markup.table((f"{report['model']['agent_type']} by seed", *HEAD), rows, kind=SNUG)


def beside(walked: Mapping[str, Doc], names: Mapping[str, str]) -> str:
    """All folds of each procedure."""
    rows = [[name, *cells(walked[key]["measures"])] for key, name in names.items() if key in walked]
    return markup.table(("All folds", *HEAD), rows, kind=SNUG)


def folds(walked: Mapping[str, Doc], kind: str) -> str:
    """The agent fold by fold."""
    rows = [[f"{fold['fold'] + 1}: {fold['start']} – {fold['end']}", *cells(fold)] for fold in walked[AGENT]["folds"]]
    return markup.table((f"{kind} by fold", *HEAD), rows, kind=SNUG)


def parts(kind: str, what: str, rows: Sequence[Doc]) -> str:
    """The agent's folds or its test, as ``kind`` names them, by ``what``: year or regime."""
    lines: list[list[Cell]] = [
        [
            str(row[what]),
            sharpe(row["sharpe_ratio"]),
            (signed_percent(row["total_return_pct"]), tone(row["total_return_pct"])),
            count(row["sessions"]),
        ]
        for row in rows
    ]
    return markup.table((f"{kind} by {what}", "Sharpe", "Return", "Sessions"), lines, kind=SNUG)


def cells(measures: Doc) -> list[Cell]:
    """Under HEAD."""
    gain = measures.get("total_return_pct")
    return [
        sharpe(measures.get("sharpe_ratio")),
        (signed_percent(gain), tone(gain)),
        percent(measures.get("max_drawdown_pct")),
        count(measures.get("num_trades")),
    ]


def looks(report: Doc) -> str:
    """What was opened when."""
    rows = [
        [look["at"][:16].replace("T", " "), look["kind"], look["model_id"] or look["symbol"],
         f"{look['start']} – {look['end']}", count(look["tries"])]
        for look in report["openings"]["list"]
    ]  # fmt: skip
    return markup.table(("When (UTC)", "What", "Model", "Sessions", "Counts as"), rows, stacks=True)


def conditions(report: Doc) -> str:
    """The gate's conditions with their ticks."""
    rows: list[list[Cell]] = [
        [(row["text"], "wide"), ("met", "lt-up") if row["ok"] else ("not met", "lt-down")]
        for row in report["gate"]["conditions"]
    ]
    return markup.table(("Condition", ""), rows, kind=SNUG)


def trade_list(report: Doc) -> str:
    """Every closed trade."""
    head = ("Entry", "Exit", "Shares", "Entry price", "Exit price", "Ended by", "Fees", "P&L", "Return")
    rows: list[list[Cell]] = [
        [
            trade["entry_session"],
            trade["exit_session"],
            count(trade["qty"]),
            money(trade["entry_price"]),
            money(trade["exit_price"]),
            trade["leg"],
            money(trade["fees"]),
            (signed_money(trade["pnl"]), tone(trade["pnl"])),
            (signed_percent(trade["pnl_pct"]), tone(trade["pnl_pct"])),
        ]
        for trade in report["trade_list"]
    ]
    return markup.table(head, rows, stacks=True, kind="lt-many")


def trials(report: Doc) -> list[str]:
    """What several tries side by side say, a text each."""
    found = report["trials"] or {}
    names = {"looks": "The looks at this test", "study": "The trials of the search, on its folds"}
    return [f"{name}: {known['words']}" for key, name in names.items() if (known := found.get(key))]

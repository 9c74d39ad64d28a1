"""What a training's record shows: how it learns, its folds once they are judged, its result."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from livetrading.core import drawdown_pause, real_money
from livetrading.core.card import ONE_SEED
from livetrading.dashboard import figures, markup, training_figures
from livetrading.dashboard.format import count, markdown, number, sharpe, signed, signed_percent, tone
from livetrading.research.report_names import AGENT

Doc = dict[str, Any]
SHORT = {"ridge": "Ridge", "always_long": "Long"}
PLOTS = {
    "reward": "Reward: expected log return of a year",
    "sharpe": "Sharpe ratio on what the fold judges, members alone (estimate)",
}


def curves(found: Mapping[str, Sequence[Doc]]) -> None:
    """Two small plots over the share of each fit, and whose colour is whose."""
    if keys := training_figures.keys(found):
        st.html(markup.keys(keys))
    for key, title in PLOTS.items():
        if any(point[key] for points in found.values() for point in points):
            st.caption(title)
            figure = training_figures.curve_figure(found, key)
            st.plotly_chart(figure, key=f"job_{key}", theme=None, config=figures.STILL)


def folds(walked: Mapping[str, Doc] | None, agent_type: str) -> None:
    """One row a fold, and all of them; nothing while they are not judged."""
    if not walked:
        return
    others = [key for key in SHORT if key in walked]
    head = ("Fold", "Sharpe", "Return", "Trades", *(SHORT[key] for key in others))
    rows = [_row(walked, at, others) for at in range(len(walked[AGENT]["folds"]))]
    beside = " and ".join(SHORT[key] for key in others)
    st.html(
        markup.heading("Walk-forward", f"{agent_type}; {beside}: their Sharpe ratios")
        + markup.table(head, [*rows, _all(walked, others)], kind="lt-tight")
    )


def _row(walked: Mapping[str, Doc], at: int, others: Sequence[str]) -> list[tuple[str, str] | str]:
    fold = walked[AGENT]["folds"][at]
    beside = [sharpe(walked[key]["folds"][at]["sharpe_ratio"]) for key in others]
    return [f"{fold['fold'] + 1}: {fold['start'][:7]} – {fold['end'][:7]}", *_measures(fold), *beside]


def _all(walked: Mapping[str, Doc], others: Sequence[str]) -> list[tuple[str, str] | str]:
    return [
        "All",
        *_measures(walked[AGENT]["measures"]),
        *(sharpe(walked[k]["measures"]["sharpe_ratio"]) for k in others),
    ]


def _measures(found: Doc) -> list[tuple[str, str] | str]:
    gain = found["total_return_pct"]
    return [sharpe(found["sharpe_ratio"]), (signed_percent(gain), tone(gain)), count(found["num_trades"])]


def result(found: Doc) -> None:
    """The test of a training that is done, and what must not be overlooked. Results of before have less."""
    test = found.get("test")
    if not test:
        return
    gain, error = test.get("total_return_pct"), test.get("sharpe_se")
    hold = (found.get("buy_and_hold") or {}).get("total_return_pct")
    st.html(
        markup.facts(
            [
                markup.Fact(
                    "Test Sharpe", sharpe(test.get("sharpe_ratio")), "" if error is None else f"± {number(error)}"
                ),
                markup.Fact("Return", signed_percent(gain), f"buy and hold {signed_percent(hold)}", tone(gain)),
                markup.Fact("Trades", count(test.get("num_trades")), "closed in the test"),
                *_train(found.get("train"), test),
            ]
        )
    )
    if "sessions" in test and (short := real_money.too_few(test["sessions"])):
        st.caption(short)
    texts = [drawdown_pause.words(test.get("pause")), *(found.get("warnings") or [])]
    for text in filter(None, texts):
        st.warning(markdown(_for_the_form(text)))


def _for_the_form(text: str) -> str:
    """The command's advice, as an advice for this page."""
    return f"{ONE_SEED} Set Seeds to 5 in the form." if text.startswith(ONE_SEED) else text


def _train(train: Doc | None, test: Doc) -> list[markup.Fact]:
    if not train:
        return []
    learned, found = train.get("sharpe_ratio"), test.get("sharpe_ratio")
    gap = "" if learned is None or found is None else f"gap to the test {signed(learned - found)}"
    return [markup.Fact("Training Sharpe", sharpe(learned), gap)]

"""What a trade costs, in the form that deploys a model: closed, because the defaults fit most accounts."""

import streamlit as st

from livetrading.core import deployment

FIELDS = {
    "slippage_bps": ("Slippage (basis points)", 1_000.0, 1.0, "%.2f"),
    "commission_per_share": ("Commission per share ($)", 10.0, 0.001, "%.4f"),
    "commission_minimum": ("Commission minimum ($)", 1_000.0, 0.5, "%.2f"),
}
"""Label, highest value, step and format."""
ABOUT = (
    "The model's test and the simulated fills of paper and replay go by these costs. At a broker they only estimate: what"
    " the broker reports is booked."
)


def options(key: str) -> dict[str, float]:
    """Long options of ``deploy`` for the costs that differ from the defaults."""
    defaults, chosen = deployment.COSTS.named, dict[str, float]()
    with st.expander("Costs"):
        st.caption(ABOUT)
        for column, (name, (label, most, step, form)) in zip(st.columns(3), FIELDS.items(), strict=True):
            value = column.number_input(label, 0.0, most, defaults[name], step=step, format=form, key=f"{key}_{name}")
            if value != defaults[name]:
                chosen[name.replace("_", "-")] = value
    return chosen

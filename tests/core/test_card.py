"""A model card survives JSON to the bit, and a wrong one cannot be born."""

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.core.card import OPTIONAL, Also, Member, ModelCard, PolicySpec, Span
from livetrading.core.errors import BadInput
from livetrading.core.scaler import Scaler
from livetrading.core.types import AgentType
from tests.doubles.models import make_card

finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=5e-324, allow_nan=False, allow_infinity=False)


def through_json(card: ModelCard) -> ModelCard:
    return ModelCard.from_dict(json.loads(json.dumps(card.to_dict(), allow_nan=False)))


@given(st.lists(st.tuples(finite, positive), min_size=3, max_size=3), finite, st.datetimes())
def test_a_card_comes_back_from_json_to_the_last_bit(pairs, sharpe, created):
    means, deviations = zip(*pairs, strict=True)
    card = make_card(
        features=("a", "b", "c"),
        scaler=Scaler(means, deviations),
        metrics={"test": {"sharpe_ratio": sharpe, "none": None}, "buy_and_hold": {}},
        created=created.replace(tzinfo=UTC, fold=0),
    )
    again = through_json(card)
    assert again == card
    assert repr(again) == repr(card)  # tells -0.0 from 0.0


def test_the_card_names_what_the_design_promises():
    values = make_card().to_dict()
    assert values["trading_config"] == {
        "time_frame": "daily",
        "bar_size": "1 day",
        "trading_hours": "RTH",
        "check_frequency": "EOD",
    }
    assert values["test"] == {"start": "2019-01-02", "end": "2020-09-30", "sessions": 441}
    assert values["created"] == "2025-11-08T16:24:33Z"
    assert values["model_id"] == "PPO_INTC_v20251108_162433"
    assert values["policy"] == {"net_arch": [8, 8], "activation": "tanh"}
    assert set(values["scaler"]) == {"mean", "std"}


WRONG = {
    "another model's id": {"model_id": "PPO_TNA_v20251108_162433"},
    "a path as symbol": {"symbol": "../../X"},
    "a version that is no time": {"version": "v1"},
    "no features": {"features": (), "scaler": Scaler((), ())},
    "one feature twice": {"features": ("a", "a"), "scaler": Scaler((0.0, 0.0), (1.0, 1.0))},
    "a scaler of another width": {"features": ("a", "b"), "scaler": Scaler((0.0,), (1.0,))},
    "a deviation of zero": {"features": ("a",), "scaler": Scaler((0.0,), (0.0,))},
    "a mean that is not finite": {"features": ("a",), "scaler": Scaler((float("nan"),), (1.0,))},
    "a test within the training": {"test": Span(date(2018, 1, 2), date(2020, 9, 30), 441)},
    "a first bar after the training": {"first_bar": date(2013, 1, 2)},
    "a hash that is none": {"zip_sha256": "xyz"},
    "a negative seed": {"seed": -1},
    "no step": {"timesteps": 0},
    "a test never opened": {"opened": 0},
    "no metrics": {"metrics": {}},
    "a time without zone": {"created": datetime(2025, 11, 8)},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_a_card_is_refused_with(changes):
    with pytest.raises(BadInput):
        make_card(**changes)


@pytest.mark.parametrize("spec", [((), "tanh"), ((64,) * 9, "tanh"), ((0,), "tanh"), ((64,), "eval")])
def test_a_network_that_cannot_be_built_is_refused(spec):
    with pytest.raises(BadInput):
        PolicySpec(*spec)


BROKEN = [
    ("agent_type", "DQN", "PPO, SAC"),
    ("symbol", 5, "symbol"),
    ("symbol", None, "symbol"),
    ("first_bar", "soon", "first_bar"),
    ("features", "abc", "features"),
    ("scaler", {"mean": [0.0]}, "std"),
    ("scaler", [1.0], "scaler"),
    ("train", {"start": "2012-01-03", "end": "x", "sessions": 1}, "train.end"),
    ("train", {"start": "2012-01-03", "end": "2018-12-31", "sessions": "9"}, "train.sessions"),
    ("timesteps", True, "timesteps"),
    ("seed", 1.5, "seed"),
    ("policy", {"net_arch": [8.0], "activation": "tanh"}, "net_arch"),
    ("policy", {"net_arch": [8], "activation": ["tanh"]}, "activation"),
    ("trading_config", {"time_frame": "daily"}, "bar_size"),
    ("packages", ["torch"], "packages"),
    ("created", 0, "created"),
]


@pytest.mark.parametrize(("name", "value", "named"), BROKEN)
def test_a_field_of_the_wrong_kind_is_refused_by_name(name, value, named):
    with pytest.raises(BadInput, match=named):
        ModelCard.from_dict({**make_card().to_dict(), name: value})


@pytest.mark.parametrize("values", [None, [], "card", 5])
def test_what_is_no_object_is_refused(values):
    with pytest.raises(BadInput, match="JSON object"):
        ModelCard.from_dict(values)


def test_each_missing_field_and_each_unknown_one_is_named():
    values = make_card().to_dict()
    for name in values.keys() - set(OPTIONAL):
        with pytest.raises(BadInput, match=f"lacks {name}"):
            ModelCard.from_dict({k: v for k, v in values.items() if k != name})
    with pytest.raises(BadInput, match="does not know colour"):
        ModelCard.from_dict({**values, "colour": "red"})


def test_agent_types_stay_what_they_are():
    assert through_json(make_card(agent_type=AgentType.SAC)).agent_type is AgentType.SAC


def test_a_card_whose_members_are_not_those_that_were_measured_is_refused():
    values = make_card().to_dict()
    two = [{"seed": 1, "zip_sha256": "b" * 64}, {"seed": 2, "zip_sha256": "c" * 64}]
    measured = {**values["metrics"], "members": {"count": 2, "range": {}}}
    whole = {**values, "metrics": measured, "members": two}
    assert len(ModelCard.from_dict(whole).members) == 2
    for left in (two[:1], []):
        with pytest.raises(BadInput, match="members"):
            ModelCard.from_dict({**whole, "members": left})
    with pytest.raises(BadInput, match="first member"):
        ModelCard.from_dict({**whole, "members": two[::-1]})


def test_members_and_other_symbols_survive_json():
    span = Span(date(2012, 1, 3), date(2018, 12, 31), 1761)
    card = make_card(members=(Member(7, "b" * 64),), also=(Also("GOOG", "sample", "d" * 64, span),))
    assert through_json(card) == card

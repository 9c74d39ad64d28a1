"""Which features a model gets if none are asked for."""

import pytest

from livetrading.cli.models import feature_set
from livetrading.core.features import FEATURE_SET, PRICE_SET


@pytest.mark.parametrize(
    ("source", "expected"),
    [("yahoo", PRICE_SET), ("ibkr", PRICE_SET), ("sample", FEATURE_SET), ("csv:/x.csv", FEATURE_SET)],
)
def test_bars_whose_last_volume_is_preliminary_are_learned_without_volume(source, expected):
    assert feature_set(None, source) == expected
    assert feature_set("all", source) == FEATURE_SET and feature_set("price", source) == PRICE_SET

"""The scaler knows the training rows and nothing else."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from livetrading.core.errors import BadBars, BadInput
from livetrading.core.scaler import CLIP, Scaler, fit

ROWS = np.random.default_rng(3).normal([5.0, -2.0, 100.0], [1.0, 0.1, 30.0], size=(800, 3))


def test_training_rows_get_mean_zero_and_population_deviation_one():
    scaler = fit(ROWS)
    np.testing.assert_allclose(scaler.mean, ROWS.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scaler.std, np.sqrt(((ROWS - ROWS.mean(axis=0)) ** 2).mean(axis=0)), rtol=1e-12)
    plain = (ROWS - np.array(scaler.mean)) / np.array(scaler.std)
    np.testing.assert_allclose([plain.mean(), plain.std(ddof=0)], [0.0, 1.0], atol=1e-9)


def test_a_constant_column_is_divided_by_one():
    scaler = fit(np.column_stack([ROWS[:, 0], np.full(800, 0.1), 7.0 + 1e-14 * ROWS[:, 1]]))
    assert scaler.std[1:] == (1.0, 1.0)
    assert scaler.transform(np.array([5.0, 0.6, 7.5]))[1:] == pytest.approx([0.5, 0.5])


def test_values_are_clipped_to_five_and_nan_stays():
    values = fit(ROWS).transform(np.array([[1e9, -1e9, np.nan]]))
    assert values.tolist()[0][:2] == [CLIP, -CLIP] and np.isnan(values[0, 2])


def test_one_row_has_the_bits_of_its_row_in_the_matrix():
    scaler = fit(ROWS)
    matrix = scaler.transform(ROWS)
    assert matrix.dtype == np.float64
    assert all(scaler.transform(row).tobytes() == matrix[t].tobytes() for t, row in enumerate(ROWS))


def test_the_layout_in_memory_does_not_matter():
    assert fit(np.asfortranarray(ROWS)) == fit(ROWS) == fit(np.repeat(ROWS, 2, axis=0)[::2])


def test_later_rows_do_not_change_it():
    assert fit(ROWS[:500]) == fit(np.concatenate([ROWS[:500], ROWS[500:] * 9])[:500])


def test_it_survives_json_to_the_bit():
    scaler = fit(ROWS / 3.0)
    assert Scaler.from_dict(json.loads(json.dumps(scaler.to_dict()))) == scaler


@pytest.mark.parametrize("rows", [np.empty((0, 3)), np.empty((4, 0)), np.zeros(3)])
def test_an_empty_table_is_refused(rows: np.ndarray):
    with pytest.raises(BadInput, match="widen the range"):
        fit(rows)


def test_a_training_row_that_is_not_finite_is_named():
    rows = ROWS.copy()
    rows[17, 2] = np.inf
    with pytest.raises(BadBars, match="row 17 .* feature 2"):
        fit(rows)


def test_another_number_of_features_is_refused():
    with pytest.raises(BadInput, match="4 features and the scaler 3"):
        fit(ROWS).transform(np.zeros((2, 4)))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"mean": [1.0]},
        {"mean": [1.0], "std": ["x"]},
        {"mean": 1.0, "std": 1.0},
        {"mean": [], "std": []},
        {"mean": [1.0, 2.0], "std": [1.0]},
        {"mean": [1.0], "std": [0.0]},
        {"mean": [float("nan")], "std": [1.0]},
        {"mean": [1.0], "std": [float("inf")]},
    ],
)
def test_a_document_that_is_no_scaler_is_refused(data: dict):
    with pytest.raises(BadInput, match="restore the model's card or train again"):
        Scaler.from_dict(data)


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 20), st.integers(1, 4)), elements=st.floats(-1e6, 1e6)))
def test_any_finite_table_gives_finite_values_within_the_clip(rows: np.ndarray):
    scaler = fit(rows)
    assert min(scaler.std) > 0 and (np.abs(scaler.transform(rows)) <= CLIP).all()

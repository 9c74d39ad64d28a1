"""Walk-forward folds: no validation touches what a fit or an embargo holds, each session is judged once, in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.core.errors import BadInput
from livetrading.research.folds import EMBARGO, FOLDS, MIN_FIT, MIN_VALIDATION, expanding

PARTS = st.builds(lambda start, length: range(start, start + length), st.integers(0, 5_000), st.integers(0, 9_000))


@given(PARTS, st.integers(1, 12), st.integers(1, 300))
def test_no_validation_touches_its_fit_or_embargo_and_none_is_judged_twice(part, count, embargo):
    try:
        folds = expanding(part, count, embargo)
    except BadInput:
        return
    assert [fold.number for fold in folds] == list(range(count))
    for fold in folds:
        assert fold.fit.start == part.start and len(fold.fit) >= MIN_FIT
        assert fold.validation.start - fold.fit.stop == embargo
        assert len(fold.validation) >= MIN_VALIDATION
    judged = [t for fold in folds for t in fold.validation]
    assert judged == list(range(part.stop - len(judged), part.stop))
    assert len(judged) == len(part) - len(part) // 2
    lengths = [len(fold.validation) for fold in folds]
    assert max(lengths) - min(lengths) <= 1
    assert all(before.fit.stop < after.fit.stop for before, after in zip(folds, folds[1:], strict=False))


@given(PARTS, st.integers(1, 12), st.integers(1, 300))
def test_a_part_is_refused_only_where_a_fold_is_too_short(part, count, embargo):
    first = len(part) // 2
    enough = first - embargo >= MIN_FIT and (len(part) - first) // count >= MIN_VALIDATION
    if enough:
        assert len(expanding(part, count, embargo)) == count
    else:
        with pytest.raises(BadInput, match="too short"):
            expanding(part, count, embargo)


def test_a_refusal_says_in_one_sentence_what_is_missing():
    with pytest.raises(BadInput) as caught:
        expanding(range(500, 1_000))
    assert str(caught.value) == (
        "A training part of 500 sessions is too short for 4 folds: the first would learn from 190 (252 needed, after "
        "an embargo of 60) and the shortest be judged on 62 (63 needed); choose fewer folds or a wider range."
    )


@pytest.mark.parametrize(("count", "embargo"), [(0, 60), (-1, 60), (4, 0)])
def test_neither_folds_nor_embargo_can_be_none(count, embargo):
    with pytest.raises(BadInput):
        expanding(range(500, 3_000), count, embargo)


def test_by_default_four_folds_judge_the_second_half():
    folds = expanding(range(500, 4_500))
    assert len(folds) == FOLDS == 4 and folds[0].validation.start == 2_500
    assert folds[0].fit == range(500, 2_500 - EMBARGO)

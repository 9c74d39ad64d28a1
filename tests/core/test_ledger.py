"""A ledger is canonical: equal runs have equal lines, and a difference is shown with both sides."""

import hashlib
import json

import numpy as np
import pytest

from livetrading.core import ledger


def entry(bar: str = "2024-06-03", **changes):
    values = {
        "action": 2,
        "qty": 5,
        "obs": "ab",
        "cash": 9_000.1,
        "equity": 9_500.25,
        "shares": 5,
        "fills": [("entry", 5, 100.05, 1.0)],
        **changes,
    }
    return ledger.row(bar, **values)


def test_a_line_is_the_canonical_json_of_the_contract():
    assert ledger.line(entry()) == (
        '{"action":2,"bar":"2024-06-03","cash":9000.1,"equity":9500.25,'
        '"fills":[["entry",5,100.05,1.0]],"obs":"ab","qty":5,"shares":5}\n'
    )


def test_numpy_and_plain_numbers_make_the_same_line():
    plain = entry(fills=[("stop", 5, 0.1 + 0.2, 1.0)])
    numpy = entry(
        action=np.int64(2),
        qty=np.float64(5),
        cash=np.float64(9_000.1),
        equity=np.float64(9_500.25),
        shares=np.float64(5),
        fills=[("stop", np.float64(5), np.float64(0.1) + np.float64(0.2), np.float64(1))],
    )
    assert ledger.line(plain) == ledger.line(numpy)


def test_a_missed_session_has_neither_action_nor_observation():
    assert json.loads(ledger.line(entry(action=None, obs=None)))["action"] is None


def test_floats_keep_their_bits():
    value = 9_999.123456789012
    assert json.loads(ledger.line(entry(cash=value)))["cash"] == value


def test_what_is_not_finite_is_no_line():
    with pytest.raises(ValueError, match="not JSON compliant"):
        ledger.line(entry(cash=float("nan")))


def test_the_fingerprint_is_over_the_lines():
    rows = [entry(), entry("2024-06-04", fills=[])]
    text = ledger.text(rows)
    assert text.count("\n") == 2
    assert ledger.sha256(rows) == hashlib.sha256(text.encode()).hexdigest()
    assert ledger.sha256(rows) != ledger.sha256(rows[::-1])


def test_an_observations_hash_is_of_its_little_endian_float32():
    seen = np.array([0.5, -1.25], dtype=np.float32)
    assert ledger.obs_sha256(seen) == hashlib.sha256(bytes.fromhex("0000003f0000a0bf")).hexdigest()
    assert ledger.obs_sha256(seen.astype(">f4")) == ledger.obs_sha256(seen)


def test_differences_name_bar_field_and_both_sides():
    ours, theirs = [entry(), entry("2024-06-04")], [entry(cash=1.0), entry("2024-06-05")]
    found = ledger.differences(ours, theirs, ("replay", "backtest"))
    assert found[0] == {"bar": "2024-06-03", "field": "cash", "replay": 9_000.1, "backtest": 1.0}
    assert [(d["bar"], d["field"]) for d in found[1:]] == [("2024-06-04", "session"), ("2024-06-05", "session")]
    assert ledger.differences(ours, [dict(row) for row in ours], ("a", "b")) == []

"""The bench of learning: a run stands alone, a stopped bench goes on, the tables say what the rows do."""

import json

import pytest

from tests.bench import learning, table
from tests.bench.procedures import Size, settings_hash

QUICK = ["--kinds", "autocorrelation,costs", "--series", "1", "--procedures", "oracle,always_long,ridge"]


def test_what_is_on_file_is_not_run_again(tmp_path, capsys):
    out, report = tmp_path / "rows.jsonl", tmp_path / "report.json"
    arguments = [*QUICK, "--out", str(out), "--json", str(report)]
    assert learning.main(arguments) == 0
    first = out.read_text()
    rows = [json.loads(line) for line in first.splitlines()]
    assert [row["procedure"] for row in rows] == ["oracle", "always_long", "ridge"] * 2
    table_of_first = capsys.readouterr().out

    out.write_text(first[: first.rindex("{") + 40])  # stopped in the middle of its last line
    assert learning.main(arguments) == 0
    again = capsys.readouterr()
    assert again.out.splitlines()[0] == table_of_first.splitlines()[0]
    assert len(again.err.splitlines()) == 1  # one run was missing
    figures = json.loads(report.read_text())["summary"]
    assert figures["ridge"]["linear"]["test_sharpe"] == rows[2]["test_sharpe"]
    assert figures["ridge"]["autocorrelation"]["runs"] == 1


def test_rows_are_the_same_from_several_processes(tmp_path):
    out = tmp_path / "rows.jsonl"
    assert learning.main([*QUICK, "--out", str(out), "--processes", "2"]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    alone = learning.results(learning.runs(learning._options(QUICK)), None, 1)
    assert {row["key"]: row["test_sharpe"] for row in rows} == {row["key"]: row["test_sharpe"] for row in alone}
    assert len(rows) == 6


def test_other_settings_have_another_key():
    assert settings_hash("ppo", Size(1_000, 5)) != settings_hash("ppo", Size(2_000, 5))
    assert settings_hash("ppo", Size(1_000, 5)) != settings_hash("ppo", Size(1_000, 1))
    assert settings_hash("ridge", Size(1_000, 5)) == settings_hash("ridge", Size(2_000, 1))
    assert settings_hash("ppo", Size(1_000, 5)) != settings_hash("sac", Size(1_000, 5))


@pytest.mark.parametrize("procedure", ["ppo", "sac"])
def test_a_deep_agent_stands_on_the_bench(procedure):
    run = learning.Run(learning.planted.names("develop")[0], procedure, 0, Size(1_000, 2))
    row = run.done()
    assert row == {**run.done(), "seconds": row["seconds"]}
    assert row["notes"] == {"members": 2}


def test_the_default_agent_keeps_up_with_the_ridge_and_passes_it_where_no_line_leads(tmp_path):
    """A slice of the bench: one linear and one non-linear series, with the default ensemble."""
    report = tmp_path / "report.json"
    arguments = [
        "--kinds",
        "autocorrelation,interaction",
        "--series",
        "1",
        "--procedures",
        "oracle,always_long,ridge,ppo",
    ]
    assert learning.main([*arguments, "--json", str(report)]) == 0
    figures = json.loads(report.read_text())["summary"]["ppo"]
    assert figures["linear"]["gap_to_ridge"] >= -0.3
    assert figures["non-linear"]["gap_to_ridge"] >= 0.3
    assert figures["linear"]["halfway"] == {"reached": 1, "asked": 1, "all": 1, "runs": 1}


def _row(procedure: str, sharpe: float | None, index: int = 0) -> dict:
    return {
        "kind": "cycle",
        "split": "develop",
        "index": index,
        "procedure": procedure,
        "seed": 0,
        "test_sharpe": sharpe,
        "train_sharpe": 2.0,
        "test_sharpe_unpaused": sharpe,
        "paused": False,
        "notes": {},
        "seconds": 1.0,
    }


def test_halfway_is_asked_only_where_a_plain_regression_gets_there():
    rows = [
        _row("oracle", 3.0, 0),
        _row("always_long", 1.0, 0),
        _row("ridge", 2.5, 0),
        _row("ppo", 2.1, 0),
        _row("oracle", 3.0, 1),
        _row("always_long", 0.0, 1),
        _row("ridge", 1.0, 1),
        _row("ppo", 1.7, 1),
        _row("oracle", 3.0, 2),
        _row("always_long", 0.0, 2),
        _row("ridge", 1.6, 2),
        _row("ppo", None, 2),
    ]
    found = table.summary(rows)["ppo"]["linear"]
    assert found["halfway"] == {"reached": 1, "asked": 2, "all": 2, "runs": 3}
    assert found["gap_to_ridge"] == pytest.approx((-0.4 + 0.7 - 1.6) / 3)
    assert "1/2" in table.text(rows)

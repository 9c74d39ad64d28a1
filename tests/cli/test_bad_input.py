"""Bad input ends in one clear sentence and its exit code, and nothing is lost."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "livetrading" / "samples" / "NVDA.csv"


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # No TWS ever listens on port 1.
    environment = {**os.environ, "LIVETRADING_HOME": str(home), "LIVETRADING_IBKR_PORT": "1"}
    return subprocess.run(
        [sys.executable, "-m", "livetrading", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def refused(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """Exit code 1, one sentence on standard error, no traceback."""
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, len(lines)) == (1, 1), done.stderr
    assert all(word in lines[0] for word in said), lines[0]


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return tmp_path / "bars.csv"


def train(home: Path, csv: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return run(home, "train", "NVDA", "--agent", "PPO", "--source", f"csv:{csv}", "--timesteps", "100", *more)


def test_a_csv_without_a_column_is_named_with_its_file(tmp_path: Path, csv: Path) -> None:
    pd.read_csv(SAMPLE).drop(columns="open").to_csv(csv, index=False)
    refused(train(tmp_path / "home", csv), str(csv), "open")


def test_a_csv_with_a_hole_is_named_with_line_and_column(tmp_path: Path, csv: Path) -> None:
    frame = pd.read_csv(SAMPLE)
    frame.loc[100, "close"] = float("nan")
    frame.to_csv(csv, index=False)
    refused(train(tmp_path / "home", csv), str(csv), "line 102", "close")


def test_a_csv_with_high_and_low_exchanged_is_named_with_line_and_values(tmp_path: Path, csv: Path) -> None:
    frame = pd.read_csv(SAMPLE)
    frame.loc[100, ["high", "low"]] = frame.loc[100, ["low", "high"]].to_numpy()
    frame.to_csv(csv, index=False)
    refused(train(tmp_path / "home", csv), "line 102", "14.69", "14.39")


def test_a_range_too_short_says_how_many_sessions_are_needed(tmp_path: Path, csv: Path) -> None:
    pd.read_csv(SAMPLE).head(900).to_csv(csv, index=False)
    done = train(tmp_path / "home", csv)
    refused(done, "504 needed", "126 needed")
    assert list((tmp_path / "home" / "models").iterdir()) == []


def test_a_failed_training_is_a_failed_job_with_the_same_sentence(tmp_path: Path, csv: Path) -> None:
    done = train(tmp_path / "home", csv, "--job", "j1")
    jobs = json.loads((tmp_path / "home" / "jobs.json").read_text())["jobs"]
    assert [(j["state"], j["message"]) for j in jobs.values()] == [("failed", done.stderr.strip())]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "XXXX", "--agent", "PPO", "--source", "sample"], "AAPL, GOOG, NVDA"),
        (["train", "AAPL", "--agent", "PPO", "--source", "elsewhere"], "yahoo"),
        (["train", "AAPL", "--agent", "PPO", "--timesteps", "0"], "timesteps"),
        (["train", "AAPL", "--agent", "PPO", "--source", "ibkr"], "start TWS"),
        (["deploy", "PPO_AAPL_v20200101_000000", "--mode", "ibkr"], "models"),
        (["adopt", "PPO_AAPL_001"], "agents"),
        (["ignore", "AAPL"], "not an agent id"),
        (["backtest", "PPO_AAPL_v20200101_000000"], "models"),
        (["replay", "../../etc"], "not a model id"),
        (["deploy", "PPO_AAPL_v20200101_000000"], "models"),
        (["start", "PPO_AAPL_001"], "agents"),
        (["close", "AAPL"], "not an agent id"),
        (["ledger", "PPO_AAPL_001"], "agents"),
        (["check", "--now", "yesterday"], "2024-06-03T20:40:00Z"),
        (["up", "--port", "99999"], "65535"),
        (["train", "NVDA", "--agent", "PPO", "--also", ",,"], "--also is ',,' and names no symbol"),
        (["train", "NVDA", "--agent", "PPO", "--also", " "], "names no symbol"),
    ],
)
def test_what_does_not_exist_or_fit_is_refused_with_the_way_out(tmp_path: Path, words: list[str], said: str) -> None:
    refused(run(tmp_path, *words), said)


@pytest.mark.parametrize(
    ("option", "value", "bounds"),
    [
        ("--capital", "0", "above 0 and at most"),
        ("--capital", "-5", "above 0 and at most"),
        ("--capital", "nan", "above 0 and at most"),
        ("--max-position", "0", "above 0 and at most 1"),
        ("--max-position", "1.01", "above 0 and at most 1. It is a fraction: 0.5 is 50 %"),
        ("--risk-per-trade", "0", "above 0 and at most 0.2"),
        ("--risk-per-trade", "0.21", "above 0 and at most 0.2"),
        ("--max-drawdown", "0", "above 0 and at most 1"),
        ("--stop-atr", "-1", "above 0 and at most 20"),
        (
            "--pause-sessions",
            "0",
            "pause sessions is 0; it must be a whole number of sessions from 1 to 10,000, or none",
        ),
        ("--pause-sessions", "-3", "pause sessions is -3; it must be a whole number"),
        ("--pause-sessions", "10001", "from 1 to 10,000"),
        ("--pause-sessions", "2.5", "pause sessions is '2.5'; it must be a whole number"),
        ("--pause-sessions", "long", "pause sessions is 'long'; it must be a whole number"),
        ("--pause-sessions", "", "pause sessions is ''; it must be a whole number"),
    ],
)
def test_terms_out_of_bounds_are_refused_with_their_bounds(
    tmp_path: Path, option: str, value: str, bounds: str
) -> None:
    refused(run(tmp_path, "deploy", "PPO_AAPL_v20200101_000000", option, value), bounds)


def test_with_json_a_refusal_is_one_object_too(tmp_path: Path) -> None:
    done = run(tmp_path, "model", "PPO_AAPL_v20200101_000000", "--json")
    assert json.loads(done.stdout) == {"error": done.stderr.strip(), "error_type": "NotFound", "http_status": 404}
    assert done.returncode == 1


def test_a_word_that_is_no_command_is_a_matter_of_usage(tmp_path: Path) -> None:
    assert run(tmp_path, "frobnicate").returncode == 2
    assert run(tmp_path, "train", "AAPL").returncode == 2
    assert run(tmp_path, "deploy", "PPO_AAPL_v20200101_000000", "--capital", "much").returncode == 2
    for option, value, said in (("--source", "", "it is empty"), ("--pace", "nan", "is not a number")):
        done = run(tmp_path, "deploy", "PPO_AAPL_v20200101_000000", option, value)
        assert done.returncode == 2 and option in done.stderr and said in done.stderr, done.stderr


def test_a_home_that_cannot_be_written_names_another_way(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    refused(run(tmp_path, "--home", str(blocked / "home"), "agents"), "--home", "LIVETRADING_HOME")


def test_the_home_may_be_named_before_or_after_the_command(tmp_path: Path) -> None:
    for words in (["--home", str(tmp_path / "a"), "agents"], ["agents", "--home", str(tmp_path / "b")]):
        assert run(tmp_path / "unused", *words).returncode == 0
    assert (tmp_path / "a" / "agents").is_dir() and (tmp_path / "b" / "agents").is_dir()
    assert not (tmp_path / "unused").exists()


def test_a_port_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(tmp_path, "up", "--port", str(taken.getsockname()[1]))
    refused(done, "in use", "--port")
    assert not (tmp_path / "scheduler.lock").exists()


def test_an_emergency_stop_latches_even_when_its_options_are_mistyped(tmp_path: Path) -> None:
    done = run(tmp_path, "emergency-stop", "--frobnicate")
    assert done.returncode == 2
    assert json.loads((tmp_path / "halt.json").read_text())["by"] == "command line"


def test_settings_that_cannot_be_read_keep_no_simulated_position_from_being_sold(tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(ROOT / "tests" / "fixtures" / "home-before", home)
    (home / "settings.toml").write_text("x = [")
    done = run(home, "emergency-stop", "--json")
    items = [item for item in json.loads(done.stdout)["items"] if "symbol" in item]  # the account's own line has none
    sold = {item["agent_id"]: (item["sold"], item["exit"]) for item in items}
    assert (sold["PPO_AAPL_001"], sold["PPO_AAPL_002"]) == ((0, "queued"), (23, "filled"))
    assert "settings.toml is not valid TOML" in done.stderr and "with the defaults" in done.stderr


def test_an_empty_home_stops_flat_and_rearms(tmp_path: Path) -> None:
    stopped = json.loads(run(tmp_path, "emergency-stop", "--json").stdout)
    assert (stopped["items"], stopped["flat"]) == ([], True)
    assert (tmp_path / "halt.json").exists()
    assert json.loads(run(tmp_path, "rearm", "--json").stdout)["rearmed"] is True
    assert not (tmp_path / "halt.json").exists()

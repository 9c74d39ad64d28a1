"""Deploying to Interactive Brokers by command: nothing is asked of TWS before the settings agree."""

import json
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters import settings
from livetrading.adapters.home import Home
from livetrading.cli.main import main

MODEL = "PPO_AAPL_v20200101_000000"


def refused(root: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["--home", str(root), "deploy", MODEL, "--mode", "ibkr", *words, "--json"]) == 1
    return str(json.loads(capsys.readouterr().out)["error"])


@pytest.mark.parametrize(
    ("chosen", "words", "said"),
    [
        ({"ibkr_mode": "live"}, [], "7496"),
        ({"ibkr_mode": "live", "ibkr_port": 7496}, [], "no account is configured"),
        ({"ibkr_mode": "live", "ibkr_port": 7496, "ibkr_account": "U7654321"}, [], "--confirm U7654321"),
        ({"ibkr_mode": "live", "ibkr_port": 7496, "ibkr_account": "U7654321"}, ["--confirm", "U1"], "U1 was typed"),
        ({"ibkr_port": 4001}, [], "live port"),
        ({"ibkr_account": "U7654321"}, [], "not a paper account"),
        ({}, [], "no model"),
    ],
)
def test_settings_that_disagree_are_refused_before_the_model_is_tested(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], chosen: dict[str, Any], words: list[str], said: str
) -> None:
    settings.save_all(Home.resolve(str(tmp_path)), chosen)
    assert said in refused(tmp_path, capsys, *words)


def test_a_late_entry_is_skipped_or_goes_on_the_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as usage:
        main(["--home", str(tmp_path), "deploy", MODEL, "--mode", "ibkr", "--late-entry", "never"])
    assert usage.value.code == 2
    assert "no model" in refused(tmp_path, capsys, "--late-entry", "day")

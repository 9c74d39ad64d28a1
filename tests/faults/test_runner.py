"""``python -m tests.faults``: a sweep that fails fails them all, and none is forgotten."""

import re
from pathlib import Path

import pytest

from tests.faults import __main__ as runner


def test_every_sweep_of_the_reliability_guide_is_run() -> None:
    guide = (Path(runner.__file__).parents[2] / "docs" / "RELIABILITY.md").read_text()
    named = {name for name in re.findall(r"python -m tests\.faults\.(\w+)", guide) if not name.startswith("ibkr")}
    assert named == {*runner.TOGETHER, *runner.ALONE}


def test_one_that_fails_fails_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "run", lambda part: part != "clean_bars")
    assert runner.main(["sweep"]) == 0
    assert runner.main([]) == 1


def test_an_unknown_sweep_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(["nonsense"]) == 2
    assert "choose of sweep" in capsys.readouterr().err


def test_what_a_sweep_says_is_shown_with_its_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not runner.run("no_such_sweep")
    said = capsys.readouterr().out
    assert "== no_such_sweep" in said and "FAILED with 1" in said and "No module named" in said

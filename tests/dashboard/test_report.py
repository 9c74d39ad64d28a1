"""A model's report: the command's text and JSON, the file and the page say the same, and nothing is opened for it."""

import json
import re
from html import escape
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.home import Home
from livetrading.adapters.jsonio import plain
from livetrading.adapters.registry import Registry
from livetrading.cli.main import main
from livetrading.core import real_money
from livetrading.dashboard import gate, report, report_html, report_tables
from livetrading.dashboard.format import number, sharpe, signed_percent
from livetrading.research import report_document

from .conftest import model_of
from .test_pages import Open, labels, open_page, text_of
from .test_training_shown import change, charts, names

__all__ = ["open_page"]


def said(root: Path, capsys: pytest.CaptureFixture[str], *more: str, code: int = 0) -> str:
    """What ``report`` prints of the home's model: its output, or its error."""
    capsys.readouterr()
    assert main(["--home", str(root), "report", model_of(root), *more]) == code
    return capsys.readouterr()[1 if code else 0]


def asked(root: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(root, capsys, "--json"))
    return found


def tables(html: str) -> list[list[str]]:
    """The cells of every row of every table, without tags."""
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]


def test_command_file_and_page_show_equal_numbers(
    open_page: Open, traded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked(traded, capsys)
    path = tmp_path / "report.html"
    text = said(traded, capsys, "--html", str(path))
    file, page = path.read_text(), text_of(open_page(traded, "training"))
    own, kind = found["significance"], found["model"]["agent_type"]
    low, high = own["interval"]
    row = [kind, sharpe(own["sharpe_ratio"]), f"{number(low)} to {number(high)}"]
    for html in (file, page):
        shown = tables(html)
        assert row in [cells[:3] for cells in shown]
        for key, known in found["baselines"].items():
            assert [report_tables.WITNESSES[key], sharpe(known["measures"]["sharpe_ratio"])] in [c[:2] for c in shown]
        for month in found["months"]:
            values = ["" if value is None else number(value) for value in month["months"]]
            assert [month["year"], *values, number(month["total_return_pct"])] in shown
        for number_, seed in enumerate(found["seeds"], 1):
            assert [f"Seed {number_}", sharpe(seed["sharpe_ratio"]), signed_percent(seed["total_return_pct"])] in [
                cells[:3] for cells in shown
            ]
        assert f"{number(found['random']['percentile'], 1)} %" in html
        for figure in report_tables.luck(found):
            assert escape(figure.value) in html
    assert f"{own['sharpe_ratio']:.2f}" in text and f"{low:.2f} to {high:.2f}" in text
    assert f"Better than {found['random']['percentile']:.1f} % of them" in text


def test_months_of_a_real_test_compound_to_its_total_return(traded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, whole = asked(traded, capsys), 1.0
    for value in (value for row in found["months"] for value in row["months"] if value is not None):
        whole *= 1.0 + value / 100.0
    assert whole == pytest.approx(1.0 + found["measures"]["total_return_pct"] / 100.0, rel=1e-9)
    gained = found["trades"]["pnl"] + found["trades"]["elsewhere"]
    assert gained == pytest.approx(found["measures"]["final_equity"] - found["equity"]["model"][0])
    assert sum(found["trades"]["returns"]["counts"]) == found["measures"]["num_trades"] == len(found["trade_list"])
    assert sum(row["sessions"] for row in found["regimes"]) == found["measures"]["sessions"] - 1
    low, high = found["significance"]["interval"]
    assert low < found["significance"]["sharpe_ratio"] < high


def test_a_report_is_no_look_and_the_gate_says_the_same(traded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(traded)
    card = Registry(home).card(model_of(traded))
    before, _ = gate.asked(home, card)
    found, answer = asked(traded, capsys), gate.answer(home, card)
    assert gate.asked(home, card)[0].tries == before.tries == found["openings"]["count"]
    assert found["openings"] == answer["openings"] and found["gate"]["conditions"] == answer["conditions"]
    assert found["significance"]["deflated_sharpe"] == answer["deflated_sharpe"]
    assert plain(report.document(home, card)) == found


def test_no_ratio_of_a_short_test_goes_without_the_words(
    open_page: Open, traded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sessions = asked(traded, capsys)["measures"]["sessions"]
    words = real_money.too_few(sessions)
    assert words is not None, "the bundled series of this model has a short test"
    home = Home(traded)
    assert words in said(traded, capsys)
    assert words in report.html(home, Registry(home).card(model_of(traded))).decode()
    at = open_page(traded, "training")
    assert words in text_of(at)
    assert any(caption.value == real_money.FEW for caption in at.caption)
    for command in ("model", "models"):
        capsys.readouterr()
        words_of = [model_of(traded)] if command == "model" else []
        assert main(["--home", str(traded), command, *words_of]) == 0
        assert "too few" in capsys.readouterr().out


def test_the_page_has_the_band_of_random_agents_the_trades_and_the_file(open_page: Open, traded: Path) -> None:
    at = open_page(traded, "training")
    equity = next(chart for chart in charts(at) if "Random agents, 5 % to 95 %" in names(chart))
    assert names(equity)[:2] == ["Random agents, lowest", "Random agents, 5 % to 95 %"]  # behind all lines
    assert [tab.label for tab in at.tabs][-2:] == ["By month, year, seed", "Trades by return"]
    assert "Download report" in [
        button.proto.label for button in at.get("download_button")
    ] or "Download report" in labels(at)


def test_what_users_wrote_is_escaped_in_the_file(own: Path) -> None:
    evil = "<script>alert('x')</script><img src=http://example.com/x.png>"
    change(own, "card.json", lambda card: card.update(source=f"csv:{evil}", source_note=evil))
    home = Home(own)
    file = report.html(home, Registry(home).card(model_of(own))).decode()
    assert evil not in file and "alert('x')" not in file
    assert escape(evil) in file


def test_the_file_asks_the_network_for_nothing(traded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = report_html.page(asked(traded, capsys))
    outside = re.sub(r"<script.*?</script>", "", file, flags=re.DOTALL)
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", outside)
    assert "default-src 'none'" in file and not re.search(r"<script[^>]*\ssrc", file)


@pytest.mark.parametrize("path", ["", "/", "missing/report.html", "."])
def test_a_path_that_cannot_be_written_is_one_sentence_and_leaves_nothing(
    path: str, traded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(said(traded, capsys, "--html", path, code=1).strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_there_is_not_and_a_damaged_test_are_one_sentence(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(own), "report", "PPO_AAPL_v20000101_000000"]) == 1
    assert "There is no model" in capsys.readouterr().err
    change(own, "test.json", lambda test: test.pop("buy_and_hold"))
    assert "is not usable" in said(own, capsys, code=1)
    change(own, "test.json", lambda test: test.update(equity=[]))
    assert "holds no equity" in said(own, capsys, code=1)


def test_a_card_of_before_has_a_report_that_names_what_it_lacks(
    open_page: Open, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def before(test: dict[str, Any]) -> None:
        for key in ("members", "train", "witnesses", "walk_forward", "chance", "unpaused"):
            test.pop(key, None)

    change(own, "test.json", before)
    found, text = asked(own, capsys), said(own, capsys)
    assert report_document.LACKING["random"] in found["missing"] and report_document.LACKING["random"] in text
    assert list(found["baselines"]) == ["buy_and_hold"]
    home = Home(own)
    file = report.html(home, Registry(home).card(model_of(own))).decode()
    assert all(escape(missing) in file for missing in found["missing"])
    assert not open_page(own, "training").error

from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from livetrading.adapters.bars import open_source
from livetrading.core.bars import bars_sha256
from livetrading.core.errors import BadBars, BadInput

NOW = datetime(2024, 6, 8, 12, tzinfo=UTC)
HEADER = "date,open,high,low,close,volume"
ROWS = [
    "2024-06-03,10,12,9,11,1000",
    "2024-06-04,11,12,10,11.5,900",
    "2024-06-05,11.5,13,11,12,800",
    "2024-06-06,12,12.5,11.5,12,700",
    "2024-06-07,12,14,12,13,600",
]


def write(folder: Path, *lines: str, name: str = "mine.csv", end: str = "\n") -> Path:
    path = folder / name
    path.write_text(end.join(lines) + end, "utf-8", newline="")
    return path


def read(path: Path, now: datetime = NOW):
    return open_source(f"csv:{path}", path.parent).daily("mine", now=now)


def refusal(path: Path) -> str:
    with pytest.raises(BadBars) as error:
        read(path)
    text = str(error.value)
    assert str(path) in text and "\n" not in text and text.endswith(".") and ";" in text, text
    return text.replace(f"{path}", "FILE")


def test_plain_file_is_read_for_the_symbol_that_the_user_says(tmp_path):
    path = write(tmp_path, HEADER, *ROWS)
    bars = read(path)
    assert (bars.symbol, bars.source) == ("MINE", f"csv:{path}")
    assert bars.frame.loc["2024-06-07"].tolist() == [12, 14, 12, 13, 600, 0, 1]
    assert bars.note == (
        "mine.csv: without dividend and split column, so none is counted, and prices are taken as traded"
    )
    assert bars.sha256 == bars_sha256(bars.frame)


def test_dividend_and_split_are_taken_and_adj_close_is_ignored_with_a_word(tmp_path):
    rows = [f"{row},{'0.25' if '06-05' in row else '0'},{'2' if '06-06' in row else '1'},5,x" for row in ROWS]
    bars = read(write(tmp_path, f"{HEADER},dividend,split,Adj Close,Remark", *rows))
    assert bars.frame["dividend"].tolist() == [0, 0, 0.25, 0, 0]
    assert bars.frame["split"].tolist() == [1, 1, 1, 2, 1]
    assert bars.note == "mine.csv: adj_close is ignored; ignored: remark"


def test_one_missing_optional_column_is_said(tmp_path):
    bars = read(write(tmp_path, f"{HEADER},split", *(f"{row},1" for row in ROWS)))
    assert bars.note.startswith("mine.csv: without dividend column")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spreadsheet_habits_change_no_bar(tmp_path, end):
    plain = read(write(tmp_path, HEADER, *ROWS, name="a.csv"))
    odd = write(tmp_path, "\ufeffDate, Open,HIGH,Low,Close,Volume", *ROWS, "", "", end=end)
    assert read(odd).sha256 == plain.sha256


def test_bars_after_now_are_not_shown_but_a_split_of_today_is_announced(tmp_path):
    rows = [f"{row},{'2' if '06-06' in row else '1'}" for row in ROWS]
    path = write(tmp_path, f"{HEADER},split", *rows)
    bars = read(path, datetime(2024, 6, 6, 19, 59, tzinfo=UTC))
    assert bars.frame.index[-1] == pd.Timestamp("2024-06-05")
    assert bars.ahead == ((date(2024, 6, 6), 2.0),)
    assert read(path, datetime(2024, 6, 6, 20, tzinfo=UTC)).ahead == ()
    assert read(path, datetime(2024, 6, 6, 3, tzinfo=UTC)).ahead == ()  # still the 5th in New York


def test_time_before_the_first_bar_is_refused_with_its_date(tmp_path):
    with pytest.raises(BadBars, match="no bars of MINE complete at 2024-06-03T19:00:00Z, they start on 2024-06-03"):
        read(write(tmp_path, HEADER, *ROWS), datetime(2024, 6, 3, 19, tzinfo=UTC))


def test_file_that_grew_is_read_again(tmp_path):
    path = write(tmp_path, HEADER, *ROWS[:3])
    source = open_source(f"csv:{path}", tmp_path)
    assert len(source.daily("X", now=NOW).frame) == 3
    write(tmp_path, HEADER, *ROWS)
    assert len(source.daily("X", now=NOW).frame) == 5


def test_changing_a_bar_set_does_not_change_the_source(tmp_path):
    source = open_source(f"csv:{write(tmp_path, HEADER, *ROWS)}", tmp_path)
    bars = source.daily("X", now=NOW)
    bars.frame.iloc[0, 0] = 999.0
    assert source.daily("X", now=NOW).frame.iloc[0, 0] == 10


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2024-06-05,11.5,13,11,,800", "FILE, line 4: close is '', not a finite number"),
        ("2024-06-05,11.5,13,NaN,12,800", "FILE, line 4: low is 'NaN', not a finite number"),
        ("2024-06-05,11.5,inf,11,12,800", "FILE, line 4: high is 'inf', not a finite number"),
        ('2024-06-05,11.5,13,11,"12,5",800', "FILE, line 4: close is '12,5', not a finite number"),
        ("2024-06-05,11.5,11,13,12,800", "FILE, line 4 (2024-06-05): low 13 is above high 11"),
        ("2024-06-05,14,13,11,12,800", "FILE, line 4 (2024-06-05): open 14 is above high 13"),
        ("2024-06-05,11.5,13,11,12,-800", "FILE, line 4 (2024-06-05): volume -800 is below 0"),
        ("2024-06-05,0,13,0,12,800", "FILE, line 4 (2024-06-05): open 0 is not above 0"),
        ("05/06/2024,11.5,13,11,12,800", "FILE, line 4: '05/06/2024' is not a date"),
        ("2024-06-31,11.5,13,11,12,800", "FILE, line 4: '2024-06-31' is not a date"),
        ("2024-W23-3,11.5,13,11,12,800", "FILE, line 4: '2024-W23-3' is not a date"),
        ("2024-06-04,11.5,13,11,12,800", "FILE, line 4 (2024-06-04): the date is there twice"),
        ("2024-06-10,11.5,13,11,12,800", "FILE, line 5 (2024-06-06): the date follows 2024-06-10"),
        ("2024-06-05,11.5,13,11,12", "FILE, line 4: there are 5 values for 6 columns"),
        ("2024-06-05,11.5,13,11,12,800,1", "FILE, line 4: there are 7 values for 6 columns"),
        ("", "FILE has no bar for the session 2024-06-05 after line 3 (2024-06-04)"),
    ],
)
def test_bad_row_is_named_by_line_and_value(tmp_path, line, words):
    text = refusal(write(tmp_path, HEADER, *ROWS[:2], line, *ROWS[3:]))
    assert text.startswith(words), text


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([""], "FILE is empty"),
        ([HEADER], "FILE holds no bars"),
        (["date,open,high,close", "2024-06-03,1,1,1"], "FILE, line 1: there is no column low, volume"),
        (
            ["date,open,open,high,low,close,volume", "2024-06-03,1,1,1,1,1,1"],
            "FILE, line 1: a column name is there twice",
        ),
        ([HEADER, *ROWS, "2024-06-08,1,1,1,1,1"], "FILE, line 7 (2024-06-08): the exchange was closed"),
        ([HEADER, "1985-01-02,1,1,1,1,1"], "FILE has a bar of 1985-01-02, but"),
        ([HEADER, "0001-01-01,1,1,1,1,1"], "FILE, row 1: "),
    ],
)
def test_bad_file_is_refused_in_one_sentence(tmp_path, lines, words):
    text = refusal(write(tmp_path, *lines))
    assert text.startswith(words), text


def test_what_is_no_text_file_is_refused(tmp_path):
    assert "is not a regular file; give" in refusal(tmp_path)
    with pytest.raises(BadBars, match="/dev/zero is not a regular file"):
        read(Path("/dev/zero"))
    assert "(No such file or directory)" in refusal(tmp_path / "none.csv")
    binary = tmp_path / "b.csv"
    binary.write_bytes(b"date\xff\xfe,open")
    assert "is not a text file in UTF-8" in refusal(binary)
    binary.write_bytes(b"date,open\n\x00\x00")
    refusal(binary)


@pytest.mark.parametrize("path", ["a\0b", "~nobody-of-this-name/x.csv"])
def test_path_that_cannot_be_is_bad_input(tmp_path, path):
    with pytest.raises(BadInput):
        open_source(f"csv:{path}", tmp_path)


def test_source_name_is_absolute_so_that_another_process_finds_the_file(tmp_path, monkeypatch):
    write(tmp_path, HEADER, *ROWS)
    monkeypatch.chdir(tmp_path)
    name = open_source("csv:mine.csv", tmp_path).name
    monkeypatch.chdir("/")
    assert name == f"csv:{tmp_path / 'mine.csv'}"
    assert len(open_source(name, tmp_path).daily("X", now=NOW).frame) == 5

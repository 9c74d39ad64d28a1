"""Flex statements as files: executions and nothing else, or one sentence that says what is wrong."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.adapters.brokers.ibkr import flex as flex_file
from livetrading.core.errors import BadInput, NotFound
from livetrading.core.statement import StatementExecution
from tests.doubles import flex
from tests.doubles.tws.ledger import Fill, Listing, Order

AT = datetime(2024, 6, 4, 13, 30, tzinfo=UTC)


def fill(n: int = 1, action: str = "BUY", qty: float = 10.0, price: float = 30.5, fee: float = 1.02) -> Fill:
    order = Order(
        n,
        17,
        Listing(4711, "TEST"),
        action,
        qty,
        "MKT",
        0.0,
        "OPG",
        f"PPO_TEST_001:2024-06-03:entry:{n}",
        "DU1",
        0,
        True,
        perm_id=700_000 + n,
    )
    return Fill(f"0000e0d5.{n:08x}.01.01", order, AT, qty, price, qty, price, fee)


def rows(*fills: Fill, **changes: str) -> list[dict[str, str]]:
    return [r for f in fills for r in (flex.row(f, **changes), flex.summed(flex.row(f, **changes)))]


@pytest.mark.parametrize("element", ["Trade", "Execution"])
def test_an_execution_is_read_with_all_that_finds_it(tmp_path: Path, element: str) -> None:
    found = flex_file.read(flex.xml(tmp_path / "f.xml", rows(fill(), fill(2, "SELL", 4, 31.0)), element))
    assert list(found) == [
        StatementExecution(
            "DU1",
            "0000e0d5.00000001.01.01",
            "700001",
            "PPO_TEST_001:2024-06-03:entry:1",
            "TEST",
            4711,
            "BUY",
            10.0,
            30.5,
            1.02,
            "2024-06-04",
            "20240604;093000",
            f"f.xml, {element} 1",
        ),
        StatementExecution(
            "DU1",
            "0000e0d5.00000002.01.01",
            "700002",
            "PPO_TEST_001:2024-06-03:entry:2",
            "TEST",
            4711,
            "SELL",
            4.0,
            31.0,
            1.02,
            "2024-06-04",
            "20240604;093000",
            f"f.xml, {element} 3",
        ),
    ]


def test_csv_says_the_same(tmp_path: Path) -> None:
    made = rows(fill(), fill(2, "SELL", 4, 31.0))
    one, two = flex_file.read(flex.xml(tmp_path / "f.xml", made)), flex_file.read(flex.csv(tmp_path / "f.csv", made))
    assert [{**e.to_dict(), "line": ""} for e in one] == [{**e.to_dict(), "line": ""} for e in two]


def test_a_trade_confirmation_is_read_under_its_own_names(tmp_path: Path) -> None:
    path = tmp_path / "f.xml"
    path.write_text(
        '<FlexQueryResponse><FlexStatements><FlexStatement accountId="DU1"><TradeConfirms><TradeConfirm accountId="DU1"'
        ' assetCategory="STK" symbol="TEST" conid="4711" execID="e.1.01.01" orderID="9" orderReference="" buySell="BUY"'
        ' quantity="10" price="30.5" commission="-1" commissionCurrency="USD" tax="-0.02" tradeDate="2024-06-04"'
        ' dateTime="2024-06-04;093000" currency="USD"/></TradeConfirms></FlexStatement></FlexStatements></FlexQueryResponse>'
    )
    (found,) = flex_file.read(path)
    assert (found.exec_id, found.order_id, found.price, found.fee, found.session) == (
        "e.1.01.01",
        "9",
        30.5,
        1.02,
        "2024-06-04",
    )


def test_a_cancelled_trade_has_no_shares_and_a_rebate_is_a_negative_fee(tmp_path: Path) -> None:
    found = flex_file.read(
        flex.xml(tmp_path / "f.xml", [flex.row(fill(), buySell="BUY (Ca.)"), flex.row(fill(2, fee=-0.35))])
    )
    assert [(e.qty, e.fee) for e in found] == [(0.0, 1.02), (10.0, -0.35)]


def test_what_is_no_stock_in_usd_is_passed_over(tmp_path: Path) -> None:
    made = [
        flex.row(fill(), assetCategory="CASH", tradePrice="x"),
        flex.row(fill(2), currency="EUR"),
        flex.row(fill(3)),
    ]
    assert [e.exec_id[-9:] for e in flex_file.read(flex.xml(tmp_path / "f.xml", made))] == ["003.01.01"]


def test_a_commission_in_another_currency_is_not_known(tmp_path: Path) -> None:
    assert [
        e.fee for e in flex_file.read(flex.xml(tmp_path / "f.xml", [flex.row(fill(), ibCommissionCurrency="EUR")]))
    ] == [None]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tradePrice": "nan"}, "price"),
        ({"tradePrice": "inf"}, "price"),
        ({"tradePrice": "-3"}, "price"),
        ({"tradePrice": ""}, "price"),
        ({"tradePrice": "abc"}, "price"),
        ({"quantity": "nan"}, "quantity"),
        ({"quantity": ""}, "quantity"),
        ({"ibCommission": "1.7976931348623157E308"}, "commission"),
        ({"ibCommission": "nan"}, "commission"),
        ({"tradeDate": "04/06/2024"}, "yyyyMMdd"),
        ({"tradeDate": "20241399"}, "yyyyMMdd"),
        ({"buySell": ""}, "side"),
    ],
)
@pytest.mark.parametrize("write", [flex.xml, flex.csv])
def test_a_value_that_cannot_be_is_named_with_its_place(
    tmp_path: Path, change: dict[str, str], said: str, write
) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        flex_file.read(write(tmp_path / "f", [flex.row(fill()), flex.row(fill(2), **change)]))
    assert "f, " in str(refused.value) and str(refused.value).count(". ") == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\x00\xff\xfe\x89PNG",
        b"<html></html>",
        b"<FlexQueryResponse",
        b'{"a": 1}',
        b"a,b\n1,2\n",
        b'<!DOCTYPE x [<!ENTITY a "b">]><FlexQueryResponse/>',
        b"date,open,high\n2024-01-01,1,2\n",
    ],
    ids=["empty", "words", "binary", "html", "cut", "json", "csv", "entities", "bars"],
)
def test_what_is_no_statement_is_refused_with_what_to_export(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="is not a Flex statement .*Flex query"):
        flex_file.read(path)


def test_a_statement_without_ids_says_which_option_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="without the ids.*Execution"):
        flex_file.read(flex.xml(tmp_path / "f.xml", [flex.row(fill(), ibExecID="")]))


def test_a_file_that_is_not_there_or_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file"):
        flex_file.read(tmp_path / "x.xml")
    with pytest.raises(BadInput, match="cannot be read"):
        flex_file.read(tmp_path)


@given(st.text(max_size=400))
def test_no_text_is_anything_but_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_text(text, errors="surrogatepass", encoding="utf-8")
    with pytest.raises(BadInput):
        flex_file.read(path)


# -- rows of a CSV that cannot be read as they stand -----------------------------------


def csv_lines(tmp_path: Path) -> list[str]:
    return flex.csv(tmp_path / "f.csv", [flex.row(fill(n)) for n in (1, 2, 3)]).read_text().splitlines()


@pytest.mark.parametrize(
    "broken",
    [
        lambda line: line.rpartition(",")[0],
        lambda line: line[:40],
        lambda line: line.split(",")[0],
        lambda line: line.replace('"30.5"', "30,5"),
        lambda line: line + ',"x"',
    ],
    ids=["one short", "cut", "one field", "a decimal comma", "one more"],
)
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_row_of_another_length_refuses_the_file_and_names_its_line(tmp_path: Path, broken, at: int) -> None:
    lines = csv_lines(tmp_path)
    lines[at] = broken(lines[at])
    (tmp_path / "f.csv").write_text("\n".join(lines))
    with pytest.raises(BadInput, match=f"f.csv, line {at + 1} has .* fields.*export the statement again"):
        flex_file.read(tmp_path / "f.csv")


def test_lines_that_frame_a_statement_and_other_sections_are_no_trades(tmp_path: Path) -> None:
    head, *trades = csv_lines(tmp_path)
    other = '"ClientAccountID","CurrencyPrimary","Amount"'
    lines = [
        '"BOF","DU1"',
        other,
        '"DU1","USD","5"',
        head,
        *trades,
        "",
        '"EOS","1"',
        other,
        '"DU1","USD","7"',
        head + ",",
        trades[0] + ",",
        '"EOF"',
    ]
    (tmp_path / "f.csv").write_text("\n".join(lines))
    assert len(flex_file.read(tmp_path / "f.csv")) == 4


def test_a_section_with_as_many_columns_as_the_trades_is_not_read_under_their_names(tmp_path: Path) -> None:
    head, *trades = csv_lines(tmp_path)
    other = ",".join(["ClientAccountID", "CurrencyPrimary", *(f"c{n}" for n in range(head.count(",") - 1))])
    (tmp_path / "f.csv").write_text("\n".join([head, trades[0], other, trades[1].replace('"30.5"', '"1"')]))
    assert [e.price for e in flex_file.read(tmp_path / "f.csv")] == [30.5]


@pytest.mark.parametrize(
    "marks", [{"buySell": "BUY (Ca.)"}, {"transactionType": "TradeCancel"}, {"notes": "P;Ca"}, {"notes": "Ca"}], ids=str
)
def test_a_cancellation_is_known_by_any_of_its_marks(tmp_path: Path, marks: dict[str, str]) -> None:
    (found,) = flex_file.read(flex.xml(tmp_path / "f.xml", [flex.row(fill(), **marks)]))
    assert (found.qty, found.side) == (0.0, "BUY")

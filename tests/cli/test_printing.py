"""What is printed for programs is exact and whole, and for pipes one row is one line."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest
import typer
from rich.cells import cell_len
from rich.console import Console

from perpwire.cli.printing import json_line, lines, moment, rows, table
from perpwire.cli.report import Report, VenueReport, render
from perpwire.cli.running import FAILED, MISTAKEN, UNKNOWN, code_of, say, telling
from perpwire.errors import APIError, BadInput, InsufficientBalance, OutcomeUnknown
from perpwire.model.facts import facts
from perpwire.model.order import Order, OrderStatus, OrderType, Side, TimeInForce


def order() -> Order:
    return Order(
        venue="bybit", symbol="BTCUSDT", order_id="1", client_order_id="a", side=Side.BUY, type=OrderType.LIMIT,
        status=OrderStatus.NEW, time_in_force=TimeInForce.GTC, price=Decimal("1E-8"), quantity=Decimal("1E+3"),
        filled_quantity=Decimal("0E-8"), average_price=None, reduce_only=False,
    )  # fmt: skip


def test_numbers_are_text_and_never_in_exponent_form(capsys: pytest.CaptureFixture[str]) -> None:
    json_line({"orders": [order()], "at": {"price": Decimal("1E-8")}})
    (told,) = capsys.readouterr().out.splitlines()
    said = json.loads(told)
    assert (said["orders"][0]["price"], said["orders"][0]["quantity"]) == ("0.00000001", "1000")
    assert (said["orders"][0]["filled_quantity"], said["at"]["price"]) == ("0.00000000", "0.00000001")
    assert (said["orders"][0]["side"], said["orders"][0]["average_price"]) == ("BUY", None)
    assert facts((1, True, "x", None)) == [1, True, "x", None]


def test_a_long_line_of_json_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    json_line({"words": "a [bold]b[/] " * 500})
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_columns_of_a_pipe_stand_below_each_other_and_are_never_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    found = [{"venue": "bybit", "price": Decimal("1.5"), "id": "x" * 200}, {"venue": "binance", "price": Decimal(20)}]
    assert lines(("venue", "price", "id"), found) == [
        "venue    price  id",
        f"bybit      1.5  {'x' * 200}",
        "binance     20  -",
    ]
    rows("", ("venue", "id"), found, as_json=False, empty="none")
    assert len(capsys.readouterr().out.splitlines()) == 3
    rows("", ("venue",), [], as_json=False, empty="none [b]")
    assert capsys.readouterr().out == "none [b]\n"
    rows("", ("venue",), [], as_json=True, empty="none")
    assert capsys.readouterr().out == ""


def drawn(width: int, found: list[dict[str, object]]) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table("orders", ("symbol", "side", "filled_quantity", "order_id"), found, width))
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_however_narrow_the_terminal_no_value_is_broken_or_left_out(width: int) -> None:
    found: list[dict[str, object]] = [
        {"symbol": "BTCUSDT", "side": "BUY", "filled_quantity": Decimal("0.0010"), "order_id": "155618000001"},
        {"symbol": "币安人生USDT", "side": "SELL", "filled_quantity": Decimal(12345), "order_id": "155618000002"},
    ]
    text = drawn(width, found)
    assert max(map(cell_len, text)) <= width
    for one in found:
        for value in one.values():
            assert any(str(value) in line for line in text), (value, text)


def test_where_heads_on_several_lines_make_room_a_table_stays_a_table() -> None:
    found: list[dict[str, object]] = [{"symbol": "BTC", "side": "BUY", "filled_quantity": Decimal(1), "order_id": "1"}]
    roomy, tight = drawn(60, found), drawn(40, found)
    assert any("filled quantity" in line for line in roomy)
    assert not any("filled quantity" in line for line in tight)
    assert any("│" in line for line in tight)


def test_of_nobody_who_answered_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    rows("positions", ("venue",), [], as_json=False, empty="")
    assert capsys.readouterr().out == ""


def test_a_tables_empty_columns_are_left_out() -> None:
    shown = table("", ("venue", "reason", "price"), [{"venue": "bybit", "reason": "", "price": Decimal(0)}])
    assert [str(column.header) for column in shown.columns] == ["venue", "price"]


def test_a_moment_is_told_in_utc() -> None:
    assert moment(1_790_000_000_000) == "2026-09-21 14:13:20"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("x"), MISTAKEN),
        (InsufficientBalance("x"), FAILED),
        (OutcomeUnknown("x", client_order_id="a"), UNKNOWN),
        (OutcomeUnknown("x", call="cancel_all"), UNKNOWN),
        (OutcomeUnknown("x", call="positions"), FAILED),
        (ConnectionResetError("x"), FAILED),
        (ValueError("x"), FAILED),
    ],
)
def test_an_errors_kind_gives_its_exit_code(error: Exception, code: int) -> None:
    assert code_of(error) == code


def test_an_error_is_one_line_or_one_object_on_the_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    error = APIError("two\nlines [/b]", venue="bybit", call="place_order", code=7, advice="do this")
    say(error)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: bybit place_order: APIError [7] two lines [/b] -> do this\n"
    say(error, as_json=True)
    told = json.loads(capsys.readouterr().err)
    assert (told["error"], told["reason"], told["code"], told["advice"]) == (
        "APIError",
        "two\nlines [/b]",
        7,
        "do this",
    )
    assert told["safe_to_retry"] is False


def test_what_is_nobodys_mistake_is_not_hidden() -> None:
    with pytest.raises(typer.Exit) as ended, telling():
        raise BadInput("x")
    assert ended.value.exit_code == MISTAKEN
    with pytest.raises(KeyError), telling():
        raise KeyError("a bug")


@pytest.mark.parametrize("width", [40, 80])
def test_the_report_of_the_demo_cuts_no_word(width: int) -> None:
    figures = dict.fromkeys(("p50", "p95", "p99", "max"), 1234.5)
    venues = [
        VenueReport(venue=venue, events_sent=30, faults=2, response_ms=figures, stream_ms=figures)
        for venue in ("binance", "bybit")
    ]
    report = Report(seconds=3, seed=7, replay=None, venues=venues, alerts=[], book=None)
    out = Console(width=width, file=io.StringIO())
    out.print(render(report, width))
    assert isinstance(out.file, io.StringIO)
    text = out.file.getvalue()
    assert "…" not in text
    assert text.count("MISSED") == sum(not bar.holds for bar in report.bars) > 0
    assert max(map(len, text.splitlines())) <= width

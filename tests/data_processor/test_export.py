"""Tables of events: exact, each kind its own; and hftbacktest's form, in its order."""

from __future__ import annotations

import ast
import csv
import struct
import zipfile
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from perpwire.data_processor.export import CsvWriter, ParquetWriter, Writer, columns, rows
from perpwire.data_processor.hftbacktest import (
    AT_EXCHANGE,
    AT_US,
    BUY,
    DEPTH,
    DEPTH_CLEAR,
    DEPTH_SNAPSHOT,
    SELL,
    TRADE,
    HftBacktestWriter,
)
from perpwire.errors import BadInput
from perpwire.model import market
from perpwire.model.market import BookDelta, BookSnapshot, Event, MarkPrice, RpiBook, Trade

HEAD: dict[str, Any] = {"venue": "v", "symbol": "S", "venue_time_ms": 5, "received_ns": 7}


def trade(**more: Any) -> Trade:
    said: dict[str, Any] = HEAD | {"trade_id": 1, "price": D("1.10"), "quantity": D("1E-8"), "buyer_is_maker": True}
    return Trade(**said | more)


def delta(**more: Any) -> BookDelta:
    said: dict[str, Any] = HEAD | {"update_id": 3, "first_update_id": 2}
    said |= {"bid_text": (("1.10", "2"), ("1.00", "0")), "ask_text": (("1.20", "3"),)}
    return BookDelta(**said | more)


def snapshot(**more: Any) -> BookSnapshot:
    said: dict[str, Any] = HEAD | {"update_id": 3, "bid_text": (("1.10", "2"), ("1.00", "1"))}
    return BookSnapshot(**said | {"ask_text": (("1.20", "3"),)} | more)


MARK = MarkPrice(**HEAD, mark_price=D("2.50"), index_price=None, funding_rate=D("0.0001"), next_funding_time_ms=None)


def test_csv_keeps_every_digit_and_leaves_empty_what_is_not_stated(tmp_path: Path) -> None:
    writer = CsvWriter(tmp_path)
    for event in (trade(), delta(), MARK, trade(trade_id="x", recovered=True)):
        writer.add(event)
    writer.close()
    assert writer.rows == {"Trade": 2, "BookDelta": 3, "MarkPrice": 1}
    with writer.files["Trade"].open(newline="") as file:
        head, first, second = csv.reader(file)
    assert head[:5] == ["venue", "symbol", "venue_time_ms", "received_ns", "recovered"]
    said = dict(zip(head, first, strict=True))
    assert (said["price"], said["quantity"], said["buyer_is_maker"]) == ("1.10", "0.00000001", "true")
    assert dict(zip(head, second, strict=True))["trade_id"] == "x"
    with writer.files["BookDelta"].open(newline="") as file:
        levels = [(row["side"], row["price"], row["quantity"]) for row in csv.DictReader(file)]
    assert levels == [("bid", "1.10", "2"), ("bid", "1.00", "0"), ("ask", "1.20", "3")]
    with writer.files["MarkPrice"].open(newline="") as file:
        [mark] = csv.DictReader(file)
    assert (mark["mark_price"], mark["index_price"], mark["next_funding_time_ms"]) == ("2.50", "", "")


def test_parquet_keeps_them_as_decimals(tmp_path: Path) -> None:
    import pyarrow.parquet

    writer = ParquetWriter(tmp_path)
    for event in (trade(), delta(), MARK, trade(trade_id="x")):
        writer.add(event)
    writer.close()
    table = pyarrow.parquet.read_table(writer.files["Trade"])
    assert table.column("quantity").to_pylist() == [D("1E-8"), D("1E-8")]
    assert table.column("trade_id").to_pylist() == ["1", "x"]
    assert table.column("received_ns").to_pylist() == [7, 7]
    assert pyarrow.parquet.read_table(writer.files["MarkPrice"]).column("index_price").to_pylist() == [None]
    assert pyarrow.parquet.read_table(writer.files["BookDelta"]).column("price").to_pylist() == [
        D("1.1"),
        D(1),
        D("1.2"),
    ]


def test_a_number_that_does_not_fit_parquet_is_no_rounded_one(tmp_path: Path) -> None:
    writer = ParquetWriter(tmp_path)
    writer.add(trade(price=D("1.0000000000000000001")))
    with pytest.raises(BadInput, match="does not fit") as error:
        writer.close()
    assert "CSV" in error.value.advice


@pytest.mark.parametrize("make", [CsvWriter, ParquetWriter])
def test_batches_make_one_table(tmp_path: Path, make: type[Writer], monkeypatch: pytest.MonkeyPatch) -> None:
    from perpwire.data_processor import export

    monkeypatch.setattr(export, "ROWS_A_BATCH", 10)
    writer = make(tmp_path)
    for number in range(35):
        writer.add(trade(trade_id=number))
    writer.close()
    assert writer.rows == {"Trade": 35}


def test_every_kind_of_event_has_a_table() -> None:
    kinds = [one for one in vars(market).values() if isinstance(one, type) and issubclass(one, Event)]
    assert len(kinds) > 20
    for kind in kinds:
        shape = columns(kind)
        assert shape.names[:2] == ("venue", "symbol")
        assert len(shape.names) == len(set(shape.names)) == len(shape.types)
    rpi = RpiBook(**HEAD, bids=((D(1), D(2), D(3)),), asks=(), is_snapshot=True, update_id=1)
    [row] = rows(rpi)
    assert dict(zip(columns(RpiBook).names, row, strict=True))["rpi_quantity"] == 3


# --- hftbacktest ------------------------------------------------------------------------------------------------------


def read(path: Path) -> list[tuple[Any, ...]]:
    """The file without NumPy: what NumPy itself makes of it was looked at by hand."""
    with zipfile.ZipFile(path) as file:
        data = file.read("data.npy")
    assert data[:8] == b"\x93NUMPY\x01\x00"
    (size,) = struct.unpack_from("<H", data, 8)
    head = ast.literal_eval(data[10 : 10 + size].decode())
    assert (10 + size) % 64 == 0
    body = data[10 + size :]
    [count] = head["shape"]
    assert len(body) == count * struct.calcsize("<QqqddQqd")
    return list(struct.iter_unpack("<QqqddQqd", body))


def test_trades_and_levels_become_its_events(tmp_path: Path) -> None:
    writer = HftBacktestWriter("S")
    for event in (
        snapshot(),
        delta(),
        trade(),
        trade(buyer_is_maker=False),
        trade(symbol="T"),
        trade(recovered=True),
        MARK,
    ):
        writer.add(event)
    assert writer.write(tmp_path / "a.npz") == writer.rows == 10
    both = AT_EXCHANGE | AT_US
    flags = [row[0] for row in read(tmp_path / "a.npz")]
    assert flags == [
        both | DEPTH_CLEAR | BUY, both | DEPTH_SNAPSHOT | BUY, both | DEPTH_SNAPSHOT | BUY,
        both | DEPTH_CLEAR | SELL, both | DEPTH_SNAPSHOT | SELL,
        both | DEPTH | BUY, both | DEPTH | BUY, both | DEPTH | SELL,
        both | TRADE | SELL, both | TRADE | BUY,
    ]  # fmt: skip
    first = read(tmp_path / "a.npz")[0]
    assert first[1:5] == (5_000_000, 5_000_000, 1.0, 0.0)  # arrivals moved: none before it was sent


def test_what_overtook_stands_twice_so_that_both_orders_hold(tmp_path: Path) -> None:
    writer = HftBacktestWriter("S")
    for sent_ms, received_ms in ((10, 30), (20, 25), (5, 40), (50, 60), (50, 60)):
        writer.add(trade(venue_time_ms=sent_ms, received_ns=received_ms * 1_000_000))
    made = writer.write(tmp_path / "a.npz")
    seen = read(tmp_path / "a.npz")
    assert made == len(seen) > 5
    there = [row[1] for row in seen if row[0] & AT_EXCHANGE]
    here = [row[2] for row in seen if row[0] & AT_US]
    assert len(there) == len(here) == 5
    assert there == sorted(there)
    assert here == sorted(here)
    assert all(row[2] >= row[1] for row in seen)


def test_nothing_of_the_symbol_is_no_file(tmp_path: Path) -> None:
    writer = HftBacktestWriter("S")
    writer.add(MARK)
    with pytest.raises(BadInput, match="no trade and no book of S"):
        writer.write(tmp_path / "a.npz")

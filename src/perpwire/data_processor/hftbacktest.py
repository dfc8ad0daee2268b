"""Trades and books of one symbol in the form that hftbacktest reads (version 2): an .npz with one structured array.

Written without NumPy: an .npy file is a short head and rows of 64 bytes. Prices and quantities are floats there, as
that form has them: this is for research, and nothing of it goes back to a venue.

Source: hftbacktest.readthedocs.io, "Data", as of 2026-11-26.
"""

from __future__ import annotations

import struct
import zipfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from perpwire.errors import BadInput
from perpwire.model.market import AggTrade, BookDelta, BookLevels, BookSnapshot, Event, Trade

DEPTH: Final = 1
TRADE: Final = 2
DEPTH_CLEAR: Final = 3
DEPTH_SNAPSHOT: Final = 4
AT_EXCHANGE: Final = 1 << 31
AT_US: Final = 1 << 30
BUY: Final = 1 << 29
SELL: Final = 1 << 28

_ROW = struct.Struct("<QqqddQqd")
_HEAD = (
    "{'descr': [('ev', '<u8'), ('exch_ts', '<i8'), ('local_ts', '<i8'), ('px', '<f8'), ('qty', '<f8'), "
    "('order_id', '<u8'), ('ival', '<i8'), ('fval', '<f8')], 'fortran_order': False, 'shape': (%d,), }"
)


class HftBacktestWriter:
    """Gathers the events of one symbol in memory (56 bytes a row), and writes them in the order that hftbacktest wants:
    by the venue's time for what happens there, by arrival for what is seen here; a row that can't be in both orders
    stands twice.

    Attributes:
        rows: Rows so far, before any stands twice.
    """

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._flags = array("Q")
        self._at_exchange = array("q")
        self._at_us = array("q")
        self._prices = array("d")
        self._quantities = array("d")

    @property
    def rows(self) -> int:
        return len(self._flags)

    def add(self, event: Event) -> None:
        """Take one event: trades and books of its symbol, the rest is passed over. Where both trades and aggregated
        trades are there, take one of them: hand in only that."""
        if event.symbol != self._symbol or event.recovered:
            return
        match event:
            case Trade() | AggTrade():
                self._row(
                    event, TRADE | (SELL if event.buyer_is_maker else BUY), float(event.price), float(event.quantity)
                )
            case BookSnapshot():
                self._levels(event, DEPTH_SNAPSHOT)
            case BookDelta():
                self._levels(event, DEPTH)

    def _levels(self, event: BookLevels, kind: int) -> None:
        for side, levels in ((BUY, event.bid_text), (SELL, event.ask_text)):
            if kind == DEPTH_SNAPSHOT and levels:
                self._row(event, DEPTH_CLEAR | side, float(levels[-1][0]), 0.0)
            for price, quantity in levels:
                self._row(event, kind | side, float(price), float(quantity))

    def _row(self, event: Event, flags: int, price: float, quantity: float) -> None:
        self._flags.append(flags)
        self._at_exchange.append(event.venue_time_ms * 1_000_000)
        self._at_us.append(event.received_ns)
        self._prices.append(price)
        self._quantities.append(quantity)

    def write(self, path: Path | str) -> int:
        """Write the file; gives its number of rows.

        Where our clock was behind the venue's, all arrivals are moved by the same, so that nothing arrives before it
        was sent: hftbacktest takes a negative latency for an error.

        Raises:
            BadInput: There is nothing to write.
            OSError: It can't be written.
        """
        if not self.rows:
            raise BadInput(f"no trade and no book of {self._symbol} in it", code="NOTHING_TO_EXPORT")
        shift = max(0, max(there - here for there, here in zip(self._at_exchange, self._at_us, strict=True)))
        packed = [
            _ROW.pack(flags | self._flags[at], self._at_exchange[at], self._at_us[at] + shift, self._prices[at],
                      self._quantities[at], 0, 0, 0.0)
            for at, flags in self._ordered()
        ]  # fmt: skip
        head = (_HEAD % len(packed)).encode()
        room = -(len(head) + 11) % 64  # the rows begin at a multiple of 64 bytes
        head += b" " * room + b"\n"
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
            file.open("data.npy", "w", force_zip64=True) as one,
        ):
            one.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head)
            for start in range(0, len(packed), 10_000):
                one.write(b"".join(packed[start : start + 10_000]))
        return len(packed)

    def _ordered(self) -> Iterator[tuple[int, int]]:
        """Which row comes next, and whether it happens at the venue, is seen here, or both."""
        there = sorted(range(self.rows), key=self._at_exchange.__getitem__)
        here = sorted(range(self.rows), key=self._at_us.__getitem__)
        told: set[int] = set()
        seen = 0
        for at in there:
            while seen < len(here) and here[seen] in told:
                told.discard(here[seen])
                yield here[seen], AT_US
                seen += 1
            if seen < len(here) and here[seen] == at:
                yield at, AT_EXCHANGE | AT_US
                seen += 1
            else:
                told.add(at)
                yield at, AT_EXCHANGE
        for at in here[seen:]:
            yield at, AT_US

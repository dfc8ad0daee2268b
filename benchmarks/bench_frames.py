"""CPU per frame, from bytes to the user's handler, on recorded Binance frames; beside the bare parts in the same run.

    python benchmarks/bench_frames.py [RECORDING]

Rows are medians of interleaved rounds, in microseconds of CPU per frame; the last column is the ratio to the bare
decoder of the same kind of frame (msgspec into a struct with Decimals). Sockets are not measured here.
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from perpwire.api_connector.frame_path import FramePath
from perpwire.clock import SystemClock
from perpwire.data_processor.order_book import OrderBook
from perpwire.model.market import BookDelta, Event
from perpwire.venues import load

ROUNDS = 7
FRAMES = 2000
DEFAULT = Path(__file__).resolve().parents[2] / "shared/fixtures/binance/raw/btcusdt_20240808_first150s.txt.gz"


class Ticker(msgspec.Struct):
    u: int
    b: Decimal
    B: Decimal
    a: Decimal
    A: Decimal


class Print(msgspec.Struct):
    t: int
    p: Decimal
    q: Decimal
    m: bool


class Diff(msgspec.Struct):
    u: int
    b: list[tuple[Decimal, Decimal]]
    a: list[tuple[Decimal, Decimal]]


class TickerEnvelope(msgspec.Struct):
    data: Ticker


class PrintEnvelope(msgspec.Struct):
    data: Print


class DiffEnvelope(msgspec.Struct):
    data: Diff


BARE = {"bookTicker": TickerEnvelope, "trade": PrintEnvelope, "depth@0ms": DiffEnvelope}


def frames_of(recording: Path) -> dict[str, list[bytes]]:
    by_stream: dict[str, list[bytes]] = defaultdict(list)
    with gzip.open(recording, "rb") as lines:
        for line in lines:
            frame = line.rstrip(b"\n").split(b" ", 1)[1]
            if frame.startswith(b'{"stream":"btcusdt@'):
                stream = frame[19 : frame.index(b'"', 19)].decode()
                if len(by_stream[stream]) < FRAMES:
                    by_stream[stream].append(frame)
    return by_stream


def cpu_us(work: Callable[[bytes], object], frames: list[bytes]) -> float:
    began = time.process_time_ns()
    for frame in frames:
        work(frame)
    return (time.process_time_ns() - began) / 1e3 / len(frames)


def whole_path(handler: Callable[[Event], None]) -> Callable[[bytes], object]:
    clock = SystemClock()
    path = FramePath(clock, print)
    path.on(Event, handler)
    session = load("binance").session("public")
    return lambda frame: path.on_frame(session, "binance/public", frame, clock.time_ns())


def main() -> None:
    recording = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    if not recording.is_file():
        print(f"no recording at {recording}: nothing measured")
        return
    book = OrderBook()

    def keep(event: Event) -> None:
        if isinstance(event, BookDelta):
            book.apply(event.bid_text, event.ask_text)

    print(f"{'stream':12} {'what':34} {'us/frame':>9} {'ratio':>6}")
    for stream, frames in frames_of(recording).items():
        rows: dict[str, Callable[[bytes], object]] = {
            "bare msgspec, Decimal": msgspec.json.Decoder(BARE[stream]).decode,
            "json.loads, dict of str": json.loads,
            "perpwire, to the handler": whole_path(lambda event: None),
        }
        if stream.startswith("depth"):
            rows["perpwire, to the handler, and book"] = whole_path(keep)
        measured: dict[str, list[float]] = defaultdict(list)
        for _ in range(ROUNDS):
            for name, work in rows.items():
                measured[name].append(cpu_us(work, frames))
        floor = statistics.median(measured["bare msgspec, Decimal"])
        for name, figures in measured.items():
            median = statistics.median(figures)
            print(f"{stream:12} {name:34} {median:9.2f} {median / floor:6.2f}")


if __name__ == "__main__":
    main()

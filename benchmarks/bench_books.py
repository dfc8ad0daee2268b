"""CPU of a local book per recorded Binance diff: decoded, applied, best bid and ask read; beside others in one run.

    python benchmarks/bench_books.py [RECORDING]

Each client goes through the same diffs, all in turn, several times over: median and range of the CPU time per diff.
Sockets are left out for all alike. Peers that are not installed are left out and named.
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from perpwire.api_connector.frame_path import FramePath
from perpwire.clock import SystemClock
from perpwire.data_processor.book_sync import BookSync
from perpwire.model.market import BookDelta, BookSnapshot
from perpwire.venues import load

ROUNDS = 5
DEFAULT = Path(__file__).resolve().parents[2] / "shared/fixtures/binance/raw/btcusdt_20240808_first150s.txt.gz"

Run = Callable[[list[bytes], dict[str, Any]], object]
"""Goes through all diffs, and gives the last best bid and ask."""


class FloatDiff(msgspec.Struct):
    b: list[tuple[float, float]]
    a: list[tuple[float, float]]


class FloatFrame(msgspec.Struct):
    data: FloatDiff


class DecimalDiff(msgspec.Struct):
    b: list[tuple[Decimal, Decimal]]
    a: list[tuple[Decimal, Decimal]]


class DecimalFrame(msgspec.Struct):
    data: DecimalDiff


def bare(frame_type: Any, number: Callable[[str], Any]) -> Run:
    """msgspec, a dict and a sorted list: nothing is checked."""

    def run(frames: list[bytes], snapshot: dict[str, Any]) -> object:
        decode = msgspec.json.Decoder(frame_type, strict=False).decode
        bids, asks = (
            {number(price): number(quantity) for price, quantity in snapshot[side]} for side in ("bids", "asks")
        )
        bid_prices, ask_prices = sorted(bids), sorted(asks)
        for frame in frames:
            data = decode(frame).data
            for levels, prices, changes in ((bids, bid_prices, data.b), (asks, ask_prices, data.a)):
                for price, quantity in changes:
                    if quantity:
                        if price not in levels:
                            prices.insert(bisect_left(prices, price), price)
                        levels[price] = quantity
                    elif price in levels:
                        del levels[price]
                        del prices[bisect_left(prices, price)]
            best = bid_prices[-1], ask_prices[0]
        return best

    return run


class Feed:
    """Whose frames they are; see FramePath."""

    name, is_over = "binance/public", False

    def __init__(self) -> None:
        self.decoder = load("binance").session("public")

    def on_no_data(self, frame: bytes) -> None:
        raise AssertionError(frame)

    on_unreadable = on_no_data


def perpwire(frames: list[bytes], snapshot: dict[str, Any]) -> object:
    """From frame to the user's handler, through gap checks, with best prices read as Decimals."""
    clock = SystemClock()
    path = FramePath(clock, print)
    venue = load("binance")
    feed = Feed()
    sync = BookSync("BTCUSDT", venue.book_rule, renew=lambda: None, changed=lambda ok, why: None, limit=1000)
    path.on(BookDelta, sync.on_delta, "BTCUSDT")
    sync.start()
    bids, asks = (tuple((price, quantity) for price, quantity in snapshot[side]) for side in ("bids", "asks"))
    sync.on_snapshot(BookSnapshot(bid_text=bids, ask_text=asks, update_id=snapshot["lastUpdateId"]))
    book = sync.book
    for frame in frames:
        path.on_frames(feed, (frame,), clock.time_ns())
        if book.is_in_sync:
            best = book.best_bid, book.best_ask
    return tuple(float(side[0]) for side in best if side is not None)


def python_binance(frames: list[bytes], snapshot: dict[str, Any]) -> object:
    """json and DepthCache, as its managers use them; unsorted, so no best price is read."""
    from binance.ws.depthcache import DepthCache

    cache = DepthCache("BTCUSDT")
    for frame in frames:
        data = json.loads(frame)["data"]
        for bid in data["b"]:
            cache.add_bid(bid)
        for ask in data["a"]:
            cache.add_ask(ask)
    return "unsorted"


def ccxt_pro(frames: list[bytes], snapshot: dict[str, Any]) -> object:
    """orjson or json, and handle_order_book_message on its own order book of 1,000 levels."""
    import ccxt.pro

    exchange: Any = ccxt.pro.binanceusdm()
    decode: Callable[[bytes], Any]
    try:
        import orjson

        decode = orjson.loads
    except ImportError:
        decode = json.loads
    book = exchange.order_book({}, 1000)
    start = exchange.parse_order_book(snapshot, "BTC/USDT:USDT", None, "bids", "asks")
    book.reset(start)
    for frame in frames:
        exchange.handle_order_book_message(None, decode(frame)["data"], book)
        best = book["bids"][0][0], book["asks"][0][0]
    return best


def main() -> None:
    recording = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    if not recording.is_file():
        print(f"no recording at {recording}: nothing measured")
        return
    frames: list[bytes] = []
    snapshot: dict[str, Any] = {}
    with gzip.open(recording, "rb") as lines:
        for line in lines:
            frame = line.rstrip(b"\n").split(b" ", 1)[1]
            if b"@depth" in frame[:60]:
                frames.append(frame)
            elif b'"lastUpdateId"' in frame:
                snapshot = json.loads(frame)
    clients: dict[str, Run] = {
        "floor: msgspec, float, dict and list": bare(FloatFrame, float),
        "floor: the same with Decimal": bare(DecimalFrame, Decimal),
        "perpwire, to the handler, checked": perpwire,
        "python-binance DepthCache": python_binance,
        "ccxt.pro order book": ccxt_pro,
    }
    figures: dict[str, list[float]] = defaultdict(list)
    last: dict[str, object] = {}
    for _ in range(ROUNDS):
        for name, run in tuple(clients.items()):
            began = time.process_time_ns()
            try:
                last[name] = run(frames, snapshot)
            except ImportError as error:
                print(f"{name} is left out: {error}")
                del clients[name]
                continue
            figures[name].append((time.process_time_ns() - began) / 1e3 / len(frames))
    floor = statistics.median(next(iter(figures.values())))
    print(f"{len(frames)} diffs\n")
    print("| client | CPU us a diff (range) | of the float floor | best at the end |\n|---|---|---|---|")
    for name, times in figures.items():
        median = statistics.median(times)
        print(f"| {name} | {median:.1f} ({min(times):.1f}..{max(times):.1f}) | {median / floor:.2f} | {last[name]} |")


if __name__ == "__main__":
    main()

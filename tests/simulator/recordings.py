"""Small recordings, in the format that replay.py reads."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

BEGAN_NS = 1_700_000_000_000_000_000

Levels = list[tuple[str, str]]


class Recording:
    """Lines of a file to be. Times are in seconds from its beginning."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def _add(self, at_s: float, message: Any) -> None:
        text = json.dumps(message, separators=(",", ":"))
        self.lines.append(f"{BEGAN_NS + round(at_s * 1e9)} {text}\n")

    def snapshot(self, at_s: float, last_update_id: int, bids: Levels, asks: Levels) -> None:
        self._add(at_s, {"lastUpdateId": last_update_id, "E": 1, "T": 1, "bids": bids, "asks": asks})

    def frame(self, at_s: float, stream: str, data: Any) -> None:
        self._add(at_s, {"stream": stream, "data": data})

    def diff(self, at_s: float, first: int, last: int, bids: Levels, asks: Levels) -> None:
        data = {"e": "depthUpdate", "E": 1, "T": 1, "s": "BTCUSDT", "U": first, "u": last, "pu": first - 1}
        self.frame(at_s, "btcusdt@depth@0ms", {**data, "b": bids, "a": asks})

    def trade(self, at_s: float, price: str, quantity: str, buyer_is_maker: bool, kind: str = "MARKET") -> None:
        data = {"e": "trade", "s": "BTCUSDT", "t": 1, "p": price, "q": quantity, "X": kind, "m": buyer_is_maker}
        self.frame(at_s, "btcusdt@trade", data)

    def ticker(self, at_s: float) -> None:
        self.frame(at_s, "btcusdt@bookTicker", {"e": "bookTicker", "s": "BTCUSDT"})

    def write(self, folder: Path, *, zipped: bool = False) -> Path:
        path = folder / ("recording.txt.gz" if zipped else "recording.txt")
        text = "".join(self.lines).encode()
        path.write_bytes(gzip.compress(text) if zipped else text)
        return path


def common() -> Recording:
    """Bids 100 (5) and 99 (7), asks 101 (5) and 102 (7), update id 10."""
    recording = Recording()
    recording.ticker(0.0)
    recording.snapshot(0.1, 10, [("100.00", "5"), ("99.00", "7")], [("101.00", "5"), ("102.00", "7")])
    return recording

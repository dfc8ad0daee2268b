"""The venue of bench_frames.py: acknowledges subscriptions, then says prepared frames, so many in one write, at a pace.

    python benchmarks/frame_server.py COUNT BURST [RECORDING]

BURST frames are written at once, and the next ones PAUSE_S for each of them later, by which time every client has
handled them: so each client reads the same frames together, whatever its speed.

Prices and quantities are those of the recording (best prices and trades) and of its REST book (20 levels a side); ids
count up. Without a recording they are made up. A process of its own: its CPU is not counted. Prints its port; ends when
its input does.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import picows

KINDS = ("top of book", "trades", "depth 20")
DEFAULT = Path(__file__).resolve().parents[2] / "shared/fixtures/binance/raw/btcusdt_20240808_first150s.txt.gz"
MS = 1_790_000_000_000
PAUSE_S = 0.0002
"""A fifth of a millisecond for each frame: slower than the slowest client."""

BACKLOG, BACKLOG_PAUSE_S = 1024, 0.00001
"""So many at once are a backlog, which does not come at a pace; still each is read to its end before the next comes."""


def kind_of(topic: str) -> str | None:
    if "@bookTicker" in topic or topic.startswith("orderbook.1."):
        return "top of book"
    if "rade" in topic:
        return "trades"
    return "depth 20" if "@depth20" in topic or topic.startswith("orderbook.50.") else None


class Market:
    """What the frames are made of."""

    def __init__(self, recording: Path) -> None:
        self.tickers = [{"b": "61800.20", "B": "2.507", "a": "61800.30", "A": "2.510"}]
        self.trades = [{"p": "61800.30", "q": "0.006", "m": False}]
        self.bids = [[f"{61800 - step / 10:.2f}", f"{step / 7 + 0.1:.3f}"] for step in range(20)]
        self.asks = [[f"{61801 + step / 10:.2f}", f"{step / 7 + 0.1:.3f}"] for step in range(20)]
        if not recording.is_file():
            return
        with gzip.open(recording, "rb") as lines:
            frames = [json.loads(line.split(b" ", 1)[1]) for line in lines]
        said = [frame["data"] for frame in frames if "data" in frame]
        self.tickers = [one for one in said if one["e"] == "bookTicker"]
        self.trades = [one for one in said if one["e"] == "trade"]
        book = next(frame for frame in frames if "lastUpdateId" in frame)
        self.bids, self.asks = book["bids"][:20], book["asks"][:20]

    def binance(self, topic: str, kind: str) -> Iterator[dict[str, Any]]:
        for n, ticker, trade in zip(itertools.count(1), itertools.cycle(self.tickers), itertools.cycle(self.trades)):
            data: dict[str, Any]
            if kind == "top of book":
                top = {side: ticker[side] for side in "bBaA"}
                data = {"e": "bookTicker", "u": n, "s": "BTCUSDT", **top, "T": MS + n, "E": MS + n}
            elif kind == "trades" and "@aggTrade" in topic:
                numbers = {"p": trade["p"], "q": trade["q"], "nq": trade["q"], "f": n, "l": n}
                data = {"e": "aggTrade", "E": MS + n, "s": "BTCUSDT", "a": n, **numbers, "T": MS + n, "m": trade["m"]}
            elif kind == "trades":
                numbers = {"p": trade["p"], "q": trade["q"]}
                data = {"e": "trade", "E": MS + n, "T": MS + n, "s": "BTCUSDT", "t": n, **numbers, "X": "MARKET"}
                data["m"] = trade["m"]
            else:
                data = {"e": "depthUpdate", "E": MS + n, "T": MS + n, "s": "BTCUSDT", "U": n, "u": n, "pu": n - 1}
                data |= {"b": self.bids, "a": self.asks}
            yield {"stream": topic, "data": data}

    def bybit(self, topic: str, kind: str) -> Iterator[dict[str, Any]]:
        for n, ticker, trade in zip(itertools.count(1), itertools.cycle(self.tickers), itertools.cycle(self.trades)):
            if kind == "trades":
                row = {"T": MS + n, "s": "BTCUSDT", "S": "Sell" if trade["m"] else "Buy", "v": trade["q"]}
                row |= {"p": trade["p"], "L": "PlusTick", "i": f"20f43950-d8dd-5b31-9112-{n:012d}", "BT": False}
                yield {"topic": topic, "type": "snapshot", "ts": MS + n, "data": [row | {"RPI": False, "seq": n}]}
                continue
            data: dict[str, Any] = {"s": "BTCUSDT", "b": self.bids, "a": self.asks, "u": n, "seq": n}
            if kind == "top of book":
                data |= {"b": [[ticker["b"], ticker["B"]]], "a": [[ticker["a"], ticker["A"]]]}
            first = n == 1 or kind == "top of book"
            kind_word = "snapshot" if first else "delta"
            yield {"topic": topic, "type": kind_word, "ts": MS + n, "data": data, "cts": MS + n}

    def frames(self, topic: str, count: int) -> list[bytes]:
        kind = kind_of(topic)
        make: Callable[[str, str], Iterator[dict[str, Any]]] = self.binance if "@" in topic else self.bybit
        if kind is None:
            return []
        return [json.dumps(one, separators=(",", ":")).encode() for one in itertools.islice(make(topic, kind), count)]


def framed(payload: bytes) -> bytes:
    """As one unmasked text frame."""
    size = len(payload)
    head = b"\x81" + (bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2, "big"))
    return head + payload


def write_all(descriptor: int, data: bytes) -> None:
    """Past the event loop, which would put pieces together."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            time.sleep(0.0001)


class Peer(picows.WSListener):
    def __init__(self, path: str, frames: Callable[[str], list[bytes]], burst: int) -> None:
        super().__init__()
        self._burst = burst
        self._path = path
        self._frames = frames
        self._said: set[str] = set()
        self._telling: set[asyncio.Task[None]] = set()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        for topic in self._path.partition("streams=")[2].split("/"):
            self._tell(transport, topic)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.disconnect()
            return
        if frame.msg_type == picows.WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
            return
        if frame.msg_type != picows.WSMsgType.TEXT:
            return
        asked = json.loads(frame.get_payload_as_bytes())
        if "method" in asked:
            answer = {"result": None, "id": asked["id"]}
        else:
            answer = {"success": True, "ret_msg": "pong" if asked["op"] == "ping" else "", "conn_id": "c"}
            answer |= {"req_id": asked.get("req_id", ""), "op": asked["op"]}
        transport.send(picows.WSMsgType.TEXT, json.dumps(answer).encode())
        if "subscribe" in (str(asked.get("method")).lower(), asked.get("op")):
            for topic in asked.get("params") or asked.get("args") or ():
                self._tell(transport, topic)

    def _tell(self, transport: picows.WSTransport, topic: str) -> None:
        if kind_of(topic) is not None and topic not in self._said:
            self._said.add(topic)
            self._telling.add(asyncio.ensure_future(self._say(transport, self._frames(topic))))

    async def _say(self, transport: picows.WSTransport, frames: list[bytes]) -> None:
        """Once the answer has surely been read: some clients take what comes with it for part of it. The pace is kept
        by looking at the clock all the time: this core has nothing else to do, and a sleep is too coarse."""
        await asyncio.sleep(0.3)
        due_s = time.perf_counter()
        pause_s = PAUSE_S if self._burst < BACKLOG else BACKLOG_PAUSE_S
        for at in range(0, len(frames), self._burst):
            burst = frames[at : at + self._burst]
            while time.perf_counter() < due_s:
                pass
            due_s = time.perf_counter() + pause_s * len(burst)
            write_all(transport.underlying_transport.get_extra_info("socket").fileno(), b"".join(map(framed, burst)))
            if at // self._burst % 16 == 0:
                await asyncio.sleep(0)  # pings are answered
            if transport.is_disconnected:
                return


async def main() -> None:
    logging.getLogger("picows").setLevel(logging.ERROR)
    count = int(sys.argv[1])
    burst = int(sys.argv[2])
    market = Market(Path(sys.argv[3]) if len(sys.argv) > 3 else DEFAULT)
    made: dict[str, list[bytes]] = {}

    def frames(topic: str) -> list[bytes]:
        if topic not in made:
            made[topic] = market.frames(topic, count)
        return made[topic]

    def accept(request: picows.WSUpgradeRequest) -> picows.WSListener:
        return Peer(request.path.decode(), frames, burst)

    server = await picows.ws_create_server(accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())

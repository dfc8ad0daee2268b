"""CPU per frame, from the socket to the user's handler, beside bare parts and other clients in the same run.

    python benchmarks/bench_frames.py [--frames 20000] [--repeat 5] [--only NAME ...] [--json FILE]
        [--cryptofeed PYTHON]

Each figure is user and system time (getrusage) of a fresh process per frame, after its first tenth; all in turn,
several times over: the median, and the range. Loopback without TLS; the server (frame_server.py) is a process of its
own on another core. Frames come one at a time, as ticks do, so that each wakes its client and is read by itself; 64
at a time, read together, which are dearer for every client than they would be without a pause before them; and 1024
at a time, a backlog, which comes nearest to what a frame itself costs. Every client is done before more come, so that
all read the same pieces; in a backlog, clients slower than the bare parts and perpwire may read larger ones. perpwire
runs as its user has it: topics watched, gaps looked for, latency measured, a recorder's tap in place, exact numbers.
bench_books.py has the local book.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

GOALS = {"top of book": ("picows + msgspec Decimal", 2.0), "trades": ("picows + msgspec Decimal", 2.0),
         "depth 20": ("picows + msgspec float", 2.0)}  # fmt: skip
"""Kind -> the floor, and how much of it perpwire may cost. Depth is exact and held against floats."""

TOPICS = {
    ("binance", "top of book"): "btcusdt@bookTicker",
    ("binance", "trades"): "btcusdt@aggTrade",
    ("binance", "depth 20"): "btcusdt@depth20@100ms",
    ("bybit", "top of book"): "orderbook.1.BTCUSDT",
    ("bybit", "trades"): "publicTrade.BTCUSDT",
    ("bybit", "depth 20"): "orderbook.50.BTCUSDT",
}


class Count:
    """Called with each frame's event: CPU from the first tenth to the last."""

    def __init__(self, frames: int) -> None:
        self._first, self._last = frames // 10, frames
        self._began = 0.0
        self.seen = 0
        self.done: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def __call__(self, event: object, frames: int = 1) -> None:
        self.seen += frames
        if self.seen >= self._first and not self._began:
            self._first, self._began = self.seen, cpu_s()
        if self.seen >= self._last and not self.done.done():
            self.done.set_result((cpu_s() - self._began) / (self.seen - self._first) * 1e6)


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# --- floors -----------------------------------------------------------------------------------------------------------


def struct_of(venue: str, kind: str, number: type) -> Any:
    """Only what a user of this kind of frame needs; skipping the rest costs the decoder little."""
    level = tuple[number, number]  # type: ignore[valid-type]
    one: list[tuple[str, Any]]
    if kind == "depth 20" or (venue == "bybit" and kind == "top of book"):
        one = [("u", int), ("b", list[level]), ("a", list[level])]
    elif kind == "top of book":
        one = [("s", str), ("u", int), ("b", number), ("B", number), ("a", number), ("A", number), ("T", int)]
    elif venue == "binance":
        one = [("s", str), ("a", int), ("p", number), ("q", number), ("m", bool), ("T", int)]
    else:
        one = [("s", str), ("i", str), ("p", number), ("v", number), ("S", str), ("T", int)]
    data: Any = msgspec.defstruct("Data", one)
    return msgspec.defstruct("Frame", [("data", list[data] if (venue, kind) == ("bybit", "trades") else data)])


def bare(number: type | None) -> Client:
    async def run(venue: str, kind: str, port: int, frames: int) -> float:
        import picows

        count = Count(frames)
        read: Callable[[bytes], Any] = bytes
        if number is not None:
            read = msgspec.json.Decoder(struct_of(venue, kind, number), strict=False).decode
        acknowledged = False

        class Listener(picows.WSListener):
            def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
                nonlocal acknowledged
                if acknowledged:
                    count(read(frame.get_payload_as_bytes()))
                acknowledged = True

        transport, _ = await picows.ws_connect(Listener, f"ws://127.0.0.1:{port}/")
        topics = [TOPICS[venue, kind]]
        asked = {"method": "SUBSCRIBE", "params": topics, "id": 1}
        if venue == "bybit":
            asked = {"op": "subscribe", "args": topics, "req_id": "1"}
        transport.send(picows.WSMsgType.TEXT, json.dumps(asked).encode())
        return await count.done

    return run


# --- perpwire ---------------------------------------------------------------------------------------------------------


def read(book: Any) -> None:
    assert len(book.bids) == len(book.asks)


async def perpwire(
    venue: str, kind: str, port: int, frames: int, *, reads: bool = False, observed: bool = False
) -> float:
    """What it asks over REST (time and contracts) order_server.py answers."""
    from perpwire.api_connector.venue_connector import VenueConnector
    from perpwire.model.incident import StreamLagging
    from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Trade
    from perpwire.venues import load
    from perpwire.venues.base import Hosts

    asked: Any = {"top of book": BookTicker, "trades": Trade, "depth 20": BookSnapshot}[kind]
    hosts = Hosts(rest=json.loads(os.environ["BENCH_REST"])[venue], streams=f"ws://127.0.0.1:{port}")
    connector = VenueConnector(load(venue), hosts=hosts)
    heard: list[Any] = []
    connector.on_incident(heard.append)
    connector.streams.frames.tap = lambda connection, frame, received_ns: None
    if observed:
        observe(connector)
    async with connector:
        count = Count(frames)
        if reads:
            connector.on(BookSnapshot, read)
            connector.on(BookDelta, read)
        connector.on(asked, count)
        if (venue, kind) == ("bybit", "depth 20"):  # a snapshot, and changes of 20 levels a side from then on
            connector.on(BookDelta, count)
        await connector.subscribe([asked], ["BTCUSDT"], levels=20 if kind == "depth 20" else None)
        cost = await count.done
        # The prepared frames' times are long past.
        assert all(isinstance(one, StreamLagging) for one in heard), heard
        return cost


def observe(connector: Any) -> None:
    """As `perpwire serve` does: metrics for all that there is, incidents and all else logged as JSON."""
    from perpwire import logs
    from perpwire.clock import SystemClock
    from perpwire.monitoring.observer import Observer

    logs.set_up(format="json", file=Path(tempfile.mkdtemp()) / "perpwire.log")
    connector.on_incident(logs.IncidentLog())
    observer = Observer(SystemClock())
    observer.add(connector)
    observer.start()


async def perpwire_observed(venue: str, kind: str, port: int, frames: int) -> float:
    return await perpwire(venue, kind, port, frames, observed=True)


async def perpwire_read(venue: str, kind: str, port: int, frames: int) -> float:
    """A book's Decimals are made when they are read: here all of them are."""
    return await perpwire(venue, kind, port, frames, reads=True)


# --- other clients ----------------------------------------------------------------------------------------------------


def module(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


async def python_binance(venue: str, kind: str, port: int, frames: int) -> float:
    """Its queue holds 100 frames unless told otherwise, and fails when they are more."""
    binance = module("binance")
    manager = binance.BinanceSocketManager(binance.AsyncClient("", ""), max_queue_size=10**7)
    manager.FSTREAM_URL = f"ws://127.0.0.1:{port}/"
    count = Count(frames)
    async with manager.futures_multiplex_socket([TOPICS[venue, kind]]) as stream:
        while not count.done.done():
            count(await stream.recv())
    return count.done.result()


async def ccxt(venue: str, kind: str, port: int, frames: int) -> float:
    """Frames are counted where it handles them; a loop of watch_* takes what it has made of them."""
    kinds = {"binance": "binanceusdm", "bybit": "bybit"}
    client = getattr(module("ccxt.pro"), kinds[venue])({"enableRateLimit": False, "options": {"defaultType": "swap"}})
    client.urls["api"] = moved(client.urls["api"], f"ws://127.0.0.1:{port}")
    market: dict[str, Any] = {
        "id": "BTCUSDT",
        "lowercaseId": "btcusdt",
        "symbol": "BTC/USDT:USDT",
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT",
    }
    market |= {"type": "swap", "swap": True, "contract": True, "linear": True, "inverse": False, "spot": False}
    market |= {"option": False, "future": False, "active": True, "contractSize": 1.0}
    market |= {"precision": {"price": 0.1, "amount": 0.001}}
    client.set_markets([client.safe_market_structure(market)])
    count = Count(frames)
    handled = client.handle_message

    def handle(*arguments: Any) -> None:
        handled(*arguments)
        if kind_of_message(arguments[-1]):
            count(None)

    client.handle_message = handle

    async def watch() -> None:
        while True:
            if kind == "trades":
                await client.watch_trades("BTC/USDT:USDT")
            else:
                await client.watch_bids_asks(["BTC/USDT:USDT"])

    watching = asyncio.ensure_future(watch())
    await asyncio.wait((count.done, watching), return_when=asyncio.FIRST_COMPLETED)
    if watching.done():
        watching.result()
    return count.done.result()


async def cryptofeed(venue: str, kind: str, port: int, frames: int) -> float:
    """As its FeedHandler runs it, in the loop it prefers (uvloop). order_server.py tells it the contracts; no file
    is written. It takes only wss:// addresses: TLS is left out where it connects."""
    connection, exchanges = module("cryptofeed.connection"), module("cryptofeed.exchanges")
    feed = exchanges.EXCHANGE_MAP["BINANCE_FUTURES" if venue == "binance" else "BYBIT"]
    rest, connect = json.loads(os.environ["BENCH_REST"])[venue], connection.connect
    connection.connect = lambda url, **options: connect(url.replace("wss://", "ws://"), **options)
    for endpoint in feed.websocket_endpoints:
        endpoint.address = moved(endpoint.address, f"wss://127.0.0.1:{port}")
    feed.rest_endpoints[0].address = rest
    feed._write_symbol_cache = lambda symbols, about: None
    count = Count(frames)

    async def heard(event: object, received_s: float) -> None:
        count(event)

    channel = "trades" if kind == "trades" else "ticker"
    handler = module("cryptofeed").FeedHandler(config={"log": {"disabled": True}})
    handler.add_feed(feed(symbols=["BTC-USDT-PERP"], channels=[channel], callbacks={channel: heard}))
    running = asyncio.ensure_future(handler.run_async(install_signal_handlers=False))
    await asyncio.wait((count.done, running), return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    return count.done.result()


def kind_of_message(message: Any) -> bool:
    return isinstance(message, dict) and ("data" in message or "e" in message)


def moved(address: Any, url: str) -> Any:
    if isinstance(address, dict):
        return {name: moved(one, url) for name, one in address.items()}
    if not isinstance(address, str) or not address.startswith("wss://"):
        return address
    _, slash, path = address.removeprefix("wss://").partition("/")
    return url + slash + path


Client = Callable[[str, str, int, int], Coroutine[Any, Any, float]]

CLIENTS: dict[str, Client] = {
    "picows, no decode": bare(None),
    "picows + msgspec float": bare(float),
    "picows + msgspec Decimal": bare(Decimal),
    "perpwire": perpwire,
    "perpwire, observed and logged": perpwire_observed,
    "perpwire, all Decimals read": perpwire_read,
    "python-binance": python_binance,
    "ccxt": ccxt,
    "cryptofeed": cryptofeed,
}


PEERS = ("python-binance", "ccxt", "cryptofeed")
"""Clients that need not be installed, by the names of their distributions."""

PYTHONS: dict[str, str] = {}
"""Client -> the interpreter that runs it, if not this one."""


def version_of(name: str) -> str | None:
    """Of the client and the interpreter that has it; None where it is not installed."""
    asked = "import importlib.metadata as m, platform as p; "
    asked += f"print(m.version({name!r}), 'on Python', p.python_version())"
    try:
        done = subprocess.run(
            [PYTHONS.get(name, sys.executable), "-c", asked], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return None if done.returncode else done.stdout.strip()


def lacks(venue: str, kind: str, name: str) -> bool:
    """python-binance knows Binance alone; ccxt and cryptofeed have no book of 20 levels as it comes; cryptofeed takes
    Bybit's best prices from another stream (tickers)."""
    if name == "perpwire, all Decimals read":  # those of ticks always are
        return kind != "depth 20"
    if name == "cryptofeed":
        return kind == "depth 20" or (venue, kind) == ("bybit", "top of book")
    return (name == "python-binance" and venue != "binance") or (name == "ccxt" and kind == "depth 20")


# --- the run ----------------------------------------------------------------------------------------------------------


def finish(cost: float) -> None:
    """Print the figure and end at once: closing some clients takes seconds, which nobody measures."""
    print(json.dumps(cost), flush=True)
    os._exit(0)


def pin(process: int, core: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(process, {cores[core % len(cores)]})


@contextmanager
def server(script: str, *arguments: str) -> Iterator[str]:
    """A server in a process of its own, as long as it is needed: the first line it prints."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        try:
            pin(one.pid, 1)
            yield one.stdout.readline()
        finally:
            one.stdin.close()


def run_one(venue: str, kind: str, name: str, port: int, frames: int) -> float | None:
    command = [PYTHONS.get(name, sys.executable), __file__, "--client", f"{venue}/{kind}/{name}", "--port", str(port)]
    command += ["--frames", str(frames)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        print(f"{venue} {kind} {name}: not done within 60 s", file=sys.stderr)
        return None
    if done.returncode or not done.stdout.strip():
        print(f"{venue} {kind} {name}: {(done.stderr.strip() or 'no figure')[-600:]}", file=sys.stderr)
        return None
    return float(json.loads(done.stdout.splitlines()[-1]))


def measure(ports: dict[int, int], frames: int, repeat: int, only: list[str]) -> list[dict[str, Any]]:
    wanted = [
        (burst, venue, kind, name)
        for burst in ports
        for venue, kind in TOPICS
        for name in CLIENTS
        if not lacks(venue, kind, name) and (not only or any(text in f"{venue}/{kind}/{name}" for text in only))
    ]
    taken: dict[tuple[int, str, str, str], list[float]] = {one: [] for one in wanted}
    for _ in range(repeat):
        for one in wanted:
            cost = run_one(*one[1:], ports[one[0]], frames)
            if cost is not None:
                taken[one].append(cost)
    rows = []
    for (burst, venue, kind, name), costs in taken.items():
        if not costs:
            continue
        floor = taken.get((burst, venue, kind, GOALS[kind][0]))
        median = statistics.median(costs)
        row = {"at_once": burst, "venue": venue, "kind": kind, "client": name, "cpu_us": round(median, 2)}
        row |= {"least_us": round(min(costs), 2), "most_us": round(max(costs), 2)}
        rows.append(row | {"of_floor": round(median / statistics.median(floor), 2) if floor else None})
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| frames at once | venue | frame | client | CPU us a frame (range) | of the floor |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['at_once']} | {row['venue']} | {row['kind']} | {row['client']} | {row['cpu_us']:.2f} "
        f"({row['least_us']:.2f}..{row['most_us']:.2f}) | {row['of_floor'] or ''} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--frames", type=int, default=20_000, help="frames of each process")
    asked.add_argument("--repeat", type=int, default=5, help="fresh processes of each client")
    asked.add_argument(
        "--at-once", nargs="*", type=int, default=[1, 64, 1024], help="frames in one write of the server"
    )
    asked.add_argument("--only", nargs="*", default=[], help="parts of venue/frame/client, such as bybit/trades")
    asked.add_argument("--json", type=Path, help='write the figures into this file; "-": print them')
    asked.add_argument(
        "--cryptofeed",
        metavar="PYTHON",
        default=sys.executable,
        help="an interpreter that has cryptofeed, such as one of a venv of its own (3.x needs 3.13)",
    )
    asked.add_argument("--client", help=argparse.SUPPRESS)
    asked.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.client:
        pin(0, 0)
        venue, kind, name = options.client.split("/")

        async def one() -> None:
            finish(await CLIENTS[name](venue, kind, options.port, options.frames))

        loop = module("uvloop").new_event_loop if name == "cryptofeed" else None  # as each has it unless told otherwise
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(one())
    PYTHONS["cryptofeed"] = options.cryptofeed
    for name in PEERS:
        version = version_of(name)
        print(f"{name} {version or 'is not installed, and left out'}")
        if version is None:
            del CLIENTS[name]
    with ExitStack() as servers:
        os.environ["BENCH_REST"] = servers.enter_context(server("order_server.py"))
        ports = {
            burst: int(servers.enter_context(server("frame_server.py", str(options.frames), str(burst))))
            for burst in options.at_once
        }
        rows = measure(ports, options.frames, options.repeat, options.only)
    print(f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}, "
          f"{options.frames} frames x {options.repeat} processes each")  # fmt: skip
    print(table(rows))
    if options.json == Path("-"):
        print(json.dumps(rows))
    elif options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

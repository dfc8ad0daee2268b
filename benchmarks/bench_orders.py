"""What one signed order costs: CPU of the client's process, over REST and the trading sockets, beside other clients.

    python benchmarks/bench_orders.py [--orders 1500] [--repeat 3] [--only NAME ...] [--json FILE]

Each figure is user and system time of a fresh process for one order after another (getrusage), all clients taken in
turn, several times over: the median, and the range. Loopback without TLS; the server (order_server.py) is a process of
its own on another core. perpwire runs with everything on: ledger and turnstile, metrics, incidents, tracking, checks
against the contract, guards, and the journal on disk. The floors do nothing but write, sign, send, wait and decode into
a struct.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import importlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

KEY, SECRET = "sim-key", "sim-secret"
UNIFIED = "BTC/USDT:USDT"
WARM_UP = 150

GOALS = {"rest": ("aiohttp", 1.15), "websocket": ("picows", 1.5)}
"""Road -> the floor, and how much of it perpwire may cost."""

_ids = count(1)


def pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def timed(order: Callable[[], Awaitable[Any]], orders: int) -> dict[str, float]:
    """Microseconds of CPU an order, and the median of its wall time."""
    for _ in range(WARM_UP):
        await order()
    took: list[float] = []
    before = cpu_s()
    for _ in range(orders):
        began = time.perf_counter()
        await order()
        took.append(time.perf_counter() - began)
    used = cpu_s() - before
    return {"cpu_us": used / orders * 1e6, "p50_us": statistics.median(took) * 1e6}


# --- floors -----------------------------------------------------------------------------------------------------------


class BinanceOrder(msgspec.Struct, rename="camel"):
    order_id: int
    symbol: str
    status: str
    client_order_id: str
    price: Decimal
    avg_price: Decimal
    orig_qty: Decimal
    executed_qty: Decimal
    time_in_force: str
    type: str
    reduce_only: bool
    side: str
    position_side: str
    update_time: int


class BybitIds(msgspec.Struct):
    orderId: str
    orderLinkId: str


class BybitReply(msgspec.Struct):
    retCode: int
    retMsg: str
    result: BybitIds


class BinanceMessage(msgspec.Struct):
    id: str
    status: int
    result: BinanceOrder


class BybitMessage(msgspec.Struct):
    retCode: int
    op: str
    reqId: str = ""
    data: BybitIds | None = None


def sign(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def binance_query() -> str:
    return (
        f"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price=60000.00&newClientOrderId=c-{next(_ids)}"
        f"&newOrderRespType=RESULT&recvWindow=5000&timestamp={now_ms()}"
    )


def bybit_body() -> bytes:
    return msgspec.json.encode(
        {
            "category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.010",
            "price": "60000.00", "timeInForce": "GTC", "positionIdx": 0, "orderLinkId": f"c-{next(_ids)}",
        }
    )  # fmt: skip


async def aiohttp_rest(venue: str, url: str, orders: int) -> dict[str, float]:
    import aiohttp
    from yarl import URL

    read_binance = msgspec.json.Decoder(BinanceOrder).decode
    read_bybit = msgspec.json.Decoder(BybitReply).decode
    async with aiohttp.ClientSession() as session:

        async def binance() -> None:
            query = binance_query()
            target = URL(f"{url}/fapi/v1/order?{query}&signature={sign(query)}", encoded=True)
            async with session.post(target, headers={"X-MBX-APIKEY": KEY}) as reply:
                assert read_binance(await reply.read()).status == "NEW"

        async def bybit() -> None:
            body, stamp = bybit_body(), str(now_ms())
            headers = {
                "Content-Type": "application/json", "X-BAPI-API-KEY": KEY, "X-BAPI-TIMESTAMP": stamp,
                "X-BAPI-RECV-WINDOW": "5000", "X-BAPI-SIGN": sign(f"{stamp}{KEY}5000{body.decode()}"),
            }  # fmt: skip
            async with session.post(f"{url}/v5/order/create", data=body, headers=headers) as reply:
                assert read_bybit(await reply.read()).retCode == 0

        return await timed(binance if venue == "binance" else bybit, orders)


async def picows_websocket(venue: str, url: str, orders: int) -> dict[str, float]:
    import picows

    loop = asyncio.get_running_loop()
    read: Any = msgspec.json.Decoder(BinanceMessage if venue == "binance" else BybitMessage).decode

    class Listener(picows.WSListener):
        answer: asyncio.Future[Any]

        def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
            self.answer.set_result(read(frame.get_payload_as_bytes()))

    address = url.replace("http", "ws") + ("/ws-fapi/v1" if venue == "binance" else "/v5/trade")
    transport, listener = await picows.ws_connect(Listener, address)
    assert isinstance(listener, Listener)

    def ask(text: bytes) -> asyncio.Future[Any]:
        listener.answer = loop.create_future()
        transport.send(picows.WSMsgType.TEXT, text)
        return listener.answer

    async def binance() -> None:
        params: dict[str, Any] = {
            "apiKey": KEY, "newClientOrderId": f"c-{next(_ids)}", "newOrderRespType": "RESULT", "price": "60000.00",
            "quantity": "0.010", "recvWindow": 5000, "side": "BUY", "symbol": "BTCUSDT", "timeInForce": "GTC",
            "timestamp": now_ms(), "type": "LIMIT",
        }  # fmt: skip
        params["signature"] = sign("&".join(f"{name}={value}" for name, value in params.items()))
        reply = await ask(
            msgspec.json.encode({"id": params["newClientOrderId"], "method": "order.place", "params": params})
        )
        assert reply.result.status == "NEW"

    async def bybit() -> None:
        header = {"X-BAPI-TIMESTAMP": str(now_ms()), "X-BAPI-RECV-WINDOW": "5000"}
        order = msgspec.Raw(bybit_body())
        reply = await ask(
            msgspec.json.encode({"reqId": f"r-{next(_ids)}", "header": header, "op": "order.create", "args": [order]})
        )
        assert reply.data is not None

    if venue == "bybit":
        expires = now_ms() + 10_000
        await ask(msgspec.json.encode({"op": "auth", "args": [KEY, expires, sign(f"GET/realtime{expires}")]}))
    result = await timed(binance if venue == "binance" else bybit, orders)
    transport.disconnect()
    return result


# --- perpwire ---------------------------------------------------------------------------------------------------------


async def perpwire(venue: str, url: str, orders: int, road: str) -> dict[str, float]:
    from perpwire.api_connector.guards import Guards
    from perpwire.api_connector.venue_connector import VenueConnector
    from perpwire.venues import load

    with tempfile.TemporaryDirectory() as folder:
        connector = VenueConnector(
            load(venue), KEY, SECRET, url=url, road=road, journal=f"{folder}/journal.db",
            guards=Guards(max_order_notional=Decimal(10_000), max_orders=10**6),
        )  # fmt: skip
        heard: list[Any] = []
        connector.on_incident(heard.append)
        async with connector:
            await connector.get_instrument("BTCUSDT")  # with it come the venue's limits
            # They would make this a benchmark of waiting.
            connector.ledger.reported_limits({limit.name: 10**9 for limit in connector.venue.limits})
            if road == "websocket":
                await live(connector)

            async def order() -> None:
                placed = await connector.place_order("BTCUSDT", "BUY", "0.010", "LIMIT", price="60000.0")
                assert placed.order_id

            result = await timed(order, orders)
            route = connector.trade_route
            assert route is not None
            assert not heard, heard
            return result


async def live(connector: Any) -> None:
    for _ in range(500):
        if connector.is_trade_socket_live:
            return
        await asyncio.sleep(0.01)
    raise RuntimeError("the trading socket did not come up")


async def perpwire_rest(venue: str, url: str, orders: int) -> dict[str, float]:
    return await perpwire(venue, url, orders, "rest")


async def perpwire_websocket(venue: str, url: str, orders: int) -> dict[str, float]:
    return await perpwire(venue, url, orders, "websocket")


# --- other clients ----------------------------------------------------------------------------------------------------


def module(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


async def python_binance(venue: str, url: str, orders: int, road: str) -> dict[str, float]:
    binance = module("binance")
    binance.AsyncClient.FUTURES_URL = f"{url}/fapi"
    binance.AsyncClient.WS_FUTURES_URL = f"{url.replace('http', 'ws')}/ws-fapi/v1"
    client = binance.AsyncClient(KEY, SECRET)
    call = client.futures_create_order if road == "rest" else client.ws_futures_create_order
    fields = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
    result = await timed(lambda: call(**fields, price="60000.00"), orders)
    finish(result)
    return result


async def python_binance_rest(venue: str, url: str, orders: int) -> dict[str, float]:
    return await python_binance(venue, url, orders, "rest")


async def python_binance_websocket(venue: str, url: str, orders: int) -> dict[str, float]:
    return await python_binance(venue, url, orders, "websocket")


async def ccxt(venue: str, url: str, orders: int, road: str) -> dict[str, float]:
    kind = module("ccxt.async_support" if road == "rest" else "ccxt.pro")
    name = {"binance": "binanceusdm", "bybit": "bybit"}[venue]
    client = getattr(kind, name)(
        {"apiKey": KEY, "secret": SECRET, "enableRateLimit": False, "options": {"defaultType": "swap"}}
    )
    client.urls["api"] = moved(client.urls["api"], url)
    await client.load_markets()
    call = client.create_order if road == "rest" else client.create_order_ws
    result = await timed(lambda: call(UNIFIED, "limit", "buy", 0.01, 60000.0), orders)
    await client.close()
    return result


def moved(address: Any, url: str) -> Any:
    if isinstance(address, dict):
        return {name: moved(one, url) for name, one in address.items()}
    if not isinstance(address, str) or "://" not in address:
        return address
    scheme, _, rest = address.partition("://")
    _, slash, path = rest.partition("/")
    return url.replace("http", "ws" if scheme.startswith("ws") else "http", 1) + slash + path


async def ccxt_rest(venue: str, url: str, orders: int) -> dict[str, float]:
    return await ccxt(venue, url, orders, "rest")


async def ccxt_websocket(venue: str, url: str, orders: int) -> dict[str, float]:
    return await ccxt(venue, url, orders, "websocket")


BYBIT_ORDER = {
    "category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.010", "price": "60000.00",
}  # fmt: skip


async def pybit_rest(venue: str, url: str, orders: int) -> dict[str, float]:
    unified = module("pybit.unified_trading")
    module("pybit._http_manager").HTTP_URL = url
    client = unified.HTTP(api_key=KEY, api_secret=SECRET)

    async def order() -> None:
        assert client.place_order(**BYBIT_ORDER)["retCode"] == 0

    return await timed(order, orders)


async def pybit_websocket(venue: str, url: str, orders: int) -> dict[str, float]:
    unified = module("pybit.unified_trading")
    module("pybit._websocket_trading").TRADE_WSS = f"{url.replace('http', 'ws')}/v5/trade"
    client = unified.WebSocketTrading(testnet=False, api_key=KEY, api_secret=SECRET)
    answered = threading.Event()
    await asyncio.sleep(0.3)

    async def order() -> None:
        answered.clear()
        client.place_order(lambda reply: answered.set(), lambda error: None, **BYBIT_ORDER)
        # It notes its callback after sending: an answer can come too early for it.
        answered.wait(0.5)

    result = await timed(order, orders)
    finish(result)
    return result


def finish(result: dict[str, float]) -> None:
    """Print the figures and end at once: closing some clients takes seconds, which nobody measures."""
    print(json.dumps(result), flush=True)
    os._exit(0)


Client = Callable[[str, str, int], Coroutine[Any, Any, dict[str, float]]]

CLIENTS: dict[tuple[str, str], dict[str, Client]] = {
    ("binance", "rest"): {
        "aiohttp": aiohttp_rest, "perpwire": perpwire_rest, "python-binance": python_binance_rest, "ccxt": ccxt_rest,
    },
    ("binance", "websocket"): {
        "picows": picows_websocket, "perpwire": perpwire_websocket, "python-binance": python_binance_websocket,
        "ccxt": ccxt_websocket,
    },
    ("bybit", "rest"): {"aiohttp": aiohttp_rest, "perpwire": perpwire_rest, "pybit": pybit_rest, "ccxt": ccxt_rest},
    ("bybit", "websocket"): {
        "picows": picows_websocket, "perpwire": perpwire_websocket, "pybit": pybit_websocket, "ccxt": ccxt_websocket,
    },
}  # fmt: skip
"""Venue and road -> the clients, the floor first."""


# --- the run ----------------------------------------------------------------------------------------------------------


def run_one(venue: str, road: str, name: str, url: str, orders: int) -> dict[str, float] | None:
    command = [sys.executable, __file__, "--client", f"{venue}/{road}/{name}", "--url", url, "--orders", str(orders)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        print(f"{venue} {road} {name}: not done within 30 s", file=sys.stderr)
        return None
    if done.returncode or not done.stdout.strip():
        print(f"{venue} {road} {name}: {(done.stderr.strip() or 'no figures')[-600:]}", file=sys.stderr)
        return None
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure(urls: dict[str, str], orders: int, repeat: int, only: list[str]) -> list[dict[str, Any]]:
    wanted = [
        (venue, road, name)
        for (venue, road), clients in CLIENTS.items()
        for name in clients
        if not only or any(text in f"{venue}/{road}/{name}" for text in only)
    ]
    taken: dict[tuple[str, str, str], list[dict[str, float]]] = {one: [] for one in wanted}
    for _ in range(repeat):
        for venue, road, name in wanted:
            figures = run_one(venue, road, name, urls[venue], orders)
            if figures is not None:
                taken[venue, road, name].append(figures)
    rows = []
    for (venue, road, name), runs in taken.items():
        if not runs:
            continue
        cpu = sorted(one["cpu_us"] for one in runs)
        floor = taken.get((venue, road, GOALS[road][0]), [])
        floor_us = statistics.median(one["cpu_us"] for one in floor) if floor else None
        median_us = statistics.median(cpu)
        rows.append(
            {
                "venue": venue,
                "road": road,
                "client": name,
                "cpu_us": round(median_us, 1),
                "least_us": round(cpu[0], 1),
                "most_us": round(cpu[-1], 1),
                "wall_p50_us": round(statistics.median(one["p50_us"] for one in runs), 1),
                "of_floor": None if floor_us is None else round(median_us / floor_us, 2),
            }
        )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| venue | road | client | CPU us an order (range) | wall p50 us | of the floor |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        share = "" if row["of_floor"] is None else f"{row['of_floor']:.2f}"
        lines.append(
            f"| {row['venue']} | {row['road']} | {row['client']} | {row['cpu_us']:.0f} "
            f"({row['least_us']:.0f}..{row['most_us']:.0f}) | {row['wall_p50_us']:.0f} | {share} |"
        )
    return "\n".join(lines)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--orders", type=int, default=1500, help="orders of each process that are counted")
    asked.add_argument("--repeat", type=int, default=3, help="fresh processes of each client")
    asked.add_argument("--only", nargs="*", default=[], help="parts of venue/road/client, such as binance/rest")
    asked.add_argument("--json", type=Path, help='write the figures into this file; "-": print them')
    asked.add_argument("--client", help=argparse.SUPPRESS)
    asked.add_argument("--url", help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.client:
        pin(0)
        venue, road, name = options.client.split("/")
        print(json.dumps(asyncio.run(CLIENTS[venue, road][name](venue, options.url, options.orders))))
        return
    command = [sys.executable, str(Path(__file__).with_name("order_server.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
                os.sched_setaffinity(server.pid, {sorted(os.sched_getaffinity(0))[1]})
            urls = json.loads(server.stdout.readline())
            rows = measure(urls, options.orders, options.repeat, options.only)
        finally:
            server.stdin.close()
    print(f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}, "
          f"{options.orders} orders x {options.repeat} processes each")  # fmt: skip
    print(table(rows))
    if options.json == Path("-"):
        print(json.dumps(rows))
    elif options.json is not None:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""The venue of bench_orders.py: answers orders with prepared bytes, as fast as Python can, and all else truly.

Orders over REST and the trading sockets get a fixed reply with realistic headers, in which only ids differ. Whatever
else a client asks at its start (time, contracts, settings) an embedded exchange answers. A process of its own: its CPU
is not counted.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import sys
import time
from typing import cast

from perpwire.clock import SystemClock
from perpwire.simulator.dialect import IncomingRequest
from perpwire.simulator.host import Host
from perpwire.simulator.simulation import Setup, build_hosts

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

BINANCE_HEADERS = (
    b"Content-Type: application/json\r\nConnection: keep-alive\r\nDate: Mon, 21 Sep 2026 12:53:20 GMT\r\n"
    b"Server: Tengine\r\nX-Mbx-Used-Weight-1m: 3\r\nX-Mbx-Order-Count-10s: 1\r\nX-Mbx-Order-Count-1m: 1\r\n"
    b"X-Response-Time: 4ms\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n"
    b"X-Cache: Miss from cloudfront\r\nVia: 1.1 0123456789abcdef.cloudfront.net (CloudFront)\r\n"
    b"X-Amz-Cf-Pop: NRT57-P4\r\nX-Amz-Cf-Id: 0123456789abcdefghijklmnopqrstuvwxyz==\r\n"
    b"Strict-Transport-Security: max-age=31536000; includeSubdomains\r\nX-Frame-Options: SAMEORIGIN\r\n"
)
BYBIT_HEADERS = (
    b"Content-Type: application/json; charset=utf-8\r\nConnection: keep-alive\r\n"
    b"Date: Mon, 21 Sep 2026 12:53:20 GMT\r\n"
    b"Ret_code: 0\r\nTraceid: 0123456789abcdef0123456789abcdef\r\nTimenow: 1790000000000\r\n"
    b"X-Bapi-Limit: 100000\r\nX-Bapi-Limit-Status: 99999\r\nX-Bapi-Limit-Reset-Timestamp: 1790000000000\r\n"
    b"Server: Openresty\r\nX-Cache: Miss from cloudfront\r\n"
)
ORDER = (
    b'{"orderId":%d,"symbol":"BTCUSDT","status":"NEW","clientOrderId":"%b","price":"60000.00","avgPrice":"0.00",'
    b'"origQty":"0.010","executedQty":"0.000","cumQty":"0.000","cumQuote":"0.00000","timeInForce":"GTC","type":"LIMIT",'
    b'"reduceOnly":false,"closePosition":false,"side":"BUY","positionSide":"BOTH","stopPrice":"0.00",'
    b'"workingType":"CONTRACT_PRICE","priceProtect":false,"origType":"LIMIT","priceMatch":"NONE",'
    b'"selfTradePreventionMode":"EXPIRE_MAKER","goodTillDate":0,"updateTime":1790000000123}'
)
ACCEPTED = b'{"orderId":"6b1ba1f9-7a43-4b9c-9b3f-%012d","orderLinkId":"%b"}'
LIMITS = (
    b'[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":2400,"count":6},'
    b'{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300,"count":1},'
    b'{"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":1200,"count":1}]'
)

_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
_KEY = re.compile(rb"(?i)sec-websocket-key: *(\S+)")
_CLIENT_ID = re.compile(rb'(?:newClientOrderId|orderLinkId)"?[=:] ?"?([^"&]+)')
_MESSAGE_ID = re.compile(rb'"(?:id|reqId)" ?: ?("[^"]*"|\d+)')


class Server:
    def __init__(self, venue: str, host: Host) -> None:
        self.venue = venue
        self.host = host
        self.number = 0

    def order_reply(self, asked: bytes) -> bytes:
        return self._http_reply(self._result(asked, rest=True))

    def message_reply(self, asked: bytes) -> bytes:
        found = _MESSAGE_ID.search(asked)
        name = found[1] if found is not None else b'""'
        if self.venue == "binance":
            return b'{"id":%b,"status":200,"result":%b,"rateLimits":%b}' % (name, self._result(asked), LIMITS)
        if b'"auth"' in asked:
            return b'{"retCode":0,"retMsg":"OK","op":"auth","connId":"c"}'
        if b'"ping"' in asked:
            return b'{"retCode":0,"retMsg":"OK","op":"pong","data":["1790000000000"],"connId":"c"}'
        return (
            b'{"reqId":%b,"retCode":0,"retMsg":"OK","op":"order.create","data":%b,"retExtInfo":{},"header":{'
            b'"X-Bapi-Limit":"100000","X-Bapi-Limit-Status":"99999","X-Bapi-Limit-Reset-Timestamp":"1790000000000",'
            b'"Traceid":"0123456789abcdef0123456789abcdef","Timenow":"1790000000000"},"connId":"c"}'
            % (name, self._result(asked))
        )

    def _result(self, asked: bytes, *, rest: bool = False) -> bytes:
        self.number += 1
        found = _CLIENT_ID.search(asked)
        client_id = found[1] if found is not None else b"none"
        if self.venue == "binance":
            return ORDER % (self.number, client_id)
        result = ACCEPTED % (self.number, client_id)
        if not rest:
            return result
        return b'{"retCode":0,"retMsg":"OK","result":%b,"retExtInfo":{},"time":%d}' % (result, time.time_ns() // 10**6)

    def _http_reply(self, body: bytes) -> bytes:
        headers = BINANCE_HEADERS if self.venue == "binance" else BYBIT_HEADERS
        return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (headers, len(body), body)

    async def other_reply(self, head: bytes, body: bytes) -> bytes:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines if line)}
        reply = await self.host.handle_http(
            IncomingRequest(method=method, path=path, query=query, headers=headers, body=body)
        )
        shown = "".join(f"{name}: {text}\r\n" for name, text in reply.headers.items())
        return f"HTTP/1.1 {reply.status} X\r\n{shown}Content-Length: {len(reply.body)}\r\n\r\n".encode() + reply.body


ORDER_LINES = (b"POST /fapi/v1/order?", b"POST /fapi/v1/order ", b"POST /v5/order/create ")


class Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._rest = b""
        self._is_socket = False
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while self._rest and (self._one_frame() if self._is_socket else self._one_request()):
            pass

    def _one_request(self) -> bool:
        head, end, body = self._rest.partition(b"\r\n\r\n")
        if not end:
            return False
        key = _KEY.search(head)
        if key is not None:
            self._rest, self._is_socket = body, True
            accept = base64.b64encode(hashlib.sha1(key[1] + GUID).digest())
            self._transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
            )
            return True
        found = _LENGTH.search(head)
        length = int(found[1]) if found is not None else 0
        if len(body) < length:
            return False
        asked, self._rest = body[:length], body[length:]
        if head.startswith(ORDER_LINES):
            self._transport.write(self._server.order_reply(head.partition(b"\r\n")[0] + asked))
        else:
            task = asyncio.create_task(self._answer(head, asked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return True

    async def _answer(self, head: bytes, body: bytes) -> None:
        self._transport.write(await self._server.other_reply(head, body))

    def _one_frame(self) -> bool:
        data = self._rest
        if len(data) < 6:
            return False
        code, length, at = data[0] & 0x0F, data[1] & 0x7F, 2
        if length == 126:
            length, at = int.from_bytes(data[2:4]), 4
        end = at + 4 + length
        if len(data) < end:
            return False
        mask, payload = data[at : at + 4], data[at + 4 : end]
        self._rest = data[end:]
        pad = (mask * (length // 4 + 1))[:length]
        text = (int.from_bytes(payload) ^ int.from_bytes(pad)).to_bytes(length)
        if code == 0x8:
            self._transport.close()
        elif code == 0x9:
            self._transport.write(bytes((0x8A, length)) + text)
        elif code in (0x1, 0x2):
            said = self._server.message_reply(text)
            size = bytes((len(said),)) if len(said) < 126 else b"\x7e" + len(said).to_bytes(2)
            self._transport.write(b"\x81" + size + said)
        return True


async def serve() -> None:
    """Print the addresses as JSON, and serve until stdin ends."""
    setup = Setup(venues=("binance", "bybit"), rate=0.001, latency_s=0.0)
    hosts = build_hosts(setup, SystemClock())
    loop = asyncio.get_running_loop()
    addresses = []
    for venue, host in hosts.items():
        host.start()
        made = await loop.create_server(lambda venue=venue, host=host: Connection(Server(venue, host)), "127.0.0.1", 0)  # type: ignore[misc]
        addresses.append(f'"{venue}":"http://127.0.0.1:{made.sockets[0].getsockname()[1]}"')
    print(f"{{{','.join(addresses)}}}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve())
    else:
        uvloop.run(serve())

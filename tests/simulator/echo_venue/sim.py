"""The least dialect there can be.

| address | does |
|---|---|
| GET /echo/time | the venue's clock |
| POST /echo/order | {"side", "quantity", "price", "id"}: places, answers the order's id and status |
| POST /echo/mirror?... | answers what was received |
| GET /echo/broken | a dialect's bug |
| WS /echo/ws, /echo/private | "book": book changes follow; "bye": closed with 4000; "broken": a bug; else echoed |
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from tests.simulator.making import intent, spec

from perpwire.http_message import HttpReply
from perpwire.model.order import Side
from perpwire.simulator.dialect import DialectOptions, IncomingRequest, Peer, PingHabit, SocketRefused
from perpwire.simulator.events import BookChanged, SimEvent
from perpwire.simulator.exchange import Exchange, SymbolSpec
from perpwire.simulator.margin import PlainMargin


class _Order(msgspec.Struct):
    side: str
    quantity: str
    price: str
    id: str


class EchoDialect:
    name = "echo"
    ping_habit = PingHabit(every_s=30, answer_within_s=100)

    def __init__(self, exchange: Exchange, options: DialectOptions) -> None:
        self.exchange = exchange
        self.options = options
        self.is_closed = False
        self.sessions: list[EchoSession] = []

    def http(self, request: IncomingRequest) -> HttpReply:
        match request.method, request.path:
            case "GET", "/echo/time":
                return _json(200, {"time_ms": self.exchange.now_ms()})
            case "POST", "/echo/order":
                wanted = msgspec.json.decode(request.body, type=_Order)
                order = self.exchange.place(
                    "main", intent(Side(wanted.side), wanted.quantity, wanted.price, client_order_id=wanted.id)
                )
                return _json(200, {"order_id": order.order_id, "status": order.status})
            case "POST", "/echo/mirror":
                return _json(
                    200,
                    {
                        "query": request.query,
                        "body": request.body.decode(),
                        "headers": request.headers,
                        "peer": request.peer,
                    },
                )
            case "GET", "/echo/broken":
                raise RuntimeError("a bug of the dialect")
        return _json(404, {})

    def open_socket(self, path: str, query: str, peer: Peer) -> EchoSession:
        if path not in ("/echo/ws", "/echo/private"):
            raise SocketRefused(404, b"no such stream")
        session = EchoSession(self.exchange, peer)
        self.sessions.append(session)
        if query == "greet":
            peer.send(b"hello")
        return session

    def close(self) -> None:
        self.is_closed = True


class EchoSession:
    def __init__(self, exchange: Exchange, peer: Peer) -> None:
        self.exchange = exchange
        self.peer = peer
        self.is_closed = False
        self._stop: Callable[[], None] = lambda: None

    def on_text(self, text: bytes) -> None:
        match text:
            case b"book":
                self.exchange.want_book("BTCUSDT")
                self._stop = self.exchange.subscribe(self._on_event)
            case b"bye":
                self.peer.send(b"last words")
                self.peer.close(4000, "as you wish")
            case b"flood":
                for _ in range(40):
                    self.peer.send(b"x" * 1_000_000, "flood")
            case b"broken":
                raise RuntimeError("a bug of the dialect")
            case _:
                self.peer.send(text, "echo", "main")

    def on_closed(self) -> None:
        assert not self.is_closed
        self.is_closed = True
        self._stop()

    def _on_event(self, event: SimEvent) -> None:
        if isinstance(event, BookChanged):
            self.peer.send(msgspec.json.encode(event), f"book.{event.symbol}")


def _json(status: int, content: object) -> HttpReply:
    return HttpReply(status=status, headers={"Content-Type": "application/json"}, body=msgspec.json.encode(content))


def make_dialect(exchange: Exchange, options: DialectOptions) -> EchoDialect:
    return EchoDialect(exchange, options)


def default_specs() -> tuple[SymbolSpec, ...]:
    return (spec(), spec("ETHUSDT", "3000"))


MARGIN = PlainMargin()

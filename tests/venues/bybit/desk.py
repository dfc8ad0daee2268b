"""An exchange with Bybit's dialect and no host: calls as bytes, sockets as lists of frames, time as a test wants it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from perpwire.clock import ManualClock
from perpwire.credentials import Credentials
from perpwire.http_message import HttpReply
from perpwire.model.order import OrderType, Side, TimeInForce
from perpwire.simulator.dialect import Dialect, DialectOptions, IncomingRequest, ServerSession
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intents import OrderIntent
from perpwire.simulator.specs import AccountSpec, SymbolSpec
from perpwire.simulator.store import Store
from perpwire.venues.base import Call, Session
from perpwire.venues.bybit.signing import sign_login, sign_request
from perpwire.venues.bybit.sim import MARGIN, default_specs, make_dialect
from perpwire.venues.bybit.venue import VENUE

D = Decimal
KEYS = Credentials("sim-key", "sim-secret")
MAKER = "maker"


class FakePeer:
    """A client's socket: what was sent on it, in order."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, bytes]] = []
        self.accounts: set[str] = set()
        self.closed: tuple[int, str] | None = None
        self.address = "127.0.0.1"

    def send(self, text: bytes, topic: str = "", account: str = "") -> None:
        self.frames.append((topic, text))
        self.accounts.add(account)

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def read(self, topic: str | None = None) -> list[Any]:
        """Every frame so far, of one topic ("" for control frames) or of all."""
        return [json.loads(text) for name, text in self.frames if topic in (None, name)]


class Stream:
    """A socket with the client's own session on the other side of it."""

    def __init__(self, desk: Desk, path: str, query: str = "") -> None:
        self.peer = FakePeer()
        self.server: ServerSession = desk.dialect.open_socket(path, query, self.peer)
        self.client: Session = VENUE.session("private" if path.endswith("private") else "public")

    def say(self, **command: Any) -> Any:
        """Send a command; gives the control frame that answers it."""
        before = len(self.peer.read(""))
        self.server.on_text(msgspec.json.encode(command))
        return self.peer.read("")[before]

    def subscribe(self, *topics: str) -> None:
        for frame in self.client.subscribe(topics):
            before = len(self.peer.frames)
            self.server.on_text(frame)
            control = self.client.on_control(self.peer.frames[before][1])
            assert control.kind == "subscribed", control

    def log_in(self) -> None:
        frame = self.client.login(KEYS, 1_790_000_000_000 + 10**9)
        assert frame is not None
        self.server.on_text(frame)
        assert self.client.on_control(self.peer.frames[-1][1]).kind == "logged_in"

    def events(self, topic: str | None = None) -> list[Any]:
        """What the client makes of the data frames so far."""
        session = VENUE.session("public")
        made: list[Any] = []
        for name, text in self.peer.frames:
            if name and topic in (None, name):
                made.extend(session.on_frame(text, 1) or ())
        return made


class Desk:
    """See module docstring. The account `maker` gives the book its orders; `sim-key` is the client's."""

    def __init__(
        self,
        clock: ManualClock,
        rate: float = 0.0,
        specs: Sequence[SymbolSpec] | None = None,
        others: Sequence[AccountSpec] = (),
        store: Store | None = None,
    ) -> None:
        self.clock = clock
        maker = AccountSpec(name=MAKER, api_key="k2", secret_key="s2", cash=D(10**9))
        accounts = (AccountSpec(), maker, *others)
        self.exchange = Exchange(
            clock=clock,
            seed=1,
            symbols=specs or default_specs(),
            accounts=accounts,
            rate=rate,
            margin=MARGIN,
            store=store,
        )
        self.dialect: Dialect = make_dialect(self.exchange, DialectOptions())

    # --- REST ---

    def send(
        self,
        method: str,
        path: str,
        text: str = "",
        *,
        keys: Credentials | None = KEYS,
        headers: Mapping[str, str] | None = None,
        address: str = "127.0.0.1",
    ) -> HttpReply:
        """A call with this very query or body."""
        sent: dict[str, str] = {}
        if keys is not None:
            now_ms = self.exchange.now_ms()
            sent = {
                "x-bapi-api-key": keys.api_key,
                "x-bapi-timestamp": str(now_ms),
                "x-bapi-recv-window": "5000",
                "x-bapi-sign": sign_request(keys, now_ms, 5000, text),
            }
        return self.dialect.http(
            IncomingRequest(
                method=method,
                path=path,
                query=text if method == "GET" else "",
                headers={**sent, **(headers or {})},
                body=b"" if method == "GET" else text.encode(),
                peer=address,
            )
        )

    def get(self, path: str, **params: Any) -> Any:
        return self._body("GET", path, "&".join(f"{name}={value}" for name, value in params.items()))

    def post(self, path: str, **params: Any) -> Any:
        return self._body("POST", path, json.dumps(params))

    def _body(self, method: str, path: str, text: str) -> Any:
        reply = self.send(method, path, text)
        assert reply.status == 200, reply
        return json.loads(reply.body)

    def call(self, call: Call[Any]) -> Any:
        """A call of the client's tables: encoded, answered, decoded, its pages joined and its follow-up asked."""
        request = VENUE.encode(call.endpoint, call.params, KEYS, self.exchange.now_ms())
        path, _, query = request.target.partition("?")
        reply = self.dialect.http(
            IncomingRequest(
                method=request.method,
                path=path,
                query=query,
                headers={name.lower(): value for name, value in request.headers.items()},
                body=request.body,
            )
        )
        read = VENUE.decode(call.endpoint, reply)
        if call.then is not None:
            return self.call(call.then(read))
        result = call.translate(read)
        following = call.next_page(read) if call.next_page is not None else None
        return result if following is None else (*result, *self.call(following))

    # --- the market ---

    def quote(self, side: Side, price: str, quantity: str = "10", symbol: str = "BTCUSDT") -> None:
        """A resting order of somebody else's."""
        self.exchange.place(
            MAKER,
            OrderIntent(
                symbol=symbol,
                side=side,
                type=OrderType.LIMIT,
                time_in_force=TimeInForce.GTC,
                quantity=D(quantity),
                price=D(price),
                client_order_id="",
                self_trade="none",
            ),
        )

    def quotes(self) -> None:
        """A book: bid 63990.00, ask 64010.00, ten coins each."""
        self.quote(Side.BUY, "63990")
        self.quote(Side.SELL, "64010")

    def seq(self, symbol: str) -> int:
        """The symbol's cross sequence, as its book shows it."""
        sequence: int = self.get("/v5/market/orderbook", category="linear", symbol=symbol)["result"]["seq"]
        return sequence

    def trade_at(self, price: str, quantity: str = "0.001", symbol: str = "BTCUSDT") -> None:
        """Two others trade a little at this price."""
        self.quote(Side.SELL, price, quantity, symbol)
        self.quote(Side.BUY, price, quantity, symbol)

    # --- orders ---

    def create(self, **changes: Any) -> Any:
        fields = {
            "category": "linear",
            "symbol": "BTCUSDT",
            "side": "Buy",
            "orderType": "Limit",
            "qty": "0.010",
            "price": "63000",
        }
        return self.post("/v5/order/create", **{**fields, **changes})

    def order(self, order_id: str) -> Any:
        """The order as order/realtime shows it."""
        (row,) = self.get("/v5/order/realtime", category="linear", orderId=order_id)["result"]["list"]
        return row

    # --- streams ---

    def public(self, *topics: str) -> Stream:
        stream = Stream(self, "/v5/public/linear")
        stream.subscribe(*topics)
        return stream

    def private(self, *topics: str) -> Stream:
        stream = Stream(self, "/v5/private")
        expires = self.exchange.now_ms() + 1000
        answer = stream.say(op="auth", args=[KEYS.api_key, expires, sign_login(KEYS, expires)])
        assert answer["success"], answer
        stream.subscribe(*topics)
        return stream


def at_desk(
    test: Callable[[Desk], Awaitable[None]],
    *,
    rate: float = 0.0,
    specs: Sequence[SymbolSpec] | None = None,
    start_s: int = 1_790_000_000,
) -> Callable[[], None]:
    """Run a test in virtual time, which begins at `start_s` (Unix seconds), with a desk."""

    def run() -> None:
        clock = ManualClock(start_s * 10**9)

        async def main() -> None:
            desk = Desk(clock, rate, specs)
            try:
                await test(desk)
            finally:
                desk.dialect.close()
                desk.exchange.close()

        clock.run(main())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


async def moment(seconds: float = 0.05) -> None:
    """Long enough for an order to be matched and told of."""
    await asyncio.sleep(seconds)

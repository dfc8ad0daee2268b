"""The simulated venue without a host: requests as bytes, sockets as lists of frames. Books are empty to begin with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from perpwire.clock import ManualClock
from perpwire.simulator.dialect import DialectOptions, IncomingRequest, ServerSession
from perpwire.simulator.exchange import AccountSpec, Exchange, SymbolSpec
from perpwire.simulator.replay import ReplayFeed
from perpwire.simulator.store import Store
from perpwire.venues.binance_futures.sim import MARGIN, default_specs, make_dialect
from perpwire.venues.binance_futures.sim.signatures import hmac_hex

MAIN = AccountSpec(name="main", api_key="main-key", secret_key="main-secret")
OTHER = AccountSpec(name="other", api_key="other-key", secret_key="other-secret")


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.raw = body
        self.json = json.loads(body)

    @property
    def code(self) -> int:
        """Of a refusal."""
        assert self.status != 200, self.raw
        return int(self.json["code"])


class FakePeer:
    """A client's socket."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, str, str]] = []
        self.closed: tuple[int, str] | None = None
        self.session: ServerSession | None = None

    def send(self, text: bytes, topic: str = "", account: str = "") -> None:
        assert self.closed is None
        self.sent.append((text, topic, account))

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def say(self, message: Any) -> list[Any]:
        """Send a control message; gives what came back at once."""
        assert self.session is not None
        before = len(self.sent)
        self.session.on_text(message if isinstance(message, bytes) else json.dumps(message).encode())
        return [json.loads(text) for text, topic, _ in self.sent[before:] if topic == ""]

    def subscribe(self, *names: str) -> None:
        assert self.say({"method": "SUBSCRIBE", "params": names, "id": 1}) == [{"result": None, "id": 1}]

    @property
    def data(self) -> list[Any]:
        """What came on streams."""
        return [json.loads(text) for text, topic, _ in self.sent if topic]

    @property
    def topics(self) -> list[str]:
        return [topic for _, topic, _ in self.sent if topic]

    def clear(self) -> None:
        self.sent.clear()


class SimulatedVenue:
    def __init__(
        self,
        clock: ManualClock,
        options: DialectOptions | None = None,
        *,
        rate: float = 0.0,
        replay: ReplayFeed | None = None,
        symbols: Sequence[SymbolSpec] | None = None,
        accounts: Sequence[AccountSpec] = (MAIN, OTHER),
        state: Path | None = None,
    ) -> None:
        self.clock = clock
        self.exchange = Exchange(
            clock=clock,
            seed=1,
            symbols=symbols or default_specs(),
            accounts=accounts,
            margin=MARGIN,
            rate=rate,
            replay=replay,
            store=None if state is None else Store(state, "binance"),
        )
        self.dialect = make_dialect(self.exchange, options or DialectOptions())

    def close(self) -> None:
        self.dialect.close()
        self.exchange.close()

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def raw(
        self, method: str, path: str, query: str = "", body: str = "", *, key: str | None = None, peer: str = "1.2.3.4"
    ) -> Answer:
        headers = {} if key is None else {"x-mbx-apikey": key}
        reply = self.dialect.http(
            IncomingRequest(method=method, path=path, query=query, headers=headers, body=body.encode(), peer=peer)
        )
        return Answer(reply.status, dict(reply.headers), reply.body)

    def public(self, path: str, **params: Any) -> Answer:
        return self.raw("GET", path, urlencode(params))

    def signed(self, method: str, path: str, *, account: AccountSpec = MAIN, **params: Any) -> Answer:
        """A signed call with everything in the query."""
        params = {"timestamp": self.exchange.now_ms()} | params
        query = urlencode(params)
        return self.raw(
            method, path, f"{query}&signature={hmac_hex(query.encode(), account.secret_key)}", key=account.api_key
        )

    def place(self, *, account: AccountSpec = MAIN, **params: Any) -> Answer:
        """A limit order to buy 0.010 BTC at 64000, unless the parameters say something else; None leaves one out."""
        order: dict[str, Any] = {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.010",
            "price": "64000",
            "newOrderRespType": "RESULT",
        } | params
        order = {name: value for name, value in order.items() if value is not None}
        return self.signed("POST", "/fapi/v1/order", account=account, **order)

    def market(self, *, account: AccountSpec = MAIN, **params: Any) -> Answer:
        return self.place(account=account, type="MARKET", price=None, timeInForce=None, **params)

    def quote(self, bid: str = "63999.90", ask: str = "64000.10", quantity: str = "1") -> None:
        """Another account makes a market of one level a side."""
        for side, price in (("BUY", bid), ("SELL", ask)):
            assert self.place(account=OTHER, side=side, price=price, quantity=quantity).status == 200

    # --- sockets ------------------------------------------------------------------------------------------------------

    def socket(self, path: str, query: str = "") -> FakePeer:
        peer = FakePeer()
        peer.session = self.dialect.open_socket(path, query, peer)
        return peer

    def listen_key(self) -> str:
        return str(self.raw("POST", "/fapi/v1/listenKey", key=MAIN.api_key).json["listenKey"])

    def position(self) -> Decimal:
        return self.exchange.position("main", "BTCUSDT").quantity


def in_virtual_time(
    main: Callable[[SimulatedVenue], Coroutine[Any, Any, None]],
    start_ns: int = 1_790_000_000_000_000_000,
    **options: Any,
) -> None:
    """Run a test against a fresh venue whose clock jumps from timer to timer."""
    clock = ManualClock(start_ns)

    async def run() -> None:
        venue = SimulatedVenue(clock, **options)
        venue.exchange.start()
        try:
            await main(venue)
        finally:
            venue.close()

    clock.run(run())


async def pass_s(seconds: float) -> None:
    """Let virtual time go on."""
    await asyncio.sleep(seconds)

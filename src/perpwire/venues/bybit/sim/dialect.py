"""BybitDialect: the parts of this folder joined, behind what a host drives."""

from __future__ import annotations

from typing import Any

import msgspec

from perpwire.http_message import HttpReply
from perpwire.simulator.dialect import DialectOptions, IncomingRequest, Peer, ServerSession
from perpwire.simulator.events import SimEvent
from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit.sim.amendments import Amendments
from perpwire.venues.bybit.sim.answer import Answer
from perpwire.venues.bybit.sim.asked import read_body, read_query
from perpwire.venues.bybit.sim.dcp import DisconnectGuard
from perpwire.venues.bybit.sim.doors import NEW_CONNECTIONS, Doors
from perpwire.venues.bybit.sim.entries import Entries
from perpwire.venues.bybit.sim.faults import venue_faults
from perpwire.venues.bybit.sim.gate import Gate, LimitReached
from perpwire.venues.bybit.sim.order_form import FormReader
from perpwire.venues.bybit.sim.orders import Orders
from perpwire.venues.bybit.sim.prices import Prices
from perpwire.venues.bybit.sim.private import PrivateStreams
from perpwire.venues.bybit.sim.public import PublicStreams
from perpwire.venues.bybit.sim.refusal import CallRefused, HttpRefused
from perpwire.venues.bybit.sim.rest import Rest
from perpwire.venues.bybit.sim.rows import Rows
from perpwire.venues.bybit.sim.settings import Settings
from perpwire.venues.bybit.sim.status import Notice, StatusBoard
from perpwire.venues.bybit.sim.switchboard import Switchboard
from perpwire.venues.bybit.sim.timers import Timers
from perpwire.venues.bybit.sim.tpsl import PositionStops
from perpwire.venues.bybit.sim.trade_socket import TradeDesk

NAME = "bybit"


class BybitDialect:
    """See dialect.Dialect. Everything this venue says is made from the exchange's events and answers."""

    name = NAME

    def __init__(self, exchange: Exchange, options: DialectOptions) -> None:
        self._exchange = exchange
        self._timers = Timers(exchange.clock)
        self._prices = Prices(exchange)
        settings = Settings(exchange)
        self._board = StatusBoard(exchange)
        self._gate = Gate(exchange, settings)
        rows = Rows(exchange)
        entries, reader = Entries(exchange, rows), FormReader(exchange, self._prices, settings)
        self._public = PublicStreams(exchange, self._prices, self._timers)
        self._private = PrivateStreams(exchange, rows, self._timers, DisconnectGuard(exchange, settings, self._timers))
        self._orders = Orders(exchange, entries, reader, self._private.push_order)
        self._stops = PositionStops(exchange)
        self._rest = Rest(
            exchange,
            self._prices,
            rows,
            entries,
            self._orders,
            Amendments(exchange, entries, reader),
            self._stops,
            self._public,
            self._gate,
            settings,
            self._board,
            options.trades_lag_s,
        )
        self._trade = TradeDesk(exchange, self._rest, self._gate)
        topics = {"linear": self._public, "misc/status": self._board}
        limit = options.connections_per_5_minutes
        doors = Doors(exchange.clock, NEW_CONNECTIONS if limit is None else limit)
        self._switchboard = Switchboard(exchange, self._timers, topics, self._private, self._trade, doors)
        self.faults = venue_faults(self, self._gate, exchange.now_ms)
        self._requests = 0
        self._unsubscribe = exchange.subscribe(self._on_event)
        exchange.fit_triggered(reader.triggered)
        self._stops.resume()

    def _on_event(self, event: SimEvent) -> None:
        # Figures first, so that what is sent of an event already counts it.
        self._prices.on_event(event)
        self._public.on_event(event)
        self._private.on_event(event)
        self._orders.on_event(event)
        self._stops.on_event(event)

    def close(self) -> None:
        self._unsubscribe()
        self._timers.close()

    # --- REST ---------------------------------------------------------------------------------------------------------

    def http(self, request: IncomingRequest) -> HttpReply:
        headers = self._common_headers()
        try:
            self._gate.check_address(request.peer)
            said = self._answer(request, headers)
            return self._reply(headers, 0, said.words, said.result, said.ext)
        except HttpRefused as refused:
            return HttpReply(status=refused.status, headers=headers, body=refused.body)
        except LimitReached as reached:
            return self._reply(headers | reached.headers, reached.code, reached.words, {}, {})
        except CallRefused as refused:
            return self._reply(headers, refused.code, refused.words, refused.result, refused.ext)

    def _answer(self, request: IncomingRequest, headers: dict[str, str]) -> Answer:
        """What is left of a limit goes into `headers`."""
        if request.method == "GET" and request.body:
            raise HttpRefused(403)  # as the venue's edge does
        method = self._rest.method_of(request.path)
        if method is None:
            raise HttpRefused(404, b'{"retCode":10017,"retMsg":"route not found","result":{},"retExtInfo":{}}')
        if method != request.method:
            raise HttpRefused(400)
        if request.path in self._rest.public:
            return self._rest.ask(request.path, read_query(request.query))
        account = self._gate.authenticate(request)
        asked = read_query(request.query) if method == "GET" else read_body(request.body)
        return self._rest.call(account, request.path, asked, headers, request.peer)

    def _common_headers(self) -> dict[str, str]:
        self._requests += 1
        return {
            "content-type": "application/json; charset=utf-8",
            "timenow": str(self._exchange.now_ms()),
            "traceid": f"{self._requests:032x}",
        }

    def _reply(self, headers: dict[str, str], code: int, words: str, result: Any, ext: Any) -> HttpReply:
        body = {
            "retCode": code,
            "retMsg": words,
            "result": result,
            "retExtInfo": ext,
            "time": self._exchange.now_ms(),
        }
        return HttpReply(status=200, headers={**headers, "ret_code": str(code)}, body=msgspec.json.encode(body))

    # --- what a fault may do to it ------------------------------------------------------------------------------------

    def restart_service(self) -> None:
        """The market data service restarts: every order book is sent whole again, its u counting from 1."""
        self._public.restart()

    def restart_trade(self, seconds: float) -> None:
        """The trade service restarts: for so long the connections that are open now refuse new calls with 10019."""
        self._trade.restart(seconds, self._switchboard.opened)

    def refuse_trade(self, code: int, words: str, count: int = 1) -> None:
        """The next calls on trade sockets are not executed and answered with this."""
        self._trade.refuse(code, words, count)

    def announce(self, notice: Notice) -> None:
        """A notice of maintenance or an incident, over REST and on system.status.

        Raises:
            ValueError: Not a state that a notice may have.
        """
        self._board.announce(notice)

    # --- sockets ------------------------------------------------------------------------------------------------------

    def open_socket(self, path: str, query: str, peer: Peer) -> ServerSession:
        return self._switchboard.open(path, query, peer)

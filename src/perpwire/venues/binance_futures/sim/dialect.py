"""The simulated venue, put together: HTTP calls, stream sockets, and the exchange's events on their way to both."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from perpwire.http_message import HttpReply
from perpwire.simulator.dialect import Dialect, DialectOptions, IncomingRequest, Peer, PingHabit, ServerSession
from perpwire.simulator.events import ContractChanged, SimEvent
from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures.sim.agg_trades import REMEMBERED, AggTrades
from perpwire.venues.binance_futures.sim.counting import AddressLimits, OrderCounts
from perpwire.venues.binance_futures.sim.faults import venue_faults
from perpwire.venues.binance_futures.sim.gateway import Gateway
from perpwire.venues.binance_futures.sim.hub import VENUE, StreamHub
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.producers import Producers
from perpwire.venues.binance_futures.sim.rest import rest_rows
from perpwire.venues.binance_futures.sim.sockets import (
    CONNECTIONS_PER_5_MINUTES,
    LIFETIME_S,
    ConnectionAttempts,
    StreamSocket,
    read_address,
)
from perpwire.venues.binance_futures.sim.users import UserStreams
from perpwire.venues.binance_futures.sim.words import SymbolWords
from perpwire.venues.binance_futures.sim.wsapi import PATH as TRADING_PATH, Doors, TradingSocket


class BinanceDialect:
    """Binance USD-M futures on top of an Exchange; see simulator.dialect.Dialect."""

    name = VENUE
    ping_habit = PingHabit(every_s=180.0, answer_within_s=600.0)

    def __init__(self, exchange: Exchange, options: DialectOptions) -> None:
        self._exchange = exchange
        self._options = options
        self._lifetime_s = LIFETIME_S if options.socket_lifetime_s is None else options.socket_lifetime_s
        words = self._words = {spec.instrument.symbol: SymbolWords(spec) for spec in exchange.specs()}
        agg_trades = {symbol: AggTrades() for symbol in words}
        for symbol, aggregates in agg_trades.items():
            for trade in exchange.recent_trades(symbol, REMEMBERED):
                aggregates.add(trade)
        producers = Producers(
            exchange,
            words,
            agg_trades,
            with_coin_margined=options.coin_margined_rows,
            with_trades=options.trade_stream,
        )
        self._hub = StreamHub(exchange, producers)
        self._users = UserStreams(exchange, words, options.user_event_delay_s)
        rows = rest_rows(exchange, Listing(words), agg_trades, self._users, options.trades_lag_s)
        addresses, orders = AddressLimits(), OrderCounts()
        self.faults = venue_faults(self._users, addresses, orders, exchange.now_ms)
        self._doors = Doors(exchange, rows, addresses, orders)
        self._gateway = Gateway(*self._doors)
        limit = options.connections_per_5_minutes
        self._attempts = ConnectionAttempts(CONNECTIONS_PER_5_MINUTES if limit is None else limit)
        # Those that are open and some that were: in order, as a set of objects would be in another each time.
        self._sockets: WeakKeyDictionary[StreamSocket | TradingSocket, None] = WeakKeyDictionary()
        self._stop_hearing = exchange.subscribe(self._on_event)

    def _on_event(self, event: SimEvent) -> None:
        if isinstance(event, ContractChanged):
            self._words[event.symbol].spec = self._exchange.spec(event.symbol)
        self._hub.on_event(event)
        self._users.on_event(event)

    def http(self, request: IncomingRequest) -> HttpReply:
        """One call."""
        return self._gateway.answer(request)

    def open_socket(self, path: str, query: str, peer: Peer) -> ServerSession:
        """A stream socket or a trading socket.

        Raises:
            SocketRefused: None is opened at this path, or this client opens too many.
        """
        client = str(getattr(peer, "address", "127.0.0.1"))
        self._attempts.admit(client, self._exchange.clock.monotonic_ns())
        socket: StreamSocket | TradingSocket
        if path.rstrip("/") == TRADING_PATH:
            socket = TradingSocket(peer, query, client, self._doors, self._lifetime_s)
        else:
            socket = StreamSocket(
                peer,
                read_address(path, query),
                clock=self._exchange.clock,
                hub=self._hub,
                users=self._users,
                lenient_routes=self._options.lenient_routes,
                lifetime_s=self._lifetime_s,
            )
        self._sockets[socket] = None
        return socket

    def close(self) -> None:
        """Stop timers, and hear no more of the exchange."""
        self._stop_hearing()
        for socket in tuple(self._sockets):
            socket.on_closed()
        self._hub.close()
        self._users.close()


def make_dialect(exchange: Exchange, options: DialectOptions) -> Dialect:
    """The venue's protocol on top of this exchange."""
    return BinanceDialect(exchange, options)

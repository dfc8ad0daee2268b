"""Which socket lives at which address; the limits of addresses, and the end of idle sockets."""

from __future__ import annotations

from perpwire.simulator.dialect import Peer, ServerSession, SocketRefused
from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit.sim.doors import Doors
from perpwire.venues.bybit.sim.private import PrivateStreams
from perpwire.venues.bybit.sim.private_socket import PrivateSocket
from perpwire.venues.bybit.sim.public_sockets import KINDS, Topics
from perpwire.venues.bybit.sim.sockets import Socket, idle_seconds
from perpwire.venues.bybit.sim.timers import Timers
from perpwire.venues.bybit.sim.trade_socket import TradeDesk, TradeSocket

SWEEP_S = 30.0
"""How often idle sockets are looked for."""

PUBLIC, PRIVATE, TRADE = "/v5/public/", "/v5/private", "/v5/trade"


class Switchboard:
    """Opens sockets and knows those that are open.

    Args:
        topics: The topics of each kind of public socket; those that are not named here have none.
    """

    def __init__(
        self,
        exchange: Exchange,
        timers: Timers,
        topics: dict[str, Topics],
        private: PrivateStreams,
        trade: TradeDesk,
        doors: Doors,
    ) -> None:
        self._exchange = exchange
        self._timers = timers
        self._topics = topics
        self._private = private
        self._trade = trade
        self._doors = doors
        self._sockets: dict[Socket, None] = {}
        self._is_sweeping = False
        self.opened = 0

    def open(self, path: str, query: str, peer: Peer) -> ServerSession:
        """
        Raises:
            SocketRefused: Nothing lives there, or the address has had its share.
        """
        kind = path.removeprefix(PUBLIC) if path.startswith(PUBLIC) else ""
        if kind not in KINDS and path not in (PRIVATE, TRADE):
            raise SocketRefused(404)
        address: str = getattr(peer, "address", "127.0.0.1")
        self._doors.enter(address, kind)
        self.opened += 1
        socket = self._make(path, kind, query, peer, address)
        self._sockets[socket] = None
        if not self._is_sweeping:
            self._is_sweeping = True
            self._timers.later(SWEEP_S, self._sweep)
        return _Line(self, socket, address, kind)

    def _make(self, path: str, kind: str, query: str, peer: Peer, address: str) -> Socket:
        if kind:
            return KINDS[kind](peer, self._exchange, self.opened, self._topics.get(kind, Topics()))
        if path == PRIVATE:
            return PrivateSocket(peer, self._exchange, self.opened, idle_seconds(query), self._private)
        return TradeSocket(peer, self.opened, idle_seconds(query), address, self._trade)

    def closed(self, socket: Socket, address: str, kind: str) -> None:
        if socket in self._sockets:
            del self._sockets[socket]
            self._doors.leave(address, kind)
            socket.on_closed()

    def _sweep(self) -> None:
        self._is_sweeping = bool(self._sockets)
        now_ns = self._exchange.clock.monotonic_ns()
        for socket in tuple(self._sockets):
            socket.sweep(now_ns)
        if self._is_sweeping:
            self._timers.later(SWEEP_S, self._sweep)


class _Line:
    """A socket as the host drives it."""

    def __init__(self, board: Switchboard, socket: Socket, address: str, kind: str) -> None:
        self._board = board
        self._socket = socket
        self._address = address
        self._kind = kind

    def on_text(self, text: bytes) -> None:
        self._socket.on_text(text)

    def on_closed(self) -> None:
        self._board.closed(self._socket, self._address, self._kind)

"""One trading socket, from connecting to its end, and the requests that wait on it for their answers.

A request belongs to the socket that it was written on. When that is lost, what was written on it may have been carried
out, and is never written again: no request is queued for a socket to come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

from perpwire.clock import Clock
from perpwire.credentials import Credentials
from perpwire.http_message import HttpReply
from perpwire.transport.base import Socket, TransportFailed
from perpwire.transport.patience import Patience
from perpwire.venues.base import Control, Endpoint, Params, TradeReply, TradeSession


class LineOwner(Protocol):
    """Who is told of it."""

    @property
    def name(self) -> str: ...

    def late(self) -> None:
        """An answer came after its request had been given up."""
        ...

    def garbled(self, error: Exception) -> None:
        """A frame can't be read."""
        ...

    def gone(self, line: TradeLine) -> None:
        """It has ended."""
        ...


class TradeLine:
    """See transport.base.SocketListener.

    Attributes:
        ended: Done, with the reason, when nothing more may be written on it.
        waiting: Request id -> its answer to come.
        heard_ns: When the venue last said anything, monotonic.
    """

    def __init__(self, owner: LineOwner, session: TradeSession, id_prefix: str, clock: Clock) -> None:
        self.session = session
        self.socket: Socket | None = None
        self.login: asyncio.Future[Control] | None = None
        self.waiting: dict[str, asyncio.Future[HttpReply]] = {}
        self._monotonic_ns = clock.monotonic_ns
        self.heard_ns = self._monotonic_ns()
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = self._loop.create_future()
        self._is_lost = False
        self._answered = float("-inf")  # the loop's time of the last answer
        self._patience = Patience(self._give_up)
        self._id_prefix = id_prefix
        self._number = 0

    @property
    def name(self) -> str:
        return self._owner.name

    @property
    def is_usable(self) -> bool:
        """Requests may be written."""
        return not self.ended.done()

    # --- requests -------------------------------------------------------------------------------------------------

    def prepare(self, endpoint: Endpoint, params: Params, credentials: Credentials | None, venue_ms: int) -> Prepared:
        """See routes.Route."""
        self._number += 1
        request_id = f"{self._id_prefix}{self._number:x}"
        return Prepared(self, request_id, self.session.request(endpoint, params, credentials, venue_ms, request_id))

    def ask(self, request_id: str, frame: bytes, timeout_s: float) -> asyncio.Future[HttpReply]:
        """Write it; TransportFailed now where that can't be done, and later where no answer comes."""
        self.waiting[request_id] = answer = self._loop.create_future()
        was_sent = not self._is_lost and self.socket is not None and self.socket.send(frame)
        del frame  # key and signature are in it, and a traceback may show variables
        if not was_sent:
            del self.waiting[request_id]
            raise TransportFailed("the socket is lost", may_have_been_sent=False)
        self._patience.watch(answer, timeout_s)
        return answer

    def abandon(self, request_id: str) -> None:
        """Nobody waits for this answer any more."""
        if self.waiting.pop(request_id, None) is not None and not self.waiting and self.ended.done():
            self._drop()

    def _give_up(self, answer: asyncio.Future[HttpReply], began: float, seconds: float) -> None:
        answer.set_exception(TransportFailed(f"no answer within {seconds:g} s", may_have_been_sent=True))
        if self._answered < began:
            # Not one answer to anything since: whatever answers pings here, no venue is behind it.
            self.leave("requests are not answered")

    # --- life -----------------------------------------------------------------------------------------------------

    def ping(self) -> None:
        frame = self.session.ping()
        if self.socket is None:
            return
        if frame is None:
            self.socket.ping()
        else:
            self.socket.send(frame)

    def leave(self, reason: str) -> None:
        """Nothing more is written; answers that are still due may come."""
        if not self.ended.done():
            self.ended.set_result(reason)
        if not self.waiting:
            self._drop()

    def lose(self, reason: str) -> None:
        """It is gone, with what was due on it."""
        self._is_lost = True
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_exception(TransportFailed(reason, may_have_been_sent=True))
        if self.login is not None and not self.login.done():
            self.login.set_exception(TransportFailed(reason, may_have_been_sent=True))
            self.login.exception()  # nobody may be waiting
        if not self.ended.done():
            self.ended.set_result(reason)
        self._drop()

    def _drop(self) -> None:
        self._is_lost = True
        self._patience.close()
        self._owner.gone(self)
        socket, self.socket = self.socket, None
        if socket is not None:
            socket.abort()

    # --- what the socket says; called from the read callback --------------------------------------------------------

    def on_frames(self, frames: list[bytes], received_ns: int) -> None:
        self.heard_ns = self._monotonic_ns()
        for frame in frames:
            self._on_frame(frame)

    def _on_frame(self, frame: bytes) -> None:
        try:
            said = self.session.on_frame(frame)
        except Exception as error:
            # No frame may end the socket by being unreadable; what it answered runs into its timeout.
            self._owner.garbled(error)
            return
        if type(said) is Control:
            self._on_control(said)
            return
        assert type(said) is TradeReply
        self._answered = self._loop.time()
        answer = self.waiting.pop(said.request_id, None)
        if answer is None or answer.done():
            self._owner.late()
        else:
            answer.set_result(said.reply)
        if said.is_last:
            self.leave("the venue takes no more requests on it")
        elif not self.waiting and self.ended.done():
            self._drop()

    def _on_control(self, control: Control) -> None:
        if control.kind in ("logged_in", "login_refused"):
            if self.login is not None and not self.login.done():
                self.login.set_result(control)
        elif control.kind in ("closing", "token_expired"):
            self.leave(control.text or control.kind)

    def on_pong(self) -> None:
        self.heard_ns = self._monotonic_ns()

    def on_closed(self, reason: str) -> None:
        self.lose(reason)


class Prepared(NamedTuple):
    """One signed request for one socket; see routes.Prepared."""

    line: TradeLine
    request_id: str
    frame: bytes

    def __repr__(self) -> str:
        """Without the frame: a traceback may show it, and it bears key and signature."""
        return f"<Prepared {self.request_id} for {self.line.name}>"

    @property
    def where(self) -> str:
        return self.line.name

    def exchange(self, timeout_s: float, again: Callable[[], int]) -> asyncio.Future[HttpReply]:
        return self.line.ask(self.request_id, self.frame, timeout_s)

    def abandon(self) -> None:
        self.line.abandon(self.request_id)

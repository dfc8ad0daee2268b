"""The road over the venue's trading socket: one supervised socket, and the requests that wait on it for their answers.

A request belongs to the socket that it was written on. When that is lost, what was written on it ends in
OutcomeUnknown and is never written again: no request is queued for a socket to come.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, NamedTuple

from perpwire.api_connector.doors import refused_login
from perpwire.api_connector.lifecycle import NEXT, Change, State
from perpwire.api_connector.retry import is_refused_key, reconnect_pause_s
from perpwire.clock import Clock
from perpwire.credentials import Credentials
from perpwire.errors import APIError, AuthenticationFailed, NotSent, OutcomeUnknown
from perpwire.http_message import HttpReply
from perpwire.model.incident import (
    ConnectionFailing,
    ConnectionLost,
    ConnectionRecovered,
    FrameGarbled,
    Incident,
    LoginRefused,
)
from perpwire.transport.base import Socket, SocketTransport, TransportFailed
from perpwire.transport.patience import Patience
from perpwire.venues.base import Control, Costs, Endpoint, Hosts, Params, TradeReply, TradeSession, Venue

log = logging.getLogger("perpwire.api_connector")

CONNECT_TIMEOUT_S = 10.0
LOGIN_TIMEOUT_S = 10.0

EARLY_S = 600.0
"""A socket is replaced so long before the venue would end it,"""
ROTATION_RETRY_S = 60.0
"""and tried again after so long where that fails."""

SHORT_LIFE_S = 5.0
"""A socket lost sooner than this after it went live counts as a failed try: a venue that takes us and throws us out
again is not asked many times a second."""


class TradeRoute:
    """See request_path.SocketRoute. Nothing is connected before `open`, which never waits and never fails: until the
    socket is live, `is_live` is False and calls go by REST.

    Args:
        address: The socket's URL.
        sockets: Gives the transport when it is first needed.
        venue_ms: The venue's time, for the login.
        pay: Waits until the ledger has room for the handshake, and spends it.
        measure_clock: Asks the venue's time anew: a login is refused for a clock that has moved, too.
    """

    def __init__(
        self,
        venue: Venue,
        hosts: Hosts,
        address: str,
        *,
        sockets: Callable[[], SocketTransport],
        credentials: Credentials | None,
        clock: Clock,
        rng: random.Random,
        venue_ms: Callable[[], int],
        pay: Callable[[str, Costs], Awaitable[None]],
        measure_clock: Callable[[], Awaitable[None]],
        on_incident: Callable[[Incident], None],
    ) -> None:
        self.name = f"{venue.name}/trade"
        self.state = State.IDLE
        self.reconnects = 0
        self.renewals = 0
        """How often the socket was replaced before it grew too old."""
        self.late_answers = 0
        """Answers that came after their request had been given up."""
        self._venue = venue
        self._hosts = hosts
        self._address = address
        self._sockets = sockets
        self._credentials = credentials
        self.clock = clock
        self._rng = rng
        self._venue_ms = venue_ms
        self._pay = pay
        self._measure_clock = measure_clock
        self._on_incident = on_incident
        self._line: _Line | None = None
        self._lines: set[_Line] = set()
        """Also those that only wait for their last answers."""
        self._task: asyncio.Task[None] | None = None
        self._lost_since_ns: int | None = None
        self._attempts = 0

    # --- for the request path -------------------------------------------------------------------------------------

    @property
    def is_live(self) -> bool:
        """Connected, logged in, and not known to be lost."""
        return self._line is not None and self._line.is_usable

    @property
    def waiting(self) -> int:
        """Requests written and not answered yet."""
        return sum(len(line.waiting) for line in self._lines)

    def address(self, endpoint: Endpoint) -> str:
        """See request_path.Route."""
        return self._address

    def open(self) -> None:
        """Begin to connect, unless that was begun already."""
        if self._task is None and self.state is State.IDLE:
            self._change(Change.START)
            self._task = asyncio.create_task(self._run(), name=f"perpwire {self.name}")

    def prepare(self, endpoint: Endpoint, params: Params, credentials: Credentials | None, venue_ms: int) -> Prepared:
        """See request_path.Route.

        Raises:
            NotSent: The socket is not live.
            BadInput: A parameter can't be written.
        """
        line = self._line
        if line is None or not line.is_usable:
            raise self.not_sent(endpoint.name, "it is not live")
        request_id = line.next_id()
        frame = line.session.request(endpoint, params, credentials, venue_ms, request_id)
        return Prepared(line, endpoint.name, request_id, frame)

    async def close(self) -> None:
        """End it for good; what still waits for an answer ends in OutcomeUnknown."""
        self._change(Change.CLOSE)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._line = None
        for line in tuple(self._lines):
            line.lose("closed by us")

    # --- for its sockets ------------------------------------------------------------------------------------------

    def not_sent(self, call: str, why: str) -> NotSent:
        return NotSent(f"{self.name}: {why}", venue=self._venue.name, call=call, code="TRANSPORT")

    def doubt(self, call: str, why: str) -> OutcomeUnknown:
        return OutcomeUnknown(f"{self.name}: {why}", venue=self._venue.name, call=call, code="TRANSPORT")

    def garbled(self, error: Exception) -> None:
        log.warning("%s: a frame can't be read: %s", self.name, type(error).__name__)
        self._on_incident(
            FrameGarbled(
                venue=self._venue.name,
                time_ns=self.clock.time_ns(),
                detail=f"{self.name} said what can't be read ({type(error).__name__})",
                connection=self.name,
            )
        )

    def gone(self, line: _Line) -> None:
        self._lines.discard(line)

    # --- supervision ----------------------------------------------------------------------------------------------

    def _change(self, change: Change) -> None:
        self.state = NEXT[self.state, change]

    async def _run(self) -> None:
        failures = refusals = 0
        while True:
            self._attempts += 1
            began_ns, refused = None, False
            try:
                line = await self._bring_up(self._change)
                began_ns = self.clock.monotonic_ns()
                self._take_up(line)
                reason = await self._serve(line)
            except (TransportFailed, APIError, TimeoutError) as error:
                refused = is_refused_key(error)
                reason = str(error) if refused else getattr(error, "reason", "") or "no answer in time"
            refusals = refusals + 1 if refused else 0
            lived_s = 0.0 if began_ns is None else (self.clock.monotonic_ns() - began_ns) / 1e9
            failures = 0 if lived_s >= SHORT_LIFE_S else failures + 1
            self._change(Change.LOST)
            self._tell_lost(reason, failures, was_live=began_ns is not None, refused=refused)
            # The first loss of a socket that was live is mended at once, however short it lived.
            in_a_row = failures if began_ns is None else max(0, failures - 1)
            await self.clock.sleep(reconnect_pause_s(in_a_row, self._rng, refusals))
            if refused:
                with suppress(APIError):
                    await self._measure_clock()
            self._change(Change.RETRY)

    async def _bring_up(self, change: Callable[[Change], None]) -> _Line:
        """A new socket, connected and logged in."""
        session = self._venue.trade_session()
        await self._pay("connect", session.opening_costs)
        line = _Line(self, session, f"{self._rng.getrandbits(40):010x}-")
        self._lines.add(line)
        try:
            line.socket = await self._sockets().connect(self._address, line, CONNECT_TIMEOUT_S)
            change(Change.OPENED)
            await self._log_in(line)
            change(Change.LOGGED_IN)
            change(Change.SUBSCRIBED)
        except BaseException:
            line.lose("it could not be brought up")
            raise
        return line

    async def _log_in(self, line: _Line) -> None:
        frame = None
        if self._credentials is not None:
            frame = line.session.login(self._credentials, self._venue_ms())
        if frame is None:
            if line.session.needs_login:
                raise AuthenticationFailed(
                    f"{self.name} needs an API key", venue=self._venue.name, call="log in", code="NO_CREDENTIALS"
                )
            return
        line.login = asyncio.get_running_loop().create_future()
        if line.socket is None or not line.socket.send(frame):
            raise TransportFailed("lost before the login", may_have_been_sent=False)
        async with asyncio.timeout(LOGIN_TIMEOUT_S):
            control = await line.login
        if control.kind == "login_refused" and self._credentials is not None:
            raise refused_login(control, self.name, self._venue, self._hosts, self._address, self._credentials)

    def _take_up(self, line: _Line) -> None:
        self._line = line
        if self._lost_since_ns is None:
            return
        outage_s = (self.clock.monotonic_ns() - self._lost_since_ns) / 1e9
        self._lost_since_ns = None
        self.reconnects += 1
        self._on_incident(
            ConnectionRecovered(
                venue=self._venue.name,
                time_ns=self.clock.time_ns(),
                detail=f"{self.name} is live again after {outage_s:.2f} s",
                connection=self.name,
                outage_s=outage_s,
                attempts=self._attempts,
            )
        )

    def _tell_lost(self, reason: str, failures: int, *, was_live: bool, refused: bool) -> None:
        if not was_live:
            self._on_incident(
                (LoginRefused if refused else ConnectionFailing)(
                    venue=self._venue.name,
                    time_ns=self.clock.time_ns(),
                    detail=f"{self.name} can't be kept: {reason}; calls go by REST",
                    connection=self.name,
                    attempts=failures,
                )
            )
        if self._lost_since_ns is None:
            self._lost_since_ns = self.clock.monotonic_ns()
            self._attempts = 0
            self._on_incident(
                ConnectionLost(
                    venue=self._venue.name,
                    time_ns=self.clock.time_ns(),
                    detail=f"{self.name} was lost: {reason}; calls go by REST",
                    connection=self.name,
                )
            )

    async def _serve(self, line: _Line) -> str:
        """Ping at the heartbeat's pace, give up a socket that says nothing for two beats, and replace one that grows
        old; returns why the present one can't be used any more."""
        beat_s = self._venue.heartbeat_s
        renew_ns = self._renew_ns(line)
        while True:
            try:
                async with asyncio.timeout(beat_s):
                    return await asyncio.shield(line.ended)
            except TimeoutError:
                pass
            now_ns = self.clock.monotonic_ns()
            silent_s = (now_ns - line.heard_ns) / 1e9
            if silent_s > 2 * beat_s:
                line.lose(f"silent for {silent_s:.0f} s, pings unanswered")
                continue
            line.ping()
            if renew_ns is not None and now_ns >= renew_ns:
                successor = await self._successor()
                if successor is None:
                    renew_ns = now_ns + round(ROTATION_RETRY_S * 1e9)
                    continue
                # From here on requests are written on the new one; the old one ends with its last answer.
                self._line = successor
                self.renewals += 1
                line.leave("grown old")
                line, renew_ns = successor, self._renew_ns(successor)

    def _renew_ns(self, line: _Line) -> int | None:
        lifetime_s = line.session.lifetime_s
        if lifetime_s is None:
            return None
        # Spread, so that not all of a user's programs do it at once.
        early_s = min(EARLY_S, lifetime_s / 10) * self._rng.uniform(1.0, 2.0)
        return self.clock.monotonic_ns() + round((lifetime_s - early_s) * 1e9)

    async def _successor(self) -> _Line | None:
        try:
            return await self._bring_up(lambda change: None)
        except (TransportFailed, APIError, TimeoutError) as error:
            log.info("%s can't be replaced yet: %s", self.name, getattr(error, "reason", "no answer in time"))
            return None


class _Line:
    """One socket from connecting to its end; see transport.base.SocketListener."""

    def __init__(self, route: TradeRoute, session: TradeSession, id_prefix: str) -> None:
        self.session = session
        self.socket: Socket | None = None
        self.login: asyncio.Future[Control] | None = None
        self.waiting: dict[str, asyncio.Future[HttpReply]] = {}
        self._monotonic_ns = route.clock.monotonic_ns
        self.heard_ns = self._monotonic_ns()
        self._route = route
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = self._loop.create_future()
        self._is_lost = False
        self._answered = float("-inf")  # the loop's time of the last answer
        self._patience = Patience(self._give_up)
        self._id_prefix = id_prefix
        self._number = 0

    @property
    def is_usable(self) -> bool:
        """Requests may be written."""
        return not self.ended.done()

    def next_id(self) -> str:
        self._number += 1
        return f"{self._id_prefix}{self._number:x}"

    # --- requests -------------------------------------------------------------------------------------------------

    async def exchange(self, call: str, request_id: str, frame: bytes, timeout_s: float) -> HttpReply:
        answer: asyncio.Future[HttpReply] = self._loop.create_future()
        self.waiting[request_id] = answer
        try:
            if self._is_lost or self.socket is None or not self.socket.send(frame):
                raise self._route.not_sent(call, "the socket is lost")
            self._patience.watch(answer, timeout_s)
            return await answer
        except TransportFailed as failure:
            raise self._route.doubt(call, failure.reason) from None
        finally:
            del self.waiting[request_id]
            if not self.waiting and self.ended.done():
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
        self._route.gone(self)
        socket, self.socket = self.socket, None
        if socket is not None:
            socket.abort()

    # --- what the socket says; called from the read callback --------------------------------------------------------

    def on_frame(self, frame: bytes, received_ns: int) -> None:
        self.heard_ns = self._monotonic_ns()
        try:
            said = self.session.on_frame(frame)
        except Exception as error:
            # No frame may end the socket by being unreadable; what it answered runs into its timeout.
            self._route.garbled(error)
            return
        if type(said) is Control:
            self._on_control(said)
            return
        assert type(said) is TradeReply
        self._answered = self._loop.time()
        answer = self.waiting.get(said.request_id)
        if answer is None or answer.done():
            self._route.late_answers += 1
        else:
            answer.set_result(said.reply)
        if said.is_last:
            self.leave("the venue takes no more requests on it")

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
    """One signed request for one socket; see request_path.Prepared."""

    line: _Line
    call: str
    request_id: str
    frame: bytes

    def exchange(self, timeout_s: float, again: Callable[[], int]) -> Coroutine[Any, Any, HttpReply]:
        return self.line.exchange(self.call, self.request_id, self.frame, timeout_s)

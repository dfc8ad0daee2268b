"""The road over the venue's trading socket: kept up, watched, and renewed before it grows too old.

One socket, and the requests on it, are trade_line.py.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from perpwire.api_connector.doors import refused_login
from perpwire.api_connector.kept_up import tell_failed
from perpwire.api_connector.lifecycle import NEXT, Change, State
from perpwire.api_connector.retry import is_refused_key, is_told, reconnect_pause_s
from perpwire.api_connector.trade_line import Prepared, TradeLine
from perpwire.clock import Clock
from perpwire.credentials import Credentials
from perpwire.errors import APIError, AuthenticationFailed, NotSent
from perpwire.model.incident import (
    ConnectionFailing,
    ConnectionLost,
    ConnectionRecovered,
    FrameGarbled,
    Incident,
    LoginRefused,
)
from perpwire.raised import RAISED, is_our_end
from perpwire.transport.base import SocketTransport, TransportFailed
from perpwire.venues.base import Costs, Endpoint, Hosts, Params, Venue

log = logging.getLogger("perpwire.api_connector")

CONNECT_TIMEOUT_S = 10.0
LOGIN_TIMEOUT_S = 10.0

EARLY_S = 600.0
"""A socket is replaced so long before the venue would end it,"""
ROTATION_RETRY_S = 60.0
INSTEAD = "REST"
"""What calls go by while the socket is away."""

"""and tried again after so long where that fails."""

SHORT_LIFE_S = 5.0
"""A socket lost sooner than this after it went live counts as a failed try: a venue that takes us and throws us out
again is not asked many times a second."""


class TradeRoute:
    """See routes.SocketRoute. Nothing is connected before `open`, which never waits and never fails: until the
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
        self._line: TradeLine | None = None
        self._lines: set[TradeLine] = set()
        """Also those that only wait for their last answers."""
        self._task: asyncio.Task[None] | None = None
        self._lost_since_ns: int | None = None
        self._attempts = 0
        self._failing: type[ConnectionFailing] | None = None
        self._tried = asyncio.Event()

    # --- for the request path -------------------------------------------------------------------------------------

    @property
    def is_live(self) -> bool:
        """Connected, logged in, and not known to be lost."""
        line = self._line
        return line is not None and not line.ended.done()

    @property
    def waiting(self) -> int:
        """Requests written and not answered yet."""
        return sum(len(line.waiting) for line in self._lines)

    def address(self, endpoint: Endpoint) -> str:
        """See routes.Route."""
        return self._address

    def open(self) -> None:
        """Begin to connect, unless that was begun already."""
        if self._task is None and self.state is State.IDLE:
            self._change(Change.START)
            self._task = asyncio.create_task(self._run(), name=f"perpwire {self.name}")

    async def first_try(self) -> None:
        """Returns when the first socket is live, or could not be had."""
        await self._tried.wait()

    def prepare(self, endpoint: Endpoint, params: Params, credentials: Credentials | None, venue_ms: int) -> Prepared:
        """See routes.Route.

        Raises:
            NotSent: The socket is not live.
            BadInput: A parameter can't be written.
        """
        line = self._line
        if line is None or not line.is_usable:
            raise NotSent(f"{self.name}: it is not live", venue=self._venue.name, call=endpoint.name, code="TRANSPORT")
        return line.prepare(endpoint, params, credentials, venue_ms)

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

    def late(self) -> None:
        self.late_answers += 1

    def garbled(self, error: Exception) -> None:
        self._on_incident(
            FrameGarbled(
                venue=self._venue.name,
                time_ns=self.clock.time_ns(),
                why=type(error).__name__,
                connection=self.name,
            )
        )

    def gone(self, line: TradeLine) -> None:
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
            except RAISED as error:  # whatever it is, the socket must not stay away by it
                if is_our_end(error):
                    raise
                tell_failed(error, f"the socket {self.name}", self._venue.name, self.clock, self._on_incident)
                reason = f"{type(error).__name__}: {error}"
                if self._line is not None:
                    self._line.lose(reason)
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

    async def _bring_up(self, change: Callable[[Change], None]) -> TradeLine:
        """A new socket, connected and logged in."""
        session = self._venue.trade_session()
        await self._pay("connect", session.opening_costs)
        line = TradeLine(self, session, f"{self._rng.getrandbits(40):010x}-", self.clock)
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

    async def _log_in(self, line: TradeLine) -> None:
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
        is_sent = line.socket is not None and line.socket.send(frame)
        del frame  # a traceback may show variables: this one signs
        if not is_sent:
            raise TransportFailed("lost before the login", may_have_been_sent=False)
        async with asyncio.timeout(LOGIN_TIMEOUT_S):
            control = await line.login
        if control.kind == "login_refused" and self._credentials is not None:
            raise refused_login(control, self.name, self._venue, self._hosts, self._address, self._credentials)

    def _take_up(self, line: TradeLine) -> None:
        self._line = line
        self._tried.set()
        if self._lost_since_ns is None:
            return
        outage_s = (self.clock.monotonic_ns() - self._lost_since_ns) / 1e9
        self._lost_since_ns = None
        self.reconnects += 1
        self._on_incident(
            ConnectionRecovered(
                venue=self._venue.name,
                time_ns=self.clock.time_ns(),
                connection=self.name,
                outage_s=outage_s,
                attempts=self._attempts,
            )
        )

    def _tell_lost(self, reason: str, failures: int, *, was_live: bool, refused: bool) -> None:
        self._tried.set()
        kind = None if was_live else LoginRefused if refused else ConnectionFailing
        if kind is not None and (is_told(failures) or kind is not self._failing):
            self._on_incident(
                kind(
                    venue=self._venue.name,
                    time_ns=self.clock.time_ns(),
                    why=reason,
                    connection=self.name,
                    attempts=failures,
                    instead=INSTEAD,
                )
            )
        self._failing = kind
        if self._lost_since_ns is None:
            self._lost_since_ns = self.clock.monotonic_ns()
            self._attempts = 0
            self._on_incident(
                ConnectionLost(
                    venue=self._venue.name,
                    time_ns=self.clock.time_ns(),
                    why=reason,
                    connection=self.name,
                    instead=INSTEAD,
                )
            )

    async def _serve(self, line: TradeLine) -> str:
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

    def _renew_ns(self, line: TradeLine) -> int | None:
        lifetime_s = line.session.lifetime_s
        if lifetime_s is None:
            return None
        # Spread, so that not all of a user's programs do it at once.
        early_s = min(EARLY_S, lifetime_s / 10) * self._rng.uniform(1.0, 2.0)
        return self.clock.monotonic_ns() + round((lifetime_s - early_s) * 1e9)

    async def _successor(self) -> TradeLine | None:
        try:
            return await self._bring_up(lambda change: None)
        except (TransportFailed, APIError, TimeoutError) as error:
            log.info("%s can't be replaced yet: %s", self.name, getattr(error, "reason", "no answer in time"))
            return None

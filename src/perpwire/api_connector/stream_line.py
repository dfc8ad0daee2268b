"""One socket after another: lost, it is replaced for ever; old, or partly mute, it has a successor before it goes."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Collection
from typing import Protocol

from perpwire.api_connector.retry import is_refused_key, is_told, reconnect_pause_s
from perpwire.api_connector.stream_socket import StreamSocket
from perpwire.api_connector.topic_watch import Verdict
from perpwire.clock import Clock
from perpwire.data_processor.seam import LATE_S
from perpwire.errors import APIError
from perpwire.raised import RAISED, is_our_end
from perpwire.transport.base import TransportFailed

log = logging.getLogger("perpwire.api_connector")

BEAT_S = 1.0
"""Between two looks at a socket."""

LATEST_BEAT_S = 2.0
"""A beat that comes later than this was held up; it counts for no more."""

ROTATE_BEFORE = 1 / 48
"""Of its life that is left when a socket is replaced at the latest: half an hour of a day."""

ROTATE_SPREAD = 1 / 24
"""Of its life over which replacements are spread: an hour of a day."""

MENDED_S = 3.0
"""What broke off is subscribed anew so soon; also the pause, where none of it can be read."""

LINGER_S = 3.0
"""Old and new socket live side by side at least so long: what was under way on the old one arrives."""

RECENT_S = 2.5
"""What was heard so lately speaks."""

PROOF_S = 35.0
"""A successor that is deaf to what the old socket hears, for so long, is given up."""


class Owner(Protocol):
    """What a line needs of the connection that it belongs to."""

    @property
    def heartbeat_s(self) -> float: ...

    def make(self) -> StreamSocket:
        """A new socket, not opened yet."""
        ...

    async def furnish(self, socket: StreamSocket, *, again: bool) -> None:
        """Connect, log in, subscribe all."""
        ...

    async def ask_again(self, socket: StreamSocket) -> None:
        """Subscribe what should be subscribed on it and is not."""
        ...

    def is_live(self, socket: StreamSocket) -> None:
        """It has been furnished, and carries the topics."""
        ...

    def is_lost(self, socket: StreamSocket, reason: str) -> None:
        """It carries nothing any more."""
        ...

    def is_bad(self, socket: StreamSocket, verdict: Verdict) -> Collection[str]:
        """Told of topics that do not speak; gives those that a further socket of this kind may help."""
        ...

    def has_failed(self, error: Exception, reason: str, failures: int) -> bool:
        """A try was in vain. False: there is to be no other."""
        ...

    def unforeseen(self, error: BaseException) -> None:
        """It ended a socket; nobody foresaw it."""
        ...

    async def pause(self, seconds: float, *, may_be_cut_short: bool) -> None:
        """Before the next try; cut short when another socket comes through."""
        ...

    def tend(self) -> None:
        """Once a second."""
        ...

    def join(self, socket: StreamSocket) -> None:
        """What it says waits for no other socket any longer; it carries the connection."""
        ...

    def waits(self, socket: StreamSocket, beside: Collection[str]) -> bool:
        """Whether something that it said still waits, of other topics than these."""
        ...

    def discard(self, socket: StreamSocket) -> None:
        """It is no longer part of the connection."""
        ...


class StreamLine:
    """See module docstring.

    Args:
        life_s: The venue ends a socket when it is so old; None: it does not.
    """

    def __init__(self, owner: Owner, clock: Clock, rng: random.Random, life_s: float | None) -> None:
        self._owner = owner
        self._clock = clock
        self._rng = rng
        self._life_s = life_s
        self.socket: StreamSocket | None = None
        self.successions = 0
        """How often a successor has taken over."""
        self._heir: asyncio.Task[StreamSocket | None] | None = None
        self._leave = ""
        self._not_before_s = 0.0
        self._in_vain = 0
        self._unanswered = 0

    async def run(self) -> None:
        """Until cancelled, or the owner wants no further try."""
        failures = refusals = 0
        again = False
        while True:
            socket = self.socket = self._owner.make()
            self._unanswered = 0
            try:
                await self._owner.furnish(socket, again=again)
                failures = refusals = 0
                socket = await self._keep(socket)
                self._owner.is_lost(socket, socket.ended.result())
            except Exception as error:  # whatever it is, the stream must not end by it
                refused = is_refused_key(error)
                reason = str(error) if refused else self._reason(error)
                socket = self.socket or socket  # perhaps a successor of the one that was made here
                failures += 1
                refusals = refusals + 1 if refused else 0
                socket.end(reason)
                if not self._owner.has_failed(error, reason, failures):
                    return
                self._owner.is_lost(socket, reason)
            finally:
                self._owner.discard(socket)
            again = True
            pause_s = reconnect_pause_s(failures, self._rng, refusals)
            await self._owner.pause(pause_s, may_be_cut_short=failures > 0 and not refusals)

    async def close(self) -> None:
        """End its sockets; `run` is cancelled by whoever runs it."""
        heir, self._heir = self._heir, None
        if heir is not None:
            heir.cancel()
            await asyncio.gather(heir, return_exceptions=True)
        if self.socket is not None:
            self.socket.close()

    def cut(self, reason: str) -> None:
        """`run` has ended, and nobody wanted that: nothing that it had goes on unwatched."""
        heir, self._heir = self._heir, None
        if heir is not None and not heir.cancel() and not heir.cancelled() and not heir.exception():
            successor = heir.result()
            if successor is not None:
                self._put_away(successor, reason)
        if self.socket is not None:
            self.socket.end(reason)
            self._owner.is_lost(self.socket, reason)

    def replace_soon(self, why: str) -> None:
        """The venue says that the socket will end: have a successor ready."""
        self._leave = why

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _keep(self, socket: StreamSocket) -> StreamSocket:
        """Watch over a socket, and those that succeed it; gives the last one when it has ended."""
        self._owner.is_live(socket)
        # What was asked for while it was just being furnished would wait for the next heartbeat.
        await self._guarded(socket, self._owner.ask_again(socket))
        rotate_s = self._rotates_at(socket)
        last_s, since_asked_s = self._now_s(), 0.0
        while True:
            await asyncio.wait({socket.ended, *(() if self._heir is None else (self._heir,))}, timeout=BEAT_S)
            if self._heir is not None and (self._heir.done() or socket.ended.done()):
                heir = await self._taken(socket, self._heir)
                self._heir = None
                if heir is not None:
                    socket, rotate_s = heir, self._rotates_at(heir)
                    await self._guarded(socket, self._owner.ask_again(socket))
                    continue
            if socket.ended.done():
                return socket
            now_s = self._now_s()
            step_s, last_s = min(now_s - last_s, LATEST_BEAT_S), now_s
            since_asked_s += step_s
            if since_asked_s >= (MENDED_S if socket.broken_off else self._owner.heartbeat_s):
                since_asked_s = 0.0
                await self._guarded(socket, self._owner.ask_again(socket))
            await self._guarded(socket, socket.beat(step_s))
            self._judge(socket, now_s >= rotate_s)
            self._owner.tend()

    async def _guarded(self, socket: StreamSocket, work: Awaitable[None]) -> None:
        try:
            await work
        except TransportFailed:
            pass  # it has ended, which is seen next
        except TimeoutError:
            socket.end("a subscription was not answered")
        except APIError as error:
            self._unanswered += 1
            if is_told(self._unanswered):
                log.warning("%s can't be asked for its topics (tries: %d): %s", socket.name, self._unanswered, error)

    def _judge(self, socket: StreamSocket, is_old: bool) -> None:
        verdict = socket.look(self._now_s())
        if socket.ended.done():
            return
        free: Collection[str] = ()
        why = self._leave or ("it is old" if is_old else "")
        if verdict.bad:
            free = self._owner.is_bad(socket, verdict) if verdict.is_sure else ()
            if verdict.is_dead and verdict.is_proven and free:
                socket.watch.gave_no_help(verdict.bad)
                socket.end(f"no data for {verdict.silent_s:.0f} s")
                return
            if free:
                why = f"{', '.join(free)} is mute"
        if why and self._heir is None and self._now_s() >= self._not_before_s:
            log.info("%s has a successor made: %s", socket.name, why)
            socket.watch.gave_no_help(free)
            self._leave = ""
            heir = self._owner.make()
            self._heir = asyncio.create_task(self._raise(heir, socket, free), name=f"perpwire {socket.name} successor")

    async def _raise(self, heir: StreamSocket, old: StreamSocket, free: Collection[str]) -> StreamSocket | None:
        """Bring a successor up until it hears what the old socket hears; None where it does not."""
        try:
            await self._owner.furnish(heir, again=True)
            if await self._proves_itself(heir, old, free):
                return heir
            reason = "it hears less than the one before it"
        except RAISED as error:
            if is_our_end(error):
                self._put_away(heir, "not wanted any more")
                raise
            reason = self._reason(error)
        log.info("the successor of %s is given up: %s", old.name, reason)
        self._in_vain += 1
        self._not_before_s = self._now_s() + reconnect_pause_s(self._in_vain, self._rng)
        self._put_away(heir, reason)
        return None

    def _put_away(self, heir: StreamSocket, reason: str) -> None:
        heir.end(reason)
        self._owner.discard(heir)

    async def _proves_itself(self, heir: StreamSocket, old: StreamSocket, free: Collection[str]) -> bool:
        began_s = self._now_s()
        while True:
            await asyncio.wait({heir.ended, old.ended}, timeout=BEAT_S)
            if heir.ended.done():
                return False
            if old.ended.done():
                return True
            now_s = self._now_s()
            aside_s = now_s - began_s
            await heir.beat(BEAT_S)
            deaf = heir.look(now_s).silent
            if any(topic in deaf for topic in free):
                return any(heir.watch.has_spoken(topic) for topic in free)
            # A late old socket may still be catching up; one that does not speak any more will not.
            mute = [
                topic for topic in heir.confirmed if not old.watch.spoke_since(topic, max(began_s, now_s - RECENT_S))
            ]
            if aside_s < LINGER_S or (aside_s < LATE_S + BEAT_S and self._owner.waits(heir, mute)):
                continue
            # What the old one has heard since, it must have heard too, give or take a beat.
            missing = [
                topic
                for topic in heir.confirmed
                if not heir.watch.has_spoken(topic)
                and (topic in free or old.watch.spoke_since(topic, began_s + BEAT_S))
            ]
            if not missing:
                return True
            if aside_s >= PROOF_S:
                return False

    async def _taken(self, old: StreamSocket, heir: asyncio.Task[StreamSocket | None]) -> StreamSocket | None:
        """The successor, as soon as it is there; the old socket may have ended meanwhile."""
        if old.ended.done():
            self._owner.is_lost(old, old.ended.result())
        new = await heir
        if new is None:
            return None
        self.successions += 1
        self._in_vain = 0
        self.socket = new
        if not old.ended.done():
            self._owner.join(new)
        self._owner.is_live(new)
        old.close()
        self._owner.discard(old)
        return new

    def _rotates_at(self, socket: StreamSocket) -> float:
        if self._life_s is None:
            return float("inf")
        early = ROTATE_BEFORE + ROTATE_SPREAD * self._rng.random()
        return socket.opened_s + self._life_s * (1 - early)

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, TransportFailed | APIError):
            return error.reason
        if isinstance(error, TimeoutError):
            return "no answer in time"
        self._owner.unforeseen(error)
        return f"{type(error).__name__}: {error}"

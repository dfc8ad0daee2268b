"""The page's stream: what is true now once a second, and what has happened since the visitor's last look.

Server-sent events (HTML standard, 9.2). Each message is made once for all visitors; what differs between them is only
how much of the past they have missed. A visitor who does not read misses looks, and is dropped: nothing queues up.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from aiohttp import web

from perpwire.clock import Clock
from perpwire.gateway.assets import takes_gzip
from perpwire.gateway.showing import About, Shown
from perpwire.raised import RAISED

log = logging.getLogger("perpwire.gateway")

MOST_INCIDENTS = 500
"""Told at once: the newest ones."""


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The first message. Who knew another `run` forgets what it was told."""

    run: str
    about: About


class LiveFeed:
    """Tells every visitor.

    Args:
        shown: What there is to be told.
        run: Names this process: a visitor that comes back to another one begins anew.
        period_s: From one look to the next.
        most: Visitors at a time.
        patience_s: Who has not taken a message for so long is dropped.
    """

    def __init__(
        self, shown: Shown, clock: Clock, *, run: str, period_s: float = 1.0, most: int = 32, patience_s: float = 10.0
    ) -> None:
        self._shown = shown
        self._clock = clock
        self._run = run
        self._period_s = period_s
        self._most = most
        self._patience_s = patience_s
        self._visitors: set[asyncio.Task[Any]] = set()
        self._look = asyncio.Event()
        self._message = b""
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0
        """Visitors who did not read."""

    @property
    def visitors(self) -> int:
        return len(self._visitors)

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._look_on())

    async def close(self) -> None:
        """End, and hang up."""
        tasks = [*self._visitors, *([self._task] if self._task is not None else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=0.5)

    async def _look_on(self) -> None:
        while True:
            if self._visitors:
                try:
                    self._message = _message("snapshot", self._shown.now())
                except RAISED:  # a page that stands still says so by itself; it must not end for ever
                    log.exception("the page's look failed")
                else:
                    look, self._look = self._look, asyncio.Event()
                    look.set()
            await self._clock.sleep(self._period_s)

    # --- one visitor --------------------------------------------------------------------------------------------------

    async def visit(self, request: web.Request) -> web.StreamResponse:
        """Tell one visitor, until it goes or we end."""
        if len(self._visitors) >= self._most:
            return web.Response(
                status=503, text=f"{self._most} pages are open already\n", headers={"Retry-After": "10"}
            )
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        line: Callable[[bytes], bytes] = _plain
        if takes_gzip(request.headers.get("Accept-Encoding", "")):
            response.headers["Content-Encoding"] = "gzip"
            line = _zipped()
        task = asyncio.current_task()
        assert task is not None  # aiohttp calls us in one
        self._visitors.add(task)
        try:
            await response.prepare(request)
            await self._tell_on(request, response, line)
        except (ConnectionError, asyncio.CancelledError):
            pass  # it went, or we end
        except TimeoutError:
            self.dropped += 1
            if request.transport is not None:
                request.transport.abort()  # what waits in its buffer would keep it for ever
        finally:
            self._visitors.discard(task)
        return response

    async def _tell_on(
        self, request: web.Request, response: web.StreamResponse, line: Callable[[bytes], bytes]
    ) -> None:
        async def tell(messages: Iterable[bytes]) -> None:
            async with asyncio.timeout(self._patience_s):
                await response.write(line(b"".join(messages)))

        known, told_to_ns = self._last_seen(request), self._shown.now_ns()
        known, incidents = self._incidents_after(known)
        await tell(
            (
                b"retry: 1000\n",
                _message("hello", Hello(run=self._run, about=self._shown.about)),
                *(_message("history", one) for one in self._shown.pasts()),
                incidents,
                _message("snapshot", self._shown.now()),
            )
        )
        while True:
            await self._look.wait()
            since_ns, told_to_ns = told_to_ns, self._shown.now_ns()
            known, incidents = self._incidents_after(known)
            await tell((*(_message("history", one) for one in self._shown.pasts(since_ns)), incidents, self._message))

    def _incidents_after(self, known: int) -> tuple[int, bytes]:
        """The message that tells of them, b"" where there are none; and the newest that is known then."""
        incidents = self._shown.incidents(known, MOST_INCIDENTS)
        if not incidents:
            return known, b""
        return incidents[-1].id, _message("incidents", incidents, f"{self._run}-{incidents[-1].id}")

    def _last_seen(self, request: web.Request) -> int:
        """The last incident that the visitor knows, by what its browser says when it comes back; 0: none of ours."""
        known = request.headers.get("Last-Event-ID") or request.query.get("last", "")
        run, _, number = known.rpartition("-")
        return int(number) if run == self._run and number.isdecimal() and len(number) < 16 else 0


def _message(name: str, data: object, event_id: str = "") -> bytes:
    head = f"event: {name}\n" + (f"id: {event_id}\n" if event_id else "")
    return b"%sdata: %s\n\n" % (head.encode(), msgspec.json.encode(data))  # JSON has no line breaks of its own


def _plain(data: bytes) -> bytes:
    return data


def _zipped() -> Callable[[bytes], bytes]:
    """One look is much like the one before it: a tenth is left."""
    stream = zlib.compressobj(3, zlib.DEFLATED, 31)

    def line(data: bytes) -> bytes:
        return stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)

    return line

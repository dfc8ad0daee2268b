"""The key by which an account's socket is opened (Binance's listenKey): made, kept alive, and given up in time.

A key that dies takes its stream with it without a word: the socket stays open and mute. So a failed keep-alive is
tried again within seconds, and a key that the venue does not know any more, or that nobody could keep alive for an
hour less a minute, is given up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.retry import is_told
from perpwire.clock import Clock
from perpwire.errors import APIError, Busy, ClockSkewed, NotAllowed, RateLimited, VenueRefused
from perpwire.venues.base import StreamToken

log = logging.getLogger("perpwire.api_connector")

AGAIN_S = (1.0, 2.0, 4.0, 8.0)
"""Pauses after the first failures; after that AT_MOST_EVERY_S."""

AT_MOST_EVERY_S = 30.0


class TokenKeeper:
    """One for an account's stream.

    Args:
        keep_up: Runs what must not end by an error that nobody foresaw.
        on_gone: Called with the reason when the key is dead, or must be taken for dead.
    """

    def __init__(
        self,
        token: StreamToken,
        requests: RequestPath,
        clock: Clock,
        on_gone: Callable[[str], None],
        keep_up: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]],
    ) -> None:
        self._token = token
        self._requests = requests
        self._clock = clock
        self._on_gone = on_gone
        self._keep_up = keep_up
        self._failures = 0
        self._tried_s = 0.0
        self._alive_s = 0.0
        """When the venue last said that the key lives."""
        self._task: asyncio.Task[None] | None = None

    async def create(self) -> str:
        """A key for a new socket; the venue may give the one that it gave before. After five failures in a row there is
        at most one try in 30 seconds, however often it is asked for.

        Raises:
            APIError: There is none to be had now.
        """
        if self._failures > len(AGAIN_S):
            await self._clock.sleep(max(0.0, self._tried_s + AT_MOST_EVERY_S - self._now_s()))
        self._tried_s = self._now_s()
        try:
            key = await self._requests.run(self._token.create, tries=1)
        except APIError:
            self._failures += 1
            raise
        self._failures = 0
        self._alive_s = self._now_s()
        return key

    def keep(self) -> None:
        """Keep it alive from now on."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._kept(), name="perpwire stream token")

    async def _kept(self) -> None:
        await self._keep_up(self._keep)

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self) -> None:
        failures = 0
        while True:
            due_s = self._alive_s + self._token.every_s
            if failures:
                pause_s = AGAIN_S[failures - 1] if failures <= len(AGAIN_S) else AT_MOST_EVERY_S
                due_s = self._now_s() + pause_s
            await self._clock.sleep(max(0.0, due_s - self._now_s()))
            if not failures and self._now_s() < self._alive_s + self._token.every_s:
                continue  # a new one was made meanwhile
            asked_s = self._now_s()
            try:
                await self._requests.run(self._token.keep_alive, tries=1)
            except APIError as error:
                if self._alive_s > asked_s:
                    failures = 0  # it was about the key before
                    continue
                failures += 1
                reason = self._verdict(error)
                if reason is None:
                    if is_told(failures):
                        log.warning("the private stream's key can't be kept alive (tries: %d): %s", failures, error)
                    continue
                failures = 0
                self._alive_s = self._now_s()  # the next socket fetches another
                self._on_gone(reason)
            else:
                failures = 0
                self._alive_s = self._now_s()

    def _verdict(self, error: APIError) -> str | None:
        """Why the key is to be given up; None while it may live."""
        # NotAllowed is about the account's API key: a new stream key would be refused too, and this one may live.
        if isinstance(error, VenueRefused) and not isinstance(error, Busy | RateLimited | ClockSkewed | NotAllowed):
            return f"the stream's key was refused: {error.reason}"
        if self._now_s() >= self._alive_s + self._token.lives_s:
            return f"the stream's key could not be kept alive for {self._token.lives_s / 60:.0f} minutes"
        return None

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9

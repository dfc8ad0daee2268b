"""What the web server logs. What strangers send that is no HTTP is no fault of ours: it is counted and told quietly."""

from __future__ import annotations

import logging
from typing import Any

from aiohttp.http_exceptions import HttpProcessingError

from perpwire.clock import Clock

PACE_S = 600.0
"""So far apart, at least, are the lines that tell of it: anybody who can reach the page can send more of it."""


class ServerLog(logging.LoggerAdapter[logging.Logger]):
    """Goes on to `logger` with all else.

    Attributes:
        unreadable: Requests that could not be read; each is answered with 400.
    """

    def __init__(self, logger: logging.Logger, clock: Clock) -> None:
        super().__init__(logger, {})
        self._clock = clock
        self._told_s = float("-inf")
        self.unreadable = 0

    def exception(self, msg: object, *args: object, exc_info: Any = True, **more: Any) -> None:
        if not isinstance(exc_info, HttpProcessingError):
            super().exception(msg, *args, exc_info=exc_info, **more)
            return
        self.unreadable += 1
        now_s = self._clock.monotonic_ns() / 1e9
        if now_s >= self._told_s + PACE_S:
            self._told_s = now_s
            sender = f", the last from {args[0]}" if args else ""
            self.info("requests that are no HTTP are refused: %d until now%s", self.unreadable, sender)

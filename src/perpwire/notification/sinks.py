"""Where alerts go: the log, any callable, and through apprise more than a hundred services."""

from __future__ import annotations

import asyncio
import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import Any

from perpwire.errors import BadInput, PerpwireError
from perpwire.notification.alert import Alert, Severity


class SinkFailed(PerpwireError):
    """An alert could not be delivered. Says nothing of the address: that is a secret."""


class Sink(ABC):
    """Takes alerts away."""

    name: str
    """Short, without secrets: it goes to logs and counts."""

    @abstractmethod
    async def deliver(self, alert: Alert) -> None:
        """Return when it has been taken; raise anything when it has not: it is tried again."""

    def targets(self) -> Sequence[Sink]:
        """What is delivered to and tried again one by one, so that one that fails doesn't make others hear twice."""
        return (self,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"


_LEVELS = {Severity.INFO: logging.INFO, Severity.WARNING: logging.WARNING, Severity.CRITICAL: logging.CRITICAL}


class LogSink(Sink):
    """One log record an alert, at the level of its severity."""

    name = "log"

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logging.getLogger("perpwire.alerts") if logger is None else logger

    async def deliver(self, alert: Alert) -> None:
        self._logger.log(_LEVELS[alert.severity], "%s %s", alert.headline(), alert.body().replace("\n", "; "))


class CallableSink(Sink):
    """Any function or coroutine function of one alert. A plain function runs in the event loop: it must not block."""

    def __init__(self, function: Callable[[Alert], Awaitable[None] | None], name: str = "") -> None:
        self.name = name or getattr(function, "__name__", type(function).__name__)
        self._function = function

    async def deliver(self, alert: Alert) -> None:
        result = self._function(alert)
        if inspect.isawaitable(result):
            await result


class AppriseSink(Sink):
    """Services that apprise knows, such as "discord://id/token" or "tgram://bot-token/chat-id"; needs perpwire[alerts].

    The addresses hold secrets: they are kept by apprise only, and what apprise and the HTTP client beneath it log while
    they deliver is dropped. Make it before trading begins: the first one loads apprise, which takes about a second.
    """

    def __init__(self, urls: str | Sequence[str]) -> None:
        """
        Raises:
            BadInput: No address, one that apprise does not understand, or apprise is not installed.
        """
        addresses = [urls] if isinstance(urls, str) else list(urls)
        if not addresses:
            raise BadInput("no address for alerts was given", code="NO_ADDRESS")
        self._services = tuple(_Service(url, number) for number, url in enumerate(addresses, 1))
        self.name = ", ".join(service.name for service in self._services)

    def targets(self) -> Sequence[Sink]:
        return self._services

    async def deliver(self, alert: Alert) -> None:
        """Deliver to all; SinkFailed where one or more failed (the others took it all the same)."""
        results = await asyncio.gather(*(service.deliver(alert) for service in self._services), return_exceptions=True)
        failed = [service.name for service, result in zip(self._services, results, strict=True) if result is not None]
        if failed:
            raise SinkFailed(f"not delivered to {', '.join(failed)}")


class _Service(Sink):
    """One address."""

    def __init__(self, url: str, number: int) -> None:
        try:
            import apprise  # optional, and slow to import
        except ImportError:
            raise BadInput(
                "apprise is not installed", code="NO_APPRISE", advice="Install it: pip install 'perpwire[alerts]'."
            ) from None
        _drop_own_records_of(*_CHATTY_LOGGERS)
        self.name = f"apprise {number}"
        self._apprise: Any = apprise.Apprise()
        self._types = {
            Severity.INFO: apprise.NotifyType.INFO,
            Severity.WARNING: apprise.NotifyType.WARNING,
            Severity.CRITICAL: apprise.NotifyType.FAILURE,
        }
        self._resolved_type = apprise.NotifyType.SUCCESS
        self._text_format = apprise.NotifyFormat.TEXT
        token = _SENDING.set(True)
        try:
            is_understood = self._apprise.add(url)
        finally:
            _SENDING.reset(token)
        if not is_understood:
            raise BadInput(
                f"apprise does not understand address {number} (not shown: it may hold secrets)", code="BAD_ADDRESS"
            )
        self.name = f"apprise {number} ({self._apprise[0].service_name})"

    async def deliver(self, alert: Alert) -> None:
        kind = self._types[alert.severity] if alert.resolves is None else self._resolved_type
        failure = "refused or not reached"
        token = _SENDING.set(True)
        try:
            if await self._apprise.async_notify(
                title=alert.headline(), body=alert.body(), notify_type=kind, body_format=self._text_format
            ):
                return
        except Exception as error:
            failure = type(error).__name__
        finally:
            _SENDING.reset(token)
        # Raised out here so that no error of the service, whose text may hold the address, hangs on to ours.
        raise SinkFailed(f"{self.name}: {failure}")


_SENDING: ContextVar[bool] = ContextVar("perpwire_sending_alert", default=False)
"""True in the task that delivers, and in apprise's worker threads, which take over its context."""

_CHATTY_LOGGERS = ("apprise", "urllib3.connectionpool", "urllib3.util.retry")


class _DropOwnRecords(logging.Filter):
    """These loggers print whole addresses at DEBUG, some at WARNING; ours are dropped, everyone else's pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _SENDING.get()


_DROP = _DropOwnRecords()


def _drop_own_records_of(*names: str) -> None:
    for name in names:
        logging.getLogger(name).addFilter(_DROP)  # the same filter twice counts once

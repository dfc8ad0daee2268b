"""Where alerts go: the log, any callable, and through apprise more than a hundred services."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextvars import ContextVar, copy_context
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from perpwire.errors import BadInput, PerpwireError
from perpwire.notification.alert import Alert, Severity
from perpwire.notification.words import Wording


class SinkFailed(PerpwireError):
    """An alert could not be delivered. Says nothing of the address: that is a secret.

    Attributes:
        retry_after_s: Seconds that the service wants to be left alone; 0: it does not say.
    """

    def __init__(self, reason: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


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

    async def close(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of what it needs to deliver; the next delivery takes it up again."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"


_LEVELS = {Severity.INFO: logging.INFO, Severity.WARNING: logging.WARNING, Severity.CRITICAL: logging.CRITICAL}


class LogSink(Sink):
    """One log record an alert, at the level of its severity."""

    name = "log"

    def __init__(self, logger: logging.Logger | None = None, *, wording: Wording | None = None) -> None:
        self._logger = logging.getLogger("perpwire.alerts") if logger is None else logger
        self._wording = wording or Wording()

    async def deliver(self, alert: Alert) -> None:
        body = self._wording.body(alert).replace("\n", "; ")
        self._logger.log(_LEVELS[alert.severity], "%s %s", self._wording.headline(alert), body)


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

    def __init__(self, urls: str | Sequence[str], *, wording: Wording | None = None, api: str = "") -> None:
        """
        Args:
            wording: Language and time zone.
            api: For Telegram: the address of a Bot API server of one's own, such as "http://127.0.0.1:8081", in place
                of https://api.telegram.org.

        Raises:
            BadInput: No address, one that apprise does not understand, an `api` for what has none, or apprise is not
                installed.
        """
        addresses = [urls] if isinstance(urls, str) else list(urls)
        if not addresses:
            raise BadInput("no address for alerts was given", code="NO_ADDRESS")
        wording = wording or Wording()
        self._services = tuple(_Service(url, number, wording, api) for number, url in enumerate(addresses, 1))
        self.name = ", ".join(service.name for service in self._services)

    def targets(self) -> Sequence[Sink]:
        return self._services

    async def deliver(self, alert: Alert) -> None:
        """Deliver to all; SinkFailed where one or more failed (the others took it all the same)."""
        results = await asyncio.gather(*(service.deliver(alert) for service in self._services), return_exceptions=True)
        failed = [service.name for service, result in zip(self._services, results, strict=True) if result is not None]
        if failed:
            if len(results) == 1 and isinstance(results[0], SinkFailed):
                raise results[0]
            raise SinkFailed(f"not delivered to {', '.join(failed)}")

    async def close(self) -> None:
        for service in self._services:
            await service.close()


class _Service(Sink):
    """One address."""

    def __init__(self, url: str, number: int, wording: Wording, api: str) -> None:
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
        plugin: Any = self._apprise[0]
        self.name = f"apprise {number} ({plugin.service_name})"
        if api:
            if type(plugin).__name__ != "NotifyTelegram":
                raise BadInput(f"{self.name} has no api to set: only Telegram has", code="BAD_ADDRESS")
            plugin.notify_url = f"{api.rstrip('/')}/bot"
        _listen_to(type(plugin).__module__)
        self._wording = wording
        self._thread: _Thread | None = None
        self._last: tuple[Alert, asyncio.Future[Any]] | None = None
        """What the thread does, or did last; it goes on where nobody waits for it any more."""

    async def deliver(self, alert: Alert) -> None:
        # In a thread of its own: a service that hangs holds up neither another nor the loop's own look-ups of names.
        if self._thread is None:
            self._thread = _Thread()
        kind = self._types[alert.severity] if alert.resolves is None else self._resolved_type
        answers: list[_Answer] = []
        failure = ""
        context = copy_context()
        context.run(_SENDING.set, True)
        context.run(_ANSWERS.set, answers)
        try:
            if await self._was_taken_late(alert):
                return
            attempt = asyncio.wrap_future(
                self._thread.do(
                    functools.partial(
                        context.run,
                        self._apprise.notify,
                        title=self._wording.headline(alert),
                        body=self._wording.body(alert),
                        notify_type=kind,
                        body_format=self._text_format,
                    )
                )
            )
            attempt.add_done_callback(_heard_of)
            self._last = alert, attempt
            if await asyncio.shield(attempt):
                return
        except Exception as error:
            failure = type(error).__name__
        # Raised out here so that no error of the service, whose text may hold the address, hangs on to ours.
        refused = next((answer for answer in answers if answer.status >= 400), None)
        if refused is None:
            raise SinkFailed(f"{self.name}: {failure or 'refused or not reached'}")
        raise SinkFailed(f"{self.name}: refused with HTTP {refused.status}", retry_after_s=refused.retry_after_s)

    async def _was_taken_late(self, alert: Alert) -> bool:
        """Wait for an attempt that was given up and still goes on; whether it was of this alert, and has arrived."""
        if self._last is None:
            return False
        last, attempt = self._last
        await asyncio.wait({attempt})
        self._last = None
        return attempt.exception() is None and bool(attempt.result()) and last is alert

    async def close(self) -> None:
        self._last = None
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.end()


class _Thread:
    """Does one thing after the other. The end of the program does not wait for it, as it would for an executor's: a
    service may hang."""

    def __init__(self) -> None:
        self._work: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        Thread(target=self._do_all, name="perpwire alerts", daemon=True).start()

    def do(self, call: Callable[[], Any]) -> Future[Any]:
        done: Future[Any] = Future()
        self._work.put((done, call))
        return done

    def end(self) -> None:
        """After what it does now."""
        self._work.put(None)

    def _do_all(self) -> None:
        while (todo := self._work.get()) is not None:
            done, call = todo
            if not done.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(result)


def _heard_of(attempt: asyncio.Future[Any]) -> None:
    """An error of an attempt that nobody waits for any more is no lost one."""
    if not attempt.cancelled():
        attempt.exception()


_SENDING: ContextVar[bool] = ContextVar("perpwire_sending_alert", default=False)
"""True where apprise works for us."""

_CHATTY_LOGGERS = ("apprise", "urllib3.connectionpool", "urllib3.util.retry")


class _DropOwnRecords(logging.Filter):
    """These loggers print whole addresses at DEBUG, some at WARNING; ours are dropped, everyone else's pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _SENDING.get()


_DROP = _DropOwnRecords()


def _drop_own_records_of(*names: str) -> None:
    for name in names:
        logging.getLogger(name).addFilter(_DROP)  # the same filter twice counts once


# --- what services answer ---------------------------------------------------------------------------------------------


class _Answer(NamedTuple):
    status: int
    retry_after_s: float


_ANSWERS: ContextVar[list[_Answer] | None] = ContextVar("perpwire_answers", default=None)
"""What HTTP services have answered to the delivery that is going on."""

_CALLS = frozenset({"delete", "get", "post", "put", "patch", "request"})


class _Listening:
    """The module `requests` as one of apprise's plugins sees it. Apprise says only that a service did not take
    something; how long it wants to be left alone stands in the answer."""

    def __init__(self, requests: Any) -> None:
        self._requests = requests

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._requests, name)
        if name not in _CALLS:
            return found

        def call(*args: Any, **options: Any) -> Any:
            answer = found(*args, **options)
            if (answers := _ANSWERS.get()) is not None:
                answers.append(_Answer(answer.status_code, _retry_after_s(answer)))
            return answer

        return call


def _listen_to(plugin: str) -> None:
    module = sys.modules[plugin]
    requests = getattr(module, "requests", None)
    if requests is not None and not isinstance(requests, _Listening):
        module.requests = _Listening(requests)  # type: ignore[attr-defined]


def _retry_after_s(answer: Any) -> float:
    """By the header, in seconds, or as Telegram says it. An HTTP date is not looked at: the usual pauses do then."""
    if answer.status_code < 400:
        return 0.0
    try:
        return max(0.0, float(answer.headers.get("Retry-After") or answer.json()["parameters"]["retry_after"]))
    except (ValueError, KeyError, TypeError):
        return 0.0

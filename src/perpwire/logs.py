"""Logs: standard logging, for people or as JSON lines, with one event name per incident and no secret in it.

    logs.set_up(level="info", format="json", secrets=[credentials])

Nothing of perpwire sets logging up by itself: a program that has its own set-up uses Redact alone.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from queue import Full, Queue
from typing import Any, Protocol, TextIO

import msgspec

from perpwire.model.incident import Incident
from perpwire.words.said import UNSAID, event_name as event_name, facts_of, sentence, text_of

WAITING = 10_000
"""Records that wait for a slow disk or terminal; past these the newest are dropped, and their number is told."""

LAST_S = 5.0
"""Wait so long for a hanging writer at the end, each time."""

OLD_FILES = 3

_LEVELS: Mapping[str, int] = {
    "connection_recovered": logging.INFO,
    "account_read_again": logging.INFO,
    "set_up_done": logging.INFO,
    "book_recovered": logging.INFO,
    "fills_recovered": logging.INFO,
    "fanout_recovered": logging.INFO,
    "order_resolved": logging.INFO,
    "instrument_changed": logging.INFO,
    "budget_eased": logging.INFO,
    "rate_limit_lifted": logging.INFO,
    "route_found": logging.INFO,
    "stream_gap_repaired": logging.INFO,
    "account_unread": logging.ERROR,
    "set_up_refused": logging.ERROR,
    "login_refused": logging.ERROR,
    "order_doubtful": logging.ERROR,
    "order_unresolved": logging.ERROR,
    "change_unresolved": logging.ERROR,
    "dead_man_failed": logging.ERROR,
    "margin_called": logging.ERROR,
    "position_liquidated": logging.ERROR,
    "task_failed": logging.ERROR,
    "task_given_up": logging.ERROR,
    "position_mismatch": logging.ERROR,
}
"""What is no warning, by the name of what is said of it."""


class Redacts(Protocol):
    """Blanks what is secret out of a text: Credentials do."""

    def redact(self, text: str) -> str: ...


class IncidentLog:
    """Logs an incident as one record: by the one name of its kind ("connection_lost"), with its facts as fields. Each
    connector and each WebSocketManager has one, and what an incident tells is logged nowhere else."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logging.getLogger("perpwire.incidents") if logger is None else logger

    def __call__(self, incident: Incident) -> None:
        facts = facts_of(incident)
        text = text_of(incident, facts)
        level = level_of(text)
        if not self._logger.isEnabledFor(level):
            return
        stack = getattr(incident, "stack", "")
        fields = {
            name: _plain(value)
            for name, value in msgspec.structs.asdict(incident).items()
            if name not in UNSAID and value != ""
        }
        record = self._logger.makeRecord(
            self._logger.name, level, "", 0, "%s", (sentence(text, facts),), None,
            extra={"event": event_name(type(incident)), "fields": fields},
        )  # fmt: skip
        record.exc_text = stack or None  # where other records have a traceback
        self._logger.handle(record)


def level_of(text: str) -> int:
    """Of what is said of an incident (perpwire.words): INFO for what came right or only is so, ERROR for what somebody
    should look at now, WARNING for the rest."""
    return _LEVELS.get(text, logging.WARNING)


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float | str | None) else str(value)


# --- secrets ----------------------------------------------------------------------------------------------------------

_SHOWING = re.compile(
    r"(?i)((?:signature|listen_?key|api_?secret|secret_?key|api_?key|x-mbx-apikey|x-bapi-sign|x-bapi-api-key|apiKey|token|"
    r"password|authorization)[\"']?\s*(?:[=:]|,\s)\s*(?:b?[\"'])?(?:bearer\s+)?)([^\s\"'&,;}\])]{6,})"
)
"""A word that names a secret, and what follows it: whoever logs it, also libraries beneath us."""


def redact(text: str) -> str:
    """`text` without what stands after a word that names a secret."""
    return _SHOWING.sub(r"\1***", text)


class Redact(logging.Filter):
    """Makes a record's text final and takes secrets out of it: of those that are given, and what `redact` finds."""

    def __init__(self, secrets: Iterable[Redacts] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except Exception as error:  # a mistaken call of whoever logs must not end its program
            text = f"{record.msg} (its arguments do not fit: {type(error).__name__})"
        if record.exc_info and not record.exc_text:
            record.exc_text = _FORMATTER.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text, record.exc_info = self.blanked(record.exc_text), None
        record.msg, record.args = self.blanked(text), ()
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            record.fields = {name: self.blanked(one) if isinstance(one, str) else one for name, one in fields.items()}
        return True

    def blanked(self, text: str) -> str:
        for one in self._secrets:
            text = one.redact(text)
        return redact(text)


_FORMATTER = logging.Formatter()


# --- forms ------------------------------------------------------------------------------------------------------------


class JsonLines(logging.Formatter):
    """One object a line: time (UTC, ISO 8601), level, logger, event, message, the event's fields, error."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": getattr(record, "event", "log"),
            "message": record.getMessage(),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            said |= {name: value for name, value in fields.items() if name not in said}
        error = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else None)
        if error:
            said["error"] = error
        return msgspec.json.encode(said, enc_hook=str).decode()


class Lines(logging.Formatter):
    """For people: time, level, event or logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        name = getattr(record, "event", record.name)
        text = f"{_time(record)} {record.levelname:<8} {name}: {record.getMessage()}"
        error = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else None)
        return f"{text}\n{error}" if error else text


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- setting up -------------------------------------------------------------------------------------------------------


class _Bounded(QueueHandler):
    """Hands records to the thread that writes. Whoever logs never waits, and the queue never grows past its bound."""

    def __init__(self, queue: Queue[logging.LogRecord]) -> None:
        super().__init__(queue)
        self.dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # `Redact` has made it final

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            if self.dropped:
                self.queue.put_nowait(self.loss())
                self.dropped = 0
            self.queue.put_nowait(record)
        except Full:
            self.dropped += 1

    def loss(self) -> logging.LogRecord:
        """A record of how many were dropped."""
        return _loss(self.dropped, "what writes them is too slow")


class _ClosedFile(RotatingFileHandler):
    """Each new file is closed to others. That it can't be written, on a full disk, is told once on the standard error,
    and later in the file how many records that took."""

    lost = 0

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        # Without a buffer: what a full disk refused would be refused again at the end, and end the program.
        return TextIOWrapper(open(descriptor, "ab", buffering=0), encoding=self.encoding, write_through=True)

    def emit(self, record: logging.LogRecord) -> None:
        before = self.lost
        super().emit(record)
        if before and self.lost == before:
            self.lost = 0
            super().emit(_loss(before, "the file could not be written"))

    def handleError(self, record: logging.LogRecord) -> None:
        self.lost += 1
        if self.lost == 1:
            error = sys.exc_info()[1]
            why = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            with contextlib.suppress(OSError):
                sys.stderr.write(f"perpwire: {self.baseFilename} can't be written: {why}\n")


def _loss(count: int, why: str) -> logging.LogRecord:
    """A record of how many were dropped."""
    said: dict[str, Any] = {"event": "log_dropped", "fields": {"count": count}}
    said |= {"name": "perpwire.logs", "levelno": logging.WARNING, "levelname": "WARNING"}
    return logging.makeLogRecord(said | {"msg": f"{count} records were dropped: {why}"})


class _Writer(QueueListener):
    """Writes what waits at the end, but not for ever: a writer that hangs must not keep a program from ending."""

    def stop(self) -> None:
        thread = self._thread
        try:
            self.queue.put(self._sentinel, timeout=LAST_S)  # type: ignore[attr-defined]
        except Full:
            return
        if thread is not None:
            thread.join(LAST_S)
        self._thread = None


def set_up(
    *,
    level: str = "info",
    format: str = "text",  # noqa: A002 - the setting's name
    file: Path | str | None = None,
    megabytes: int = 50,
    secrets: Iterable[Redacts] = (),
    stream: TextIO | None = None,
) -> Callable[[], None]:
    """Send everything that this process logs through one redacting handler, written by a thread of its own.

    Args:
        level: "debug", "info", "warning" or "error".
        format: "text" or "json".
        file: Written there, closed to others, and begun anew at `megabytes`; None: on the standard error.
        secrets: What must not appear, beside what names itself.
        stream: In place of the standard error.

    Returns:
        A function that writes what waits, and puts logging back as it was.

    Raises:
        OSError: The file can't be written.
        ValueError: No such level or format.
    """
    if format not in ("text", "json"):
        raise ValueError(f"format {format!r} is not text or json")
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"level {level!r} is not debug, info, warning or error")
    writer: logging.Handler = logging.StreamHandler(stream or sys.stderr)
    if file is not None:
        path = Path(file).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = _ClosedFile(path, maxBytes=megabytes * 1_000_000, backupCount=OLD_FILES, encoding="utf-8")
    writer.setFormatter(JsonLines() if format == "json" else Lines())
    queue: Queue[logging.LogRecord] = Queue(WAITING)
    handler = _Bounded(queue)
    handler.addFilter(Redact(secrets))
    listener = _Writer(queue, writer)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(number)
    listener.start()
    ended = False

    def end() -> None:
        nonlocal ended
        if ended:
            return
        ended = True
        root.removeHandler(handler)
        root.setLevel(before)
        listener.stop()
        if handler.dropped:
            writer.handle(handler.loss())
        writer.close()

    atexit.register(end)
    return end

"""From the rules file to a notifier that follows it; and alerts to try it with."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from perpwire.clock import Clock, SystemClock
from perpwire.errors import BadInput
from perpwire.logs import Redacts
from perpwire.notification.alert import Alert, Severity
from perpwire.notification.notifier import Notifier
from perpwire.notification.outlet import Outlet
from perpwire.notification.rules_file import AlertSettings, settings_of
from perpwire.notification.sinks import AppriseSink
from perpwire.notification.spool import Spool, SpoolInUse
from perpwire.notification.words import Language, Wording
from perpwire.words.said import sentence, title

_log = logging.getLogger("perpwire.notification")


def notifier_from(
    settings: AlertSettings | Mapping[str, Any],
    *,
    spool: Path | str | None = None,
    inbox: Path | None = None,
    clock: Clock | None = None,
    environ: Mapping[str, str] = os.environ,
    secrets: Iterable[Redacts] = (),
) -> Notifier | None:
    """A notifier that follows the rules, not started; None where no sink is named.

    Args:
        settings: The table as it stands in the file (rules_file.py), or what was made of it.
        spool: File for what is not delivered yet, so that it outlives the program; in memory where None. Where another
            program uses it already, or it can't be written, the log says so, and memory has to do.
        inbox: A file that other programs leave what they could not deliver in, as their spool: it is told, too.
        environ: Where sinks' addresses are looked up that the file only names.
        secrets: What must not appear in an alert, such as credentials. The sinks' addresses never do.

    Raises:
        BadInput: What is wrong with the rules, or with an address (not shown).
    """
    if not isinstance(settings, AlertSettings):
        settings = settings_of(settings)
    outlets = outlets_from(settings, environ=environ)
    if not outlets:
        return None
    clock = SystemClock() if clock is None else clock
    addresses = [_Address(_url(settings, name, environ)) for name in settings.sinks]
    return Notifier(
        outlets,
        clock,
        settings.alert,
        settings.pacing,
        escalation=settings.escalates(),
        spool=None if spool is None else _opened(Path(spool), clock, settings.keep_hours * 3600),
        inbox=inbox,
        secrets=(*secrets, *addresses),
    )


def outlets_from(
    settings: AlertSettings, *, environ: Mapping[str, str] = os.environ, language: Language | None = None
) -> tuple[Outlet, ...]:
    """The sinks that are named, ready to deliver.

    Args:
        language: Of all texts, in place of what the rules say.

    Raises:
        BadInput: An address is missing, or apprise does not understand it.
    """
    quiet = settings.quiet()
    outlets = []
    for name, said in settings.sinks.items():
        wording = Wording(language=language or said.language or settings.language, zone=settings.zone())
        try:
            sink = AppriseSink(_url(settings, name, environ), wording=wording, api=said.api)
        except BadInput as error:
            if error.code == "NO_APPRISE":
                raise
            why = "apprise does not understand its address" if error.code == "BAD_ADDRESS" else error.reason
            if said.api and "api" in error.reason:
                why = "only Telegram has an api to set"
            raise BadInput(f"alerts.sinks.{name}: {why}", code="BAD_ALERTS", advice=error.advice) from None
        outlets.append(
            Outlet(
                name=name,
                sink=sink,
                minimum=Severity(said.minimum),
                quiet=quiet if said.quiet_hours else None,
                only_escalated=said.only_escalated,
                interval_s=said.interval_s,
            )
        )
    return tuple(outlets)


def test_alert(severity: Severity, time_ns: int) -> Alert:
    """An alert that says that it is a test."""
    facts = {"severity": severity.value}
    return Alert(
        severity=severity,
        key=f"test {severity.value}",
        title=title("test", facts),
        sentence=sentence("test", facts),
        facts=facts,
        venue="",
        time_ns=time_ns,
        kind="test",
        text="test",
    )


test_alert.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


def _url(settings: AlertSettings, name: str, environ: Mapping[str, str]) -> str:
    said = settings.sinks[name]
    if not said.url_variable:
        return said.url
    url = environ.get(said.url_variable, "").strip()
    if not url:
        raise BadInput(
            f"alerts.sinks.{name}: the environment has no {said.url_variable}",
            code="BAD_ALERTS",
            advice="Set it to the sink's address, or take the sink out.",
        )
    return url


def _opened(path: Path, clock: Clock, keep_s: float) -> Spool | None:
    try:
        return Spool(path, clock, keep_s=keep_s)
    except SpoolInUse as error:
        _log.warning("alerts wait in memory only: %s", error)
    except OSError as error:
        _log.warning("alerts wait in memory only: %s can't be used (%s)", path.name, error.strerror)
    return None


class _Address:
    """Takes a sink's address out of texts, whole and in parts."""

    def __init__(self, url: str) -> None:
        self._parts = sorted(set(_parts(url)), key=len, reverse=True)

    def redact(self, text: str) -> str:
        for part in self._parts:
            text = text.replace(part, "***")
        return text

    def __repr__(self) -> str:
        return "<_Address>"


def _parts(url: str) -> Iterator[str]:
    yield url
    yield from (part for part in re.split(r"[/?&=:@]+", url.partition("://")[2]) if len(part) >= 8)

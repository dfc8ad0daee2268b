"""The rules file: who hears of what, how and when. A table of TOML: `[alerts]` of perpwire.toml, or a file of its own.

docs/alerts.md explains it, deploy/alerts.toml is an example.
"""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Mapping
from datetime import UTC, time, tzinfo
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar, get_args
from zoneinfo import ZoneInfo

import msgspec

from perpwire.errors import BadInput
from perpwire.model import incident as incidents
from perpwire.model.incident import Incident
from perpwire.notification.alert import Alert, Severity
from perpwire.notification.delivery import Pacing
from perpwire.notification.escalation import Escalation
from perpwire.notification.quiet import QuietHours
from perpwire.notification.rules import Rules
from perpwire.notification.words import Language
from perpwire.words.said import event_name

T = TypeVar("T")

Word = Literal["info", "warning", "critical"]
WordOrOff = Literal["info", "warning", "critical", "off"]

KINDS: Mapping[str, type[Incident]] = {
    event_name(kind): kind
    for kind in vars(incidents).values()
    if isinstance(kind, type) and issubclass(kind, Incident) and kind is not Incident
}
"""Every kind of incident by its name in the file, such as "order_failed"."""


Address = Annotated[str, msgspec.Meta(extra={"secret": True})]
"""It may hold passwords and tokens: `perpwire config check` does not show it."""


class SinkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[sinks.NAME]: one place that alerts go to.

    Attributes:
        url: Its address as apprise takes it, such as "tgram://TOKEN/CHAT"; a secret.
        url_variable: Or the name of a variable of the environment that holds the address.
        api: Telegram only: a Bot API server of one's own, such as "http://127.0.0.1:8081".
        minimum: "info", "warning" or "critical": what is less severe is not told there; the end of a problem is told
            where the problem was.
        language: Of its texts, "en" or "ko"; the common one where none is given.
        quiet_hours: Whether the quiet hours hold for it.
        only_escalated: It hears only of what has lasted too long.
        interval_s: Least seconds between two alerts to it; the common pacing's where none is given.
    """

    url: Address = ""
    url_variable: str = ""
    api: Address = ""
    minimum: Word = "info"
    language: Language | None = None
    quiet_hours: bool = True
    only_escalated: bool = False
    interval_s: float | None = None

    def __repr__(self) -> str:
        return "<SinkSettings, its address not shown>"


class QuietSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[quiet_hours]: from one time of day to another only what is critical is told; the rest when they are over.

    Attributes:
        start: From which time of day, such as "23:00", in the common time zone or their own.
        end: And until which, such as "07:00".
        time_zone: Whose time of day it is, such as "Asia/Seoul"; the common one where none is given.
    """

    start: str
    end: str
    time_zone: str = ""


class EscalationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[escalation]: what is critical and not over is told again.

    Attributes:
        after_minutes: Minutes after it was told first.
        to: Names of the sinks that hear of it then.
        again_minutes: And again each so many minutes; 0: once.
    """

    after_minutes: float
    to: tuple[str, ...]
    again_minutes: float = 0.0


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole table.

    Attributes:
        language: "en" or "ko".
        time_zone: Of the times in texts and of the quiet hours, such as "Asia/Seoul".
        recoveries: Whether the end of a problem is told.
        keep_hours: Hours for which what could not be delivered is tried, also after a restart.
        sinks: Where alerts go, by a name of one's own.
        severities: Kind of incident, such as order_failed -> "info", "warning", "critical" or "off", in place of what
            the rules say.
        thresholds: See Rules.
        pacing: See Pacing.
        quiet_hours: See QuietSettings.
        escalation: See EscalationSettings.
    """

    language: Language = "en"
    time_zone: str = "UTC"
    recoveries: bool = True
    keep_hours: float = 48.0
    sinks: Mapping[str, SinkSettings] = MappingProxyType({})
    severities: Mapping[str, WordOrOff] = MappingProxyType({})
    thresholds: Rules = Rules()
    pacing: Pacing = Pacing()
    quiet_hours: QuietSettings | None = None
    escalation: EscalationSettings | None = None

    def zone(self) -> tzinfo:
        return zone(self.time_zone)

    def quiet(self) -> QuietHours | None:
        said = self.quiet_hours
        if said is None:
            return None
        where = zone(said.time_zone) if said.time_zone else self.zone()
        return QuietHours(start=time.fromisoformat(said.start), end=time.fromisoformat(said.end), zone=where)

    def escalates(self) -> Escalation | None:
        said = self.escalation
        if said is None:
            return None
        return Escalation(after_s=said.after_minutes * 60, to=said.to, again_s=said.again_minutes * 60)

    def alert(self, incident: Incident) -> Alert | None:
        """The alert that an incident deserves by these rules, or None."""
        alert = self.thresholds.alert(incident)
        if alert is None or (alert.resolves is not None and not self.recoveries):
            return None
        word = self.severities.get(alert.kind)
        if word is None:
            return alert
        return None if word == "off" else msgspec.structs.replace(alert, severity=Severity(word))


_TABLES: Mapping[str, type] = {
    "thresholds": Rules,
    "pacing": Pacing,
    "quiet_hours": QuietSettings,
    "escalation": EscalationSettings,
}


def settings_of(table: Mapping[str, Any], where: str = "alerts") -> AlertSettings:
    """What a table says, checked.

    Args:
        where: What errors call the table, such as "perpwire.toml: alerts".

    Raises:
        BadInput: What is wrong, where, and what is allowed (code BAD_ALERTS).
    """
    _known(table, AlertSettings, where)
    for name, kind in _TABLES.items():
        _known(_table(table.get(name, {}), f"{where}.{name}"), kind, f"{where}.{name}")
    for name, sink in _table(table.get("sinks", {}), f"{where}.sinks").items():
        _known(_table(sink, f"{where}.sinks.{name}"), SinkSettings, f"{where}.sinks.{name}")
    for name in _table(table.get("severities", {}), f"{where}.severities"):
        _one_of(name, KINDS, f"{where}.severities")
    try:
        settings = msgspec.convert(table, AlertSettings)
    except msgspec.ValidationError as error:
        words, _, place = str(error).partition(" - at `$")
        place = place.removesuffix("`").replace("[...]", "")
    else:
        _check(settings, where)
        return settings
    allowed = _allowed(place)
    raise _bad(where + place, words + (f"; allowed are {allowed}" if allowed else ""))


def read(path: Path | str) -> AlertSettings:
    """A file that holds the table: under [alerts], or all by itself.

    Raises:
        BadInput: See settings_of; or the file holds addresses and is open to others (code ALERTS_FILE_OPEN).
        OSError: It can't be read.
    """
    file = Path(path)
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise _bad(file.name, str(error)) from None
    table = said.get("alerts", said)
    settings = settings_of(_table(table, f"{file.name}: alerts"), f"{file.name}: alerts")
    is_open = os.name == "posix" and file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)
    if is_open and any(sink.url for sink in settings.sinks.values()):
        raise BadInput(
            f"{file.name} holds addresses, which are secrets, and is open to others",
            code="ALERTS_FILE_OPEN",
            advice=f"Close it: chmod 600 {file}, or name variables of the environment (url_variable).",
        )
    return settings


def zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


# --- checks -----------------------------------------------------------------------------------------------------------


def _check(settings: AlertSettings, where: str) -> None:
    for place, name in (("time_zone", settings.time_zone), ("quiet_hours.time_zone", _quiet_zone(settings))):
        try:
            zone(name)
        except (ValueError, OSError, KeyError):
            raise _bad(f"{where}.{place}", f"no time zone {name!r}; one is such as Asia/Seoul or UTC") from None
    if settings.quiet_hours is not None:
        for place, text in (("start", settings.quiet_hours.start), ("end", settings.quiet_hours.end)):
            try:
                at = time.fromisoformat(text)
            except ValueError:
                at = None
            if at is None or at.tzinfo is not None:
                raise _bad(f"{where}.quiet_hours.{place}", f'{text!r} is no time of day, such as "23:00"')
    for name, sink in settings.sinks.items():
        if bool(sink.url) == bool(sink.url_variable):
            raise _bad(f"{where}.sinks.{name}", "it must have a url or a url_variable, and not both")
        if sink.interval_s is not None:
            _at_least(f"{where}.sinks.{name}.interval_s", sink.interval_s, 0.0)
    pacing = settings.pacing
    for part, least in (("window_s", 0.0), ("interval_s", 0.0), ("first_retry_s", 0.01), ("attempt_timeout_s", 0.1)):
        _at_least(f"{where}.pacing.{part}", getattr(pacing, part), least)
    _at_least(f"{where}.pacing.greatest_retry_s", pacing.greatest_retry_s, pacing.first_retry_s)
    _at_least(f"{where}.pacing.queue_limit", pacing.queue_limit, 1)
    for part in Rules.__struct_fields__:
        _at_least(f"{where}.thresholds.{part}", getattr(settings.thresholds, part), 0.0)
    _at_least(f"{where}.keep_hours", settings.keep_hours, 0.0)
    if settings.escalation is not None:
        _at_least(f"{where}.escalation.after_minutes", settings.escalation.after_minutes, 0.1)
        _at_least(f"{where}.escalation.again_minutes", settings.escalation.again_minutes, 0.0)
        for name in settings.escalation.to:
            _one_of(name, settings.sinks, f"{where}.escalation.to")


def _quiet_zone(settings: AlertSettings) -> str:
    return (settings.quiet_hours.time_zone if settings.quiet_hours else "") or "UTC"


def _at_least(place: str, value: float, least: float) -> None:
    if not least <= value < 1e9:
        raise _bad(place, f"{value:g} is not allowed; it must be {least:g} or more")


def _known(table: Mapping[str, Any], kind: type, where: str) -> None:
    for name in table:
        _one_of(name, kind.__struct_fields__, where)  # type: ignore[attr-defined]


def _one_of(name: str, names: Mapping[str, Any] | tuple[str, ...], where: str) -> None:
    if name in names:
        return
    near = difflib.get_close_matches(name, names, 1)
    raise _bad(f"{where}.{name}", f"not known; did you mean {near[0]!r}?" if near else f"not known; {_list(names)}")


def _list(names: Mapping[str, Any] | tuple[str, ...]) -> str:
    return f"there are {', '.join(names)}" if names else "there are none"


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict | MappingProxyType):
        raise _bad(where, "it must be a table")
    return value


def _allowed(place: str) -> str:
    name = place.rpartition(".")[2]
    if name == "minimum":
        return ", ".join(get_args(Word))
    if name == "severities":
        return ", ".join(get_args(WordOrOff))
    return ", ".join(get_args(Language)) if name == "language" else ""


def _bad(place: str, words: str) -> BadInput:
    return BadInput(f"{place}: {words}", code="BAD_ALERTS")

"""From the facts of an incident to a title and a sentence, in any language.

A text of a language (english.py, korean.py) names facts in braces. What stands in brackets is said only where all facts
that it names are there: "[: {why}]"; after a bar stands what is said where they are not: "[{symbol}|the account]".
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = ("en", "ko")

UNFORESEEN = "unforeseen"
"""The text of what has none of its own."""

UNSAID = ("time_ns", "event", "stack")
"""Fields that are no facts to be told: long, or told otherwise."""

REASONS_WITHIN = {"why", "then", "advice"}
"""What a reason names so is itself one."""

LISTED = 5
"""Of a fact that is many, so many are named."""


class Text(NamedTuple):
    """A title, without a full stop, and a sentence that can stand alone."""

    title: str
    sentence: str


class Tongue(Protocol):
    """A language: a module of this package.

    Attributes:
        TEXTS: By name.
        VALUES: Fact -> what it is -> how that is said, "" for not at all; what is not there is said as it is.
        VENUES: Likewise, of venues.
        WHY: What is added to a sentence that does not say the reason itself.
        REASONS: Of ours, as they are given, with what differs in braces -> how they are said.
        FOREIGN: How others are said, such as the venue's.
    """

    NAME: Language
    TEXTS: Mapping[str, Text]
    VALUES: Mapping[str, Mapping[str, str]]
    VENUES: Mapping[str, str]
    WHY: str
    REASONS: Mapping[str, str]
    FOREIGN: str


VARIANTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "stream_gap": ("repaired", {"True": "stream_gap_repaired"}),
    "order_resolved": ("outcome", {"UNRESOLVED": "order_unresolved"}),
    "guard_tripped": ("guard", {"kill_switch": "kill_switch"}),
    "set_up_failing": ("is_refused", {"True": "set_up_refused"}),
    "task_failed": ("renewed", {"False": "task_given_up"}),
    "key_warning": (
        "what",
        {"trading": "key_cannot_trade", "withdrawal": "key_may_withdraw", "ip": "key_unbound",
         "expiry": "key_expires", "expired": "key_expired", "refused": "key_refused", "unknown": "key_unread"},
    ),
}  # fmt: skip
"""A kind of incident of which a fact decides what is said: kind -> the fact, and text by its value."""


def language_of(language: Language) -> Tongue:
    """Imported when it is needed first."""
    if language == "ko":
        from perpwire.words import korean

        return korean
    from perpwire.words import english

    return english


# --- facts ------------------------------------------------------------------------------------------------------------


def event_name(kind: type) -> str:
    """ConnectionLost -> "connection_lost": the one name of a kind of incident, in logs, metrics, alerts and texts."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()


def facts_of(incident: msgspec.Struct) -> dict[str, str]:
    """What an incident states, as text, by name; what is empty is left out. Its class is the fact "incident"."""
    facts = {
        name: _text(name, value)
        for name, value in msgspec.structs.asdict(incident).items()
        if name not in UNSAID and value is not None and value != "" and value != ()
    }
    return facts | {"incident": type(incident).__name__}


def _text(name: str, value: object) -> str:
    match value:
        case bool():
            return str(value)
        case float():
            return f"{value:.0%}" if name == "share" else _number(value)
        case int() if name.endswith("_ms"):
            return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
        case Decimal():
            return f"{value:f}"
        case tuple():
            first = ", ".join(str(one) for one in value[:LISTED])
            return first if len(value) <= LISTED else f"{first} (+{len(value) - LISTED})"
    return str(value)


def _number(value: float) -> str:
    """As exact as somebody who reads it needs it."""
    text = f"{value:.{3 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


# --- texts ------------------------------------------------------------------------------------------------------------


def text_of(incident: msgspec.Struct, facts: Mapping[str, str]) -> str:
    """The name of what is said of an incident. A kind without a text has that of its base class."""
    from perpwire.words import english

    for kind in type(incident).__mro__:
        name = event_name(kind)
        if name in english.TEXTS:
            fact, by_value = VARIANTS.get(name, ("", {}))
            return by_value.get(facts.get(fact, ""), name)
    return UNFORESEEN


def title(text: str, facts: Mapping[str, str], language: Language = "en") -> str:
    """A few words, without a full stop."""
    tongue = language_of(language)
    return filled(tongue.TEXTS[text].title, said_in(tongue, facts))


def sentence(text: str, facts: Mapping[str, str], language: Language = "en") -> str:
    """All that is to be said in one sentence."""
    tongue = language_of(language)
    template = tongue.TEXTS[text].sentence
    return filled(template if "{why}" in template else template + tongue.WHY, said_in(tongue, facts))


def said_in(tongue: Tongue, facts: Mapping[str, str]) -> dict[str, str]:
    """The facts in the words of a language."""
    said = {name: tongue.VALUES.get(name, {}).get(fact, fact) for name, fact in facts.items()}
    if "venue" in said:
        said["venue"] = tongue.VENUES.get(said["venue"], said["venue"])
    for name in said.keys() & {"why", "reason"}:
        said[name] = reason(tongue, said[name])
    return {name: fact for name, fact in said.items() if fact}


def reason(tongue: Tongue, why: str) -> str:
    """Why, in the words of a language where they are ours; reasons within a reason, too."""
    for pattern, template in _patterns(tongue.NAME):
        if (found := pattern.fullmatch(why)) is not None:
            parts = found.groupdict()
            within = {name: reason(tongue, parts[name]) for name in parts.keys() & REASONS_WITHIN}
            return template.format_map(parts | within)
    return tongue.FOREIGN.format(why=why)


@cache
def _patterns(language: Language) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(ours)), re.DOTALL), said)
        for ours, said in language_of(language).REASONS.items()
    )


class _Facts(dict[str, Any]):
    """One that is not stated is said as nothing."""

    def __missing__(self, name: str) -> str:
        return ""


def filled(template: str, facts: Mapping[str, str]) -> str:
    """A template with these facts worked in; see the module's docstring."""
    known = _Facts(facts)

    def clause(found: re.Match[str]) -> str:
        said, _, otherwise = found[1].partition("|")
        return said if named(said) <= facts.keys() else otherwise

    return re.sub(r"\[([^\]]*)\]", clause, template).format_map(known)


def named(template: str) -> set[str]:
    """The facts that a template names."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}

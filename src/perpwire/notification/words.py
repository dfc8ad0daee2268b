"""How alerts are said: the words of incidents (perpwire.words), and what an alert adds to them, in each language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo

import msgspec

from perpwire.notification.alert import Alert
from perpwire.words import korean
from perpwire.words.said import Language as Language, language_of, said_in, sentence, title


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """See module docstring.

    Attributes:
        language: "en" or "ko".
        zone: Of the time that is told; UTC where none is given.
    """

    language: Language = "en"
    zone: tzinfo = UTC

    def headline(self, alert: Alert) -> str:
        """One line: severity, venue, title, and how often it happened untold."""
        return _HEADLINES[self.language](alert)

    def body(self, alert: Alert) -> str:
        """The sentence, the facts a line each, and the time."""
        if self.language == "en":
            return alert.body(self.zone)
        said = said_in(language_of(self.language), alert.facts)
        lines = [sentence(alert.text, _facts(alert), self.language) if alert.text else alert.sentence]
        lines += [f"{korean.FACTS.get(name, name)}: {fact}" for name, fact in said.items()]
        return "\n".join([*lines, f"발생 시각: {alert.time(self.zone)}"])


def _facts(alert: Alert) -> dict[str, str]:
    """With those that need no line of their own."""
    more = {"venue": alert.venue, "why": alert.why, "incident": alert.title}
    return dict(alert.facts) | {name: fact for name, fact in more.items() if fact}


def _korean(alert: Alert) -> str:
    again = f" ({alert.repeats}회 추가 발생)" if alert.repeats else ""
    if alert.repeats and alert.resolves is not None:
        again = f" (그동안 {alert.repeats}회 추가 발생)"
    if alert.open_s:
        again += f" ({max(1, round(alert.open_s / 60))}분째 미해결)"
    venue = f"{korean.VENUES.get(alert.venue, alert.venue)}: " if alert.venue else ""
    words = title(alert.text, _facts(alert), "ko") if alert.text else alert.title
    return f"[{korean.SEVERITIES[alert.severity]}] {venue}{words}{again}"


_HEADLINES: Mapping[Language, Callable[[Alert], str]] = {"en": Alert.headline, "ko": _korean}

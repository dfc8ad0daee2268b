"""What callers give, read strictly: what makes no sense raises BadInput before anything is sent."""

from __future__ import annotations

import math
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from perpwire.errors import BadInput
from perpwire.model.numbers import Number, exact
from perpwire.venues.base import Venue

_FIRST_MS, _LAST_MS = 10**11, 10**14
"""1973 and 5138: what is outside is no time in milliseconds, but in seconds or microseconds."""

W = TypeVar("W", bound=StrEnum)


class Arguments:
    """Of a connector's methods."""

    venue: Venue

    def _symbol(self, symbol: str) -> str:
        return self.venue.normal_symbol(symbol)

    def _symbol_or_none(self, symbol: str | None) -> str | None:
        return None if symbol is None else self.venue.normal_symbol(symbol)

    def _seconds(self, value: float, name: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self._bad_value(f"{name} {value!r} is no number of seconds", name)
        return value

    def _whole(self, value: int, name: str, least: int, most: int | None = None) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least or (most or value) < value:
            bounds = f"of {least} or more" if most is None else f"from {least} to {most}"
            raise self._bad_value(f"{name} {value!r} is no whole number {bounds}", name)
        return value

    def _check_span(self, start_ms: int | None, end_ms: int | None) -> None:
        """Ends of a span: None, 0 for the beginning of time, or a plausible number of milliseconds."""
        for name, value in (("start_ms", start_ms), ("end_ms", end_ms)):
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                raise self._bad_value(f"{name} {value!r} is no whole number of milliseconds (int)", name)
            if value and not _FIRST_MS <= value < _LAST_MS:
                # Seconds would ask for half a century, page by page.
                raise self._bad_value(f"{name} {value} is no Unix time in milliseconds", name)
        if start_ms is not None and end_ms is not None and start_ms > end_ms:
            raise self._bad_value(f"the span ends ({end_ms}) before it begins ({start_ms})", "span")

    def _bad_value(self, reason: str, name: str) -> BadInput:
        return BadInput(reason, venue=self.venue.name, code=f"BAD_{name.upper()}")

    def _word(self, words: type[W], text: str, name: str, call: str) -> W:
        try:
            return words(str(text).upper())
        except ValueError:
            reason = f"{name} {text!r} is not one of {', '.join(words)}"
            raise BadInput(reason, venue=self.venue.name, call=call, code=f"BAD_{name.upper()}") from None

    def _exact(self, value: Number, name: str, call: str) -> Decimal:
        return exact(value, name, self.venue.name, call)

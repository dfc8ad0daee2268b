"""Do positions and fills add up? What the venue says of a position must be what it said once, and our fills since.

Only still moments are compared: a reading and a fill of the same seconds may or may not have seen each other. So the
first reading that we count from is given up for a later one when a fill turns up that happened about when it was taken;
and it stays while all adds up, as each newer one would only be another such doubt. What was in no list of the first
reading was flat then. The quantities of a symbol are taken net, as not every venue says which side of a hedged position
a fill belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from perpwire.model.account import Position
from perpwire.model.order import Fill, Side

STILL_S = 5.0
"""Nothing may have been filled so long before a reading that counts, nor so long after one that is counted from."""

ZERO = Decimal(0)


class Mismatch(msgspec.Struct, frozen=True):
    """What does not add up: net quantities of one symbol, base; negative is short.

    Attributes:
        stood_s: How long ago that was first seen; what turned up since explains nothing of it.
    """

    symbol: str
    by_fills: Decimal
    by_venue: Decimal
    stood_s: float = 0.0


class _Account:
    __slots__ = ("base", "base_s", "doubted_s", "filled", "filled_at_s", "missing")

    def __init__(self) -> None:
        self.base: Decimal | None = None
        self.base_s = 0.0
        self.filled = ZERO
        self.filled_at_s = float("-inf")
        self.missing = ZERO
        self.doubted_s = 0.0
        """Since when that has been missing."""

    def count_from(self, base: Decimal, base_s: float) -> None:
        self.base, self.base_s, self.filled, self.missing = base, base_s, ZERO, ZERO


class PositionCheck:
    """All symbols of one account. Pure: times are given, in our monotonic seconds.

    Args:
        stamps: The least and the most that the venue's clock may have shown at a time of ours, Unix milliseconds.
    """

    def __init__(self, stamps: Callable[[float], tuple[int, int]]) -> None:
        self._stamps = stamps
        self._symbols: dict[str, _Account] = {}
        self._first_s: float | None = None
        """Of the first reading."""

    def _account(self, symbol: str) -> _Account:
        account = self._symbols.get(symbol)
        if account is None:
            account = self._symbols[symbol] = _Account()
            if self._first_s is not None:
                account.count_from(ZERO, self._first_s)
        return account

    def on_fill(self, fill: Fill, now_s: float, *, stamps_hold: bool = True) -> None:
        """Each fill, once. What is older than the reading that is counted from is part of it.

        Args:
            stamps_hold: The venue's clock was not put back of late: its times tell what was first.
        """
        account = self._account(fill.symbol)
        account.filled_at_s = now_s
        if account.missing and self._is_before(fill, account.doubted_s) is not False:
            account.missing = ZERO  # it may be what was missing: what is missing now is another one
        if account.base is None:
            return
        is_before = self._is_before(fill, account.base_s) if stamps_hold else None
        if is_before and fill.received_ns and now_s > account.base_s + STILL_S:
            is_before = None  # the stream has told of it since, and bears a time from before: that may be a step
        if is_before is None:
            account.base = None  # nobody knows whether that reading saw it
        elif not is_before:
            account.filled += fill.quantity if fill.side is Side.BUY else -fill.quantity

    def _is_before(self, fill: Fill, at_s: float) -> bool | None:
        """Whether it happened before that; None: about then."""
        least_ms, most_ms = self._stamps(at_s)
        if fill.venue_time_ms < least_ms - STILL_S * 1000:
            return True
        return False if fill.venue_time_ms > most_ms + STILL_S * 1000 else None

    def compare(self, positions: Iterable[Position], asked_s: float) -> list[Mismatch]:
        """What does not add up, of the symbols that were still.

        Args:
            positions: All open ones, as read from the venue.
            asked_s: When they were asked for.
        """
        held: dict[str, Decimal] = dict.fromkeys(self._symbols, ZERO)
        for position in positions:
            held[position.symbol] = held.get(position.symbol, ZERO) + position.quantity
        found = []
        for symbol, quantity in held.items():
            account = self._account(symbol)
            if account.filled_at_s > asked_s - STILL_S:
                continue
            if account.base is None:
                account.count_from(quantity, asked_s)
                continue
            by_fills = account.base + account.filled
            if account.missing != quantity - by_fills:
                account.missing, account.doubted_s = quantity - by_fills, asked_s
            if account.missing:
                found.append(Mismatch(symbol, by_fills, quantity, asked_s - account.doubted_s))
        if self._first_s is None:
            self._first_s = asked_s
        return found

    def accept(self, mismatch: Mismatch, asked_s: float) -> None:
        """From now on the venue's word holds."""
        self._symbols[mismatch.symbol].count_from(mismatch.by_venue, asked_s)

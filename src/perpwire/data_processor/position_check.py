"""Do positions and fills add up? What the venue says of a position must be what it said once, and our fills since.

Only still moments are compared: a reading and a fill of the same seconds may or may not have seen each other. So the
first reading that we count from is given up for a later one when a fill turns up that happened about when it was taken;
and it stays while all adds up, as each newer one would only be another such doubt. The
quantities of a symbol are taken net, as not every venue says which side of a hedged position a fill belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from perpwire.model.account import Position
from perpwire.model.order import Fill, Side

STILL_S = 5.0
"""Nothing may have been filled so long before a reading that counts, nor so long after one that is counted from."""

ZERO = Decimal(0)


class Mismatch(msgspec.Struct, frozen=True):
    """What does not add up: net quantities of one symbol, base; negative is short."""

    symbol: str
    by_fills: Decimal
    by_venue: Decimal


class _Account:
    __slots__ = ("base", "base_ms", "filled", "filled_at_s")

    def __init__(self) -> None:
        self.base: Decimal | None = None
        self.base_ms = 0
        self.filled = ZERO
        self.filled_at_s = float("-inf")


class PositionCheck:
    """All symbols of one account. Pure: times are given."""

    def __init__(self) -> None:
        self._symbols: dict[str, _Account] = {}

    def on_fill(self, fill: Fill, now_s: float) -> None:
        """Each fill, once. What is older than the reading that is counted from is part of it."""
        account = self._symbols.setdefault(fill.symbol, _Account())
        account.filled_at_s = now_s
        if abs(fill.venue_time_ms - account.base_ms) <= STILL_S * 1000:
            account.base = None  # nobody knows whether that reading saw it
        if account.base is not None and fill.venue_time_ms > account.base_ms:
            account.filled += fill.quantity if fill.side is Side.BUY else -fill.quantity

    def compare(self, positions: Iterable[Position], *, asked_s: float, asked_ms: int) -> list[Mismatch]:
        """What does not add up, of the symbols that were still; those that are new are counted from here on.

        Args:
            positions: All open ones, as read from the venue.
            asked_s, asked_ms: When they were asked for: our monotonic seconds, and the venue's Unix milliseconds.
        """
        held: dict[str, Decimal] = dict.fromkeys(self._symbols, ZERO)
        for position in positions:
            held[position.symbol] = held.get(position.symbol, ZERO) + position.quantity
        found = []
        for symbol, quantity in held.items():
            account = self._symbols.setdefault(symbol, _Account())
            if account.filled_at_s > asked_s - STILL_S:
                continue
            if account.base is None:
                account.base, account.base_ms, account.filled = quantity, asked_ms, ZERO
            elif account.base + account.filled != quantity:
                found.append(Mismatch(symbol, account.base + account.filled, quantity))
        return found

    def accept(self, mismatch: Mismatch, asked_ms: int) -> None:
        """From now on the venue's word holds."""
        account = self._symbols[mismatch.symbol]
        account.base, account.base_ms, account.filled = mismatch.by_venue, asked_ms, ZERO

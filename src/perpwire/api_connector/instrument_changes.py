"""What is different between two readings of the venue's contracts, and what that means for orders that rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from perpwire.model.incident import InstrumentChanged, InstrumentEnding
from perpwire.model.instrument import Instrument
from perpwire.model.numbers import ARITHMETIC
from perpwire.model.order import Order

AHEAD_MS = 24 * 3600 * 1000
"""So long before its end a contract that is used is told of."""


def changes(
    before: Mapping[str, Instrument], after: Mapping[str, Instrument], resting: Iterable[Order], time_ns: int
) -> list[InstrumentChanged]:
    """One for each contract that is new, gone or other than it was."""
    found: list[InstrumentChanged] = []
    for symbol in {**before, **after}:
        old, new = before.get(symbol), after.get(symbol)
        if old == new:
            continue
        one = new or old
        assert one is not None  # it is in one of them
        how = "CHANGED" if old and new else "LISTED" if new else "DELISTED"
        what = tuple(_differences(old, new)) if old and new else ()
        if old and new and not what:
            continue
        off_grid = tuple(order.client_order_id for order in resting if order.symbol == symbol and is_off(order, new))
        found.append(
            InstrumentChanged(
                venue=one.venue,
                time_ns=time_ns,
                symbol=symbol,
                how=how,
                what=what,
                off_grid=off_grid,
            )
        )
    return found


def _differences(old: Instrument, new: Instrument) -> Iterable[str]:
    before, after = msgspec.structs.asdict(old), msgspec.structs.asdict(new)
    if old.funding_interval_s is None:
        before["funding_interval_s"] = new.funding_interval_s  # it could not be read then
    return (f"{name} {before[name]} -> {after[name]}" for name in before if before[name] != after[name])


def is_off(order: Order, instrument: Instrument | None) -> bool:
    """Whether the venue would not take such an order now."""
    if instrument is None or not instrument.is_trading:
        return True
    return _is_between(order.price, instrument.tick_size) or _is_between(order.quantity, instrument.quantity_step)


def _is_between(value: Decimal | None, step: Decimal) -> bool:
    return bool(value and step and ARITHMETIC.remainder(value, step))


def endings(
    instruments: Mapping[str, Instrument], used: Iterable[str], now_ms: int, time_ns: int
) -> list[InstrumentEnding]:
    """Contracts that are used and end within a day."""
    found: list[InstrumentEnding] = []
    for symbol in used:
        one = instruments.get(symbol)
        ends_ms = None if one is None else one.delivery_time_ms
        if one is None or ends_ms is None or not now_ms < ends_ms <= now_ms + AHEAD_MS:
            continue
        found.append(
            InstrumentEnding(
                venue=one.venue,
                time_ns=time_ns,
                symbol=symbol,
                ends_ms=ends_ms,
            )
        )
    return found

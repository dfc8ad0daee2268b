"""More contracts than a venue lists by itself: what a user writes in a file becomes the venue's SymbolSpec."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from perpwire.simulator.specs import SETTLE_ASSET, SymbolSpec

LEAST_TICKS = 200
"""Of the start price: the background market needs room below it."""

LONGEST_SYMBOL = 40

_DIGITS = 5  # after the first one of a start price, down to the tick
_MOST_VALUE_DIGITS = 7  # the greatest order is worth some ten million
_MIN_NOTIONAL = Decimal(5)
_HIGHEST = 100  # times the start price


class Listing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A contract to be listed, or to take the place of the venue's own of that name. Numbers are strings in JSON.

    Only `symbol` and `start_price` must be given; the rest is made to suit the price, or is the venue's habit.

    Attributes:
        symbol: Such as DOGEUSDT: letters and digits of any script, in capitals, ending in USDT.
        start_price: Where trading begins; a multiple of tick_size.
        base: What quantities count; the symbol without USDT if left out.
        max_market_quantity: A fifth of max_quantity if left out.
        taker_fee, maker_fee: Fractions of the traded value: 0.0005 is 5 bp.
        leverage: That an account begins with.
        venues: Only there; everywhere if left out.

    Raises:
        ValueError: Numbers or names with which no market can be.
    """

    symbol: str
    start_price: Decimal
    base: str = ""
    tick_size: Decimal | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    quantity_step: Decimal | None = None
    min_quantity: Decimal | None = None
    max_quantity: Decimal | None = None
    max_market_quantity: Decimal | None = None
    min_notional: Decimal = _MIN_NOTIONAL
    taker_fee: Decimal | None = None
    maker_fee: Decimal | None = None
    leverage: Decimal | None = None
    funding_interval_h: int | None = None
    venues: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        symbol = self.symbol
        is_plain = symbol.replace("_", "").replace("-", "").isalnum() and symbol == symbol.lower().upper()
        if not is_plain or not symbol.endswith(SETTLE_ASSET) or not 4 < len(symbol) <= LONGEST_SYMBOL:
            raise ValueError(
                f"symbol {symbol!r} must be letters and digits in capitals that end in {SETTLE_ASSET}, "
                f"{LONGEST_SYMBOL} at most"
            )
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, Decimal) and not (value.is_finite() and (value > 0 or name.endswith("_fee"))):
                raise ValueError(f"{name} {value} of {symbol} must be above 0")
        for name in ("taker_fee", "maker_fee"):
            fee = getattr(self, name)
            if fee is not None and abs(fee) >= Decimal("0.1"):
                raise ValueError(f"{name} {fee} of {symbol} is a fraction of the value: 0.0005 is 5 bp")
        if self.start_price % self.tick or self.start_price < LEAST_TICKS * self.tick:
            raise ValueError(
                f"start_price {self.start_price} of {symbol} must be a multiple of its tick_size {self.tick:f}, "
                f"and {LEAST_TICKS} of it at least"
            )
        if self.funding_interval_h is not None and self.funding_interval_h not in (1, 2, 4, 8):
            raise ValueError(f"funding_interval_h {self.funding_interval_h} of {symbol} must be 1, 2, 4 or 8")

    @property
    def tick(self) -> Decimal:
        return self.tick_size or Decimal(1).scaleb(self.start_price.adjusted() - _DIGITS)

    def spec(self, habit: SymbolSpec) -> SymbolSpec:
        """The contract at one venue, which `habit` is the customary one of."""
        size = self.start_price.adjusted()
        step = self.quantity_step or Decimal(1).scaleb(min(0, -size))
        greatest = self.max_quantity or max(step, Decimal(1).scaleb(_MOST_VALUE_DIGITS - size))
        instrument = msgspec.structs.replace(
            habit.instrument,
            symbol=self.symbol,
            base=self.base or self.symbol.removesuffix(SETTLE_ASSET).rstrip("-_"),
            tick_size=self.tick,
            min_price=self.min_price or self.tick,
            max_price=self.max_price or (self.start_price * _HIGHEST).quantize(self.tick),
            quantity_step=step,
            min_quantity=self.min_quantity or step,
            max_quantity=greatest,
            max_market_quantity=self.max_market_quantity or max(step, (greatest / 5) // step * step),
            min_notional=self.min_notional,
            funding_interval_s=(
                habit.instrument.funding_interval_s
                if self.funding_interval_h is None
                else self.funding_interval_h * 3600
            ),
        )
        return msgspec.structs.replace(
            habit,
            instrument=instrument,
            start_price=self.start_price,
            taker_fee=habit.taker_fee if self.taker_fee is None else self.taker_fee,
            maker_fee=habit.maker_fee if self.maker_fee is None else self.maker_fee,
            leverage=habit.leverage if self.leverage is None else self.leverage,
        )


def listed(defaults: Sequence[SymbolSpec], listings: Sequence[Listing], venue: str) -> tuple[SymbolSpec, ...]:
    """The contracts of a venue: its own, and those of `listings` that are for it."""
    specs = {spec.instrument.symbol: spec for spec in defaults}
    habit = defaults[-1]
    for listing in listings:
        if not listing.venues or venue in listing.venues:
            specs[listing.symbol] = listing.spec(specs.get(listing.symbol, habit))
    return tuple(specs.values())

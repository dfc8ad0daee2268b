"""A tradable contract and its rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from perpwire.errors import BadInput
from perpwire.model.numbers import ARITHMETIC, plain

ContractType = Literal["PERPETUAL", "FUTURE", "UNKNOWN"]
Rounding = Literal["down", "up", "nearest"]
ROUNDINGS: tuple[Rounding, ...] = ("down", "up", "nearest")


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One contract, as the venue describes it.

    Attributes:
        venue: "binance" or "bybit".
        symbol: The venue's own name, such as BTCUSDT.
        base: Asset that quantities count, such as BTC.
        quote: Asset that prices count, such as USDT.
        settle: Asset of margin, profit and fees.
        is_trading: True while orders that open positions are taken.
        tick_size: Prices are multiples of it (quote per base); 0 where the venue sets none.
        min_price, max_price: Hard bounds of a limit price, None where none is stated.
        quantity_step: Quantities are multiples of it (base).
        min_quantity, max_quantity: Bounds of a limit order's quantity (base).
        max_market_quantity: Upper bound of a market order's quantity (base).
        min_market_quantity, market_quantity_step: Of a market order's quantity (base), where they differ from those of
            limit orders; None: the same.
        max_buy_price_ratio, min_sell_price_ratio: A buy's limit price is at most mark price x this, a sell's at least;
            None where the venue has no such rule or judges by itself.
        max_open_orders: Of this contract, conditional ones not counted; None where not stated.
        trigger_protect: How far last and mark price may be apart (share of the price) where a protected trigger fires;
            None where the venue has no such protection.
        min_notional: Least price x quantity (quote) of an order that is not reduce-only.
        funding_interval_s: Seconds between fundings, None where not stated, as of contracts with a delivery date.
        status: The venue's own word, such as TRADING, SETTLING or PreLaunch.
        contract_type: PERPETUAL, or FUTURE for one with a delivery date (Binance's alone are listed here).
        launch_time_ms: When it came or comes on the market, Unix milliseconds; None where not stated.
        delivery_time_ms: When it is delivered or taken off the market, likewise; None where that is not planned.
        max_leverage, leverage_step: Bounds of set_leverage; None where not stated (Binance: see get_brackets).
    """

    venue: str
    symbol: str
    base: str
    quote: str
    settle: str
    is_trading: bool
    tick_size: Decimal
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    quantity_step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal | None = None
    max_market_quantity: Decimal | None = None
    min_market_quantity: Decimal | None = None
    market_quantity_step: Decimal | None = None
    max_buy_price_ratio: Decimal | None = None
    min_sell_price_ratio: Decimal | None = None
    max_open_orders: int | None = None
    trigger_protect: Decimal | None = None
    min_notional: Decimal | None = None
    funding_interval_s: int | None = None
    status: str = ""
    contract_type: ContractType = "PERPETUAL"
    launch_time_ms: int | None = None
    delivery_time_ms: int | None = None
    max_leverage: Decimal | None = None
    leverage_step: Decimal | None = None

    def round_price(self, price: Decimal, rounding: Rounding) -> Decimal:
        """The multiple of tick_size below, above or nearest to `price` (half-way: the even one); 0 where that is the
        multiple below, which no order is taken with."""
        return _to_multiple(price, self.tick_size, rounding)

    def round_quantity(self, quantity: Decimal, rounding: Rounding, *, market: bool = False) -> Decimal:
        """The multiple of quantity_step (of market_quantity_step for a market order) below, above or nearest to
        `quantity`; see round_price."""
        return _to_multiple(quantity, self._step(market), rounding)

    def _step(self, market: bool) -> Decimal:
        return self.market_quantity_step if market and self.market_quantity_step is not None else self.quantity_step

    def _least(self, market: bool) -> Decimal:
        return self.min_market_quantity if market and self.min_market_quantity is not None else self.min_quantity

    def check_price(self, price: Decimal) -> None:
        """Raises BadInput, naming the nearest valid price, where the venue would refuse this limit price."""
        if price <= 0:
            raise self._bad(
                "PRICE_NOT_POSITIVE",
                f"price {plain(price)} must be above 0; the least is {plain(self.min_price or self.tick_size)}",
            )
        if self.tick_size and ARITHMETIC.remainder(price, self.tick_size):
            near = plain(_within(self.round_price(price, "nearest"), self.min_price or self.tick_size, self.max_price))
            raise self._bad(
                "PRICE_OFF_TICK",
                f"price {plain(price)} is not a multiple of tick size {plain(self.tick_size)}; nearest is {near}",
            )
        if self.min_price is not None and price < self.min_price:
            raise self._bad("PRICE_TOO_LOW", f"price {plain(price)} is below the least, {plain(self.min_price)}")
        if self.max_price is not None and price > self.max_price:
            raise self._bad("PRICE_TOO_HIGH", f"price {plain(price)} is above the greatest, {plain(self.max_price)}")

    def check_quantity(self, quantity: Decimal, *, market: bool = False, any_size: bool = False) -> None:
        """Raises BadInput, naming the nearest valid quantity, where the venue would refuse this one; with `any_size`
        there is no upper bound."""
        step, least = self._step(market), self._least(market)
        greatest = None if any_size else self.max_market_quantity if market else self.max_quantity
        if quantity <= 0:
            raise self._bad(
                "QUANTITY_NOT_POSITIVE", f"quantity {plain(quantity)} must be above 0; the least is {plain(least)}"
            )
        if step and ARITHMETIC.remainder(quantity, step):
            near = plain(_within(self.round_quantity(quantity, "nearest", market=market), least, greatest))
            raise self._bad(
                "QUANTITY_OFF_STEP",
                f"quantity {plain(quantity)} is not a multiple of step {plain(step)}; nearest is {near}",
            )
        if quantity < least:
            raise self._bad("QUANTITY_TOO_SMALL", f"quantity {plain(quantity)} is below the least, {plain(least)}")
        if greatest is not None and quantity > greatest:
            raise self._bad(
                "QUANTITY_TOO_LARGE", f"quantity {plain(quantity)} is above the greatest, {plain(greatest)}"
            )

    def check_notional(self, price: Decimal, quantity: Decimal) -> None:
        """Raises BadInput, naming the least quantity at this price, where the notional is too small."""
        if self.min_notional is not None and ARITHMETIC.multiply(price, quantity) < self.min_notional:
            least = self.round_quantity(ARITHMETIC.divide(self.min_notional, price), "up")
            raise self._bad(
                "NOTIONAL_TOO_SMALL",
                f"{plain(price)} x {plain(quantity)} is below the least notional, "
                f"{plain(self.min_notional)} {self.quote}; the least quantity at this price is {plain(least)}",
            )

    def _bad(self, code: str, reason: str) -> BadInput:
        return BadInput(f"{self.symbol}: {reason}", venue=self.venue, call="place_order", code=code)


def _within(value: Decimal, least: Decimal, greatest: Decimal | None) -> Decimal:
    return max(value, least) if greatest is None or value <= greatest else greatest


def _to_multiple(value: Decimal, step: Decimal, rounding: Rounding) -> Decimal:
    if not step:
        return value
    count, rest = ARITHMETIC.divmod(value, step)
    if rest and rounding != "down":
        twice = ARITHMETIC.multiply(2, abs(rest))
        if rounding == "up" or twice > step or (twice == step and ARITHMETIC.remainder(count, 2)):
            count = ARITHMETIC.add(count, 1 if value > 0 else -1)
    return ARITHMETIC.multiply(count, step)

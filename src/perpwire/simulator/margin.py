"""What a venue must say of its margin arithmetic; see `venues/<venue>/sim/margin.py`.

Pure functions of numbers. Values are in quote; cash is in the settle asset.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Protocol

from perpwire.model.order import Side
from perpwire.simulator.records import SimPosition
from perpwire.simulator.specs import SymbolSpec
from perpwire.simulator.vocabulary import ZERO

CASH_STEP = Decimal("0.00000001")

OpenOrder = tuple[Decimal, Decimal]
"""Price, and the quantity that is not filled yet."""


class MarginModel(Protocol):
    """
    Attributes:
        takes_over_at_once: In its lowest tier a liquidated position goes to the insurance fund, not through the book.
        funds_from_wallet: Funding of an isolated position is paid of the account's free money, as far as that goes, and
            received there; False: it is the position's own margin that pays and receives.
    """

    takes_over_at_once: bool
    funds_from_wallet: bool

    def initial(self, spec: SymbolSpec, position: SimPosition, mark: Decimal) -> Decimal:
        """Initial margin of an open position."""
        ...

    def maintenance(self, spec: SymbolSpec, position: SimPosition, mark: Decimal) -> Decimal:
        """Below this equity it is liquidated."""
        ...

    def isolated_maintenance(self, spec: SymbolSpec, position: SimPosition, mark: Decimal) -> Decimal:
        """The equity at which an isolated position is liquidated: so that it is at its `liquidation_price`."""
        ...

    def set_aside(self, spec: SymbolSpec, side: Side, value: Decimal, leverage: Decimal) -> Decimal:
        """Cash that moves to an isolated position when an execution of this value opens or increases it."""
        ...

    def closing_fee(self, spec: SymbolSpec, position: SimPosition) -> Decimal:
        """What of its margin is kept for the fee of closing it at the bankruptcy price; 0 where the venue keeps nothing
        and charges nothing."""
        ...

    def order_margin(
        self,
        spec: SymbolSpec,
        held: Decimal,
        buys: Sequence[OpenOrder],
        sells: Sequence[OpenOrder],
        mark: Decimal,
        leverage: Decimal,
    ) -> Decimal:
        """What the open orders of one position hold back, those that can only close it left out. The position is `held`
        (signed). `buys` are dearest first, `sells` cheapest first: in the order in which they are filled."""
        ...

    def open_loss(self, side: Side, price: Decimal, quantity: Decimal, mark: Decimal) -> Decimal:
        """What an order loses at once if it is filled; asked only when it is taken in."""
        ...

    def liquidation_price(
        self, spec: SymbolSpec, position: SimPosition, legs: Sequence[SimPosition], mark: Decimal, cash: Decimal
    ) -> Decimal | None:
        """Where the position would be liquidated, all other prices standing still; None where nowhere above 0.

        Args:
            legs: The positions of this symbol that share its margin, itself among them.
            cash: What stands behind these legs: an isolated position's margin, or else the cross wallet and the
                unrealised profit of all other cross positions less their maintenance margin.
        """
        ...


def fit_cash(amount: Decimal) -> Decimal:
    """Truncated toward zero to the smallest amount of cash."""
    return amount.quantize(CASH_STEP, rounding=ROUND_DOWN)


def bankruptcy_price(position: SimPosition, cash: Decimal, mark: Decimal) -> Decimal:
    """Where nothing is left: `cash` stands behind the position besides its own profit at `mark`. Not below 0."""
    equity = cash + position.unrealized(mark)
    return max(ZERO, mark - equity / position.quantity)


def beyond(orders: Sequence[OpenOrder], reducible: Decimal) -> list[OpenOrder]:
    """What is left of the orders once the first of them have closed `reducible`."""
    left: list[OpenOrder] = []
    for price, quantity in orders:
        closing = min(reducible, quantity)
        reducible -= closing
        if quantity > closing:
            left.append((price, quantity - closing))
    return left


def price_where_margin_ends(
    spec: SymbolSpec, legs: Sequence[SimPosition], mark: Decimal, cash: Decimal
) -> Decimal | None:
    """Where cash + profit = maintenance margin, with the tiers that the legs have at that very price; None where
    nowhere above 0."""
    net = sum((leg.quantity for leg in legs), ZERO)
    cost = sum((leg.entry_value if leg.quantity > 0 else -leg.entry_value for leg in legs), ZERO)
    price = mark
    for _ in range(2 * len(spec.tiers)):
        chosen = [spec.tier(abs(leg.quantity) * price) for leg in legs]
        kept = sum((abs(leg.quantity) * one.maintenance_rate for leg, one in zip(legs, chosen, strict=True)), ZERO)
        if kept == net:
            return None
        price = (cash + sum((one.deduction for one in chosen), ZERO) - cost) / (kept - net)
        if price <= 0:
            return None
        if [spec.tier(abs(leg.quantity) * price) for leg in legs] == chosen:
            break
    return price


class PlainMargin:
    """Value over leverage, and the tier's maintenance rate: for exchanges of no particular venue."""

    takes_over_at_once = False
    funds_from_wallet = False

    def initial(self, spec: SymbolSpec, position: SimPosition, mark: Decimal) -> Decimal:
        return abs(position.quantity) * mark / position.leverage

    def maintenance(self, spec: SymbolSpec, position: SimPosition, mark: Decimal) -> Decimal:
        value = abs(position.quantity) * mark
        tier = spec.tier(value)
        return value * tier.maintenance_rate - tier.deduction

    def isolated_maintenance(self, spec: SymbolSpec, position: SimPosition, mark: Decimal) -> Decimal:
        return self.maintenance(spec, position, mark)

    def set_aside(self, spec: SymbolSpec, side: Side, value: Decimal, leverage: Decimal) -> Decimal:
        return fit_cash(value / leverage)

    def closing_fee(self, spec: SymbolSpec, position: SimPosition) -> Decimal:
        return ZERO

    def order_margin(
        self,
        spec: SymbolSpec,
        held: Decimal,
        buys: Sequence[OpenOrder],
        sells: Sequence[OpenOrder],
        mark: Decimal,
        leverage: Decimal,
    ) -> Decimal:
        """The worse of two cases: all buys are filled, or all sells are. What closes the position is free."""
        opening = (beyond(buys, max(ZERO, -held)), beyond(sells, max(ZERO, held)))
        return max(sum((price * quantity for price, quantity in one), ZERO) for one in opening) / leverage

    def open_loss(self, side: Side, price: Decimal, quantity: Decimal, mark: Decimal) -> Decimal:
        return ZERO

    def liquidation_price(
        self, spec: SymbolSpec, position: SimPosition, legs: Sequence[SimPosition], mark: Decimal, cash: Decimal
    ) -> Decimal | None:
        return price_where_margin_ends(spec, legs, mark, cash)

"""The venue's margin arithmetic for linear contracts: by mark price since 2025-09-02.

Source: the venue's help centre, 2025-09 to 2026-05, and payloads captured from 2025-10 to 2026-03, which the tests
repeat to the last digit. What is printed is truncated at eight decimals; here nothing is.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from perpwire.model.order import Side
from perpwire.simulator.margin import OpenOrder, beyond, fit_cash
from perpwire.simulator.records import SimPosition
from perpwire.simulator.specs import SymbolSpec
from perpwire.simulator.vocabulary import ZERO

LEAST_FEE_RATE = Decimal("0.00055")
"""What the break-even price counts for closing at least."""


class BybitMargin:
    """See simulator.margin.MarginModel. Q is a quantity, E entry and M mark price, L leverage, t the taker rate."""

    takes_over_at_once = True
    funds_from_wallet = True

    def initial(self, spec: SymbolSpec, position: SimPosition, mark: Decimal) -> Decimal:
        """Cross: Q M / L + F. Isolated: Q E / L + F and what was added."""
        fee = fee_to_close(spec, position)
        if position.is_isolated:
            return position.entry_value / position.leverage + fee + position.extra_margin
        return abs(position.quantity) * mark / position.leverage + fee

    def maintenance(self, spec: SymbolSpec, position: SimPosition, mark: Decimal) -> Decimal:
        """Q M MMR - D + F."""
        value = abs(position.quantity) * mark
        tier = spec.tier(value)
        return value * tier.maintenance_rate - tier.deduction + fee_to_close(spec, position)

    def isolated_maintenance(self, spec: SymbolSpec, position: SimPosition, mark: Decimal) -> Decimal:
        """What was added counts as X / (1 - s t) in the liquidation price: by this much more or less is left there."""
        sign = 1 if position.quantity > 0 else -1
        counted = position.extra_margin / (1 - sign * spec.taker_fee)
        return self.maintenance(spec, position, mark) + position.extra_margin - counted

    def set_aside(self, spec: SymbolSpec, side: Side, value: Decimal, leverage: Decimal) -> Decimal:
        """value / L + the fee to close at the bankruptcy price."""
        return fit_cash(value / leverage + _closing_fee(spec, side, value, leverage))

    def closing_fee(self, spec: SymbolSpec, position: SimPosition) -> Decimal:
        """F: a takeover at the bankruptcy price is charged as a taker."""
        return fee_to_close(spec, position)

    def order_margin(
        self,
        spec: SymbolSpec,
        held: Decimal,
        buys: Sequence[OpenOrder],
        sells: Sequence[OpenOrder],
        mark: Decimal,
        leverage: Decimal,
    ) -> Decimal:
        """The larger side's order cost: Q P / L, the fee to open, and the fee to close; P is the worse of limit and
        mark price. Orders that close are free."""

        def cost(side: Side, orders: list[OpenOrder]) -> Decimal:
            worse = max if side is Side.BUY else min
            value = sum((quantity * worse(price, mark) for price, quantity in orders), ZERO)
            return value / leverage + value * spec.taker_fee + _closing_fee(spec, side, value, leverage)

        return max(cost(Side.BUY, beyond(buys, max(ZERO, -held))), cost(Side.SELL, beyond(sells, max(ZERO, held))))

    def open_loss(self, side: Side, price: Decimal, quantity: Decimal, mark: Decimal) -> Decimal:
        return ZERO

    def liquidation_price(
        self, spec: SymbolSpec, position: SimPosition, legs: Sequence[SimPosition], mark: Decimal, cash: Decimal
    ) -> Decimal | None:
        """Isolated, by what was set aside: [Q E (1 - s/L) - s (X / (1 - s t) + D)] / [Q (1 - s MMR)].
        Cross: M - s (margin balance - maintenance margin) / Q, an estimate that moves with the market. In hedge mode Q
        is what one leg has more than the other; the smaller leg is lost nowhere."""
        if position.is_isolated:
            return _isolated(spec, position, mark)
        net = sum((leg.quantity for leg in legs), ZERO)
        if not net or (net > 0) is not (position.quantity > 0):
            return None
        left = cash + sum((leg.unrealized(mark) - self.maintenance(spec, leg, mark) for leg in legs), ZERO)
        price = mark - left / net
        return price if price > 0 else None


def fee_to_close(spec: SymbolSpec, position: SimPosition) -> Decimal:
    """F = Q B t, where B = E (1 - s/L) is the bankruptcy price of a position to which nothing was added."""
    side = Side.BUY if position.quantity >= 0 else Side.SELL
    return _closing_fee(spec, side, position.entry_value, position.leverage)


def break_even_price(spec: SymbolSpec, position: SimPosition) -> Decimal:
    """Where closing brings the position's whole result to nothing: (E Q - realised) / (Q - |Q| max(t, 0.055 %))."""
    quantity = position.quantity
    cost = position.entry_value if quantity > 0 else -position.entry_value
    return (cost - position.current_realized) / (quantity - abs(quantity) * max(spec.taker_fee, LEAST_FEE_RATE))


def _closing_fee(spec: SymbolSpec, side: Side, value: Decimal, leverage: Decimal) -> Decimal:
    sign = 1 if side is Side.BUY else -1
    return value * (1 - sign / leverage) * spec.taker_fee


def _isolated(spec: SymbolSpec, position: SimPosition, mark: Decimal) -> Decimal | None:
    sign = 1 if position.quantity > 0 else -1
    size = abs(position.quantity)
    bankrupt_value = position.entry_value * (1 - sign / position.leverage)
    extra = position.extra_margin / (1 - sign * spec.taker_fee)
    price = mark
    for _ in range(2 * len(spec.tiers)):
        tier = spec.tier(size * price)
        price = (bankrupt_value - sign * (extra + tier.deduction)) / (size * (1 - sign * tier.maintenance_rate))
        if price <= 0:
            return None
        if spec.tier(size * price) is tier:
            break
    return price


MARGIN = BybitMargin()

"""The venue's margin arithmetic. Source: usds-margined-futures, and the support articles on liquidation price and
initial margin, as of 2026; reference formulas are checked against it in the tests."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from perpwire.model.order import Side
from perpwire.simulator.events import ZERO, SimPosition
from perpwire.simulator.margin import OpenOrder, fit_cash, price_where_margin_ends
from perpwire.simulator.specs import SymbolSpec


class BinanceMargin:
    """See simulator.margin.MarginModel."""

    takes_over_at_once = False
    funds_from_wallet = False

    def initial(self, spec: SymbolSpec, position: SimPosition, mark: Decimal) -> Decimal:
        """Notional at the mark price over leverage."""
        return abs(position.quantity) * mark / position.leverage

    def maintenance(self, spec: SymbolSpec, position: SimPosition, mark: Decimal) -> Decimal:
        """Notional x maintMarginRatio - cum, of the bracket that the notional is in."""
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
        """max(|Q M + bids|, |Q M - asks|) / L less the position's own initial margin."""
        value = held * mark
        bids, asks = (sum((price * quantity for price, quantity in orders), ZERO) for orders in (buys, sells))
        return (max(abs(value + bids), abs(value - asks), abs(value)) - abs(value)) / leverage

    def open_loss(self, side: Side, price: Decimal, quantity: Decimal, mark: Decimal) -> Decimal:
        """quantity x |min(0, direction x (mark - price))|."""
        return quantity * max(ZERO, price - mark if side is Side.BUY else mark - price)

    def liquidation_price(
        self, spec: SymbolSpec, position: SimPosition, legs: Sequence[SimPosition], mark: Decimal, cash: Decimal
    ) -> Decimal | None:
        """(WB - TMM + UPNL + cum - sum of s Q E) / (sum of Q mmr - sum of s Q), the brackets being those at the price
        itself."""
        return price_where_margin_ends(spec, legs, mark, cash)


MARGIN = BinanceMargin()

"""The venue's margin arithmetic. Source: usds-margined-futures, and the support articles on liquidation price and
initial margin, as of 2026; reference formulas are checked against it in the tests."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from perpwire.model.order import Side
from perpwire.simulator.margin import OpenOrder, PlainMargin
from perpwire.simulator.specs import SymbolSpec
from perpwire.simulator.vocabulary import ZERO


class BinanceMargin(PlainMargin):
    """Positions by the plain arithmetic: initial margin is notional at the mark price over leverage, maintenance margin
    notional x maintMarginRatio - cum of the notional's bracket, and the liquidation price is where

        (WB - TMM + UPNL + cum - sum of s Q E) / (sum of Q mmr - sum of s Q)

    is, with the brackets at that very price. Open orders are the venue's own.
    """

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


MARGIN = BinanceMargin()

"""An account's positions in both versions of the calls that list them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from perpwire.model.order import PositionSide, Side
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import SimPosition
from perpwire.simulator.specs import PositionView
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import Args
from perpwire.venues.binance_futures.sim.words import SymbolWords, break_even_price, money, rounded, stripped

ZERO = Decimal(0)


class PositionSums(msgspec.Struct, frozen=True, kw_only=True):
    """One position in numbers; see wire.PositionRisk. `order_margin` is that of its own side's orders."""

    view: PositionView
    order_margin: Decimal
    bid_notional: Decimal
    ask_notional: Decimal
    max_notional: Decimal

    @property
    def position(self) -> SimPosition:
        return self.view.position

    @property
    def notional(self) -> Decimal:
        return self.position.quantity * self.view.mark_price

    @property
    def is_active(self) -> bool:
        """The third version of the calls lists only these."""
        return bool(self.position.quantity or self.bid_notional or self.ask_notional)


class PositionCalls:
    def __init__(self, exchange: Exchange, listing: Listing) -> None:
        self._exchange = exchange
        self._listing = listing

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any]) -> Row:
            return Row(handler, Security.SIGNED, 5)

        return {
            ("GET", "/fapi/v2/positionRisk"): row(self._risk_v2),
            ("GET", "/fapi/v3/positionRisk"): row(self._risk_v3),
        }

    def sums(self, account: str, words: SymbolWords) -> list[PositionSums]:
        """A symbol's rows: one, or two in hedge mode."""
        views = self._exchange.position_views(account, words.symbol)
        notionals = {
            view.position.side: open_notionals(self._exchange, account, words.symbol, view.position.side)
            for view in views
        }
        opening = {side: _opening(side, *both) for side, both in notionals.items()}
        total = sum(opening.values(), ZERO)
        return [
            PositionSums(
                view=view,
                order_margin=view.order_margin * opening[view.position.side] / total if total else view.order_margin,
                bid_notional=notionals[view.position.side][0],
                ask_notional=notionals[view.position.side][1],
                max_notional=words.spec.cap_at(view.position.leverage),
            )
            for view in views
        ]

    def all_sums(self, account: str) -> list[PositionSums]:
        return [one for words in self._listing.words.values() for one in self.sums(account, words)]

    def active_sums(self, account: str, chosen: list[SymbolWords]) -> list[PositionSums]:
        """Of symbols with a position or an open order, on either side."""
        found = []
        for words in chosen:
            rows = self.sums(account, words)
            if any(row.is_active for row in rows):
                found += rows
        return found

    def _risk_v2(self, account: str, args: Args) -> list[wire.PositionRisk]:
        """Every symbol."""
        rows = []
        for words in self._listing.chosen(args):
            for sums in self.sums(account, words):
                row = self._risk(sums)
                row.leverage = stripped(sums.position.leverage)
                row.max_notional_value = stripped(sums.max_notional)
                row.margin_type = "isolated" if sums.position.is_isolated else "cross"
                row.is_auto_add_margin = "true" if sums.position.auto_add_margin else "false"
                rows.append(row)
        return rows

    def _risk_v3(self, account: str, args: Args) -> list[wire.PositionRisk]:
        """Symbols with a position or an open order."""
        rows = []
        for sums in self.active_sums(account, self._listing.chosen(args)):
            view = sums.view
            row = self._risk(sums)
            row.margin_asset = self._listing.words[view.position.symbol].spec.instrument.settle
            row.initial_margin = money(view.initial_margin + sums.order_margin)
            row.maint_margin = money(view.maintenance_margin)
            row.position_initial_margin = money(view.initial_margin)
            row.open_order_initial_margin = money(sums.order_margin)
            row.adl = adl_quantile(view)
            row.bid_notional = stripped(sums.bid_notional)
            row.ask_notional = stripped(sums.ask_notional)
            rows.append(row)
        return rows

    def _risk(self, sums: PositionSums) -> wire.PositionRisk:
        """What both versions say."""
        view, position = sums.view, sums.position
        words = self._listing.words[position.symbol]
        return wire.PositionRisk(
            symbol=position.symbol,
            position_side=position.side.value,
            position_amt=words.quantity(position.quantity),
            entry_price=stripped(rounded(position.entry_price)) if position.quantity else "0.0",
            break_even_price=stripped(break_even_price(position, words.spec.taker_fee)) if position.quantity else "0.0",
            mark_price=money(view.mark_price),
            un_realized_profit=money(view.unrealized_pnl),
            liquidation_price=stripped(rounded(view.liquidation_price or ZERO)),
            isolated_margin=money(isolated_margin(view)),
            notional=money(sums.notional) if position.quantity else "0",
            isolated_wallet=stripped(position.isolated_margin),
            update_time=position.updated_ms,
        )


def isolated_margin(view: PositionView) -> Decimal:
    """The cash set aside and the profit that has come to it; 0 where the margin is cross."""
    position = view.position
    return position.isolated_margin + view.unrealized_pnl if position.is_isolated and position.quantity else ZERO


def adl_quantile(view: PositionView) -> int:
    """0 to 4."""
    return max(0, view.adl_rank - 1)


def open_notionals(
    exchange: Exchange, account: str, symbol: str, position_side: PositionSide | None = None
) -> tuple[Decimal, Decimal]:
    """What the open bids and asks of a symbol are worth, at their own prices; of one side's orders, or of all."""
    sums = {Side.BUY: ZERO, Side.SELL: ZERO}
    for order in exchange.open_orders(account, symbol):
        if position_side in (None, order.position_side):
            sums[order.side] += (order.price or ZERO) * order.remaining
    return sums[Side.BUY], sums[Side.SELL]


def _opening(side: PositionSide, bids: Decimal, asks: Decimal) -> Decimal:
    """The part of a side's open orders that can make the position larger."""
    if side is PositionSide.BOTH:
        return bids + asks
    return bids if side is PositionSide.LONG else asks

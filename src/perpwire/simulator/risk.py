"""What an account's positions and orders need as margin, and what is left: sums at the current mark prices."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from perpwire.model.order import PositionSide, Side
from perpwire.simulator.accounts import Account
from perpwire.simulator.margin import MarginModel, OpenOrder, bankruptcy_price
from perpwire.simulator.records import SimOrder, SimPosition
from perpwire.simulator.specs import AccountView, PositionView, SymbolSpec
from perpwire.simulator.vocabulary import ZERO


class Risk:
    """The venue's margin arithmetic applied to accounts.

    Args:
        mark_of: Symbol -> mark price.
        accounts: All of them, for the ranking of who is closed first against a bankrupt position.
    """

    def __init__(
        self,
        specs: Mapping[str, SymbolSpec],
        margin: MarginModel,
        mark_of: Callable[[str], Decimal],
        accounts: Mapping[str, Account],
    ) -> None:
        self._specs = specs
        self.margin = margin
        self.mark_of = mark_of
        self._accounts = accounts

    # --- sums ---------------------------------------------------------------------------------------------------------

    def view(self, account: Account) -> AccountView:
        """The account's sums in its own asset."""
        asset = account.spec.asset
        unrealized = cross_unrealized = initial = cross_initial = maintenance = cross_maintenance = aside = ZERO
        for position in account.state.positions.values():
            spec = self._specs[position.symbol]
            if not position.quantity or spec.instrument.settle != asset:
                continue
            mark = self.mark_of(position.symbol)
            gain = position.unrealized(mark)
            need, keep = self.margin.initial(spec, position, mark), self.margin.maintenance(spec, position, mark)
            unrealized += gain
            initial += need
            maintenance += keep
            if position.is_isolated:
                aside += position.isolated_margin
            else:
                cross_unrealized += gain
                cross_initial += need
                cross_maintenance += keep
        orders = sum(
            (self._margin_of(account, symbol, its) for symbol, its in self._open_orders(account, asset).items()), ZERO
        )
        wallet = account.wallet(asset)
        return AccountView(
            wallet=wallet,
            cross_wallet=wallet - aside,
            unrealized_pnl=unrealized,
            cross_unrealized_pnl=cross_unrealized,
            initial_margin=initial,
            cross_initial_margin=cross_initial,
            order_margin=orders,
            maintenance_margin=maintenance,
            cross_maintenance_margin=cross_maintenance,
        )

    def _open_orders(self, account: Account, asset: str) -> dict[str, list[SimOrder]]:
        """By symbol."""
        found: dict[str, list[SimOrder]] = {}
        for order in account.open.values():
            found.setdefault(order.symbol, []).append(order)
        return {symbol: its for symbol, its in found.items() if self._specs[symbol].instrument.settle == asset}

    # --- orders -------------------------------------------------------------------------------------------------------

    def order_margin(
        self, account: Account, symbol: str, *, without: SimOrder | None = None, plus: SimOrder | None = None
    ) -> Decimal:
        """What the resting orders that would open or increase a position hold back.

        Orders that may only close are free; how the others count is the venue's to say. `without` leaves an order out
        and `plus` adds one, to ask what a change would need. Orders without a price don't count: price a market order
        first.
        """
        orders = [one for one in account.open.values() if one.symbol == symbol and one is not without]
        if plus is not None:
            orders.append(plus)
        return self._margin_of(account, symbol, orders)

    def _margin_of(self, account: Account, symbol: str, orders: Iterable[SimOrder]) -> Decimal:
        by_leg: dict[PositionSide, tuple[list[OpenOrder], list[OpenOrder]]] = {}
        for order in orders:
            if order.price is not None and not order.closes:
                sides = by_leg.setdefault(order.position_side, ([], []))
                sides[order.side is Side.SELL].append((order.price, order.remaining))
        return sum((self._leg_margin(account, symbol, leg, *sides) for leg, sides in by_leg.items()), ZERO)

    def _leg_margin(
        self, account: Account, symbol: str, leg: PositionSide, buys: list[OpenOrder], sells: list[OpenOrder]
    ) -> Decimal:
        buys.sort(reverse=True)
        sells.sort()
        return self.margin.order_margin(
            self._specs[symbol],
            account.held(symbol, leg),
            buys,
            sells,
            self.mark_of(symbol),
            account.leverage(symbol, leg),
        )

    def exposure(self, account: Account, symbol: str, side: Side, leg: PositionSide) -> Decimal:
        """The quantity that the position has if all open orders of this side are filled, in this side's direction."""
        waiting = sum(
            (
                one.remaining
                for one in account.open.values()
                if one.symbol == symbol and one.side is side and one.position_side is leg and not one.closes
            ),
            ZERO,
        )
        held = account.held(symbol, leg)
        return waiting + (held if side is Side.BUY else -held)

    # --- positions ----------------------------------------------------------------------------------------------------

    def _behind(self, account: Account, position: SimPosition, view: AccountView) -> tuple[list[SimPosition], Decimal]:
        """The legs that share the position's margin, and the cash that stands behind them (see MarginModel)."""
        if position.is_isolated:
            return [position], position.isolated_margin
        legs = [one for one in account.all_positions() if one.symbol == position.symbol and not one.is_isolated] or [
            position
        ]
        mark, spec = self.mark_of(position.symbol), self._specs[position.symbol]
        own_gain = sum((one.unrealized(mark) for one in legs), ZERO)
        own_need = sum((self.margin.maintenance(spec, one, mark) for one in legs), ZERO)
        others = view.cross_unrealized_pnl - own_gain - (view.cross_maintenance_margin - own_need)
        return legs, view.cross_wallet + others

    def position_view(
        self, account: Account, symbol: str, side: PositionSide, view: AccountView | None = None
    ) -> PositionView:
        """
        Args:
            view: The account's sums, for who looks at several positions of one moment.
        """
        position = copy.copy(account.position(symbol, side))
        spec, mark = self._specs[symbol], self.mark_of(symbol)
        liquidation = bankruptcy = None
        initial = maintenance = ZERO
        largest = max(abs(position.quantity), *(self.exposure(account, symbol, one, side) for one in Side))
        if position.quantity:
            view = view or self.view(account)
            legs, cash = self._behind(account, account.position(symbol, side), view)
            liquidation = self.margin.liquidation_price(spec, position, legs, mark, cash)
            bankruptcy = self.bankruptcy(account, position, view)
            initial = self.margin.initial(spec, position, mark)
            maintenance = self.margin.maintenance(spec, position, mark)
        return PositionView(
            position=position,
            mark_price=mark,
            unrealized_pnl=position.unrealized(mark),
            initial_margin=initial,
            maintenance_margin=maintenance,
            order_margin=self.order_margin(account, symbol),
            liquidation_price=liquidation,
            bankruptcy_price=bankruptcy,
            tier=spec.tier(largest * mark),
            adl_rank=self.adl_rank(account, position),
        )

    def bankruptcy(self, account: Account, position: SimPosition, view: AccountView | None = None) -> Decimal:
        """Where nothing is left of what stands behind an open position, less what is kept for closing it: its own
        margin, or all of the account's money where it is cross."""
        mark = self.mark_of(position.symbol)
        if position.is_isolated:
            cash = position.isolated_margin
        else:
            cash = (view or self.view(account)).cross_equity - position.unrealized(mark)
        return bankruptcy_price(position, cash - self.margin.closing_fee(self._specs[position.symbol], position), mark)

    # --- who is closed first ------------------------------------------------------------------------------------------

    def adl_rank(self, account: Account, position: SimPosition) -> int:
        """1 to 5 among the positions of its side, by profit and leverage; 0 where it is flat."""
        if not position.quantity:
            return 0
        own = self.adl_score(account, position)
        scores = [
            self.adl_score(other, one)
            for other in self._accounts.values()
            for one in other.all_positions()
            if one.symbol == position.symbol and (one.quantity > 0) == (position.quantity > 0)
        ]
        below = sum(score < own for score in scores)
        return 1 + 4 * below // max(1, len(scores) - 1) if len(scores) > 1 else (3 if own > 0 else 1)

    def adl_score(self, account: Account, position: SimPosition) -> Decimal:
        """Return on entry times effective leverage; a loss divided by it. The highest is closed first."""
        mark = self.mark_of(position.symbol)
        if not position.entry_value:
            return ZERO
        share = position.unrealized(mark) / position.entry_value
        leverage = position.leverage
        return share * leverage if share > 0 else share / leverage

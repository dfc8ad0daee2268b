"""Liquidation and auto-deleveraging: what the exchange does to positions whose margin is used up.

In order: the account's orders in question are cancelled; a position in a higher tier is brought down to the next lower
one, by an immediate-or-cancel order at its bankruptcy price; what is still short after that is taken over by the
insurance fund at the bankruptcy price; and what the fund can't bear is closed against the most profitable positions of
the other side. Source: the venues' support articles, as the two references have them; step sizes are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Literal

from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.accounts import Account
from perpwire.simulator.events import AccountReason, Liquidated, MarginCalled, SimEvent
from perpwire.simulator.execution import Execution
from perpwire.simulator.house import House
from perpwire.simulator.margin import CASH_STEP
from perpwire.simulator.market import Market
from perpwire.simulator.records import SimOrder, SimPosition
from perpwire.simulator.risk import Risk
from perpwire.simulator.triggers import Triggers
from perpwire.simulator.vocabulary import ZERO, Origin

MARGIN_CALL_SHARE = Decimal("0.8")
"""An account is warned when its maintenance margin has come to this share of its equity."""


class Liquidator:
    def __init__(
        self,
        accounts: Mapping[str, Account],
        markets: Mapping[str, Market],
        execution: Execution,
        triggers: Triggers,
        risk: Risk,
        house: House,
        emit: Callable[[SimEvent], None],
    ) -> None:
        self._accounts = accounts
        self._markets = markets
        self._execution = execution
        self._triggers = triggers
        self._risk = risk
        self._house = house
        self._emit = emit
        self._warned: set[tuple[str, str]] = set()

    # --- who is to be liquidated --------------------------------------------------------------------------------------

    def on_marks(self) -> None:
        """Mark prices have moved: look at every account."""
        for account in self._accounts.values():
            held = list(account.all_positions())
            if not held:
                continue
            for position in held:
                if position.quantity and position.is_isolated:
                    self._look_at_isolated(account, position)
            if any(one.quantity and not one.is_isolated for one in held):
                self._look_at_cross(account)

    def _look_at_isolated(self, account: Account, position: SimPosition) -> None:
        mark = self._risk.mark_of(position.symbol)
        spec = self._markets[position.symbol].spec
        need = self._risk.margin.isolated_maintenance(spec, position, mark)
        equity = position.isolated_margin + position.unrealized(mark)
        if equity <= need and position.auto_add_margin:
            equity += self._add_margin(account, position, need - equity)
        if equity > need:
            self._warn(account, f"{position.symbol}/{position.side.value}", position, need, equity)
            return
        while position.quantity and self._is_short(account, position):
            self.liquidate(account, position)

    def _add_margin(self, account: Account, position: SimPosition, short: Decimal) -> Decimal:
        """From the cross wallet, as much again as is short, so that it is not short again at once."""
        free = self._risk.view(account).available
        amount = min(free, max(2 * short, CASH_STEP)).quantize(CASH_STEP, rounding=ROUND_DOWN)
        if amount <= 0:
            return ZERO
        position.isolated_margin += amount
        position.extra_margin += amount
        market = self._markets[position.symbol]
        self._emit(account.changed("margin", position.symbol, (position,), (), market.now_ms()))
        return amount

    def _look_at_cross(self, account: Account) -> None:
        view = self._risk.view(account)
        if view.cross_equity > view.cross_maintenance_margin:
            self._warn(account, "", None, view.cross_maintenance_margin, view.cross_equity)
            return
        while view.cross_equity <= view.cross_maintenance_margin:
            cross = [one for one in account.all_positions() if not one.is_isolated]
            if not cross:
                return
            worst = max(cross, key=lambda one: (self._maintenance(one), one.symbol, one.side.value))
            self.liquidate(account, worst)
            view = self._risk.view(account)

    def _maintenance(self, position: SimPosition) -> Decimal:
        spec = self._markets[position.symbol].spec
        return self._risk.margin.maintenance(spec, position, self._risk.mark_of(position.symbol))

    def _warn(self, account: Account, key: str, position: SimPosition | None, need: Decimal, equity: Decimal) -> None:
        warned = (account.spec.name, key)
        if need < MARGIN_CALL_SHARE * equity:
            self._warned.discard(warned)
        elif warned not in self._warned:
            self._warned.add(warned)
            now_ms = next(iter(self._markets.values())).now_ms()
            self._emit(
                MarginCalled(
                    account=account.spec.name,
                    symbol=position.symbol if position else "",
                    side=position.side if position else PositionSide.BOTH,
                    time_ms=now_ms,
                )
            )

    # --- how ----------------------------------------------------------------------------------------------------------

    def liquidate(self, account: Account, position: SimPosition, *, is_forced: bool = False) -> None:
        """One round of it for one position; it is smaller afterwards, or gone: by force also where margin is left."""
        market = self._markets[position.symbol]
        self._cancel_orders(account, position, market)
        if not position.quantity:
            return
        side = Side.SELL if position.quantity > 0 else Side.BUY
        price = self._bankruptcy(account, position, market, side)
        value = abs(position.quantity) * market.price.mark
        tier = market.spec.tier(value)
        at_once = self._risk.margin.takes_over_at_once and tier is market.spec.tiers[0]
        left = abs(position.quantity)
        if not at_once:
            if tier.floor:
                step = market.spec.instrument.quantity_step
                lower = (value - tier.floor) / market.price.mark
                left = min(left, max(step, (lower / step).quantize(Decimal(1), rounding=ROUND_UP) * step))
            order = self._order(account, position, market, side, left, price, "liquidation")
            self._execution.announce(order, "new")
            self._execution.enter(market, order)
            self._tell(market, order)
            self._charge(account, market, order)
            left = min(order.remaining, abs(position.quantity))
        if left and (is_forced or self._is_short(account, position)):
            self._take_over(account, position, market, side, left)
        market.publish_book()

    def _is_short(self, account: Account, position: SimPosition) -> bool:
        if position.is_isolated:
            spec, mark = self._markets[position.symbol].spec, self._risk.mark_of(position.symbol)
            equity = position.isolated_margin + position.unrealized(mark)
            return equity <= self._risk.margin.isolated_maintenance(spec, position, mark)
        view = self._risk.view(account)
        return view.cross_equity <= view.cross_maintenance_margin

    def _cancel_orders(self, account: Account, position: SimPosition, market: Market) -> None:
        symbol = position.symbol if position.is_isolated else None
        for order in list(account.open.values()):
            if symbol in (None, order.symbol):
                self._execution.end(self._markets[order.symbol], order, "canceled", "liquidation")
                self._markets[order.symbol].publish_book()
        for trigger in self._triggers.of(account.spec.name, symbol):
            self._triggers.end(trigger, "liquidation")

    def _bankruptcy(self, account: Account, position: SimPosition, market: Market, side: Side) -> Decimal:
        """On the tick, to the account's advantage, so that it is left with nothing rather than less."""
        tick = market.spec.instrument.tick_size
        exact = self._risk.bankruptcy(account, position)
        steps = (exact / tick).quantize(Decimal(1), rounding=ROUND_UP if side is Side.SELL else ROUND_DOWN)
        return max(tick, steps * tick)

    def _order(
        self,
        account: Account,
        position: SimPosition,
        market: Market,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        origin: Origin,
    ) -> SimOrder:
        now_ms = market.now_ms()
        order = SimOrder(
            account=account.spec.name,
            symbol=position.symbol,
            order_id=self._house.next_order_id(position.symbol),
            client_order_id="",
            side=side,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.IOC,
            price=market.canonical(price),
            quantity=quantity,
            reduce_only=True,
            position_side=position.side,
            status=OrderStatus.NEW,
            created_ms=now_ms,
            updated_ms=now_ms,
            self_trade="none",
            origin=origin,
        )
        account.add_order(order)
        return order

    def _tell(self, market: Market, order: SimOrder) -> None:
        assert order.price is not None  # the bankruptcy price
        self._emit(
            Liquidated(
                symbol=order.symbol,
                side=order.side,
                quantity=order.quantity,
                price=order.price,
                average_price=order.average_price or ZERO,
                filled_quantity=order.filled_quantity,
                time_ms=market.now_ms(),
            )
        )

    def _charge(self, account: Account, market: Market, order: SimOrder) -> None:
        """The liquidation fee, as far as there is money for it, to the insurance fund."""
        fee = (order.filled_value * market.spec.liquidation_fee).quantize(CASH_STEP)
        asset = market.spec.instrument.settle
        fee = min(fee, max(ZERO, account.cross_wallet(asset)))
        if fee:
            self._book(account, market, "liquidation_fee", -fee)

    def _book(
        self, account: Account, market: Market, kind: Literal["liquidation_fee", "insurance"], change: Decimal
    ) -> None:
        what = {"fee": -change} if kind == "liquidation_fee" else {"cash_flow": change}
        asset = market.spec.instrument.settle
        booking = account.book(kind, asset, market.now_ms(), change, symbol=market.symbol, **what)
        self._house.state.insurance -= change
        self._emit(account.changed("insurance", market.symbol, (), (booking,), market.now_ms(), change))

    # --- insurance fund and ADL ---------------------------------------------------------------------------------------

    def _take_over(
        self, account: Account, position: SimPosition, market: Market, side: Side, quantity: Decimal
    ) -> None:
        price = market.canonical(self._bankruptcy(account, position, market, side))
        loss = quantity * (price - market.price.mark) * (1 if side is Side.SELL else -1)
        if loss > self._house.state.insurance:
            quantity -= self._deleverage(account, position, market, side, quantity, price)
        if not quantity:
            return
        is_charged = bool(self._risk.margin.closing_fee(market.spec, position))
        fee_rate = market.spec.taker_fee if is_charged else ZERO
        order = self._give(account, position, market, side, quantity, price, "takeover", fee_rate)
        self._tell(market, order)
        # The fund has the position at the bankruptcy price and is rid of it at the mark price.
        gain = (market.price.mark - price) * quantity * (1 if side is Side.SELL else -1)
        self._house.state.insurance += gain
        self._house.state.cash -= gain
        asset = market.spec.instrument.settle
        missing = -account.wallet(asset)
        if missing > 0:
            self._book(account, market, "insurance", missing)

    def _deleverage(
        self,
        account: Account,
        position: SimPosition,
        market: Market,
        side: Side,
        quantity: Decimal,
        price: Decimal,
    ) -> Decimal:
        """Close a bankrupt position against profitable ones of the other side, the highest ranked first. Gives how much
        of it could be."""
        left = quantity
        ranked = [
            (self._risk.adl_score(other, one), other, one)
            for other in self._accounts.values()
            for one in other.all_positions()
            if other is not account and one.symbol == market.symbol and (one.quantity > 0) == (side is Side.BUY)
        ]
        ranked.sort(key=lambda row: (-row[0], row[1].spec.name, row[2].side.value))
        for score, other, one in ranked:
            if not left or score <= 0:
                break
            part = min(left, abs(one.quantity))
            self.deleverage(other, one, part, price)
            left -= part
        closed = quantity - left
        if closed:
            self._give(account, position, market, side, closed, price, "takeover")
        return closed

    def deleverage(self, account: Account, position: SimPosition, quantity: Decimal, price: Decimal) -> None:
        """Close some of a profitable position at the bankruptcy price of another, with all orders of its symbol."""
        market = self._markets[position.symbol]
        for order in list(account.open.values()):
            if order.symbol == position.symbol:
                self._execution.end(market, order, "canceled", "adl")
        side = Side.SELL if position.quantity > 0 else Side.BUY
        self._give(account, position, market, side, quantity, price, "adl")
        market.publish_book()

    def _give(
        self,
        account: Account,
        position: SimPosition,
        market: Market,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        kind: Literal["takeover", "adl"],
        fee_rate: Decimal = ZERO,
    ) -> SimOrder:
        """Close so much of a position outside the book, by an order of the venue's own."""
        order = self._order(account, position, market, side, quantity, price, kind)
        self._execution.announce(order, "new")
        reason: AccountReason = "adl" if kind == "adl" else "liquidation"
        self._execution.give_over(market, order, market.canonical(price), quantity, kind, reason, fee_rate)
        return order

"""Accounts: money, positions, and how an account trades."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from perpwire.clock import Timer
from perpwire.model.order import PositionSide, Side
from perpwire.simulator.accounts import LONG, SHORT, Account
from perpwire.simulator.events import SettingsChanged
from perpwire.simulator.margin import CASH_STEP
from perpwire.simulator.records import Booking, SimPosition
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.specs import AccountSpec, AccountView, PositionView
from perpwire.simulator.trigger_desk import TriggerDesk
from perpwire.simulator.vocabulary import ZERO

BOTH = PositionSide.BOTH


class AccountDesk(TriggerDesk):
    _countdowns: dict[tuple[str, str], Timer]

    # --- who ----------------------------------------------------------------------------------------------------------

    def account_by_key(self, api_key: str) -> AccountSpec | None:
        return self._by_key.get(api_key)

    def account_spec(self, account: str) -> AccountSpec:
        return self._accounts[account].spec

    def account_specs(self) -> Sequence[AccountSpec]:
        return tuple(account.spec for account in self._accounts.values())

    # --- what it has --------------------------------------------------------------------------------------------------

    def wallet(self, account: str) -> dict[str, Decimal]:
        """Asset -> cash."""
        return dict(self._accounts[account].state.wallet)

    def view(self, account: str) -> AccountView:
        return self._risk.view(self._accounts[account])

    def position(self, account: str, symbol: str, side: PositionSide = BOTH) -> SimPosition:
        """Flat where there never was one."""
        self._market(symbol)
        return copy.copy(self._accounts[account].position(symbol, side))

    def positions(self, account: str) -> list[SimPosition]:
        """Those that are open."""
        return [copy.copy(one) for one in self._accounts[account].all_positions()]

    def position_view(self, account: str, symbol: str, side: PositionSide = BOTH) -> PositionView:
        """A position with what it needs and where it would be liquidated, at the current mark price."""
        self._market(symbol)
        return self._risk.position_view(self._accounts[account], symbol, side)

    def position_views(self, account: str, symbol: str | None = None) -> list[PositionView]:
        """The symbol's positions by its position mode (BOTH, or LONG and SHORT), flat ones too; or, of all symbols,
        those that are open."""
        owner = self._accounts[account]
        view = self._risk.view(owner)
        if symbol is None:
            return [self._risk.position_view(owner, one.symbol, one.side, view) for one in list(owner.all_positions())]
        self._market(symbol)
        return [self._risk.position_view(owner, symbol, side, view) for side in owner.sides(symbol)]

    def order_margin(self, account: str, symbol: str) -> Decimal:
        """Initial margin that this symbol's open orders hold back."""
        self._market(symbol)
        return self._risk.order_margin(self._accounts[account], symbol)

    def bookings(self, account: str) -> list[Booking]:
        """Every movement of cash that is remembered, oldest first."""
        return list(self._accounts[account].bookings)

    def moved_ms(self, account: str) -> dict[str, int]:
        """Asset -> when its cash last changed, Unix milliseconds; what no booking is remembered of was there when the
        exchange began."""
        owner = self._accounts[account]
        began = dict.fromkeys(owner.state.wallet, self._began_ms)
        return began | {booking.asset: booking.time_ms for booking in owner.bookings}

    def deposit(self, account: str, asset: str, amount: Decimal) -> None:
        """Pay in, or out where the amount is below 0.

        Raises:
            Refused: MARGIN_TOO_MUCH, where there is not as much to be had.
        """
        owner = self._accounts[account]
        at_hand = self._risk.view(owner).available if asset == owner.spec.asset else owner.wallet(asset)
        if -amount > at_hand:
            raise Refused(Why.MARGIN_TOO_MUCH)
        booking = owner.book("transfer", asset, self.now_ms(), amount.quantize(CASH_STEP), cash_flow=amount)
        self._emit(owner.changed("deposit", "", (), (booking,), self.now_ms(), amount))

    # --- leverage and modes -------------------------------------------------------------------------------------------

    def leverage(self, account: str, symbol: str, side: PositionSide = BOTH) -> Decimal:
        self._market(symbol)
        owner = self._accounts[account]
        return owner.leverage(symbol, side if side in owner.sides(symbol) else owner.sides(symbol)[0])

    def set_leverage(self, account: str, symbol: str, leverage: Decimal, side: PositionSide | None = None) -> None:
        """Of one position side, or (None) of all.

        Raises:
            Refused: LEVERAGE: out of the contract's range. LEVERAGE_CAP: the position is too large for it. MARGIN: a
                lower leverage would need more than is free.
        """
        market = self._market(symbol)
        if not 1 <= leverage <= market.spec.max_leverage:
            raise Refused(Why.LEVERAGE)
        owner = self._accounts[account]
        sides = (BOTH, LONG, SHORT) if side is None else (side,)
        positions = [owner.position(symbol, one) for one in sides]
        for position in positions:
            if abs(position.quantity) * market.price.mark > market.spec.cap_at(leverage):
                raise Refused(Why.LEVERAGE_CAP)
        before = [(one.leverage, one.isolated_margin) for one in positions]
        lowered = any(leverage < one.leverage for one in positions)
        for position in positions:
            self._relever(position, leverage)
        if lowered and self._risk.view(owner).free < 0:
            for position, (old, margin) in zip(positions, before, strict=True):
                position.leverage, position.isolated_margin = old, margin
            raise Refused(Why.MARGIN)
        self._changed(account, symbol, "leverage")

    def _relever(self, position: SimPosition, leverage: Decimal) -> None:
        """An isolated position is given, or gives back, what the other leverage makes of its margin."""
        if position.is_isolated and position.quantity:
            spec = self._specs[position.symbol]
            side = Side.BUY if position.quantity > 0 else Side.SELL
            value = position.entry_value
            margin = self._risk.margin
            more = margin.set_aside(spec, side, value, leverage) - margin.set_aside(
                spec, side, value, position.leverage
            )
            position.isolated_margin = max(ZERO, position.isolated_margin + more)
        position.leverage = leverage

    def is_isolated(self, account: str, symbol: str) -> bool:
        self._market(symbol)
        return self._accounts[account].is_isolated(symbol)

    def set_isolated(self, account: str, symbol: str | None, isolated: bool) -> None:
        """Margin mode of one symbol, or (None) of the account. Open positions go along: they are given their initial
        margin, or give up what was set aside. Whether that is allowed at all, is the venue's to say.

        Raises:
            Refused: MARGIN, where there is not enough to set aside.
        """
        owner = self._accounts[account]
        if symbol is not None:
            self._market(symbol)
        before = copy.deepcopy(owner.state)
        if symbol is None:
            owner.state.isolated = {"": isolated}
        else:
            owner.state.isolated[symbol] = isolated
        moved = []
        for position in owner.state.positions.values():
            if symbol in (None, position.symbol) and position.is_isolated != isolated:
                position.is_isolated = isolated
                position.isolated_margin = self._initial(position) if isolated else ZERO
                position.extra_margin = ZERO
                if position.quantity:
                    moved.append(position)
        if isolated and moved and self._risk.view(owner).free < 0:
            owner.state = before
            raise Refused(Why.MARGIN)
        with self._outbox:
            self._changed(account, symbol or "", "margin_mode")
            for position in moved:
                self._emit(owner.changed("margin_mode", position.symbol, (position,), (), self.now_ms()))

    def _initial(self, position: SimPosition) -> Decimal:
        if not position.quantity:
            return ZERO
        spec = self._specs[position.symbol]
        side = Side.BUY if position.quantity > 0 else Side.SELL
        return self._risk.margin.set_aside(spec, side, position.entry_value, position.leverage)

    def is_hedge(self, account: str, symbol: str) -> bool:
        self._market(symbol)
        return self._accounts[account].is_hedged(symbol)

    def set_hedge(self, account: str, symbol: str | None, hedge: bool) -> None:
        """Position mode of one symbol, or (None) of the account.

        Raises:
            Refused: HAS_ORDERS or HAS_POSITION: there are some in what would change. UNCHANGED.
        """
        owner = self._accounts[account]
        affected = [name for name in self._specs if symbol in (None, name) and owner.is_hedged(name) is not hedge]
        if symbol is not None:
            self._market(symbol)
        if not affected:
            raise Refused(Why.UNCHANGED)
        waiting = {one.symbol for one in owner.open.values()} | {one.symbol for one in owner.triggers.values()}
        if not waiting.isdisjoint(affected):
            raise Refused(Why.HAS_ORDERS)
        if any(one.symbol in affected for one in owner.all_positions()):
            raise Refused(Why.HAS_POSITION)
        for name in affected:
            for side in (BOTH, LONG, SHORT):  # the setting is the symbol's, whichever positions show it
                owner.position(name, side).leverage = owner.leverage(name, owner.sides(name)[0])
        if symbol is None:
            owner.state.hedged = {"": hedge}
        else:
            owner.state.hedged[symbol] = hedge
        self._changed(account, symbol or "", "position_mode")

    # --- isolated margin ----------------------------------------------------------------------------------------------

    def add_margin(self, account: str, symbol: str, side: PositionSide, amount: Decimal) -> SimPosition:
        """Move cash to an isolated position, or from it where the amount is below 0.

        Raises:
            Refused: POSITION_SIDE, NOT_ISOLATED, NO_POSITION; MARGIN: there is not as much; MARGIN_TOO_MUCH: so much
                can't be taken out.
        """
        self._market(symbol)
        owner = self._accounts[account]
        if side not in owner.sides(symbol):
            raise Refused(Why.POSITION_SIDE)
        position = owner.position(symbol, side)
        if not position.is_isolated:
            raise Refused(Why.NOT_ISOLATED)
        if not position.quantity:
            raise Refused(Why.NO_POSITION)
        if amount > self._risk.view(owner).available:
            raise Refused(Why.MARGIN)
        if amount < 0:
            mark, spec = self.mark_price(symbol), self._specs[symbol]
            bare = copy.copy(position)
            bare.extra_margin = ZERO  # what was added may go again
            need = self._risk.margin.initial(spec, bare, mark)
            if position.isolated_margin + amount + min(ZERO, position.unrealized(mark)) < need:
                raise Refused(Why.MARGIN_TOO_MUCH)
        position.isolated_margin += amount
        position.extra_margin += amount
        self._emit(owner.changed("margin", symbol, (position,), (), self.now_ms()))
        return copy.copy(position)

    def set_auto_add_margin(self, account: str, symbol: str, side: PositionSide, on: bool) -> None:
        """
        Raises:
            Refused: POSITION_SIDE or NOT_ISOLATED.
        """
        self._market(symbol)
        owner = self._accounts[account]
        if side not in owner.sides(symbol):
            raise Refused(Why.POSITION_SIDE)
        position = owner.position(symbol, side)
        if not position.is_isolated:
            raise Refused(Why.NOT_ISOLATED)
        position.auto_add_margin = on
        self._changed(account, symbol, "auto_add_margin")

    # --- the venue's own ----------------------------------------------------------------------------------------------

    def setting(self, account: str, name: str, default: str = "") -> str:
        """A flag that the venue keeps for the account."""
        return self._accounts[account].state.settings.get(name, default)

    def set_setting(self, account: str, name: str, value: str) -> None:
        self._accounts[account].state.settings[name] = value
        self._changed(account, "", "setting")

    def set_countdown(self, account: str, symbol: str, milliseconds: int) -> None:
        """Cancel the symbol's orders when so much time has passed without another call of this; 0 calls it off."""
        self._market(symbol)
        self._stop(self._countdowns.pop((account, symbol), None))
        countdowns = self._accounts[account].state.countdowns
        countdowns.pop(symbol, None)
        if milliseconds:
            countdowns[symbol] = self.now_ms() + milliseconds
            self._start_countdown(account, symbol, milliseconds / 1000)
        self._changed(account, symbol, "countdown")

    def _start_countdown(self, account: str, symbol: str, seconds: float) -> None:
        self._countdowns[account, symbol] = self._later(seconds, lambda: self._count_down(account, symbol))

    def _count_down(self, account: str, symbol: str) -> None:
        del self._countdowns[account, symbol]
        self._accounts[account].state.countdowns.pop(symbol, None)
        self.cancel_all(account, symbol, reason="countdown")
        self._changed(account, symbol, "countdown")

    def _resume_countdowns(self) -> None:
        """Those from before a restart."""
        for name, account in self._accounts.items():
            for symbol, due_ms in account.state.countdowns.items():
                if symbol in self._markets:
                    self._start_countdown(name, symbol, max(0, due_ms - self.now_ms()) / 1000)

    def _changed(
        self,
        account: str,
        symbol: str,
        what: Literal["leverage", "margin_mode", "position_mode", "auto_add_margin", "setting", "countdown"],
    ) -> None:
        self._emit(SettingsChanged(account=account, symbol=symbol, what=what, time_ms=self.now_ms()))

    def _owner(self, account: str) -> Account:
        return self._accounts[account]

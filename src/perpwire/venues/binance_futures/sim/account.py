"""The simulator's account calls: balances, positions, leverage, and the settings of an account."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from perpwire.model.order import Side
from perpwire.simulator.events import Refused, SimPosition, Why
from perpwire.simulator.exchange import AccountView, Exchange
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire
from perpwire.venues.binance_futures.sim.gateway import Args, Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import whole
from perpwire.venues.binance_futures.sim.words import (
    BRACKET,
    Refusal,
    break_even_price,
    missing,
    money,
    rounded,
    stripped,
    unrealized,
)

ZERO = Decimal(0)


class PositionSums(msgspec.Struct, frozen=True, kw_only=True):
    """One position in numbers; see wire.PositionRisk for what each is."""

    position: SimPosition
    mark_price: Decimal
    unrealized: Decimal
    notional: Decimal
    position_margin: Decimal
    order_margin: Decimal
    maintenance: Decimal
    bid_notional: Decimal
    ask_notional: Decimal
    leverage: Decimal

    @property
    def is_active(self) -> bool:
        """The third version of the calls lists only these."""
        return bool(self.position.quantity or self.bid_notional or self.ask_notional)


class AccountCalls:
    """`on_leverage` hears of each change: account, symbol, leverage."""

    def __init__(
        self,
        exchange: Exchange,
        listing: Listing,
        on_leverage: Callable[[str, str, int], None],
    ) -> None:
        self._exchange = exchange
        self._words = listing.words
        self._words_of = listing.words_of
        self._on_leverage = on_leverage

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any], weight: int) -> Row:
            return Row(handler, Security.SIGNED, weight)

        return {
            ("GET", "/fapi/v2/account"): row(self._account_v2, 5),
            ("GET", "/fapi/v3/account"): row(self._account_v3, 5),
            ("GET", "/fapi/v2/balance"): row(self._balance, 5),
            ("GET", "/fapi/v3/balance"): row(self._balance, 5),
            ("GET", "/fapi/v2/positionRisk"): row(self._risk_v2, 5),
            ("GET", "/fapi/v3/positionRisk"): row(self._risk_v3, 5),
            ("GET", "/fapi/v1/accountConfig"): row(self._account_config, 5),
            ("GET", "/fapi/v1/symbolConfig"): row(self._symbol_config, 5),
            ("GET", "/fapi/v1/commissionRate"): row(self._commission_rate, 20),
            ("GET", "/fapi/v1/leverageBracket"): row(self._brackets, 1),
            ("GET", "/fapi/v1/positionSide/dual"): row(lambda a, _: wire.PositionMode(dual_side_position=False), 30),
            ("POST", "/fapi/v1/leverage"): row(self._set_leverage, 1),
        }

    # --- positions ------------------------------------------------------------------------------------------------

    def _sums(self, account: str, symbol: str) -> PositionSums:
        position = self._exchange.position(account, symbol)
        mark_price = self._exchange.mark_price(symbol)
        leverage = self._exchange.leverage(account, symbol)
        value = abs(position.quantity) * mark_price
        notionals = open_notionals(self._exchange, account, symbol)
        return PositionSums(
            position=position,
            mark_price=mark_price,
            unrealized=unrealized(position, mark_price),
            notional=position.quantity * mark_price,
            position_margin=value / leverage,
            order_margin=self._exchange.order_margin(account, symbol),
            maintenance=self._exchange.position_view(account, symbol).maintenance_margin,
            bid_notional=notionals[0],
            ask_notional=notionals[1],
            leverage=leverage,
        )

    def _all_sums(self, account: str) -> list[PositionSums]:
        return [self._sums(account, symbol) for symbol in self._words]

    def _risk_v2(self, account: str, args: Args) -> list[wire.PositionRisk]:
        """Every symbol."""
        rows = []
        for sums in self._chosen(account, args):
            row = self._risk(account, sums)
            row.leverage = stripped(sums.leverage)
            row.max_notional_value = str(BRACKET.notional_cap)
            row.margin_type = "cross"
            row.is_auto_add_margin = "false"
            rows.append(row)
        return rows

    def _risk_v3(self, account: str, args: Args) -> list[wire.PositionRisk]:
        """Symbols with a position or an open order."""
        rows = []
        for sums in self._chosen(account, args):
            if not sums.is_active:
                continue
            row = self._risk(account, sums)
            row.margin_asset = self._words[sums.position.symbol].spec.instrument.settle
            row.initial_margin = money(sums.position_margin + sums.order_margin)
            row.maint_margin = money(sums.maintenance)
            row.position_initial_margin = money(sums.position_margin)
            row.open_order_initial_margin = money(sums.order_margin)
            row.adl = 0
            row.bid_notional = stripped(sums.bid_notional)
            row.ask_notional = stripped(sums.ask_notional)
            rows.append(row)
        return rows

    def _chosen(self, account: str, args: Args) -> list[PositionSums]:
        if args.get("symbol"):
            return [self._sums(account, self._words_of(args).symbol)]
        return self._all_sums(account)

    def _risk(self, account: str, sums: PositionSums) -> wire.PositionRisk:
        """What both versions say."""
        position = sums.position
        words = self._words[position.symbol]
        return wire.PositionRisk(
            symbol=position.symbol,
            position_side="BOTH",
            position_amt=words.quantity(position.quantity),
            entry_price=stripped(rounded(position.entry_price)) if position.quantity else "0.0",
            break_even_price=stripped(break_even_price(position, words.spec.taker_fee)),
            mark_price=money(sums.mark_price),
            un_realized_profit=money(sums.unrealized),
            liquidation_price=stripped(rounded(self._liquidation_price(account, sums))),
            isolated_margin="0.00000000",
            notional=money(sums.notional) if position.quantity else "0",
            isolated_wallet="0",
            update_time=position.updated_ms,
        )

    def _liquidation_price(self, account: str, sums: PositionSums) -> Decimal:
        """The mark price at which equity would be down to the maintenance margin, other positions as they are."""
        view = self._exchange.position_view(account, sums.position.symbol, sums.position.side)
        return view.liquidation_price or ZERO

    # --- account --------------------------------------------------------------------------------------------------

    def _account_v2(self, account: str, args: Args) -> wire.Account:
        """Every symbol, and the flags."""
        answer = self._totals(account)
        for asset in answer.assets:
            asset.margin_available = True
        answer.positions = [self._position_v2(sums) for sums in self._all_sums(account)]
        answer.fee_tier = 0
        answer.fee_burn = False
        answer.can_trade = answer.can_deposit = answer.can_withdraw = True
        answer.update_time = 0
        answer.multi_assets_margin = False
        answer.trade_group_id = -1
        return answer

    def _account_v3(self, account: str, args: Args) -> wire.Account:
        answer = self._totals(account)
        answer.positions = [
            wire.AccountPosition(
                symbol=sums.position.symbol,
                position_side="BOTH",
                position_amt=self._words[sums.position.symbol].quantity(sums.position.quantity),
                unrealized_profit=money(sums.unrealized),
                isolated_margin="0.00000000",
                notional=money(sums.notional) if sums.position.quantity else "0",
                isolated_wallet="0",
                initial_margin=money(sums.position_margin + sums.order_margin),
                maint_margin=money(sums.maintenance),
                update_time=sums.position.updated_ms,
            )
            for sums in self._all_sums(account)
            if sums.is_active
        ]
        return answer

    def _position_v2(self, sums: PositionSums) -> wire.AccountPosition:
        position = sums.position
        words = self._words[position.symbol]
        return wire.AccountPosition(
            symbol=position.symbol,
            initial_margin=money(sums.position_margin + sums.order_margin),
            maint_margin=money(sums.maintenance),
            unrealized_profit=money(sums.unrealized),
            position_initial_margin=money(sums.position_margin),
            open_order_initial_margin=money(sums.order_margin),
            leverage=stripped(sums.leverage),
            isolated=False,
            entry_price=stripped(rounded(position.entry_price)) if position.quantity else "0.0",
            break_even_price=stripped(break_even_price(position, words.spec.taker_fee)),
            max_notional=str(BRACKET.notional_cap),
            position_side="BOTH",
            position_amt=words.quantity(position.quantity),
            notional=money(sums.notional) if position.quantity else "0",
            isolated_wallet="0",
            bid_notional=stripped(sums.bid_notional),
            ask_notional=stripped(sums.ask_notional),
            update_time=position.updated_ms,
        )

    def _totals(self, account: str) -> wire.Account:
        view = self._exchange.view(account)
        return wire.Account(
            total_initial_margin=money(view.initial_margin + view.order_margin),
            total_maint_margin=money(view.maintenance_margin),
            total_wallet_balance=money(view.wallet),
            total_unrealized_profit=money(view.unrealized_pnl),
            total_margin_balance=money(view.equity),
            total_position_initial_margin=money(view.initial_margin),
            total_open_order_initial_margin=money(view.order_margin),
            total_cross_wallet_balance=money(view.wallet),
            total_cross_un_pnl=money(view.unrealized_pnl),
            available_balance=money(view.available),
            max_withdraw_amount=money(_withdrawable(view)),
            assets=[
                self._asset(asset, view if asset == self._settle_asset(account) else _cash(balance))
                for asset, balance in self._exchange.wallet(account).items()
            ],
        )

    def _settle_asset(self, account: str) -> str:
        return next(spec.asset for spec in self._exchange.account_specs() if spec.name == account)

    def _asset(self, asset: str, view: AccountView) -> wire.AccountAsset:
        return wire.AccountAsset(
            asset=asset,
            wallet_balance=money(view.wallet),
            unrealized_profit=money(view.unrealized_pnl),
            margin_balance=money(view.equity),
            maint_margin=money(view.maintenance_margin),
            initial_margin=money(view.initial_margin + view.order_margin),
            position_initial_margin=money(view.initial_margin),
            open_order_initial_margin=money(view.order_margin),
            cross_wallet_balance=money(view.wallet),
            cross_un_pnl=money(view.unrealized_pnl),
            available_balance=money(view.available),
            max_withdraw_amount=money(_withdrawable(view)),
            update_time=self._exchange.now_ms(),
        )

    def _balance(self, account: str, args: Args) -> list[wire.AssetBalance]:
        rows = []
        for asset, balance in self._exchange.wallet(account).items():
            view = self._exchange.view(account) if asset == self._settle_asset(account) else _cash(balance)
            rows.append(
                wire.AssetBalance(
                    account_alias="SimX",
                    asset=asset,
                    balance=money(view.wallet),
                    cross_wallet_balance=money(view.wallet),
                    cross_un_pnl=money(view.unrealized_pnl),
                    available_balance=money(view.available),
                    max_withdraw_amount=money(_withdrawable(view)),
                    margin_available=True,
                    update_time=self._exchange.now_ms(),
                )
            )
        return rows

    # --- settings -------------------------------------------------------------------------------------------------

    def _account_config(self, account: str, args: Args) -> wire.AccountConfig:
        return wire.AccountConfig(
            fee_tier=0,
            can_trade=True,
            can_deposit=True,
            can_withdraw=True,
            dual_side_position=False,
            update_time=0,
            multi_assets_margin=False,
            trade_group_id=-1,
        )

    def _symbol_config(self, account: str, args: Args) -> list[wire.SymbolConfig]:
        chosen = [self._words_of(args)] if args.get("symbol") else self._words.values()
        return [
            wire.SymbolConfig(
                symbol=words.symbol,
                margin_type="CROSSED",
                is_auto_add_margin=False,
                leverage=int(self._exchange.leverage(account, words.symbol)),
                max_notional_value=str(BRACKET.notional_cap),
            )
            for words in chosen
        ]

    def _commission_rate(self, account: str, args: Args) -> wire.CommissionRate:
        words = self._words_of(args)
        return wire.CommissionRate(
            symbol=words.symbol,
            maker_commission_rate=stripped(words.spec.maker_fee),
            taker_commission_rate=stripped(words.spec.taker_fee),
            rpi_commission_rate="0.00005",
        )

    def _brackets(self, account: str, args: Args) -> list[wire.SymbolBrackets]:
        chosen = [self._words_of(args)] if args.get("symbol") else self._words.values()
        return [wire.SymbolBrackets(symbol=words.symbol, brackets=[BRACKET]) for words in chosen]

    def _set_leverage(self, account: str, args: Args) -> wire.Leverage:
        words = self._words_of(args)
        leverage = whole(args, "leverage")
        if leverage is None:
            raise missing("leverage")
        if not 1 <= leverage <= BRACKET.initial_leverage:
            raise Refusal(-4028, f"Leverage {leverage} is not valid")
        before = self._exchange.leverage(account, words.symbol)
        try:
            self._exchange.set_leverage(account, words.symbol, Decimal(leverage))
        except Refused as refused:
            if refused.why is Why.MARGIN:
                raise Refusal(-2028, "Leverage is smaller than permitted: insufficient margin balance.") from None
            raise
        if before != leverage:
            self._on_leverage(account, words.symbol, leverage)
        return wire.Leverage(leverage=leverage, max_notional_value=str(BRACKET.notional_cap), symbol=words.symbol)


def open_notionals(exchange: Exchange, account: str, symbol: str) -> tuple[Decimal, Decimal]:
    """What the open bids and asks of a symbol are worth, at their own prices."""
    sums = {Side.BUY: ZERO, Side.SELL: ZERO}
    for order in exchange.open_orders(account, symbol):
        sums[order.side] += (order.price or ZERO) * order.remaining
    return sums[Side.BUY], sums[Side.SELL]


def _withdrawable(view: AccountView) -> Decimal:
    """Profit that is not realised can't be taken away."""
    return max(ZERO, view.available - max(ZERO, view.unrealized_pnl))


def _cash(balance: Decimal) -> AccountView:
    """An asset that nothing is settled in."""
    return AccountView(
        wallet=balance,
        cross_wallet=balance,
        unrealized_pnl=ZERO,
        cross_unrealized_pnl=ZERO,
        initial_margin=ZERO,
        cross_initial_margin=ZERO,
        order_margin=ZERO,
        maintenance_margin=ZERO,
        cross_maintenance_margin=ZERO,
    )

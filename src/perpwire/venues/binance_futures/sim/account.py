"""The simulator's account calls: balances, and the account with all its positions, in each of their versions."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from perpwire.simulator.exchange import AccountView, Exchange
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire
from perpwire.venues.binance_futures.sim.flags import Flags
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import Args
from perpwire.venues.binance_futures.sim.positions import PositionCalls, PositionSums, isolated_margin
from perpwire.venues.binance_futures.sim.words import break_even_price, money, rounded, stripped

ZERO = Decimal(0)

ALIAS = "SimX"
"""`accountAlias`: of the venue's own use."""

# `updateTime` of an asset is when its wallet last changed. The pages call it "last update time" and do not say of what:
# in one of their examples all assets bear the same millisecond, and clients report 0 for what was never touched.


class AccountCalls:
    def __init__(self, exchange: Exchange, listing: Listing, positions: PositionCalls, flags: Flags) -> None:
        self._exchange = exchange
        self._words = listing.words
        self._positions = positions
        self._flags = flags

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any]) -> Row:
            return Row(handler, Security.SIGNED, 5)

        return {
            ("GET", "/fapi/v2/account"): row(self._account_v2),
            ("GET", "/fapi/v3/account"): row(self._account_v3),
            ("GET", "/fapi/v2/balance"): row(self._balance),
            ("GET", "/fapi/v3/balance"): row(self._balance),
        }

    def _account_v2(self, account: str, args: Args) -> wire.Account:
        """Every symbol, and the flags."""
        answer = self._totals(account)
        for asset in answer.assets:
            asset.margin_available = True
        answer.positions = [self._position_v2(sums) for sums in self._positions.all_sums(account)]
        answer.fee_tier = 0
        answer.fee_burn = self._flags.fee_burn(account)
        answer.can_trade = answer.can_deposit = answer.can_withdraw = True
        answer.update_time = 0
        answer.multi_assets_margin = self._flags.multi_assets(account)
        answer.trade_group_id = -1
        return answer

    def _account_v3(self, account: str, args: Args) -> wire.Account:
        answer = self._totals(account)
        answer.positions = [
            wire.AccountPosition(
                symbol=sums.position.symbol,
                position_side=sums.position.side.value,
                position_amt=self._words[sums.position.symbol].quantity(sums.position.quantity),
                unrealized_profit=money(sums.view.unrealized_pnl),
                isolated_margin=money(isolated_margin(sums.view)),
                notional=money(sums.notional) if sums.position.quantity else "0",
                isolated_wallet=stripped(sums.position.isolated_margin),
                initial_margin=money(sums.view.initial_margin + sums.order_margin),
                maint_margin=money(sums.view.maintenance_margin),
                update_time=sums.position.updated_ms,
            )
            for sums in self._positions.active_sums(account, list(self._words.values()))
        ]
        return answer

    def _position_v2(self, sums: PositionSums) -> wire.AccountPosition:
        view, position = sums.view, sums.position
        words = self._words[position.symbol]
        return wire.AccountPosition(
            symbol=position.symbol,
            initial_margin=money(view.initial_margin + sums.order_margin),
            maint_margin=money(view.maintenance_margin),
            unrealized_profit=money(view.unrealized_pnl),
            position_initial_margin=money(view.initial_margin),
            open_order_initial_margin=money(sums.order_margin),
            leverage=stripped(position.leverage),
            isolated=position.is_isolated,
            entry_price=stripped(rounded(position.entry_price)) if position.quantity else "0.0",
            break_even_price=stripped(break_even_price(position, words.spec.taker_fee)) if position.quantity else "0.0",
            max_notional=stripped(sums.max_notional),
            position_side=position.side.value,
            position_amt=words.quantity(position.quantity),
            notional=money(sums.notional) if position.quantity else "0",
            isolated_wallet=stripped(position.isolated_margin),
            bid_notional=stripped(sums.bid_notional),
            ask_notional=stripped(sums.ask_notional),
            update_time=position.updated_ms,
        )

    def _totals(self, account: str) -> wire.Account:
        view, moved_ms = self._exchange.view(account), self._exchange.moved_ms(account)
        return wire.Account(
            total_initial_margin=money(view.initial_margin + view.order_margin),
            total_maint_margin=money(view.maintenance_margin),
            total_wallet_balance=money(view.wallet),
            total_unrealized_profit=money(view.unrealized_pnl),
            total_margin_balance=money(view.equity),
            total_position_initial_margin=money(view.initial_margin),
            total_open_order_initial_margin=money(view.order_margin),
            total_cross_wallet_balance=money(view.cross_wallet),
            total_cross_un_pnl=money(view.cross_unrealized_pnl),
            available_balance=money(view.available),
            max_withdraw_amount=money(withdrawable(view)),
            assets=[self._asset(asset, one, moved_ms[asset]) for asset, one in self._by_asset(account)],
        )

    def _by_asset(self, account: str) -> list[tuple[str, AccountView]]:
        """Each asset with its sums."""
        settle = next(spec.asset for spec in self._exchange.account_specs() if spec.name == account)
        view = self._exchange.view(account)
        return [
            (asset, view if asset == settle else _cash(balance))
            for asset, balance in self._exchange.wallet(account).items()
        ]

    def _asset(self, asset: str, view: AccountView, moved_ms: int) -> wire.AccountAsset:
        return wire.AccountAsset(
            asset=asset,
            wallet_balance=money(view.wallet),
            unrealized_profit=money(view.unrealized_pnl),
            margin_balance=money(view.equity),
            maint_margin=money(view.maintenance_margin),
            initial_margin=money(view.initial_margin + view.order_margin),
            position_initial_margin=money(view.initial_margin),
            open_order_initial_margin=money(view.order_margin),
            cross_wallet_balance=money(view.cross_wallet),
            cross_un_pnl=money(view.cross_unrealized_pnl),
            available_balance=money(view.available),
            max_withdraw_amount=money(withdrawable(view)),
            update_time=moved_ms,
        )

    def _balance(self, account: str, args: Args) -> list[wire.AssetBalance]:
        moved_ms = self._exchange.moved_ms(account)
        return [
            wire.AssetBalance(
                account_alias=ALIAS,
                asset=asset,
                balance=money(view.wallet),
                cross_wallet_balance=money(view.cross_wallet),
                cross_un_pnl=money(view.cross_unrealized_pnl),
                available_balance=money(view.available),
                max_withdraw_amount=money(withdrawable(view)),
                margin_available=True,
                update_time=moved_ms[asset],
            )
            for asset, view in self._by_asset(account)
        ]


def withdrawable(view: AccountView) -> Decimal:
    """Profit that is not realised can't be taken away."""
    return max(ZERO, view.available - max(ZERO, view.cross_unrealized_pnl))


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

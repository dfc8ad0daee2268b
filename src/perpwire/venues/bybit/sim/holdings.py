"""From the exchange's records to the venue's rows of positions and money.

Source: docs/v5/position and docs/v5/account/wallet-balance, as of 2026-07-24; which texts a flat position has, as
captured up to 2025-12.
"""

from __future__ import annotations

import zlib
from decimal import Decimal
from typing import Any

from perpwire.model.order import PositionSide
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import SimPosition, SimTrigger
from perpwire.simulator.specs import AccountView, PositionView
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.margin import break_even_price
from perpwire.venues.bybit.sim.numbers import ZERO, bare, cut
from perpwire.venues.bybit.translate import POSITION_INDEXES


def user_id(account: str) -> int:
    """The account's number: the same in every run."""
    return 1_000_000 + zlib.crc32(account.encode()) % 100_000_000


class Holdings:
    """Rows of positions and wallets, at the current mark prices."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    # --- positions ----------------------------------------------------------------------------------------------------

    def position(self, account: str, position: SimPosition) -> wire.PositionRow:
        view = self._exchange.position_view(account, position.symbol, position.side)
        entry = cut(view.position.entry_price) if view.position.quantity else ""
        return wire.PositionRow(**self._position(account, view, flat=""), avgPrice=entry)

    def position_push(self, account: str, position: SimPosition) -> wire.PositionPush:
        view = self._exchange.position_view(account, position.symbol, position.side)
        entry = cut(view.position.entry_price)
        return wire.PositionPush(**self._position(account, view, flat="0"), entryPrice=entry)

    def _position(self, account: str, view: PositionView, flat: str) -> dict[str, Any]:
        position = view.position
        instrument = self._exchange.spec(position.symbol).instrument
        tick = instrument.tick_size
        open_now = bool(position.quantity)
        fields: dict[str, Any] = {
            "symbol": position.symbol,
            "side": ("Buy" if position.quantity > 0 else "Sell") if open_now else "",
            "size": bare(abs(position.quantity)) if open_now else "0",
            "positionIdx": POSITION_INDEXES[position.side],
            "leverage": cut(position.leverage),
            "markPrice": bare(view.mark_price),
            "riskId": view.tier.number,
            "riskLimitValue": cut(view.tier.cap),
            "positionValue": cut(position.entry_value) if open_now else flat,
            "liqPrice": flat,
            "unrealisedPnl": cut(view.unrealized_pnl) if open_now else flat,
            "breakEvenPrice": "",
            "curRealisedPnl": cut(position.current_realized) if open_now else "0",
            "cumRealisedPnl": cut(position.total_realized),
            "adlRankIndicator": view.adl_rank,
            "autoAddMargin": int(position.auto_add_margin),
            "createdTime": str(position.created_ms),
            "updatedTime": str(position.updated_ms),
            "openTime": position.opened_ms if open_now else 0,
            "seq": position.seq,
            **self._stops(account, position, tick),
        }
        if open_now:
            margin = cut(view.initial_margin)
            kept = cut(view.maintenance_margin)
            fields |= {
                "positionIM": margin,
                "positionIMByMp": margin,
                "positionMM": kept,
                "positionMMByMp": kept,
                "positionBalance": cut(position.isolated_margin) if position.is_isolated else margin,
                "liqPrice": self._shown(position.symbol, view.liquidation_price),
                "breakEvenPrice": cut(break_even_price(self._exchange.spec(position.symbol), position)),
            }
        return fields

    def _shown(self, symbol: str, price: Decimal | None) -> str:
        """A liquidation or bankruptcy price; "" outside the contract's range of prices."""
        instrument = self._exchange.spec(symbol).instrument
        least, most = instrument.min_price or ZERO, instrument.max_price
        if price is None or price <= least or (most is not None and price >= most):
            return ""
        return cut(price)

    def margined(self, account: str, position: SimPosition) -> dict[str, Any]:
        """What add-margin answers: the position, with its bankruptcy price."""
        view = self._exchange.position_view(account, position.symbol, position.side)
        row = self.position(account, position)
        names = (
            *("symbol", "positionIdx", "riskId", "riskLimitValue", "size", "positionValue", "avgPrice", "liqPrice"),
            *("bustPrice", "markPrice", "leverage", "autoAddMargin", "positionStatus", "positionIM", "positionMM"),
            *("unrealisedPnl", "cumRealisedPnl", "stopLoss", "takeProfit", "trailingStop", "createdTime"),
            "updatedTime",
        )
        fields = {name: getattr(row, name) for name in names}
        fields["bustPrice"] = self._shown(position.symbol, view.bankruptcy_price)
        return {"category": "linear", **fields}

    def _stops(self, account: str, position: SimPosition, tick: Decimal) -> dict[str, str]:
        """The position's own take-profit, stop-loss and trailing distance; "" and "0" where there is none."""
        fields = {"takeProfit": "", "stopLoss": "", "trailingStop": "0"}
        for kind, trigger in position_stops(self._exchange, account, position.symbol, position.side).items():
            if kind == "TrailingStop":
                fields["trailingStop"] = bare(trigger.intent.callback_distance or ZERO)
            elif trigger.intent.trigger_price is not None:
                name = "takeProfit" if kind == "TakeProfit" else "stopLoss"
                fields[name] = bare(trigger.intent.trigger_price)
        return fields

    # --- the account --------------------------------------------------------------------------------------------------

    def is_isolated(self, account: str) -> bool:
        """The margin mode is one for the whole account here: every contract has it."""
        return self._exchange.is_isolated(account, self._exchange.specs()[0].instrument.symbol)

    def wallet(self, account: str, coins: frozenset[str] | None = None) -> wire.Wallet:
        """The unified account, with the coins asked for: by name, or all that are not 0. One USDT counts as one USD.

        In isolated mode the account has no margin of its own: what is about it is "".
        """
        view = self._exchange.view(account)
        margin_coin = next(spec.asset for spec in self._exchange.account_specs() if spec.name == account)
        cash = self._exchange.wallet(account)
        shown = [coin for coin, amount in cash.items() if amount] if coins is None else self._known(coins)
        rows = [
            self._coin(account, coin, cash.get(coin, ZERO), view if coin == margin_coin else None) for coin in shown
        ]
        fields = {
            "totalEquity": cut(view.equity),
            "totalWalletBalance": cut(view.wallet),
            "totalPerpUPL": cut(view.unrealized_pnl),
        }
        if not self.is_isolated(account):
            initial = view.initial_margin + view.order_margin
            held, kept = cut(initial), cut(view.maintenance_margin)
            initial_rate, maintenance_rate = rate(initial, view.equity), rate(view.maintenance_margin, view.equity)
            fields |= {
                "totalMarginBalance": cut(view.equity),
                "totalAvailableBalance": cut(max(ZERO, view.equity - initial)),
                "totalInitialMargin": held,
                "totalMaintenanceMargin": kept,
                "totalInitialMarginByMp": held,
                "totalMaintenanceMarginByMp": kept,
                "accountIMRate": initial_rate,
                "accountMMRate": maintenance_rate,
                "accountIMRateByMp": initial_rate,
                "accountMMRateByMp": maintenance_rate,
            }
        return wire.Wallet(coin=rows, **fields)

    def _known(self, coins: frozenset[str]) -> list[str]:
        """Those of the coins that exist here; what is asked for by name is shown though it is 0."""
        instruments = [spec.instrument for spec in self._exchange.specs()]
        there = dict.fromkeys([*(one.settle for one in instruments), *(one.base for one in instruments)])
        return [coin for coin in there if coin in coins]

    def _coin(self, account: str, coin: str, cash: Decimal, view: AccountView | None) -> wire.CoinRow:
        if view is None:
            return wire.CoinRow(coin=coin, walletBalance=cut(cash), equity=cut(cash), usdValue=cut(cash))
        realized = sum(
            (
                self._exchange.position(account, spec.instrument.symbol, side).total_realized
                for spec in self._exchange.specs()
                for side in PositionSide
            ),
            ZERO,
        )
        return wire.CoinRow(
            coin=coin,
            walletBalance=cut(cash),
            equity=cut(view.equity),
            usdValue=cut(view.equity),
            unrealisedPnl=cut(view.unrealized_pnl),
            cumRealisedPnl=cut(realized),
            totalOrderIM=cut(view.order_margin),
            totalPositionIM=cut(view.initial_margin),
            totalPositionMM=cut(view.maintenance_margin),
        )


def position_stops(exchange: Exchange, account: str, symbol: str, side: PositionSide) -> dict[str, SimTrigger]:
    """The one take-profit, stop-loss and trailing stop of a whole position: stopOrderType -> conditional order."""
    return {
        trigger.intent.note["stopOrderType"]: trigger
        for trigger in exchange.open_triggers(account, symbol)
        if trigger.intent.position_side is side
        and trigger.intent.note.get("stopOrderType") in ("TakeProfit", "StopLoss", "TrailingStop")
    }


def rate(part: Decimal, total: Decimal) -> str:
    """Printed with four decimals, truncated."""
    return cut(part / total, Decimal("0.0001")) if total > 0 else "0"

"""From the exchange's records to the venue's rows: orders, executions, positions, wallets."""

from __future__ import annotations

import zlib
from decimal import Decimal
from typing import Any

import msgspec

from perpwire.model.instrument import Instrument
from perpwire.model.order import OrderStatus
from perpwire.simulator.events import SimFill, SimOrder, SimPosition
from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.memory import Memory
from perpwire.venues.bybit.sim.numbers import (
    MAKER_EXECUTION,
    ORDER,
    TAKER_EXECUTION,
    ZERO,
    cut,
    fit,
    id_text,
)
from perpwire.venues.bybit.sim.rules import rules_of
from perpwire.venues.bybit.translate import POSITION_INDEXES, SIDE_TEXTS

STATUS_TEXTS = {
    OrderStatus.NEW: "New",
    OrderStatus.PARTIALLY_FILLED: "PartiallyFilled",
    OrderStatus.FILLED: "Filled",
    OrderStatus.CANCELED: "Cancelled",
    OrderStatus.EXPIRED: "Cancelled",
    OrderStatus.REJECTED: "Rejected",
}

# Why the exchange ended an order -> cancelType, rejectReason.
ENDINGS = {
    "": ("UNKNOWN", "EC_NoError"),
    "user": ("CancelByUser", "EC_PerCancelRequest"),
    "ioc": ("UNKNOWN", "EC_NoImmediateQtyToFill"),
    "market": ("UNKNOWN", "EC_NoImmediateQtyToFill"),
    "fok": ("UNKNOWN", "EC_CancelForNoFullFill"),
    "post_only": ("UNKNOWN", "EC_PostOnlyWillTakeLiquidity"),
    "stp": ("CancelBySmp", "EC_StopBySelfMatch"),
    "reduce_only": ("CancelByReduceOnly", "EC_NoError"),
}

TOO_LATE_TO_CANCEL = ("CancelByUser", "EC_OrigClOrdIDDoesNotExist")
"""A cancel that met a filled order: the order is told of a second time, with these."""


def _ending(order: SimOrder) -> tuple[str, str]:
    return ENDINGS.get(order.reason, ("UNKNOWN", "EC_Others"))


def user_id(account: str) -> int:
    """The account's number: the same in every run."""
    return 1_000_000 + zlib.crc32(account.encode()) % 100_000_000


class Rows:
    """Makes rows. REST says UNKNOWN for words that do not apply, the stream mostly says nothing."""

    def __init__(self, exchange: Exchange, memory: Memory) -> None:
        self._exchange = exchange
        self._memory = memory

    # --- orders -------------------------------------------------------------------------------------------------------

    def order(self, order: SimOrder) -> wire.OrderRow:
        return wire.OrderRow(**self._order(order, "UNKNOWN", _ending(order)))

    def order_push(self, order: SimOrder, ending: tuple[str, str] | None = None) -> wire.OrderPush:
        spec = self._exchange.spec(order.symbol)
        note = self._memory.note(order)
        return wire.OrderPush(
            **self._order(order, "", ending or _ending(order)),
            closedPnl=cut(note.closed_pnl),
            feeCurrency=spec.instrument.settle,
        )

    def _order(self, order: SimOrder, nothing: str, ending: tuple[str, str]) -> dict[str, Any]:
        instrument = self._exchange.spec(order.symbol).instrument
        note = self._memory.note(order)
        price = note.shown_price if note.shown_price is not None else order.price or ZERO
        leaves = ZERO if order.status.is_final else order.remaining
        average = order.average_price
        cancel_type, reject_reason = ending
        return {
            "orderId": id_text(ORDER, order.order_id),
            "orderLinkId": order.client_order_id,
            "symbol": order.symbol,
            "price": fit(price, instrument.tick_size),
            "qty": fit(order.quantity, instrument.quantity_step),
            "side": SIDE_TEXTS[order.side],
            "positionIdx": POSITION_INDEXES[order.position_side],
            "orderStatus": STATUS_TEXTS[order.status],
            "orderType": note.order_type,
            "timeInForce": note.time_in_force,
            "createType": "CreateByUser",
            "cancelType": cancel_type,
            "rejectReason": reject_reason,
            "avgPrice": "" if average is None else cut(average),
            "leavesQty": fit(leaves, instrument.quantity_step),
            "leavesValue": cut(leaves * price),
            "cumExecQty": fit(order.filled_quantity, instrument.quantity_step),
            "cumExecValue": cut(order.filled_value),
            "cumExecFee": cut(order.fees),
            "cumFeeDetail": {instrument.settle: cut(order.fees)} if order.filled_quantity else {},
            "stopOrderType": nothing,
            "triggerBy": nothing,
            "lastPriceOnCreated": fit(note.last_price, instrument.tick_size),
            "reduceOnly": order.reduce_only,
            "closeOnTrigger": note.close_on_trigger,
            "smpType": note.smp_type,
            "createdTime": str(order.created_ms),
            "updatedTime": str(order.updated_ms),
        }

    # --- executions ---------------------------------------------------------------------------------------------------

    def execution(self, order: SimOrder, fill: SimFill) -> wire.ExecutionRow:
        return wire.ExecutionRow(**self._execution(order, fill))

    def execution_push(self, order: SimOrder, fill: SimFill) -> wire.ExecutionPush:
        return wire.ExecutionPush(**self._execution(order, fill), execPnl=cut(fill.realized_pnl))

    def fast_execution(self, order: SimOrder, fill: SimFill) -> wire.FastExecution:
        row = self._execution(order, fill)
        fields = {name: row[name] for name in wire.FastExecution.__struct_fields__ if name in row}
        # This topic does not name a maker's order by the client's id.
        return wire.FastExecution(**{**fields, "orderLinkId": "" if fill.is_maker else order.client_order_id})

    def _execution(self, order: SimOrder, fill: SimFill) -> dict[str, Any]:
        instrument = self._exchange.spec(order.symbol).instrument
        note, around = self._memory.note(order), self._memory.fill_note(fill, order)
        price = note.shown_price if note.shown_price is not None else order.price or fill.price
        return {
            "symbol": order.symbol,
            "orderId": id_text(ORDER, order.order_id),
            "orderLinkId": order.client_order_id,
            "side": SIDE_TEXTS[order.side],
            "orderPrice": fit(price, instrument.tick_size),
            "orderQty": fit(order.quantity, instrument.quantity_step),
            "leavesQty": fit(around.leaves, instrument.quantity_step),
            "createType": "CreateByUser",
            "orderType": note.order_type,
            "execId": id_text(MAKER_EXECUTION if fill.is_maker else TAKER_EXECUTION, fill.trade_id),
            "execPrice": fit(fill.price, instrument.tick_size),
            "execQty": fit(fill.quantity, instrument.quantity_step),
            "execValue": cut(fill.price * fill.quantity),
            "execFee": cut(fill.fee),
            "execType": "Trade",
            "execTime": str(fill.time_ms),
            "feeCurrency": fill.fee_asset,
            "isMaker": fill.is_maker,
            "feeRate": cut(fill.fee_rate),
            "markPrice": fit(around.mark_price, instrument.tick_size),
            "indexPrice": fit(around.index_price, instrument.tick_size),
            "closedSize": fit(fill.closed_quantity, instrument.quantity_step),
            "seq": around.seq,
        }

    # --- positions ----------------------------------------------------------------------------------------------------

    def position(self, account: str, position: SimPosition) -> wire.PositionRow:
        entry = cut(position.entry_price) if position.quantity else ""
        return wire.PositionRow(**self._position(account, position, flat=""), avgPrice=entry)

    def position_push(self, account: str, position: SimPosition) -> wire.PositionPush:
        entry = cut(position.entry_price)
        return wire.PositionPush(**self._position(account, position, flat="0"), entryPrice=entry)

    def _position(self, account: str, position: SimPosition, flat: str) -> dict[str, Any]:
        symbol = position.symbol
        instrument = self._exchange.spec(symbol).instrument
        history = self._memory.positions[account, symbol]
        figures = self._figures(account, position)
        leverage = self._exchange.leverage(account, symbol)
        open_now = bool(position.quantity)
        fields: dict[str, Any] = {
            "symbol": symbol,
            "side": ("Buy" if position.quantity > 0 else "Sell") if open_now else "",
            "size": fit(abs(position.quantity), instrument.quantity_step) if open_now else "0",
            "positionIdx": 0,
            "leverage": cut(leverage),
            "markPrice": fit(self._exchange.mark_price(symbol), instrument.tick_size),
            "riskId": figures.risk_id,
            "riskLimitValue": cut(figures.risk_limit),
            "positionValue": cut(position.entry_value) if open_now else flat,
            "liqPrice": flat,
            "unrealisedPnl": cut(figures.unrealized_pnl) if open_now else flat,
            "breakEvenPrice": "",
            "curRealisedPnl": cut(history.current_realized),
            "cumRealisedPnl": cut(history.total_realized),
            "adlRankIndicator": 2 if open_now else 0,
            "createdTime": str(history.created_ms),
            "updatedTime": str(position.updated_ms),
            "openTime": history.opened_ms if open_now else 0,
            "seq": history.seq,
        }
        if open_now:
            fields |= {
                "positionIM": cut(figures.initial_margin),
                "positionIMByMp": cut(figures.initial_margin),
                "positionMM": cut(figures.maintenance_margin),
                "positionMMByMp": cut(figures.maintenance_margin),
                "liqPrice": self._liquidation_price(account, position, instrument),
                "breakEvenPrice": self._break_even(position, history.current_realized, symbol),
            }
        return fields

    def _figures(self, account: str, position: SimPosition) -> _Figures:
        """Margin by mark price, as since 2025-09-02: see the venue's help centre."""
        spec, rules = self._exchange.spec(position.symbol), rules_of(position.symbol)
        leverage = self._exchange.leverage(account, position.symbol)
        value = abs(position.quantity) * self._exchange.mark_price(position.symbol)
        tier = rules.tier(value)
        long = position.quantity > 0
        # The fee to close is held back, at the bankruptcy price.
        bankrupt = position.entry_value * (1 - 1 / leverage if long else 1 + 1 / leverage)
        closing_fee = bankrupt * spec.taker_fee
        gain = value - position.entry_value
        return _Figures(
            risk_id=tier.id,
            risk_limit=tier.limit,
            unrealized_pnl=gain if long else -gain,
            initial_margin=value / leverage + closing_fee,
            maintenance_margin=value * tier.maintenance_rate - tier.deduction + closing_fee if value else ZERO,
        )

    def _liquidation_price(self, account: str, position: SimPosition, instrument: Instrument) -> str:
        """Cross margin's estimate: mark - side x (margin balance - maintenance margin) / size."""
        sums = self.sums(account)
        room = (sums.equity - sums.maintenance_margin) / position.quantity
        price = self._exchange.mark_price(position.symbol) - room
        least, most = instrument.min_price or ZERO, instrument.max_price
        if price <= least or (most is not None and price >= most):
            return ""
        return cut(price)

    def _break_even(self, position: SimPosition, realized: Decimal, symbol: str) -> str:
        rate = max(self._exchange.spec(symbol).taker_fee, Decimal("0.00055"))
        quantity = position.quantity
        cost = position.entry_value if quantity > 0 else -position.entry_value
        return cut((cost - realized) / (quantity - abs(quantity) * rate))

    # --- the account --------------------------------------------------------------------------------------------------

    def sums(self, account: str) -> _Sums:
        """The account's totals; one USDT counts as one USD."""
        view = self._exchange.view(account)
        figures = [self._figures(account, position) for position in self._exchange.positions(account)]
        return _Sums(
            wallet=view.wallet,
            unrealized_pnl=view.unrealized_pnl,
            equity=view.equity,
            position_margin=sum((one.initial_margin for one in figures), ZERO),
            order_margin=view.order_margin,
            maintenance_margin=sum((one.maintenance_margin for one in figures), ZERO),
        )

    def wallet(self, account: str, coins: frozenset[str] | None = None) -> wire.Wallet:
        """The unified account, with the coins asked for: by name, or all that are not 0."""
        sums = self.sums(account)
        initial = sums.position_margin + sums.order_margin
        margin_coin = self._margin_coin(account)
        rows = [
            self._coin(account, coin, cash, sums if coin == margin_coin else None)
            for coin, cash in self._exchange.wallet(account).items()
            if (cash if coins is None else coin in coins)
        ]
        initial_rate, maintenance_rate = _rate(initial, sums.equity), _rate(sums.maintenance_margin, sums.equity)
        return wire.Wallet(
            coin=rows,
            totalEquity=cut(sums.equity),
            totalWalletBalance=cut(sums.wallet),
            totalMarginBalance=cut(sums.equity),
            totalAvailableBalance=cut(max(ZERO, sums.equity - initial)),
            totalPerpUPL=cut(sums.unrealized_pnl),
            totalInitialMargin=cut(initial),
            totalMaintenanceMargin=cut(sums.maintenance_margin),
            totalInitialMarginByMp=cut(initial),
            totalMaintenanceMarginByMp=cut(sums.maintenance_margin),
            accountIMRate=initial_rate,
            accountMMRate=maintenance_rate,
            accountIMRateByMp=initial_rate,
            accountMMRateByMp=maintenance_rate,
        )

    def _margin_coin(self, account: str) -> str:
        return next(spec.asset for spec in self._exchange.account_specs() if spec.name == account)

    def _coin(self, account: str, coin: str, cash: Decimal, sums: _Sums | None) -> wire.CoinRow:
        if sums is None:
            return wire.CoinRow(coin=coin, walletBalance=cut(cash), equity=cut(cash), usdValue=cut(cash))
        realized = sum(
            (history.total_realized for (name, _), history in self._memory.positions.items() if name == account), ZERO
        )
        return wire.CoinRow(
            coin=coin,
            walletBalance=cut(cash),
            equity=cut(sums.equity),
            usdValue=cut(sums.equity),
            unrealisedPnl=cut(sums.unrealized_pnl),
            cumRealisedPnl=cut(realized),
            totalOrderIM=cut(sums.order_margin),
            totalPositionIM=cut(sums.position_margin),
            totalPositionMM=cut(sums.maintenance_margin),
        )


class _Figures(msgspec.Struct, frozen=True, kw_only=True):
    risk_id: int
    risk_limit: Decimal
    unrealized_pnl: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal


class _Sums(msgspec.Struct, frozen=True, kw_only=True):
    wallet: Decimal
    unrealized_pnl: Decimal
    equity: Decimal
    position_margin: Decimal
    order_margin: Decimal
    maintenance_margin: Decimal


def _rate(part: Decimal, whole: Decimal) -> str:
    """Printed with four decimals, truncated."""
    return cut(part / whole, Decimal("0.0001")) if whole > 0 else "0"

"""/v5/account/transaction-log: every movement of an account's cash, newest first.

Source: docs/v5/account/transaction-log, as of 2026-07-24.
"""

from __future__ import annotations

from typing import Any

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import Booking
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.asked import CATEGORIES, DAY_MS, Asked, choice, paged, period
from perpwire.venues.bybit.sim.numbers import FUNDING, MAKER_EXECUTION, ORDER, TAKER_EXECUTION, bare, cut, id_text
from perpwire.venues.bybit.sim.refusal import CallRefused
from perpwire.venues.bybit.sim.rows import booking_side, user_id

FILL_TYPES = {"trade": "TRADE", "liquidation": "LIQUIDATION", "takeover": "LIQUIDATION", "adl": "ADL"}
BOOKING_TYPES = {"funding": "SETTLEMENT", "liquidation_fee": "LIQUIDATION", "insurance": "BONUS"}


class TransactionLog:
    """The call."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def listed(self, account: AccountSpec, asked: Asked) -> Any:
        """
        Raises:
            CallRefused: 10001.
        """
        if asked.get("accountType") not in (None, "", "UNIFIED"):
            raise CallRefused(10001, "accountType only support UNIFIED.")
        category = choice(asked, "category", CATEGORIES)
        start, end = period(asked, self._exchange.now_ms(), default_ms=DAY_MS)
        kind = str(asked.get("type") or "")
        chosen = [
            one
            for one in self._exchange.bookings(account.name)
            if start <= one.time_ms <= end
            and category in ("", _category(one))
            and kind in ("", _type(one))
            and asked.get("currency") in (None, "", one.asset)
            and asked.get("baseCoin") in (None, "", self._base(one))
            and not asked.get("transSubType")
        ]
        numbered = [(one.number, one) for one in reversed(chosen)]
        page, cursor = paged(numbered, asked, default=20, most=50)
        return {"nextPageCursor": cursor, "list": [self._row(account.name, one) for one in page]}

    def _base(self, booking: Booking) -> str:
        return self._exchange.spec(booking.symbol).instrument.base if booking.symbol else ""

    def _row(self, account: str, one: Booking) -> wire.TransactionRow:
        name = one.symbol or one.asset
        row = wire.TransactionRow(
            id=f"{user_id(account)}_{name}_{one.number}",
            symbol=one.symbol,
            category=_category(one),
            side=booking_side(one) or "None",
            transactionTime=str(one.time_ms),
            type=_type(one),
            qty="0",
            size="0",
            currency=one.asset,
            tradePrice="0",
            funding=cut(one.funding) if one.kind == "funding" else "",
            fee=cut(one.fee),
            cashFlow=cut(one.cash_flow),
            change=cut(one.change),
            cashBalance=cut(one.balance),
            feeRate=_rate(one),
            tradeId=_trade_id(one),
            orderId=id_text(ORDER, one.order_id) if one.order_id else "",
            orderLinkId=one.client_order_id,
        )
        if one.symbol:
            row.qty = bare(abs(one.quantity))
            row.size = bare(one.position_quantity)
            row.tradePrice = bare(one.price)
        return row


def _rate(one: Booking) -> str:
    """Of the fee; of funding with its sign turned for shorts, so that above 0 is what the position pays."""
    if one.kind == "funding":
        return cut(one.fee_rate if one.position_quantity >= 0 else -one.fee_rate)
    return cut(one.fee_rate) if one.kind == "trade" else "0"


def _trade_id(one: Booking) -> str:
    if one.kind == "funding":
        return id_text(FUNDING, one.number)
    if not one.trade_id:
        return ""
    return id_text(MAKER_EXECUTION if one.is_maker else TAKER_EXECUTION, one.trade_id)


def _category(one: Booking) -> str:
    return "linear" if one.symbol else ""


def _type(one: Booking) -> str:
    if one.kind == "trade":
        return FILL_TYPES[one.fill_kind]
    if one.kind == "transfer":
        return "TRANSFER_IN" if one.change >= 0 else "TRANSFER_OUT"
    return BOOKING_TYPES[one.kind]

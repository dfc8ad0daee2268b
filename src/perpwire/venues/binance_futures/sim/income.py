"""The simulator's list of all that has changed an account's cash."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import Booking
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire_account
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import DAY_MS, Args, limit_of, times
from perpwire.venues.binance_futures.sim.words import invalid, money

KEPT_MS = 92 * DAY_MS
"""Three months."""
DEFAULT_SPAN_MS = 7 * DAY_MS
"""How far it goes back where no start is named."""

INCOME_TYPES = frozenset(
    {
        "TRANSFER", "WELCOME_BONUS", "REALIZED_PNL", "FUNDING_FEE", "SPECIAL_FUNDING_FEE", "COMMISSION",
        "INSURANCE_CLEAR", "REFERRAL_KICKBACK", "COMMISSION_REBATE", "API_REBATE", "CONTEST_REWARD",
        "CROSS_COLLATERAL_TRANSFER", "OPTIONS_PREMIUM_FEE", "OPTIONS_SETTLE_PROFIT", "INTERNAL_TRANSFER",
        "AUTO_EXCHANGE", "DELIVERED_SETTELMENT", "COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW",
        "POSITION_LIMIT_INCREASE_FEE", "STRATEGY_UMFUTURES_TRANSFER", "FEE_RETURN", "BFUSD_REWARD",
    }
)  # fmt: skip


class IncomeCalls:
    """
    Args:
        lag_s: A new booking is listed so much later.
    """

    def __init__(self, exchange: Exchange, listing: Listing, lag_s: float) -> None:
        self._exchange = exchange
        self._listing = listing
        self._lag_ms = round(lag_s * 1000)

    def rows(self) -> Rows:
        return {("GET", "/fapi/v1/income"): Row(self._income, Security.SIGNED, 30)}

    def _income(self, account: str, args: Args) -> list[wire_account.Income]:
        """Oldest first: from the start on where there is one, else the newest."""
        symbol = self._listing.words_of(args).symbol if args.get("symbol") else None
        kind = args.get("incomeType")
        if kind is not None and kind not in INCOME_TYPES:
            raise invalid("incomeType")
        now_ms = self._exchange.now_ms()
        start_ms, end_ms = times(args)
        if start_ms is None:
            start_ms = (now_ms if end_ms is None else end_ms) - DEFAULT_SPAN_MS
        limit = limit_of(args, 100, 1000)
        is_forward = bool(args.get("startTime"))
        bookings = self._exchange.bookings(account)
        rows = (
            row
            for booking in (bookings if is_forward else reversed(bookings))
            if max(start_ms, now_ms - KEPT_MS) <= booking.time_ms <= now_ms - self._lag_ms
            and (end_ms is None or booking.time_ms <= end_ms)
            and symbol in (None, booking.symbol)
            for row in list(income_rows(booking))[:: 1 if is_forward else -1]
            if kind in (None, row.income_type)
        )
        found = list(islice(rows, limit))
        return found if is_forward else found[::-1]


def income_rows(booking: Booking) -> Iterator[wire_account.Income]:
    """An execution has two: profit and fee. `tranId` is unique for each income type."""

    def row(kind: str, amount: Decimal, info: str) -> wire_account.Income:
        return wire_account.Income(
            symbol=booking.symbol,
            income_type=kind,
            income=money(amount),
            asset=booking.asset,
            info=info,
            time=booking.time_ms,
            tran_id=FIRST_TRANSACTION_ID + booking.number,
            trade_id=str(booking.trade_id) if booking.trade_id else "",
        )

    if booking.kind == "trade":
        if booking.cash_flow:
            yield row("REALIZED_PNL", booking.cash_flow, str(booking.trade_id))
        if booking.fee:
            yield row("COMMISSION", -booking.fee, str(booking.trade_id))
    elif booking.kind == "funding":
        yield row("FUNDING_FEE", booking.funding, "FUNDING_FEE")
    elif booking.kind == "transfer":
        yield row("TRANSFER", booking.change, "TRANSFER")
    else:
        yield row("INSURANCE_CLEAR", booking.change, "INSURANCE_CLEAR")


FIRST_TRANSACTION_ID = 9_689_000_000

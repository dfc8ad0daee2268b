"""Events of the public topics that come some times a second or less, between wire and model."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perpwire.model.market import (
    AdlWarning,
    InsuranceFund,
    Kline,
    Liquidation,
    PriceLimits,
    RpiBook,
    RpiLevel,
    SystemNotice,
)
from perpwire.venues.bybit import wire_streams
from perpwire.venues.bybit.translate import NAME, number
from perpwire.venues.bybit.translate_market import INTERVALS

_INTERVAL_NAMES = {text: ours for ours, (text, _) in INTERVALS.items()}

_CLOSING = {"Buy": "SELL", "Sell": "BUY"}
"""Side of the position that is liquidated -> of the order that closes it."""


def klines(frame: wire_streams.KlineFrame, received_ns: int) -> list[Kline]:
    symbol = frame.topic.rpartition(".")[2]
    return [
        Kline(
            venue=NAME,
            symbol=symbol,
            venue_time_ms=frame.ts,
            received_ns=received_ns,
            interval=_INTERVAL_NAMES.get(row.interval, row.interval),
            open_time_ms=row.start,
            close_time_ms=row.end,
            open=number(row.open),
            high=number(row.high),
            low=number(row.low),
            close=number(row.close),
            volume=number(row.volume),
            quote_volume=number(row.turnover),
            trades=None,
            is_closed=row.confirm,
        )
        for row in frame.data
    ]


def liquidations(frame: wire_streams.LiquidationFrame, received_ns: int) -> list[Liquidation]:
    return [
        Liquidation(
            venue=NAME,
            symbol=row.s,
            venue_time_ms=row.T,
            received_ns=received_ns,
            side=_CLOSING.get(row.S, row.S),
            price=number(row.p),
            quantity=number(row.v),
        )
        for row in frame.data
    ]


def price_limits(frame: wire_streams.LimitFrame, received_ns: int) -> list[PriceLimits]:
    limits = frame.data
    return [
        PriceLimits(
            venue=NAME,
            symbol=limits.symbol,
            venue_time_ms=frame.ts,
            received_ns=received_ns,
            highest_bid=number(limits.buyLmt),
            lowest_ask=number(limits.sellLmt),
        )
    ]


def adl_warnings(frame: wire_streams.AdlFrame[msgspec.Raw], received_ns: int) -> list[AdlWarning]:
    return [
        AdlWarning(
            venue=NAME,
            symbol=row.s,
            venue_time_ms=frame.ts,
            received_ns=received_ns,
            coin=row.c,
            balance=_exact(row.b) or Decimal(0),
            pnl_ratio=_exact(row.pr) or Decimal(0),
            trigger_ratio=_exact(row.i_pr) or Decimal(0),
            stop_ratio=_exact(row.adl_sr),
            trigger_balance=_exact(row.adl_tt),
        )
        for row in frame.data
    ]


def _exact(value: msgspec.Raw) -> Decimal | None:
    """A number, which the venue writes as one here, or as text; "" or null where it is not stated."""
    text = bytes(value).decode().strip('"')
    return None if text in ("", "null") else number(text)


def insurance_funds(frame: wire_streams.InsuranceFrame, received_ns: int) -> list[InsuranceFund]:
    return [
        InsuranceFund(
            venue=NAME,
            venue_time_ms=int(row.updateTime) if row.updateTime else frame.ts,
            received_ns=received_ns,
            coin=row.coin,
            symbols=tuple(name for name in row.symbols.split(",") if name),
            balance=number(row.balance),
        )
        for row in frame.data
    ]


def notices(frame: wire_streams.NoticeFrame, received_ns: int, raw: bytes) -> list[SystemNotice]:
    return [
        SystemNotice(
            venue=NAME,
            venue_time_ms=frame.ts,
            received_ns=received_ns,
            title=row.title,
            state=row.state,
            begin_ms=int(row.begin or 0),
            end_ms=int(row.end or 0),
            raw=raw.decode(),
        )
        for row in frame.data
    ]


def rpi_book(frame: wire_streams.RpiFrame, received_ns: int) -> list[RpiBook]:
    data = frame.data
    return [
        RpiBook(
            venue=NAME,
            symbol=data.s,
            venue_time_ms=frame.cts or frame.ts,
            received_ns=received_ns,
            bids=tuple(map(_rpi_level, data.b)),
            asks=tuple(map(_rpi_level, data.a)),
            is_snapshot=frame.type == "snapshot",
            update_id=data.u,
        )
    ]


def _rpi_level(level: tuple[str, str, str]) -> RpiLevel:
    price, quantity, of_rpi = level
    return number(price), number(quantity), number(of_rpi)

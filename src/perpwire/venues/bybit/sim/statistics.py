"""Figures of the market as a whole: funding, open interest, long and short shares, insurance pool, index components.

Source: docs/v5/market, as of 2026-07-24.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple, Protocol, TypeVar

from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit import wire, wire_sent
from perpwire.venues.bybit.sim.asked import Asked, cursor_after, cursor_key, is_linear, limit_of, optional_ms, spec_of
from perpwire.venues.bybit.sim.numbers import cut, fit
from perpwire.venues.bybit.sim.pool_feeds import RATIO_STEP, STOP_RATIO, TRIGGER_BALANCE, TRIGGER_RATIO
from perpwire.venues.bybit.sim.prices import Prices
from perpwire.venues.bybit.sim.refusal import CallRefused, bad_param

DAY_MS = 24 * 3600 * 1000
PERIODS = {"5min": "5m", "15min": "15m", "30min": "30m", "1h": "1h", "4h": "4h", "1d": "1d"}
"""The venue's names -> the exchange's."""
SPOT_EXCHANGES = ("Bybit", "Binance", "OKX", "Coinbase", "Bitget", "Kraken")
"""What the index is made of."""
WEIGHTS = ("0.32", "0.28", "0.16", "0.12", "0.07", "0.05")
FOURTH = Decimal("0.0001")


class MarketStatistics:
    """What everybody may ask."""

    def __init__(self, exchange: Exchange, prices: Prices) -> None:
        self._exchange = exchange
        self._prices = prices

    def funding_history(self, asked: Asked) -> Any:
        """/v5/market/funding/history; a start without an end is an error."""
        if not is_linear(asked):
            return {"category": asked["category"], "list": []}
        symbol = spec_of(self._exchange, asked).instrument.symbol
        start, end = optional_ms(asked, "startTime"), optional_ms(asked, "endTime")
        limit = limit_of(asked, 200, 200)
        if start is not None and end is None:
            raise CallRefused(10001, "params error: endTime is required with startTime")
        if start is not None and end is not None and end < start:
            raise CallRefused(10001, "params error: startTime must be before endTime")
        found = self._exchange.funding_history(symbol, start_ms=start or 0, end_ms=end, limit=limit)
        rows = [
            {"symbol": symbol, "fundingRate": cut(one.rate), "fundingRateTimestamp": str(one.time_ms)}
            for one in reversed(found)
        ]
        return {"category": "linear", "list": rows}

    def open_interest(self, asked: Asked) -> Any:
        """/v5/market/open-interest: both sides' sum, and one side's."""
        spec = spec_of(self._exchange, asked, "linear")
        symbol, step = spec.instrument.symbol, spec.instrument.quantity_step
        span, limit = self._span(asked, "intervalTime"), limit_of(asked, 50, 200)
        found = self._exchange.statistics(symbol).open_interest(
            span.period, start_ms=span.start, end_ms=span.end, limit=limit + 1
        )
        page, cursor = _page(found, limit)
        rows = [
            wire.OpenInterestRow(
                openInterest=fit(2 * one.quantity, step),
                singleOpenInterest=fit(one.quantity, step),
                timestamp=str(one.time_ms),
            )
            for one in page
        ]
        return {"symbol": symbol, "category": "linear", "list": rows, "nextPageCursor": cursor}

    def account_ratio(self, asked: Asked) -> Any:
        """/v5/market/account-ratio: shares of accounts that are long and short."""
        symbol = spec_of(self._exchange, asked, "linear").instrument.symbol
        span, limit = self._span(asked, "period"), limit_of(asked, 50, 500)
        found = self._exchange.statistics(symbol).long_short(
            "accounts", span.period, start_ms=span.start, end_ms=span.end, limit=limit + 1
        )
        page, cursor = _page(found, limit)
        rows = [
            wire_sent.AccountRatioRow(symbol, fit(one.long, FOURTH), fit(one.short, FOURTH), str(one.time_ms))
            for one in page
        ]
        return {"list": rows, "nextPageCursor": cursor}

    def _span(self, asked: Asked, name: str) -> _Span:
        period = PERIODS.get(str(asked.get(name)))
        if period is None:
            raise bad_param(f"{name} invalid")
        start, end, before = optional_ms(asked, "startTime"), optional_ms(asked, "endTime"), cursor_key(asked)
        if before is not None:
            end = before - 1 if end is None else min(end, before - 1)
        return _Span(start, end, period)

    def insurance(self, asked: Asked) -> Any:
        """/v5/market/insurance: one pool that all contracts of a coin share."""
        coin, balance = asked.get("coin"), cut(self._exchange.insurance_fund())
        coins = dict.fromkeys(spec.instrument.settle for spec in self._exchange.specs())
        rows = [
            wire_sent.InsuranceRow(coin=asset, symbols="", balance=balance, value=balance)
            for asset in coins
            if coin in (None, "", asset)
        ]
        return {"updatedTime": str(self._exchange.now_ms() // DAY_MS * DAY_MS), "list": rows}

    def adl_alerts(self, asked: Asked) -> Any:
        """/v5/market/adlAlert: how near the pool is to where positions are deleveraged."""
        symbol = asked.get("symbol")
        if symbol:
            spec_of(self._exchange, {"category": "linear", "symbol": symbol})
        balance = cut(self._exchange.insurance_fund())
        rows = [
            wire_sent.AdlAlertRow(
                coin=spec.instrument.settle,
                symbol=spec.instrument.symbol,
                balance=balance,
                insurancePnlRatio=str(TRIGGER_RATIO),
                pnlRatio=cut(self._prices.pool_drawdown(), RATIO_STEP),
                adlTriggerThreshold=str(TRIGGER_BALANCE),
                adlStopRatio=str(STOP_RATIO),
            )
            for spec in self._exchange.specs()
            if symbol in (None, "", spec.instrument.symbol)
        ]
        return {"updatedTime": str(self._exchange.now_ms()), "list": rows}

    def index_components(self, asked: Asked) -> Any:
        """/v5/market/index-price-components: spot prices, each with its weight; their mean is the index."""
        name = asked.get("indexName")
        spec = next((one for one in self._exchange.specs() if one.instrument.symbol == name), None)
        if spec is None:
            raise bad_param("indexName invalid")
        instrument = spec.instrument
        index = cut(self._exchange.index_price(instrument.symbol))
        rows = [
            {
                "exchange": exchange,
                "spotPair": f"{instrument.base}_{instrument.quote}",
                "equivalentPrice": index,
                "multiplier": "1",
                "price": index,
                "weight": weight,
            }
            for exchange, weight in zip(SPOT_EXCHANGES, WEIGHTS, strict=True)
        ]
        now = str(self._exchange.now_ms())
        return {"indexName": name, "lastPrice": index, "updateTime": now, "components": rows}


class _Span(NamedTuple):
    start: int | None
    end: int | None
    period: str


class _Dated(Protocol):
    @property
    def time_ms(self) -> int: ...


R = TypeVar("R", bound=_Dated)


def _page(found: list[R], limit: int) -> tuple[list[R], str]:
    """The newest `limit` of one more than that, newest first, and the token of the next page."""
    page = found[::-1][:limit]
    return page, cursor_after(page[-1].time_ms) if len(found) > limit else ""

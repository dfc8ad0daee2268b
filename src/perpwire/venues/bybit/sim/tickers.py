"""A symbol's ticker: the same figures for the stream and for REST. Source: docs/v5/market/tickers, as of 2026-07-24."""

from __future__ import annotations

from decimal import Decimal

from perpwire.simulator.exchange import Exchange
from perpwire.venues.bybit.sim.numbers import cut, fit, padded
from perpwire.venues.bybit.sim.prices import Prices

FUTURES_ONLY = {
    "basis": "",
    "basisRate": "",
    "basisRateYear": "",
    "deliveryFeeRate": "",
    "deliveryTime": "0",
    "predictedDeliveryPrice": "",
    "preOpenPrice": "",
    "preQty": "",
    "curPreListingPhase": "",
}
"""What REST adds for perpetuals; the stream leaves it out."""


INTEREST_STEP_MS = 5000
"""How often open interest is counted anew."""


def ticker(exchange: Exchange, prices: Prices, symbol: str) -> dict[str, str]:
    """All fields but the symbol."""
    instrument = exchange.spec(symbol).instrument
    tick, step = instrument.tick_size, instrument.quantity_step
    last, mark, index = exchange.last_price(symbol), exchange.mark_price(symbol), exchange.index_price(symbol)
    rate, next_funding_ms = exchange.funding(symbol)
    day = exchange.day(symbol)
    single = _open_interest(exchange, symbol)
    interest = 2 * single
    bids, asks, _, _ = exchange.book(symbol, 1)
    fields = {
        "tickDirection": prices.of(symbol).tick_direction,
        "lastPrice": fit(last, tick),
        "indexPrice": fit(index, tick),
        "markPrice": fit(mark, tick),
        "prevPrice24h": fit(day.open, tick),
        "price24hPcnt": cut(last / day.open - 1, Decimal("0.000001")),
        "highPrice24h": fit(day.high, tick),
        "lowPrice24h": fit(day.low, tick),
        "prevPrice1h": fit(day.hour_before, tick),
        "openInterest": fit(interest, step),
        "openInterestValue": padded(interest * mark, Decimal("0.01")),
        "singleOpenInterest": fit(single, step),
        "singleOpenInterestValue": padded(single * mark, Decimal("0.01")),
        "turnover24h": padded(day.turnover, Decimal("0.0001")),
        "volume24h": padded(day.volume, Decimal("0.0001")),
        "fundingRate": cut(rate),
        "nextFundingTime": str(next_funding_ms),
        "fundingIntervalHour": str((instrument.funding_interval_s or 8 * 3600) // 3600),
        "fundingCap": cut(exchange.spec(symbol).funding_cap),
    }
    for name, levels in (("bid1", bids), ("ask1", asks)):
        fields[f"{name}Price"] = fit(levels[0][0], tick) if levels else ""
        fields[f"{name}Size"] = fit(levels[0][1], step) if levels else ""
    return fields


def _open_interest(exchange: Exchange, symbol: str) -> Decimal:
    """Of one side: the accounts' as it is, the crowd's as it was counted last."""
    crowd = exchange.statistics(symbol)
    counted = crowd.background_interest(exchange.now_ms() // INTEREST_STEP_MS * INTEREST_STEP_MS)
    return exchange.open_interest(symbol) - crowd.background_interest() + counted

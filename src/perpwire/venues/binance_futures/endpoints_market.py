"""One row per call about the market: what the venue's page says of it."""

from __future__ import annotations

from perpwire.venues.base import Costs, Endpoint, Lane, Params, Security
from perpwire.venues.binance_futures import pages, wire, wire_market, wire_streams
from perpwire.venues.binance_futures.limits import A_FUNDING_QUESTION, A_STATISTICS_QUESTION, weight

DEPTHS = (5, 10, 20, 50, 100, 500, 1000)
"""The numbers of levels that a book may be asked for."""


def _limit(params: Params) -> int:
    """Of a caller's own call it may be a text, or anything; the venue will say so."""
    try:
        return int(params.get("limit", 500))
    except (TypeError, ValueError):
        return 500


def _depth_costs(params: Params) -> Costs:
    limit = _limit(params)
    return weight(2 if limit <= 50 else 5 if limit <= 100 else 10 if limit <= 500 else 20)


def _kline_costs(params: Params) -> Costs:
    limit = _limit(params)
    return weight(1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10)


SERVER_TIME = Endpoint(
    name="server_time",
    http="GET /fapi/v1/time",
    lane=Lane.CANCEL,  # a refused cancel waits for it
    security=Security.NONE,
    reply=wire.ServerTime,
    costs=weight(1),
    source=pages.market("Check-Server-Time"),
)
INSTRUMENTS = Endpoint(
    name="instruments",
    http="GET /fapi/v1/exchangeInfo",
    security=Security.NONE,
    reply=wire.ExchangeInfo,
    costs=weight(1),
    source=pages.market("Exchange-Information"),
)
STATUS = Endpoint(
    name="status",
    http="GET /fapi/v1/exchangeInfo",
    security=Security.NONE,
    reply=wire.ExchangeInfo,
    costs=weight(1),
    source=pages.market("Exchange-Information"),
)
BOOK_SNAPSHOT = Endpoint(
    name="book_snapshot",
    http="GET /fapi/v1/depth",
    security=Security.NONE,
    reply=wire.Depth,
    costs=_depth_costs,
    source=pages.market("Order-Book"),
)
RECENT_TRADES = Endpoint(
    name="recent_trades",
    http="GET /fapi/v1/trades",
    security=Security.NONE,
    reply=list[wire.RecentTrade],
    costs=weight(5),
    source=pages.market("Recent-Trades-List"),
)
TRADES = Endpoint(
    name="trades",
    http="GET /fapi/v1/aggTrades",
    security=Security.NONE,
    reply=list[wire_streams.RestAggTrade],
    costs=weight(20),
    source=pages.market("Compressed-Aggregate-Trades-List"),
)
KLINES = Endpoint(
    name="klines",
    http="GET /fapi/v1/klines",
    security=Security.NONE,
    reply=list[wire_market.Kline],
    costs=_kline_costs,
    source=pages.market("Kline-Candlestick-Data"),
)
MARK_KLINES = Endpoint(
    name="klines",
    http="GET /fapi/v1/markPriceKlines",
    security=Security.NONE,
    reply=list[wire_market.Kline],
    costs=_kline_costs,
    source=pages.market("Mark-Price-Kline-Candlestick-Data"),
)
INDEX_KLINES = Endpoint(
    name="klines",
    http="GET /fapi/v1/indexPriceKlines",
    security=Security.NONE,
    reply=list[wire_market.Kline],
    costs=_kline_costs,
    source=pages.market("Index-Price-Kline-Candlestick-Data"),
)
PREMIUM_KLINES = Endpoint(
    name="klines",
    http="GET /fapi/v1/premiumIndexKlines",
    security=Security.NONE,
    reply=list[wire_market.Kline],
    costs=_kline_costs,
    source=pages.market("Premium-Index-Kline-Data"),
)
TICKERS = Endpoint(
    name="tickers",
    http="GET /fapi/v1/ticker/24hr",
    security=Security.NONE,
    reply=wire_market.DayTicker | list[wire_market.DayTicker],
    costs=pages.by_symbol(1, 40),
    source=pages.market("24hr-Ticker-Price-Change-Statistics"),
)
# The weight header of its reply is documented as wrong: see venue.reported_usage.
BOOK_TICKERS = Endpoint(
    name="book_tickers",
    http="GET /fapi/v1/ticker/bookTicker",
    security=Security.NONE,
    reply=wire.BestQuotes | list[wire.BestQuotes],
    costs=pages.by_symbol(2, 5),
    source=pages.market("Symbol-Order-Book-Ticker"),
)
MARK_PRICES = Endpoint(
    name="mark_prices",
    http="GET /fapi/v1/premiumIndex",
    security=Security.NONE,
    reply=wire.PremiumIndex | list[wire.PremiumIndex],
    costs=pages.by_symbol(1, 10),
    source=pages.market("Mark-Price"),
)
OPEN_INTEREST = Endpoint(
    name="open_interest",
    http="GET /fapi/v1/openInterest",
    security=Security.NONE,
    reply=wire_market.OpenInterest,
    costs=weight(1),
    source=pages.market("Open-Interest"),
)
OPEN_INTEREST_HISTORY = Endpoint(
    name="open_interest_history",
    http="GET /futures/data/openInterestHist",
    security=Security.NONE,
    reply=list[wire_market.OpenInterestStatistic],
    costs=A_STATISTICS_QUESTION,
    source=pages.market("Open-Interest-Statistics"),
)
FUNDING_INFO = Endpoint(
    name="funding_info",
    http="GET /fapi/v1/fundingInfo",
    security=Security.NONE,
    reply=list[wire_market.FundingInfo],
    costs=A_FUNDING_QUESTION,
    source=pages.market("Get-Funding-Rate-Info"),
)
FUNDING_RATES = Endpoint(
    name="funding_rates",
    http="GET /fapi/v1/fundingRate",
    security=Security.NONE,
    reply=list[wire_market.FundingRate],
    costs=A_FUNDING_QUESTION,
    source=pages.market("Get-Funding-Rate-History"),
)

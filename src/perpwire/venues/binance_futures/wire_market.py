"""Bodies of the REST market data calls; see wire.py for the conventions."""

from __future__ import annotations

from msgspec import UNSET, Struct

from perpwire.venues.binance_futures.wire import Int, Number, Rest, Unread

Kline = tuple[int, str, str, str, str, str, int, str, int, str, str, str]
"""Open time, open, high, low, close, volume, close time, quote volume, trades, what takers bought of both volumes, and
one that means nothing."""


class DayTicker(Rest, kw_only=True):
    """GET /fapi/v1/ticker/24hr"""

    symbol: str
    price_change: Number = UNSET
    price_change_percent: Number = UNSET
    weighted_avg_price: Number = UNSET
    last_price: str
    last_qty: Number = UNSET
    open_price: str
    high_price: str
    low_price: str
    volume: str
    quote_volume: str
    open_time: Unread = UNSET
    close_time: Int = UNSET
    first_id: Unread = UNSET
    last_id: Unread = UNSET
    count: Int = UNSET


class OpenInterest(Rest):
    """GET /fapi/v1/openInterest"""

    open_interest: str
    symbol: str
    time: int


class FundingRate(Rest):
    """GET /fapi/v1/fundingRate"""

    symbol: str
    funding_time: int
    funding_rate: str
    mark_price: Number = UNSET
    rate_type: Unread = UNSET


class FundingInfo(Rest, kw_only=True):
    """GET /fapi/v1/fundingInfo"""

    symbol: str
    adjusted_funding_rate_cap: Unread = UNSET
    adjusted_funding_rate_floor: Unread = UNSET
    funding_interval_hours: int
    disclaimer: Unread = UNSET
    update_time: Unread = UNSET


class OpenInterestStatistic(Struct, kw_only=True):
    """GET /futures/data/openInterestHist"""

    symbol: str
    sumOpenInterest: str
    sumOpenInterestValue: Number = UNSET
    CMCCirculatingSupply: Unread = UNSET
    timestamp: int | str


class LongShortRatio(Rest):
    """GET /futures/data/{top,global}LongShort...Ratio"""

    symbol: str
    long_short_ratio: str
    long_account: str
    short_account: str
    timestamp: int


class TakerRatio(Rest):
    """GET /futures/data/takerlongshortRatio"""

    buy_sell_ratio: str
    buy_vol: str
    sell_vol: str
    timestamp: int


class Basis(Rest):
    """GET /futures/data/basis"""

    index_price: str
    contract_type: str
    basis_rate: str
    futures_price: str
    annualized_basis_rate: str
    basis: str
    pair: str
    timestamp: int


class DeliveryPrice(Rest):
    """GET /futures/data/delivery-price"""

    delivery_time: int
    delivery_price: float


class Constituent(Rest):
    exchange: str
    symbol: str
    price: str
    weight: str


class Constituents(Rest):
    """GET /fapi/v1/constituents"""

    symbol: str
    time: int
    constituents: list[Constituent]


class InsuranceAsset(Rest):
    asset: str
    margin_balance: str
    update_time: int


class InsuranceBalance(Rest):
    """GET /fapi/v1/insuranceBalance"""

    symbols: list[str]
    assets: list[InsuranceAsset]


class AdlRisk(Rest):
    """GET /fapi/v1/symbolAdlRisk"""

    symbol: str
    adl_risk: str
    update_time: Int = UNSET


class BasketPart(Rest):
    base_asset: str
    quote_asset: str
    weight_in_quantity: str
    weight_in_percentage: str


class BasketInfo(Rest):
    """GET /fapi/v1/indexInfo"""

    symbol: str
    time: int
    component: str
    base_asset_list: list[BasketPart]


class AssetIndexRow(Rest):
    """GET /fapi/v1/assetIndex"""

    symbol: str
    time: int
    index: str
    bid_buffer: str
    ask_buffer: str
    bid_rate: str
    ask_rate: str
    auto_exchange_bid_buffer: str
    auto_exchange_ask_buffer: str
    auto_exchange_bid_rate: str
    auto_exchange_ask_rate: str


class MarketSession(Rest):
    start_time: int
    end_time: int
    type: str


class MarketSchedule(Rest):
    sessions: list[MarketSession]


class TradingSchedule(Rest):
    """GET /fapi/v1/tradingSchedule"""

    update_time: int
    market_schedules: dict[str, MarketSchedule]

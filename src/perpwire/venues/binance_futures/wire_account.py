"""Bodies of the REST calls about an account's settings and history; see wire.py for the conventions."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field

from perpwire.venues.binance_futures.wire import Int, Rest, Text, Unread


class Countdown(Rest):
    """POST /fapi/v1/countdownCancelAll"""

    symbol: str
    countdown_time: str


class Change(Rest):
    """A number of an order before and after it was changed."""

    before: str
    after: str


class Amended(Rest):
    price: Change
    orig_qty: Change
    count: int
    modify_id: Int = UNSET


class Amendment(Rest):
    """GET /fapi/v1/orderAmendment"""

    amendment_id: int
    symbol: str
    pair: str
    order_id: int
    client_order_id: str
    time: int
    amendment: Amended
    price_match: str


class MultiAssets(Rest):
    """GET /fapi/v1/multiAssetsMargin"""

    multi_assets_margin: bool


class FeeBurn(Rest):
    """GET /fapi/v1/feeBurn"""

    fee_burn: bool


class MarginChange(Struct, kw_only=True):
    """POST /fapi/v1/positionMargin; 1 adds, 2 takes out."""

    amount: Unread = UNSET
    code: int
    msg: Unread = UNSET
    type: Unread = UNSET


class MarginChangeRow(Rest):
    """GET /fapi/v1/positionMargin/history"""

    symbol: str
    type: int
    delta_type: str
    amount: str
    asset: str
    time: int
    position_side: str


class Income(Rest, kw_only=True):
    """GET /fapi/v1/income; signed as it changes the balance."""

    symbol: Text = UNSET
    income_type: str
    income: str
    asset: str
    info: Unread = UNSET
    time: int
    tran_id: int | str
    trade_id: str | int | UnsetType | None = UNSET


class DownloadId(Rest):
    """GET /fapi/v1/{order,trade,income}/asyn"""

    avg_cost_timestamp_of_last30d: int = field(name="avgCostTimestampOfLast30d")
    download_id: str


class Download(Rest):
    """GET /fapi/v1/{order,trade,income}/asyn/id"""

    download_id: str
    status: str
    url: str
    notified: bool
    expiration_timestamp: int
    is_expired: str | None


class PortfolioMargin(Rest):
    """GET /fapi/v1/pmAccountInfo"""

    max_withdraw_amount_usd: str = field(name="maxWithdrawAmountUSD")
    asset: str
    max_withdraw_amount: str


class AdlQuantile(Rest):
    """GET /fapi/v1/adlQuantile; by LONG, SHORT, and BOTH or, in hedge mode, HEDGE."""

    symbol: str
    adl_quantile: dict[str, int]


class Indicator(Rest):
    is_locked: bool
    planned_recover_time: int
    indicator: str
    value: float
    trigger_value: float


class TradingStatus(Rest):
    """GET /fapi/v1/apiTradingStatus"""

    indicators: dict[str, list[Indicator]]
    update_time: int


class KeyPermissions(Rest, omit_defaults=True, kw_only=True):
    """GET /sapi/v1/account/apiRestrictions

    Source: wallet/account/api-key-permission, as of 2026-10.
    """

    ip_restrict: bool
    create_time: Unread = UNSET
    enable_reading: Unread = UNSET
    enable_withdrawals: bool
    enable_internal_transfer: Unread = UNSET
    enable_margin: Unread = UNSET
    enable_futures: bool
    permits_universal_transfer: Unread = UNSET
    enable_vanilla_options: Unread = UNSET
    enable_fix_api_trade: Unread = UNSET
    enable_fix_read_only: Unread = UNSET
    enable_spot_and_margin_trading: Unread = UNSET
    enable_portfolio_margin_trading: Unread = UNSET
    trading_authority_expiration_time: int | UnsetType = UNSET


class SystemStatus(Rest):
    """GET /sapi/v1/system/status; 0 is normal."""

    status: int
    msg: str

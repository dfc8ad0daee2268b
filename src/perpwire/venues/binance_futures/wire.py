"""What the venue sends, exactly as it is sent: used by the connector to read and by the simulator to write.

Numbers are decimal texts unless their type says otherwise; times are Unix milliseconds. A field that a message may
leave out is UNSET where it is absent; nearly every field may one day be. Unknown fields are passed over. REST names
are camelCase on the wire, stream names are the letters given in `field(name=...)`.

Sources: usds-margined-futures, REST and stream pages, as of 2026-10-23.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

Text = str | None | UnsetType
Number = str | None | UnsetType
"""A decimal text; like all of these it may be absent, null or empty."""
Int = int | None | UnsetType
Unread = Any
"""A field that the connector does not read: whatever stands there must not make the message unreadable."""

Flag = bool | None | UnsetType

WireLevel = tuple[str, str]
"""Price and quantity."""


class Rest(Struct, rename="camel", kw_only=True):
    """Base of REST bodies."""


class Error(Struct):
    """Any refusal: negative code, and words that change from year to year."""

    code: int
    msg: str = ""


class Empty(Rest):
    """{}"""


class Done(Struct):
    """A call that has nothing to tell: 200 and some words."""

    code: int
    msg: Unread = UNSET


class ServerTime(Rest):
    """GET /fapi/v1/time"""

    server_time: int


# --- exchangeInfo ---------------------------------------------------------------------------------------------------


class RateLimit(Rest):
    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int


class Filter(Rest):
    """One trading rule; which fields it has goes by its type."""

    filter_type: str
    min_price: Number = UNSET
    max_price: Number = UNSET
    tick_size: Number = UNSET
    min_qty: Number = UNSET
    max_qty: Number = UNSET
    step_size: Number = UNSET
    limit: Int = UNSET
    notional: Number = UNSET
    multiplier_up: Number = UNSET
    multiplier_down: Number = UNSET
    multiplier_decimal: Unread = UNSET
    position_control_side: Unread = UNSET


class SymbolInfo(Rest):
    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    margin_asset: str
    filters: list[Filter]
    pair: Unread = UNSET
    contract_type: Text = UNSET
    delivery_date: Int = UNSET
    onboard_date: Int = UNSET
    maint_margin_percent: Unread = UNSET
    required_margin_percent: Unread = UNSET
    price_precision: Unread = UNSET
    quantity_precision: Unread = UNSET
    base_asset_precision: Unread = UNSET
    quote_precision: Unread = UNSET
    underlying_type: Unread = UNSET
    underlying_sub_type: Unread = UNSET
    settle_plan: Unread = UNSET
    trigger_protect: Number = UNSET
    liquidation_fee: Unread = UNSET
    market_take_bound: Unread = UNSET
    max_move_order_limit: Unread = UNSET
    order_types: Unread = UNSET
    time_in_force: Unread = UNSET


class AssetInfo(Rest):
    asset: str
    margin_available: Flag = UNSET
    auto_asset_exchange: Text = UNSET


class ExchangeInfo(Rest):
    """GET /fapi/v1/exchangeInfo"""

    symbols: list[SymbolInfo]
    timezone: Unread = UNSET
    server_time: Unread = UNSET
    futures_type: Unread = UNSET
    rate_limits: Unread = UNSET
    exchange_filters: Unread = UNSET
    assets: Unread = UNSET


# --- market data ------------------------------------------------------------------------------------------------------


class Depth(Struct, kw_only=True):
    """GET /fapi/v1/depth; best first."""

    last_update_id: int = field(name="lastUpdateId")
    event_time: Int = field(name="E", default=UNSET)
    transaction_time: Int = field(name="T", default=UNSET)
    bids: list[WireLevel]
    asks: list[WireLevel]


class RecentTrade(Rest, kw_only=True):
    """GET /fapi/v1/trades"""

    id: int
    price: str
    qty: str
    quote_qty: Unread = UNSET
    time: int
    is_buyer_maker: bool
    is_rpi_trade: Unread = field(name="isRPITrade", default=False)


class BestQuotes(Rest):
    """GET /fapi/v1/ticker/bookTicker"""

    symbol: str
    bid_price: Number = UNSET
    bid_qty: Number = UNSET
    ask_price: Number = UNSET
    ask_qty: Number = UNSET
    time: Int = UNSET
    last_update_id: Int = UNSET


class LastPrice(Rest):
    """GET /fapi/v1/ticker/price, /fapi/v2/ticker/price"""

    symbol: str
    price: str
    time: int


class PremiumIndex(Rest):
    """GET /fapi/v1/premiumIndex"""

    symbol: str
    mark_price: str
    index_price: Number = UNSET
    estimated_settle_price: Number = UNSET
    last_funding_rate: Number = UNSET
    interest_rate: Unread = UNSET
    next_funding_time: Int = UNSET
    time: Int = UNSET


# --- orders and trades ------------------------------------------------------------------------------------------------


class Order(Rest):
    """The order of every REST reply. Those that place, change or cancel have `cum_qty` and no `avg_price`, `cum_quote`
    or `time`; those that query have these and no `cum_qty`."""

    order_id: int
    symbol: str
    status: str
    side: str
    type: str
    orig_qty: str
    client_order_id: Text = UNSET
    price: Number = UNSET
    avg_price: Number = UNSET
    executed_qty: Number = UNSET
    cum_qty: Unread = UNSET
    cum_quote: Unread = UNSET
    cum_base: Unread = UNSET
    time_in_force: Text = UNSET
    reduce_only: Flag = UNSET
    close_position: Unread = UNSET
    position_side: Text = UNSET
    stop_price: Unread = UNSET
    working_type: Unread = UNSET
    price_protect: Unread = UNSET
    orig_type: Unread = UNSET
    price_match: Unread = UNSET
    self_trade_prevention_mode: Text = UNSET
    good_till_date: Int = UNSET
    time: Int = UNSET
    update_time: Int = UNSET
    pair: Unread = UNSET
    modify_id: Unread = UNSET
    activate_price: Unread = UNSET
    price_rate: Unread = UNSET


class UserTrade(Rest, kw_only=True):
    """GET /fapi/v1/userTrades"""

    id: int
    symbol: str
    order_id: int
    side: str
    price: str
    qty: str
    quote_qty: Unread = UNSET
    realized_pnl: Number = UNSET
    commission: Number = UNSET
    commission_asset: Text = UNSET
    time: int
    position_side: Text = UNSET
    buyer: Unread = UNSET
    maker: Flag = UNSET
    pair: Text = UNSET
    base_qty: Number = UNSET
    margin_asset: Text = UNSET


# --- account ----------------------------------------------------------------------------------------------------------


class AccountAsset(Rest):
    asset: str
    wallet_balance: str
    unrealized_profit: Number = UNSET
    margin_balance: Unread = UNSET
    maint_margin: Unread = UNSET
    initial_margin: Unread = UNSET
    position_initial_margin: Unread = UNSET
    open_order_initial_margin: Unread = UNSET
    cross_wallet_balance: Unread = UNSET
    cross_un_pnl: Unread = UNSET
    available_balance: Number = UNSET
    max_withdraw_amount: Unread = UNSET
    margin_available: Unread = UNSET
    update_time: Int = UNSET


class AccountPosition(Rest):
    """A row of `positions` in the account; version 2 has the later fields too."""

    symbol: str
    position_side: str
    position_amt: str
    unrealized_profit: Number = UNSET
    isolated_margin: Number = UNSET
    notional: Number = UNSET
    isolated_wallet: Number = UNSET
    initial_margin: Number = UNSET
    maint_margin: Number = UNSET
    update_time: Int = UNSET
    entry_price: Number = UNSET
    break_even_price: Number = UNSET
    position_initial_margin: Number = UNSET
    open_order_initial_margin: Number = UNSET
    leverage: Number = UNSET
    isolated: Flag = UNSET
    max_notional: Number = UNSET
    bid_notional: Number = UNSET
    ask_notional: Number = UNSET


class Account(Rest):
    """GET /fapi/v3/account; version 2 has the flags too."""

    total_initial_margin: str
    total_maint_margin: str
    total_wallet_balance: str
    total_unrealized_profit: str
    total_margin_balance: str
    available_balance: str
    assets: list[AccountAsset]
    total_position_initial_margin: Unread = UNSET
    total_open_order_initial_margin: Unread = UNSET
    total_cross_wallet_balance: Unread = UNSET
    total_cross_un_pnl: Unread = UNSET
    max_withdraw_amount: Unread = UNSET
    positions: Unread = UNSET
    fee_tier: Unread = UNSET
    fee_burn: Unread = UNSET
    can_trade: Unread = UNSET
    can_deposit: Unread = UNSET
    can_withdraw: Unread = UNSET
    update_time: Unread = UNSET
    multi_assets_margin: Unread = UNSET
    trade_group_id: Unread = UNSET
    dual_side_position: Unread = UNSET


class AccountConfig(Rest):
    """GET /fapi/v1/accountConfig"""

    fee_tier: int
    can_trade: bool
    can_deposit: bool
    can_withdraw: bool
    dual_side_position: bool
    update_time: int
    multi_assets_margin: bool
    trade_group_id: int


class AssetBalance(Rest):
    """GET /fapi/v2/balance, /fapi/v3/balance"""

    account_alias: str
    asset: str
    balance: str
    cross_wallet_balance: str
    cross_un_pnl: str
    available_balance: str
    max_withdraw_amount: str
    margin_available: bool
    update_time: int


class PositionRisk(Rest):
    """GET /fapi/v3/positionRisk; version 2 has leverage and margin type too. Unrealised profit is spelt two ways."""

    symbol: str
    position_amt: str
    position_side: Text = UNSET
    entry_price: Number = UNSET
    break_even_price: Number = UNSET
    mark_price: Number = UNSET
    un_realized_profit: Number = UNSET
    unrealized_profit: Number = UNSET
    liquidation_price: Number = UNSET
    isolated_margin: Unread = UNSET
    notional: Unread = UNSET
    margin_asset: Unread = UNSET
    isolated_wallet: Number = UNSET
    initial_margin: Number = UNSET
    maint_margin: Number = UNSET
    position_initial_margin: Unread = UNSET
    open_order_initial_margin: Unread = UNSET
    adl: Int = UNSET
    bid_notional: Unread = UNSET
    ask_notional: Unread = UNSET
    leverage: Number = UNSET
    max_notional_value: Unread = UNSET
    margin_type: Text = UNSET
    is_auto_add_margin: Unread = UNSET
    update_time: Int = UNSET


class SymbolConfig(Rest):
    """GET /fapi/v1/symbolConfig"""

    symbol: str
    margin_type: str
    leverage: int
    max_notional_value: Number = UNSET
    is_auto_add_margin: Unread = UNSET


class Leverage(Rest):
    """POST /fapi/v1/leverage"""

    leverage: int
    max_notional_value: Unread = UNSET
    symbol: Unread = UNSET


class CommissionRate(Rest):
    """GET /fapi/v1/commissionRate"""

    symbol: str
    maker_commission_rate: str
    taker_commission_rate: str
    rpi_commission_rate: Unread = UNSET


class Bracket(Rest):
    bracket: int
    initial_leverage: int
    notional_cap: int | float
    notional_floor: int | float
    maint_margin_ratio: float
    cum: float


class SymbolBrackets(Rest):
    """GET /fapi/v1/leverageBracket; the coefficient is there where the account's own brackets are larger or smaller."""

    symbol: str
    brackets: list[Bracket]
    notional_coef: float | UnsetType | None = UNSET


class PositionMode(Rest):
    """GET /fapi/v1/positionSide/dual"""

    dual_side_position: bool


class ListenKey(Rest):
    """POST and PUT /fapi/v1/listenKey"""

    listen_key: str

"""What the venue pushes on its private streams; see wire.py for the spelling. One struct an event."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field

from perpwire.venues.binance_futures.wire import Flag, Int, Number, Text, Unread


class OrderUpdate(Struct, kw_only=True):
    """`o` of ORDER_TRADE_UPDATE, fields in the venue's order. Quantities and prices without trailing zeros."""

    symbol: str = field(name="s")
    client_order_id: Text = field(name="c", default=UNSET)
    side: str = field(name="S")
    type: str = field(name="o")
    time_in_force: Text = field(name="f", default=UNSET)
    quantity: str = field(name="q")
    price: Number = field(name="p", default=UNSET)
    average_price: Number = field(name="ap", default=UNSET)
    stop_price: Unread = field(name="sp", default=UNSET)
    execution_type: str = field(name="x")
    status: str = field(name="X")
    order_id: int = field(name="i")
    last_quantity: Number = field(name="l", default=UNSET)
    filled_quantity: Number = field(name="z", default=UNSET)
    last_price: Number = field(name="L", default=UNSET)
    fee: Number = field(name="n", default=UNSET)
    fee_asset: Text = field(name="N", default=UNSET)
    trade_time: Int = field(name="T", default=UNSET)
    trade_id: Int = field(name="t", default=UNSET)
    bids_notional: Unread = field(name="b", default=UNSET)
    asks_notional: Unread = field(name="a", default=UNSET)
    is_maker: Flag = field(name="m", default=UNSET)
    reduce_only: Flag = field(name="R", default=UNSET)
    working_type: Unread = field(name="wt", default=UNSET)
    original_type: Unread = field(name="ot", default=UNSET)
    position_side: Text = field(name="ps", default=UNSET)
    close_position: Unread = field(name="cp", default=UNSET)
    realized_profit: Number = field(name="rp", default=UNSET)
    price_protect: Unread = field(name="pP", default=UNSET)
    ignored_1: Unread = field(name="si", default=UNSET)
    ignored_2: Unread = field(name="ss", default=UNSET)
    stp_mode: Text = field(name="V", default=UNSET)
    price_match: Unread = field(name="pm", default=UNSET)
    good_till_date: Int = field(name="gtd", default=UNSET)
    expiry_reason: str | int | UnsetType | None = field(name="er", default=UNSET)
    modify_id: Unread = field(name="M", default=UNSET)


class OrderTradeUpdate(Struct, kw_only=True):
    event: str = field(name="e", default="ORDER_TRADE_UPDATE")
    transaction_time: Int = field(name="T", default=UNSET)
    event_time: Unread = field(name="E", default=UNSET)
    order: OrderUpdate = field(name="o")


class BalanceChange(Struct, kw_only=True):
    asset: str = field(name="a")
    wallet_balance: str = field(name="wb")
    cross_wallet_balance: Unread = field(name="cw", default=UNSET)
    change: Unread = field(name="bc", default=UNSET)


class PositionChange(Struct, kw_only=True):
    symbol: str = field(name="s")
    quantity: str = field(name="pa")
    entry_price: Number = field(name="ep", default=UNSET)
    accumulated_profit: Unread = field(name="cr", default=UNSET)
    unrealized_profit: Number = field(name="up", default=UNSET)
    margin_type: Text = field(name="mt", default=UNSET)
    isolated_wallet: Number = field(name="iw", default=UNSET)
    position_side: Text = field(name="ps", default=UNSET)
    margin_asset: Unread = field(name="ma", default=UNSET)
    break_even_price: Number = field(name="bep", default=UNSET)


class AccountChange(Struct, kw_only=True):
    """`S` is there for funding only."""

    balances: list[BalanceChange] | UnsetType | None = field(name="B", default=UNSET)
    positions: list[PositionChange] | UnsetType | None = field(name="P", default=UNSET)
    reason: Unread = field(name="m", default=UNSET)
    symbol: Unread = field(name="S", default=UNSET)


class AccountUpdate(Struct, kw_only=True):
    event: str = field(name="e", default="ACCOUNT_UPDATE")
    transaction_time: Int = field(name="T", default=UNSET)
    event_time: Unread = field(name="E", default=UNSET)
    change: AccountChange = field(name="a")


class TradeLite(Struct, kw_only=True):
    """The fastest notice of a fill; the same fill follows in ORDER_TRADE_UPDATE with its fee and profit."""

    event: str = field(name="e", default="TRADE_LITE")
    event_time: Unread = field(name="E", default=UNSET)
    trade_time: int = field(name="T")
    symbol: str = field(name="s")
    quantity: Unread = field(name="q", default=UNSET)
    price: Unread = field(name="p", default=UNSET)
    is_maker: bool = field(name="m")
    client_order_id: str = field(name="c")
    side: str = field(name="S")
    last_price: str = field(name="L")
    last_quantity: str = field(name="l")
    trade_id: int = field(name="t")
    order_id: int = field(name="i")


class LeverageChange(Struct):
    symbol: str = field(name="s")
    leverage: int = field(name="l")


class MultiAssetsChange(Struct):
    is_on: bool = field(name="j")


class AccountConfigUpdate(Struct, kw_only=True):
    """One of the two has changed."""

    event: str = field(name="e", default="ACCOUNT_CONFIG_UPDATE")
    event_time: Unread = field(name="E", default=UNSET)
    transaction_time: int = field(name="T")
    leverage: LeverageChange | UnsetType = field(name="ac", default=UNSET)
    multi_assets: MultiAssetsChange | UnsetType = field(name="ai", default=UNSET)


class CalledPosition(Struct, kw_only=True):
    symbol: str = field(name="s")
    position_side: str = field(name="ps")
    quantity: str = field(name="pa")
    margin_type: str = field(name="mt")
    isolated_wallet: Unread = field(name="iw", default=UNSET)
    mark_price: str = field(name="mp")
    unrealized_profit: str = field(name="up")
    maintenance_margin: str = field(name="mm")


class MarginCall(Struct, kw_only=True):
    """The cross wallet is there where cross positions are in question."""

    event: str = field(name="e", default="MARGIN_CALL")
    event_time: int = field(name="E")
    cross_wallet: str | UnsetType = field(name="cw", default=UNSET)
    positions: list[CalledPosition] = field(name="p")


class AlgoOrder(Struct, kw_only=True):
    """`o` of ALGO_UPDATE. What became of the order is there once there is one; how much of it was filled may not be
    told even when it has ended."""

    client_algo_id: Text = field(name="caid", default=UNSET)
    algo_id: int = field(name="aid")
    algo_type: Unread = field(name="at", default="CONDITIONAL")
    type: str = field(name="o")
    symbol: str = field(name="s")
    side: str = field(name="S")
    position_side: Text = field(name="ps", default=UNSET)
    time_in_force: Text = field(name="f", default=UNSET)
    quantity: Number = field(name="q", default=UNSET)
    status: str = field(name="X")
    actual_order_id: Text = field(name="ai", default=UNSET)
    average_price: Number = field(name="ap", default=UNSET)
    filled_quantity: Number = field(name="aq", default=UNSET)
    actual_type: Unread = field(name="act", default=UNSET)
    trigger_price: Number = field(name="tp", default=UNSET)
    price: Number = field(name="p", default=UNSET)
    stp_mode: Text = field(name="V", default=UNSET)
    working_type: Text = field(name="wt", default=UNSET)
    price_match: Unread = field(name="pm", default=UNSET)
    close_position: Flag = field(name="cp", default=UNSET)
    price_protect: Unread = field(name="pP", default=UNSET)
    reduce_only: Flag = field(name="R", default=UNSET)
    trigger_time: Unread = field(name="tt", default=UNSET)
    good_till_date: Int = field(name="gtd", default=UNSET)
    reject_reason: Text = field(name="rm", default=UNSET)
    is_activated: Unread = field(name="ia", default=UNSET)


class AlgoUpdate(Struct, kw_only=True):
    """A conditional order is new, follows the price now, triggers, or has ended."""

    event: str = field(name="e", default="ALGO_UPDATE")
    transaction_time: Int = field(name="T", default=UNSET)
    event_time: Unread = field(name="E", default=UNSET)
    order: AlgoOrder = field(name="o")


class ListenKeyExpired(Struct, kw_only=True):
    event: str = field(name="e", default="listenKeyExpired")
    event_time: Int = field(name="E", default=UNSET)
    listen_key: Text = field(name="listenKey", default=UNSET)

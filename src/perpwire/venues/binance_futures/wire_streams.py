"""What the venue pushes on its streams; see wire.py for the spelling. One struct an event.

The high-rate market events are decoded by streams.py straight into the public model; here they stand for the simulator,
which writes them.
"""

from __future__ import annotations

from msgspec import UNSET, Raw, Struct, UnsetType, field

from perpwire.venues.binance_futures.wire import Flag, Int, Number, Text, Unread, WireLevel


class Envelope(Struct):
    """A frame of a combined stream."""

    stream: str
    data: Raw


class EventName(Struct):
    """Just enough of an event to know what it is."""

    event: str | UnsetType = field(name="e", default=UNSET)


# --- control messages -------------------------------------------------------------------------------------------------


class ControlError(Struct):
    code: int
    msg: str = ""


class ControlReply(Struct):
    """An answer to SUBSCRIBE and its kin. Errors come as `error`, or, in older texts, as bare `code` and `msg`."""

    id: int | str | UnsetType | None = UNSET
    result: Raw | UnsetType = UNSET
    error: ControlError | UnsetType = UNSET
    code: int | UnsetType = UNSET
    msg: str | UnsetType = UNSET


# --- market -----------------------------------------------------------------------------------------------------------


class AggTrade(Struct, kw_only=True):
    """<symbol>@aggTrade: fills of one taker side and price within 100 ms."""

    event: str = field(name="e", default="aggTrade")
    event_time: int = field(name="E")
    symbol: str = field(name="s")
    agg_id: int = field(name="a")
    price: str = field(name="p")
    quantity: str = field(name="q")
    quantity_without_rpi: str = field(name="nq")
    first_id: int = field(name="f")
    last_id: int = field(name="l")
    trade_time: int = field(name="T")
    buyer_is_maker: bool = field(name="m")
    symbol_type: int = field(name="st", default=1)


class RestAggTrade(Struct, kw_only=True):
    """GET /fapi/v1/aggTrades, which spells it as the stream does."""

    agg_id: int = field(name="a")
    price: str = field(name="p")
    quantity: str = field(name="q")
    quantity_without_rpi: str = field(name="nq")
    first_id: int = field(name="f")
    last_id: int = field(name="l")
    trade_time: int = field(name="T")
    buyer_is_maker: bool = field(name="m")


class TradeEvent(Struct, kw_only=True):
    """<symbol>@trade: undocumented. Only kind MARKET is a trade of the market."""

    event: str = field(name="e", default="trade")
    event_time: int = field(name="E")
    trade_time: int = field(name="T")
    symbol: str = field(name="s")
    trade_id: int = field(name="t")
    price: str = field(name="p")
    quantity: str = field(name="q")
    kind: str = field(name="X", default="MARKET")
    buyer_is_maker: bool = field(name="m")


class BookTickerEvent(Struct, kw_only=True):
    """<symbol>@bookTicker"""

    event: str = field(name="e", default="bookTicker")
    update_id: int = field(name="u")
    symbol: str = field(name="s")
    pair: str = field(name="ps")
    bid_price: str = field(name="b")
    bid_quantity: str = field(name="B")
    ask_price: str = field(name="a")
    ask_quantity: str = field(name="A")
    transaction_time: int = field(name="T")
    event_time: int = field(name="E")
    symbol_type: int = field(name="st", default=1)


class DepthUpdate(Struct, kw_only=True):
    """<symbol>@depth: changed levels; or, on <symbol>@depth5|10|20, the whole top."""

    event: str = field(name="e", default="depthUpdate")
    event_time: int = field(name="E")
    transaction_time: int = field(name="T")
    symbol: str = field(name="s")
    pair: str = field(name="ps")
    first_id: int = field(name="U")
    last_id: int = field(name="u")
    previous_id: int = field(name="pu")
    bids: list[WireLevel] = field(name="b")
    asks: list[WireLevel] = field(name="a")
    symbol_type: int = field(name="st", default=1)


class MarkPriceUpdate(Struct, kw_only=True):
    """<symbol>@markPrice. The rate is "" and the funding time 0 where the contract has no funding."""

    event: str = field(name="e", default="markPriceUpdate")
    event_time: int = field(name="E")
    symbol: str = field(name="s")
    mark_price: str = field(name="p")
    average_price: Unread = field(name="ap", default=UNSET)
    index_price: Number = field(name="i", default=UNSET)
    settle_price: Unread = field(name="P", default=UNSET)
    funding_rate: Number = field(name="r", default=UNSET)
    next_funding_time: Int = field(name="T", default=UNSET)
    symbol_type: int = field(name="st", default=1)


class Kline(Struct, kw_only=True):
    """`k` of a candle's event. First and last trade id are -1 while nothing was traded."""

    open_time: int = field(name="t")
    close_time: int = field(name="T")
    symbol: str | UnsetType = field(name="s", default=UNSET)
    interval: str = field(name="i")
    first_id: int = field(name="f")
    last_id: int = field(name="L")
    open: str = field(name="o")
    close: str = field(name="c")
    high: str = field(name="h")
    low: str = field(name="l")
    volume: str = field(name="v")
    trades: int = field(name="n")
    is_closed: bool = field(name="x")
    quote_volume: str = field(name="q")
    taker_volume: str = field(name="V")
    taker_quote_volume: str = field(name="Q")
    ignored: str = field(name="B", default="0")


class KlineEvent(Struct, kw_only=True):
    """<symbol>@kline_<interval>"""

    event: str = field(name="e", default="kline")
    event_time: int = field(name="E")
    symbol: str = field(name="s")
    kline: Kline = field(name="k")


class ContinuousKline(Struct, kw_only=True):
    """<pair>_<contractType>@continuousKline_<interval>; its `k` has no symbol."""

    event: str = field(name="e", default="continuous_kline")
    event_time: int = field(name="E")
    pair: str = field(name="ps")
    contract_type: str = field(name="ct")
    kline: Kline = field(name="k")


class DayTicker(Struct, kw_only=True):
    """<symbol>@ticker and !ticker@arr"""

    event: str = field(name="e", default="24hrTicker")
    event_time: int = field(name="E")
    symbol: str = field(name="s")
    price_change: str = field(name="p")
    percent_change: str = field(name="P")
    average_price: str = field(name="w")
    last_price: str = field(name="c")
    last_quantity: str = field(name="Q")
    open_price: str = field(name="o")
    high_price: str = field(name="h")
    low_price: str = field(name="l")
    volume: str = field(name="v")
    quote_volume: str = field(name="q")
    open_time: int = field(name="O")
    close_time: int = field(name="C")
    first_id: int = field(name="F")
    last_id: int = field(name="L")
    trades: int = field(name="n")
    pair: str = field(name="ps")
    symbol_type: int = field(name="st", default=1)


class MiniTicker(Struct, kw_only=True):
    """<symbol>@miniTicker and !miniTicker@arr"""

    event: str = field(name="e", default="24hrMiniTicker")
    event_time: int = field(name="E")
    symbol: str = field(name="s")
    last_price: str = field(name="c")
    open_price: str = field(name="o")
    high_price: str = field(name="h")
    low_price: str = field(name="l")
    volume: str = field(name="v")
    quote_volume: str = field(name="q")
    pair: str = field(name="ps")
    symbol_type: int = field(name="st", default=1)


class ForcedOrder(Struct, kw_only=True):
    """`o` of a liquidation's event."""

    symbol: str = field(name="s")
    side: str = field(name="S")
    type: str = field(name="o", default="LIMIT")
    time_in_force: str = field(name="f", default="IOC")
    quantity: str = field(name="q")
    price: str = field(name="p")
    average_price: str = field(name="ap")
    status: str = field(name="X")
    last_quantity: str = field(name="l")
    filled_quantity: str = field(name="z")
    trade_time: int = field(name="T")


class ForceOrder(Struct, kw_only=True):
    """<symbol>@forceOrder and !forceOrder@arr; the latter says pair and type too."""

    event: str = field(name="e", default="forceOrder")
    event_time: int = field(name="E")
    order: ForcedOrder = field(name="o")
    pair: str | UnsetType = field(name="ps", default=UNSET)
    symbol_type: int | UnsetType = field(name="st", default=UNSET)


class ContractBracket(Struct, kw_only=True):
    number: int = field(name="bs")
    floor: int = field(name="bnf")
    cap: int = field(name="bnc")
    maintenance_rate: float = field(name="mmr")
    deduction: int | float = field(name="cf")
    min_leverage: int = field(name="mi")
    max_leverage: int = field(name="ma")


class ContractInfo(Struct, kw_only=True):
    """!contractInfo. The brackets are there when they have changed."""

    event: str = field(name="e", default="contractInfo")
    event_time: int = field(name="E")
    symbol: str = field(name="s")
    pair: str = field(name="ps")
    contract_type: str = field(name="ct")
    delivery_time: int = field(name="dt")
    onboard_time: int = field(name="ot")
    status: str = field(name="cs")
    brackets: list[ContractBracket] | UnsetType = field(name="bks", default=UNSET)
    symbol_type: int = field(name="st", default=1)


class IndexPart(Struct, kw_only=True):
    base: str = field(name="b")
    quote: str = field(name="q")
    weight_in_quantity: str = field(name="w")
    weight_in_share: str = field(name="W")
    price: str = field(name="i")


class CompositeIndex(Struct, kw_only=True):
    """<symbol>@compositeIndex: what the index of a contract on a basket is made of."""

    event: str = field(name="e", default="compositeIndex")
    event_time: int = field(name="E")
    symbol: str = field(name="s")
    price: str = field(name="p")
    composition: str = field(name="C", default="baseAsset")
    parts: list[IndexPart] = field(name="c")


class AssetIndexUpdate(Struct, kw_only=True):
    """<asset>@assetIndex and !assetIndex@arr: what an asset counts as margin where several do."""

    event: str = field(name="e", default="assetIndexUpdate")
    event_time: int = field(name="E")
    symbol: str = field(name="s")
    index: str = field(name="i")
    bid_buffer: str = field(name="b")
    ask_buffer: str = field(name="a")
    bid_rate: str = field(name="B")
    ask_rate: str = field(name="A")
    auto_bid_buffer: str = field(name="q")
    auto_ask_buffer: str = field(name="g")
    auto_bid_rate: str = field(name="Q")
    auto_ask_rate: str = field(name="G")


class SessionUpdate(Struct, kw_only=True):
    """tradingSession: which session one of the markets that TradFi contracts follow is in, and its span."""

    event: str = field(name="e")
    event_time: int = field(name="E")
    start_time: int = field(name="t")
    end_time: int = field(name="T")
    session: str = field(name="S")


# --- user data --------------------------------------------------------------------------------------------------------


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
    stp_mode: Unread = field(name="V", default=UNSET)
    price_match: Unread = field(name="pm", default=UNSET)
    good_till_date: Unread = field(name="gtd", default=UNSET)
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
    isolated_wallet: Unread = field(name="iw", default=UNSET)
    position_side: Text = field(name="ps", default=UNSET)
    margin_asset: Unread = field(name="ma", default=UNSET)
    break_even_price: Unread = field(name="bep", default=UNSET)


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
    event_time: int = field(name="E")
    trade_time: int = field(name="T")
    symbol: str = field(name="s")
    quantity: str = field(name="q")
    price: str = field(name="p")
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
    event_time: int = field(name="E")
    transaction_time: int = field(name="T")
    leverage: LeverageChange | UnsetType = field(name="ac", default=UNSET)
    multi_assets: MultiAssetsChange | UnsetType = field(name="ai", default=UNSET)


class CalledPosition(Struct, kw_only=True):
    symbol: str = field(name="s")
    position_side: str = field(name="ps")
    quantity: str = field(name="pa")
    margin_type: str = field(name="mt")
    isolated_wallet: str = field(name="iw")
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
    """`o` of ALGO_UPDATE. What became of the order is there once there is one."""

    client_algo_id: str = field(name="caid")
    algo_id: int = field(name="aid")
    algo_type: str = field(name="at", default="CONDITIONAL")
    type: str = field(name="o")
    symbol: str = field(name="s")
    side: str = field(name="S")
    position_side: str = field(name="ps")
    time_in_force: str = field(name="f")
    quantity: str = field(name="q")
    status: str = field(name="X")
    actual_order_id: str = field(name="ai")
    average_price: str | UnsetType = field(name="ap", default=UNSET)
    filled_quantity: str | UnsetType = field(name="aq", default=UNSET)
    actual_type: str | UnsetType = field(name="act", default=UNSET)
    trigger_price: str = field(name="tp")
    price: str = field(name="p")
    stp_mode: str = field(name="V")
    working_type: str = field(name="wt")
    price_match: str = field(name="pm")
    close_position: bool = field(name="cp")
    price_protect: bool = field(name="pP")
    reduce_only: bool = field(name="R")
    trigger_time: int = field(name="tt")
    good_till_date: int = field(name="gtd")
    reject_reason: str | UnsetType = field(name="rm", default=UNSET)
    is_activated: bool = field(name="ia")


class AlgoUpdate(Struct, kw_only=True):
    """A conditional order is new, follows the price now, triggers, or has ended."""

    event: str = field(name="e", default="ALGO_UPDATE")
    transaction_time: int = field(name="T")
    event_time: int = field(name="E")
    order: AlgoOrder = field(name="o")


class ListenKeyExpired(Struct, kw_only=True):
    event: str = field(name="e", default="listenKeyExpired")
    event_time: Int = field(name="E", default=UNSET)
    listen_key: Text = field(name="listenKey", default=UNSET)

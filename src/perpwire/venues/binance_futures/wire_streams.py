"""What the venue pushes on its market streams; see wire.py for the spelling. One struct an event.

The high-rate market events are decoded by streams.py straight into the public model; here they stand for the simulator,
which writes them.
"""

from __future__ import annotations

from msgspec import UNSET, Raw, Struct, UnsetType, field

from perpwire.venues.binance_futures.wire import Int, Number, Text, Unread, WireLevel


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
    quantity_without_rpi: Unread = field(name="nq", default=UNSET)
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
    quantity_without_rpi: Number = field(name="nq", default=UNSET)
    first_id: Unread = field(name="f", default=UNSET)
    last_id: Unread = field(name="l", default=UNSET)
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
    event_time: Unread = field(name="E", default=UNSET)
    transaction_time: int = field(name="T")
    symbol: str = field(name="s")
    pair: Unread = field(name="ps", default=UNSET)
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
    average_price: Number = field(name="ap", default=UNSET)
    index_price: Number = field(name="i", default=UNSET)
    settle_price: Number = field(name="P", default=UNSET)
    funding_rate: Number = field(name="r", default=UNSET)
    next_funding_time: Int = field(name="T", default=UNSET)
    symbol_type: int = field(name="st", default=1)


class Kline(Struct, kw_only=True):
    """`k` of a candle's event. First and last trade id are -1 while nothing was traded."""

    open_time: int = field(name="t")
    close_time: int = field(name="T")
    symbol: str | UnsetType = field(name="s", default=UNSET)
    interval: str = field(name="i")
    first_id: Unread = field(name="f", default=UNSET)
    last_id: Unread = field(name="L", default=UNSET)
    open: str = field(name="o")
    close: str = field(name="c")
    high: str = field(name="h")
    low: str = field(name="l")
    volume: str = field(name="v")
    trades: int = field(name="n")
    is_closed: bool = field(name="x")
    quote_volume: str = field(name="q")
    taker_volume: Number = field(name="V", default=UNSET)
    taker_quote_volume: Number = field(name="Q", default=UNSET)
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
    price_change: Number = field(name="p", default=UNSET)
    percent_change: Number = field(name="P", default=UNSET)
    average_price: Number = field(name="w", default=UNSET)
    last_price: str = field(name="c")
    last_quantity: Number = field(name="Q", default=UNSET)
    open_price: str = field(name="o")
    high_price: str = field(name="h")
    low_price: str = field(name="l")
    volume: str = field(name="v")
    quote_volume: str = field(name="q")
    open_time: Unread = field(name="O", default=UNSET)
    close_time: Unread = field(name="C", default=UNSET)
    first_id: Unread = field(name="F", default=UNSET)
    last_id: Unread = field(name="L", default=UNSET)
    trades: Int = field(name="n", default=UNSET)
    pair: Unread = field(name="ps", default=UNSET)
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
    pair: Unread = field(name="ps", default=UNSET)
    symbol_type: int = field(name="st", default=1)


class ForcedOrder(Struct, kw_only=True):
    """`o` of a liquidation's event."""

    symbol: str = field(name="s")
    side: str = field(name="S")
    type: str = field(name="o", default="LIMIT")
    time_in_force: str = field(name="f", default="IOC")
    quantity: str = field(name="q")
    price: str = field(name="p")
    average_price: Number = field(name="ap", default=UNSET)
    status: Unread = field(name="X", default=UNSET)
    last_quantity: Unread = field(name="l", default=UNSET)
    filled_quantity: Number = field(name="z", default=UNSET)
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
    pair: Unread = field(name="ps", default=UNSET)
    contract_type: Text = field(name="ct")
    delivery_time: Int = field(name="dt")
    onboard_time: Int = field(name="ot")
    status: str = field(name="cs")
    brackets: list[ContractBracket] | UnsetType = field(name="bks", default=UNSET)
    symbol_type: int = field(name="st", default=1)


class IndexPart(Struct, kw_only=True):
    base: str = field(name="b")
    quote: Unread = field(name="q", default=UNSET)
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
    bid_buffer: Unread = field(name="b", default=UNSET)
    ask_buffer: Unread = field(name="a", default=UNSET)
    bid_rate: str = field(name="B")
    ask_rate: str = field(name="A")
    auto_bid_buffer: Unread = field(name="q", default=UNSET)
    auto_ask_buffer: Unread = field(name="g", default=UNSET)
    auto_bid_rate: Unread = field(name="Q", default=UNSET)
    auto_ask_rate: Unread = field(name="G", default=UNSET)


class SessionUpdate(Struct, kw_only=True):
    """tradingSession: which session one of the markets that TradFi contracts follow is in, and its span."""

    event: str = field(name="e")
    event_time: int = field(name="E")
    start_time: int = field(name="t")
    end_time: int = field(name="T")
    session: str = field(name="S")

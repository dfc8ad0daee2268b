"""What goes over the wire, spelled as Bybit spells it: REST calls, and the rows that streams share. No logic.

Client and simulator share these structs. A default is what the venue sends for "nothing", so that the simulator sends
whole objects; `Any` marks what the client does not read. Amounts are decimal texts; "" and null both mean "not
stated". Unknown fields are ignored.

Source: docs/v5, as of 2026-07-24, and payloads seen up to 2026-10.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

Text = str | None
Millis = str | int | None
N = TypeVar("N")
"""Decimal where the client decodes, str where the simulator writes."""
D = TypeVar("D")

# --- REST: the envelope -------------------------------------------------------------------------------------------


class Envelope(msgspec.Struct):
    """Every REST reply; success is retCode 0. `result` is decoded by the endpoint's row."""

    retCode: int
    retMsg: Text = ""
    result: msgspec.Raw = msgspec.Raw()
    retExtInfo: Any = msgspec.field(default_factory=dict)
    time: Any = None

    def __repr__(self) -> str:
        return f"<Envelope {self.retCode}>"  # the venue repeats the key in its words


class Page(msgspec.Struct, Generic[D]):
    """A listing. An empty token or an empty list is the end; the token is percent-encoded already."""

    rows: list[D] | None = msgspec.field(name="list")
    nextPageCursor: Text = ""
    category: Any = "linear"


class Dated(msgspec.Struct, Generic[D]):
    """A whole reply, for what needs the time at which the venue made it. `time`: Unix milliseconds."""

    result: D
    time: int


class BatchRow(msgspec.Struct):
    """One order of a batch; orderId is "" where it was refused."""

    orderId: Text = ""
    orderLinkId: Text = ""
    symbol: Text = ""
    category: Any = "linear"
    createAt: Any = ""


class BatchCode(msgspec.Struct):
    code: int
    msg: Text = ""


class Rows(msgspec.Struct, Generic[D]):
    rows: list[D] | None = msgspec.field(name="list", default=None)


class Batch(msgspec.Struct):
    """The whole reply to a batch: the orders, and beside them how each fared."""

    result: Rows[BatchRow]
    retExtInfo: Rows[BatchCode]


WHOLE = (Dated, Batch)
"""Reply types of the whole reply; others are those of its `result`."""

# --- REST: market -------------------------------------------------------------------------------------------------


class ServerTime(msgspec.Struct):
    """GET /v5/market/time. Seconds and nanoseconds since the epoch."""

    timeSecond: str
    timeNano: str


class LeverageFilter(msgspec.Struct):
    minLeverage: Any = "1"
    maxLeverage: Text = "100.00"
    leverageStep: Text = "0.01"


class PriceFilter(msgspec.Struct):
    tickSize: Text = ""
    minPrice: Text = ""
    maxPrice: Text = ""


class LotSizeFilter(msgspec.Struct):
    minOrderQty: Text = ""
    qtyStep: Text = ""
    maxOrderQty: Text = ""
    maxMktOrderQty: Text = ""
    minNotionalValue: Text = ""
    postOnlyMaxOrderQty: Any = ""


class RiskParameters(msgspec.Struct):
    priceLimitRatioX: Any = "0.01"
    priceLimitRatioY: Any = "0.02"


class InstrumentRow(msgspec.Struct):
    """One row of GET /v5/market/instruments-info. fundingInterval is in minutes."""

    symbol: str
    priceFilter: PriceFilter
    lotSizeFilter: LotSizeFilter
    contractType: Text = "LinearPerpetual"
    status: Text = "Trading"
    baseCoin: Text = ""
    quoteCoin: Text = ""
    settleCoin: Text = ""
    fundingInterval: int | None = 480
    symbolId: Any = 0
    symbolType: Any = ""
    launchTime: Millis = "1585526400000"
    deliveryTime: Millis = "0"
    deliveryFeeRate: Any = ""
    priceScale: Any = "2"
    leverageFilter: LeverageFilter | None = msgspec.field(default_factory=LeverageFilter)
    unifiedMarginTrade: Any = True
    upperFundingRate: Any = "0.00375"
    lowerFundingRate: Any = "-0.00375"
    copyTrading: Any = "both"
    isPreListing: Any = False
    preListingInfo: Any = None
    riskParameters: Any = msgspec.field(default_factory=RiskParameters)
    displayName: Any = ""
    forbidUplWithdrawal: Any = False
    isPublicRpi: Any = False


class BookReply(msgspec.Struct, Generic[N]):
    """GET /v5/market/orderbook: bids descending, asks ascending."""

    s: str
    b: tuple[tuple[N, N], ...]
    a: tuple[tuple[N, N], ...]
    u: int
    ts: int | None = 0
    seq: Any = 0
    cts: int | None = None


class RecentTradeRow(msgspec.Struct):
    """GET /v5/market/recent-trade. `side` is the taker's."""

    execId: str
    symbol: str
    price: str
    size: str
    side: str
    time: str
    isBlockTrade: Any = False
    isRPITrade: Any = False
    seq: Any = ""


class TickerRow(msgspec.Struct, kw_only=True):
    """One row of GET /v5/market/tickers. Volume in base, turnover in quote; rates as fractions."""

    symbol: str
    lastPrice: Text = ""
    indexPrice: Text = ""
    markPrice: Text = ""
    prevPrice24h: Text = ""
    highPrice24h: Text = ""
    lowPrice24h: Text = ""
    volume24h: Text = ""
    turnover24h: Text = ""
    price24hPcnt: Text = ""
    openInterest: Text = ""
    openInterestValue: Text = ""
    singleOpenInterest: Text = ""
    singleOpenInterestValue: Text = ""
    fundingRate: Text = ""
    nextFundingTime: Millis = ""
    bid1Price: Text = ""
    bid1Size: Text = ""
    ask1Price: Text = ""
    ask1Size: Text = ""


class Candles(msgspec.Struct):
    """GET /v5/market/kline and its three neighbours: start, open, high, low, close; of the last price also volume and
    turnover."""

    rows: list[tuple[str, ...]] | None = msgspec.field(name="list")
    nextPageCursor: Text = ""


class FundingRow(msgspec.Struct):
    """One row of GET /v5/market/funding/history."""

    symbol: str
    fundingRate: str
    fundingRateTimestamp: str


class OpenInterestRow(msgspec.Struct, kw_only=True):
    """openInterest counts both sides of each contract, singleOpenInterest one."""

    openInterest: str
    timestamp: str
    singleOpenInterest: Text = ""


class RiskLimitRow(msgspec.Struct, kw_only=True):
    """One tier of GET /v5/market/risk-limit. Rates are fractions; the first tier's deduction is ""."""

    id: Any = 0
    symbol: str
    riskLimitValue: str
    maintenanceMargin: str
    initialMargin: Any = ""
    maxLeverage: str
    isLowestRisk: Any = 0
    mmDeduction: Text = ""


class StatusRow(msgspec.Struct, kw_only=True):
    """One row of GET /v5/system/status. serviceTypes: 1 trading, 2 HTTP, 3 WebSocket ...; product: 1 futures."""

    title: Text = ""
    state: Text = ""
    begin: Millis = ""
    end: Millis = ""
    serviceTypes: list[int] | None = None
    product: list[int] | None = None
    uidSuffix: list[int] | None = None


# --- REST: orders -------------------------------------------------------------------------------------------------


class OrderIds(msgspec.Struct):
    """Reply of create, amend and cancel: an acknowledgement, nothing more."""

    orderId: str
    orderLinkId: Text = ""


class OrderRow(msgspec.Struct, kw_only=True):
    """One order of GET /v5/order/realtime and /v5/order/history."""

    orderId: str
    symbol: str
    side: str
    orderType: Text
    orderStatus: str
    qty: str
    orderLinkId: Text = ""
    price: Text = ""
    positionIdx: int | None = 0
    createType: Text = ""
    cancelType: Text = ""
    rejectReason: Text = ""
    avgPrice: Text = ""
    cumExecQty: Text = "0"
    timeInForce: Text = ""
    stopOrderType: Text = ""
    triggerDirection: int | None = 0
    reduceOnly: bool | None = False
    createdTime: Millis = ""
    updatedTime: Millis = ""
    leavesQty: Any = ""
    leavesValue: Any = ""
    cumExecValue: Any = "0"
    cumExecFee: Any = "0"
    cumFeeDetail: Any = msgspec.field(default_factory=dict)
    parentOrderLinkId: Any = ""
    blockTradeId: Any = ""
    isLeverage: Any = ""
    orderIv: Any = ""
    marketUnit: Any = ""
    slippageToleranceType: Any = "UNKNOWN"
    slippageTolerance: Any = "0"
    triggerPrice: Text = ""
    triggerBy: Text = ""
    takeProfit: Text = ""
    stopLoss: Text = ""
    tpslMode: Any = "UNKNOWN"
    tpLimitPrice: Any = "0"
    slLimitPrice: Any = "0"
    tpTriggerBy: Any = ""
    slTriggerBy: Any = ""
    ocoTriggerBy: Any = ""
    lastPriceOnCreated: Any = ""
    closeOnTrigger: bool | None = False
    placeType: Any = ""
    smpType: Text = "None"
    smpGroup: Any = 0
    smpOrderId: Any = ""
    extraFees: Any = ""
    rpiTakerAccess: Any = False
    rpiMatchedQty: Any = "0"


class OrderPush(OrderRow, kw_only=True):
    """The same on the stream, topic order."""

    category: Any = "linear"
    closedPnl: Any = "0"
    feeCurrency: Any = ""
    brokerOrderPrice: Any = ""


class CancelAllReply(msgspec.Struct):
    rows: list[OrderIds] = msgspec.field(name="list")
    success: Any = "1"


class ExecutionRow(msgspec.Struct, kw_only=True):
    """One row of GET /v5/execution/list. execFee above 0 is paid."""

    execId: str
    symbol: str
    orderId: str
    side: Text
    execPrice: str
    execQty: str
    execTime: Millis
    execType: Text = "Trade"
    orderLinkId: Text = ""
    execFee: Text = None
    feeCurrency: Text = ""
    isMaker: bool | None = False
    orderPrice: Any = ""
    orderQty: Any = ""
    leavesQty: Any = ""
    createType: Any = ""
    orderType: Any = ""
    stopOrderType: Any = "UNKNOWN"
    execFeeV2: Any = ""
    execValue: Any = ""
    feeRate: Any = ""
    tradeIv: Any = ""
    markIv: Any = ""
    markPrice: Any = ""
    indexPrice: Any = ""
    underlyingPrice: Any = ""
    blockTradeId: Any = ""
    closedSize: Any = "0"
    seq: Any = 0
    extraFees: Any = ""


class ExecutionPush(ExecutionRow, kw_only=True):
    """The same on the stream, topic execution. execPnl is before fees. execution.fast sends few of the fields."""

    category: Any = "linear"
    isLeverage: Any = "0"
    execPnl: Text = None
    marketUnit: Any = ""


class FastExecution(msgspec.Struct, kw_only=True):
    """What execution.fast sends, for the simulator; the client reads it as an ExecutionPush."""

    category: str = "linear"
    symbol: str
    orderId: str
    isMaker: bool
    orderLinkId: str
    execId: str
    execPrice: str
    execQty: str
    side: str
    execTime: str
    seq: int


# --- REST: position and account -----------------------------------------------------------------------------------


class PositionFields(msgspec.Struct, kw_only=True):
    """What a position says both over REST and on the stream. `side` is "" when flat."""

    symbol: str
    side: Text
    size: Text
    positionIdx: int | None = 0
    markPrice: Text = ""
    liqPrice: Text = ""
    leverage: Text = ""
    unrealisedPnl: Text = ""
    updatedTime: Millis = ""
    riskId: Any = 1
    riskLimitValue: Text = ""
    positionValue: Any = ""
    autoAddMargin: Any = 0
    positionStatus: Any = "Normal"
    breakEvenPrice: Text = ""
    positionIM: Text = ""
    positionIMByMp: Any = ""
    positionMM: Text = ""
    positionMMByMp: Any = ""
    takeProfit: Any = ""
    stopLoss: Any = ""
    trailingStop: Any = "0"
    sessionAvgPrice: Any = ""
    delta: Any = ""
    gamma: Any = ""
    vega: Any = ""
    theta: Any = ""
    curRealisedPnl: Text = "0"
    cumRealisedPnl: Any = "0"
    adlRankIndicator: int | None = 0
    createdTime: Any = ""
    openTime: Any = 0
    seq: Any = -1
    isReduceOnly: Any = False
    mmrSysUpdatedTime: Any = ""
    leverageSysUpdatedTime: Any = ""
    tpslMode: Any = "Full"
    bustPrice: Any = ""
    positionBalance: Any = ""
    tradeMode: Any = 0


class PositionRow(PositionFields, kw_only=True):
    """One row of GET /v5/position/list."""

    avgPrice: Text = ""


class PositionPush(PositionFields, kw_only=True):
    """The same on the stream, topic position."""

    entryPrice: Text = ""
    category: Any = "linear"


class CoinRow(msgspec.Struct, kw_only=True):
    """One coin of the wallet, in coin units; usdValue in USD."""

    coin: str
    walletBalance: Text = ""
    equity: Text = ""
    usdValue: Text = ""
    unrealisedPnl: Text = ""
    locked: Text = "0"
    bonus: Text = "0"
    totalOrderIM: Text = "0"
    totalPositionIM: Text = "0"
    totalPositionMM: Text = "0"
    borrowAmount: Any = "0"
    accruedInterest: Any = "0"
    cumRealisedPnl: Any = "0"
    spotHedgingQty: Any = "0"
    spotBorrow: Any = "0"
    colRes: Any = "0"
    marginCollateral: Any = True
    collateralSwitch: Any = True
    free: Any = ""
    availableToBorrow: Any = ""
    availableToWithdraw: Any = ""


class Wallet(msgspec.Struct, kw_only=True):
    """One account of GET /v5/account/wallet-balance and of the stream's topic wallet. Totals are in USD; in isolated
    margin mode some are ""."""

    coin: list[CoinRow] | None = None
    accountType: Any = "UNIFIED"
    totalEquity: Text = ""
    totalWalletBalance: Text = ""
    totalMarginBalance: Text = ""
    totalAvailableBalance: Text = ""
    totalPerpUPL: Text = ""
    totalInitialMargin: Text = ""
    totalMaintenanceMargin: Text = ""
    totalInitialMarginByMp: Any = ""
    totalMaintenanceMarginByMp: Any = ""
    accountIMRate: Any = ""
    accountMMRate: Any = ""
    accountIMRateByMp: Any = ""
    accountMMRateByMp: Any = ""
    accountLTV: Any = "0"


class Wallets(msgspec.Struct):
    rows: list[Wallet] = msgspec.field(name="list")


class FeeRateRow(msgspec.Struct):
    symbol: str
    takerFeeRate: str
    makerFeeRate: str


class AccountInfoReply(msgspec.Struct):
    """GET /v5/account/info. unifiedMarginStatus 5: unified 2.0."""

    marginMode: str
    updatedTime: Any = "0"
    unifiedMarginStatus: Any = 5
    isMasterTrader: Any = False
    spotHedgingStatus: Any = "OFF"
    dcpStatus: Any = "OFF"
    timeWindow: Any = 10
    smpGroup: Any = 0


class TransactionRow(msgspec.Struct, kw_only=True):
    """One row of GET /v5/account/transaction-log: change = cashFlow + funding - fee. `size` is signed. Rows
    of different types can have one id."""

    id: str
    transactionTime: str
    type: Text
    currency: str
    change: str
    symbol: Text = ""
    category: Text = ""
    funding: Text = ""
    fee: Text = ""
    cashFlow: Text = ""
    tradeId: Text = ""
    side: Any = ""
    qty: Any = ""
    size: Any = ""
    tradePrice: Any = ""
    cashBalance: Any = ""
    feeRate: Any = ""
    orderId: Any = ""
    orderLinkId: Any = ""
    transSubType: Any = ""
    bonusChange: Any = ""
    extraFees: Any = ""

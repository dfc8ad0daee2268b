"""What goes over the streams, spelled as Bybit spells it; see wire.py. Rows that REST has too stand there.

Source: docs/v5/websocket, as of 2026-07-24, and frames seen up to 2026-10.
"""

from __future__ import annotations

from typing import Any, Generic, Literal

import msgspec
from msgspec import UNSET, UnsetType

from perpwire.venues.bybit.wire import D, N, Text

# --- public ---------------------------------------------------------------------------------------------------------


class PublicTrade(msgspec.Struct, Generic[N], gc=False):
    """One row of publicTrade.{symbol}. `S` is the taker's side; T in ms; i is the venue's id."""

    T: int
    s: str
    S: Literal["Buy", "Sell"]
    v: N
    p: N
    i: str


class SentTrade(PublicTrade[N], Generic[N], gc=False):
    """The same with what the client does not read."""

    L: str = "ZeroPlusTick"
    BT: bool = False
    RPI: bool = False
    seq: int = 0


class BookData(msgspec.Struct, Generic[N]):
    """orderbook.{depth}.{symbol}: best first; in a delta, size 0 removes the level."""

    s: str
    b: tuple[tuple[N, N], ...]
    a: tuple[tuple[N, N], ...]
    u: int
    seq: int = 0


class Mark(msgspec.Struct):
    """tickers.{symbol}: mark price and funding. In a delta, what has not changed is absent."""

    symbol: str
    markPrice: Text | UnsetType = UNSET
    indexPrice: Text | UnsetType = UNSET
    fundingRate: Text | UnsetType = UNSET
    nextFundingTime: Text | UnsetType = UNSET


class Moving(Mark, kw_only=True):
    """What the client reads of it."""

    lastPrice: Text | UnsetType = UNSET
    prevPrice24h: Text | UnsetType = UNSET
    highPrice24h: Text | UnsetType = UNSET
    lowPrice24h: Text | UnsetType = UNSET
    volume24h: Text | UnsetType = UNSET
    turnover24h: Text | UnsetType = UNSET
    price24hPcnt: Text | UnsetType = UNSET
    bid1Price: Text | UnsetType = UNSET
    bid1Size: Text | UnsetType = UNSET
    ask1Price: Text | UnsetType = UNSET
    ask1Size: Text | UnsetType = UNSET
    openInterest: Text | UnsetType = UNSET
    openInterestValue: Text | UnsetType = UNSET


class Ticker(Mark, kw_only=True):
    """tickers.{symbol} whole, and the rows of GET /v5/market/tickers."""

    tickDirection: Any = UNSET
    lastPrice: Any = UNSET
    prevPrice24h: Any = UNSET
    price24hPcnt: Any = UNSET
    highPrice24h: Any = UNSET
    lowPrice24h: Any = UNSET
    prevPrice1h: Any = UNSET
    openInterest: Any = UNSET
    openInterestValue: Any = UNSET
    turnover24h: Any = UNSET
    volume24h: Any = UNSET
    fundingIntervalHour: Any = UNSET
    fundingCap: Any = UNSET
    bid1Price: Any = UNSET
    bid1Size: Any = UNSET
    ask1Price: Any = UNSET
    ask1Size: Any = UNSET


class SentTicker(msgspec.Struct, kw_only=True):
    """The same as sent: in the venue's order, without what only dated futures have."""

    symbol: str
    tickDirection: str | UnsetType = UNSET
    price24hPcnt: str | UnsetType = UNSET
    lastPrice: str | UnsetType = UNSET
    prevPrice24h: str | UnsetType = UNSET
    highPrice24h: str | UnsetType = UNSET
    lowPrice24h: str | UnsetType = UNSET
    prevPrice1h: str | UnsetType = UNSET
    markPrice: str | UnsetType = UNSET
    indexPrice: str | UnsetType = UNSET
    openInterest: str | UnsetType = UNSET
    openInterestValue: str | UnsetType = UNSET
    singleOpenInterest: str | UnsetType = UNSET
    singleOpenInterestValue: str | UnsetType = UNSET
    turnover24h: str | UnsetType = UNSET
    volume24h: str | UnsetType = UNSET
    nextFundingTime: str | UnsetType = UNSET
    fundingRate: str | UnsetType = UNSET
    bid1Price: str | UnsetType = UNSET
    bid1Size: str | UnsetType = UNSET
    ask1Price: str | UnsetType = UNSET
    ask1Size: str | UnsetType = UNSET
    fundingIntervalHour: str | UnsetType = UNSET
    fundingCap: str | UnsetType = UNSET


class RpiBookData(msgspec.Struct):
    """orderbook.rpi.{symbol}: rows of price, quantity of normal orders, quantity of RPI orders."""

    s: str
    b: tuple[tuple[str, str, str], ...]
    a: tuple[tuple[str, str, str], ...]
    u: int
    seq: int


class RpiFrame(msgspec.Struct):
    topic: str
    type: Literal["snapshot", "delta"]
    ts: int
    data: RpiBookData
    cts: int | None = None


class LimitData(msgspec.Struct):
    symbol: str
    buyLmt: str
    sellLmt: str


class LimitFrame(msgspec.Struct):
    """priceLimit.{symbol}; it has no type."""

    topic: str
    data: LimitData
    ts: int


class TradeFrame(msgspec.Struct, Generic[N]):
    topic: str
    type: str
    ts: int
    data: list[PublicTrade[N]]


class SentTradeFrame(msgspec.Struct):
    topic: str
    type: str
    ts: int
    data: list[SentTrade[str]]


class BookFrame(msgspec.Struct, Generic[N]):
    topic: str
    type: Literal["snapshot", "delta"]
    ts: int
    data: BookData[N]
    cts: int | None = None


class SentTopFrame(msgspec.Struct):
    """orderbook.1 as sent: `ts` stands before `type`."""

    topic: str
    ts: int
    type: str
    data: BookData[str]
    cts: int


class TickerFrame(msgspec.Struct, Generic[D]):
    topic: str
    type: Literal["snapshot", "delta"]
    data: D
    ts: int
    cs: Any = 0


class KlineRow(msgspec.Struct):
    """kline.{interval}.{symbol}. `timestamp` is that of the last trade."""

    start: int
    end: int
    interval: str
    open: str
    close: str
    high: str
    low: str
    volume: str
    turnover: str
    confirm: bool
    timestamp: int = 0


class KlineFrame(msgspec.Struct):
    topic: str
    data: list[KlineRow]
    ts: int
    type: str = "snapshot"


class LiquidationRow(msgspec.Struct):
    T: int
    s: str
    S: str
    v: str
    p: str


class LiquidationFrame(msgspec.Struct):
    topic: str
    type: str
    ts: int
    data: list[LiquidationRow]


class AdlRow(msgspec.Struct, Generic[D], kw_only=True):
    """adlAlert.{coin}: coin, symbol, pool balance, (retired), ratio that triggers, ratio now, least balance, ratio that
    stops."""

    c: str
    s: str
    b: D
    mb: str = ""
    i_pr: D
    pr: D
    adl_tt: D
    adl_sr: D


class AdlFrame(msgspec.Struct, Generic[D]):
    topic: str
    type: str
    ts: int
    data: list[AdlRow[D]]


class InsuranceRow(msgspec.Struct):
    coin: str
    symbols: str
    balance: str
    updateTime: str


class InsuranceFrame(msgspec.Struct):
    topic: str
    type: str
    ts: int
    data: list[InsuranceRow]


class StatusFrame(msgspec.Struct):
    """system.status, on a socket of its own; it has no type."""

    topic: str
    ts: int
    data: list[Any]


class NoticeRow(msgspec.Struct, kw_only=True):
    """What the client reads of a notice. Times in Unix milliseconds, as text."""

    title: str = ""
    state: str = ""
    begin: Text = None
    end: Text = None


class NoticeFrame(msgspec.Struct):
    topic: str
    ts: int
    data: list[NoticeRow]


# --- private --------------------------------------------------------------------------------------------------------


class PrivateFrame(msgspec.Struct, Generic[D], kw_only=True):
    """Every push of the private stream. creationTime in ms."""

    id: Any = UNSET
    topic: str
    creationTime: int = 0
    data: list[D]


class ExecutionFrame(msgspec.Struct):
    """A push of topic execution, as sent: its topic stands first."""

    topic: str
    id: str
    creationTime: int
    data: list[Any]


class FastFrame(msgspec.Struct):
    """A push of topic execution.fast, as sent: it has no id."""

    topic: str
    creationTime: int
    data: list[Any]

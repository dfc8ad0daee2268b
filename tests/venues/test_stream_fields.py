"""Which field of the wire becomes which field of an event, one by one: every number in a frame is another one, so none
can be taken for its neighbour."""

from __future__ import annotations

import json
from decimal import Decimal as D
from typing import Any

import pytest

from perpwire import venues
from perpwire.model.market import (
    AdlWarning,
    AggTrade,
    AssetIndex,
    CompositeIndex,
    ContinuousKline,
    ContractChanged,
    Event,
    InsuranceFund,
    Kline,
    Liquidation,
    MarkPrice,
    MiniTicker,
    PriceLimits,
    RpiBook,
    SystemNotice,
    Ticker,
    Trade,
    TradingSession,
    kind_of,
)

AT = 1790000000100
BAR = {
    "t": 1790000000000, "T": 1790000059999, "i": "1m", "f": 71, "L": 79, "o": "10.1", "c": "12.2", "h": "14.3",
    "l": "8.4", "v": "105.5", "n": 9, "x": True, "q": "1156.6", "V": "57.7", "Q": "628.8", "B": "0",
}  # fmt: skip
BAR_READ: dict[str, Any] = {
    "interval": "1m", "open_time_ms": 1790000000000, "close_time_ms": 1790000059999, "open": D("10.1"),
    "high": D("14.3"), "low": D("8.4"), "close": D("12.2"), "volume": D("105.5"), "quote_volume": D("1156.6"),
    "trades": 9, "taker_buy_volume": D("57.7"), "taker_buy_quote_volume": D("628.8"), "is_closed": True,
}  # fmt: skip
DAY = {"s": "BTCUSDT", "c": "12.2", "o": "10.1", "h": "14.3", "l": "8.4", "v": "105.5", "q": "1156.6", "st": 1}
DAY_READ: dict[str, Any] = {
    "symbol": "BTCUSDT", "last_price": D("12.2"), "open_price": D("10.1"), "high_price": D("14.3"),
    "low_price": D("8.4"), "volume": D("105.5"), "quote_volume": D("1156.6"),
}  # fmt: skip
MORE_OF_A_DAY = {"p": "2.11", "P": "20.79", "w": "10.96", "Q": "0.31", "O": 1789913600000, "C": 1790000000099,
                   "F": 41, "L": 49, "n": 8}  # fmt: skip
MORE_READ: dict[str, Any] = {
    "price_change": D("2.11"), "price_change_percent": D("20.79"), "average_price": D("10.96"),
    "last_quantity": D("0.31"), "trades": 8,
}  # fmt: skip
MARK = {"s": "BTCUSDT", "p": "11.1", "ap": "11.2", "i": "11.3", "P": "11.4", "r": "0.0005", "T": 1790006400000, "st": 1}
BYBIT_DAY = {
    "symbol": "BTCUSDT", "tickDirection": "PlusTick", "lastPrice": "12.2", "prevPrice24h": "10.1",
    "highPrice24h": "14.3", "lowPrice24h": "8.4", "volume24h": "105.5", "turnover24h": "1156.6",
    "price24hPcnt": "0.207921", "bid1Price": "12.1", "bid1Size": "3.5", "ask1Price": "12.3", "ask1Size": "4.5",
}  # fmt: skip
FORCED = {
    "s": "BTCUSDT", "S": "SELL", "o": "LIMIT", "f": "IOC", "q": "0.05", "p": "63001", "ap": "63002.5",
    "X": "PARTIALLY_FILLED", "l": "0.01", "z": "0.03", "T": 1790000000095,
}  # fmt: skip
CONTRACT = {
    "e": "contractInfo", "E": AT, "s": "IOTAUSDT", "ps": "IOTAUSDT", "ct": "PERPETUAL", "dt": 4133404800000,
    "ot": 1569398400000, "cs": "TRADING", "st": 1,
}  # fmt: skip
RPI = {
    "e": "depthUpdate", "E": AT, "T": 1790000000095, "s": "BTCUSDT", "ps": "BTCUSDT", "U": 101, "u": 109, "pu": 97,
    "b": [["64000.1", "1.5"], ["64000.0", "0"]], "a": [["64000.2", "2.5"]], "st": 1,
}  # fmt: skip
BYBIT_BAR = {
    "start": 1790000000000, "end": 1790000059999, "interval": "60", "open": "10.1", "close": "12.2", "high": "14.3",
    "low": "8.4", "volume": "105.5", "turnover": "1156.6", "confirm": True, "timestamp": 1790000059990,
}  # fmt: skip
ADL = {
    "c": "USDT", "s": "BTCUSDT", "b": 16.25, "mb": "", "i_pr": -0.31, "pr": "-0.42", "adl_tt": "10000",
    "adl_sr": "-0.25",
}  # fmt: skip
NOTICE = {"id": "n", "title": "Upgrade", "state": "scheduled", "begin": "1790000600000", "end": "1790000900000",
          "href": "", "serviceTypes": [2], "product": [1], "uidSuffix": [], "maintainType": 1, "env": 1}  # fmt: skip


def text(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))


BINANCE: list[tuple[str, Any, Event]] = [
    ("btcusdt@kline_1m", {"e": "kline", "E": AT, "s": "BTCUSDT", "k": BAR | {"s": "BTCUSDT"}},
     Kline(symbol="BTCUSDT", venue_time_ms=AT, **BAR_READ)),
    ("btcusdt_perpetual@continuousKline_1m",
     {"e": "continuous_kline", "E": AT, "ps": "BTCUSDT", "ct": "PERPETUAL", "k": BAR},
     ContinuousKline(symbol="BTCUSDT", contract="PERPETUAL", venue_time_ms=AT, **BAR_READ)),
    ("btcusdt@ticker", {"e": "24hrTicker", "E": AT, **DAY, **MORE_OF_A_DAY},
     Ticker(venue_time_ms=AT, **DAY_READ, **MORE_READ)),
    ("btcusdt@ticker", {"e": "24hrTicker", "E": AT, **DAY}, Ticker(venue_time_ms=AT, **DAY_READ)),
    ("btcusdt@markPrice@1s", {"e": "markPriceUpdate", "E": AT, **MARK},
     MarkPrice(symbol="BTCUSDT", venue_time_ms=AT, mark_price=D("11.1"), average_price=D("11.2"),
               index_price=D("11.3"), settle_price=D("11.4"), funding_rate=D("0.0005"),
               next_funding_time_ms=1790006400000)),
    ("btcusdt@aggTrade", {"e": "aggTrade", "E": AT, "s": "BTCUSDT", "a": 51, "p": "10.1", "q": "2.5", "nq": "1.75",
                          "f": 61, "l": 63, "T": 1790000000095, "m": True, "st": 1},
     AggTrade(symbol="BTCUSDT", venue_time_ms=1790000000095, trade_id=51, price=D("10.1"), quantity=D("2.5"),
              quantity_without_rpi=D("1.75"), first_trade_id=61, last_trade_id=63, buyer_is_maker=True)),
    ("btcusdt@miniTicker", {"e": "24hrMiniTicker", "E": AT, **DAY}, MiniTicker(venue_time_ms=AT, **DAY_READ)),
    ("btcusdt@forceOrder", {"e": "forceOrder", "E": AT, "o": FORCED},
     Liquidation(symbol="BTCUSDT", venue_time_ms=1790000000095, side="SELL", price=D(63001), quantity=D("0.05"),
                 filled_quantity=D("0.03"), average_price=D("63002.5"))),
    ("!contractInfo", CONTRACT,
     ContractChanged(symbol="IOTAUSDT", venue_time_ms=AT, status="TRADING", onboard_time_ms=1569398400000,
                     delivery_time_ms=4133404800000, raw=text(CONTRACT))),
    ("defiusdt@compositeIndex",
     {"e": "compositeIndex", "E": AT, "s": "DEFIUSDT", "p": "554.4", "C": "baseAsset",
      "c": [{"b": "BAL", "q": "USDT", "w": "1.04", "W": "0.014", "i": "24.3"},
            {"b": "BAND", "q": "USDT", "w": "3.53", "W": "0.039", "i": "6.1"}]},
     CompositeIndex(symbol="DEFIUSDT", venue_time_ms=AT, price=D("554.4"),
                    parts=(("BAL", D("1.04"), D("0.014"), D("24.3")), ("BAND", D("3.53"), D("0.039"), D("6.1"))))),
    ("adausd@assetIndex",
     {"e": "assetIndexUpdate", "E": AT, "s": "ADAUSD", "i": "0.2746", "b": "0.11", "a": "0.12", "B": "0.2471",
      "A": "0.3020", "q": "0.05", "g": "0.06", "Q": "0.2608", "G": "0.2883"},
     AssetIndex(symbol="ADAUSD", venue_time_ms=AT, index_price=D("0.2746"), bid_rate=D("0.2471"),
                ask_rate=D("0.3020"))),
    ("tradingSession",
     {"e": "EquityUpdate", "E": AT, "t": 1790000000000, "T": 1790003600000, "S": "REGULAR"},
     TradingSession(venue_time_ms=AT, market="EquityUpdate", session="REGULAR", start_ms=1790000000000,
                    end_ms=1790003600000)),
    ("btcusdt@rpiDepth@500ms", RPI,
     RpiBook(symbol="BTCUSDT", venue_time_ms=1790000000095,
             bids=((D("64000.1"), D("1.5"), D(0)), (D("64000.0"), D(0), D(0))),
             asks=((D("64000.2"), D("2.5"), D(0)),), is_snapshot=False, update_id=109, previous_update_id=97)),
]  # fmt: skip

BYBIT: list[tuple[dict[str, Any], Event]] = [
    ({"topic": "kline.60.BTCUSDT", "type": "snapshot", "ts": AT, "data": [BYBIT_BAR]},
     Kline(symbol="BTCUSDT", venue_time_ms=AT, **BAR_READ | {"interval": "1h", "trades": None, "taker_buy_volume": None,
                                                                     "taker_buy_quote_volume": None})),
    ({"topic": "tickers.BTCUSDT", "type": "snapshot", "ts": AT, "data": BYBIT_DAY},
     Ticker(venue_time_ms=AT, **DAY_READ, price_change_percent=D("20.7921"), bid_price=D("12.1"),
            bid_quantity=D("3.5"), ask_price=D("12.3"), ask_quantity=D("4.5"))),
    ({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": AT,
      "data": [{"T": 1790000000095, "s": "BTCUSDT", "S": "Buy", "v": "2.5", "p": "10.1", "L": "PlusTick",
                "i": "a-b", "BT": False, "RPI": True, "seq": 912}]},
     Trade(symbol="BTCUSDT", venue_time_ms=1790000000095, trade_id="a-b", price=D("10.1"), quantity=D("2.5"),
           buyer_is_maker=False, is_rpi=True, sequence=912)),
    ({"topic": "allLiquidation.BTCUSDT", "type": "snapshot", "ts": AT,
      "data": [{"T": 1790000000095, "s": "BTCUSDT", "S": "Buy", "v": "0.05", "p": "63001"}]},
     Liquidation(symbol="BTCUSDT", venue_time_ms=1790000000095, side="SELL", price=D(63001), quantity=D("0.05"))),
    ({"topic": "priceLimit.BTCUSDT", "ts": AT, "data": {"symbol": "BTCUSDT", "buyLmt": "67000", "sellLmt": "61000"}},
     PriceLimits(symbol="BTCUSDT", venue_time_ms=AT, highest_bid=D(67000), lowest_ask=D(61000))),
    ({"topic": "adlAlert.USDT", "type": "snapshot", "ts": AT, "data": [ADL]},
     AdlWarning(symbol="BTCUSDT", venue_time_ms=AT, coin="USDT", balance=D("16.25"), pnl_ratio=D("-0.42"),
                trigger_ratio=D("-0.31"), stop_ratio=D("-0.25"), trigger_balance=D(10000))),
    ({"topic": "insurance.USDT", "type": "snapshot", "ts": AT,
      "data": [{"coin": "USDT", "symbols": "BTCUSDT,ETHUSDT", "balance": "815.5", "updateTime": "1790000000050"}]},
     InsuranceFund(venue_time_ms=1790000000050, coin="USDT", symbols=("BTCUSDT", "ETHUSDT"), balance=D("815.5"))),
    ({"topic": "orderbook.rpi.BTCUSDT", "type": "snapshot", "ts": AT, "cts": 1790000000095,
      "data": {"s": "BTCUSDT", "b": [["64000.1", "1.5", "0.25"]], "a": [["64000.2", "2.5", "0.75"]], "u": 109,
               "seq": 900}},
     RpiBook(symbol="BTCUSDT", venue_time_ms=1790000000095, bids=((D("64000.1"), D("1.5"), D("0.25")),),
             asks=((D("64000.2"), D("2.5"), D("0.75")),), is_snapshot=True, update_id=109)),
]  # fmt: skip


def check(venue: str, content: dict[str, Any], expected: Event) -> None:
    events = venues.load(venue).session("market").on_frame(text(content).encode(), 77)
    assert events is not None
    (event,) = events
    assert kind_of(type(event)) is type(expected)
    said = {name: getattr(event, name) for name in expected.__struct_fields__}
    wanted = {name: getattr(expected, name) for name in expected.__struct_fields__}
    assert said == wanted | {"venue": venue, "received_ns": 77}


@pytest.mark.parametrize(("stream", "data", "expected"), BINANCE, ids=[stream for stream, _, _ in BINANCE])
def test_binance(stream: str, data: dict[str, Any], expected: Event) -> None:
    check("binance", {"stream": stream, "data": data}, expected)


@pytest.mark.parametrize(("content", "expected"), BYBIT, ids=[content["topic"] for content, _ in BYBIT])
def test_bybit(content: dict[str, Any], expected: Event) -> None:
    check("bybit", content, expected)


def test_a_notice_of_bybit() -> None:
    content = {"topic": "system.status", "ts": AT, "data": [NOTICE]}
    notice = SystemNotice(
        venue_time_ms=AT, title="Upgrade", state="scheduled", begin_ms=1790000600000, end_ms=1790000900000,
        raw=text(content),
    )  # fmt: skip
    check("bybit", content, notice)

"""A text that Decimal reads and no price can be: NaN, Infinity; or none at all. A frame or a reply with such a one is
unreadable; it never becomes a number of an event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.speaker import Speaker

from perpwire import venues
from perpwire.api_connector.frame_path import FramePath
from perpwire.clock import ManualClock
from perpwire.errors import Garbled
from perpwire.http_message import HttpReply
from perpwire.model.incident import FrameGarbled, Incident
from perpwire.model.market import BookDelta, BookTicker, Event, PriceKind, Trade, Unknown
from perpwire.venues.base import Call

AT = 1790000000100
NO_NUMBERS = ("NaN", "nan", "-NaN", "sNaN", "NaN7", "Infinity", "-Infinity", "inf", "INF", "")

LEVELS = [["64000.1", "1.5"], ["64000.0", "2.5"]]
OFFERS = [["64000.2", "3.5"], ["64000.3", "4.5"]]
OF_BINANCE: list[tuple[str, Any, str]] = [
    ("bnbusdt@aggTrade", {"e": "aggTrade", "E": AT, "s": "BNBUSDT", "a": 1, "p": "640.1", "q": "0.5", "f": 1, "l": 1,
                          "T": AT, "m": True, "st": 1}, "pq"),
    ("bnbusdt@trade", {"e": "trade", "E": AT, "T": AT, "s": "BNBUSDT", "t": 1, "p": "640.1", "q": "0.5",
                       "X": "MARKET", "m": True}, "pq"),
    ("bnbusdt@bookTicker", {"e": "bookTicker", "u": 1, "s": "BNBUSDT", "ps": "BNBUSDT", "b": "640.1", "B": "1",
                            "a": "640.2", "A": "2", "T": AT, "E": AT, "st": 1}, "bBaA"),
    ("bnbusdt@markPrice@1s", {"e": "markPriceUpdate", "E": AT, "s": "BNBUSDT", "p": "640.1", "i": "640", "r": "0.0001",
                              "T": AT, "st": 1}, "p"),
    ("bnbusdt@miniTicker", {"e": "24hrMiniTicker", "E": AT, "s": "BNBUSDT", "c": "1", "o": "2", "h": "3", "l": "4",
                            "v": "5", "q": "6", "st": 1}, "cohlvq"),
]  # fmt: skip
OF_BYBIT: list[tuple[dict[str, Any], str]] = [
    ({"topic": "publicTrade.BNBUSDT", "type": "snapshot", "ts": AT,
      "data": [{"T": AT, "s": "BNBUSDT", "S": "Buy", "v": "0.5", "p": "640.1", "i": "id"}]}, "vp"),
]  # fmt: skip


def books(kind: str, bids: list[list[str]], asks: list[list[str]]) -> tuple[str, str]:
    """The same book as each venue spells it."""
    depth = {"e": "depthUpdate", "E": AT, "T": AT, "s": "BNBUSDT", "ps": "BNBUSDT", "U": 1, "u": 2, "pu": 0,
             "b": bids, "a": asks, "st": 1}  # fmt: skip
    stream = "bnbusdt@depth" if kind == "delta" else "bnbusdt@depth5"
    orderbook = {"topic": "orderbook.50.BNBUSDT", "type": kind, "ts": AT,
                 "data": {"s": "BNBUSDT", "b": bids, "a": asks, "u": 2, "seq": 3}, "cts": AT}  # fmt: skip
    return text({"stream": stream, "data": depth}), text(orderbook)


def text(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))


def decode(venue: str, frame: str) -> Any:
    return venues.load(venue).session("market").on_frame(frame.encode(), 77)


def spoilt() -> Iterator[tuple[str, str, str]]:
    for bad in NO_NUMBERS:
        for stream, data, names in OF_BINANCE:
            for name in names:
                yield f"{stream} {name} {bad}", "binance", text({"stream": stream, "data": data | {name: bad}})
        for content, names in OF_BYBIT:
            for name in names:
                rows = [content["data"][0] | {name: bad}]
                yield f"{content['topic']} {name} {bad}", "bybit", text(content | {"data": rows})
        for kind in ("snapshot", "delta"):
            for at in (0, 1):
                worse = [LEVELS[0], [bad if at == 0 else "1", bad if at == 1 else "1"]]
                for bids, asks in ((worse, OFFERS), (LEVELS, worse)):
                    for venue, frame in zip(("binance", "bybit"), books(kind, bids, asks), strict=True):
                        yield f"{venue} {kind} {at} {bad}", venue, frame
                    frame = books(kind, bids, asks)[1].replace("orderbook.50", "orderbook.1")
                    yield f"bybit top {kind} {at} {bad}", "bybit", frame


def test_the_same_frames_are_read_where_they_are_whole() -> None:
    for stream, data, _ in OF_BINANCE:
        assert len(decode("binance", text({"stream": stream, "data": data}))) == 1
    for content, _ in OF_BYBIT:
        assert len(decode("bybit", text(content))) == 1
    for kind in ("snapshot", "delta"):
        for venue, frame in zip(("binance", "bybit"), books(kind, LEVELS, OFFERS), strict=True):
            (event,) = decode(venue, frame)
            assert (event.bid_text, event.ask_text) == tuple(
                tuple((price, quantity) for price, quantity in side) for side in (LEVELS, OFFERS)
            )


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_no_handler_hears_of_it_as_a_number_and_the_whole_text_is_handed_on_as_unknown(venue: str) -> None:
    incidents: list[Incident] = []
    frames = FramePath(ManualClock(), incidents.append)
    heard: list[Event] = []
    for kind in (Trade, BookTicker, BookDelta, Unknown):
        frames.on(kind, heard.append)
    speaker = Speaker(frames, venues.load(venue).session("market"), f"{venue}/market")
    of_venue = [frame for _, name, frame in spoilt() if name == venue]
    speaker.say(*(frame.encode() for frame in of_venue))
    assert [frame.decode() for frame in speaker.unreadable] == of_venue
    assert [type(event) for event in heard] == [Unknown] * len(of_venue)
    assert [event.raw for event in heard if isinstance(event, Unknown)] == of_venue
    assert [type(incident) for incident in incidents] == [FrameGarbled] * len(of_venue)


def test_a_bare_nan_beside_numbers_that_were_text_is_unreadable() -> None:
    frame = text({"topic": "kline.1.BNBUSDT", "type": "snapshot", "ts": AT, "data": [
        {"start": AT, "end": AT, "interval": "1", "open": 1, "close": 2, "high": 3, "low": 4, "volume": 5,
         "turnover": 6, "confirm": True}]})  # fmt: skip
    assert decode("bybit", frame)[0].close == 2
    with pytest.raises(Exception, match="NaN is no JSON"):
        decode("bybit", frame.replace('"close":2', '"close":NaN'))


# --- REST -----------------------------------------------------------------------------------------------------------


def candle(bad: str) -> list[Any]:
    return [AT, "1", "2", "3", bad, "5", AT + 59_999, "6", 7, "8", "9", "0"]


def replies(bad: str) -> Iterator[tuple[str, Call[Any], Any]]:
    binance, bybit = venues.load("binance"), venues.load("bybit")
    row = {"symbol": "BNBUSDT", "time": str(AT), "execId": "e", "price": bad, "size": "1", "side": "Buy"}
    yield "bybit", bybit.recent_trades("BNBUSDT", 1), {"list": [row]}
    levels = {"s": "BNBUSDT", "b": [["1", "2"]], "a": [["2", bad]], "u": 1, "ts": AT}
    yield "bybit", bybit.book_snapshot("BNBUSDT", 50), levels
    ticker = {"symbol": "BNBUSDT", "lastPrice": bad, "markPrice": bad}
    yield "bybit", bybit.tickers("BNBUSDT"), {"list": [ticker]}
    yield "bybit", bybit.mark_prices("BNBUSDT"), {"list": [ticker]}
    candles = bybit.klines("BNBUSDT", "1m", None, None, PriceKind.LAST)
    yield "bybit", candles, {"list": [[str(AT), "1", "2", "3", bad, "5", "6"]]}
    trade = {"id": 1, "price": bad, "qty": "1", "quoteQty": "1", "time": AT, "isBuyerMaker": True}
    yield "binance", binance.recent_trades("BNBUSDT", 1), [trade]
    depth = {"lastUpdateId": 1, "E": AT, "T": AT, "bids": [["1", "2"]], "asks": [["2", bad]]}
    yield "binance", binance.book_snapshot("BNBUSDT", 5), depth
    index = {"symbol": "BNBUSDT", "markPrice": bad, "time": AT}
    yield "binance", binance.mark_prices("BNBUSDT"), index


def read(venue: str, call: Call[Any], result: Any) -> Any:
    body = text({"retCode": 0, "retMsg": "OK", "result": result, "time": AT} if venue == "bybit" else result)
    reply = HttpReply(status=200, headers={}, body=body.encode())
    return call.translate(venues.load(venue).decode(call.endpoint, reply))


@pytest.mark.parametrize("bad", NO_NUMBERS)
@pytest.mark.parametrize("at", range(8))
def test_a_reply_with_no_number_where_one_must_be_is_garbled(at: int, bad: str) -> None:
    venue, call, result = list(replies(bad))[at]
    with pytest.raises(Garbled):
        read(venue, call, result)


def test_replies_with_numbers_are_read() -> None:
    for venue, call, result in replies("3.5"):
        assert "3.5" in str(read(venue, call, result))

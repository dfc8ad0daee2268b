"""A frame's stream is known again by how the frame begins. Whatever the name, its length and the order of coming, the
second frame is read as the first one was, and no frame for another's."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from perpwire import venues
from perpwire.model.market import AggTrade, Trade

AT = 1790000000100
SYMBOLS = ("A", "1", "OP", "BTCUSDT", "BTCUSDC", "1000000MOGUSDT", "X" * 17, "X" * 18, "X" * 19, "X" * 20, "X" * 24,
           "X" * 25, "X" * 26, "X" * 60, "X" * 61)  # fmt: skip


def binance(symbol: str, number: int) -> tuple[str, bytes]:
    topic = f"{symbol.lower()}@aggTrade"
    data = {"e": "aggTrade", "E": AT, "s": symbol, "a": number, "p": str(number), "q": "2", "f": 1, "l": 1, "T": AT,
            "m": True}  # fmt: skip
    return topic, json.dumps({"stream": topic, "data": data}, separators=(",", ":")).encode()


def bybit(symbol: str, number: int) -> tuple[str, bytes]:
    topic = f"publicTrade.{symbol}"
    data = [{"T": AT, "s": symbol, "S": "Buy", "v": "2", "p": str(number), "i": str(number)}]
    frame: dict[str, Any] = {"topic": topic, "type": "snapshot", "ts": AT, "data": data}
    return topic, json.dumps(frame, separators=(",", ":")).encode()


MAKERS = {"binance": binance, "bybit": bybit}


@pytest.mark.parametrize("venue", MAKERS)
def test_every_name_is_read_alike_the_first_and_every_other_time(venue: str) -> None:
    session, rng = venues.load(venue).session("market"), random.Random(7)
    for number in range(1, 400):
        symbol = rng.choice(SYMBOLS)
        topic, frame = MAKERS[venue](symbol, number)
        (trade,) = session.on_frame(frame, number) or ()
        assert isinstance(trade, Trade)
        assert (trade.symbol, str(trade.trade_id), int(trade.price)) == (symbol, str(number), number)
        assert trade.received_ns == number == session.heard_ns(topic)


@pytest.mark.parametrize("venue", MAKERS)
def test_what_is_no_longer_of_interest_is_not_read_although_it_was_known_and_the_other_way_round(venue: str) -> None:
    session = venues.load(venue).session("market")
    topic, frame = MAKERS[venue]("BTCUSDT", 1)
    for _ in range(2):
        assert len(session.on_frame(frame, 1) or ()) == 1
        assert len(session.on_frame(frame, 1) or ()) == 1
        session.ignore(topic)
        assert session.on_frame(frame, 1) == ()
        assert session.on_frame(frame, 2) == ()
        assert session.heard_ns(topic) == 2
        session.heed(topic)


def test_a_payload_with_more_beside_it_is_read_whole_although_its_head_is_known() -> None:
    session = venues.load("binance").session("market")
    _, frame = binance("BTCUSDT", 1)
    assert len(session.on_frame(frame, 1) or ()) == 1
    (trade,) = session.on_frame(frame[:-1] + b',"more":1}', 2) or ()
    assert isinstance(trade, AggTrade)


def test_names_without_an_end_take_no_more_memory_than_so_many() -> None:
    for venue, make in MAKERS.items():
        session: Any = venues.load(venue).session("market")
        for number in range(9000):
            session.on_frame(make(f"S{number}", 1)[1], 1)
        assert len(session._by_head) <= 4096

"""ENUM: whatever a venue adds to its messages, or writes otherwise, none of them is dropped."""

from __future__ import annotations

import json
import re
from collections import Counter
from random import Random
from typing import Any

import pytest
from tests.criteria.streamed import VENUES, played
from tests.sizes import size
from tests.speaker import Speaker

from perpwire import venues
from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.topic_uses import BY_NAME, Use
from perpwire.clock import ManualClock
from perpwire.model.incident import FrameGarbled, Incident, UnknownSeen
from perpwire.model.market import Event, Unknown
from perpwire.model.order import Fill, Order, OrderStatus
from perpwire.notification.rules import Rules
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import CorruptMessage, Liquidate, Throttle
from perpwire.testing import offline

IDENTITY = {"aid", "s", "symbol", "i", "orderId", "t", "execId", "a", "S", "side", "stream", "topic", "e", "data"}
"""Without these nobody knows what a message is about; nor without the side of a trade."""

NEEDED = IDENTITY | {
    "qty", "execTime",
    "o", "p", "q", "b", "B", "A", "u", "U", "T", "E", "ts", "type", "k", "c", "h", "l", "L", "x", "X", "P", "pa",
    "wb", "v", "m", "execPrice", "execQty", "execType", "orderStatus", "orderType", "size", "entryPrice", "coin",
    "walletBalance", "seq", "start", "end", "interval", "open", "close", "high", "low", "volume", "turnover",
    "confirm", "buyLmt", "sellLmt", "n", "positionIdx", "pr", "adl_tt", "adl_sr", "i_pr", "balance", "symbols",
    "updateTime", "f", "ct", "ps", "cs", "pu",
}  # fmt: skip
"""What the venues always say, and the model has no word for the lack of."""

ENUMS = {"x", "X", "o", "f", "orderStatus", "orderType", "timeInForce", "execType", "cs", "mt", "wt", "stopOrderType"}
PER_VENUE = size(50_000, 5_000)


def messages(venue: str) -> list[bytes]:
    """What the embedded exchange says on public and private streams, some of each kind."""
    clock = ManualClock()

    async def main() -> list[bytes]:
        async with offline(clock=clock, venues=[venue], rate=20.0) as world:
            connector = world.connectors[venue]
            await connector.open_account_stream()
            parse = venues.load(venue).parse_topic
            for name in PUBLIC[venue]:
                await connector.streams.subscribe(connector.venue, connector._hosts, [Use(BY_NAME, parse(name))])
            for side in ("BUY", "SELL", "BUY"):
                await connector.place_order("BTCUSDT", side, "0.5")
            await connector.place_order(
                "BTCUSDT", "SELL", "0.1", "STOP_MARKET", trigger_price="50000", reduce_only=True, client_order_id="stop"
            )
            world.simulation.faults[venue].add(Liquidate(symbol="BTCUSDT", after_s=3.0))
            await clock.sleep(20)
            entries = [one for one in world.simulation.journal[venue].entries(kind="sent") if one.topic]
            kept: Counter[str] = Counter()
            found = []
            for entry in entries:
                kept[entry.topic] += 1
                if kept[entry.topic] <= 12:
                    found.append(entry.text.encode())
            return found

    return clock.run(main())


PUBLIC = {
    "binance": ["btcusdt@aggTrade", "btcusdt@bookTicker", "btcusdt@depth@100ms", "btcusdt@markPrice@1s",
                "btcusdt@kline_1m", "btcusdt@ticker", "!miniTicker@arr", "btcusdt@forceOrder"],
    "bybit": ["publicTrade.BTCUSDT", "orderbook.50.BTCUSDT", "orderbook.1.BTCUSDT", "kline.1.BTCUSDT",
              "allLiquidation.BTCUSDT", "priceLimit.BTCUSDT"],
}  # fmt: skip


def mutated(value: Any, random: Random) -> Any:
    """Fields added, words replaced, numbers written otherwise, what is not needed left out, another symbol."""
    if isinstance(value, list):
        return [mutated(one, random) for one in value]
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for name, one in value.items():
        dice = random.random()
        if dice < 0.05 and name not in NEEDED:
            continue
        if dice < 0.10 and name in ENUMS and isinstance(one, str) and not _is_number(one):
            made[name] = f"NEW_{random.randint(1, 3)}"
        elif dice < 0.15 and isinstance(one, int) and not isinstance(one, bool):
            made[name] = str(one)
        elif dice < 0.20 and isinstance(one, str) and _is_number(one):
            made[name] = _Number(one)
        elif dice < 0.25 and name in ("s", "symbol"):
            made[name] = "币安人生USDT"
        else:
            made[name] = mutated(one, random)
        if random.random() < 0.05:
            made[f"new{random.randint(1, 9)}"] = random.choice((None, 1, "text", {"deep": [1]}, [], True))
    return made


class _Number(str):
    """To be written without quotes."""


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", text) is not None


def encoded(value: Any) -> bytes:
    """JSON in which _Number stands without quotes."""
    if isinstance(value, dict):
        return b"{" + b",".join(json.dumps(k).encode() + b":" + encoded(v) for k, v in value.items()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(encoded, value)) + b"]"
    if isinstance(value, _Number):
        return value.encode()
    return json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_enum_1_of_tens_of_thousands_of_messages_with_new_words_and_fields_none_is_dropped(venue: str) -> None:
    random = Random(43)
    base = [json.loads(one) for one in messages(venue)]
    assert len(base) > 80
    incidents: list[Incident] = []
    delivered: list[Event] = []
    frames = FramePath(ManualClock(), incidents.append)
    frames.on(Event, delivered.append)
    kinds: Counter[str] = Counter()
    speakers = {
        route: Speaker(frames, venues.load(venue).session(route), f"{venue}/{route}") for route in ("public", "private")
    }
    for _ in range(PER_VENUE):
        message = random.choice(base)
        frame = encoded(mutated(message, random))
        delivered.clear()
        speakers[_route(venue, message)].say(frame)
        assert delivered or _says_nothing(message), frame
        kinds.update(type(event).__name__ for event in delivered)
    garbled = [one for one in incidents if isinstance(one, FrameGarbled)]
    # What can't be read in spite of all is handed on whole, and counted; here nothing is.
    assert {re.sub(r"\\W+", " ", one.detail) for one in garbled} == set()
    assert kinds["Order"] > size(1000, 100)
    assert kinds["Fill"] > size(200, 20)


def _route(venue: str, message: dict[str, Any]) -> str:
    topic = message.get("topic", "").partition(".")[0]
    is_private = topic in ("order", "execution", "position", "wallet") if venue == "bybit" else "stream" not in message
    return "private" if is_private else "public"


def _says_nothing(message: dict[str, Any]) -> bool:
    """A funding payment, an empty list, a book's change before the book, a message without what it is about."""
    data = message.get("data", message)
    return not data or message.get("topic", "").startswith(("orderbook.1.", "execution", "tickers."))


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_enum_1_a_new_word_is_delivered_with_its_text_told_once_and_alerted_once(venue: str) -> None:
    """A kind of execution, and a status, that nobody knows: the fill counts, and the order is open until asked for."""

    async def scenario(run: Run) -> None:
        fills: list[Fill] = []
        orders: list[Order] = []
        run.connector.on(Fill, fills.append)
        run.connector.on(Order, orders.append)
        await run.follow()
        old, new = {
            "binance": ('"x":"TRADE"', '"x":"NEW_ENUM_X"'),
            "bybit": ('"execType":"Trade"', '"execType":"NEW_ENUM_X"'),
        }[venue]
        run.fault(CorruptMessage(of="private", contains=old, how="replace", text=new, count=2))
        for _ in range(3):
            await run.place("BTCUSDT", "BUY", "0.01")
            await run.clock.sleep(1)
        known, odd = {"binance": ('"X":"NEW"', '"X":"HALF"'), "bybit": ('"orderStatus":"New"', '"orderStatus":"Half"')}[
            venue
        ]
        run.fault(CorruptMessage(of="private", contains=known, how="replace", text=odd, count=1))
        await run.place("BTCUSDT", "BUY", "0.01", order_type="LIMIT", price="50000")
        await run.clock.sleep(3)
        run.check(
            len({fill.order_id for fill in fills}) == 3, f"fills of {len({one.order_id for one in fills})} orders"
        )
        marked = [fill.unknown_words for fill in fills if fill.unknown_words]
        run.check(set(marked) == {("execution NEW_ENUM_X",)}, f"marked: {marked}")
        run.check(any(one.status is OrderStatus.UNKNOWN for one in orders), "no order of an unknown status was told")
        told = [one for one in run.incidents if isinstance(one, UnknownSeen)]
        run.check(len(told) == 2, f"told: {told}")
        run.check(all(Rules().alert(one) is not None for one in told), "a new word is no alert")

    problems = played(scenario, venue, rate=0.5).problems
    assert [one for one in problems if "open orders" not in one and "sent" not in one] == []


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_enum_1_a_new_word_on_a_fill_that_was_read_before_the_stream_told_of_it_is_told_once(venue: str) -> None:
    """The fill counts once, and what was read does not bear the word."""

    async def scenario(run: Run) -> None:
        fills: list[Fill] = []
        run.connector.on(Fill, fills.append)
        await run.follow()
        old, new = {
            "binance": ('"x":"TRADE"', '"x":"NEW_ENUM_X"'),
            "bybit": ('"execType":"Trade"', '"execType":"NEW_ENUM_X"'),
        }[venue]
        run.fault(CorruptMessage(of="private", contains=old, how="replace", text=new))
        run.fault(Throttle(route="private", bytes_per_s=150.0, seconds=6.0))
        await run.place("BTCUSDT", "BUY", "0.01")
        connection = next(name for name in run.connector.states if "private" in name)
        run.connector.streams.frames.garbled(connection, ValueError("so that all is read back"))
        await run.clock.sleep(30)
        run.check([(one.recovered, one.unknown_words) for one in fills] == [(True, ())], f"fills: {fills}")
        told = [(one.where, one.word) for one in run.incidents if isinstance(one, UnknownSeen)]
        run.check(told == [("Fill.execution", "NEW_ENUM_X")], f"told: {told}")

    assert played(scenario, venue, rate=0.5).problems == []


def test_enum_1_a_message_of_a_kind_that_nobody_knows_is_delivered_whole() -> None:
    delivered: list[Unknown] = []
    frames = FramePath(ManualClock(), lambda incident: None)
    frames.on(Unknown, delivered.append)
    for venue, route, frame in (
        ("binance", "private", b'{"e":"NEW_THING","x":1.50}'),
        ("bybit", "public", b'{"topic":"new.thing","data":1.50}'),
        ("binance", "public", b'{"e":"aggTrade","p":"1"}'),
    ):
        Speaker(frames, venues.load(venue).session(route), f"{venue}/{route}").say(frame)
    assert [(one.venue, one.name, one.raw) for one in delivered] == [
        ("binance", "NEW_THING", '{"e":"NEW_THING","x":1.50}'),
        ("bybit", "new", '{"topic":"new.thing","data":1.50}'),
        ("binance", "", '{"e":"aggTrade","p":"1"}'),
    ]

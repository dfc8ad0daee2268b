"""Is what the connector delivered what the exchange sent? Event for event, digit for digit.

The exchange's journal holds every frame as text. It is read here by plain json and by the venues' documented field
names, not by the connector's decoders, so that a decoder which loses or changes something is found out.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from perpwire.model.account import Balance, Position
from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, Level, MarkPrice, Trade
from perpwire.model.order import Fill, Order

Stream = tuple[str, str]
"""Kind of event and symbol (for balances, the asset)."""

Key = tuple[Any, ...]
"""The numbers of one event as text."""


MADE_UP = "algo-"
"""Binance tells a conditional order and what it became as two, and the connector as one: such orders are compared by
their fills, which bear the one's id."""


class Delivered:
    """Collects what a connector's handlers got, by stream, in order."""

    def __init__(self) -> None:
        self.by_stream: dict[Stream, list[Key]] = defaultdict(list)
        self.count = 0

    def on_event(self, event: Event) -> None:
        if isinstance(event, Order) and event.order_id.startswith(MADE_UP):
            return
        if event.received_ns:  # what was read back over REST after a loss never was on a stream
            stream, key = key_of(event)
            self.by_stream[stream].append(key)
            self.count += 1


def key_of(event: Event) -> tuple[Stream, Key]:
    """An event's stream and numbers."""
    match event:
        case BookTicker():
            key: Key = (event.update_id, *map(_text, (event.bid_price, event.bid_quantity, event.ask_price,
                                                     event.ask_quantity)))  # fmt: skip
        case Trade():
            key = (str(event.trade_id), _text(event.price), _text(event.quantity), event.buyer_is_maker)
        case BookDelta() | BookSnapshot():
            key = (event.update_id, _levels(event.bids), _levels(event.asks))
        case MarkPrice():
            key = (_text(event.mark_price), _text(event.index_price), _text(event.funding_rate))
        case Order():
            key = (event.order_id, event.client_order_id, _text(event.quantity), _text(event.filled_quantity))
        case Fill():
            key = (event.trade_id, event.order_id, _text(event.price), _text(event.quantity), _text(event.fee))
        case Position():
            key = (_text(event.quantity), _text(event.entry_price))
        case Balance():
            return ("Balance", event.asset), (_text(event.wallet),)
        case _:
            raise TypeError(f"no key for {type(event).__name__}")
    return (next(kind.__name__ for kind in KINDS if isinstance(event, kind)), event.symbol), key


KINDS = (BookTicker, Trade, BookDelta, BookSnapshot, MarkPrice, Order, Fill, Position, Balance)


def _text(number: Decimal | None) -> str | None:
    return None if number is None else format(number, "f")


def _levels(levels: Iterable[Level]) -> tuple[tuple[str, str], ...]:
    return tuple((format(price, "f"), format(quantity, "f")) for price, quantity in levels)


def sent(venue: str, frames: Iterable[tuple[str, str]]) -> dict[Stream, list[Key]]:
    """What a venue's journal says was sent: (connection, frame text) in order -> keys by stream."""
    read = _READERS[venue]()
    by_stream: dict[Stream, list[Key]] = defaultdict(list)
    for connection, text in frames:
        for stream, key in read(connection, json.loads(text)):
            by_stream[stream].append(key)
    return by_stream


def sent_once(venue: str, frames: Iterable[tuple[str, str]]) -> dict[Stream, list[Key]]:
    """As `sent`, but what several connections say side by side counts once. An empty frame: it was opened."""
    read = _READERS[venue]()
    by_stream: dict[Stream, list[Key]] = defaultdict(list)
    began: dict[str, dict[Stream, int]] = defaultdict(dict)
    places: dict[tuple[str, Stream], int] = {}
    for connection, text in frames:
        if not text:
            began[connection] = {stream: len(keys) for stream, keys in by_stream.items()}
            continue
        for stream, key in read(connection, json.loads(text)):
            said = by_stream[stream]
            place = places.get((connection, stream), began[connection].get(stream, 0))
            try:
                places[connection, stream] = said.index(key, place) + 1
            except ValueError:
                said.append(key)
                places[connection, stream] = len(said)
    return by_stream


def differences(journal: dict[Stream, list[Key]], delivered: dict[Stream, list[Key]]) -> list[str]:
    """One line for each stream that is not equal, as far as the journal goes; empty when all are."""
    found = []
    for stream, expected in journal.items():
        got = delivered.get(stream, [])[: len(expected)]
        if got != expected:
            at = next((n for n, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b), len(got))
            wanted = expected[at] if at < len(expected) else None
            had = got[at] if at < len(got) else None
            found.append(f"{' '.join(stream)}: {len(expected)} sent, event {at} differs: sent {wanted}, got {had}")
    extra = [stream for stream, keys in delivered.items() if keys and stream not in journal]
    return found + [f"{' '.join(stream)}: delivered but never sent" for stream in extra]


Found = Iterable[tuple[Stream, Key]]
Reader = Callable[[str, Any], Found]


PARTIAL = re.compile(r"@depth\d")
"""In the names of partial books."""


def _binance() -> Reader:
    def pairs(levels: list[list[str]]) -> tuple[tuple[str, str], ...]:
        return tuple((price, quantity) for price, quantity in levels)

    parents: dict[str, str] = {}

    def read(_connection: str, frame: Any) -> Found:
        data = frame.get("data", frame)
        if isinstance(data, list):  # a stream of the whole market
            for row in data:
                yield from read(_connection, row)
            return
        symbol = data.get("s", "")
        match data.get("e"):
            case "depthUpdate" if PARTIAL.search(frame.get("stream", "")):
                yield ("BookSnapshot", symbol), (data["u"], pairs(data["b"]), pairs(data["a"]))
            case "bookTicker":
                yield ("BookTicker", symbol), (data["u"], data["b"], data["B"], data["a"], data["A"])
            case "aggTrade":
                yield ("Trade", symbol), (str(data["a"]), data["p"], data["q"], data["m"])
            case "depthUpdate":
                yield ("BookDelta", symbol), (data["u"], pairs(data["b"]), pairs(data["a"]))
            case "markPriceUpdate":
                yield ("MarkPrice", symbol), (data["p"], data.get("i") or None, data["r"] or None)
            case "ORDER_TRADE_UPDATE":
                order = data["o"]
                order_id = parents.get(str(order["i"]), str(order["i"]))
                if not order_id.startswith(MADE_UP):
                    yield ("Order", order["s"]), (order_id, order["c"], order["q"], order["z"])
                if order["x"] in ("TRADE", "CALCULATED") and Decimal(order["l"]):
                    fill = (str(order["t"]), order_id, order["L"], order["l"], order.get("n"))
                    yield ("Fill", order["s"]), fill
            case "ALGO_UPDATE":
                if data["o"]["ai"]:
                    parents[data["o"]["ai"]] = f"{MADE_UP}{data['o']['aid']}"
            case "ACCOUNT_UPDATE":
                for row in data["a"]["B"]:
                    yield ("Balance", row["a"]), (row["wb"],)
                for row in data["a"]["P"]:
                    entry = row["ep"] if Decimal(row["ep"]) else None
                    yield ("Position", row["s"]), (row["pa"], entry)

    return read


BOOKS_ONLY = ("Funding", "Settle", "SessionSettlePnL", "Delivery")
"""Executions that trade nothing: cash is booked. The venue's words, written down here once more, as all else here."""


def _bybit() -> Reader:
    tickers: dict[tuple[str, str], dict[str, str]] = {}

    def read(connection: str, frame: Any) -> Found:
        topic, _, rest = frame.get("topic", "").partition(".")
        data = frame.get("data")
        match topic:
            case "orderbook" if rest.startswith("1."):
                (bid, bid_quantity), (ask, ask_quantity) = (data[side][0] for side in "ba")
                yield ("BookTicker", data["s"]), (data["u"], bid, bid_quantity, ask, ask_quantity)
            case "orderbook":
                kind = "BookSnapshot" if frame["type"] == "snapshot" else "BookDelta"
                levels = (tuple(map(tuple, data[side])) for side in "ba")
                yield (kind, data["s"]), (data["u"], *levels)
            case "publicTrade":
                for trade in data:
                    yield ("Trade", trade["s"]), (trade["i"], trade["p"], trade["v"], trade["S"] == "Sell")
            case "tickers":
                merged = tickers.setdefault((connection, data["symbol"]), {})
                merged.update(data)
                if {"markPrice", "indexPrice", "fundingRate", "nextFundingTime"} & data.keys():
                    yield (
                        ("MarkPrice", data["symbol"]),
                        (merged["markPrice"], merged.get("indexPrice"), merged.get("fundingRate") or None),
                    )
            case "order":
                for order in data:
                    yield (
                        ("Order", order["symbol"]),
                        (order["orderId"], order["orderLinkId"], order["qty"], order["cumExecQty"]),
                    )
            case "execution":
                for fill in data:
                    if fill["execType"] in BOOKS_ONLY:
                        continue
                    numbers = (fill["execPrice"], fill["execQty"], fill["execFee"])
                    yield ("Fill", fill["symbol"]), (fill["execId"], fill["orderId"], *numbers)
            case "position":
                for row in data:
                    size = "-" + row["size"] if row["side"] == "Sell" else row["size"]
                    entry = row["entryPrice"] if Decimal(row["entryPrice"] or 0) else None
                    yield ("Position", row["symbol"]), (size, entry)
            case "wallet":
                for account in data:
                    for coin in account["coin"]:
                        yield ("Balance", coin["coin"]), (coin["walletBalance"],)

    return read


_READERS: dict[str, Callable[[], Reader]] = {"binance": _binance, "bybit": _bybit}

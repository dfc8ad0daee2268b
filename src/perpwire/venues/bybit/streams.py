"""THE HOT PATH of this venue: one frame, from bytes to model events.

A frame is decoded once, with the decoder of its topic. The topic is cut from the front of the frame, where the venue
puts it; a frame that starts otherwise is asked for its topic first. Source: docs/v5/websocket, as of 2026-07-24.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial

import msgspec
from msgspec import UNSET
from msgspec.structs import force_setattr

from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, Level, MarkPrice, Trade
from perpwire.venues.base import Topic
from perpwire.venues.bybit import translate, translate_account, translate_orders, wire, wire_streams

NAME = translate.NAME
PUBLIC, PRIVATE = "public", "private"

Decode = Callable[[bytes, int], Sequence[Event]]
"""Frame and its arrival time -> events."""

_PREFIX = b'{"topic":"'
_TOPIC_AT = len(_PREFIX)


class _Head(msgspec.Struct):
    topic: wire.Text = None


_read_head = msgspec.json.Decoder(_Head).decode
_read_trades = msgspec.json.Decoder(wire_streams.TradeFrame[Decimal]).decode
_read_book = msgspec.json.Decoder(wire_streams.BookFrame[str]).decode
_read_top = msgspec.json.Decoder(wire_streams.BookFrame[Decimal]).decode
_read_mark = msgspec.json.Decoder(wire_streams.TickerFrame[wire_streams.Mark]).decode
_read_orders = msgspec.json.Decoder(wire_streams.PrivateFrame[wire.OrderPush]).decode
_read_executions = msgspec.json.Decoder(wire_streams.PrivateFrame[wire.ExecutionPush]).decode
_read_positions = msgspec.json.Decoder(wire_streams.PrivateFrame[wire.PositionPush]).decode
_read_wallets = msgspec.json.Decoder(wire_streams.PrivateFrame[wire.Wallet]).decode


class _Heard:
    """A topic: its decoder, and when it spoke last."""

    __slots__ = ("at_ns", "decode")

    def __init__(self, decode: Decode) -> None:
        self.decode = decode
        self.at_ns = 0


class StreamDecoder:
    """Decodes the frames of one connection; holds what deltas build on (tickers), so it is made anew for each."""

    def __init__(self) -> None:
        self._by_topic: dict[bytes, _Heard] = {}

    def heard_ns(self, topic: str) -> int:
        heard = self._by_topic.get(topic.encode())
        return 0 if heard is None else heard.at_ns

    def ignore(self, topic: str) -> None:
        self._by_topic[topic.encode()] = _Heard(_of_no_interest)

    def heed(self, topic: str) -> None:
        self._by_topic.pop(topic.encode(), None)

    def topic_of(self, frame: bytes) -> str:
        if frame.startswith(_PREFIX):
            return frame[_TOPIC_AT : frame.index(b'"', _TOPIC_AT)].decode()
        return _read_head(frame).topic or ""

    def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None:
        """The frame's events, () where its topic is of no interest, None where it has no topic.

        Raises:
            msgspec.DecodeError, ValueError: Unreadable.
        """
        if frame.startswith(_PREFIX):
            topic = frame[_TOPIC_AT : frame.index(b'"', _TOPIC_AT)]
        else:
            named = _read_head(frame).topic
            if named is None:
                return None
            topic = named.encode()
        heard = self._by_topic.get(topic)
        if heard is None:
            heard = self._by_topic[topic] = _Heard(_decoder_of(topic) or _of_no_interest)
        heard.at_ns = received_ns
        return heard.decode(frame, received_ns)


def _of_no_interest(frame: bytes, received_ns: int) -> Sequence[Event]:
    _read_head(frame)  # but it must be whole
    return ()


def _decoder_of(topic: bytes) -> Decode | None:
    """A fresh decoder for one topic; those of tickers and of the best prices remember what was said before."""
    family, _, rest = topic.partition(b".")
    if family == b"orderbook":
        depth = rest.partition(b".")[0]
        if depth == b"1":
            return _TopOfBook().decode
        return partial(_book, topic.decode()) if depth.isdigit() else None
    if family == b"tickers":
        return _MergedMark().decode
    return _DECODERS.get(family)


# --- public -------------------------------------------------------------------------------------------------------


def _trades(frame: bytes, received_ns: int) -> Sequence[Event]:
    return [
        Trade(
            venue=NAME,
            symbol=row.s,
            venue_time_ms=row.T,
            received_ns=received_ns,
            trade_id=row.i,
            price=row.p,
            quantity=row.v,
            buyer_is_maker=row.S == "Sell",  # S is the taker's side
        )
        for row in _read_trades(frame).data
    ]


def _book(topic: str, frame: bytes, received_ns: int) -> Sequence[Event]:
    read = _read_book(frame)
    data = read.data
    if read.type == "delta":
        return (
            BookDelta(
                venue=NAME,
                symbol=data.s,
                venue_time_ms=read.cts or read.ts,
                received_ns=received_ns,
                bid_text=data.b,
                ask_text=data.a,
                first_update_id=data.u,
                update_id=data.u,
                sequence=data.seq,
                stream=topic,
            ),
        )
    return (
        BookSnapshot(
            venue=NAME,
            symbol=data.s,
            venue_time_ms=read.cts or read.ts,
            received_ns=received_ns,
            bid_text=data.b,
            ask_text=data.a,
            update_id=data.u,
            sequence=data.seq,
            stream=topic,
        ),
    )


_EMPTY: Level = (Decimal(0), Decimal(0))


class _TopOfBook:
    """orderbook.1: every frame is a whole snapshot since 2025-03-20; deltas, as sent before, are merged."""

    def __init__(self) -> None:
        self._bid: Level | None = None
        self._ask: Level | None = None

    def decode(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        read = _read_top(frame)
        data = read.data
        if read.type == "snapshot":
            bid = self._bid = data.b[0] if data.b else _EMPTY
            ask = self._ask = data.a[0] if data.a else _EMPTY
        else:
            self._bid, self._ask = _changed(self._bid, data.b), _changed(self._ask, data.a)
            if self._bid is None or self._ask is None:
                return ()  # the snapshot has not come yet
            bid, ask = self._bid, self._ask
        return (
            BookTicker(
                venue=NAME,
                symbol=data.s,
                venue_time_ms=read.cts or read.ts,
                received_ns=received_ns,
                bid_price=bid[0],
                bid_quantity=bid[1],
                ask_price=ask[0],
                ask_quantity=ask[1],
                update_id=data.u,
            ),
        )


def _changed(best: Level | None, levels: tuple[Level, ...]) -> Level | None:
    for level in levels:
        if level[1]:
            best = level
        elif best is not None and best[0] == level[0]:
            best = _EMPTY
    return best


class _MergedMark:
    """tickers: a snapshot states everything, a delta only what changed."""

    def __init__(self) -> None:
        self._mark_price: Decimal | None = None
        self._index_price: Decimal | None = None
        self._funding_rate: Decimal | None = None
        self._next_funding_time_ms: int | None = None

    def decode(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        read = _read_mark(frame)
        said = read.data
        if read.type == "snapshot":
            self._mark_price = self._index_price = self._funding_rate = self._next_funding_time_ms = None
        elif (
            said.markPrice is UNSET
            and said.indexPrice is UNSET
            and said.fundingRate is UNSET
            and said.nextFundingTime is UNSET
        ):
            return ()
        if said.markPrice is not UNSET:
            self._mark_price = translate.positive(said.markPrice)
        if said.indexPrice is not UNSET:
            self._index_price = translate.positive(said.indexPrice)
        if said.fundingRate is not UNSET:
            self._funding_rate = translate.optional(said.fundingRate)
        if said.nextFundingTime is not UNSET:
            self._next_funding_time_ms = translate.milliseconds(said.nextFundingTime) or None
        if self._mark_price is None:
            return ()
        return (
            MarkPrice(
                venue=NAME,
                symbol=said.symbol,
                venue_time_ms=read.ts,
                received_ns=received_ns,
                mark_price=self._mark_price,
                index_price=self._index_price,
                funding_rate=self._funding_rate,
                next_funding_time_ms=self._next_funding_time_ms,
            ),
        )


# --- private ------------------------------------------------------------------------------------------------------


def _orders(frame: bytes, received_ns: int) -> Sequence[Event]:
    return _received([translate_orders.order(row) for row in _read_orders(frame).data], received_ns)


def _executions(frame: bytes, received_ns: int) -> Sequence[Event]:
    # execution.fast sends fewer fields and only trades, so an absent execType counts as one.
    fills = [translate_orders.fill(row) for row in _read_executions(frame).data]
    return _received([one for one in fills if one is not None], received_ns)


def _positions(frame: bytes, received_ns: int) -> Sequence[Event]:
    return _received([translate_account.position(row) for row in _read_positions(frame).data], received_ns)


def _wallets(frame: bytes, received_ns: int) -> Sequence[Event]:
    read = _read_wallets(frame)
    return _received(
        [translate_account.balance(coin, read.creationTime) for wallet in read.data for coin in wallet.coin or ()],
        received_ns,
    )


def _received(events: Sequence[Event], received_ns: int) -> Sequence[Event]:
    for event in events:
        # Frozen for users; these were made a moment ago and nobody has seen them.
        force_setattr(event, "received_ns", received_ns)
    return events


_DECODERS: dict[bytes, Decode] = {
    b"publicTrade": _trades,
    b"order": _orders,
    b"execution": _executions,
    b"position": _positions,
    b"wallet": _wallets,
}

# --- topic names --------------------------------------------------------------------------------------------------

TOPICS: dict[type[Event], str] = {
    Trade: "publicTrade.",
    BookTicker: "orderbook.1.",
    BookSnapshot: "orderbook.50.",
    BookDelta: "orderbook.50.",
    MarkPrice: "tickers.",
}
"""Event -> the public topic without its symbol."""

PUBLIC_FAMILIES = frozenset(
    {"publicTrade", "orderbook", "tickers", "kline", "allLiquidation", "priceLimit", "adlAlert", "insurance"}
)
PRIVATE_FAMILIES = frozenset({"order", "execution", "position", "wallet", "greeks", "dcp"})

PRIVATE_TOPICS = tuple(
    Topic(PRIVATE, name) for name in ("order.linear", "execution.linear", "position.linear", "wallet")
)
"""In this order, since an order may fill at any moment. The forms with a category leave out spot and options."""


def parse_topic(name: str) -> Topic | None:
    """A native topic name with its route; None where the venue has no such family of topics."""
    family, _, rest = name.partition(".")
    if family in PUBLIC_FAMILIES and rest:
        return Topic(PUBLIC, name)
    return Topic(PRIVATE, name) if family in PRIVATE_FAMILIES else None


BOOK_DEPTHS = (50, 200, 1000)
"""Of streams of books; orderbook.1 is the top of book."""


def symbol_topic(event: type[Event], symbol: str, levels: int | None = None) -> Topic | None:
    """
    Args:
        levels: At least so many a side, of a book; None where there is no stream of so many.
    """
    start = TOPICS.get(event)
    if levels is not None and event in (BookDelta, BookSnapshot):
        depth = next((depth for depth in BOOK_DEPTHS if depth >= levels > 0), None)
        start = None if depth is None else f"orderbook.{depth}."
    return None if start is None else Topic(PUBLIC, f"{start}{symbol}")

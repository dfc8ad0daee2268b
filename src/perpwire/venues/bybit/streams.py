"""THE HOT PATH of this venue: one frame, from bytes to model events.

A frame is decoded once, with the decoder of its topic. The topic is cut from the front of the frame, where the venue
puts it; a frame that starts otherwise is asked for its topic first. Source: docs/v5/websocket, as of 2026-07-24.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

import msgspec
from msgspec import field
from msgspec.structs import force_setattr

from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, Level, Trade, Unknown
from perpwire.venues.bybit import (
    translate,
    translate_account,
    translate_orders,
    translate_streams,
    wire,
    wire_streams,
)
from perpwire.venues.bybit.ticker_stream import MergedTicker, can_be_merged
from perpwire.venues.finite import Amount, check_levels, not_finite
from perpwire.venues.lenient import with_text_numbers

NAME = translate.NAME

Decode = Callable[[bytes, int], Sequence[Event]]
"""Frame and its arrival time -> events."""

_PREFIX = b'{"topic":"'
_TOPIC_AT = len(_PREFIX)

_HEAD_KEPT = 44
"""Bytes by which a frame's topic is known again, if it ends within them. Behind the shortest of topics they end before
what changes from frame to frame."""

_HEADS_KEPT = 4096


class _Head(msgspec.Struct):
    topic: wire.Text = None


_read_head = msgspec.json.Decoder(_Head).decode


class _Trade(Trade, frozen=True, kw_only=True):
    """The model's event with the wire's names."""

    venue: str = NAME
    symbol: str = field(name="s")
    venue_time_ms: int = field(name="T")
    trade_id: int | str = field(name="i")
    price: Decimal = field(name="p")
    quantity: Decimal = field(name="v")
    taker: Literal["Buy", "Sell"] = field(name="S")
    buyer_is_maker: bool = False
    is_block: bool = field(name="BT", default=False)
    is_rpi: bool = field(name="RPI", default=False)
    sequence: int = field(name="seq", default=0)


class _TradeFrame(msgspec.Struct):
    data: list[_Trade]


_read_trades = msgspec.json.Decoder(_TradeFrame, strict=False).decode
_read_book = msgspec.json.Decoder(wire_streams.BookFrame[Amount], strict=False).decode
_read_top = msgspec.json.Decoder(wire_streams.BookFrame[Decimal], strict=False).decode
_read_orders = msgspec.json.Decoder(wire_streams.PrivateFrame[wire.OrderPush], strict=False).decode
_read_executions = msgspec.json.Decoder(wire_streams.PrivateFrame[wire.ExecutionPush], strict=False).decode
_read_positions = msgspec.json.Decoder(wire_streams.PrivateFrame[wire.PositionPush], strict=False).decode
_read_wallets = msgspec.json.Decoder(wire_streams.PrivateFrame[wire.Wallet], strict=False).decode


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
        self._by_head: dict[bytes, _Heard] = {}
        """How frames begin -> their topic: to look for it costs a tenth of a tick."""

    def heard_ns(self, topic: str) -> int:
        heard = self._by_topic.get(topic.encode())
        return 0 if heard is None else heard.at_ns

    def ignore(self, topic: str) -> None:
        self._by_topic[topic.encode()] = _Heard(_of_no_interest)
        self._by_head.clear()

    def heed(self, topic: str) -> None:
        self._by_topic.pop(topic.encode(), None)
        self._by_head.clear()

    def break_off(self, topic: str, unread: bytes) -> bool:
        if not topic.startswith("tickers.") or can_be_merged(unread):
            return False
        heard = self._by_topic.get(topic.encode())
        if heard is not None:
            heard.decode = MergedTicker().decode
        return True

    def topic_of(self, frame: bytes) -> str:
        if frame.startswith(_PREFIX):
            return frame[_TOPIC_AT : frame.index(b'"', _TOPIC_AT)].decode()
        return _read_head(frame).topic or ""

    def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None:
        """The frame's events, () where its topic is of no interest, None where it has no topic.

        Raises:
            msgspec.DecodeError, ValueError: Unreadable.
        """
        heard = self._by_head.get(frame[:_HEAD_KEPT]) or self._look_up(frame)
        if heard is None:
            return None
        heard.at_ns = received_ns
        try:
            return heard.decode(frame, received_ns)
        except msgspec.ValidationError:
            return heard.decode(with_text_numbers(frame), received_ns)

    def _look_up(self, frame: bytes) -> _Heard | None:
        """The topic of a frame, however it is spelt."""
        end = frame.index(b'"', _TOPIC_AT) if frame.startswith(_PREFIX) else 0
        if end:
            topic = frame[_TOPIC_AT:end]
        else:
            named = _read_head(frame).topic
            if named is None:
                return None
            topic = named.encode()
        heard = self._by_topic.get(topic)
        if heard is None:
            heard = self._by_topic[topic] = _Heard(_decoder_of(topic) or partial(_unknown, topic.decode()))
        if 0 < end < _HEAD_KEPT:
            if len(self._by_head) >= _HEADS_KEPT:
                self._by_head.clear()
            self._by_head[frame[:_HEAD_KEPT]] = heard
        return heard


def _of_no_interest(frame: bytes, received_ns: int) -> Sequence[Event]:
    _read_head(frame)  # but it must be whole
    return ()


def _unknown(topic: str, frame: bytes, received_ns: int) -> Sequence[Event]:
    """A topic that is not known, whole."""
    _read_head(frame)
    raw = frame.decode(errors="replace")
    return (Unknown(venue=NAME, received_ns=received_ns, name=topic.partition(".")[0], raw=raw),)


def _decoder_of(topic: bytes) -> Decode | None:
    """A fresh decoder for one topic; those of tickers and of the best prices remember what was said before."""
    family, _, rest = topic.partition(b".")
    if family == b"orderbook":
        depth = rest.partition(b".")[0]
        if depth == b"1":
            return _TopOfBook().decode
        if depth == b"rpi":
            return _DECODERS[depth]
        return partial(_book, topic.decode()) if depth.isdigit() else None
    if family == b"tickers":
        return MergedTicker().decode
    return _DECODERS.get(family)


# --- public -------------------------------------------------------------------------------------------------------


def _trades(frame: bytes, received_ns: int) -> Sequence[Event]:
    trades = _read_trades(frame).data
    for trade in trades:
        if not (trade.price.is_finite() and trade.quantity.is_finite()):
            not_finite(trade.price, trade.quantity)
        force_setattr(trade, "received_ns", received_ns)
        if trade.taker == "Sell":
            force_setattr(trade, "buyer_is_maker", True)
    return trades


def _book(topic: str, frame: bytes, received_ns: int) -> Sequence[Event]:
    read = _read_book(frame)
    data = read.data
    check_levels(frame, data.b, data.a)
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
    """orderbook.1: every frame is a whole snapshot since 2025-03-20; deltas, as sent before, are merged. After 3 s
    without a change the last one is repeated, with its `u` and its `cts`: it is of the time of the repeat, `ts`."""

    def __init__(self) -> None:
        self._update_id = 0
        self._bid: Level | None = None
        self._ask: Level | None = None

    def decode(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        read = _read_top(frame)
        data = read.data
        if read.type != "snapshot" or len(data.b) > 1 or len(data.a) > 1:
            _check(*data.b, *data.a)  # else those that are told below are all there are
        if read.type == "snapshot":
            bid = self._bid = data.b[0] if data.b else _EMPTY
            ask = self._ask = data.a[0] if data.a else _EMPTY
        else:
            self._bid, self._ask = _changed(self._bid, data.b), _changed(self._ask, data.a)
            if self._bid is None or self._ask is None:
                return ()  # the snapshot has not come yet
            bid, ask = self._bid, self._ask
        is_repeat, self._update_id = data.u == self._update_id, data.u
        (bid_price, bid_quantity), (ask_price, ask_quantity) = bid, ask
        if not (
            bid_price.is_finite() and bid_quantity.is_finite() and ask_price.is_finite() and ask_quantity.is_finite()
        ):
            not_finite(*bid, *ask)
        return (
            BookTicker(
                venue=NAME,
                symbol=data.s,
                venue_time_ms=read.ts if is_repeat else read.cts or read.ts,
                received_ns=received_ns,
                bid_price=bid_price,
                bid_quantity=bid_quantity,
                ask_price=ask_price,
                ask_quantity=ask_quantity,
                update_id=data.u,
            ),
        )


def _check(*levels: Level) -> None:
    for price, quantity in levels:
        if not (price.is_finite() and quantity.is_finite()):
            not_finite(price, quantity)


def _changed(best: Level | None, levels: tuple[Level, ...]) -> Level | None:
    for level in levels:
        if level[1]:
            best = level
        elif best is not None and best[0] == level[0]:
            best = _EMPTY
    return best


# --- private ------------------------------------------------------------------------------------------------------


class _HasCategory(Protocol):
    category: Any


R = TypeVar("R", bound=_HasCategory)


def _of_linear(
    topic: str, rows: Sequence[R], translate: Callable[[R], Event | None], frame: bytes, received_ns: int
) -> Sequence[Event]:
    """The events of rows. The topics without a category bring those of spot, inverse contracts and options too: a spot
    order may have a linear contract's symbol, and is none of its orders. A frame with such rows is handed on whole."""
    events: list[Event] = []
    foreign: dict[str, None] = {}
    for row in rows:
        if row.category in _LINEAR:
            event = translate(row)
            if event is not None:
                events.append(event)
        else:
            foreign[str(row.category)] = None
    raw = frame.decode(errors="replace") if foreign else ""
    family = topic.partition(".")[0]
    events += [Unknown(venue=NAME, name=f"{family}.{category}", raw=raw) for category in foreign]
    return _received(events, received_ns)


_LINEAR = ("linear", "", None)


def _orders(frame: bytes, received_ns: int) -> Sequence[Event]:
    read = _read_orders(frame)
    return _of_linear(read.topic, read.data, translate_orders.order, frame, received_ns)


def _executions(frame: bytes, received_ns: int) -> Sequence[Event]:
    read = _read_executions(frame)
    translate: Callable[[wire.ExecutionPush], Event | None] = translate_orders.fill
    if read.topic.startswith("execution.fast"):
        translate = translate_orders.fast_fill
    return _of_linear(read.topic, read.data, translate, frame, received_ns)


def _positions(frame: bytes, received_ns: int) -> Sequence[Event]:
    read = _read_positions(frame)
    return _of_linear(read.topic, read.data, translate_account.position, frame, received_ns)


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


W = TypeVar("W")


def _of(wire_type: type[W], translate: Callable[[W, int], Sequence[Event]]) -> Decode:
    decode = msgspec.json.Decoder(wire_type, strict=False).decode
    return lambda frame, received_ns: translate(decode(frame), received_ns)


_read_notices = msgspec.json.Decoder(wire_streams.NoticeFrame, strict=False).decode


def _notices(frame: bytes, received_ns: int) -> Sequence[Event]:
    return translate_streams.notices(_read_notices(frame), received_ns, frame)


_DECODERS: dict[bytes, Decode] = {
    b"publicTrade": _trades,
    b"rpi": _of(wire_streams.RpiFrame, translate_streams.rpi_book),
    b"kline": _of(wire_streams.KlineFrame, translate_streams.klines),
    b"allLiquidation": _of(wire_streams.LiquidationFrame, translate_streams.liquidations),
    b"priceLimit": _of(wire_streams.LimitFrame, translate_streams.price_limits),
    b"adlAlert": _of(wire_streams.AdlFrame[msgspec.Raw], translate_streams.adl_warnings),
    b"insurance": _of(wire_streams.InsuranceFrame, translate_streams.insurance_funds),
    b"system": _notices,
    b"order": _orders,
    b"execution": _executions,
    b"position": _positions,
    b"wallet": _wallets,
}
"""Family of topics -> its decoder; books and tickers have theirs made for each topic."""

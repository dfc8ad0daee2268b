"""Stream names and their routes, and the frames that come on them. Decoding is the hot path.

Source: usds-margined-futures/websocket-market-streams and user-data-streams, as of 2026-10-23. Trades, top of book and
depth are decoded straight into the public model: the subclasses below are the model's events with the wire's names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec
from msgspec import field
from msgspec.structs import force_setattr

from perpwire.errors import BadInput
from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, TextLevel, Trade
from perpwire.venues.base import Topic
from perpwire.venues.binance_futures import translate_market, translate_user, wire_streams, wire_user

VENUE = "binance"

PUBLIC = "public"
MARKET = "market"
PRIVATE = "private"

# --- names ------------------------------------------------------------------------------------------------------------

_INTERVALS = "1m|3m|5m|15m|30m|1h|2h|4h|6h|8h|12h|1d|3d|1w|1M"
_CONTRACTS = "perpetual|current_quarter|next_quarter|tradifi_perpetual"
_SYMBOL = r"(?P<symbol>[^@!/\s]+)"

_NAMES: tuple[tuple[str, str, str], ...] = (
    # Kind, route, pattern. Those that _BY_KIND has no decoder for are known by name only.
    ("bookTicker", PUBLIC, rf"{_SYMBOL}@bookTicker|!bookTicker"),
    # 0ms is not in the documentation, but is served and recorded by others.
    ("depth", PUBLIC, rf"{_SYMBOL}@depth(@(?P<speed>0|100|500)ms)?"),
    ("partialDepth", PUBLIC, rf"{_SYMBOL}@depth(?P<levels>5|10|20)(@(?P<speed>100|500)ms)?"),
    ("rpiDepth", PUBLIC, rf"{_SYMBOL}@rpiDepth@(?P<speed>500)ms"),
    # Undocumented. Clients in the field subscribe to it on the public route.
    ("trade", PUBLIC, rf"{_SYMBOL}@trade"),
    ("aggTrade", MARKET, rf"{_SYMBOL}@aggTrade"),
    ("markPrice", MARKET, rf"{_SYMBOL}@markPrice(@(?P<seconds>1)s)?|!markPrice@arr(@(?P<arr_seconds>1)s)?"),
    ("kline", MARKET, rf"{_SYMBOL}@kline_(?P<interval>{_INTERVALS})"),
    ("continuousKline", MARKET, rf"{_SYMBOL}_(?P<contract>{_CONTRACTS})@continuousKline_(?P<interval>{_INTERVALS})"),
    ("miniTicker", MARKET, rf"{_SYMBOL}@miniTicker|!miniTicker@arr"),
    ("ticker", MARKET, rf"{_SYMBOL}@ticker|!ticker@arr"),
    ("forceOrder", MARKET, rf"{_SYMBOL}@forceOrder|!forceOrder@arr"),
    ("compositeIndex", MARKET, rf"{_SYMBOL}@compositeIndex"),
    ("contractInfo", MARKET, r"!contractInfo"),
    ("assetIndex", MARKET, rf"{_SYMBOL}@assetIndex|!assetIndex@arr"),
    ("tradingSession", MARKET, r"tradingSession"),
)
_PATTERNS = tuple((kind, route, re.compile(pattern)) for kind, route, pattern in _NAMES)

DEFAULT_DEPTH_MS = 250


class StreamName(msgspec.Struct, frozen=True):
    """What a stream's name says.

    Attributes:
        symbol: As it stands in the name; "" for a stream of the whole market.
        period_ms: Between two messages, where the name chooses it.
        levels: Of a partial book.
        interval: Of a candle.
        contract: Kind of contract, in small letters, of a continuous candle.
    """

    kind: str
    route: str
    symbol: str
    period_ms: int | None = None
    levels: int | None = None
    interval: str = ""
    contract: str = ""


def read_name(name: str) -> StreamName:
    """
    Raises:
        BadInput: Not the name of a stream of this venue.
    """
    for kind, route, pattern in _PATTERNS:
        match = pattern.fullmatch(name)
        if match is not None:
            parts = match.groupdict()
            levels = parts.get("levels")
            return StreamName(
                kind=kind,
                route=route,
                symbol=parts.get("symbol") or "",
                period_ms=_period_ms(kind, parts),
                levels=int(levels) if levels else None,
                interval=parts.get("interval") or "",
                contract=parts.get("contract") or "",
            )
    raise BadInput(
        f"{name!r} is no stream of Binance USD-M futures",
        venue=VENUE,
        call="subscribe",
        code="BAD_TOPIC",
        advice="Name it as the venue does, such as btcusdt@aggTrade, btcusdt@depth@100ms or !markPrice@arr@1s.",
    )


def _period_ms(kind: str, parts: dict[str, str | None]) -> int | None:
    if kind == "markPrice":
        return 1000 if parts.get("seconds") or parts.get("arr_seconds") else 3000
    if kind in ("depth", "partialDepth", "rpiDepth"):
        speed = parts.get("speed")
        return DEFAULT_DEPTH_MS if speed is None else int(speed)
    return None


def topic_of(name: str) -> Topic:
    """The topic of a native name. A symbol in capitals, for which the venue would stay silent, is put right.

    Raises:
        BadInput: Not the name of a stream of this venue.
    """
    symbol, at, rest = name.partition("@")
    if at and not symbol.startswith("!"):
        name = symbol.lower() + at + rest
    return Topic(read_name(name).route, name)


# --- frames -----------------------------------------------------------------------------------------------------------

UM = 1
"""`st` of USD-M contracts. Rows of COIN-M contracts (2) come on streams of the whole market; their units differ."""

Decode = Callable[[bytes, int], Sequence[Event] | None]
"""Payload and arrival time -> events; None for what is no data."""

E = TypeVar("E", bound=Event)


class _AggTrade(Trade, frozen=True, kw_only=True):
    venue: str = VENUE
    symbol: str = field(name="s")
    venue_time_ms: int = field(name="T")
    trade_id: int | str = field(name="a")
    price: Decimal = field(name="p")
    quantity: Decimal = field(name="q")
    buyer_is_maker: bool = field(name="m")
    symbol_type: int = field(name="st", default=UM)


class _RawTrade(Trade, frozen=True, kw_only=True):
    venue: str = VENUE
    symbol: str = field(name="s")
    venue_time_ms: int = field(name="T")
    trade_id: int | str = field(name="t")
    price: Decimal = field(name="p")
    quantity: Decimal = field(name="q")
    buyer_is_maker: bool = field(name="m")
    symbol_type: int = field(name="st", default=UM)
    kind: str = field(name="X", default="MARKET")


class _BookTicker(BookTicker, frozen=True, kw_only=True):
    venue: str = VENUE
    symbol: str = field(name="s")
    venue_time_ms: int = field(name="T", default=0)
    bid_price: Decimal = field(name="b")
    bid_quantity: Decimal = field(name="B")
    ask_price: Decimal = field(name="a")
    ask_quantity: Decimal = field(name="A")
    update_id: int = field(name="u")
    symbol_type: int = field(name="st", default=UM)


class _BookDelta(BookDelta, frozen=True, kw_only=True, dict=True):
    venue: str = VENUE
    symbol: str = field(name="s")
    venue_time_ms: int = field(name="T", default=0)
    bid_text: tuple[TextLevel, ...] = field(name="b")
    ask_text: tuple[TextLevel, ...] = field(name="a")
    first_update_id: int = field(name="U")
    update_id: int = field(name="u")
    previous_update_id: int | None = field(name="pu", default=None)
    symbol_type: int = field(name="st", default=UM)


class _PartialBook(BookSnapshot, frozen=True, kw_only=True, dict=True):
    venue: str = VENUE
    symbol: str = field(name="s")
    venue_time_ms: int = field(name="T", default=0)
    bid_text: tuple[TextLevel, ...] = field(name="b")
    ask_text: tuple[TextLevel, ...] = field(name="a")
    update_id: int = field(name="u")
    symbol_type: int = field(name="st", default=UM)


_Straight = _AggTrade | _RawTrade | _BookTicker
_Book = _BookDelta | _PartialBook


def _straight(wire_type: type[_Straight]) -> Decode:
    """A decoder of one of the classes above."""
    decode = msgspec.json.Decoder(wire_type).decode

    def events(payload: bytes, received_ns: int) -> Sequence[Event]:
        event = decode(payload)
        if event.symbol_type != UM:
            return ()
        force_setattr(event, "received_ns", received_ns)
        return (event,)

    return events


def _book(wire_type: type[_Book], stream: str) -> Decode:
    """A decoder of one stream of books."""
    decode = msgspec.json.Decoder(wire_type).decode

    def events(payload: bytes, received_ns: int) -> Sequence[Event]:
        event = decode(payload)
        if event.symbol_type != UM:
            return ()
        force_setattr(event, "received_ns", received_ns)
        force_setattr(event, "stream", stream)
        return (event,)

    return events


_decode_raw_trade = msgspec.json.Decoder(_RawTrade).decode


def _raw_trade(payload: bytes, received_ns: int) -> Sequence[Event]:
    trade = _decode_raw_trade(payload)
    # Fills of the insurance fund and of deleveraging are no trades of the market.
    if trade.symbol_type != UM or trade.kind != "MARKET":
        return ()
    force_setattr(trade, "received_ns", received_ns)
    return (trade,)


_decode_mark_prices = msgspec.json.Decoder(
    wire_streams.MarkPriceUpdate | list[wire_streams.MarkPriceUpdate],  # one symbol's, or the whole market's
).decode


def _mark_prices(payload: bytes, received_ns: int) -> Sequence[Event]:
    updates = _decode_mark_prices(payload)
    rows = updates if isinstance(updates, list) else (updates,)
    return tuple(translate_market.mark_price(row, received_ns) for row in rows if row.symbol_type == UM)


_decode_order_update = msgspec.json.Decoder(wire_user.OrderTradeUpdate).decode
_decode_algo_update = msgspec.json.Decoder(wire_user.AlgoUpdate).decode
_decode_account_update = msgspec.json.Decoder(wire_user.AccountUpdate).decode


def _order_update(payload: bytes, received_ns: int) -> Sequence[Event]:
    return translate_user.order_events(_decode_order_update(payload), received_ns)


def _algo_update(payload: bytes, received_ns: int) -> Sequence[Event]:
    return (translate_user.algo_event(_decode_algo_update(payload), received_ns),)


def _account_update(payload: bytes, received_ns: int) -> Sequence[Event]:
    return translate_user.account_events(_decode_account_update(payload), received_ns)


def _no_data(payload: bytes, received_ns: int) -> None:
    return None


def _of_no_interest(payload: bytes, received_ns: int) -> Sequence[Event]:
    return ()


_BY_KIND: dict[str, Decode] = {
    "aggTrade": _straight(_AggTrade),
    "trade": _raw_trade,
    "bookTicker": _straight(_BookTicker),
    "markPrice": _mark_prices,
}
"""Kind of stream -> its decoder. Those of books, which know their stream's name, are made in _decoder_of. The book with
RPI orders (rpiDepth) is another book, and none of the model's."""

_BY_EVENT: dict[str, Decode] = {
    "aggTrade": _BY_KIND["aggTrade"],
    "trade": _raw_trade,
    "bookTicker": _BY_KIND["bookTicker"],
    "depthUpdate": _book(_BookDelta, ""),
    "markPriceUpdate": _mark_prices,
    "ORDER_TRADE_UPDATE": _order_update,
    "ALGO_UPDATE": _algo_update,
    "ACCOUNT_UPDATE": _account_update,
    "listenKeyExpired": _no_data,
}
"""`e` of a payload -> its decoder, for frames that come without a stream's name."""

_decode_envelope = msgspec.json.Decoder(wire_streams.Envelope).decode
_decode_event_name = msgspec.json.Decoder(wire_streams.EventName).decode
_decode_event_names = msgspec.json.Decoder(list[wire_streams.EventName]).decode


def decode_event(payload: bytes, received_ns: int) -> Sequence[Event] | None:
    """A payload by the event's name that it carries, wherever that stands in it. None: no event at all."""
    if payload.lstrip()[:1] == b"[":
        names = _decode_event_names(payload)
        event = names[0].event if names else ""
    else:
        event = _decode_event_name(payload).event
    if not isinstance(event, str):
        return None
    return _BY_EVENT.get(event, _of_no_interest)(payload, received_ns)


_BOOKS: dict[str, type[_Book]] = {"depth": _BookDelta, "partialDepth": _PartialBook}


def _decoder_of(stream: str) -> Decode:
    kind = read_name(stream).kind
    book = _BOOKS.get(kind)
    return _BY_KIND.get(kind, _of_no_interest) if book is None else _book(book, stream)


_HEAD = b'{"stream":"'
_MIDDLE = b'","data":'
_NAMES_KEPT = 4096


class _Heard:
    """A stream's name: its decoder, and when it spoke last."""

    __slots__ = ("at_ns", "decode")

    def __init__(self, decode: Decode) -> None:
        self.decode = decode
        self.at_ns = 0


class FrameDecoder:
    """Frames of one socket, combined or bare. It remembers which decoder a stream's name stands for, and when each was
    heard."""

    def __init__(self) -> None:
        self._by_name: dict[bytes, _Heard] = {}

    def heard_ns(self, topic: str) -> int:
        heard = self._by_name.get(topic.encode())
        return 0 if heard is None else heard.at_ns

    def ignore(self, topic: str) -> None:
        self._by_name[topic.encode()] = _Heard(_of_no_interest)

    def heed(self, topic: str) -> None:
        self._by_name.pop(topic.encode(), None)

    def topic_of(self, frame: bytes) -> str:
        end = frame.find(_MIDDLE, 11) if frame.startswith(_HEAD) else -1
        return frame[11:end].decode() if end > 0 else ""

    def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None:
        """THE HOT PATH. See Session.on_frame."""
        if frame.startswith(_HEAD):
            end = frame.find(_MIDDLE, 11)
            if end > 0:
                name = frame[11:end]
                heard = self._by_name.get(name) or self._learn(name)
                heard.at_ns = received_ns
                try:
                    return heard.decode(frame[end + 9 : -1], received_ns)
                except msgspec.DecodeError:
                    pass  # perhaps there is more than `data` in it
        return self._decode_any(frame, received_ns)

    def _decode_any(self, frame: bytes, received_ns: int) -> Sequence[Event] | None:
        """Any spelling of the same: other order of keys, other spacing, no envelope."""
        try:
            envelope = _decode_envelope(frame)
        except msgspec.ValidationError:
            return decode_event(frame, received_ns)
        heard = self._learn(envelope.stream.encode())
        heard.at_ns = received_ns
        return heard.decode(bytes(envelope.data), received_ns)

    def _learn(self, name: bytes) -> _Heard:
        try:
            decode = _decoder_of(name.decode())
        except BadInput:
            # A user stream, named by its listen key.
            decode = decode_event
        if len(self._by_name) >= _NAMES_KEPT:
            self._by_name.clear()
        known = self._by_name.get(name)
        if known is None:
            known = self._by_name[name] = _Heard(decode)
        return known

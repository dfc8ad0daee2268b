"""Frames of the streams. Decoding is the hot path.

Source: usds-margined-futures/websocket-market-streams and user-data-streams, as of 2026-10-23. Trades, top of book and
depth are decoded straight into the public model: the subclasses below are the model's events with the wire's names.
What comes some times a second or less goes by translate_streams.py. An event of a name that is not known is Unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec
from msgspec import field
from msgspec.structs import force_setattr

from perpwire.errors import BadInput
from perpwire.model.market import AggTrade, BookDelta, BookSnapshot, BookTicker, Event, Trade, Unknown
from perpwire.venues.binance_futures import (
    translate_market,
    translate_streams,
    translate_user,
    wire_streams,
    wire_user,
)
from perpwire.venues.binance_futures.stream_names import read_name
from perpwire.venues.binance_futures.translate_streams import UM, present
from perpwire.venues.binance_futures.translate_words import VENUE
from perpwire.venues.finite import Amount, check_levels, not_finite
from perpwire.venues.lenient import with_text_numbers

Decode = Callable[[bytes, int], Sequence[Event] | None]
"""Payload and arrival time -> events; None for what is no data."""

E = TypeVar("E", bound=Event)


class _AggTrade(AggTrade, frozen=True, kw_only=True):
    venue: str = VENUE
    symbol: str = field(name="s")
    venue_time_ms: int = field(name="T")
    trade_id: int | str = field(name="a")
    price: Decimal = field(name="p")
    quantity: Decimal = field(name="q")
    buyer_is_maker: bool = field(name="m")
    first_trade_id: int = field(name="f")
    last_trade_id: int = field(name="l")
    quantity_without_rpi: Decimal | None = field(name="nq", default=None)
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
    bid_text: tuple[tuple[Amount, Amount], ...] = field(name="b")
    ask_text: tuple[tuple[Amount, Amount], ...] = field(name="a")
    first_update_id: int = field(name="U")
    update_id: int = field(name="u")
    previous_update_id: int | None = field(name="pu", default=None)
    symbol_type: int = field(name="st", default=UM)


class _PartialBook(BookSnapshot, frozen=True, kw_only=True, dict=True):
    venue: str = VENUE
    symbol: str = field(name="s")
    venue_time_ms: int = field(name="T", default=0)
    bid_text: tuple[tuple[Amount, Amount], ...] = field(name="b")
    ask_text: tuple[tuple[Amount, Amount], ...] = field(name="a")
    update_id: int = field(name="u")
    symbol_type: int = field(name="st", default=UM)


_Book = _BookDelta | _PartialBook

_decode_agg_trade = msgspec.json.Decoder(_AggTrade, strict=False).decode
_decode_raw_trade = msgspec.json.Decoder(_RawTrade, strict=False).decode
_decode_book_ticker = msgspec.json.Decoder(_BookTicker, strict=False).decode


def _agg_trade(payload: bytes, received_ns: int) -> Sequence[Event]:
    trade = _decode_agg_trade(payload)
    if trade.symbol_type != UM:
        return ()
    without_rpi = trade.quantity_without_rpi
    if not (
        trade.price.is_finite() and trade.quantity.is_finite() and (without_rpi is None or without_rpi.is_finite())
    ):
        not_finite(trade.price, trade.quantity, without_rpi or trade.quantity)
    force_setattr(trade, "received_ns", received_ns)
    return (trade,)


def _raw_trade(payload: bytes, received_ns: int) -> Sequence[Event]:
    trade = _decode_raw_trade(payload)
    # Fills of the insurance fund and of deleveraging are no trades of the market.
    if trade.symbol_type != UM or trade.kind != "MARKET":
        return ()
    if not (trade.price.is_finite() and trade.quantity.is_finite()):
        not_finite(trade.price, trade.quantity)
    force_setattr(trade, "received_ns", received_ns)
    return (trade,)


def _book_ticker(payload: bytes, received_ns: int) -> Sequence[Event]:
    top = _decode_book_ticker(payload)
    if top.symbol_type != UM:
        return ()
    bid, bid_quantity, ask, ask_quantity = top.bid_price, top.bid_quantity, top.ask_price, top.ask_quantity
    if not (bid.is_finite() and bid_quantity.is_finite() and ask.is_finite() and ask_quantity.is_finite()):
        not_finite(bid, bid_quantity, ask, ask_quantity)
    force_setattr(top, "received_ns", received_ns)
    return (top,)


def _book(wire_type: type[_Book], stream: str) -> Decode:
    """A decoder of one stream of books."""
    decode = msgspec.json.Decoder(wire_type, strict=False).decode

    def events(payload: bytes, received_ns: int) -> Sequence[Event]:
        event = decode(payload)
        if event.symbol_type != UM:
            return ()
        check_levels(payload, event.bid_text, event.ask_text)
        force_setattr(event, "received_ns", received_ns)
        force_setattr(event, "stream", stream)
        return (event,)

    return events


_decode_mark_prices = msgspec.json.Decoder(
    wire_streams.MarkPriceUpdate | list[wire_streams.MarkPriceUpdate],  # one symbol's, or the whole market's
    strict=False,
).decode


def _mark_prices(payload: bytes, received_ns: int) -> Sequence[Event]:
    updates = _decode_mark_prices(payload)
    rows = updates if isinstance(updates, list) else (updates,)
    return tuple(translate_market.mark_price(row, received_ns) for row in rows if row.symbol_type == UM)


W = TypeVar("W")


def _of(wire_type: type[W], translate: Callable[[W, int], Event | None]) -> Decode:
    """A decoder of one event a payload, or of a list of them."""
    decode = msgspec.json.Decoder(wire_type, strict=False).decode
    decode_all = msgspec.json.Decoder(list[wire_type], strict=False).decode  # type: ignore[valid-type]

    def events(payload: bytes, received_ns: int) -> Sequence[Event]:
        if payload.startswith(b"["):
            return present(*(translate(row, received_ns) for row in decode_all(payload)))
        return present(translate(decode(payload), received_ns))

    return events


def _all_of(wire_type: type[W], translate: Callable[[W, int], Sequence[Event]]) -> Decode:
    """A decoder of a payload that is several events."""
    decode = msgspec.json.Decoder(wire_type, strict=False).decode
    return lambda payload, received_ns: translate(decode(payload), received_ns)


_decode_contract = msgspec.json.Decoder(wire_streams.ContractInfo, strict=False).decode


def _contract(payload: bytes, received_ns: int) -> Sequence[Event]:
    return present(translate_streams.contract(_decode_contract(payload), received_ns, payload))


def _no_data(payload: bytes, received_ns: int) -> None:
    return None


def _of_no_interest(payload: bytes, received_ns: int) -> Sequence[Event]:
    return ()


_BY_KIND: dict[str, Decode] = {
    "aggTrade": _agg_trade,
    "trade": _raw_trade,
    "bookTicker": _book_ticker,
    "markPrice": _mark_prices,
    "rpiDepth": _of(wire_streams.DepthUpdate, translate_streams.rpi_book),
    "kline": _of(wire_streams.KlineEvent, translate_streams.kline),
    "continuousKline": _of(wire_streams.ContinuousKline, translate_streams.continuous_kline),
    "ticker": _of(wire_streams.DayTicker, translate_streams.ticker),
    "miniTicker": _of(wire_streams.MiniTicker, translate_streams.mini_ticker),
    "forceOrder": _of(wire_streams.ForceOrder, translate_streams.liquidation),
    "compositeIndex": _of(wire_streams.CompositeIndex, translate_streams.composite_index),
    "assetIndex": _of(wire_streams.AssetIndexUpdate, translate_streams.asset_index),
    "contractInfo": _contract,
    "tradingSession": _of(wire_streams.SessionUpdate, translate_streams.trading_session),
}
"""Kind of stream -> its decoder. Those of books, which know their stream's name, are made in _decoder_of."""

_BY_EVENT: dict[str, Decode] = {
    **{name: _BY_KIND[name] for name in ("aggTrade", "trade", "bookTicker", "kline", "forceOrder", "contractInfo")},
    "compositeIndex": _BY_KIND["compositeIndex"],
    "continuous_kline": _BY_KIND["continuousKline"],
    "24hrTicker": _BY_KIND["ticker"],
    "24hrMiniTicker": _BY_KIND["miniTicker"],
    "assetIndexUpdate": _BY_KIND["assetIndex"],
    "depthUpdate": _book(_BookDelta, ""),
    "markPriceUpdate": _mark_prices,
    "ORDER_TRADE_UPDATE": _all_of(wire_user.OrderTradeUpdate, translate_user.order_events),
    "TRADE_LITE": _of(wire_user.TradeLite, translate_user.fast_fill),
    "ALGO_UPDATE": _of(wire_user.AlgoUpdate, translate_user.algo_event),
    "ACCOUNT_UPDATE": _all_of(wire_user.AccountUpdate, translate_user.account_events),
    "ACCOUNT_CONFIG_UPDATE": _all_of(wire_user.AccountConfigUpdate, translate_user.config_events),
    "MARGIN_CALL": _all_of(wire_user.MarginCall, translate_user.margin_calls),
    "listenKeyExpired": _no_data,
    "serverShutdown": _no_data,
    **dict.fromkeys(
        ("EquityUpdate", "CommodityUpdate", "KR_EquityUpdate", "HK_EquityUpdate", "CN_EquityUpdate"),
        _BY_KIND["tradingSession"],
    ),
}
"""`e` of a payload -> its decoder, for frames that come without a stream's name."""

_decode_envelope = msgspec.json.Decoder(wire_streams.Envelope).decode
_decode_event_name = msgspec.json.Decoder(wire_streams.EventName).decode
_decode_event_names = msgspec.json.Decoder(list[wire_streams.EventName]).decode


def decode_event(payload: bytes, received_ns: int) -> Sequence[Event] | None:
    """A payload by the event's name that it carries, wherever that stands in it. None: no event at all."""
    if payload.lstrip()[:1] == b"[":
        names = _decode_event_names(payload)
        if not names:
            return ()
        event = names[0].event
    else:
        event = _decode_event_name(payload).event
    if not isinstance(event, str):
        return None
    decode = _BY_EVENT.get(event)
    return unknown(event, payload, received_ns) if decode is None else decode(payload, received_ns)


def unknown(name: str, payload: bytes, received_ns: int) -> Sequence[Event]:
    """An event of a name that is not known, whole."""
    return (Unknown(venue=VENUE, received_ns=received_ns, name=name, raw=payload.decode(errors="replace")),)


_BOOKS: dict[str, type[_Book]] = {"depth": _BookDelta, "partialDepth": _PartialBook}


def _decoder_of(stream: str) -> Decode:
    kind = read_name(stream).kind
    book = _BOOKS.get(kind)
    return _BY_KIND[kind] if book is None else _book(book, stream)


_HEAD = b'{"stream":"'
_MIDDLE = b'","data":'
_NAMES_KEPT = 4096

_HEAD_KEPT = 48
"""Bytes by which a frame's stream is known again, if its name ends within them. Behind the shortest of names they end
before what changes from frame to frame."""


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
        self._by_head: dict[bytes, tuple[_Heard, int]] = {}
        """How frames begin -> their stream, and where its payload begins: to look for these costs a fifth of a tick."""

    def heard_ns(self, topic: str) -> int:
        heard = self._by_name.get(topic.encode())
        return 0 if heard is None else heard.at_ns

    def ignore(self, topic: str) -> None:
        self._by_name[topic.encode()] = _Heard(_of_no_interest)
        self._by_head.clear()

    def heed(self, topic: str) -> None:
        self._by_name.pop(topic.encode(), None)
        self._by_head.clear()

    def topic_of(self, frame: bytes) -> str:
        end = frame.find(_MIDDLE, 11) if frame.startswith(_HEAD) else -1
        return frame[11:end].decode() if end > 0 else ""

    def on_frame(self, frame: bytes, received_ns: int) -> Sequence[Event] | None:
        """THE HOT PATH. See Session.on_frame."""
        known = self._by_head.get(frame[:_HEAD_KEPT]) or self._look_up(frame)
        if known is not None:
            heard, begins = known
            heard.at_ns = received_ns
            try:
                return heard.decode(frame[begins:-1], received_ns)
            except msgspec.DecodeError:
                pass  # perhaps there is more than `data` in it
        try:
            return self._decode_any(frame, received_ns)
        except msgspec.ValidationError:
            return self._decode_any(with_text_numbers(frame), received_ns)

    def _look_up(self, frame: bytes) -> tuple[_Heard, int] | None:
        """The stream of a frame as the venue spells it, and where its payload begins."""
        end = frame.find(_MIDDLE, 11) if frame.startswith(_HEAD) else -1
        if end < 0:
            return None
        name = frame[11:end]
        known = (self._by_name.get(name) or self._learn(name), end + 9)
        if end + 9 <= _HEAD_KEPT:
            if len(self._by_head) >= _NAMES_KEPT:
                self._by_head.clear()
            self._by_head[frame[:_HEAD_KEPT]] = known
        return known

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
            self._by_head.clear()
        known = self._by_name.get(name)
        if known is None:
            known = self._by_name[name] = _Heard(decode)
        return known

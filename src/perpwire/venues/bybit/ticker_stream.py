"""tickers.{symbol}: a snapshot states everything, a delta only what changed. Mark price, statistics of a day and open
interest come on it, each told where something of its own has changed.

Source: docs/v5/websocket/public/ticker, as of 2026-07-24.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from perpwire.model.market import Event, MarkPrice, OpenInterest, Ticker
from perpwire.venues.bybit import wire_streams
from perpwire.venues.bybit.translate import NAME, milliseconds, number, optional, percent, positive
from perpwire.venues.lenient import with_text_numbers

_MARK = ("markPrice", "indexPrice", "fundingRate", "nextFundingTime")
_DAY = ("lastPrice", "prevPrice24h", "highPrice24h", "lowPrice24h", "volume24h", "turnover24h")
_MORE_OF_DAY = ("price24hPcnt", "bid1Price", "bid1Size", "ask1Price", "ask1Size")
_OPEN = ("openInterest", "openInterestValue")

_read = msgspec.json.Decoder(wire_streams.TickerFrame[wire_streams.Moving], strict=False).decode


def can_be_merged(frame: bytes) -> bool:
    """What changed could be taken over, though a word of it may be no number."""
    try:
        _read(with_text_numbers(frame))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


class MergedTicker:
    """One topic's, of one socket. Until it was told everything once, it makes nothing of what changes."""

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {}
        self._is_whole = False

    def decode(self, frame: bytes, received_ns: int) -> Sequence[Event]:
        read = _read(frame)
        said = read.data
        if read.type == "snapshot":
            self._known.clear()
            self._is_whole = True
        elif not self._is_whole:
            return ()
        # All is taken over before any of it is read: one word that is no number must not make the rest out of date.
        of_mark, of_day, of_open = (
            self._takes(_MARK, said),
            self._takes(_DAY + _MORE_OF_DAY, said),
            self._takes(_OPEN, said),
        )
        events: list[Event] = []
        if of_mark and (mark := self._mark_price(said.symbol, read.ts, received_ns)) is not None:
            events.append(mark)
        if of_day and (day := self._ticker(said.symbol, read.ts, received_ns)) is not None:
            events.append(day)
        if of_open and (known := self._known.get("openInterest")):
            events.append(
                OpenInterest(
                    venue=NAME,
                    symbol=said.symbol,
                    venue_time_ms=read.ts,
                    received_ns=received_ns,
                    quantity=number(known),
                    notional=optional(self._known.get("openInterestValue")),
                )
            )
        return events

    def _takes(self, names: tuple[str, ...], said: wire_streams.Moving) -> bool:
        """Take over what was said of these; False where that is nothing."""
        something = False
        for name in names:
            value = getattr(said, name)
            if value is not UNSET:
                self._known[name] = value
                something = True
        return something

    def _mark_price(self, symbol: str, time_ms: int, received_ns: int) -> MarkPrice | None:
        known = self._known.get
        mark_price = positive(known("markPrice"))
        if mark_price is None:
            return None
        return MarkPrice(
            venue=NAME,
            symbol=symbol,
            venue_time_ms=time_ms,
            received_ns=received_ns,
            mark_price=mark_price,
            index_price=positive(known("indexPrice")),
            funding_rate=optional(known("fundingRate")),
            next_funding_time_ms=milliseconds(known("nextFundingTime")) or None,
        )

    def _ticker(self, symbol: str, time_ms: int, received_ns: int) -> Ticker | None:
        last, opened, high, low, volume, turnover = (optional(self._known.get(name)) for name in _DAY)
        if last is None or opened is None or high is None or low is None or volume is None or turnover is None:
            return None  # a contract that was listed a moment ago
        return Ticker(
            venue=NAME,
            symbol=symbol,
            venue_time_ms=time_ms,
            received_ns=received_ns,
            last_price=last,
            open_price=opened,
            high_price=high,
            low_price=low,
            volume=volume,
            quote_volume=turnover,
            price_change_percent=percent(self._known.get("price24hPcnt")),
            bid_price=positive(self._known.get("bid1Price")),
            bid_quantity=optional(self._known.get("bid1Size")),
            ask_price=positive(self._known.get("ask1Price")),
            ask_quantity=optional(self._known.get("ask1Size")),
        )

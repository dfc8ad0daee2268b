"""Names of topics, the routes that serve them, and which topic delivers which event, with which options."""

from __future__ import annotations

from collections.abc import Callable

from perpwire.errors import BadInput, NotOffered
from perpwire.model.market import (
    AdlWarning,
    BookDelta,
    BookSnapshot,
    BookTicker,
    Event,
    InsuranceFund,
    Kline,
    Liquidation,
    MarkPrice,
    OpenInterest,
    PriceLimits,
    RpiBook,
    SystemNotice,
    Ticker,
    Trade,
)
from perpwire.venues.base import Said, StreamOptions, Topic
from perpwire.venues.bybit.translate import NAME, settle_coin
from perpwire.venues.bybit.translate_market import INTERVALS

PUBLIC, STATUS, PRIVATE = "public", "status", "private"

PUBLIC_FAMILIES = frozenset(
    {"publicTrade", "orderbook", "tickers", "kline", "allLiquidation", "priceLimit", "adlAlert", "insurance"}
)
PRIVATE_FAMILIES = frozenset({"order", "execution", "position", "wallet", "greeks", "dcp"})
NOTICES = "system.status"

PRIVATE_TOPICS = tuple(
    Topic(PRIVATE, name) for name in ("order.linear", "execution.linear", "position.linear", "wallet")
)
"""In this order, since an order may fill at any moment. The forms with a category leave out spot and options."""

BOOK_DEPTHS = (50, 200, 1000)
"""Of streams of books; orderbook.1 is the top of book."""

COINS = ("USDT", "USDC")
"""What linear contracts are settled in; pools of the insurance fund, and their warnings, come by it."""


def parse_topic(name: str) -> Topic | None:
    """A native topic name with its route; None where the venue has no such family of topics."""
    family, _, rest = name.partition(".")
    if family in PUBLIC_FAMILIES and rest:
        return Topic(PUBLIC, name)
    if name == NOTICES:
        return Topic(STATUS, name)
    return Topic(PRIVATE, name) if family in PRIVATE_FAMILIES else None


def _bad(code: str, reason: str, advice: str = "") -> BadInput:
    return BadInput(reason, venue=NAME, call="subscribe", code=code, advice=advice or None)


def _book(symbol: str, options: StreamOptions) -> str:
    wanted = 50 if options.levels is None else options.levels
    depth = next((depth for depth in BOOK_DEPTHS if depth >= wanted > 0), None)
    if depth is None:
        raise _bad("BAD_DEPTH", f"no stream covers {wanted} levels: from 1 to 1,000 a side")
    return f"orderbook.{depth}.{symbol}"


def _kline(symbol: str, options: StreamOptions) -> str:
    if options.interval not in INTERVALS:
        said = "none is named" if options.interval is None else f"{options.interval!r} is none"
        raise _bad("BAD_INTERVAL", f"candles need an interval, and {said}", f"Choose one of {', '.join(INTERVALS)}.")
    return f"kline.{INTERVALS[options.interval][0]}.{symbol}"


def _trades(symbol: str, options: StreamOptions) -> str:
    if options.aggregated:
        raise NotOffered("trades come one by one", venue=NAME, call="subscribe", code="NO_SUCH_STREAM")
    return f"publicTrade.{symbol}"


def _named(start: str) -> Callable[[str, StreamOptions], str]:
    return lambda symbol, options: start + symbol


def _by_coin(start: str) -> Callable[[str, StreamOptions], str]:
    return lambda symbol, options: start + (settle_coin(symbol) if symbol else COINS[0])


_TAKES: dict[type[Event], frozenset[str]] = {
    Trade: frozenset({"aggregated"}),
    BookDelta: frozenset({"levels"}),
    BookSnapshot: frozenset({"levels"}),
    Kline: frozenset({"interval"}),
}
_NAMES: dict[type[Event], Callable[[str, StreamOptions], str]] = {
    Trade: _trades,
    BookTicker: _named("orderbook.1."),
    BookSnapshot: _book,
    BookDelta: _book,
    RpiBook: _named("orderbook.rpi."),
    MarkPrice: _named("tickers."),
    Ticker: _named("tickers."),
    OpenInterest: _named("tickers."),
    Kline: _kline,
    Liquidation: _named("allLiquidation."),
    PriceLimits: _named("priceLimit."),
    AdlWarning: _by_coin("adlAlert."),
    InsuranceFund: _by_coin("insurance."),
    SystemNotice: lambda symbol, options: NOTICES,
}
OF_ALL = frozenset({AdlWarning, InsuranceFund, SystemNotice})
"""These come for many contracts on one topic."""


def topic_of(event: type[Event], symbol: str, options: StreamOptions) -> Topic:
    """
    Args:
        symbol: "" for the whole market; of pools, those in USDT then.

    Raises:
        NotOffered: The venue has no such stream.
        BadInput: It has none with these options.
    """
    name = _NAMES.get(event)
    if name is None:
        raise NotOffered(f"no stream delivers {event.__name__}", venue=NAME, call="subscribe", code="NO_SUCH_STREAM")
    if not symbol and event not in OF_ALL:
        raise NotOffered(
            f"there is no stream of {event.__name__} of the whole market", venue=NAME, call="subscribe",
            code="NO_SUCH_STREAM", advice="Name symbols.",
        )  # fmt: skip
    takes = _TAKES.get(event, frozenset())
    for option in StreamOptions.__struct_fields__:
        # A book's speed follows from its depth here: who names one means what the other venue has.
        if getattr(options, option) is not None and option not in takes and option != "speed_ms":
            raise _bad("BAD_OPTION", f"streams of {event.__name__} take no {option}")
    return Topic(STATUS if event is SystemNotice else PUBLIC, name(symbol, options))


_SAID: dict[str, tuple[type[Event], ...]] = {
    "publicTrade": (Trade,),
    "orderbook": (BookSnapshot, BookDelta),
    "tickers": (MarkPrice, Ticker, OpenInterest),
    "kline": (Kline,),
    "allLiquidation": (Liquidation,),
    "priceLimit": (PriceLimits,),
    "adlAlert": (AdlWarning,),
    "insurance": (InsuranceFund,),
}
_BOOKS: dict[str, type[Event]] = {"1": BookTicker, "rpi": RpiBook}
"""Streams of books that have an event of their own."""

_INTERVAL_OF = {native[0]: interval for interval, native in INTERVALS.items()}


def said_on(name: str) -> tuple[Said, ...]:
    """What a public topic says; () of any other."""
    if name == NOTICES:
        return (Said(SystemNotice, ""),)
    family, _, rest = name.partition(".")
    option, _, symbol = rest.rpartition(".")
    kinds = _SAID.get(family, ())
    if family == "orderbook" and option in _BOOKS:
        kinds = (_BOOKS[option],)
    if OF_ALL.issuperset(kinds):
        symbol = ""
    return tuple(Said(kind, symbol, _INTERVAL_OF.get(option, "") if kind is Kline else "") for kind in kinds)

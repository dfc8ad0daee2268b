"""Which stream delivers which event, with which options."""

from __future__ import annotations

from collections.abc import Callable

from perpwire.errors import BadInput, NotOffered
from perpwire.model.market import (
    AggTrade,
    AssetIndex,
    BookDelta,
    BookSnapshot,
    BookTicker,
    CompositeIndex,
    ContinuousKline,
    ContractChanged,
    Event,
    Kline,
    Liquidation,
    MarkPrice,
    MiniTicker,
    RpiBook,
    Ticker,
    Trade,
    TradingSession,
)
from perpwire.venues.base import Said, StreamOptions
from perpwire.venues.binance_futures.stream_names import CONTRACTS, INTERVALS, read_name
from perpwire.venues.binance_futures.translate_words import VENUE

_DEPTH_SPEEDS = {0: "@0ms", 100: "@100ms", 250: "", 500: "@500ms"}
"""Milliseconds between two messages of a book -> how its stream's name ends. 0 is served and not documented."""

_PARTIAL_SPEEDS = {100: "@100ms", 250: "", 500: "@500ms"}
_PARTIAL_LEVELS = (5, 10, 20)
_MARK_SPEEDS = {1000: "@1s", 3000: ""}
ALL = ""
"""In place of a symbol: the whole market."""


def _bad(code: str, reason: str, advice: str = "") -> BadInput:
    return BadInput(reason, venue=VENUE, call="subscribe", code=code, advice=advice or None)


def _speed(options: StreamOptions, usual: int, known: dict[int, str], what: str) -> str:
    speed = usual if options.speed_ms is None else options.speed_ms
    if speed not in known:
        offered = ", ".join(map(str, known))
        raise _bad("BAD_SPEED", f"no {what} is told of every {speed} ms", f"Choose {offered} ms.")
    return known[speed]


def _interval(options: StreamOptions) -> str:
    if options.interval not in INTERVALS:
        said = "none is named" if options.interval is None else f"{options.interval!r} is none"
        raise _bad("BAD_INTERVAL", f"candles need an interval, and {said}", f"Choose one of {', '.join(INTERVALS)}.")
    return options.interval


def _trades(symbol: str, options: StreamOptions) -> str:
    return f"{symbol}@trade" if options.aggregated is False else f"{symbol}@aggTrade"


def _agg_trades(symbol: str, options: StreamOptions) -> str:
    return f"{symbol}@aggTrade"


def _deltas(symbol: str, options: StreamOptions) -> str:
    # `levels` is that of the local book's snapshot, and the stream the same for all.
    return f"{symbol}@depth{_speed(options, 100, _DEPTH_SPEEDS, 'book')}"


def _partial_book(symbol: str, options: StreamOptions) -> str:
    wanted = 20 if options.levels is None else options.levels
    levels = next((levels for levels in _PARTIAL_LEVELS if levels >= wanted > 0), None)
    if levels is None:
        raise _bad(
            "BAD_DEPTH", f"no stream of partial books has {wanted} levels: from 1 to 20 a side",
            "open_book keeps up to 1,000.",
        )  # fmt: skip
    return f"{symbol}@depth{levels}{_speed(options, 100, _PARTIAL_SPEEDS, 'partial book')}"


def _mark_prices(symbol: str, options: StreamOptions) -> str:
    start = f"{symbol}@markPrice" if symbol else "!markPrice@arr"
    return start + _speed(options, 1000, _MARK_SPEEDS, "mark price")


def _continuous(symbol: str, options: StreamOptions) -> str:
    contract = (options.contract or "PERPETUAL").lower()
    if contract not in CONTRACTS:
        raise _bad("BAD_CONTRACT", f"{contract.upper()} is no kind of contract", f"Choose {', '.join(CONTRACTS)}.")
    return f"{symbol}_{contract}@continuousKline_{_interval(options)}"


def _named(end: str, whole: str | None = None) -> Callable[[str, StreamOptions], str]:
    return lambda symbol, options: f"{symbol}{end}" if symbol or whole is None else whole


def _always(name: str) -> Callable[[str, StreamOptions], str]:
    return lambda symbol, options: name


_TAKES: dict[type[Event], frozenset[str]] = {
    Trade: frozenset({"aggregated"}),
    BookDelta: frozenset({"levels", "speed_ms"}),
    BookSnapshot: frozenset({"levels", "speed_ms"}),
    MarkPrice: frozenset({"speed_ms"}),
    Kline: frozenset({"interval"}),
    ContinuousKline: frozenset({"interval", "contract"}),
}
_NAMES: dict[type[Event], Callable[[str, StreamOptions], str]] = {
    Trade: _trades,
    AggTrade: _agg_trades,
    BookTicker: _named("@bookTicker", "!bookTicker"),
    BookDelta: _deltas,
    BookSnapshot: _partial_book,
    RpiBook: _named("@rpiDepth@500ms"),
    MarkPrice: _mark_prices,
    Kline: lambda symbol, options: f"{symbol}@kline_{_interval(options)}",
    ContinuousKline: _continuous,
    Ticker: _named("@ticker", "!ticker@arr"),
    MiniTicker: _named("@miniTicker", "!miniTicker@arr"),
    Liquidation: _named("@forceOrder", "!forceOrder@arr"),
    CompositeIndex: _named("@compositeIndex"),
    AssetIndex: _named("@assetIndex", "!assetIndex@arr"),
    ContractChanged: _always("!contractInfo"),
    TradingSession: _always("tradingSession"),
}
OF_ALL = frozenset(
    {BookTicker, MarkPrice, Ticker, MiniTicker, Liquidation, AssetIndex, ContractChanged, TradingSession}
)
"""These come for the whole market on one stream, too, or only so."""


def name_of(event: type[Event], symbol: str, options: StreamOptions) -> str:
    """The stream's name.

    Args:
        symbol: In the venue's spelling; ALL for the whole market.

    Raises:
        NotOffered: The venue has no such stream.
        BadInput: It has none with these options.
    """
    name = _NAMES.get(event)
    if name is None:
        raise NotOffered(f"no stream delivers {event.__name__}", venue=VENUE, call="subscribe", code="NO_SUCH_STREAM")
    if symbol == ALL and event not in OF_ALL:
        raise NotOffered(
            f"there is no stream of {event.__name__} of the whole market", venue=VENUE, call="subscribe",
            code="NO_SUCH_STREAM", advice="Name symbols.",
        )  # fmt: skip
    takes = _TAKES.get(event, frozenset())
    for option in StreamOptions.__struct_fields__:
        if getattr(options, option) is not None and option not in takes:
            raise _bad("BAD_OPTION", f"streams of {event.__name__} take no {option}")
    return name(symbol.lower(), options)


_SAID: dict[str, type[Event]] = {
    "aggTrade": AggTrade,
    "trade": Trade,
    "bookTicker": BookTicker,
    "depth": BookDelta,
    "partialDepth": BookSnapshot,
    "rpiDepth": RpiBook,
    "markPrice": MarkPrice,
    "kline": Kline,
    "continuousKline": ContinuousKline,
    "ticker": Ticker,
    "miniTicker": MiniTicker,
    "forceOrder": Liquidation,
    "compositeIndex": CompositeIndex,
    "assetIndex": AssetIndex,
    "contractInfo": ContractChanged,
    "tradingSession": TradingSession,
}
"""Kind of stream -> what it says."""


def said_on(name: str) -> tuple[Said, ...]:
    """What a public stream says; () of any other."""
    try:
        stream = read_name(name)
    except BadInput:
        return ()
    return (Said(_SAID[stream.kind], stream.symbol.upper(), stream.interval),)

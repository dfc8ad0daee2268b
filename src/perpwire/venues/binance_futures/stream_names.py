"""Names of streams, and the routes that serve them.

Source: usds-margined-futures/websocket-market-streams, as of 2026-10-23.
"""

from __future__ import annotations

import re

import msgspec

from perpwire.errors import BadInput
from perpwire.venues.base import Topic
from perpwire.venues.binance_futures.translate_words import VENUE

PUBLIC = "public"
MARKET = "market"
PRIVATE = "private"

INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")
CONTRACTS = ("perpetual", "current_quarter", "next_quarter", "tradifi_perpetual")
_INTERVALS, _CONTRACTS = "|".join(INTERVALS), "|".join(CONTRACTS)
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

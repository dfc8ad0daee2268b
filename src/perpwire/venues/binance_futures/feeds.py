"""How each stream speaks: where it is served, and what silence means.

The venue states speeds, and no more. What is bound to come is what is made by its clock (mark prices, statistics of the
whole market), and what a few contracts always have: their book and price have not stood still for seconds in years.
"""

from __future__ import annotations

from perpwire.venues.base import Feed, Topic
from perpwire.venues.binance_futures.stream_names import MARKET, PRIVATE, PUBLIC, StreamName, read_name

BUSY = frozenset({"btcusdt", "ethusdt", "solusdt", "xrpusdt", "bnbusdt", "dogeusdt"})
"""Contracts that are never still."""

QUIET_S = 7.0
"""What has a speed of seconds or less is not silent for longer while it can speak at all."""

FIRST_S = 4.0
"""First data; looked for once a second, so that its lack is told within five."""

_FIRST_S = {"kline": 9.0, "continuousKline": 9.0, "trade": 29.0, "aggTrade": 29.0}
"""Where that is too short."""

_BY_THE_CLOCK = frozenset({"markPrice"})
_WHOLE_MARKET = frozenset({"ticker", "miniTicker", "bookTicker"})
_OF_BUSY_ONES = frozenset(
    {
        "bookTicker", "depth", "partialDepth", "kline", "continuousKline", "ticker", "miniTicker", "trade", "aggTrade",
    }
)  # fmt: skip
_SELDOM = frozenset({"trade", "aggTrade"})
"""Even a busy contract may go without a trade for some seconds."""

_CANARIES = {PUBLIC: "btcusdt@depth5@500ms", MARKET: "btcusdt@markPrice@1s"}


def feed_of(topic: Topic) -> Feed:
    name = read_name(topic.name)
    speaks = _always_speaks(name)
    return Feed(
        kind=name.kind,
        routes=_routes(name.route),
        first_s=_FIRST_S.get(name.kind, FIRST_S) if speaks else None,
        every_s=QUIET_S if speaks and name.kind not in _SELDOM else None,
        is_clockwork=name.kind in _BY_THE_CLOCK,
        has_rhythm=topic.route != PRIVATE,
    )


def canary_of(route: str) -> Topic | None:
    name = _CANARIES.get(route)
    return None if name is None else Topic(route, name)


def _always_speaks(name: StreamName) -> bool:
    if name.kind in _BY_THE_CLOCK:
        return True
    if not name.symbol:
        return name.kind in _WHOLE_MARKET
    return name.kind in _OF_BUSY_ONES and name.symbol in BUSY


def _routes(first: str) -> tuple[str, ...]:
    if first == PRIVATE:
        return (PRIVATE,)
    return (first, MARKET if first == PUBLIC else PUBLIC)

"""How each topic speaks: what silence means.

orderbook.1 repeats itself after 3 s without a change (docs/v5/websocket/public/orderbook, as of 2026-07-24); for the
rest it is a few contracts whose book and price have not stood still for seconds in years.
"""

from __future__ import annotations

from perpwire.venues.base import Feed, Topic
from perpwire.venues.bybit.topics import PRIVATE, PUBLIC

BUSY = frozenset({"BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT"})
"""Contracts that are never still."""

QUIET_S = 7.0
"""What has a speed of seconds or less is not silent for longer while it can speak at all."""

FIRST_S = 4.0
"""First data; looked for once a second, so that its lack is told within five."""

_FIRST_S = {"kline": 9.0, "publicTrade": 29.0}
"""Where that is too short."""

_OF_BUSY_ONES = frozenset({"orderbook", "tickers", "publicTrade"})
_CANARY = "tickers.BTCUSDT"


def feed_of(topic: Topic) -> Feed:
    family, _, rest = topic.name.partition(".")
    symbol = rest.rpartition(".")[2]
    # A book begins with a snapshot, whatever the contract; so do tickers and candles.
    begins = family in ("orderbook", "tickers", "kline")
    busy = family in _OF_BUSY_ONES and symbol in BUSY
    repeats = topic.name.startswith("orderbook.1.")
    return Feed(
        kind=family,
        routes=(topic.route,),
        first_s=_FIRST_S.get(family, FIRST_S) if begins or busy else None,
        every_s=QUIET_S if repeats or (busy and family != "publicTrade") else None,
        is_clockwork=repeats,
        has_rhythm=topic.route != PRIVATE,
    )


def canary_of(route: str) -> Topic | None:
    return Topic(route, _CANARY) if route == PUBLIC else None

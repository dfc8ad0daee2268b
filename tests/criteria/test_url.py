"""URL: acknowledged is not subscribed; streams on paths that have moved are found."""

from __future__ import annotations

import asyncio

import pytest
from tests.criteria.streamed import played

from perpwire.api_connector.lifecycle import TopicState
from perpwire.api_connector.topic_routes import TopicRoutes
from perpwire.api_connector.websocket_manager import StreamSettings
from perpwire.model.incident import RouteFound, StreamSilent
from perpwire.scenarios import acknowledged_no_data as acknowledged
from perpwire.scenarios.run import Run
from perpwire.scenarios.streaming import Streaming
from perpwire.venues.base import Topic
from perpwire.venues.binance_futures.venue import VENUE


@pytest.mark.slow
@pytest.mark.parametrize("part", [acknowledged._all_on_the_old_path, acknowledged._one_wrong_entry])
def test_url_1_what_is_acknowledged_and_silent_is_flagged_in_time_told_of_and_tried_on_the_other_routes(
    part: object,
) -> None:
    """The scenario checks the times of each stream, and that none is called live before its first frame."""
    assert played(part, "binance").problems == []  # type: ignore[arg-type]


KINDS = (
    "btcusdt@bookTicker", "btcusdt@depth@100ms", "btcusdt@depth@500ms", "btcusdt@depth5@100ms", "btcusdt@depth20@500ms",
    "btcusdt@aggTrade", "btcusdt@markPrice", "btcusdt@markPrice@1s", "btcusdt@kline_1m", "btcusdt@kline_1d",
    "btcusdt_perpetual@continuousKline_1m", "btcusdt@miniTicker", "btcusdt@ticker", "!ticker@arr", "!miniTicker@arr",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("route", ["public", "market"])
def test_url_2_on_any_path_every_kind_of_stream_delivers_or_is_flagged_within_thirty_seconds(route: str) -> None:
    """Those that always speak; a liquidation may not come for hours, on the right path too."""

    async def scenario(run: Run) -> None:
        client = Streaming(run, StreamSettings(routes={"binance": {"*": route}}))
        async with client.manager as manager:
            asking = asyncio.create_task(client.connect(KINDS))
            flagged: set[str] = set()
            live: set[str] = set()
            for _ in range(300):
                for (_, topic), state in manager.topics.items():
                    (flagged if state is TopicState.SILENT else live if state is TopicState.LIVE else set()).add(topic)
                await run.clock.sleep(0.1)
            await asking
            run.check(live | flagged == set(KINDS), f"neither: {set(KINDS) - live - flagged}")
            wrong = {name for name in KINDS if VENUE.parse_topic(name).route != route}
            run.check(flagged == wrong, f"flagged: {flagged}, on a wrong path: {wrong}")
            await run.clock.sleep(15)
            run.check(
                {topic for (_, topic), state in manager.topics.items() if state is TopicState.LIVE} == set(KINDS),
                f"in the end: {manager.topics}",
            )
            told = {one.topic for one in client.incidents if isinstance(one, StreamSilent)}
            found = {one.topic for one in client.incidents if isinstance(one, RouteFound)}
            run.check(told == found == wrong, f"told: {told}, found: {found}")

    assert played(scenario, "binance").problems == []


def test_url_3_a_route_of_the_users_own_is_asked_for_by_kind_by_name_or_for_all() -> None:
    topic = VENUE.parse_topic("btcusdt@aggTrade")
    other = VENUE.parse_topic("btcusdt@kline_1m")
    for routes in ({"aggTrade": "moved"}, {"btcusdt@aggTrade": "moved"}):
        known = TopicRoutes({"binance": routes})
        assert known.routed(VENUE, topic) == Topic("moved", "btcusdt@aggTrade")
        assert known.routed(VENUE, other) == other
    assert TopicRoutes({"binance": {"*": ""}}).routed(VENUE, other).route == ""
    assert VENUE.stream_url(VENUE.environments["live"], "moved", None) == "wss://fstream.binance.com/moved/stream"
    assert VENUE.stream_url(VENUE.environments["live"], "", None) == "wss://fstream.binance.com/stream"


def test_url_3_what_was_found_out_outranks_what_was_said() -> None:
    known = TopicRoutes({"binance": {"aggTrade": "public"}})
    known.found(VENUE, Topic("market", "btcusdt@aggTrade"))
    assert known.routed(VENUE, VENUE.parse_topic("ethusdt@aggTrade")).route == "market"

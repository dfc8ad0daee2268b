"""Subscriptions that are acknowledged and never speak, on paths that have moved; a topic that spoils a request."""

from __future__ import annotations

import asyncio

from perpwire.api_connector.lifecycle import TopicState
from perpwire.api_connector.websocket_manager import StreamSettings
from perpwire.errors import StreamRefused
from perpwire.model.incident import ConnectionLost, RouteFound, StreamSilent
from perpwire.notification.rules import Rules
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.scenarios.streaming import Streaming

AGG, MARK, KLINE, DEPTH = "btcusdt@aggTrade", "btcusdt@markPrice@1s", "btcusdt@kline_1m", "btcusdt@depth@100ms"
STREAMS = (AGG, MARK, KLINE, DEPTH)

BAD = "orderbook.500.BTCUSDT"
TOPICS = tuple(
    f"{family}.{symbol}"
    for family in ("orderbook.50", "tickers", "publicTrade")
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")
)

LOOKED_EVERY_S = 0.05


@scenario(options={"rate": 20.0})
async def acknowledged_no_data(run: Run) -> None:
    """Streams on a path that has moved are flagged and found elsewhere; a bad topic takes none of the others along."""
    if run.venue == "bybit":
        await _poisoned_request(run)
    else:
        await run.random.choice((_all_on_the_old_path, _one_wrong_entry))(run)


class _Watched(Streaming):
    """When its topics were in which state, and first spoke."""

    def __init__(self, run: Run, routes: dict[str, dict[str, str]]) -> None:
        super().__init__(run, StreamSettings(routes=routes))
        self.run = run
        self.began_s = run.now_s
        self.first: dict[tuple[str, TopicState], float] = {}

    @property
    def after_s(self) -> float:
        return self.run.now_s - self.began_s

    def at(self, topic: str, state: TopicState) -> float:
        """Seconds from the beginning until it was first seen in this state; infinite: never."""
        return self.first.get((topic, state), float("inf"))

    async def look_for(self, seconds: float) -> None:
        while self.after_s < seconds:
            for (_, topic), state in self.manager.topics.items():
                if (topic, state) not in self.first:
                    self.first[topic, state] = self.after_s
                    if state is TopicState.LIVE:
                        self.run.check(topic in self.heard_s, f"{topic} is called live, and has not spoken")
            await self.run.clock.sleep(LOOKED_EVERY_S)


async def _all_on_the_old_path(run: Run) -> None:
    """Only depth is served there."""
    await _routed(run, {"*": ""}, moved=(AGG, MARK, KLINE), tried="")


async def _one_wrong_entry(run: Run) -> None:
    await _routed(run, {"aggTrade": "public"}, moved=(AGG,), tried="public")


async def _routed(run: Run, routes: dict[str, str], *, moved: tuple[str, ...], tried: str) -> None:
    watched = _Watched(run, {"binance": routes})
    slack_s = run.slack_s
    async with watched.manager as manager:
        asking = asyncio.create_task(watched.connect(STREAMS))
        await watched.look_for(40)
        await asking
        run.check(watched.at(DEPTH, TopicState.LIVE) <= 2 + slack_s, f"depth live after {watched.at(DEPTH, _LIVE)} s")
        for topic, flagged_s, live_s in ((MARK, 5, 12), (KLINE, 10, 22), (AGG, 30, 35)):
            silent, live = watched.at(topic, TopicState.SILENT), watched.at(topic, TopicState.LIVE)
            if topic in moved:
                run.check(silent <= flagged_s + slack_s, f"{topic} was flagged after {silent} s")
            run.check(live <= live_s + slack_s, f"{topic} was live after {live} s")
        told = [alert for one in watched.incidents if (alert := Rules().alert(one)) is not None]
        for topic in moved:
            run.check(any(alert.facts.get("topic") == topic for alert in told), f"nobody was told of {topic}")
            found = [one for one in watched.incidents if isinstance(one, RouteFound) and one.topic == topic]
            routes_told = [(one.tried, one.works) for one in found]
            run.check(routes_told == [(tried, "market")], f"the routes told of {topic} are {routes_told}")
        silent_told = {one.topic for one in watched.incidents if isinstance(one, StreamSilent)}
        run.check(silent_told == set(moved), f"told to be silent: {silent_told}")
        run.check(not any(isinstance(one, ConnectionLost) for one in watched.incidents), "a connection was lost")
        run.check({topic for _, topic in manager.topics} == set(STREAMS), f"subscribed are {manager.topics}")


_LIVE = TopicState.LIVE


async def _poisoned_request(run: Run) -> None:
    """Ten topics, one of which the venue does not have."""
    watched = _Watched(run, {})
    at = run.random.randrange(10)
    names = [*TOPICS[:at], BAD, *TOPICS[at:]]
    async with watched.manager as manager:
        asking = asyncio.create_task(watched.connect(names))
        await watched.look_for(12)
        try:
            await asking
            run.check(False, "the bad topic was not refused")
        except StreamRefused as refused:
            run.check(BAD in str(refused) and "handler not found" in str(refused), f"it was refused by {refused}")
        for topic in TOPICS:
            live = watched.at(topic, TopicState.LIVE)
            run.check(live <= 10 + run.slack_s, f"{topic} was live after {live} s")
        run.check({topic for _, topic in manager.topics} == set(TOPICS), f"subscribed are {manager.topics}")
        opened = [entry for entry in run.host.journal.entries(kind=("opened",)) if "/v5/public" in entry.text]
        run.check(len(opened) == 1, f"{len(opened)} sockets were opened")
        asked = [
            entry
            for entry in run.host.journal.entries(kind=("received",))
            if entry.connection == opened[0].connection and '"subscribe"' in entry.text
        ]
        run.check(len(asked) <= 9, f"{len(asked)} subscribe messages")

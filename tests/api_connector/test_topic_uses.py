"""Nobody takes away what another uses: subscriptions, iterators and local books of one stream, in any mix."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.playing import play
from tests.sizes import size

from perpwire.api_connector.topic_uses import TopicUses, Use
from perpwire.errors import APIError, BadInput, StreamRefused
from perpwire.model.account import AssetModeChanged, LeverageChanged
from perpwire.model.market import BookDelta, MarkPrice, Ticker, Trade
from perpwire.model.order import Order
from perpwire.testing import World
from perpwire.venues.base import Topic

VENUES = ["binance", "bybit"]
ONE, OTHER = Topic("public", "one"), Topic("public", "other")


# --- the table ------------------------------------------------------------------------------------------------------


def test_a_topic_is_given_up_by_its_last_holder_and_by_nobody_else() -> None:
    uses = TopicUses()
    for holder in ("user", "iterator", "user"):
        assert uses.settle(uses.claim("v", [Use(holder, ONE)])) == []
    assert uses.give_back("v", [Use("nobody", ONE), Use("user", OTHER)]) == []
    assert uses.give_back("v", [Use("user", ONE)]) == []
    assert uses.give_back("v", [Use("user", ONE)]) == []
    assert uses.is_held("v", ONE)
    assert not uses.is_held("w", ONE)
    assert uses.give_back("v", [Use("iterator", ONE)]) == [ONE]
    assert not uses.is_held("v", ONE)


def test_a_subscription_that_fails_takes_nothing_from_an_earlier_one_of_the_same_holder() -> None:
    uses = TopicUses()
    first, second = uses.claim("v", [Use("user", ONE)]), uses.claim("v", [Use("user", ONE), Use("user", OTHER)])
    assert uses.settle(second, [ONE, OTHER]) == [OTHER]
    assert uses.is_held("v", ONE)
    assert uses.settle(first) == []
    assert uses.settle(uses.claim("v", [Use("user", ONE)]), [ONE]) == []
    assert uses.give_back("v", [Use("user", ONE)]) == [ONE]


def test_what_is_given_back_while_it_is_on_its_way_is_not_held_afterwards() -> None:
    uses = TopicUses()
    ours, another = uses.claim("v", [Use("user", ONE)]), uses.claim("v", [Use("iterator", ONE)])
    assert uses.give_back("v", [Use("user", ONE)]) == []
    assert uses.settle(ours) == []
    assert uses.settle(another) == []
    assert uses.give_back("v", [Use("iterator", ONE)]) == [ONE]


# --- on a connector -------------------------------------------------------------------------------------------------


async def _subscribed(connector: Any) -> Callable[[], Awaitable[None]]:
    await connector.subscribe(Trade, "BTCUSDT")

    async def end() -> None:
        await connector.unsubscribe(Trade, "BTCUSDT")
        await connector.unsubscribe(Trade, "BTCUSDT")  # twice, by mistake

    return end


async def _by_name(connector: Any) -> Callable[[], Awaitable[None]]:
    venue, name = connector.venue.name, connector.venue.topic(Trade, "BTCUSDT").name
    await connector.streams.connect(venue, [name])

    async def end() -> None:
        await connector.streams.disconnect(venue, [name])
        await connector.streams.disconnect(venue, [name])

    return end


async def _iterated(connector: Any) -> Callable[[], Awaitable[None]]:
    queue = await connector.watch_trades("BTCUSDT")

    async def end() -> None:
        queue.close()
        queue.close()

    return end


async def _candles(connector: Any) -> Callable[[], Awaitable[None]]:
    watch = await connector.watch_candles("BTCUSDT", "5s")

    async def end() -> None:
        watch.close()
        watch.close()

    return end


USES = [_subscribed, _by_name, _iterated, _candles]


async def _in_turn(world: World, venue: str, order: tuple[int, ...], lost: Callable[[int], bool]) -> None:
    """All take it up, and give it back one after the other; `lost` says before which of them the socket is lost."""
    connector = world.connectors[venue]
    topic = connector.venue.topic(Trade, "BTCUSDT")
    heard: list[Trade] = []
    off = connector.on(Trade, heard.append, "BTCUSDT")
    ends = [await use(connector) for use in USES]
    for nth, index in enumerate(order):
        if lost(nth):
            carrier = connector.streams.carrying(connector.venue, topic)
            assert carrier is not None
            carrier.restart("test")
            await world.clock.sleep(0.02 * nth)  # in the middle of its coming back, or before that
        assert connector.streams.is_wanted(connector.venue, topic)
        await ends[index]()
        if nth < len(order) - 1:
            await world.clock.sleep(14)
            before = len(heard)
            await world.clock.sleep(4)
            assert len(heard) > before, f"after {order[: nth + 1]} nothing comes any more"
    await world.clock.sleep(12)
    before = len(heard)
    await world.clock.sleep(3)
    assert connector.streams.topics == {}
    assert len(heard) == before
    off()


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_whoever_of_four_gives_a_stream_back_the_others_keep_it_in_whatever_order(venue: str) -> None:
    async def scenario(world: World) -> None:
        for order in itertools.islice(itertools.permutations(range(len(USES))), 0, None, size(5, 9)):
            await _in_turn(world, venue, order, lambda nth: False)

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_so_it_is_when_the_socket_is_lost_before_one_of_them_gives_it_back(venue: str) -> None:
    async def scenario(world: World) -> None:
        for at, order in enumerate([(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2)][: size(4, 2)]):
            await _in_turn(world, venue, order, lambda nth, at=at: nth == at)  # type: ignore[misc]

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_book_keeps_its_stream_when_the_user_gives_the_same_stream_back_and_the_other_way_round(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        heard: list[BookDelta] = []
        connector.on(BookDelta, heard.append, "BTCUSDT")
        book = await connector.open_book("BTCUSDT")
        await connector.subscribe(BookDelta, "BTCUSDT")
        await connector.unsubscribe(BookDelta, "BTCUSDT")
        await connector.unsubscribe(BookDelta, "BTCUSDT")
        before = len(heard)
        await world.clock.sleep(3)
        assert book.is_in_sync
        assert len(heard) > before
        await connector.subscribe(BookDelta, "BTCUSDT")
        await connector.close_book("BTCUSDT")
        await connector.close_book("BTCUSDT")
        before = len(heard)
        await world.clock.sleep(3)
        assert len(heard) > before
        await connector.unsubscribe(BookDelta, "BTCUSDT")
        await world.clock.sleep(1)
        assert connector.streams.topics == {}

    play(venue, scenario)


@pytest.mark.slow
def test_two_kinds_that_come_on_one_topic_end_each_by_itself() -> None:
    async def scenario(world: World) -> None:
        connector = world.bybit
        prices: list[MarkPrice] = []
        connector.on(MarkPrice, prices.append)
        await connector.subscribe([MarkPrice, Ticker], "BTCUSDT")
        await connector.unsubscribe(Ticker, "BTCUSDT")
        before = len(prices)
        await world.clock.sleep(5)
        assert len(prices) > before
        await connector.unsubscribe(MarkPrice, "BTCUSDT")
        await world.clock.sleep(1)
        assert connector.streams.topics == {}

    play("bybit", scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_a_subscription_that_is_given_up_leaves_an_earlier_one_of_the_same_in_place(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        topic = connector.venue.topic(Trade, "BTCUSDT")
        await connector.get_instrument("BTCUSDT")
        for steps in range(1, 12):
            first = asyncio.ensure_future(connector.subscribe(Trade, "BTCUSDT"))
            second = asyncio.ensure_future(connector.subscribe(Trade, "BTCUSDT"))
            for _ in range(steps):
                await asyncio.sleep(0)
            second.cancel()
            results = await asyncio.gather(first, second, return_exceptions=True)
            # Who joins the first start of a connection shares its fate.
            is_there = results[0] is None
            assert connector.streams.is_wanted(connector.venue, topic) is is_there, steps
            await connector.unsubscribe(Trade, "BTCUSDT")
            await world.clock.sleep(1)
            assert connector.streams.topics == {}

    play(venue, scenario)


def test_a_refused_topic_is_held_by_nobody_and_those_beside_it_stand() -> None:
    async def scenario(world: World) -> None:
        connector = world.bybit
        with pytest.raises(StreamRefused):
            await connector.streams.connect("bybit", ["publicTrade.BTCUSDT", "kline.2.BTCUSDT"])
        wanted = connector.streams.is_wanted
        assert not wanted(connector.venue, Topic("public", "kline.2.BTCUSDT"))
        assert wanted(connector.venue, Topic("public", "publicTrade.BTCUSDT"))
        await connector.streams.disconnect("bybit", ["publicTrade.BTCUSDT"])
        await world.clock.sleep(1)
        assert connector.streams.topics == {}

    play("bybit", scenario)


@pytest.mark.parametrize("venue", VENUES)
def test_a_connector_that_is_closed_and_started_again_holds_nothing_of_its_first_life(venue: str) -> None:
    async def scenario(world: World) -> None:
        connector = world.connectors[venue]
        await connector.subscribe(Trade, "BTCUSDT")
        await connector.close()
        await connector.start()
        queue = await connector.watch_trades("BTCUSDT")
        queue.close()
        await world.clock.sleep(1)
        assert connector.streams.topics == {}

    play(venue, scenario)


# --- what belongs to the account --------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", VENUES)
def test_what_the_account_tells_is_not_subscribed_and_the_refusal_says_how_it_is_had(venue: str) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(BadInput, match="account's stream") as refused:
            await world.connectors[venue].subscribe(Order, None)
        assert "watch_orders" in (refused.value.advice or "")
        assert world.connectors[venue].streams.states == {}

    play(venue, scenario)


def test_watch_account_gives_changes_of_leverage_and_of_the_asset_mode_and_nothing_else() -> None:
    async def scenario(world: World) -> None:
        connector = world.binance
        queue = await connector.watch_account()
        await connector.set_leverage("BTCUSDT", 7)
        await connector.place_order("BTCUSDT", "BUY", "0.01")
        await connector.call("POST", "/fapi/v1/multiAssetsMargin", {"multiAssetsMargin": "true"})
        await world.clock.sleep(1)
        found = [await anext(queue) for _ in range(queue.waiting)]
        assert [type(one) for one in found] == [LeverageChanged, AssetModeChanged]
        assert isinstance(found[0], LeverageChanged)
        assert found[0].symbol == "BTCUSDT"
        assert found[0].leverage == 7
        assert isinstance(found[1], AssetModeChanged)
        assert found[1].multi_assets

    play("binance", scenario)


def test_watch_account_without_a_key_is_refused() -> None:
    async def scenario(world: World) -> None:
        async with world.connector("binance", api_key="", secret_key="") as connector:
            with pytest.raises(APIError):
                await connector.watch_account()
            assert connector.streams.queues == []

    play("binance", scenario)

"""TOPIC: one bad topic, or one that is given up, takes no other along."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from tests.criteria.streamed import VENUES, played
from tests.sizes import size

from perpwire.api_connector.lifecycle import TopicState
from perpwire.api_connector.topic_uses import Use
from perpwire.api_connector.websocket_manager import StreamSettings
from perpwire.errors import StreamRefused
from perpwire.model.market import Trade
from perpwire.scenarios.run import Run
from perpwire.scenarios.streaming import Streaming
from perpwire.simulator.listing import Listing

FAMILIES = (
    "orderbook.1", "orderbook.50", "orderbook.200", "orderbook.1000", "tickers", "publicTrade",
    "kline.1", "kline.3", "kline.5", "kline.15", "kline.30", "kline.60", "kline.120", "kline.240", "kline.360",
    "kline.D",
)  # fmt: skip
OTHERS = tuple(Listing(symbol=f"FULL{number}USDT", start_price=Decimal(9)) for number in range(4))
MORE = tuple(one.symbol for one in OTHERS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(size(3, 1)))
def test_topic_1_of_a_hundred_topics_of_which_one_is_bad_ninety_nine_deliver_and_the_bad_one_fails_by_its_words(
    seed: int,
) -> None:
    """Bybit refuses the whole request. There are no candles of two minutes."""

    async def scenario(run: Run) -> None:
        names = [f"{family}.{symbol}" for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT", *MORE) for family in FAMILIES][
            :99
        ]
        bad = f"kline.2.{random.Random(seed).choice(('BTCUSDT', 'ETHUSDT'))}"
        names.insert(random.Random(seed).randrange(len(names)), bad)
        client = Streaming(run, StreamSettings())
        async with client.manager as manager:
            began_s = run.now_s
            with pytest.raises(StreamRefused, match="handler not found") as refused:
                await client.connect(names)
            assert bad in str(refused.value)
            await run.clock.sleep(10 - (run.now_s - began_s))
            live = {topic for (_, topic), state in manager.topics.items() if state is TopicState.LIVE}
            run.check(live == set(names) - {bad}, f"not live: {set(names) - {bad} - live}")
            run.check(len(run.host.connections) >= 1 and not client.incidents[1:], f"told: {client.incidents}")

    assert played(scenario, "bybit", symbols=OTHERS).problems == []


@pytest.mark.parametrize("venue", VENUES)
def test_topic_1_a_topic_that_several_have_subscribed_is_ended_by_the_last_of_them(venue: str) -> None:
    async def scenario(run: Run) -> None:
        connector = run.connector
        topic = connector.venue.topic(Trade, "BTCUSDT")
        hosts = connector.streams.hosts(connector.venue)
        for holder in range(3):
            await connector.streams.subscribe(connector.venue, hosts, [Use(holder, topic)])
        for left in (2, 1):
            await connector.streams.unsubscribe(connector.venue, [Use(left, topic)])
            run.check((venue, topic.name) in connector.streams.topics, f"it was ended with {left} left")
        await connector.streams.unsubscribe(connector.venue, [Use(0, topic)])
        run.check((venue, topic.name) not in connector.streams.topics, "it was never ended")
        await run.clock.sleep(1)
        run.check(not run.host.connections, "a connection that carries nothing is still open")

    assert played(scenario, venue, rate=0.5).problems == []


@pytest.mark.parametrize("venue", VENUES)
def test_topic_1_to_give_up_one_topic_leaves_the_others_as_they_are(venue: str) -> None:
    async def scenario(run: Run) -> None:
        client = Streaming(run, StreamSettings())
        one, other = (run.connector.venue.topic(Trade, symbol).name for symbol in ("BTCUSDT", "ETHUSDT"))
        async with client.manager as manager:
            await client.connect([one, other])
            await run.clock.sleep(2)
            await manager.disconnect(venue, [one])
            gone_s = run.now_s
            await run.clock.sleep(5)
            run.check(client.last_s(one) <= gone_s + 0.2, "it still speaks")
            run.check(client.last_s(other) > gone_s + 0.2, "the other one does not speak any more")
            run.check(not client.incidents, f"told: {client.incidents}")

    assert played(scenario, venue).problems == []


@pytest.mark.parametrize("venue", VENUES)
def test_topic_1_of_the_accounts_topics_the_last_iterator_ends_its_own_and_no_iterator_what_the_account_stands_on(
    venue: str,
) -> None:
    """Orders, fills, positions and balances are what is known of the account goes by, iterators or none: see
    decisions.md. Fast fills are there for their iterators alone."""

    async def scenario(run: Run) -> None:
        connector = run.connector
        fast = {topic.name for topic in connector.venue.fast_fill_topics()}
        needed = {topic.name for topic in connector.venue.private_topics()}

        def subscribed() -> set[str]:
            return {topic for _, topic in connector.streams.topics}

        one, other = await connector.watch_fast_fills(), await connector.watch_fast_fills()
        orders, fills = await connector.watch_orders(), await connector.watch_fills()
        run.check(subscribed() == needed | fast, f"subscribed: {subscribed()}")
        one.close()
        one.close()
        await run.clock.sleep(1)
        run.check(subscribed() == needed | fast, "it was ended with an iterator left")
        other.close()
        orders.close()
        await run.clock.sleep(1)
        run.check(subscribed() == needed, f"subscribed: {subscribed()}")
        run.check(connector.is_account_stream_live, "the account's stream was taken along")
        await run.place("BTCUSDT", "BUY", "0.01")
        await run.clock.sleep(1)
        run.check(fills.waiting > 0, "another iterator was taken along")
        fills.close()
        price = run.host.exchange.mark_price("BTCUSDT") * Decimal("0.9")
        resting = await run.place("BTCUSDT", "BUY", "0.01", order_type="LIMIT", price=price, round="down")
        await run.clock.sleep(1)
        known = [order.order_id for order in connector.account_state.open_orders]
        run.check(resting is not None and known == [resting.order_id], f"the account is not followed any more: {known}")
        again = await connector.watch_fast_fills()
        run.check(subscribed() == needed | fast, "it did not come back")
        again.close()

    assert played(scenario, venue, rate=0.5).problems == []

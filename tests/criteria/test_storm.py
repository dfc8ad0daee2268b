"""STORM: many streams that come back at once keep within what the venue takes."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest
from tests.criteria.streamed import VENUES, played
from tests.sizes import FULL

from perpwire.api_connector.websocket_manager import StreamSettings
from perpwire.model.incident import ConnectionLost
from perpwire.model.order import OrderType, Side, TimeInForce
from perpwire.scenarios.disconnect_zoo import _check_pace
from perpwire.scenarios.registry import scenarios
from perpwire.scenarios.run import Run, play
from perpwire.scenarios.streaming import Streaming
from perpwire.simulator.faults import Reset
from perpwire.simulator.intents import OrderIntent
from perpwire.simulator.listing import Listing

SYMBOLS = tuple(Listing(symbol=f"MANY{number}USDT", start_price=Decimal(9)) for number in range(200))

NAMES = {
    "binance": [
        f"{one.symbol.lower()}@{kind}"
        for kind in ("markPrice@1s", "aggTrade", "kline_1m", "bookTicker", "depth@500ms")
        for one in SYMBOLS
    ],
    "bybit": [
        f"{family}.{one.symbol}"
        for family in ("orderbook.1", "orderbook.50", "publicTrade", "tickers", "kline.1")
        for one in SYMBOLS
    ],
}
STEADY = {"binance": "@markPrice", "bybit": "orderbook.1."}
"""These speak whatever the market does."""

MAIN = "main"
"""The exchange's first account."""


def _market_order(symbol: str) -> OrderIntent:
    return OrderIntent(
        symbol=symbol, side=Side.BUY, type=OrderType.MARKET, time_in_force=TimeInForce.IOC, quantity=Decimal(1),
        price=None, client_order_id=symbol,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_storm_1_a_thousand_streams_over_five_connections_are_back_within_twenty_seconds(venue: str) -> None:
    async def scenario(run: Run) -> None:
        client = Streaming(run, StreamSettings(topics_per_connection=200))
        names = NAMES[venue]
        async with client.manager as manager:
            await client.connect(names)
            run.check(len(manager.states) == 5, f"connections: {list(manager.states)}")
            await run.clock.sleep(5)
            cut_s = run.now_s
            run.fault(Reset())
            await run.clock.sleep(20)
            steady = [name for name in names if STEADY[venue] in name]
            late = [name for name in steady if client.last_s(name) <= cut_s]
            run.check(len(steady) == 200 and not late, f"{len(late)} streams are not back")
            waiting = [topic for (_, topic), state in manager.topics.items() if state.value in ("wanted", "asked")]
            run.check(len(manager.topics) == 1000 and not waiting, f"{len(waiting)} are not acknowledged")
            _check_pace(run, client, cut_s)
            lost = [one for one in client.incidents if isinstance(one, ConnectionLost) and "1008" in one.detail]
            run.check(not lost, "a socket was closed for our pace")
            asked = [
                json.loads(entry.text)
                for entry in run.host.journal.entries(kind=("received",))
                if '"subscribe"' in entry.text.lower()
            ]
            most = max(len(one.get("params") or one.get("args")) for one in asked)
            run.check(50 <= most <= 200, f"at most {most} streams in a message")
            # The others speak when something is traded.
            for one in SYMBOLS:
                run.host.exchange.place(MAIN, _market_order(one.symbol))
            await run.clock.sleep(2)
            mute = [name for name in names if client.last_s(name) <= cut_s]
            run.check(not mute, f"{len(mute)} streams bring nothing, such as {mute[:3]}")

    outcome = played(scenario, venue, rate=0.02, symbols=SYMBOLS)
    assert outcome.problems == []


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_storm_1_many_small_wishes_at_once_go_out_at_four_messages_a_second(venue: str) -> None:
    """A program that subscribes thirty streams one by one, and gives each up again as soon as it is there."""

    async def scenario(run: Run) -> None:
        client = Streaming(run, StreamSettings())
        names = NAMES[venue][:30]
        async with client.manager as manager:
            await client.connect([NAMES[venue][30], *names[:1]])
            began_s = run.now_s
            await asyncio.gather(*(client.connect([name]) for name in names[1:]))
            run.check(run.now_s - began_s <= 12, f"they took {run.now_s - began_s:.1f} s")
            await asyncio.gather(*(manager.disconnect(venue, [name]) for name in names))
            _check_pace(run, client, began_s)
            said = [one for one in run.host.journal.entries(kind=("received",)) if "subscribe" in one.text.lower()]
            run.check(len(said) >= 30, f"only {len(said)} messages were sent")
            run.check(not client.incidents, f"told: {client.incidents}")

    assert played(scenario, venue, rate=0.5, symbols=SYMBOLS[:40]).problems == []


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES if FULL else ["binance"])
def test_storm_2_old_sockets_are_replaced_at_different_times_before_they_end_and_nothing_is_lost_or_doubled(
    venue: str,
) -> None:
    """In a day of an hour: a socket that lives for a day is replaced after 22:30 to 23:30."""
    assert play(scenarios()["sockets_grow_old"], venue, 5).problems == []

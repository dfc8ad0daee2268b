"""FILLS: each fill is told once, in order, whatever the stream missed or doubled; positions are checked by them."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from tests.criteria import tapped
from tests.criteria.streamed import VENUES, played
from tests.criteria.tapped import Scene
from tests.sizes import size

from perpwire.api_connector.guards import Guards
from perpwire.errors import GuardRefused
from perpwire.model.incident import Incident, PositionMismatch
from perpwire.model.order import Fill
from perpwire.scenarios.registry import scenarios
from perpwire.scenarios.run import KEY, Run, play
from perpwire.simulator.faults import Answer, Cut, DropMessage, DuplicateMessage

TRADES = {
    "binance": ("/fapi/v1/userTrades", "[]"),
    "bybit": (
        "/v5/execution/list",
        '{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":[],"nextPageCursor":""},"retExtInfo":{},'
        '"time":1790000000000}',
    ),
}
"""Where each venue lists trades, and how an empty list looks."""


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("seed", range(size(4, 1)))
def test_fills_1_what_the_stream_missed_is_told_once_in_order_and_marked(seed: int, venue: str) -> None:
    assert play(scenarios()["fills_in_the_gap"], venue, seed).problems == []


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("seed", range(3))
def test_fills_2_a_trade_that_stream_reply_and_reading_tell_counts_once(seed: int, venue: str) -> None:
    async def scenario(run: Run) -> None:
        told: Counter[tuple[str, str]] = Counter()
        run.connector.on(Fill, lambda fill: told.update([(fill.symbol, fill.trade_id)]))
        await run.follow()
        run.fault(DuplicateMessage(of="private", count=None, times=3, after_each_s=0.3, for_s=60))
        for _ in range(6):
            await run.place("BTCUSDT", run.random.choice(("BUY", "SELL")), "0.02")
            await run.clock.sleep(run.random.uniform(0, 0.5))
            run.fault(Cut(route="private"))
            await run.clock.sleep(run.random.uniform(0, 4))
        await run.clock.sleep(20)
        happened = len(run.host.exchange.fills(KEY.name, None))
        run.check(happened >= 6 and set(told.values()) == {1}, f"told: {told}")
        run.check(len(told) == happened, f"{happened} fills happened, {len(told)} were told")

    assert played(scenario, venue, seed, rate=0.5).problems == []


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_fills_3_a_position_that_no_trade_explains_is_told_with_both_numbers_and_may_halt_trading(venue: str) -> None:
    """The venue keeps a trade from us, on the stream and in its list."""

    async def scenario(scene: Scene) -> None:
        incidents: list[Incident] = []
        connector = scene.world.connector(venue, guards=Guards(halt_on_mismatch=True))
        connector.on_incident(incidents.append)
        async with connector:
            await connector.open_account_stream()
            await connector.place_order("BTCUSDT", "BUY", "0.3")
            await scene.sleep(60)
            path, body = TRADES[venue]
            scene.host.faults.add(DropMessage(of="private", count=None, for_s=5))
            scene.host.faults.add(Answer(method="GET", path=path, status=200, body=body, count=None, for_s=120))
            await scene.connector.place_order("BTCUSDT", "BUY", "0.2", client_order_id="by-hand")
            await scene.sleep(110)
            (found,) = [one for one in incidents if isinstance(one, PositionMismatch)]
            assert (found.by_fills, found.by_venue) == (Decimal("0.3"), Decimal("0.5"))
            held = {symbol: one.quantity for (symbol, _), one in connector.account_state.positions.items()}
            assert held["BTCUSDT"] == Decimal("0.5")
            with pytest.raises(GuardRefused, match="did not add up"):
                await connector.place_order("BTCUSDT", "BUY", "0.1")
            await connector.place_order("BTCUSDT", "SELL", "0.1", reduce_only=True)
            connector.guard.trust("BTCUSDT")
            await connector.place_order("BTCUSDT", "BUY", "0.1")

    tapped.play(scenario, venue)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_fills_3_positions_that_trades_explain_are_no_mismatch(venue: str) -> None:
    """An hour of trading, with cuts."""

    async def scenario(run: Run) -> None:
        await run.follow()
        for _ in range(20):
            await run.trade(4, pause_s=2.0)
            if run.random.random() < 0.5:
                run.fault(Cut(route="private"))
            await run.clock.sleep(run.random.uniform(0, 120))
        await run.clock.sleep(100)
        run.check(not any(isinstance(one, PositionMismatch) for one in run.incidents), "a mismatch was told")

    assert played(scenario, venue, rate=1.0).problems == []

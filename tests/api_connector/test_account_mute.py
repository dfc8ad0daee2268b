"""One kind of what tells of the account is mute while all else comes: it is found, told, and read instead."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.criteria import tapped
from tests.criteria.tapped import VENUES, Scene

from perpwire.model.incident import ConnectionLost, PositionMismatch, StreamStale
from perpwire.model.order import Fill
from perpwire.simulator.faults import DropMessage

pytestmark = pytest.mark.slow

FILLS = {"binance": {"contains": "ORDER_TRADE_UPDATE"}, "bybit": {"topic": "execution*"}}
POSITIONS = {"binance": {"contains": "ACCOUNT_UPDATE"}, "bybit": {"topic": "position*"}}


def drop(what: dict[str, str], for_s: float) -> DropMessage:
    return DropMessage(of="private", count=None, for_s=for_s, **what)  # type: ignore[arg-type]


@pytest.mark.parametrize("venue", VENUES)
def test_fills_that_the_stream_keeps_back_are_told_in_time_and_prove_it_mute_and_are_no_mismatch(venue: str) -> None:
    """Each of the same size, as long apart as looks are."""

    async def scenario(scene: Scene) -> None:
        late: list[float] = []
        exchange = scene.host.exchange
        scene.connector.on(Fill, lambda fill: late.append((exchange.now_ms() - fill.venue_time_ms) / 1000))
        await scene.connector.open_account_stream()
        async with scene.world.connector(venue) as other:
            await scene.sleep(20)
            scene.host.faults.add(drop(FILLS[venue], 150))
            for number in range(4):
                await other.place_order("BTCUSDT", "BUY", "0.01", client_order_id=f"by-hand-{number}")
                await scene.sleep(40)
        assert len(late) == len(exchange.fills("main", None))
        assert max(late) <= 35
        assert not scene.of(PositionMismatch)
        (first, *_) = scene.of(StreamStale)
        assert "BTCUSDT" in first.why

    tapped.play(scenario, venue)


@pytest.mark.parametrize("what", [FILLS, POSITIONS], ids=["fills", "positions"])
@pytest.mark.parametrize("venue", VENUES)
def test_a_stream_that_no_replacement_helps_is_replaced_ever_more_seldom_and_is_not_live_meanwhile(
    what: dict[str, dict[str, str]], venue: str
) -> None:
    async def scenario(scene: Scene) -> None:
        connector, exchange = scene.connector, scene.host.exchange
        lost_s: list[float] = []
        connector.on_incident(lambda one: lost_s.append(scene.now_s) if isinstance(one, ConnectionLost) else None)
        await connector.open_account_stream()
        async with scene.world.connector(venue) as other:
            await scene.sleep(20)
            scene.host.faults.add(drop(what[venue], 800))
            wrong_s, longest_s, live = 0, 0, 0
            for second in range(800):
                if second % 10 == 0:
                    await other.place_order("BTCUSDT", "BUY", "0.01", client_order_id=f"by-hand-{second}")
                await scene.sleep(1)
                known = sum(one.quantity for one in connector.account_state.positions.values())
                is_right = known == sum(one.quantity for one in exchange.positions("main"))
                wrong_s = 0 if is_right else wrong_s + 1
                longest_s = max(longest_s, wrong_s)
                live += connector.is_account_stream_live
                if not connector.is_account_stream_live and second % 30 == 0:
                    assert connector.why_account_stream_not_live
        assert longest_s <= 36, "what is not told is read"
        assert live < 240
        pauses = [later - sooner for sooner, later in pairwise(lost_s)]
        assert len(pauses) == 4
        assert pauses == sorted(pauses)
        assert pauses[-1] > 240
        stale = ["did not help" in one.why for one in scene.of(StreamStale)]
        assert stale == [False, False, True, True, True, True]
        await scene.sleep(600)
        assert connector.is_account_stream_live
        assert len(scene.of(StreamStale)) == len(stale)

    tapped.play(scenario, venue)

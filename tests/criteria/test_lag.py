"""LAG: what was acknowledged a moment ago is never said to be missing."""

from __future__ import annotations

import pytest
from tests.criteria.doubts import hide, mute, resting
from tests.criteria.tapped import VENUES, Scene, play

from perpwire.errors import OrderRejected, UnknownOrder
from perpwire.model.order import OrderStatus
from perpwire.simulator.faults import FillOrder


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("by", ["order id", "client order id"])
def test_lag_1_an_order_that_the_venue_does_not_find_yet_is_pending(venue: str, by: str) -> None:
    async def scenario(scene: Scene) -> None:
        hide(scene, "fresh", None)
        order = await resting(scene, "fresh")
        if by == "order id":
            hide(scene, order.order_id, None)
        which = {"order_id": order.order_id} if by == "order id" else {"client_order_id": "fresh"}
        for _ in range(7):
            found = await scene.connector.get_order("BTCUSDT", **which)
            assert (found.order_id, found.status) == (order.order_id, OrderStatus.PENDING_NEW)
            await scene.sleep(2)
        await scene.sleep(2)  # the acknowledgement is more than fifteen seconds old
        with pytest.raises(UnknownOrder):
            await scene.connector.get_order("BTCUSDT", **which)

    play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_lag_1_what_the_stream_said_stands_above_what_is_read(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        order = await resting(scene, "heard")
        await scene.sleep(0.5)
        hide(scene, order.order_id, None)
        found = await scene.connector.get_order("BTCUSDT", order.order_id)
        assert found.status is OrderStatus.NEW
        scene.host.faults.add(FillOrder(symbol="BTCUSDT"))
        await scene.sleep(1)
        found = await scene.connector.get_order("BTCUSDT", order.order_id)
        assert (found.status, found.filled_quantity) == (OrderStatus.FILLED, order.quantity)
        await scene.sleep(60)  # an end that is known is never taken back
        assert (await scene.connector.get_order("BTCUSDT", order.order_id)).status is OrderStatus.FILLED

    play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("followed", [True, False], ids=["by the stream", "by questions"])
def test_lag_2_an_order_that_is_accepted_is_given_as_it_rests(venue: str, followed: bool) -> None:
    async def scenario(scene: Scene) -> None:
        if followed:
            await scene.connector.open_account_stream()
        order = await resting(scene, "waited", wait="accepted")
        assert order.status is OrderStatus.NEW
        filled = await scene.connector.place_order("BTCUSDT", "BUY", "0.01", wait="accepted")
        assert filled.status in (OrderStatus.FILLED, OrderStatus.NEW)  # Binance may answer before it has matched

    play(scenario, venue)


@pytest.mark.parametrize("followed", [True, False], ids=["by the stream", "by questions"])
def test_lag_2_an_order_that_is_turned_away_after_its_acknowledgement_fails_with_the_reason(followed: bool) -> None:
    """Bybit takes a post-only order in, and finds then that it would have taken."""

    async def scenario(scene: Scene) -> None:
        if followed:
            await scene.connector.open_account_stream()
        await scene.connector.get_instruments()
        price = (scene.host.exchange.mark_price("BTCUSDT") * 102 / 100).quantize(1)
        began_s = scene.now_s
        with pytest.raises(OrderRejected, match="EC_PostOnlyWillTakeLiquidity"):
            await scene.connector.place_order(
                "BTCUSDT", "BUY", "0.01", "LIMIT", price=price, time_in_force="POST_ONLY", wait="accepted"
            )
        assert scene.now_s - began_s < 1.5

    play(scenario, "bybit")


@pytest.mark.parametrize("venue", VENUES)
def test_lag_1_a_muted_stream_and_a_hidden_order_do_not_make_a_second_one(venue: str) -> None:
    """A program that places an order where it is told that there is none has no reason to."""

    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        mute(scene, "stop")
        hide(scene, "stop", 10)
        await resting(scene, "stop")
        for _ in range(12):
            assert (await scene.connector.get_order("BTCUSDT", client_order_id="stop")).client_order_id == "stop"
            await scene.sleep(1)

    play(scenario, venue)

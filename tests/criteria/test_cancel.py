"""CANCEL: "no such order" is an answer about now, not about what became of it."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from tests.criteria.doubts import hide, mute, placed, resting
from tests.criteria.tapped import CANCEL, VENUES, Scene, play
from tests.sizes import size

from perpwire.errors import UnknownOrder
from perpwire.model.order import Order, OrderRequest, OrderStatus, OrderType, Replaced, Side, TimeInForce
from perpwire.simulator.faults import Answer, FillOrder

HALF = Decimal("0.005")


async def lost_race(scene: Scene, how: str) -> Order:
    """An order that ends without the connector knowing, just before it is cancelled."""
    order: Order = await resting(scene, "racing")
    await scene.sleep(1)
    if how == "filled":
        scene.host.faults.add(FillOrder(symbol="BTCUSDT"))
    else:
        if how == "cancelled in part":
            scene.host.faults.add(FillOrder(symbol="BTCUSDT", quantity=HALF))
        async with scene.world.connector(scene.venue) as other:
            await other.cancel_order("BTCUSDT", order.order_id)
    return order


ENDS = {
    "filled": (OrderStatus.FILLED, Decimal("0.01")),
    "cancelled": (OrderStatus.CANCELED, Decimal(0)),
    "cancelled in part": (OrderStatus.CANCELED, HALF),
}


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("known_by", ["order id", "client order id"])
@pytest.mark.parametrize("late_s", [0.0, 2.0])
def test_cancel_1_a_cancel_that_finds_nothing_gives_the_state_in_which_the_order_ended(
    venue: str, how: str, known_by: str, late_s: float
) -> None:
    """Without the account's stream: by questions, which find nothing at first where `late_s` is set."""

    async def scenario(scene: Scene) -> None:
        order = await lost_race(scene, how)
        if late_s:
            hide(scene, order.order_id if known_by == "order id" else "racing", late_s)
        began_s = scene.now_s
        which: dict[str, Any] = {"client_order_id": "racing"}
        if known_by == "order id":
            which = {"order_id": order.order_id}
        ended = await scene.connector.cancel_order("BTCUSDT", **which)
        assert (ended.order_id, ended.status, ended.filled_quantity) == (order.order_id, *ENDS[how])
        assert scene.now_s - began_s <= 3

    play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("how", ENDS)
def test_cancel_1_the_account_stream_tells_it_at_once(venue: str, how: str) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        order = await lost_race(scene, how)
        hide(scene, order.order_id, None)
        began_s = scene.now_s
        ended = await scene.connector.cancel_order("BTCUSDT", order.order_id)
        assert (ended.status, ended.filled_quantity) == ENDS[how]
        assert scene.now_s - began_s <= 0.5

    play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_cancel_1_only_an_order_that_the_venue_knows_nowhere_is_unknown(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        began_s = scene.now_s
        with pytest.raises(UnknownOrder):
            await scene.connector.cancel_order("BTCUSDT", client_order_id="never-was")
        assert scene.now_s - began_s <= 3

    play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_cancel_1_an_order_that_the_venue_did_not_know_yet_is_cancelled_all_the_same(venue: str) -> None:
    """The first cancel is answered "no such order", and the order is there: it is cancelled again."""

    async def scenario(scene: Scene) -> None:
        order = await resting(scene, "young")
        await scene.sleep(1)
        method, path = CANCEL[venue]
        unknown = {
            "binance": (400, '{"code":-2011,"msg":"Unknown order sent."}'),
            "bybit": (200, '{"retCode":110001,"retMsg":"order not exists or too late to cancel","result":{},"time":1}'),
        }
        status, body = unknown[venue]
        scene.host.faults.add(Answer(method=method, path=path, status=status, body=body))
        began_s = scene.now_s
        ended = await scene.connector.cancel_order("BTCUSDT", order.order_id)
        assert ended.status is OrderStatus.CANCELED
        assert scene.now_s - began_s <= 3
        assert list(scene.host.exchange.open_orders("main", None)) == []

    play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_cancel_2_cancel_all_of_an_empty_book_gives_nothing_and_raises_nothing(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        assert await scene.connector.cancel_all("BTCUSDT") == ()
        assert await scene.connector.cancel_all() == ()

    play(scenario, venue)


def next_order(name: str, price: Decimal) -> OrderRequest:
    return OrderRequest(
        symbol="BTCUSDT", side=Side.BUY, type=OrderType.LIMIT, quantity=Decimal("0.01"), price=price,
        client_order_id=name, time_in_force=TimeInForce.GTC,
    )  # fmt: skip


RUNS = size(500, 100)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_cancel_2_in_a_thousand_runs_nothing_is_sent_in_the_place_of_an_order_that_was_filled(venue: str) -> None:
    """Half of the runs on each venue; the old order is filled, in whole or in part, before, while or after the cancel
    is under way, or not at all; the account's stream tells of it or does not."""
    random = Random(f"cancel/{venue}")
    seen: dict[bool, int] = {True: 0, False: 0}

    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        for run in range(RUNS):
            old = await resting(scene, f"old-{run:03}-")
            await scene.sleep(random.uniform(0.1, 0.5))
            if random.random() < 0.3:
                mute(scene, f"old-{run:03}-", 3)
            if random.random() < 0.3:
                hide(scene, old.order_id, random.uniform(0, 1.5))
            if random.random() < 0.7:
                part = random.choice((None, None, HALF))
                fill = FillOrder(symbol="BTCUSDT", quantity=part, after_s=random.uniform(0, 0.06))
                scene.host.faults.add(fill)
                await scene.sleep(random.uniform(0, 0.06))
            assert old.price is not None
            done: Replaced = await scene.connector._orders.replace(
                "BTCUSDT", old.order_id, None, next_order(f"new-{run:03}-", old.price - 100)
            )
            (at_venue,) = (
                one for one in scene.host.exchange.orders("main", None) if one.client_order_id == f"old-{run:03}-"
            )
            was_filled = bool(at_venue.filled_quantity)
            seen[was_filled] += 1
            assert done.old.filled_quantity == at_venue.filled_quantity, run
            assert (done.new is None) == was_filled, run
            await scene.sleep(0.2)  # Bybit takes in first, and places then
            assert placed(scene, f"new-{run:03}-") == (not was_filled), run
            await scene.connector.cancel_all("BTCUSDT")
            await scene.sleep(1)

    play(scenario, venue, latency_s=0.02, order_latency_s=0.02)
    assert min(seen.values()) > RUNS / 5


@pytest.mark.parametrize("venue", VENUES)
def test_cancel_2_whoever_says_so_has_the_new_order_all_the_same(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        old = await lost_race(scene, "filled")
        assert old.price is not None
        done = await scene.connector._orders.replace(
            "BTCUSDT", old.order_id, None, next_order("new", old.price - 100), even_if_filled=True
        )
        assert done.old.status is OrderStatus.FILLED
        assert done.new is not None
        await scene.sleep(0.2)
        assert placed(scene, "new") == 1

    play(scenario, venue)

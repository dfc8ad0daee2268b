"""GHOST: an order whose answer is lost is neither sent twice nor forgotten."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from tests.criteria.doubts import answer, hide, lose, mute, placed, posts, questions, resting, words
from tests.criteria.tapped import VENUES, Scene, play
from tests.sizes import size

from perpwire.errors import APIError, NotSent, OutcomeUnknown
from perpwire.model.incident import OrderResolved
from perpwire.model.order import Order, OrderStatus
from perpwire.simulator.faults import DelayMessage, LoseAnswer

TROUBLES: list[tuple[str, dict[str, Any]]] = [
    ("binance", {}),
    ("binance", {"canned": "unknown_503"}),
    ("binance", {"canned": "gateway_timeout"}),
    ("binance", {"canned": "unexpected_response"}),
    ("binance", {"canned": "timeout"}),
    ("bybit", {}),
    ("bybit", {"canned": "timeout"}),
    ("bybit", {"canned": "server_error"}),
    ("bybit", {"canned": "gateway_timeout"}),
]


def trouble(scene: Scene, name: str, how: dict[str, Any], *, executed: bool) -> None:
    if how:
        answer(scene, name, executed=executed, **how)
    else:
        lose(scene, name, executed=executed)


@pytest.mark.parametrize(("venue", "how"), TROUBLES, ids=str)
def test_ghost_1_it_is_not_placed_only_after_three_questions_over_ten_seconds(venue: str, how: dict[str, Any]) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        trouble(scene, "gone", how, executed=False)
        began_s = scene.now_s
        with pytest.raises(NotSent):
            await resting(scene, "gone")
        asked = questions(scene, "gone")
        assert 3 <= len(asked) <= 6
        assert asked[-1] - asked[0] >= 10
        assert 10 <= scene.now_s - began_s <= 13
        assert words(scene, "gone") == ["UNKNOWN", "NOT_PLACED"]
        assert (posts(scene, "gone"), placed(scene, "gone")) == (1, 0)

    play(scenario, venue)


@pytest.mark.parametrize(("venue", "how"), TROUBLES, ids=str)
@pytest.mark.parametrize("heard_by", ["stream", "question"])
def test_ghost_1_what_was_placed_is_found(venue: str, how: dict[str, Any], heard_by: str) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        trouble(scene, "there", how, executed=True)
        if heard_by == "stream":
            hide(scene, "there", None)
        else:
            mute(scene, "there")
        order = await resting(scene, "there")
        assert order.client_order_id == "there"
        assert words(scene, "there") == ["UNKNOWN", "ACCEPTED"]
        assert (posts(scene, "there"), placed(scene, "there")) == (1, 1)

    play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_ghost_1_what_can_not_be_known_is_told_as_unresolved_once_and_its_search_can_be_awaited(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        lose(scene, "doubt", executed=True)
        scene.host.faults.add(LoseAnswer(method="GET", contains="doubt", count=None, for_s=100))
        with pytest.raises(OutcomeUnknown) as caught:
            await resting(scene, "doubt")
        assert caught.value.client_order_id == "doubt"
        assert [one.client_order_id for one in scene.connector.unresolved_orders] == ["doubt"]
        assert words(scene, "doubt") == ["UNKNOWN"]
        assert caught.value.resolution is not None
        order = await caught.value.resolution
        assert (order.client_order_id, order.status) == ("doubt", OrderStatus.NEW)
        assert words(scene, "doubt") == ["UNKNOWN", "ACCEPTED"]
        assert scene.connector.unresolved_orders == ()
        # And one that is still open when the connector is closed.
        lose(scene, "last", executed=True)
        scene.host.faults.add(LoseAnswer(method="GET", contains="last", count=None))
        placing = asyncio.create_task(resting(scene, "last"))
        await scene.sleep(3)
        await scene.connector.close()
        with pytest.raises(OutcomeUnknown):
            await placing
        assert words(scene, "last") == ["UNKNOWN", "UNRESOLVED"]

    play(scenario, venue)


WAVES, SIDE_BY_SIDE = size(63, 12), 8


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_ghost_2_in_a_thousand_runs_each_order_exists_once_or_not_at_all_as_its_caller_is_told(venue: str) -> None:
    """Half of the runs on each venue, in part a third of them. Orders are placed or not, the stream's word
    comes 0 to 8 seconds late or never, questions find nothing for 0 to 3 seconds."""
    told: dict[str, tuple[bool, Order | APIError]] = {}
    random = Random(f"ghost/{venue}")

    async def scenario(scene: Scene) -> None:
        async def one(name: str) -> None:
            executed = random.random() < 0.5
            how = random.choice([how for of, how in TROUBLES if of == venue])
            trouble(scene, name, how, executed=executed)
            if random.random() < 0.2:
                mute(scene, name, 20)
            else:
                late = DelayMessage(
                    of="private", contains=name, count=None, for_s=20, seconds=random.uniform(0, 8), overtaken=True
                )
                scene.host.faults.add(late)
            hide(scene, name, random.uniform(0, 3))
            try:
                if random.random() < 0.5:
                    outcome: Order | APIError = await scene.connector.place_order(
                        "BTCUSDT", random.choice(("BUY", "SELL")), "0.01", client_order_id=name
                    )
                else:
                    outcome = await resting(scene, name)
            except APIError as error:
                outcome = error
            told[name] = (executed, outcome)

        await scene.connector.open_account_stream()
        for wave in range(WAVES):
            await asyncio.gather(*(one(f"ghost-{wave:03}-{n}-") for n in range(SIDE_BY_SIDE)))
            await scene.connector.cancel_all("BTCUSDT")
            await scene.sleep(10)
        for name, (executed, outcome) in told.items():
            assert placed(scene, name) == executed, name
            assert posts(scene, name) == 1, name
            assert isinstance(outcome, Order if executed else NotSent), (name, outcome)
            assert len(questions(scene, name)) <= 6, name
            assert words(scene, name) == ["UNKNOWN", "ACCEPTED" if executed else "NOT_PLACED"], name

    play(scenario, venue)
    assert len(told) == WAVES * SIDE_BY_SIDE >= size(500, 96)


@pytest.mark.parametrize("venue", VENUES)
def test_ghost_3_nothing_is_sent_any_more_once_the_stream_has_told_of_it(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        lose(scene, "told", executed=True)
        hide(scene, "told", None)
        scene.host.faults.add(DelayMessage(of="private", contains="told", seconds=0.9, overtaken=True))
        await resting(scene, "told")
        (resolved,) = scene.of(OrderResolved)
        assert isinstance(resolved, OrderResolved)
        assert 0.85 < resolved.after_s < 1.0  # the second question is due at one second
        asked = questions(scene, "told")
        await scene.sleep(30)
        assert questions(scene, "told") == asked
        assert posts(scene, "told") == 1

    play(scenario, venue)

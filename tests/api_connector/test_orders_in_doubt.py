"""Odd ways into doubt: a clock that steps, ids that are used twice, callers that give up, lists that are late."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from tests.criteria.doubts import hide, lose, mute, placed, posts, resting
from tests.criteria.tapped import CANCEL, PLACE, VENUES, Scene, play

from perpwire.api_connector.batch_methods import NewOrder
from perpwire.errors import NotSent, OutcomeUnknown, UnknownOrder
from perpwire.model.incident import ChangeUnresolved
from perpwire.model.order import Fill, Order, OrderStatus
from perpwire.scenarios.lost_response import READ
from perpwire.simulator.faults import (
    Answer,
    Delay,
    DropMessage,
    FillOrder,
    LoseAnswer,
    LoseRequest,
    MovePrice,
    Refuse,
    Reset,
    Skew,
)

both = pytest.mark.parametrize("venue", VENUES)


def held_up(scene: Scene, name: str, seconds: float) -> None:
    """The order is so long on its way to the venue."""
    scene.host.faults.add(
        Delay(method="POST", path=PLACE[scene.venue][1], contains=name, seconds=seconds, where="request")
    )


async def given_up(scene: Scene, name: str, after_s: float) -> None:
    """Its caller waits no longer."""
    placing = asyncio.ensure_future(resting(scene, name))
    await scene.sleep(after_s)
    placing.cancel()
    with suppress(asyncio.CancelledError):
        await placing


async def open_names(scene: Scene) -> list[str]:
    return [order.client_order_id for order in await scene.connector.get_open_orders("BTCUSDT")]


def limit(scene: Scene, name: str | None = None) -> NewOrder:
    price = (scene.host.exchange.mark_price("BTCUSDT") * Decimal("0.8")).quantize(Decimal(1))
    order = NewOrder(symbol="BTCUSDT", side="BUY", quantity="0.01", order_type="LIMIT", price=price)
    if name is not None:
        order["client_order_id"] = name
    return order


@pytest.mark.slow
@both
def test_an_order_whose_answer_is_lost_just_after_the_venues_clock_was_found_to_be_behind_is_known_as_ours(
    venue: str,
) -> None:
    async def scenario(scene: Scene) -> None:
        scene.host.faults.add(Skew(seconds=-4.0))
        scene.host.faults.add(
            LoseAnswer(method="POST", path=PLACE[venue][1], contains="after-step", nth=2, how="reset")
        )
        order = await resting(scene, "after-step")
        assert order.client_order_id == "after-step"
        assert (posts(scene, "after-step"), placed(scene, "after-step")) == (2, 1)

    play(scenario, venue)


@pytest.mark.slow
@both
def test_an_order_of_the_same_client_id_on_another_symbol_is_not_taken_for_the_lost_one(
    venue: str, tmp_path: Path
) -> None:
    async def scenario(scene: Scene) -> None:
        connector = scene.world.connector(venue, journal=tmp_path / "orders.db")
        scene.connector = connector
        async with connector:
            await connector.open_account_stream()
            lose(scene, "tp", executed=False)
            placing = asyncio.ensure_future(resting(scene, "tp"))
            await scene.sleep(0.3)
            other = await connector.place_order("ETHUSDT", "BUY", "0.1", client_order_id="tp")
            assert [one.request.symbol for one in connector.unresolved_orders] == ["BTCUSDT"]
            with pytest.raises(NotSent):
                await placing
            assert connector.journal is not None
            noted = {one.request.symbol: (one.outcome, one.order_id) for one in connector.journal.orders()}
            assert noted == {"BTCUSDT": ("NOT_SENT", None), "ETHUSDT": ("PLACED", other.order_id)}

    play(scenario, venue)


@both
def test_a_fill_of_an_older_order_of_the_same_id_does_not_show_that_ours_was_placed(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        await resting(scene, "again")
        await scene.sleep(5)
        lose(scene, "again", executed=True)  # refused: the id is in use
        placing = asyncio.ensure_future(resting(scene, "again"))
        await scene.sleep(0.1)
        scene.host.faults.add(FillOrder())
        with pytest.raises(NotSent):
            await placing
        assert placed(scene, "again") == 1

    play(scenario, venue)


@both
def test_the_id_of_an_order_in_doubt_is_not_sent_again(venue: str) -> None:
    """Where ids are unique among open orders only, a market order of the same id would be filled twice."""

    async def scenario(scene: Scene) -> None:
        connector = scene.connector
        lose(scene, "twice", executed=True)
        hide(scene, "twice", 4.0)
        first = asyncio.ensure_future(connector.place_order("BTCUSDT", "BUY", "0.01", client_order_id="twice"))
        await scene.sleep(1)
        with pytest.raises(NotSent) as caught:
            await connector.place_order("BTCUSDT", "BUY", "0.01", client_order_id="twice")
        assert caught.value.code == "IN_DOUBT"
        slots = await connector.place_orders([limit(scene, "twice"), limit(scene, "free"), limit(scene)])
        assert [getattr(one, "code", "placed") for one in slots] == ["IN_DOUBT", "placed", "placed"]
        assert (await first).client_order_id == "twice"
        assert (posts(scene, "twice"), placed(scene, "twice")) == (1, 1)

    play(scenario, venue)


@both
def test_the_kill_switch_also_gets_an_order_on_its_way_whose_caller_waits_no_more(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.open_account_stream()
        held_up(scene, "late", 3.0)
        await given_up(scene, "late", 0.5)
        await scene.connector.kill()
        assert placed(scene, "late") == 1
        assert await open_names(scene) == []

    play(scenario, venue)


@both
def test_cancelling_an_order_that_is_still_on_its_way_waits_for_it(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        held_up(scene, "late", 3.5)
        await given_up(scene, "late", 0.1)
        ended = await scene.connector.cancel_order("BTCUSDT", client_order_id="late")
        assert ended.status is OrderStatus.CANCELED
        assert await open_names(scene) == []

    play(scenario, venue)


@both
def test_cancelling_an_order_that_never_arrived_says_that_there_is_none_only_when_that_is_certain(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.host.faults.add(LoseRequest(method="POST", path=PLACE[venue][1], contains="never", how="reset"))
        await given_up(scene, "never", 0.1)
        began_s = scene.now_s
        with pytest.raises(UnknownOrder):
            await scene.connector.cancel_order("BTCUSDT", client_order_id="never")
        assert scene.now_s - began_s > 5
        assert scene.connector.unresolved_orders == ()

    play(scenario, venue)


@both
def test_cancel_all_reaches_an_order_that_the_venue_does_not_list_yet(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        await resting(scene, "new")
        empty = {
            "binance": "[]",
            "bybit": '{"retCode":0,"retMsg":"OK","result":{"list":[],"nextPageCursor":""},"time":1}',
        }
        listing = {"binance": "/fapi/v1/openOrders", "bybit": "/v5/order/realtime"}
        scene.host.faults.add(
            Answer(method="GET", path=listing[venue], status=200, body=empty[venue], count=None, for_s=1.0)
        )
        await scene.connector.cancel_all()
        await scene.sleep(2)
        assert await open_names(scene) == []

    play(scenario, venue)


def test_a_lost_stop_that_triggered_at_once_is_told_under_its_own_id_not_under_that_of_what_it_made() -> None:
    async def scenario(scene: Scene) -> None:
        connector = scene.connector
        await connector.open_account_stream()
        await connector.place_order("BTCUSDT", "BUY", "0.01")
        await scene.sleep(1)
        mark = scene.host.exchange.mark_price("BTCUSDT")
        faults = scene.host.faults
        faults.add(LoseAnswer(method="POST", path="/fapi/v1/algoOrder", contains="stop", how="reset"))
        faults.add(Answer(method="GET", path="/fapi/v1/algoOrder", canned="order_unknown", count=None, for_s=4.0))
        faults.add(DropMessage(of="private", contains="ALGO_UPDATE", count=None))
        placing = asyncio.ensure_future(
            connector.place_order(
                "BTCUSDT", "SELL", "0.01", "STOP_MARKET", trigger_price=(mark * Decimal("0.995")).quantize(Decimal(1)),
                reduce_only=True, trigger_by="MARK", client_order_id="stop",
            )
        )  # fmt: skip
        await scene.sleep(0.05)
        faults.add(MovePrice(symbol="BTCUSDT", share=Decimal("-0.03")))
        order = await placing
        assert order.order_id.startswith("algo-")
        assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, Decimal("0.01"))
        assert order.child_order_id is not None

    play(scenario, "binance")


@both
def test_a_batch_learns_that_the_account_was_put_into_the_other_position_mode(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        async with scene.world.connector(venue) as other:
            await other.set_position_mode("HEDGE", *(["BTCUSDT"] if venue == "bybit" else []))
        slots = await scene.connector.place_orders([limit(scene) for _ in range(3)])
        assert all(isinstance(one, Order) for one in slots)
        assert len(await open_names(scene)) == 3

    play(scenario, venue)


@pytest.mark.slow
@both
def test_an_account_stream_whose_opener_gave_up_is_opened_all_the_same(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        connector = scene.connector
        path = {"binance": "/fapi/v3/positionRisk", "bybit": "/v5/position/list"}[venue]
        scene.host.faults.add(Delay(method="GET", path=path, seconds=2.0))
        opening = asyncio.ensure_future(connector.open_account_stream())
        await scene.sleep(1.0)
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await opening
        fills: list[Fill] = []
        connector.on(Fill, fills.append)
        await connector.open_account_stream()
        mute(scene, "")  # and what the stream does not say is read back
        await connector.place_order("BTCUSDT", "BUY", "0.01")
        await scene.sleep(15)
        assert [fill.quantity for fill in fills] == [Decimal("0.01")]
        if venue == "binance":
            await scene.sleep(3700)
            renewals = [one for one in scene.tap.sent if one.call == ("PUT", "/fapi/v1/listenKey")]
            assert renewals, "the stream's key is kept alive"

    play(scenario, venue)


@both
def test_an_order_that_ended_while_the_stream_was_gone_is_told_of_though_the_venues_answers_are_late(
    venue: str,
) -> None:
    async def scenario(scene: Scene) -> None:
        connector = scene.connector
        await connector.open_account_stream()
        order = await resting(scene, "gap")
        await scene.sleep(1)
        told: list[Order] = []
        connector.on(Order, told.append)
        scene.host.faults.add(Refuse(seconds=1.0))
        scene.host.faults.add(Reset())
        await scene.sleep(0.1)
        hide(scene, order.order_id, 3.0)
        scene.host.faults.add(FillOrder())
        await scene.sleep(12)
        assert connector.account_state.open_orders == ()
        assert [one.status for one in told if one.status.is_final] == [OrderStatus.FILLED]

    play(scenario, venue)


@pytest.mark.slow
@both
def test_what_a_socket_that_is_mute_but_alive_does_not_say_is_read_back_now_and_then(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        connector = scene.connector
        await connector.open_account_stream()
        await resting(scene, "filled")
        await scene.sleep(20)
        scene.host.faults.add(DropMessage(of="private", count=None, for_s=5.0))
        scene.host.faults.add(FillOrder())
        await scene.sleep(620)
        state = connector.account_state
        assert state.open_orders == ()
        assert [one.quantity for one in state.positions.values() if one.quantity] == [Decimal("0.01")]

    play(scenario, venue)


@both
def test_an_order_that_the_venue_has_forgotten_is_not_open_for_ever(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        connector = scene.connector
        await connector.open_account_stream()
        order = await resting(scene, "forgotten")
        await scene.sleep(30)
        scene.host.faults.add(DropMessage(of="private", count=None, for_s=5.0))
        hide(scene, order.order_id, None)
        assert connector.account_state.open_orders != ()
        async with scene.world.connector(venue) as other:
            with suppress(OutcomeUnknown):
                await other.cancel_order("BTCUSDT", order.order_id)
        await scene.sleep(40)
        assert connector.account_state.open_orders == ()

    play(scenario, venue)


AMEND = {"binance": ("PUT", "/fapi/v1/order"), "bybit": ("POST", "/v5/order/amend")}


@both
@pytest.mark.parametrize("change", ["AMEND", "CANCEL"])
def test_a_change_whose_outcome_can_not_be_learnt_is_told_once(venue: str, change: str) -> None:
    async def scenario(scene: Scene) -> None:
        order = await resting(scene, "mine-1")
        await scene.sleep(1)
        method, path = (AMEND if change == "AMEND" else CANCEL)[venue]
        scene.host.faults.add(LoseAnswer(method=method, path=path, how="reset", count=None))
        first = 2 if change == "AMEND" else 1  # it is read before it is amended
        scene.host.faults.add(Answer(method="GET", path=READ[venue], status=503, nth=first, count=None))
        assert order.price is not None
        amend, cancel = scene.connector.amend_order, scene.connector.cancel_order
        changing = (
            amend("BTCUSDT", client_order_id="mine-1", price=order.price - 100) if change == "AMEND"
            else cancel("BTCUSDT", client_order_id="mine-1")
        )  # fmt: skip
        with pytest.raises(OutcomeUnknown) as caught:
            await changing
        (told,) = scene.of(ChangeUnresolved)
        assert isinstance(told, ChangeUnresolved)
        assert (told.change, told.orders, told.symbol) == (change, ("mine-1",), "BTCUSDT")
        assert told.why == caught.value.reason

    play(scenario, venue)


@both
def test_orders_that_stay_open_after_all_were_cancelled_are_told(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        await resting(scene, "stays")
        await scene.sleep(1)
        done = (
            '{"code":200,"msg":"done"}' if venue == "binance"
            else '{"retCode":0,"retMsg":"OK","result":{"list":[],"success":"1"},"time":1}'
        )  # fmt: skip
        for path in ("*/allOpenOrders", "*/cancel-all"):
            scene.host.faults.add(Answer(path=path, status=200, body=done, count=None))
        with pytest.raises(OutcomeUnknown, match="1 orders are still open"):
            await scene.connector.cancel_all("BTCUSDT")
        (told,) = scene.of(ChangeUnresolved)
        assert isinstance(told, ChangeUnresolved)
        assert (told.change, told.orders) == ("CANCEL", ("stays",))

    play(scenario, venue)


@pytest.mark.slow
def test_a_lost_answer_is_looked_into_at_once_though_the_account_has_been_read_so_often_that_its_budget_is_spent() -> (
    None
):
    async def scenario(scene: Scene) -> None:
        connector = scene.connector
        await connector.open_account_stream()
        reading = [asyncio.ensure_future(connector.get_open_orders()) for _ in range(60)]
        await scene.sleep(1)
        assert not all(one.done() for one in reading)
        lose(scene, "doubt", executed=True)
        mute(scene, "doubt")
        began_s = scene.now_s
        await resting(scene, "doubt")
        assert scene.now_s - began_s < 1
        for one in reading:
            one.cancel()

    play(scenario, "binance")


@both
def test_many_orders_at_once_in_the_wrong_position_mode_ask_for_it_once_and_a_cancelled_one_is_settled(
    venue: str, tmp_path: Path
) -> None:
    mode = {"binance": "/fapi/v1/positionSide/dual", "bybit": "/v5/position/list"}[venue]

    async def scenario(scene: Scene) -> None:
        async with scene.world.connector(venue) as other:
            await other.set_position_mode("HEDGE", *(["BTCUSDT"] if venue == "bybit" else []))
        scene.connector = scene.world.connector(venue, journal=tmp_path / "orders.db")
        async with scene.connector as connector:
            scene.host.faults.add(Delay(method="GET", path=mode, seconds=1.0))
            before = len(scene.tap.sent)
            placing = [asyncio.ensure_future(resting(scene, f"mode-{n}")) for n in range(10)]
            await scene.sleep(0.5)
            placing[0].cancel()
            await scene.sleep(5)
            assert sum(one.call == ("GET", mode) for one in scene.tap.sent[before:]) == 1
            assert all(isinstance(one.result(), Order) for one in placing[1:])
            assert connector.journal is not None
            outcomes = {one.client_order_id: one.outcome for one in connector.journal.orders()}
            assert outcomes == {"mode-0": "REFUSED"} | {f"mode-{n}": "PLACED" for n in range(1, 10)}

    play(scenario, venue)


def test_a_cancel_whose_answer_is_lost_is_not_told_by_an_older_order_of_the_same_id() -> None:
    async def scenario(scene: Scene) -> None:
        connector = scene.connector
        first = await connector.place_order("BTCUSDT", "BUY", "0.01", client_order_id="same")
        assert (await connector.get_order("BTCUSDT", first.order_id)).status is OrderStatus.FILLED
        await scene.sleep(5)
        async with scene.world.connector("binance") as other_program:
            second = await other_program.place_order(**limit(scene, "same"))
        method, path = CANCEL["binance"]
        scene.host.faults.add(LoseAnswer(method=method, path=path, how="reset", count=3))
        ended = await connector.cancel_order("BTCUSDT", client_order_id="same")
        assert (ended.order_id, ended.status) == (second.order_id, OrderStatus.CANCELED)

    play(scenario, "binance")

"""The venue's clock is stepped while an account is followed: no fill and no order is lost by it, none is told twice."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from tests.criteria import tapped
from tests.criteria.tapped import VENUES, Scene

from perpwire.model.incident import PositionMismatch, StreamStale
from perpwire.model.market import Gap
from perpwire.model.order import Fill, Order, Side
from perpwire.simulator.faults import Answer, Cut, FillOrder, Refuse, Skew

pytestmark = pytest.mark.slow


async def fill_in_a_gap(scene: Scene) -> None:
    """The account's stream is lost for 6 s, and a resting order is filled meanwhile."""
    scene.host.faults.add(Refuse(seconds=6))
    scene.host.faults.add(Cut())
    await scene.sleep(2)
    scene.host.faults.add(FillOrder(symbol="BTCUSDT"))


async def rest(scene: Scene) -> None:
    price = scene.host.exchange.mark_price("BTCUSDT") * Decimal("0.97")
    await scene.connector.place_order("BTCUSDT", "BUY", "0.05", "LIMIT", price=price, round="nearest")


async def resting(scene: Scene) -> list[Fill]:
    """The account is followed, and has an order that rests. Gives what is told of fills."""
    fills: list[Fill] = []
    scene.connector.on(Fill, fills.append)
    await scene.connector.open_account_stream()
    await rest(scene)
    return fills


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("skews", [(-25.0,), (-60.0,), (-300.0,), (60.0,), (60.0, 0.0), (-60.0, 0.0)], ids=str)
def test_a_fill_in_a_gap_after_a_step_is_told_once(skews: tuple[float, ...], venue: str) -> None:
    """Soon after all of it was read; the first of its contract."""

    async def scenario(scene: Scene) -> None:
        fills: list[Fill] = []
        scene.connector.on(Fill, fills.append)
        gaps: list[Gap] = []
        scene.connector.on(Gap, lambda gap: gaps.append(gap) if gap.kind == "Fill" else None)
        await scene.connector.open_account_stream()
        await rest(scene)
        await scene.sleep(20)
        for skew_s in skews:
            scene.host.faults.add(Skew(seconds=skew_s))
            await scene.sleep(1)
        await fill_in_a_gap(scene)
        await scene.sleep(30)
        (fill,) = fills
        assert fill.recovered
        assert [gap.repaired for gap in gaps] == [True]
        await scene.sleep(60)
        assert len(fills) == 1
        assert not scene.of(PositionMismatch)
        assert not scene.of(StreamStale)
        assert scene.connector.is_account_stream_live

    tapped.play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("skew_s", [-25.0, -60.0])
def test_a_fill_just_before_a_step_back_in_the_same_gap_is_told_when_the_venue_lists_it_and_is_no_false_alarm(
    skew_s: float, venue: str
) -> None:
    """It is stamped with a time that the venue's clock has not reached again when it is read back."""

    async def scenario(scene: Scene) -> None:
        fills = await resting(scene)
        await scene.sleep(20)
        await fill_in_a_gap(scene)
        scene.host.faults.add(Skew(seconds=skew_s))
        await scene.sleep(35 - skew_s)
        assert len(fills) == 1
        await scene.sleep(60)
        assert len(fills) == 1
        assert not scene.of(PositionMismatch)
        assert not scene.of(StreamStale)

    tapped.play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_a_fill_while_the_clock_was_back_for_seconds_and_nothing_was_asked_is_told(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        fills = await resting(scene)
        await scene.sleep(60)
        scene.host.faults.add(Skew(seconds=-50))
        await fill_in_a_gap(scene)
        scene.host.faults.add(Skew(seconds=0))
        await scene.sleep(20)
        assert len(fills) == 1

    tapped.play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_an_order_that_was_born_and_ended_in_a_gap_after_a_step_back_is_told(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        told: list[Order] = []
        scene.connector.on(Order, told.append)
        await scene.connector.open_account_stream()
        await scene.sleep(20)
        scene.host.faults.add(Skew(seconds=-60))
        async with scene.world.connector(venue) as other:
            await other.get_positions()
            scene.host.faults.add(Cut())
            await other.place_order("BTCUSDT", "BUY", "0.01", client_order_id="by-hand")
            await scene.sleep(30)
        assert [(order.client_order_id, order.status.is_final) for order in told] == [("by-hand", True)]

    tapped.play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_what_was_filled_before_the_account_was_opened_is_not_taken_for_new_after_a_step_back(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        async with scene.world.connector(venue) as other:
            await other.place_order("BTCUSDT", "BUY", "0.01", client_order_id="by-hand")
        await scene.sleep(5)
        fills = await resting(scene)
        scene.host.faults.add(Skew(seconds=-25))
        await scene.sleep(5)
        await fill_in_a_gap(scene)
        await scene.sleep(60)
        assert [fill.quantity for fill in fills] == [Decimal("0.05")]

    tapped.play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_over_a_restart_with_a_journal_a_step_back_loses_and_doubles_none(venue: str, tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        told: list[Fill] = []
        journal = tmp_path / "orders.db"
        async with scene.world.connector(venue) as other:
            await other.place_order("BTCUSDT", "BUY", "0.01", client_order_id="before-all")
            for life in range(3):
                async with scene.world.connector(venue, journal=journal) as ours:
                    ours.on(Fill, told.append)
                    await ours.open_account_stream()
                    await ours.place_order("BTCUSDT", "BUY", "0.01", client_order_id=f"ours-{life}")
                    await scene.sleep(9)
                if life < 2:
                    scene.host.faults.add(Skew(seconds=-30.0 * (life + 1)))
                await other.place_order("BTCUSDT", "SELL", "0.01", client_order_id=f"by-hand-{life}")
        assert len({fill.trade_id for fill in told}) == len(told)
        bought, sold = (sum(fill.quantity for fill in told if fill.side is side) for side in (Side.BUY, Side.SELL))
        assert (bought, sold) == (Decimal("0.03"), Decimal("0.02")), "not before the first life, nor after the last"

    tapped.play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("skew_s", [-150.0, -300.0, -500.0])
def test_in_a_later_life_a_fill_after_a_step_to_before_it_began_is_told_once(
    skew_s: float, venue: str, tmp_path: Path
) -> None:
    async def scenario(scene: Scene) -> None:
        fills: list[Fill] = []
        async with scene.world.connector(venue, journal=tmp_path / "journal") as first:
            await first.open_account_stream()
            await scene.connector.place_order("BTCUSDT", "BUY", "0.05")
            await scene.sleep(30)
        async with scene.world.connector(venue, journal=tmp_path / "journal") as second:
            second.on(Fill, fills.append)
            await second.open_account_stream()
            await rest(scene)
            await scene.sleep(20)
            scene.host.faults.add(Skew(seconds=skew_s))
            await scene.sleep(1)
            await fill_in_a_gap(scene)
            await scene.sleep(90)
            (fill,) = fills
            assert fill.recovered
            assert second.is_account_stream_live

    tapped.play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_where_a_step_is_so_wide_that_fills_cannot_be_told_from_older_ones_the_gap_is_not_said_to_be_repaired(
    venue: str,
) -> None:
    """By 12 minutes, to before what was read first. Other streams bring what follows."""

    async def scenario(scene: Scene) -> None:
        fills: list[Fill] = []
        gaps: list[Gap] = []
        scene.connector.on(Fill, fills.append)
        scene.connector.on(Gap, lambda gap: gaps.append(gap) if gap.kind == "Fill" else None)
        await scene.connector.open_account_stream()
        await rest(scene)
        await scene.sleep(20)
        scene.host.faults.add(Skew(seconds=-720.0))
        await scene.sleep(1)
        await fill_in_a_gap(scene)
        await scene.sleep(60)
        assert fills == []
        assert gaps
        assert not gaps[-1].repaired
        assert "clock was put back" in gaps[-1].why
        before = len(gaps)
        await scene.connector.place_order("BTCUSDT", "BUY", "0.01")
        await scene.sleep(60)
        assert len(fills) == 1
        assert len(gaps) == before

    tapped.play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_such_a_step_alone_is_no_gap(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        gaps: list[Gap] = []
        scene.connector.on(Gap, gaps.append)
        await scene.connector.open_account_stream()
        await scene.sleep(60)
        scene.host.faults.add(Skew(seconds=-720.0))
        await scene.sleep(120)
        assert gaps == []

    tapped.play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("skew_s", [-50.0, -120.0])
def test_a_fill_that_the_stream_tells_of_before_any_answer_shows_the_step_is_no_mismatch(
    skew_s: float, venue: str
) -> None:
    """An order of another program is filled: its time is one before the account was read."""

    async def scenario(scene: Scene) -> None:
        fills = await resting(scene)
        await scene.sleep(60)
        scene.host.faults.add(Skew(seconds=skew_s))
        await scene.sleep(0.2)
        scene.host.faults.add(FillOrder(symbol="BTCUSDT"))
        await scene.sleep(300)
        assert [fill.recovered for fill in fills] == [False]
        assert not scene.of(PositionMismatch)

    tapped.play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_nor_are_two_fills_of_one_gap_between_which_the_clock_is_put_back(venue: str) -> None:
    """The position is counted anew with both in it; the first is listed only when the clock has passed its time."""

    async def scenario(scene: Scene) -> None:
        fills = await resting(scene)
        await scene.sleep(20)
        scene.host.faults.add(Cut(route="private"))
        scene.host.faults.add(Answer(method="WS", status=503, count=None, for_s=4.0))
        await scene.sleep(1)
        scene.host.faults.add(FillOrder(symbol="BTCUSDT", quantity=Decimal("0.02")))
        await scene.sleep(1)
        scene.host.faults.add(Skew(seconds=-50.0))
        await scene.sleep(0.2)
        await scene.connector.place_order("BTCUSDT", "BUY", "0.01")
        await scene.sleep(300)
        assert sum(fill.quantity for fill in fills) == Decimal("0.03")
        assert not scene.of(PositionMismatch)

    tapped.play(scenario, venue)

"""Leverage and modes: a change is told as an event, whether the venue says it, a position shows it or a reading finds
it; what can't be known is said to be missing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from tests.playing import play

from perpwire.api_connector.event_queue import EventQueue
from perpwire.data_processor.account_settings import KnownSettings, settings_of_position
from perpwire.model.account import (
    AccountEvent,
    AssetModeChanged,
    LeverageChanged,
    MarginMode,
    MarginModeChanged,
    Position,
    PositionMode,
    PositionModeChanged,
)
from perpwire.model.incident import Incident, TaskFailed
from perpwire.model.market import Gap
from perpwire.model.order import PositionSide
from perpwire.scenarios.run import KEY
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.faults import Answer, Cut, Delay, Refuse, Silence
from perpwire.testing import World

VENUES = ["binance", "bybit"]


class Scene:
    """A watched account; what is done on `exchange` is done by hand, elsewhere."""

    def __init__(self, world: World, venue: str, queue: EventQueue[AccountEvent | Gap]) -> None:
        self.world = world
        self.venue = venue
        self.connector = world.connectors[venue]
        self.exchange: Exchange = world.simulation.hosts[venue].exchange
        self._queue = queue

    async def heard(self, within_s: float = 2.0) -> list[AccountEvent | Gap]:
        await self.world.clock.sleep(within_s)
        return [await anext(self._queue) for _ in range(self._queue.waiting)]

    def away(self, seconds: float) -> None:
        """The account's stream is lost, and can't be had again for so long."""
        faults = self.world.simulation.faults[self.venue]
        faults.add(Refuse(seconds=seconds))
        faults.add(Cut())


def watched(venue: str, scenario: Callable[[Scene], Awaitable[None]], before: str = "") -> None:
    """With an open position in `before`, if it is named."""

    async def main(world: World) -> None:
        connector = world.connectors[venue]
        if before:
            await connector.place_order(before, "BUY", "0.02")
        await scenario(Scene(world, venue, await connector.watch_account()))

    play(venue, main, rate=0.5)


def said(events: list[AccountEvent | Gap]) -> list[tuple[object, ...]]:
    return [(type(one).__name__, one.symbol, one.kind if isinstance(one, Gap) else one.recovered) for one in events]


# --- while the stream is there --------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", VENUES)
def test_a_changed_leverage_is_told_once_and_only_when_it_has_changed(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        assert await scene.heard() == []
        await scene.connector.place_order("BTCUSDT", "BUY", "0.01")
        assert await scene.heard() == []
        await scene.connector.set_leverage("BTCUSDT", 7)
        (event,) = await scene.heard()
        assert isinstance(event, LeverageChanged)
        assert (event.symbol, event.leverage, event.position_side) == ("BTCUSDT", Decimal(7), PositionSide.BOTH)
        assert not event.recovered
        assert event.received_ns
        await scene.connector.place_order("BTCUSDT", "SELL", "0.01")
        await scene.connector.set_leverage("BTCUSDT", 7)
        assert await scene.heard(400) == []
        scene.exchange.set_leverage(KEY.name, "BTCUSDT", Decimal(9))
        (event,) = await scene.heard()
        assert isinstance(event, LeverageChanged)
        assert event.leverage == 9

    watched(venue, scenario, before="BTCUSDT")


def test_at_bybit_what_was_first_heard_of_a_symbol_is_no_change() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.set_leverage("ETHUSDT", 7)  # nobody knows what it was
        assert await scene.heard() == []
        await scene.connector.set_leverage("ETHUSDT", 8)
        (event,) = await scene.heard()
        assert isinstance(event, LeverageChanged)
        assert event.leverage == 8

    watched("bybit", scenario)


def test_at_bybit_each_side_of_a_hedged_symbol_has_its_leverage_and_the_mode_is_told() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.set_leverage("ETHUSDT", 7)
        assert await scene.heard() == []
        await scene.connector.set_position_mode("HEDGE", "ETHUSDT")
        (event,) = await scene.heard()
        assert isinstance(event, PositionModeChanged)
        assert (event.symbol, event.position_mode, event.recovered) == ("ETHUSDT", PositionMode.HEDGE, False)
        await scene.connector.set_leverage("ETHUSDT", 8)
        heard = await scene.heard()
        assert {one.position_side for one in heard if isinstance(one, LeverageChanged)} == {
            PositionSide.LONG,
            PositionSide.SHORT,
        }
        assert len(heard) == 2

    watched("bybit", scenario)


def test_at_binance_a_changed_margin_mode_is_told_when_positions_show_it() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.set_margin_mode("ISOLATED", "ETHUSDT")
        await scene.connector.place_order("ETHUSDT", "BUY", "0.1")
        heard = await scene.heard()
        assert said(heard) == [("MarginModeChanged", "ETHUSDT", False)]
        assert isinstance(heard[0], MarginModeChanged)
        assert heard[0].margin_mode is MarginMode.ISOLATED

    watched("binance", scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_what_neither_stream_nor_positions_show_is_found_within_minutes(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        if venue == "binance":
            scene.exchange.set_hedge(KEY.name, None, True)
        else:
            scene.exchange.set_isolated(KEY.name, None, True)
        heard = await scene.heard(400)
        name = {"binance": "PositionModeChanged", "bybit": "MarginModeChanged"}[venue]
        assert said(heard) == [(name, "", True)]
        assert await scene.heard(400) == []

    watched(venue, scenario)


# --- while it is away -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_what_was_set_while_the_stream_was_away_is_told_after_a_gap_and_marked(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        exchange = scene.exchange
        assert await scene.heard() == []
        scene.away(8)
        await scene.world.clock.sleep(2)
        exchange.set_leverage(KEY.name, "BTCUSDT", Decimal(5))
        exchange.set_isolated(KEY.name, "BTCUSDT" if venue == "binance" else None, True)
        exchange.set_hedge(KEY.name, "ETHUSDT" if venue == "bybit" else "SOLUSDT", True)
        heard = await scene.heard(40)
        gap = heard[0]
        assert isinstance(gap, Gap)
        assert (gap.kind, gap.repaired, gap.symbol) == ("AccountEvent", False, "")
        assert "margin calls are lost" in gap.why
        told = {type(one): one for one in heard[1:]}
        assert len(told) == len(heard) - 1
        assert set(told) == {LeverageChanged, MarginModeChanged}
        assert all(isinstance(one, AccountEvent) and one.recovered for one in heard[1:])
        leverage, mode = told[LeverageChanged], told[MarginModeChanged]
        assert isinstance(leverage, LeverageChanged)
        assert (leverage.symbol, leverage.leverage) == ("BTCUSDT", Decimal(5))
        assert isinstance(mode, MarginModeChanged)
        assert (mode.symbol, mode.margin_mode) == ("BTCUSDT" if venue == "binance" else "", MarginMode.ISOLATED)
        assert await scene.heard(400) == []

    watched(venue, scenario, before="BTCUSDT")


def test_at_binance_modes_of_the_account_that_were_set_meanwhile_are_told_too() -> None:
    async def scenario(scene: Scene) -> None:
        scene.world.simulation.faults["binance"].add(Silence(route="private", seconds=90))
        await scene.connector.set_position_mode("HEDGE")
        await scene.connector.call("POST", "/fapi/v1/multiAssetsMargin", {"multiAssetsMargin": "true"})
        heard = await scene.heard(200)
        assert isinstance(heard[0], Gap)
        assert {type(one) for one in heard[1:]} == {PositionModeChanged, AssetModeChanged}
        assert len(heard) == 3

    watched("binance", scenario)


def test_at_bybit_the_leverage_of_a_symbol_without_a_position_is_told_at_its_next_message() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.set_leverage("ETHUSDT", 7)
        assert await scene.heard() == []
        scene.away(8)
        await scene.world.clock.sleep(2)
        scene.exchange.set_leverage(KEY.name, "ETHUSDT", Decimal(5))
        assert said(await scene.heard(40)) == [("Gap", "", "AccountEvent")]
        await scene.connector.place_order("ETHUSDT", "BUY", "0.1")
        (event,) = await scene.heard()
        assert isinstance(event, LeverageChanged)
        assert event.leverage == 5

    watched("bybit", scenario)


# --- readings -------------------------------------------------------------------------------------------------------


def test_what_the_stream_tells_while_a_reading_is_on_its_way_is_not_taken_back_by_it() -> None:
    async def scenario(scene: Scene) -> None:
        faults = scene.world.simulation.faults["binance"]
        faults.add(Delay(method="GET", path="/fapi/v1/symbolConfig", seconds=3.0, where="answer"))
        scene.away(1)
        await scene.world.clock.sleep(4)
        await scene.connector.set_leverage("SOLUSDT", 5)
        heard = await scene.heard(30)
        assert said(heard) == [("Gap", "", "AccountEvent"), ("LeverageChanged", "SOLUSDT", False)]
        assert await scene.heard(400) == []

    watched("binance", scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_settings_that_cannot_be_read_hold_up_nothing_and_are_told_when_they_can(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        path = {"binance": "/fapi/v1/accountConfig", "bybit": "/v5/account/info"}[venue]
        faults = scene.world.simulation.faults[venue]
        faults.add(Answer(method="GET", path=path, status=404, count=None, for_s=120))
        scene.away(1)
        await scene.world.clock.sleep(0.5)
        scene.exchange.set_isolated(KEY.name, "BTCUSDT" if venue == "binance" else None, True)
        heard = await scene.heard(30)
        assert said(heard) == [("Gap", "", "AccountEvent")]
        assert scene.connector.is_account_stream_live
        heard = await scene.heard(600)
        assert [type(one) for one in heard] == [MarginModeChanged]

    watched(venue, scenario)


def test_a_position_that_was_read_says_nothing_of_the_margin_mode() -> None:
    """Binance's newest reading does not state it: it is inferred there."""
    known = KnownSettings()
    live, read = (
        Position(
            venue="binance", symbol="A", quantity=Decimal(1), entry_price=Decimal(1), received_ns=arrival,
            margin_mode=mode,
        )
        for arrival, mode in ((1, "cross"), (0, "isolated"))
    )  # fmt: skip
    assert known.changed(settings_of_position(live, mode_by_symbol=False)) == []
    assert known.changed(settings_of_position(read, mode_by_symbol=False)) == []


@pytest.mark.parametrize(
    ("venue", "path", "body"),
    [
        ("bybit", "/v5/account/info", '{"retCode":0,"retMsg":"OK","result":{"marginMode":"NEW_MODE"}}'),
        ("binance", "/fapi/v1/symbolConfig", '[{"symbol":"BTCUSDT","marginType":"NEW","leverage":20}]'),
        ("binance", "/fapi/v1/accountConfig", "[]"),
    ],
)
def test_a_mode_that_nobody_knows_and_an_odd_answer_are_no_change_and_no_trouble(
    venue: str, path: str, body: str
) -> None:
    async def scenario(scene: Scene) -> None:
        scene.world.simulation.faults[venue].add(Answer(path=path, status=200, body=body, count=None, for_s=60))
        incidents = list[Incident]()
        scene.connector.on_incident(incidents.append)
        scene.away(1)
        assert said(await scene.heard(30)) == [("Gap", "", "AccountEvent")]
        assert scene.connector.is_account_stream_live
        assert not [one for one in incidents if isinstance(one, TaskFailed)]

    watched(venue, scenario)

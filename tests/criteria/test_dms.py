"""DMS: orders do not outlive the program that looks after them."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import APIError, BadInput
from perpwire.model.incident import DeadManFailed, Incident
from perpwire.simulator.faults import Answer, Delay, LoseRequest
from perpwire.simulator.server import running
from perpwire.testing import World, offline

SYMBOLS = ("BTCUSDT", "ETHUSDT")


def play(venue: str, scene: Callable[[World, VenueConnector], Awaitable[None]]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,), rate=1.0) as world:
            await scene(world, world.connectors[venue])

    clock.run(main())


async def rest(connector: VenueConnector) -> None:
    await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price="50000")
    await connector.place_order("ETHUSDT", "SELL", "1", "LIMIT", price="4000")
    await connector.place_order("SOLUSDT", "BUY", "1", "LIMIT", price="100")
    await connector.place_order("BTCUSDT", "SELL", "0.01", "STOP_MARKET", trigger_price="50000")


def open_symbols(world: World, venue: str) -> set[str]:
    return {order.symbol for order in world.simulation.hosts[venue].exchange.open_orders("main", None)}


def stop_dead(connector: VenueConnector) -> None:
    """As if the process had been killed, or its loop blocked: nothing of it runs any more."""
    parts = connector._parts
    assert parts is not None
    assert parts.dead_man._renewing
    for task in parts.dead_man._renewing:
        task.cancel()


def test_dms_1_a_program_that_dies_leaves_no_order_on_the_armed_symbols_for_longer_than_its_time() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await rest(connector)
        await connector.arm_dead_man(30.0, SYMBOLS)
        await world.clock.sleep(300.0)
        assert open_symbols(world, "binance") == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
        stop_dead(connector)
        await world.clock.sleep(31.0)
        # Only what was armed, and ...
        assert open_symbols(world, "binance") == {"SOLUSDT"}
        # DMS-2: ... the venue's countdown leaves conditional orders alone.
        assert len(world.simulation.hosts["binance"].exchange.open_triggers("main", None)) == 1

    play("binance", scene)


def test_dms_1_while_all_is_well_it_is_renewed_at_a_third_of_the_time_and_its_weight_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        with caplog.at_level(logging.INFO, "perpwire.api_connector"):
            await connector.arm_dead_man(30.0, SYMBOLS)
        assert "uses {'weight_1m': 120} a minute" in caplog.text
        journal = world.simulation.hosts["binance"].journal

        def renewals() -> int:
            return sum("countdownCancelAll" in entry.text for entry in journal.entries(kind="request"))

        before = renewals()
        await world.clock.sleep(60.5)
        assert renewals() - before == 12
        await connector.disarm_dead_man()
        await rest(connector)
        before = renewals()
        await world.clock.sleep(60.0)
        assert renewals() == before
        assert open_symbols(world, "binance") == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}

    play("binance", scene)


def test_dms_1_a_renewal_that_fails_is_told_within_ten_seconds_and_tried_again() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        incidents: list[tuple[float, Incident]] = []
        connector.on_incident(lambda one: incidents.append((world.clock.monotonic_ns() / 1e9, one)))
        await rest(connector)
        await connector.arm_dead_man(30.0, ["BTCUSDT"])
        armed_s = world.clock.monotonic_ns() / 1e9
        world.simulation.faults["binance"].add(
            LoseRequest(method="POST", path="/fapi/v1/countdownCancelAll", how="silence", for_s=19.0, count=None)
        )
        await world.clock.sleep(60.0)
        told = [at_s for at_s, one in incidents if isinstance(one, DeadManFailed)]
        assert told
        assert told[0] - (armed_s + 10.0) <= 10.1
        assert "BTCUSDT" in open_symbols(world, "binance")  # the third renewal came in time

    play("binance", scene)


def test_dms_1_at_bybit_the_venue_watches_the_accounts_stream() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await connector.arm_dead_man(10)
        await world.clock.sleep(15.0)  # it takes effect ten seconds later
        await rest(connector)
        await world.clock.sleep(60.0)
        assert open_symbols(world, "bybit") == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
        await connector.streams.close()
        await world.clock.sleep(11.0)
        assert open_symbols(world, "bybit") == set()
        # DMS-2: orders that wait for a trigger stay.
        assert len(world.simulation.hosts["bybit"].exchange.open_triggers("main", None)) == 1

    play("bybit", scene)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_what_can_not_be_armed_is_refused_here(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        wrong: list[Awaitable[None]] = [
            connector.arm_dead_man(0.0, ["BTCUSDT"]),
            connector.arm_dead_man(-1.0, ["BTCUSDT"]),
        ]
        wrong.append(connector.arm_dead_man(30.0) if venue == "binance" else connector.arm_dead_man(2.5))
        for one in wrong:
            with pytest.raises(BadInput):
                await one

    play(venue, scene)


def test_closing_leaves_it_armed_as_nobody_looks_after_the_orders_then() -> None:
    async def scene(world: World, _: VenueConnector) -> None:
        async with world.connector("binance") as connector:
            await rest(connector)
            await connector.arm_dead_man(10.0, ["BTCUSDT"])
        await asyncio.sleep(11.0)
        assert open_symbols(world, "binance") == {"ETHUSDT", "SOLUSDT"}

    play("binance", scene)


TRADER = """
import asyncio, sys
from perpwire.venues import load
from perpwire.api_connector.venue_connector import VenueConnector

async def main(venue, url, seconds):
    async with VenueConnector(load(venue), "sim-key", "sim-secret", url=url) as connector:
        await connector.arm_dead_man(seconds, ["BTCUSDT"] if venue == "binance" else [])
        await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price="50000")
        print("resting", flush=True)
        await asyncio.sleep(600)

asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
"""


@pytest.mark.slow
async def test_dms_1_a_killed_process_leaves_no_order_behind() -> None:
    async with running(venues=("binance",)) as simulation:
        exchange = simulation.hosts["binance"].exchange
        trader = await asyncio.create_subprocess_exec(
            sys.executable, "-c", TRADER, "binance", simulation.urls["binance"], "1.5",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            assert trader.stdout is not None
            assert await trader.stdout.readline() == b"resting\n"
            # It outlives its countdown for as long as the process lives ...
            await asyncio.sleep(2.5)
            assert len(exchange.open_orders("main", None)) == 1
        finally:
            trader.kill()
            await trader.wait()
        # ... and ends with it. The bound is generous: this machine has other things to do.
        async with asyncio.timeout(15):
            while exchange.open_orders("main", None):  # noqa: ASYNC110 - the truth has no event
                await asyncio.sleep(0.05)


REFUSAL = Answer(
    method="POST", path="/fapi/v1/countdownCancelAll", status=400, body='{"code":-1102,"msg":"no"}', count=1
)


def test_what_could_be_armed_in_part_only_is_set_back_so_that_nothing_fires_unrenewed() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await rest(connector)
        faults = world.simulation.faults["binance"]
        faults.add(REFUSAL)
        with pytest.raises(APIError):
            await connector.arm_dead_man(10.0, SYMBOLS)
        await world.clock.sleep(15.0)
        assert open_symbols(world, "binance") == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
        # A shorter time than it is renewed for must not stay behind either.
        await connector.arm_dead_man(60.0, ["BTCUSDT", "ETHUSDT"])
        faults.add(REFUSAL)
        with pytest.raises(APIError):
            await connector.arm_dead_man(10.0, SYMBOLS)
        await world.clock.sleep(120.0)
        assert open_symbols(world, "binance") == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}

    play("binance", scene)


def test_symbols_that_stay_armed_are_renewed_though_another_could_not_be_disarmed() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await rest(connector)
        await connector.arm_dead_man(30.0, SYMBOLS)
        world.simulation.faults["binance"].add(msgspec.structs.replace(REFUSAL, contains="countdownTime=0"))
        with pytest.raises(APIError):
            await connector.arm_dead_man(30.0, ["BTCUSDT"])
        await world.clock.sleep(120.0)
        assert open_symbols(world, "binance") == {"BTCUSDT", "SOLUSDT"}

    play("binance", scene)


def test_a_switch_that_could_not_be_disarmed_can_be_disarmed_again() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await rest(connector)
        await connector.arm_dead_man(10.0, ["BTCUSDT"])
        world.simulation.faults["binance"].add(REFUSAL)
        with pytest.raises(APIError):
            await connector.disarm_dead_man()
        await connector.disarm_dead_man()
        await world.clock.sleep(20.0)
        assert open_symbols(world, "binance") == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}

    play("binance", scene)


def test_arming_goes_on_though_its_caller_is_cancelled_so_that_nothing_is_armed_and_not_renewed() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await rest(connector)
        slow = Delay(method="POST", path="/fapi/v1/countdownCancelAll", contains="ETHUSDT", seconds=2.0)
        world.simulation.hosts["binance"].faults.add(slow)
        arming = asyncio.ensure_future(connector.arm_dead_man(30.0, SYMBOLS))
        await world.clock.sleep(0.5)
        arming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await arming
        await world.clock.sleep(120.0)
        assert open_symbols(world, "binance") == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}

    play("binance", scene)


def test_a_renewal_that_is_slow_on_its_way_does_not_arm_again_what_was_disarmed_after_it() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await rest(connector)
        await connector.arm_dead_man(30.0, ["BTCUSDT"])
        slow = Delay(method="POST", path="/fapi/v1/countdownCancelAll", seconds=3.0, where="request")
        world.simulation.hosts["binance"].faults.add(slow)
        await world.clock.sleep(11.0)  # the renewal is on its way
        await connector.disarm_dead_man()
        await world.clock.sleep(120.0)
        assert "BTCUSDT" in open_symbols(world, "binance")

    play("binance", scene)


def test_a_renewal_that_is_slow_on_its_way_does_not_shorten_what_was_armed_after_it() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await rest(connector)
        await connector.arm_dead_man(12.0, ["BTCUSDT"])
        slow = Delay(method="POST", path="/fapi/v1/countdownCancelAll", seconds=1.5, where="request")
        world.simulation.hosts["binance"].faults.add(slow)
        await world.clock.sleep(4.5)  # the renewal is on its way
        await connector.arm_dead_man(90.0, ["BTCUSDT"])
        await world.clock.sleep(200.0)
        assert "BTCUSDT" in open_symbols(world, "binance")

    play("binance", scene)

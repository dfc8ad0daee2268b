"""The plugin, in projects that use it and in those that don't."""

from __future__ import annotations

from importlib.metadata import entry_points
from textwrap import dedent

import pytest

pytest_plugins = ["pytester"]

PLUGIN = "perpwire.pytest_plugin"


@pytest.fixture(autouse=True)
def _in_a_process_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n")


def run(pytester: pytest.Pytester, source: str, *flags: str) -> pytest.RunResult:
    pytester.makepyfile(dedent(source))
    # By name, so that this test does not depend on how perpwire is installed; see the test of the entry point.
    return pytester.runpytest_subprocess("-p", "no:perpwire", "-p", PLUGIN, "-p", "no:cacheprovider", *flags)


def test_installing_perpwire_registers_it() -> None:
    assert PLUGIN in {point.value for point in entry_points(group="pytest11", name="perpwire")}


@pytest.mark.slow
def test_a_sync_and_an_async_test_get_an_exchange_on_real_sockets(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import json, urllib.request
        import pytest

        def test_sync(perpwire_exchange):
            reply = urllib.request.urlopen(perpwire_exchange.bybit_url + "/v5/market/time")
            assert json.load(reply)["retCode"] == 0
            assert perpwire_exchange.binance_url != perpwire_exchange.bybit_url
            assert perpwire_exchange.exchange["bybit"].wallet("main")["USDT"] == 100000
            assert any("/v5/market/time" in entry.text for entry in perpwire_exchange.journal["bybit"])

        @pytest.mark.asyncio
        async def test_async(perpwire_exchange):
            from perpwire import BybitConnector
            url = perpwire_exchange.bybit_url
            async with BybitConnector(perpwire_exchange.api_key, perpwire_exchange.secret_key, url=url) as bybit:
                perpwire_exchange.faults.add({"kind": "lose_answer", "path": "/v5/order/create"})
                order = await bybit.place_order("BTCUSDT", "Buy", "0.01")
                assert order.quantity == perpwire_exchange.wait(
                    lambda simulation: simulation.exchanges["bybit"].position("main", "BTCUSDT").quantity or None
                )
        """,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_markers_say_how_it_is_to_be_the_nearest_first(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        pytestmark = pytest.mark.perpwire(venues=["binance"], rate=0, seed=1)

        def test_of_the_module(perpwire_exchange):
            assert perpwire_exchange.venues == ("binance",)
            assert perpwire_exchange.exchange["binance"].book("BTCUSDT", 5)[0] == []

        @pytest.mark.perpwire(
            accounts=[{"name": "rich", "api_key": "k", "secret_key": "s", "cash": "5"}],
            symbols=[{"symbol": "DOGEUSDT", "start_price": "0.08"}],
            faults=[{"kind": "cut", "after_s": 60}],
            rate=20,
        )
        class TestNearer:
            def test_it(self, perpwire_exchange):
                assert perpwire_exchange.venues == ("binance",)
                assert (perpwire_exchange.api_key, perpwire_exchange.secret_key) == ("k", "s")
                assert perpwire_exchange.exchange["binance"].book("DOGEUSDT", 5)[0]
                assert len(perpwire_exchange.faults.active()) == 1

        @pytest.mark.perpwire(sead=3)
        def test_mistaken(perpwire_exchange):
            pass

        @pytest.mark.perpwire(3)
        def test_nameless(perpwire_exchange):
            pass
        """,
        "--strict-markers",
    )
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*no option sead*seed*", "*named options only*"])


@pytest.mark.slow
def test_the_factory_serves_wider_fixtures_and_closes_what_is_left_open(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        @pytest.fixture(scope="module")
        def world(perpwire_exchange_factory):
            with perpwire_exchange_factory(venues=["bybit"], seed=3) as exchange:
                yield exchange

        def test_one(world, perpwire_exchange_factory):
            other = perpwire_exchange_factory(venues=["bybit"], seed=3)
            assert other.bybit_url != world.bybit_url

        def test_two(world):
            assert world.bybit.exchange.wallet("main")
        """,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_an_hour_passes_at_once_in_virtual_time(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.mark.perpwire(venues=["binance"], rate=0.1, seed=9)
        def test_it(perpwire_virtual):
            async def scenario(world):
                began = world.clock.time_ns()
                await world.binance.place_order("BTCUSDT", "BUY", "0.01")
                await asyncio.sleep(3600)
                (position,) = await world.binance.get_positions()
                assert position.symbol == "BTCUSDT"
                return (world.clock.time_ns() - began) / 1e9

            assert 3600 < perpwire_virtual(scenario) < 3700
        """,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.slow
def test_a_project_that_does_not_use_it_pays_next_to_nothing(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    result = run(
        pytester,
        """
        import sys

        def test_nothing_heavy_is_loaded():
            heavy = ("perpwire", "aiohttp", "msgspec", "picows")
            loaded = {name for name in sys.modules if name.split(".")[0] in heavy}
            assert loaded == {"perpwire", "perpwire.pytest_plugin"}
        """,
        "-p",
        "no:asyncio",
        "-p",
        "no:anyio",
    )
    result.assert_outcomes(passed=1)

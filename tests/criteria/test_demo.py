"""DEMO: no environment but live reaches a live host, and whose door refused a key is said."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import ManualClock
from perpwire.errors import AuthenticationFailed, NotOffered
from perpwire.testing import offline
from perpwire.venues import VENUES, load

ALLOWED = {
    ("binance", "demo"): {"demo-fapi.binance.com", "demo-fstream.binance.com", "testnet.binancefuture.com"},
    ("binance", "testnet"): {"testnet.binancefuture.com", "fstream.binancefuture.com"},
    ("bybit", "testnet"): {"api-testnet.bybit.com", "stream-testnet.bybit.com"},
    ("bybit", "demo"): {"api-demo.bybit.com", "stream-demo.bybit.com", "stream.bybit.com"},
}
LIVE_BY_DESIGN = {("bybit", "demo"): "stream.bybit.com"}
"""The venue's own design: demo accounts trade at the live market's prices, so their public data is the live one."""

ROUTES = {"binance": ("public", "market", "private"), "bybit": ("public", "private")}


def host(url: str) -> str:
    return urlsplit(url).hostname or ""


@pytest.mark.parametrize(("venue_name", "env"), ALLOWED)
def test_demo_1_every_call_stream_and_socket_of_another_environment_has_its_own_hosts(
    venue_name: str, env: str
) -> None:
    venue = load(venue_name)
    hosts, live = WebSocketManager(env=env).hosts(venue), venue.environments["live"]
    reached: set[str] = set()
    for endpoint in venue.rows:
        base = hosts.base(endpoint)
        if base is None:  # no such service here: refused before anything is sent
            assert endpoint.host == "wallet"
            continue
        assert base != live.base(endpoint), endpoint.name
        reached.add(host(base))
    urls = {route: venue.stream_url(hosts, route, "listen-key") for route in ROUTES[venue_name]}
    trading = venue.trade_url(hosts)
    reached |= {host(url) for url in urls.values()} | ({host(trading)} if trading else set())
    assert reached == ALLOWED[venue_name, env] - {None}
    live_hosts = {host(url) for url in (live.rest, live.streams, live.trade, live.wallet) if url}
    assert (
        reached & live_hosts == {LIVE_BY_DESIGN[venue_name, env]} & reached
        if env == "demo" and (venue_name == "bybit")
        else not reached & live_hosts
    )
    # Whatever a key goes along with is never live.
    assert host(urls["private"]) not in live_hosts
    assert host(hosts.rest) not in live_hosts


def test_demo_1_all_environments_are_enumerated() -> None:
    found = {(name, env) for name in VENUES for env in load(name).environments if env != "live"}
    assert found == set(ALLOWED)


@pytest.mark.parametrize("env", ["demo", "testnet"])
def test_demo_1_a_service_that_an_environment_lacks_is_refused_before_anything_is_sent(env: str) -> None:
    from perpwire.api_connector.routes import HttpRoute
    from perpwire.credentials import Credentials
    from perpwire.transport.memory import MemoryNetwork

    venue = load("binance")
    route = HttpRoute(venue, MemoryNetwork(ManualClock()), WebSocketManager(env=env).hosts(venue))
    call = venue.key_info()
    with pytest.raises(NotOffered) as caught:
        route.prepare(call.endpoint, call.params, Credentials("k", "s"), 0)
    assert caught.value.code == "NOT_IN_ENVIRONMENT"
    assert env in str(caught.value)


@pytest.mark.parametrize("venue", list(VENUES))
def test_demo_3_a_key_that_is_unknown_here_is_told_with_environment_and_address(venue: str) -> None:
    clock = ManualClock()

    async def scene() -> None:
        async with offline(clock=clock, venues=(venue,)) as world:
            with pytest.raises(AuthenticationFailed) as caught:
                await world.connector(venue, api_key="of-another-environment").start()
            stranger = world.connector(venue, api_key="of-another-environment", check_key=False)
            async with stranger:
                with pytest.raises(AuthenticationFailed) as of_a_call:
                    await stranger.get_account_info()
                with pytest.raises(AuthenticationFailed) as of_the_stream:
                    await stranger.open_account_stream()
            for error in (caught.value, of_a_call.value, of_the_stream.value):
                assert "environment 'sim'" in str(error)
                assert world.simulation.urls[venue].removeprefix("http") in str(error)

    clock.run(scene())

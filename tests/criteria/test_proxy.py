"""PROXY: one setting for every connection."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from tests.transport.peers import certified, threaded_server
from tests.transport.proxies import PASSWORD, USER, loopback_proxy

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.errors import BadInput, NotSent
from perpwire.http_message import HttpRequest
from perpwire.model.market import Trade
from perpwire.simulator.server import running
from perpwire.transport.base import HttpTransport, TransportFailed
from perpwire.transport.http import AiohttpTransport
from perpwire.transport.http1 import Http1Transport
from perpwire.transport.proxy import Proxy
from perpwire.venues import load

NOWHERE = "exchange.invalid"
"""A name that nobody can look up: what reaches the exchange by it went through the proxy, and was looked up there."""

LOGIN = f"{USER}:{quote(PASSWORD, safe='')}@"


async def use_everything(venue: str, url: str, **options: Any) -> None:
    """REST with the time and the key's check, market and account streams, a listen key, the trading socket."""
    connector = VenueConnector(load(venue), "sim-key", "sim-secret", url=url, road="websocket", **options)
    async with connector:
        assert connector.key_info is not None
        await connector.get_account_info()
        await connector.subscribe([Trade], ["BTCUSDT"])
        await connector.open_account_stream()
        async with asyncio.timeout(10):
            while not connector.is_trade_socket_live:  # noqa: ASYNC110 - it has no event of its own
                await asyncio.sleep(0.01)
        order = await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price="30000")
        await connector.cancel_order("BTCUSDT", order.order_id)


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["binance", "bybit"])
@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
async def test_proxy_1_every_connection_goes_through_the_proxy(
    venue: str, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers, clients = certified(tmp_path)
    looked_up: list[str] = []
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        looked_up.append(str(host))
        return resolve(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with (
        running(venues=[venue]) as simulation,
        loopback_proxy(urlsplit(simulation.urls[venue]).port or 0, servers if scheme == "https" else None) as (
            proxy,
            port,
        ),
    ):
        # socks5 looks names up here: it gets one that can be, at a port where nothing listens.
        url = "http://localhost:1" if scheme == "socks5" else f"http://{NOWHERE}"
        await use_everything(
            venue, url, proxy=f"{scheme}://{LOGIN}localhost:{port}", ssl_context=clients if scheme == "https" else None
        )
        assert proxy.refused == 0
        assert len(proxy.targets) >= 4  # REST, market, account, trading socket
        assert set(proxy.targets) == ({"127.0.0.1"} if scheme == "socks5" else {NOWHERE})
    assert NOWHERE not in looked_up


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
async def test_proxy_1_a_proxy_that_refuses_is_told_without_its_password_and_nothing_goes_past_it(
    scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with threaded_server() as server:
        async with loopback_proxy(server.port) as (proxy, port):
            connector = VenueConnector(
                load("bybit"),
                url=f"http://127.0.0.1:{server.port}",
                proxy=f"{scheme}://{USER}:canary-pw@127.0.0.1:{port}",
            )
            if scheme == "http":  # a plain request is answered by the proxy itself
                with pytest.raises(Exception, match="407"):
                    await connector.start()
            else:
                with pytest.raises(NotSent) as caught:
                    await connector.start()
                assert "canary-pw" not in str(caught.value)
            assert proxy.refused
            assert server.connections == 0
    assert "canary-pw" not in caplog.text + repr(connector) + repr(vars(connector))


@pytest.mark.parametrize("url", ["ftp://h:1", "socks5://", "canary", "http://u:canary@h:99999999", "http://h/path"])
def test_proxy_1_what_is_no_proxy_is_bad_input_that_repeats_nothing(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        VenueConnector(load("bybit"), proxy=url)
    assert caught.value.code == "BAD_PROXY"
    assert "canary" not in str(caught.value)


async def test_a_proxy_that_is_down_is_told_and_surely_nothing_was_sent(unused_tcp_port: int) -> None:
    for scheme in ("socks5h", "http"):
        http = AiohttpTransport(proxy=f"{scheme}://127.0.0.1:{unused_tcp_port}")
        with pytest.raises(TransportFailed) as caught:
            await http.exchange("https://exchange.invalid", HttpRequest(method="POST", target="/", headers={}), 5)
        assert not caught.value.may_have_been_sent
        await http.close()


@pytest.mark.parametrize("client", [AiohttpTransport, Http1Transport])
@pytest.mark.parametrize("scheme", ["http", "socks5h"])
async def test_the_way_through_a_proxy_is_encrypted_to_the_venue_and_its_certificate_checked(
    client: Any, scheme: str, tmp_path: Path
) -> None:
    if client is Http1Transport and scheme == "http":
        return  # it leaves HTTP proxies to aiohttp
    servers, trusting = certified(tmp_path)
    with threaded_server(servers) as server:
        async with loopback_proxy(server.port) as (proxy, port):
            request = HttpRequest(method="GET", target="/", headers={})
            through = Proxy(f"{scheme}://{LOGIN}127.0.0.1:{port}")
            http: HttpTransport = client(proxy=through, ssl_context=trusting)
            assert (await http.exchange("https://localhost:1", request, 5)).status == 200
            await http.close()
            http = client(proxy=through)
            with pytest.raises(TransportFailed, match="CERTIFICATE_VERIFY_FAILED") as caught:
                await http.exchange("https://localhost:1", request, 5)
            assert not caught.value.may_have_been_sent
            await http.close()
            assert proxy.targets == ["localhost", "localhost"]

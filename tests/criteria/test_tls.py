"""TLS: certificates are checked on every road, against authorities that the user may name, and never not checked."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import certifi
import pytest
from tests.transport.peers import certified, threaded_server
from tests.transport.proxies import PASSWORD, USER, loopback_proxy

from perpwire.api_connector.connector_core import ConnectorCore
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import SystemClock
from perpwire.errors import NotSent
from perpwire.http_message import HttpRequest
from perpwire.model.market import Trade
from perpwire.simulator.server import running
from perpwire.transport import certificates
from perpwire.transport.base import HttpTransport, TransportFailed
from perpwire.transport.http import AiohttpTransport
from perpwire.transport.http1 import Http1Transport
from perpwire.transport.proxy import Proxy
from perpwire.transport.websocket import PicowsTransport
from perpwire.venues import load

ROADS = [None, "http", "socks5", "socks5h"]


@asynccontextmanager
async def secured(to_port: int, tls: ssl.SSLContext) -> AsyncIterator[tuple[int, list[str]]]:
    """A port at which TLS ends in front of another; and the kinds of connection that came through it."""
    kinds: list[str] = []
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        onward: asyncio.StreamWriter | None = None

        async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                if sink is onward and b"\r\nsec-websocket-key:" in data.lower():
                    kinds.append(data.split(b" ")[1].split(b"?")[0].decode())
                elif sink is onward and b" HTTP/1.1\r\n" in data:
                    kinds.append("REST")
                sink.write(data)
            sink.close()

        try:
            back, onward = await asyncio.open_connection("127.0.0.1", to_port)
            await asyncio.gather(pipe(reader, onward), pipe(back, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            if onward is not None:
                onward.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], kinds
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def led(road: str | None, to_port: int) -> AsyncIterator[dict[str, Any]]:
    """The connector's options for a road, and what must have passed it."""
    if road is None:
        yield {}
        return
    async with loopback_proxy(to_port) as (proxy, port):
        yield {"proxy": f"{road}://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}"}
        assert len(proxy.targets) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["binance", "bybit"])
@pytest.mark.parametrize("road", ROADS)
async def test_tls_1_rest_streams_account_and_trading_socket_trust_the_users_own_authority(
    venue: str, road: str | None, tmp_path: Path
) -> None:
    servers, trusting = certified(tmp_path)
    async with (
        running(venues=[venue]) as simulation,
        secured(urlsplit(simulation.urls[venue]).port or 0, servers) as (port, kinds),
        led(road, port) as options,
    ):
        url = f"https://localhost:{port}"
        connector = VenueConnector(
            load(venue), "sim-key", "sim-secret", url=url, road="websocket", ssl_context=trusting, **options
        )
        async with connector:
            assert connector.key_info is not None
            await connector.subscribe([Trade], ["BTCUSDT"])
            await connector.open_account_stream()
            async with asyncio.timeout(20):
                while not connector.is_trade_socket_live:  # noqa: ASYNC110 - it has no event of its own
                    await asyncio.sleep(0.01)
            order = await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price="30000")
            await connector.cancel_order("BTCUSDT", order.order_id)
        assert "REST" in kinds
        assert len({kind for kind in kinds if kind != "REST"}) == 3  # market, account, trading


@pytest.mark.slow
@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("own", [False, True])
async def test_tls_1_a_certificate_of_another_authority_is_refused_on_every_road_and_it_says_what_to_do(
    road: str | None, own: bool, tmp_path: Path
) -> None:
    """By the system's store, and by the user's own authority where that is another."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    servers, _ = certified(tmp_path / "a")
    context = certified(tmp_path / "b")[1] if own else None
    async with (
        running(venues=["bybit"]) as simulation,
        secured(urlsplit(simulation.urls["bybit"]).port or 0, servers) as (port, kinds),
        loopback_proxy(port) as (_, proxy_port),
    ):
        proxy = None if road is None else f"{road}://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{proxy_port}"
        url = f"https://localhost:{port}"
        connector = VenueConnector(load("bybit"), "sim-key", "sim-secret", url=url, ssl_context=context, proxy=proxy)
        errors: list[Exception] = []
        with pytest.raises(NotSent) as refused:
            await connector.start()
        errors.append(refused.value)
        await connector.close()
        streaming = VenueConnector(load("bybit"), url=url, ssl_context=context, proxy=proxy)
        with pytest.raises(NotSent) as refused:
            await streaming.streams.connect_bybit_stream(["publicTrade.BTCUSDT"])
        errors.append(refused.value)
        await streaming.close()
        sockets = PicowsTransport(SystemClock(), proxy=proxy, ssl_context=context)
        with pytest.raises(TransportFailed) as failed:
            await sockets.connect(f"wss://localhost:{port}/v5/trade", _Deaf(), 10)
        errors.append(failed.value)
        await sockets.close()
        for error in errors:
            text = str(error)
            assert "CERTIFICATE_VERIFY_FAILED" in text
            assert ("ssl_context given" if own else "system's authorities") in text
            assert "create_default_context(cafile=" in text
            for advice in ("CERT_NONE", "verify=False", "check_hostname", "_create_unverified", PASSWORD):
                assert advice not in text
        assert kinds == []  # not one byte of a request


class _Deaf:
    def on_frames(self, frames: list[bytes], received_ns: int) -> None: ...
    def on_pong(self) -> None: ...
    def on_closed(self, reason: str) -> None: ...


@pytest.mark.parametrize("client", [AiohttpTransport, Http1Transport])
async def test_tls_1_a_certificate_for_another_host_is_refused(client: Any, tmp_path: Path) -> None:
    """The proxy leads the name to a server whose certificate is trusted, but is for localhost."""
    servers, trusting = certified(tmp_path)
    with threaded_server(servers) as server:
        async with loopback_proxy(server.port) as (_, port):
            through = Proxy(f"socks5h://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}")
            http: HttpTransport = client(ssl_context=trusting, proxy=through)
            with pytest.raises(TransportFailed, match="CERTIFICATE_VERIFY_FAILED") as caught:
                await http.exchange("https://exchange.invalid", HttpRequest(method="GET", target="/", headers={}), 5)
            assert not caught.value.may_have_been_sent
            assert "exchange.invalid" in str(caught.value)
            await http.close()
        assert server.requests == 0


def test_tls_1_where_python_knows_no_store_that_of_certifi_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    assert certificates.default_context().verify_mode is ssl.CERT_REQUIRED
    monkeypatch.setattr(certificates, "_store", lambda: certificates.NO_STORE)
    monkeypatch.setattr(ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context = certificates.default_context()
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.load_verify_locations(certifi.where())
    assert context.cert_store_stats() == theirs.cert_store_stats()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_tls_1_no_option_switches_verification_off() -> None:
    options = inspect.signature(ConnectorCore).parameters
    assert not [name for name in options if any(word in name for word in ("verify", "insecure", "unsafe"))]
    assert options["ssl_context"].default is None

"""The status page's server: what it says to whom, and what it does about those who do not listen."""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import suppress
from decimal import Decimal

import msgspec
import pytest
from aiohttp import ClientSession, CookieJar
from tests.gateway.serving import TOKEN, first, messages, serving, until

from perpwire.clock import SystemClock
from perpwire.errors import BadInput
from perpwire.gateway.door import HEADERS
from perpwire.gateway.pages import Pages
from perpwire.gateway.showing import Now, Shown
from perpwire.monitoring.observer import Observer
from perpwire.simulator.faults import Cut, Refuse

pytestmark = pytest.mark.slow


async def ready(client: ClientSession) -> bool:
    async with client.get("/health/ready") as response:
        return response.status == 200


# --- for people -------------------------------------------------------------------------------------------------------


async def test_the_page_and_its_files_are_there_small_and_asked_for_once() -> None:
    async with serving() as (_, gateway), ClientSession(gateway.address, auto_decompress=False) as client:
        page = await client.get("/", headers={"Accept-Encoding": "gzip"})
        assert page.status == 200
        assert page.content_type == "text/html"
        assert page.headers["Content-Encoding"] == "gzip"
        tag = page.headers["ETag"]
        again = await client.get("/", headers={"If-None-Match": tag})
        assert again.status == 304
        plain = await client.get("/", headers={"Accept-Encoding": "identity"})
        text = await plain.text()
        assert "Content-Encoding" not in plain.headers
        for asset in re.findall(r'"(/assets/[^"]+)"', text):
            found = await client.get(asset)
            assert found.status == 200, asset
        for missing in (
            "/assets/nothing.js",
            "/assets/page.html",
            "/assets/..%2Fpages.py",
            "/assets/../pages.py",
            "/no",
        ):
            assert (await client.get(missing)).status == 404, missing


async def test_without_prometheus_client_the_metrics_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client.exposition", None)
    async with serving() as (_, gateway), ClientSession(gateway.address) as client:
        said = await client.get("/metrics")
        assert said.status == 501
        assert "pip install 'perpwire[metrics]'" in await said.text()
        assert (await client.get("/health/live")).status == 200


async def test_every_answer_tells_browsers_to_trust_nothing_from_elsewhere() -> None:
    async with serving() as (_, gateway), ClientSession(gateway.address) as client:
        paths = (
            "/",
            "/assets/page.js",
            "/events",
            "/api/snapshot",
            "/health/live",
            "/metrics",
            "/nothing",
            "/api/history?name=x",
        )
        for path in paths:
            async with client.get(path) as response:
                assert {name: response.headers.get(name) for name in HEADERS} == HEADERS, path
        async with client.get("/", headers={"Host": "evil.example.com"}) as response:
            assert response.headers["X-Frame-Options"] == "DENY"


async def test_nothing_can_be_changed_from_there() -> None:
    async with serving() as (_, gateway), ClientSession(gateway.address) as client:
        for path in ("/", "/events", "/api/snapshot", "/api/incidents", "/api/history", "/health/ready", "/metrics"):
            for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                async with client.request(method, path) as response:
                    assert response.status == 405, (method, path)


# --- who may come in --------------------------------------------------------------------------------------------------


async def test_a_page_that_is_called_by_a_strange_name_shows_nothing() -> None:
    async with serving() as (_, gateway), ClientSession(gateway.address) as client:
        for path in ("/", "/api/snapshot", "/events", "/metrics", "/assets/page.js"):
            async with client.get(path, headers={"Host": "evil.example.com:80"}) as response:
                assert response.status == 421
                assert "USDT" not in await response.text()
        async with client.get("/api/snapshot", headers={"Host": "localhost:1"}) as response:
            assert response.status == 200


async def test_who_does_not_know_the_token_gets_no_data() -> None:
    async with serving(token=TOKEN) as (_, gateway), ClientSession(gateway.address) as client:
        for path in ("/api/snapshot", "/api/incidents", "/api/history", "/events", "/metrics", "/nothing"):
            for headers in (
                {},
                {"Authorization": "Bearer wrong"},
                {"Cookie": f"perpwire-{gateway.address[-5:]}={TOKEN}"},
            ):
                async with client.get(path, headers=headers) as response:
                    assert response.status == 401, path
                    assert response.headers["WWW-Authenticate"].startswith("Bearer")
        async with client.get("/") as response:
            assert response.status == 401
            assert 'type="password"' in await response.text()
        async with client.get("/", params={"token": "wrong"}, allow_redirects=False) as response:
            assert response.status == 401
            assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("header", [b"Authorization: Bearer \xff\xfe", b"Cookie: perpwire-8787=\xff\xfe"])
async def test_bytes_that_are_no_text_are_no_token_and_no_error(header: bytes) -> None:
    async with serving(token=TOKEN) as (_, gateway):
        host, port = gateway.address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:8787\r\n" + header + b"\r\nConnection: close\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
        writer.close()


async def test_who_knows_the_token_comes_in_by_header_or_once_by_the_address() -> None:
    async with serving(token=TOKEN) as (_, gateway):
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with ClientSession(gateway.address, headers=bearer) as client:
            assert (await client.get("/api/snapshot")).status == 200
            # Prometheus may call it by any name that leads here.
            assert (await client.get("/api/snapshot", headers={"Host": "perpwire.internal"})).status == 200
        async with ClientSession(gateway.address, cookie_jar=CookieJar(unsafe=True)) as client:
            shown = await client.get("/", params={"token": TOKEN, "lang": "ko"}, allow_redirects=False)
            assert shown.status == 303
            assert shown.headers["Location"] == "/?lang=ko"  # the token is gone from the address line
            cookie = shown.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert TOKEN not in cookie
            assert (await client.get("/api/snapshot")).status == 200
            assert (await client.get("/")).status == 200


async def test_supervisors_need_no_token_and_learn_nothing_but_the_state() -> None:
    async with serving(token=TOKEN) as (world, gateway), ClientSession(gateway.address) as client:
        assert await (await client.get("/health/live")).json() == {"live": True}
        await until(lambda: ready(client), "all stands")
        world.simulation.faults["binance"].add(Refuse(seconds=60))
        world.simulation.faults["binance"].add(Cut())

        async def is_not_ready() -> bool:
            async with client.get("/health/ready") as response:
                return response.status == 503 and await response.json() == {"ready": False}

        await until(is_not_ready, "the state alone")
        async with client.get("/health/ready", headers={"Authorization": f"Bearer {TOKEN}"}) as response:
            assert (await response.json())["missing"]


async def test_an_open_address_without_a_token_does_not_even_start() -> None:
    with pytest.raises(BadInput, match="no token"):
        async with serving(host="0.0.0.0"):
            raise AssertionError("it has started")
    async with serving(host="0.0.0.0", token=TOKEN) as (_, gateway):
        port = gateway.address.rpartition(":")[2]
        async with ClientSession(f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/api/snapshot")).status == 401


async def test_a_port_that_is_taken_is_an_error_with_nothing_left_open() -> None:
    async with serving() as (_, gateway):
        taken = int(gateway.address.rpartition(":")[2])
        clock = SystemClock()
        pages = Pages(Shown(Observer(clock), clock), lambda: (b"", ""), clock, port=taken)
        with pytest.raises(OSError, match="in use"):
            await pages.start()
        await pages.close()


# --- health and programs ----------------------------------------------------------------------------------------------


async def test_ready_says_what_is_missing_and_why_until_all_stands() -> None:
    async with serving(venues=("binance",)) as (world, gateway), ClientSession(gateway.address) as client:
        await until(lambda: ready(client), "all stands")
        world.simulation.faults["binance"].add(Refuse(seconds=3))
        world.simulation.faults["binance"].add(Cut())
        seen: dict[str, set[str]] = {}

        async def is_named() -> bool:
            async with client.get("/health/ready") as response:
                told = await response.json()
                for one in told.get("missing", []):
                    seen.setdefault(one["kind"], set()).add(one["what"])
                return response.status == 503 and {"connection", "book"} <= set(seen)

        await until(is_named, "connections and the book")
        assert seen["book"] == {"BTCUSDT"}
        assert "binance/public" in seen["connection"]
        await until(lambda: ready(client), "all stands again, by itself")


async def test_programs_get_exact_figures_as_text() -> None:
    async with serving() as (world, gateway), ClientSession(gateway.address) as client:
        await until(lambda: ready(client), "all stands")
        await world.binance.place_order("BTCUSDT", "BUY", "0.010", "MARKET")

        async def has_position() -> bool:
            told = await (await client.get("/api/snapshot")).json()
            venue = next(one for one in told["snapshot"]["venues"] if one["name"] == "binance")
            held = [one["quantity"] for one in venue["positions"]]
            return all(isinstance(one, str) for one in held) and [Decimal(one) for one in held] == [Decimal("0.01")]

        await until(has_position, "the position")
        told = await (await client.get("/api/snapshot")).json()
        assert told["missing"] == []
        assert {bar["name"] for bar in told["snapshot"]["bars"]} == {
            "response_time", "stability", "recovery", "accuracy", "latency"
        }  # fmt: skip


async def test_mistaken_questions_are_answered_as_such() -> None:
    async with serving() as (_, gateway), ClientSession(gateway.address) as client:
        for query in (
            "after=x",
            "after=-1",
            "limit=1.5",
            "after=99999999999999999999",
            "limit=%F0%9F%98%80",
            "after=²",
        ):
            async with client.get(f"/api/incidents?{query}") as response:
                assert response.status == 400, query
                assert "whole number" in (await response.json())["error"]
        async with client.get("/api/history?name=nowhere") as response:
            assert response.status == 404
            assert "binance" in (await response.json())["error"]
        async with client.get("/api/history?name=bybit") as response:
            assert set(await response.json()) == {"points", "minutes", "spans"}


# --- the stream -------------------------------------------------------------------------------------------------------


async def test_the_stream_tells_the_past_then_the_present_and_goes_on() -> None:
    async with serving() as (_, gateway), ClientSession(gateway.address) as client:
        await until(lambda: ready(client), "all stands")
        async with client.get("/events") as response:
            assert response.content_type == "text/event-stream"
            assert response.headers["Cache-Control"] == "no-store"
            told = []
            async for message in messages(response):
                told.append(message)
                if [one.event for one in told].count("snapshot") == 3:
                    break
        assert told[0].event == "hello"
        assert set(told[0].data) == {"run", "about"}
        assert {one.data["name"] for one in told if one.event == "history"} == {"binance", "bybit"}
        times = [one.data["snapshot"]["time_ns"] for one in told if one.event == "snapshot"]
        assert times == sorted(set(times))
        assert times[-1] - times[0] > 5e8


@pytest.mark.parametrize("way", ["header", "address"])
async def test_who_comes_back_is_told_only_what_it_has_missed(way: str) -> None:
    def back(last: str) -> tuple[str, dict[str, str]]:
        return ("/events", {"Last-Event-ID": last}) if way == "header" else (f"/events?last={last}", {})

    async with serving(venues=("bybit",)) as (world, gateway), ClientSession(gateway.address) as client:
        await until(lambda: ready(client), "all stands")
        async with client.get("/events") as response:
            hello = await first(response, "hello")
            world.simulation.faults["bybit"].add(Cut())
            lost = await first(
                response, "incidents", lambda data: any(one["kind"] == "connection_recovered" for one in data)
            )
        assert lost.id == f"{hello.data['run']}-{lost.data[-1]['id']}"
        await until(lambda: ready(client), "all stands again")
        known = (await (await client.get("/api/incidents")).json())[-1]["id"]
        world.simulation.faults["bybit"].add(Cut())

        async def has_more() -> bool:
            return bool(await (await client.get(f"/api/incidents?after={known}")).json())

        await until(has_more, "another incident")
        path, headers = back(f"{hello.data['run']}-{known}")
        async with client.get(path, headers=headers) as response:
            missed = await first(response, "incidents")
        assert missed.data[0]["id"] == known + 1
        for strange in ("0-1", "", "nonsense", f"{hello.data['run']}-x", f"{hello.data['run']}-"):
            path, headers = back(strange)
            async with client.get(path, headers=headers) as response:
                assert (await first(response, "incidents")).data[0]["id"] == 1, strange


async def test_a_visitor_that_takes_gzip_gets_each_look_at_once_and_small() -> None:
    async with serving() as (_, gateway), ClientSession(gateway.address) as client:
        await until(lambda: ready(client), "all stands")
        async with client.get("/events", headers={"Accept-Encoding": "gzip"}) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            looks = 0
            async with asyncio.timeout(10):
                async for message in messages(response):
                    looks += message.event == "snapshot"
                    if looks == 3:
                        break
        whole = await (await client.get("/api/snapshot")).read()
        async with ClientSession(gateway.address, auto_decompress=False) as raw, raw.get("/events") as response:
            read = 0
            async with asyncio.timeout(10):
                while read == 0 or looks < 6:
                    read += len(await response.content.readany())
                    looks += 1
        assert read < 3 * len(whole)


async def test_more_visitors_than_may_be_are_told_to_come_later() -> None:
    async with serving() as (_, gateway), ClientSession(gateway.address) as client:
        feed = gateway.pages.feed
        feed._most = 2
        one, other = await client.get("/events"), await client.get("/events")
        refused = await client.get("/events")
        assert refused.status == 503
        assert refused.headers["Retry-After"]
        one.close()

        async def has_room() -> bool:
            return feed.visitors == 1

        await until(has_room, "it has gone")
        again = await client.get("/events")
        assert again.status == 200
        again.close()
        other.close()


class Heavy(Shown):
    """A page so large that a visitor who does not read fills what waits between us at once."""

    def now(self) -> Now:
        whole = super().now()
        text = "x" * 4_000_000
        bar = msgspec.structs.replace(whole.snapshot.bars[0], how=text)
        return Now(snapshot=msgspec.structs.replace(whole.snapshot, bars=(bar,)), missing=())


async def test_a_visitor_that_does_not_read_is_dropped_and_nothing_waits_for_it() -> None:
    clock = SystemClock()
    observer = Observer(clock)
    pages = Pages(Heavy(observer, clock), lambda: (b"", ""), clock, port=0, patience_s=0.3, period_s=0.02)
    await pages.start()
    host, _, port = pages.address.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(f"GET /events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    await writer.drain()
    await reader.readuntil(b"\r\n\r\n")
    # One that reads is told all the while.
    async with ClientSession(pages.address, read_bufsize=2**24) as client, client.get("/events") as response:

        async def is_dropped() -> bool:
            async with asyncio.timeout(2):
                await response.content.readany()
            return pages.feed.dropped == 1

        await until(is_dropped, "it is dropped")
        assert pages.feed.visitors == 1
    # Nothing is kept for it: the connection itself has ended.
    with suppress(ConnectionError):
        async with asyncio.timeout(10):
            while await reader.read(2**20):
                pass
    writer.close()
    await pages.close()


async def test_it_ends_within_a_second_with_pages_open() -> None:
    loop = asyncio.get_running_loop()
    async with serving() as (_, gateway), ClientSession(gateway.address) as client:
        await until(lambda: ready(client), "all stands")
        streams = [await client.get("/events") for _ in range(5)]
        for stream in streams:
            await first(stream, "snapshot")
        began = loop.time()
        await gateway.close()
        assert loop.time() - began < 1.0
        for stream in streams:
            async with asyncio.timeout(1):
                while await stream.content.read(65536):
                    pass

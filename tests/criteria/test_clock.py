"""CLOCK: time stamps are right, whatever our clock, the venue's and the line do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.criteria.tapped import PLACE, TIME, VENUES, Scene, play
from tests.sizes import size
from tests.transport.peers import certified, threaded_server
from tests.transport.proxies import PASSWORD, USER, loopback_proxy

from perpwire.clock import ManualClock
from perpwire.errors import APIError, ClockSkewed, NotSent
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.model.incident import ClockStepped
from perpwire.simulator.faults import Answer, Delay, LoseAnswer
from perpwire.transport.http1 import Http1Transport, http_transport
from perpwire.transport.proxy import Proxy


def error_ms(scene: Scene) -> float:
    """How far our idea of the venue's time is off."""
    return abs(scene.connector._sync.venue_ms() + 0.5 - scene.host.venue_clock.time_ns() / 1e6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("venue", "off_s", "ppm", "requests"),
    [("binance", 30, 50, size(10_000, 500)), ("bybit", -30, -50, size(1_000, 500))],
)
def test_clock_1_a_day_of_signed_requests_with_a_wrong_clock_that_drifts(
    venue: str, off_s: float, ppm: float, requests: int
) -> None:
    """10,000 requests in 24 hours (at the other venue as many as in a tenth of that, in part half of these), round
    trips of 40 to 220 ms: at most one is refused, and the offset is right."""
    errors: list[float] = []

    async def scenario(scene: Scene) -> None:
        scene.host.venue_clock.skew_s = off_s
        scene.host.venue_clock.drift_ppm = ppm
        for _ in range(requests):
            await scene.connector.get_account_info()
            errors.append(error_ms(scene))
            await scene.sleep(86_400 / 10_000)

    scene = play(scenario, venue, latency_s=0.055, rate=0)
    signed = [one.path for one in scene.tap.sent if one.timestamp_ms is not None]
    account = max(set(signed), key=signed.count)
    assert signed.count(account) <= requests + 1
    assert len(signed) - signed.count(account) <= 5  # the key is looked at now and then
    assert len(scene.of(ClockStepped)) <= 1
    assert max(errors[100:]) < 50


@pytest.mark.parametrize("venue", VENUES)
def test_clock_2_a_slow_answer_to_the_question_of_the_time_moves_nothing(venue: str) -> None:
    """Four seconds, all of it on one leg or the other."""

    async def scenario(scene: Scene) -> None:
        before = scene.connector._sync.offset_ms
        for where in ("request", "answer"):
            scene.host.faults.add(Delay(path=TIME[venue], seconds=4.0, where=where, count=3))
            await scene.connector._path.measure_clock()
            assert abs(scene.connector._sync.offset_ms - before) < 10

    play(scenario, venue)


REFUSED = {
    "binance": (400, '{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}'),
    "bybit": (200, '{"retCode":10002,"retMsg":"invalid request, please check your server timestamp","result":{}}'),
}
NO_TIMES = {
    "binance": ['{"serverTime":-5}', '{"serverTime":0}', '{"serverTime":1790000000}', '{"serverTime":1e99}', "{}"],
    "bybit": [
        f'{{"retCode":0,"retMsg":"OK","result":{{"timeSecond":"{text}","timeNano":"{text}"}}}}'
        for text in ("", "-1", "x", "0", "9" * 40)
    ],
}


@pytest.mark.parametrize("venue", VENUES)
def test_clock_1_what_was_refused_for_the_clock_stays_refused_where_the_time_can_not_be_had(venue: str) -> None:
    """The venue was certain: the caller is told so, and not that the outcome is in doubt."""

    async def scenario(scene: Scene) -> None:
        status, body = REFUSED[venue]
        scene.host.faults.add(Answer(path=PLACE[venue][1], status=status, body=body))
        scene.host.faults.add(LoseAnswer(path=TIME[venue], count=3))
        with pytest.raises(ClockSkewed) as caught:
            await scene.connector.place_order("BTCUSDT", "BUY", "0.01")
        assert (caught.value.call, caught.value.safe_to_retry) == ("place_order", True)
        assert sum(one.call == PLACE[venue] for one in scene.tap.sent) == 1
        assert scene.of(ClockStepped) == []
        await scene.connector.place_order("BTCUSDT", "BUY", "0.01")

    play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_clock_2_an_answer_that_is_no_time_moves_nothing(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        before = scene.connector._sync.offset_ms
        for body in NO_TIMES[venue]:
            scene.host.faults.add(Answer(path=TIME[venue], status=200, body=body, count=3))
            with pytest.raises(APIError):
                await scene.connector._path.measure_clock()
            assert abs(scene.connector._sync.offset_ms - before) < 10

    play(scenario, venue)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_clock_3_what_waits_for_its_turn_is_signed_when_its_turn_comes(venue: str) -> None:
    """At most 5 ms before it is written; and the receive window is what it always is."""

    async def scenario(scene: Scene) -> None:
        scene.host.venue_clock.skew_s = -7
        await scene.connector.get_account_info()  # refused, set right, and done
        start, ledger, now_ns = len(scene.tap.sent), scene.connector.ledger, scene.clock.monotonic_ns()
        ledger.stop("all", now_ns + 8_000_000_000, now_ns)
        await asyncio.gather(*(scene.connector.place_order("BTCUSDT", "BUY", "0.01") for _ in range(40)))
        await scene.sleep(1)
        orders = [one for one in scene.tap.sent[start:] if one.call == PLACE[venue]]
        assert len(orders) == 40
        assert orders[0].at_s >= now_ns / 1e9 + 8
        assert all(one.timestamp_ms is not None and 0 <= one.written_ms - one.timestamp_ms <= 5 for one in orders)
        assert len({one.window_ms for one in scene.tap.sent if one.timestamp_ms is not None}) == 1

    play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_clock_3_what_was_to_go_before_the_machine_slept_is_not_sent_when_it_wakes(venue: str) -> None:
    """And the time is right at once: nothing is refused for it."""

    async def scenario(scene: Scene) -> None:
        start, now_ns = len(scene.tap.sent), scene.clock.monotonic_ns()
        scene.connector.ledger.stop("all", now_ns + 1_000_000_000, now_ns)
        order = asyncio.create_task(scene.connector.place_order("BTCUSDT", "BUY", "0.01", deadline_s=2))
        await asyncio.sleep(0)
        assert isinstance(scene.clock, ManualClock)
        scene.clock.advance(3600)
        with pytest.raises(NotSent) as caught:
            await order
        assert caught.value.code == "DEADLINE"
        assert not any(one.call == PLACE[venue] for one in scene.tap.sent[start:])
        await scene.connector.place_order("BTCUSDT", "BUY", "0.01", deadline_s=2)
        assert scene.of(ClockStepped) == []

    play(scenario, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_clock_3_an_order_whose_connection_is_long_in_coming_is_stamped_when_it_is_there_or_not_sent_any_more(
    venue: str,
) -> None:
    async def scenario(scene: Scene) -> None:
        network, path = scene.world.network, PLACE[venue][1]
        at_once = network.exchange

        async def slowly(base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
            if path in request.target:
                await scene.sleep(0.4)
                assert request.renew is not None
                request = request.renew()
            return await at_once(base_url, request, timeout_s)

        network.exchange = slowly  # type: ignore[method-assign]
        start = len(scene.tap.sent)
        with pytest.raises(NotSent) as caught:
            await scene.connector.place_order("BTCUSDT", "BUY", "0.01", deadline_s=0.3)
        assert caught.value.code == "DEADLINE"
        assert scene.tap.sent[start:] == []
        await scene.connector.place_order("BTCUSDT", "BUY", "0.01", deadline_s=0.5)
        (order,) = scene.tap.sent[start:]
        assert order.timestamp_ms is not None
        assert 0 <= order.written_ms - order.timestamp_ms <= 5

    play(scenario, venue)


async def test_clock_3_what_waited_for_a_proxy_is_signed_when_there_is_a_tunnel(tmp_path: Path) -> None:
    """And is not written at all where its deadline has passed by then."""
    signed: list[str] = []

    def renew() -> HttpRequest:
        signed.append(f"/order?signed={len(signed)}")
        if len(signed) == 2:
            raise NotSent("too late", code="DEADLINE")
        return HttpRequest(method="POST", target=signed[-1], headers={"Signature": "late"})

    order = HttpRequest(method="POST", target="/order?signed=early", headers={"Signature": "early"}, renew=renew)
    servers, clients = certified(tmp_path)
    with threaded_server(servers) as server:
        server.closes_after = 2
        async with loopback_proxy(server.port) as (proxy, port):
            proxy.slow_s = 0.05
            through = Proxy(f"http://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}")
            http = http_transport(proxy=through, ssl_context=clients)
            url = "https://localhost:1"
            await http.exchange(url, order, 5)  # waits for its tunnel
            await http.exchange(url, order, 5)  # does not
            assert await asyncio.to_thread(server.idle_closed.wait, 5)
            with pytest.raises(NotSent) as caught:
                await http.exchange(url, order, 5)
            assert caught.value.code == "DEADLINE"
            assert caught.value.__context__ is None
            await http.close()
    assert len(signed) == 2
    assert server.heads == ["POST /order?signed=0 HTTP/1.1", "POST /order?signed=early HTTP/1.1"]


async def test_clock_3_what_waited_for_a_connection_is_signed_when_there_is_one() -> None:
    """And is not written at all where its deadline has passed, or its connector was closed, by then."""
    signed: list[str] = []

    def renew() -> HttpRequest:
        signed.append(f"/order?signed={len(signed)}")
        if len(signed) == 3:
            raise NotSent("too late", code="DEADLINE")
        return HttpRequest(method="POST", target=signed[-1], headers={})

    order = HttpRequest(method="POST", target="/order?signed=early", headers={}, renew=renew)
    with threaded_server() as server:
        http = Http1Transport()
        url = f"http://127.0.0.1:{server.port}"
        await http.exchange(url, order, 5)  # connects
        await http.exchange(url, order, 5)  # does not
        await asyncio.gather(*(http.exchange(url, order, 5) for _ in range(2)))  # one of them connects
        three = await asyncio.gather(*(http.exchange(url, order, 5) for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in three if isinstance(one, BaseException)] == [NotSent]
        await http.close()
    assert len(signed) == 3
    assert server.requests == 4 + 2

"""BY06: Bybit's two kinds of limits are told apart and waited out as it says."""

from __future__ import annotations

import asyncio

import pytest
from tests.criteria.tapped import Scene, play

from perpwire.errors import RateLimited
from perpwire.simulator.faults import Answer

PLACE = "/v5/order/create"


TOO_MANY = (
    '{"retCode":10006,"retMsg":"Too many visits. Exceeded the API Rate Limit.","result":{},"retExtInfo":{},"time":%d}'
)


@pytest.mark.parametrize(("reset_in_ms", "wait_s"), [(700, 0.7), (None, 2.0), (-1000, 0.0)])
def test_by06_1_the_limit_of_an_endpoint_is_waited_out_and_others_go_on(reset_in_ms: int | None, wait_s: float) -> None:
    """As long as the header says; without it two seconds; not at all where it lies in the past."""

    async def scenario(scene: Scene) -> None:
        now_ms = scene.host.exchange.now_ms()
        headers = {} if reset_in_ms is None else {"X-Bapi-Limit-Reset-Timestamp": str(now_ms + reset_in_ms)}
        scene.host.faults.add(Answer(method="POST", path=PLACE, status=200, headers=headers, body=TOO_MANY % now_ms))
        scene.tap.sent.clear()
        placing = asyncio.create_task(scene.connector.place_order("BTCUSDT", "BUY", "0.01"))
        while 200 not in scene.statuses:
            await scene.sleep(0.001)
        told_s = scene.now_s
        for call in (scene.connector.get_account_info, scene.connector.get_positions, scene.connector.get_open_orders):
            began_s = scene.now_s
            await call()
            assert scene.now_s - began_s < 0.05
        await placing
        again_s = [one.at_s for one in scene.tap.sent if one.path == PLACE][1] - told_s
        assert again_s == pytest.approx(wait_s, abs=0.01)

    play(scenario, "bybit")


def test_by06_1_the_limit_of_the_address_stops_http_for_ten_minutes_and_nothing_but_rate_limited_is_raised() -> None:
    async def scenario(scene: Scene) -> None:
        scene.host.faults.add(Answer(path="/v5/market/orderbook", canned="forbidden"))
        with pytest.raises(RateLimited) as caught:
            await scene.connector.get_order_book("BTCUSDT", 5)
        assert caught.value.retry_after_s == 600
        start = len(scene.tap.sent)
        for call in (
            scene.connector.get_account_info(),
            scene.connector.cancel_order("BTCUSDT", "1"),
            scene.connector.place_order("BTCUSDT", "BUY", "0.01"),
        ):
            with pytest.raises(RateLimited) as held:
                await call
            assert held.value.code == "HELD_BACK"
        assert scene.tap.sent[start:] == []
        ledger, now_ns = scene.connector.ledger, scene.clock.monotonic_ns()
        assert ledger.wait({"ip_5s": 1}, 0, now_ns)[0] / 1e9 == pytest.approx(600, abs=1)  # type: ignore[arg-type]
        assert not ledger.is_stopped({"place_1s": 1}, now_ns)
        await scene.sleep(600)
        await scene.connector.get_order_book("BTCUSDT", 5)

    play(scenario, "bybit")


def test_by06_1_orders_go_on_by_the_trading_socket_while_http_is_stopped() -> None:
    async def scenario(scene: Scene) -> None:
        async with scene.world.connector("bybit", road="websocket") as connector:
            await connector.get_instruments()
            await scene.sleep(5)
            assert connector.is_trade_socket_live
            scene.host.faults.add(Answer(path="/v5/market/orderbook", canned="forbidden"))
            with pytest.raises(RateLimited):
                await connector.get_order_book("BTCUSDT", 5)
            start = len(scene.tap.sent)
            order = await connector.place_order("BTCUSDT", "BUY", "0.01")
            assert order.order_id
            with pytest.raises(RateLimited):
                await connector.place_order("BTCUSDT", "BUY", "0.01", road="rest")
            assert scene.tap.sent[start:] == []

    play(scenario, "bybit")

"""The simulator's candles, liquidations and insurance pool, as public streams tell of them."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from perpwire.model.order import OrderType, Side, TimeInForce
from perpwire.simulator.intents import OrderIntent
from perpwire.venues.bybit.sim.kline_feed import INTERVALS

from .desk import MAKER, Desk, at_desk, moment

D = Decimal
MINUTE_MS = 60_000


async def until_second(desk: Desk, second: float) -> None:
    """Wait for this second of the minute."""
    now_ms = desk.exchange.now_ms() % MINUTE_MS
    await asyncio.sleep(((round(second * 1000) - now_ms) % MINUTE_MS) / 1000)


# --- candles ----------------------------------------------------------------------------------------------------------


@at_desk
async def test_a_candle_is_told_as_it_grows_and_once_when_it_closes(desk: Desk) -> None:
    desk.quotes()
    await until_second(desk, 50)
    stream = desk.public("kline.1.BTCUSDT")
    (first,) = stream.peer.read("kline.1.BTCUSDT")
    assert list(first) == ["topic", "data", "ts", "type"]
    assert list(first["data"][0]) == [
        *("start", "end", "interval", "open", "close", "high", "low", "volume", "turnover", "confirm", "timestamp"),
    ]
    start = desk.exchange.now_ms() // MINUTE_MS * MINUTE_MS
    assert (first["data"][0]["start"], first["data"][0]["end"]) == (start, start + MINUTE_MS - 1)
    assert (first["type"], first["data"][0]["interval"], first["data"][0]["confirm"]) == ("snapshot", "1", False)
    await asyncio.sleep(2.5)
    assert len(stream.peer.read("kline.1.BTCUSDT")) == 1  # nothing traded
    desk.create(orderType="Market", qty="0.500")
    await asyncio.sleep(1.5)
    grown = stream.peer.read("kline.1.BTCUSDT")[1]["data"][0]
    assert (grown["close"], grown["volume"], grown["turnover"]) == ("64010.00", "0.500", "32005")
    assert grown["timestamp"] == desk.exchange.recent_trades("BTCUSDT", 1)[0].time_ms
    await until_second(desk, 1.5)
    closed, opened = (frame["data"][0] for frame in stream.peer.read("kline.1.BTCUSDT")[2:])
    assert closed == {**grown, "confirm": True}
    assert (opened["start"], opened["open"], opened["volume"], opened["confirm"]) == (
        start + MINUTE_MS,
        "64010.00",
        "0.000",
        False,
    )
    known, _ = desk.exchange.candles("BTCUSDT", "last", "1m", limit=2)
    for name in ("open", "high", "low", "close", "volume", "turnover"):
        assert D(closed[name]) == getattr(known, name)


@at_desk
async def test_a_quiet_candle_is_told_once_a_minute(desk: Desk) -> None:
    stream = desk.public("kline.D.ETHUSDT")
    await asyncio.sleep(185)
    assert len(stream.peer.read("kline.D.ETHUSDT")) == 4


@pytest.mark.parametrize("name", INTERVALS)
def test_every_interval_spans_what_it_says(name: str) -> None:
    async def trial(desk: Desk) -> None:
        (frame,) = desk.public(f"kline.{name}.BTCUSDT").peer.read(f"kline.{name}.BTCUSDT")
        (row,) = frame["data"]
        minutes = {"D": 1440, "W": 7 * 1440}.get(name) or (None if name == "M" else int(name))
        assert row["start"] <= desk.exchange.now_ms() <= row["end"]
        length = (row["end"] + 1 - row["start"]) / MINUTE_MS
        assert length == minutes or (name == "M" and 28 * 1440 <= length <= 31 * 1440)

    at_desk(trial)()


@at_desk
async def test_nobody_listening_no_candle_is_looked_at(desk: Desk) -> None:
    stream = desk.public("kline.1.BTCUSDT")
    stream.server.on_closed()
    await asyncio.sleep(130)
    assert len(stream.peer.read("kline.1.BTCUSDT")) == 1
    again = desk.public("kline.1.BTCUSDT")
    await asyncio.sleep(130)
    confirmed = [frame["data"][0]["start"] for frame in again.peer.read() if frame.get("data", [{}])[0].get("confirm")]
    assert len(confirmed) == len(set(confirmed)) == 2


# --- liquidations -----------------------------------------------------------------------------------------------------


def take_position(desk: Desk, side: Side, quantity: str) -> None:
    desk.exchange.place(
        "main",
        OrderIntent(
            symbol="BTCUSDT",
            side=side,
            type=OrderType.MARKET,
            time_in_force=TimeInForce.IOC,
            quantity=D(quantity),
            price=None,
            client_order_id="",
        ),
    )


@pytest.mark.parametrize(("side", "shown", "ruin"), [(Side.BUY, "Buy", "50000"), (Side.SELL, "Sell", "80000")])
def test_a_liquidation_is_told_by_the_side_of_the_position(side: Side, shown: str, ruin: str) -> None:
    async def trial(desk: Desk) -> None:
        desk.quotes()
        stream = desk.public("allLiquidation.BTCUSDT")
        take_position(desk, side, "9")
        desk.exchange.force_mark("BTCUSDT", D(ruin))
        assert stream.peer.read("allLiquidation.BTCUSDT") == []
        await asyncio.sleep(0.51)
        (frame,) = stream.peer.read("allLiquidation.BTCUSDT")
        assert list(frame) == ["topic", "type", "ts", "data"]
        told = desk.exchange.liquidations("BTCUSDT")
        assert [D(row["p"]) for row in frame["data"]] == [one.price for one in told]
        assert {(row["S"], row["s"]) for row in frame["data"]} == {(shown, "BTCUSDT")}
        assert sum(D(row["v"]) for row in frame["data"]) >= 1
        assert list(frame["data"][0]) == ["T", "s", "S", "v", "p"]

    at_desk(trial)()


# --- the insurance pool -----------------------------------------------------------------------------------------------


@at_desk
async def test_the_nearness_of_deleveraging_is_told_every_second_in_numbers(desk: Desk) -> None:
    stream = desk.public("adlAlert.USDT", "adlAlert.USDC")
    await asyncio.sleep(2.5)
    frames = stream.peer.read("adlAlert.USDT")
    assert [frame["ts"] - frames[0]["ts"] for frame in frames] == [0, 1000, 2000]
    assert [row["s"] for row in frames[0]["data"]] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    row = frames[0]["data"][0]
    assert list(row) == ["c", "s", "b", "mb", "i_pr", "pr", "adl_tt", "adl_sr"]
    assert (row["c"], row["mb"], row["i_pr"], row["adl_tt"], row["adl_sr"]) == ("USDT", "", -0.3, 10000, -0.25)
    assert D(str(row["b"])) == desk.exchange.insurance_fund()
    assert row["pr"] == 0
    assert stream.peer.read("adlAlert.USDC") == []  # nothing settles in it here


@at_desk
async def test_the_pool_is_told_when_it_changes(desk: Desk) -> None:
    desk.quotes()
    stream = desk.public("insurance.USDT", "insurance.USDC", "adlAlert.USDT")
    await asyncio.sleep(3.5)
    (first,) = stream.peer.read("insurance.USDT")
    assert (first["type"], first["data"][0]["symbols"]) == ("snapshot", "BTCUSDT,ETHUSDT,SOLUSDT")
    take_position(desk, Side.BUY, "9")
    await moment()
    desk.exchange.cancel_all(MAKER, "BTCUSDT")
    desk.exchange.force_mark("BTCUSDT", D(50000))  # more is lost than the account has, and nobody buys
    await asyncio.sleep(1)
    (changed,) = stream.peer.read("insurance.USDT")[1:]
    assert changed["type"] == "delta"
    assert D(changed["data"][0]["balance"]) == desk.exchange.insurance_fund()
    assert changed["data"][0]["updateTime"] == str(changed["ts"])
    assert stream.peer.read("insurance.USDC") == []

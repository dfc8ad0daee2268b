"""The reader of an account: what of it is said to be known, and what is found that its stream did not tell."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from itertools import pairwise

import pytest
from tests.criteria import tapped
from tests.criteria.tapped import VENUES, Scene
from tests.criteria.test_fills import TRADES

from perpwire.api_connector.lifecycle import State
from perpwire.errors import APIError
from perpwire.model.account import Balance
from perpwire.model.incident import AccountReadAgain, AccountUnread, ConnectionLost, StreamStale
from perpwire.model.market import Gap
from perpwire.model.order import FastFill, Fill
from perpwire.simulator.faults import Answer, CorruptMessage, Cut, Delay, DropMessage, FillOrder, Refuse, Silence
from perpwire.simulator.listing import Listing

pytestmark = pytest.mark.slow

POSITION_FRAME = {"binance": '"ACCOUNT_UPDATE"', "bybit": '"topic":"position'}
POSITIONS = {"binance": "/fapi/v3/positionRisk", "bybit": "/v5/position/list"}
ORDERS = 80
WALLET_FRAME = {"binance": '"ACCOUNT_UPDATE"', "bybit": "wallet"}


@pytest.mark.parametrize("venue", VENUES)
def test_a_kind_of_frame_that_cannot_be_read_blinds_nothing_else_and_the_account_is_not_said_to_be_live(
    venue: str,
) -> None:
    """Positions', while orders are filled four times a second. It is read back ever more seldom."""
    late: list[float] = []

    async def scenario(scene: Scene) -> None:
        connector, exchange = scene.connector, scene.host.exchange

        def on_fill(fill: Fill) -> None:
            late.append((exchange.now_ms() - fill.venue_time_ms) / 1000)

        connector.on(Fill, on_fill)
        await connector.open_account_stream()
        await scene.sleep(20)
        scene.host.faults.add(CorruptMessage(of="private", how="cut", contains=POSITION_FRAME[venue], count=None))
        lies, asked_before = 0, len(scene.tap.sent)
        for _ in range(ORDERS):
            await scene.connector.place_order("BTCUSDT", "BUY", "0.01")
            await scene.sleep(0.25)
            known = sum(one.quantity for one in connector.account_state.positions.values())
            truth = sum(one.quantity for one in exchange.positions("main"))
            lies += connector.is_account_stream_live and known != truth
        assert lies == 0
        assert scene.of(AccountUnread)
        asked = [one.at_s for one in scene.tap.sent[asked_before:] if POSITIONS[venue] in one.path]
        assert max(later - sooner for sooner, later in pairwise(asked)) > 7
        assert len(asked) <= 12
        await scene.sleep(40)
        assert connector.is_account_stream_live
        assert len(scene.of(AccountReadAgain)) == len(scene.of(AccountUnread))
        assert sum(one.quantity for one in connector.account_state.positions.values()) == ORDERS * Decimal("0.01")
        assert len(late) == len(exchange.fills("main", None))
        assert max(late) <= 5.1

    tapped.play(scenario, venue, rate=0.3, latency_s=0.05)


@pytest.mark.parametrize("venue", VENUES)
def test_a_fill_that_the_stream_missed_while_fills_could_not_be_read_is_told_when_they_can(venue: str) -> None:
    """The reading began before it happened, and was tried until long after."""

    async def scenario(scene: Scene) -> None:
        told: list[Fill] = []
        scene.connector.on(Fill, told.append)
        await scene.connector.open_account_stream()
        path, _ = TRADES[venue]
        scene.host.faults.add(Answer(method="GET", path=path, status=503, count=None, for_s=40))
        await scene.sleep(5)
        scene.host.faults.add(DropMessage(of="private", count=None, for_s=3))
        await scene.connector.place_order("BTCUSDT", "BUY", "0.01")
        await scene.sleep(30)
        assert told == []
        await scene.sleep(70)
        assert [fill.recovered for fill in told] == [True]

    tapped.play(scenario, venue, rate=0.3)


@pytest.mark.parametrize("venue", VENUES)
def test_each_hole_in_what_cannot_be_read_back_has_a_gap_of_its_own(venue: str) -> None:
    """Of fast fills, twenty seconds apart."""

    async def scenario(scene: Scene) -> None:
        gaps: list[float] = []
        scene.connector.on(Gap, lambda gap: gaps.append(scene.now_s) if gap.kind == "FastFill" else None)
        fast: list[FastFill] = []
        scene.connector.on(FastFill, fast.append)
        await scene.connector.open_account_stream()
        await scene.connector.watch_fast_fills()
        await scene.sleep(30)
        for number in (1, 2):
            scene.host.faults.add(CorruptMessage(of="private", how="cut", count=None, for_s=3))
            await scene.connector.place_order("BTCUSDT", "BUY", "0.01")
            await scene.sleep(1)
            assert len(gaps) == number
            await scene.sleep(19)
        assert not fast

    tapped.play(scenario, venue, rate=0.3)


@pytest.mark.parametrize("venue", VENUES)
def test_a_balance_whose_only_frame_was_lost_is_right_within_a_minute(venue: str) -> None:
    """And nothing but the wallet has changed. For both venues, whatever they stamp on the list."""

    async def scenario(scene: Scene) -> None:
        connector = scene.connector
        told: list[Balance] = []
        connector.on(Balance, told.append)
        await connector.open_account_stream()
        await scene.sleep(60)
        scene.host.faults.add(DropMessage(of="private", contains=WALLET_FRAME[venue], count=None))
        scene.host.exchange.deposit("main", "USDT", Decimal("12.5"))
        await scene.sleep(45)
        wallet = scene.host.exchange.wallet("main")["USDT"]
        assert connector.account_state.balances["USDT"].wallet == wallet
        assert [(one.wallet, one.recovered) for one in told if one.asset == "USDT"] == [(wallet, True)]

    tapped.play(scenario, venue, rate=0.001)


@pytest.mark.parametrize("venue", VENUES)
def test_while_calls_fail_the_accounts_socket_is_opened_all_the_same(venue: str) -> None:
    """Only its login needs a clock, and that is known."""

    async def scenario(scene: Scene) -> None:
        connector, host = scene.connector, scene.host
        fills: list[Fill] = []
        connector.on(Fill, fills.append)
        await connector.open_account_stream()
        price = host.exchange.mark_price("BTCUSDT") * Decimal("0.97")
        await connector.place_order("BTCUSDT", "BUY", "0.1", order_type="LIMIT", price=price, round="nearest")
        await scene.sleep(10)
        for fault in (
            Answer(method="GET", status=503, count=None, for_s=60.0),
            Delay(method="GET", seconds=30.0, count=None, for_s=60.0),
        ):
            fills.clear()
            host.faults.add(fault)
            host.faults.add(Cut())
            await scene.sleep(10)
            assert connector.states[f"{venue}/private"].value == "live"
            assert not connector.is_account_stream_live
            host.faults.add(FillOrder(symbol="BTCUSDT", quantity=Decimal("0.05")))
            await scene.sleep(6)
            assert len(fills) == 1
            await scene.sleep(100)
            assert connector.is_account_stream_live

    tapped.play(scenario, venue, rate=1.0)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("fault", ["bad_key", "unavailable"])
def test_an_account_that_cannot_be_read_at_first_is_an_error_and_can_be_opened_later(venue: str, fault: str) -> None:
    async def scenario(scene: Scene) -> None:
        connector, began_s = scene.connector, scene.now_s
        if fault == "bad_key":
            scene.host.faults.add(Answer(path=POSITIONS[venue], canned="bad_key", count=None, for_s=90.0))
        else:
            scene.host.faults.add(Answer(path=POSITIONS[venue], status=503, body="", count=None, for_s=90.0))
        with pytest.raises(APIError):
            await connector.open_account_stream()
        assert scene.now_s - began_s < (5 if fault == "bad_key" else 60)
        await scene.sleep(95)
        assert connector.states == {}
        assert not connector.account_state.follows
        await connector.open_account_stream()
        assert connector.is_account_stream_live
        assert not [one for one in scene.incidents if type(one).__name__ in ("TaskFailed", "HandlerFailed")]
        fills: list[Fill] = []
        connector.on(Fill, fills.append)
        await connector.place_order("BTCUSDT", "BUY", "0.01")
        await scene.sleep(1)
        assert len(fills) == 1

    tapped.play(scenario, venue, rate=1.0)


@pytest.mark.parametrize("venue", VENUES)
def test_a_stream_that_was_lost_while_its_first_opening_failed_is_as_new_when_it_is_opened_again(venue: str) -> None:
    """What of it can't be read is read back at once, and nothing calls it mute."""

    async def scenario(scene: Scene) -> None:
        connector, host = scene.connector, scene.host
        host.faults.add(Answer(path=POSITIONS[venue], status=503, body="", count=None, for_s=40))
        opening = asyncio.ensure_future(connector.open_account_stream())
        await scene.sleep(10)
        host.faults.add(Refuse(seconds=40))
        host.faults.add(Cut())
        with pytest.raises(APIError):
            await opening
        await scene.sleep(30)
        await connector.open_account_stream()
        await scene.sleep(30)
        told: list[float] = []
        connector.on(Fill, lambda fill: told.append(scene.now_s))
        host.faults.add(CorruptMessage(of="private", how="garble", count=None, for_s=3))
        await scene.sleep(0.1)
        began_s = scene.now_s
        async with scene.world.connector(venue) as other:
            await other.place_order("BTCUSDT", "BUY", "0.01")
        await scene.sleep(20)
        assert len(told) == 1
        assert told[0] - began_s < 1
        assert not scene.of(StreamStale)

    tapped.play(scenario, venue, rate=0.3)


@pytest.mark.parametrize("is_away", [False, True])
def test_a_socket_that_a_streams_name_kept_while_the_opening_failed_carries_the_account_when_it_is_opened_again(
    *, is_away: bool
) -> None:
    """Also where it is just being replaced: what it missed is read when it is there."""

    async def scenario(scene: Scene) -> None:
        connector, host = scene.connector, scene.host
        host.faults.add(Answer(path=POSITIONS["bybit"], status=503, body="", count=None, for_s=40))
        opening = asyncio.ensure_future(connector.open_account_stream())
        await scene.sleep(5)
        await connector.streams.connect("bybit", ["dcp.future"])
        with pytest.raises(APIError):
            await opening
        await scene.sleep(30)
        if is_away:
            host.faults.add(Refuse(seconds=6))
            host.faults.add(Cut())
            await scene.sleep(6.5)
            assert connector.states["bybit/private"] is not State.LIVE
        await connector.open_account_stream()
        assert connector.is_account_stream_live is not is_away
        fills: list[Fill] = []
        connector.on(Fill, fills.append)
        await connector.place_order("BTCUSDT", "BUY", "0.01")
        await scene.sleep(60)
        assert connector.is_account_stream_live
        assert [fill.recovered for fill in fills] == [is_away]
        before = len(scene.of(ConnectionLost))
        host.faults.add(Cut())
        await scene.sleep(30)
        assert connector.is_account_stream_live
        assert len(scene.of(ConnectionLost)) == before + 1, "there is one socket"

    tapped.play(scenario, "bybit", rate=0.3)


def test_only_contracts_that_may_have_been_traded_are_asked_for_their_fills() -> None:
    """By Binance each is a call: those that were traded once and are flat cost nothing an hour later."""

    async def scenario(scene: Scene) -> None:
        connector = scene.connector
        await connector.open_account_stream()
        for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
            await connector.place_order(symbol, "BUY", "1")
        for symbol in ("ETHUSDT", "SOLUSDT"):
            await connector.close_position(symbol)
        for wait_s, asked_for in ((60.0, {"BTCUSDT", "ETHUSDT", "SOLUSDT"}), (4000.0, {"BTCUSDT"})):
            await scene.sleep(wait_s)
            before = len(scene.tap.sent)
            scene.host.faults.add(Cut())
            await scene.sleep(8)
            asked = [one for one in scene.tap.sent[before:] if one.path == "/fapi/v1/userTrades"]
            assert {one.params["symbol"] for one in asked} == asked_for

    tapped.play(scenario, "binance", rate=0.1)


PRICES = (("BTCUSDT", Decimal(60000)), ("ETHUSDT", Decimal(3000)))

FLAT = {
    "binance": "[]",
    "bybit": json.dumps({"retCode": 0, "retMsg": "OK", "result": {"list": [], "nextPageCursor": ""}, "time": 1}),
}


@pytest.mark.parametrize("venue", VENUES)
def test_a_position_that_a_list_shows_late_is_right_three_seconds_after_the_stream_is_back(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        connector, host = scene.connector, scene.host
        await connector.open_account_stream()
        price = host.exchange.mark_price("BTCUSDT") * Decimal("0.97")
        await connector.place_order("BTCUSDT", "BUY", "0.1", order_type="LIMIT", price=price, round="nearest")
        await scene.sleep(60)
        host.faults.add(Refuse(seconds=4.0))
        host.faults.add(Cut())
        await scene.sleep(2)
        host.faults.add(FillOrder(symbol="BTCUSDT"))
        host.faults.add(Answer(path=POSITIONS[venue], status=200, body=FLAT[venue], count=1))
        while not connector.is_account_stream_live:
            await scene.sleep(0.05)
        gaps: list[Gap] = []
        connector.on(Gap, gaps.append)
        assert not sum(one.quantity for one in connector.account_state.positions.values())
        await scene.sleep(3.0)
        assert sum(one.quantity for one in connector.account_state.positions.values()) == Decimal("0.1")
        assert gaps == []

    tapped.play(scenario, venue, rate=0.3)


def test_a_fill_without_a_fee_in_a_contract_long_not_heard_of_is_told_after_a_long_gap() -> None:
    """No booking names it: only its position does, which is read beside the fills."""

    async def scenario(scene: Scene) -> None:
        connector, host = scene.connector, scene.host
        fills: list[Fill] = []
        connector.on(Fill, fills.append)
        await connector.open_account_stream()
        await scene.sleep(4000)
        async with scene.world.connector("binance") as other:
            host.faults.add(Answer(method="GET", status=503, body="", count=None, for_s=150.0))
            host.faults.add(Silence(what="data", route="private", seconds=140, then="drop"))
            await scene.sleep(5)
            price = host.exchange.mark_price("ETHUSDT") * Decimal("0.97")
            await other.place_order("ETHUSDT", "BUY", "0.1", order_type="LIMIT", price=price, round="nearest")
        host.faults.add(FillOrder(symbol="ETHUSDT"))
        await scene.sleep(200)
        assert [fill.symbol for fill in fills] == ["ETHUSDT"]

    listings = tuple(Listing(symbol=symbol, start_price=price, maker_fee=Decimal(0)) for symbol, price in PRICES)
    tapped.play(scenario, "binance", rate=0.1, symbols=listings)


FILLS = {"binance": "/fapi/v1/userTrades", "bybit": "/v5/execution/list"}


@pytest.mark.parametrize("venue", VENUES)
def test_the_first_reading_of_fills_begins_minutes_before_it_however_long_the_machine_has_been_up(venue: str) -> None:
    """With a position open, of which it has not asked before."""

    async def scenario(scene: Scene) -> None:
        await scene.connector.place_order("BTCUSDT", "BUY", "0.01")
        await scene.sleep(1800)
        before = len(scene.tap.sent)
        async with scene.world.connector(venue) as later:
            await later.open_account_stream()
        asked = [one for one in scene.tap.sent[before:] if one.path == FILLS[venue]]
        assert asked
        assert min(int(one.params["startTime"]) for one in asked) > scene.host.exchange.now_ms() - 900_000

    tapped.play(scenario, venue, rate=0.1)

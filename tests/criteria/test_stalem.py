"""STALEM: contracts change while the program runs: their rules, their state, which there are."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from tests.criteria.tapped import PLACE, VENUES, Scene, play

from perpwire.errors import BadInput, BadRequest
from perpwire.model.incident import InstrumentChanged, InstrumentEnding
from perpwire.model.market import ContractChanged
from perpwire.model.order import Fill
from perpwire.scenarios.tapping import Sent
from perpwire.simulator.faults import Answer

SYMBOL, GONE = "BTCUSDT", "ETHUSDT"
INFO = {"binance": "/fapi/v1/exchangeInfo", "bybit": "/v5/market/instruments-info"}
REFUSAL = {
    "binance": (400, '{"code":-4014,"msg":"Price not increased by tick size."}'),
    "bybit": (200, '{"retCode":110003,"retMsg":"Order price exceeds the allowable range.","result":{},"time":1}'),
}
WORDS = {"binance": ("SETTLING", "deliveryDate"), "bybit": ("Closed", "deliveryTime")}


def lists(scene: Scene) -> list[Sent]:
    """All questions for the contracts; not those for their second page, which has those before their launch."""
    of_contracts = [one for one in scene.tap.sent if one.path == INFO[scene.venue]]
    return [one for one in of_contracts if one.params.get("status") != "PreLaunch"]


def asked(scene: Scene) -> int:
    return len(lists(scene))


async def change(scene: Scene, *, tick: str | None = None, delivery_ms: int | None = None, without: str = "") -> None:
    """From now on the venue tells other contracts."""
    await scene.connector.get_instruments(refresh=True)
    whole = msgspec.json.decode(lists(scene)[-1].answer)
    rows = whole["symbols"] if scene.venue == "binance" else whole["result"]["list"]
    rows[:] = [row for row in rows if row["symbol"] != without]
    row = next(row for row in rows if row["symbol"] == SYMBOL)
    if tick is not None:
        filters = row["filters"][0] if scene.venue == "binance" else row["priceFilter"]
        assert filters["tickSize"] != tick
        filters["tickSize"] = tick
    if delivery_ms is not None:
        name = WORDS[scene.venue][1]
        row[name] = delivery_ms if scene.venue == "binance" else str(delivery_ms)
    scene.host.faults.add(
        Answer(method="GET", path=INFO[scene.venue], status=200, body=msgspec.json.encode(whole).decode(), count=None)
    )


def changed(scene: Scene) -> list[InstrumentChanged]:
    return [one for one in scene.incidents if isinstance(one, InstrumentChanged)]


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_stalem_1_after_a_refusal_by_a_filter_they_are_read_once_and_orders_off_the_new_grid_are_listed(
    venue: str,
) -> None:
    async def scenario(scene: Scene) -> None:
        connector = scene.connector
        await connector.open_account_stream()
        mark = scene.host.exchange.mark_price(SYMBOL)
        on, off = (mark * Decimal("0.8") // 100 * 100, mark * Decimal("0.8") // 100 * 100 + Decimal("0.3"))
        for name, price in (("on", on), ("off", off)):
            await connector.place_order(
                SYMBOL, "BUY", "0.01", order_type="LIMIT", price=price, client_order_id=f"{name}-{venue}"
            )
        await change(scene, tick="0.50")
        await scene.sleep(120)
        before = asked(scene)
        assert changed(scene) == []
        status, body = REFUSAL[venue]
        method, path = PLACE[venue]
        scene.host.faults.add(Answer(method=method, path=path, status=status, body=body, count=3))
        for _ in range(3):
            with pytest.raises(BadRequest):
                await connector.place_order(SYMBOL, "BUY", "0.01", order_type="LIMIT", price=on)
        await scene.sleep(2)
        assert asked(scene) == before + 1
        (told,) = changed(scene)
        assert (told.symbol, told.how, told.off_grid) == (SYMBOL, "CHANGED", (f"off-{venue}",))
        assert "tick_size 0.1" in told.what[0]
        assert told.what[0].endswith("-> 0.50")
        # From here on the new rules hold, before anything is sent.
        sent = len(scene.tap.sent)
        with pytest.raises(BadInput):
            await connector.place_order(SYMBOL, "BUY", "0.01", order_type="LIMIT", price=off)
        assert len(scene.tap.sent) == sent

    play(scenario, venue)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_stalem_1_a_minute_is_enough_where_the_program_says_so_and_what_is_gone_is_told(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        async with scene.world.connector(venue, instruments_old_s=60.0) as connector:
            told: list[InstrumentChanged] = []
            connector.on_incident(lambda one: told.append(one) if isinstance(one, InstrumentChanged) else None)
            await connector.get_instrument(GONE)
            await change(scene, without=GONE)
            await scene.sleep(61)
            await connector.get_instrument(SYMBOL)
            await scene.sleep(1)
            assert [(one.symbol, one.how) for one in told] == [(GONE, "DELISTED")]
            with pytest.raises(BadInput, match="unknown symbol"):
                await connector.get_instrument(GONE)
            await scene.sleep(61)
            await connector.get_instrument(SYMBOL)
            await scene.sleep(1)
            assert len(told) == 1

    play(scenario, venue)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_stalem_1_what_the_stream_tells_of_a_contract_has_them_read_at_once(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        await change(scene, tick="0.50")
        before = asked(scene)
        event = ContractChanged(
            venue=venue, symbol=SYMBOL, status="TRADING", onboard_time_ms=None, delivery_time_ms=None, raw="{}"
        )
        scene.connector.streams.frames.deliver(event)
        scene.connector.streams.frames.deliver(event)
        await scene.sleep(1)
        assert asked(scene) == before + 1
        assert [one.symbol for one in changed(scene)] == [SYMBOL]

    play(scenario, venue)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_stalem_1_the_end_of_a_contract_that_is_used_is_told_a_day_ahead_once(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.connector.get_instrument(SYMBOL)
        ends_ms = scene.clock.time_ns() // 1_000_000 + 26 * 3600 * 1000
        await change(scene, delivery_ms=ends_ms)
        await scene.connector.get_instruments(refresh=True)
        await scene.sleep(1 * 3600)
        assert scene.of(InstrumentEnding) == []
        await scene.sleep(2 * 3600)
        (told,) = scene.of(InstrumentEnding)
        assert isinstance(told, InstrumentEnding)
        assert (told.symbol, told.ends_ms) == (SYMBOL, ends_ms)
        early_h = (ends_ms - told.time_ns / 1e6) / 3_600_000
        assert 23.9 < early_h <= 24

    play(scenario, venue, rate=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_stalem_1_a_fill_in_a_contract_that_nobody_knows_is_delivered_and_the_contract_asked_for_once(
    venue: str,
) -> None:
    """ENUM-1 and F9 want it too: listed while the program ran, and traded by hand."""

    async def scenario(scene: Scene) -> None:
        fills: list[Fill] = []
        scene.connector.on(Fill, fills.append)
        await scene.connector.open_account_stream()
        mark = scene.host.exchange.mark_price(GONE)
        await scene.connector.place_order(
            GONE, "BUY", "0.03", order_type="LIMIT", price=mark * Decimal("0.8"), round="nearest"
        )
        await scene.sleep(1)
        await change(scene, without=GONE)
        await scene.connector.get_instruments(refresh=True)
        assert scene.connector.instruments.known(GONE) is None
        scene.host.faults.clear()
        before = asked(scene)
        for _ in range(3):
            scene.host.exchange.force_fill("main", symbol=GONE, quantity=Decimal("0.01"))
        await scene.sleep(2)
        assert [fill.symbol for fill in fills] == [GONE] * 3
        assert asked(scene) == before + 1
        assert scene.connector.instruments.known(GONE) is not None
        assert [one.how for one in changed(scene) if one.symbol == GONE] == ["DELISTED", "LISTED"]

    play(scenario, venue)

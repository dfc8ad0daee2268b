"""The calls about the market against the embedded exchange, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import BadInput, NotOffered
from perpwire.model.instrument import Instrument
from perpwire.model.market import PriceKind
from perpwire.testing import World, offline
from perpwire.venues.base import Call
from perpwire.venues.bybit import translate_market, wire
from perpwire.venues.bybit.venue import VENUE

MINUTE_MS = 60_000


def in_a_world(story: Callable[[World, VenueConnector], Awaitable[None]]) -> None:
    async def told(clock: ManualClock) -> None:
        async with offline(clock=clock, venues=("bybit",)) as world:
            await story(world, world.bybit)

    clock = ManualClock()
    clock.run(told(clock))


def test_contracts_before_their_launch_are_listed_after_those_in_trading() -> None:
    def page(symbol: str, status: str, cursor: str = "") -> wire.Page[wire.InstrumentRow]:
        row = {
            "symbol": symbol, "status": status, "contractType": "LinearPerpetual",
            "priceFilter": {"tickSize": "0.1"}, "lotSizeFilter": {"minOrderQty": "1", "qtyStep": "1"},
        }  # fmt: skip
        return msgspec.convert({"list": [row], "nextPageCursor": cursor}, wire.Page[wire.InstrumentRow])

    pages = [page("AUSDT", "Trading", "x"), page("BUSDT", "Trading"), page("NEWUSDT", "PreLaunch")]
    asked: list[tuple[Any, Any]] = []
    found: list[tuple[str, bool, str]] = []
    call: Call[tuple[Instrument, ...]] | None = VENUE.instruments()
    for one in pages:
        assert call is not None
        asked.append((call.params.get("status"), call.params.get("cursor")))
        found += [(each.symbol, each.is_trading, each.status) for each in call.translate(one)]
        assert call.next_page is not None
        call = call.next_page(one)
    assert call is None
    assert asked == [(None, None), (None, "x"), ("PreLaunch", None)]
    assert found == [
        ("AUSDT", True, "Trading"), ("BUSDT", True, "Trading"), ("NEWUSDT", False, "PreLaunch")
    ]  # fmt: skip


@pytest.mark.slow
def test_what_the_market_is_now_is_told_of_one_symbol_or_of_all() -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        symbols = set(await connector.get_instruments())
        mark = await connector.get_mark_price("BTCUSDT")
        assert mark.mark_price > 0
        assert mark.next_funding_time_ms is not None
        assert {one.symbol for one in await connector.get_mark_prices()} == symbols
        ticker = await connector.get_ticker("BTCUSDT")
        assert ticker.low_price <= ticker.last_price <= ticker.high_price
        assert {one.symbol for one in await connector.get_tickers()} == symbols
        (top,) = await connector.get_book_tickers("BTCUSDT")
        assert Decimal(0) < top.bid_price < top.ask_price
        assert (await connector.get_open_interest("BTCUSDT")).quantity > 0
        await world.clock.sleep(30)
        trades = await connector.get_recent_trades("BTCUSDT", 50)
        assert [one.venue_time_ms for one in trades] == sorted(one.venue_time_ms for one in trades)
        assert (await connector.get_venue_status()).is_up

    in_a_world(story)


@pytest.mark.parametrize("kind", list(PriceKind))
def test_candles_come_oldest_first_through_several_spans_each_once(kind: PriceKind) -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        now_ms = await connector.get_server_time()
        last_ms = now_ms // MINUTE_MS * MINUTE_MS
        first_ms = last_ms - 2500 * MINUTE_MS
        found = await connector.get_klines("BTCUSDT", "1m", first_ms, price_kind=kind).all()
        opened = [one.open_time_ms for one in found]
        assert opened == sorted(set(opened))
        assert opened[0] >= first_ms
        assert opened[-1] == last_ms
        assert [one.is_closed for one in found[-2:]] == [True, False]
        assert all((one.volume is not None) is (kind is PriceKind.LAST) for one in found)
        middle = found[len(found) // 2].open_time_ms
        some = await connector.get_klines("BTCUSDT", "1m", middle, middle + 3 * MINUTE_MS, price_kind=kind).all()
        assert [one.open_time_ms for one in some] == [middle + number * MINUTE_MS for number in range(4)]

    in_a_world(story)


@pytest.mark.slow
def test_open_interest_and_fundings_come_oldest_first() -> None:
    async def story(world: World, connector: VenueConnector) -> None:
        now_ms = await connector.get_server_time()
        interests = await connector.get_open_interest_history("BTCUSDT", "5m", now_ms - 300 * 5 * MINUTE_MS).all()
        times = [one.venue_time_ms for one in interests]
        assert times == sorted(set(times))
        assert len(times) > 200
        rates = await connector.get_funding_rates("BTCUSDT", 0).all()
        times = [one.venue_time_ms for one in rates]
        assert times == sorted(set(times))

    in_a_world(story)


def test_fundings_are_asked_for_backwards_until_the_start_and_come_once_oldest_first() -> None:
    def page(times: range) -> wire.Page[wire.FundingRow]:
        return wire.Page([wire.FundingRow("BTCUSDT", "0.0001", str(one)) for one in reversed(times)])

    call = VENUE.funding_rates("BTCUSDT", 1150, None)
    assert (call.params["startTime"], call.params["endTime"]) == (None, None)
    first = page(range(1300, 1500))
    assert call.translate(first) == ()
    assert call.next_page is not None
    second = call.next_page(first)
    assert second is not None
    assert (second.params["startTime"], second.params["endTime"]) == (1150, 1299)
    last = page(range(1150, 1300))
    assert [one.venue_time_ms for one in second.translate(last)] == list(range(1150, 1500))
    assert second.next_page is not None
    assert second.next_page(last) is None


def test_intervals_that_do_not_exist_are_said_before_sending() -> None:
    with pytest.raises(NotOffered):
        VENUE.klines("BTCUSDT", "8h", None, None, PriceKind.LAST)
    with pytest.raises(NotOffered):
        VENUE.open_interest_history("BTCUSDT", "2h", None, None)
    with pytest.raises(NotOffered):
        VENUE.trades("BTCUSDT", None, None)
    with pytest.raises(BadInput, match="1m, 3m"):
        VENUE.klines("BTCUSDT", "7m", None, None, PriceKind.LAST)
    with pytest.raises(BadInput, match="5m, 15m"):
        VENUE.open_interest_history("BTCUSDT", "1m", None, None)


def test_a_month_ends_when_it_ends() -> None:
    assert translate_market.close_time_ms("1M", 1_764_547_200_000) == 1_767_225_600_000 - 1  # December 2025
    assert translate_market.close_time_ms("1w", 0) == 7 * 24 * 3_600_000 - 1


@pytest.mark.parametrize(
    ("fields", "is_up", "notices"),
    [
        ({"state": "ongoing"}, False, 1),
        ({"state": "scheduled"}, True, 1),
        ({"state": "completed"}, True, 0),
        ({"state": "ongoing", "serviceTypes": [5]}, True, 1),
        ({"state": "ongoing", "product": [2]}, True, 0),
        ({"state": "ongoing", "uidSuffix": [3]}, True, 1),
    ],
)
def test_the_venue_is_down_while_trading_in_futures_is_maintained(
    fields: dict[str, object], is_up: bool, notices: int
) -> None:
    status = translate_market.status(wire.Rows([wire.StatusRow(**{"title": "x", **fields})]))  # type: ignore[arg-type]
    assert (status.is_up, len(status.notices)) == (is_up, notices)

"""The calls about the market, against the embedded exchange: every page, each row once, oldest first."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from tests.venues.binance_futures.two_traders import Traders, play

from perpwire.errors import BadInput
from perpwire.model.market import PriceKind

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


async def now_ms(traders: Traders) -> int:
    return await traders.me.get_server_time()


@pytest.mark.slow
def test_candles_of_a_span_come_whole_and_in_order_and_only_the_running_one_is_open() -> None:
    async def scenario(traders: Traders) -> None:
        now = await now_ms(traders)
        candles = await traders.me.get_klines("BTCUSDT", "1m", now - 2 * DAY_MS, now).all()
        assert 2880 <= len(candles) <= 2881
        assert all(later.open_time_ms - one.open_time_ms == 60_000 for one, later in pairwise(candles))
        assert [one.is_closed for one in candles[-2:]] == [True, False]
        assert sum("/klines" in path for path in traders.paths) == 3
        newest = await traders.me.get_klines("BTCUSDT", "1m").all()
        assert newest[-1].open_time_ms == candles[-1].open_time_ms

    play(scenario)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(PriceKind))
def test_candles_of_every_price_can_be_had_and_volumes_only_where_there_is_trade(kind: PriceKind) -> None:
    async def scenario(traders: Traders) -> None:
        now = await now_ms(traders)
        candles = await traders.me.get_klines("BTCUSDT", "1h", now - 5 * HOUR_MS, now, price_kind=kind).all()
        assert len(candles) in (5, 6)
        assert {one.price_kind for one in candles} == {kind}
        assert all((one.volume is not None) is (kind is PriceKind.LAST) for one in candles)

    play(scenario)


def test_a_page_of_candles_is_no_greater_than_the_span_needs() -> None:
    async def scenario(traders: Traders) -> None:
        now = await now_ms(traders)
        for hours, limit in ((50, 99), (300, 499), (900, 1000)):
            traders.sent.clear()
            await traders.me.get_klines("BTCUSDT", "1h", now - hours * HOUR_MS, now).all()
            (asked,) = [one for one in traders.sent if "/klines" in one]
            assert f"limit={limit}" in asked

    play(scenario)


def test_trades_lead_on_by_their_ids_to_the_end_of_the_span() -> None:
    async def scenario(traders: Traders) -> None:
        start = await now_ms(traders)
        for step in range(12):
            await traders.trade_at(f"6400{step % 2}.0")
            await traders.wait(1.0)
        end = await now_ms(traders)
        await traders.trade_at("64005.0")
        await traders.wait(1.0)
        trades = await traders.me.get_trades("BTCUSDT", start, end).all()
        assert len(trades) == 12
        assert [one.price for one in trades[:2]] == [Decimal(64000), Decimal(64001)]
        recent = await traders.me.get_recent_trades("BTCUSDT", 3)
        assert [one.price for one in recent][-1] == Decimal(64005)

    play(scenario)


def test_tickers_books_and_open_interest_of_one_symbol_or_of_all() -> None:
    async def scenario(traders: Traders) -> None:
        await traders.rest("BUY", "63000", "0.010")
        ticker = await traders.me.get_ticker("BTCUSDT")
        assert ticker.low_price <= ticker.last_price <= ticker.high_price
        (book,) = await traders.me.get_book_tickers("BTCUSDT")
        assert (book.bid_price, book.bid_quantity, book.ask_price) == (Decimal(63000), Decimal("0.010"), Decimal(0))
        mark = await traders.me.get_mark_price("BTCUSDT")
        assert mark.funding_rate is not None
        assert mark.next_funding_time_ms is not None
        listed = set(await traders.me.get_instruments())
        assert {one.symbol for one in await traders.me.get_mark_prices()} == listed
        assert {one.symbol for one in await traders.me.get_book_tickers()} == listed
        assert {one.symbol for one in await traders.me.get_tickers()} == listed
        assert (await traders.me.get_open_interest("BTCUSDT")).quantity >= 0
        assert (await traders.me.get_venue_status()).is_up

    play(scenario)


def test_open_interest_of_a_month_takes_as_many_pages_as_it_needs() -> None:
    async def scenario(traders: Traders) -> None:
        now = await now_ms(traders)
        rows = await traders.me.get_open_interest_history("BTCUSDT", "1h", now - 40 * DAY_MS, now).all()
        times = [one.venue_time_ms for one in rows]
        assert all(later - one == HOUR_MS for one, later in pairwise(times))
        assert 29 * DAY_MS < times[-1] - times[0] <= 30 * DAY_MS
        assert rows[0].notional is not None
        assert len(await traders.me.get_open_interest_history("BTCUSDT", "1h").all()) == 500

    play(scenario)


@pytest.mark.slow
def test_funding_rates_lead_on_by_their_time() -> None:
    async def scenario(traders: Traders) -> None:
        now = await now_ms(traders)
        rows = await traders.me.get_funding_rates("BTCUSDT", now - 500 * DAY_MS, now).all()
        assert all(later.venue_time_ms - one.venue_time_ms == 8 * HOUR_MS for one, later in pairwise(rows))
        assert len(rows) == 1500
        assert sum("fundingRate" in path for path in traders.paths) == 2

    play(scenario)


def test_what_cannot_be_asked_for_is_bad_input_and_nothing_is_sent() -> None:
    async def scenario(traders: Traders) -> None:
        traders.sent.clear()
        with pytest.raises(BadInput):
            traders.me.get_klines("BTCUSDT", "7m")
        with pytest.raises(BadInput):
            traders.me.get_klines("BTCUSDT", "1m", 2, 1)
        with pytest.raises(BadInput):
            traders.me.get_open_interest_history("BTCUSDT", "1m")
        with pytest.raises(BadInput):
            await traders.me.get_recent_trades("BTCUSDT", 1001)
        assert traders.sent == []

    play(scenario)

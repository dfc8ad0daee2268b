"""Candles: a past that adds up, joined to what was really traded and marked."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from tests.simulator.making import SYMBOL, Heard, exchange, spec

from perpwire.clock import ManualClock
from perpwire.simulator.candles import Candle, Candles, Kind
from perpwire.simulator.events import MarkTick, Traded
from perpwire.simulator.history import AT_LEAST_DAYS, LISTED_MS
from perpwire.simulator.intervals import DAY_MS, HOUR_MS, MINUTE_MS, Interval

FIRST_ID = 4_000_000_001
KINDS: tuple[Kind, ...] = ("last", "mark", "index", "premium")


def now_of(clock: ManualClock) -> int:
    return clock.time_ns() // 1_000_000


def candles_of(clock: ManualClock, seed: int = 7, symbol: str = SYMBOL, price: str = "64000") -> Candles:
    return Candles(spec(symbol, price), seed, lambda: now_of(clock), FIRST_ID)


def traded(clock: ManualClock, number: int, price: str, quantity: str = "1", *, sold: bool = False) -> Traded:
    return Traded(
        symbol=SYMBOL,
        trade_id=FIRST_ID + number,
        price=Decimal(price),
        quantity=Decimal(quantity),
        buyer_is_maker=sold,
        time_ms=now_of(clock),
    )


def marked(clock: ManualClock, mark: str, index: str) -> MarkTick:
    return MarkTick(
        symbol=SYMBOL,
        mark_price=Decimal(mark),
        index_price=Decimal(index),
        funding_rate=Decimal(0),
        next_funding_ms=0,
        time_ms=now_of(clock),
    )


def figures(candle: Candle) -> tuple[Decimal, ...]:
    return candle.open, candle.high, candle.low, candle.close


def added(candles: list[Candle]) -> tuple[object, ...]:
    return (
        candles[0].open,
        max(one.high for one in candles),
        min(one.low for one in candles),
        candles[-1].close,
        sum(one.volume for one in candles),
        sum(one.turnover for one in candles),
        sum(one.trades for one in candles),
        sum(one.taker_buy_volume for one in candles),
        sum(one.taker_buy_turnover for one in candles),
    )


# --- the made-up past -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("long", "short"), [("5m", "1m"), ("1h", "1m"), ("4h", "15m"), ("1d", "1h"), ("1w", "1d")])
def test_a_longer_candle_is_the_sum_of_the_shorter_ones(clock: ManualClock, kind: Kind, long: str, short: str) -> None:
    candles = candles_of(clock)
    for whole in candles.range(kind, long, limit=6)[:-1]:
        parts = candles.range(kind, short, start_ms=whole.open_ms, end_ms=whole.close_ms, limit=1500)
        assert added(parts) == added([whole])


@pytest.mark.parametrize("kind", KINDS)
def test_candles_follow_on_one_another_to_the_start_price(clock: ManualClock, kind: Kind) -> None:
    for interval in Interval:
        rows = candles_of(clock).range(kind, interval, limit=120)
        assert all(after.open == before.close for before, after in pairwise(rows))
        assert all(after.open_ms == before.close_ms + 1 for before, after in pairwise(rows))
        assert rows[-1].close == (0 if kind == "premium" else Decimal(64000))
        assert all(one.low <= min(one.open, one.close) <= max(one.open, one.close) <= one.high for one in rows)


def test_prices_of_the_past_are_on_tick_and_trading_is_within_high_and_low(clock: ManualClock) -> None:
    for one in candles_of(clock).range("last", "1m", limit=1500)[:-1]:
        assert not one.close % Decimal("0.1")
        assert not one.volume % Decimal("0.001")
        assert one.low <= one.turnover / one.volume <= one.high
        assert 0 < one.taker_buy_volume < one.volume
        assert one.trades > 0


def test_the_mark_stays_near_the_last_price_in_every_minute(clock: ManualClock) -> None:
    candles = candles_of(clock)
    pairs = zip(candles.range("last", "1m", limit=1000), candles.range("mark", "1m", limit=1000), strict=True)
    gaps = [abs(last.close / mark.close - 1) for last, mark in pairs]
    assert 0 < max(gaps) < Decimal("0.001")


def test_the_past_is_years_long_and_no_shorter_for_an_earlier_start(clock: ManualClock) -> None:
    assert candles_of(clock).range("last", "1d", limit=9999)[0].open_ms == LISTED_MS // DAY_MS * DAY_MS
    assert len(candles_of(clock).range("last", "1d", limit=1500)) == 1500
    early = ManualClock(start_ns=1_500_000_000_000_000_000)
    assert len(candles_of(early).range("last", "1d", limit=9999)) == AT_LEAST_DAYS + 1


def test_the_same_seed_and_symbol_give_the_same_past_in_whatever_order_it_is_asked_for(clock: ManualClock) -> None:
    one, same = candles_of(clock), candles_of(clock)
    month = one.range("last", "1M", limit=5)
    minutes = one.range("last", "1m", limit=50)
    assert same.range("last", "1m", limit=50) == minutes
    assert same.range("last", "1M", limit=5) == month
    assert candles_of(clock, seed=8).range("last", "1m", limit=50) != minutes
    assert candles_of(clock, symbol="ETHUSDT").range("last", "1m", limit=50) != minutes


def test_the_past_has_quiet_and_wild_days_and_a_daily_round(clock: ManualClock) -> None:
    candles = candles_of(clock)
    days = candles.range("last", "1d", limit=1000)[:-1]
    ranges = sorted((one.high - one.low) / one.open for one in days)
    assert ranges[900] > 2 * ranges[100]
    hours: dict[int, Decimal] = {}
    for one in candles.range("last", "1h", limit=24 * 40):
        hour = one.open_ms // HOUR_MS % 24
        hours[hour] = hours.get(hour, Decimal(0)) + one.volume
    assert hours[14] > hours[4]


# --- ranges -----------------------------------------------------------------------------------------------------------


def test_a_range_gives_the_newest_or_the_oldest_of_what_opens_within_it(clock: ManualClock) -> None:
    candles = candles_of(clock)
    now_ms = now_of(clock)
    hour = now_ms // HOUR_MS * HOUR_MS
    start_ms, end_ms = hour - 10 * HOUR_MS + 1, hour - 2 * HOUR_MS
    opens = [hour - n * HOUR_MS for n in range(9, 1, -1)]
    rows = candles.range("last", "1h", start_ms=start_ms, end_ms=end_ms, limit=500)
    assert [one.open_ms for one in rows] == opens
    newest = candles.range("last", "1h", start_ms=start_ms, end_ms=end_ms, limit=3)
    assert [one.open_ms for one in newest] == opens[-3:]
    oldest = candles.range("last", "1h", start_ms=start_ms, end_ms=end_ms, limit=3, oldest=True)
    assert [one.open_ms for one in oldest] == opens[:3]
    assert candles.range("last", "1h", end_ms=1, limit=3) == []
    assert candles.range("last", "1h", start_ms=now_ms + HOUR_MS, limit=3) == []
    assert [one.is_closed for one in candles.range("last", "1h", limit=2)] == [True, False]


def test_one_candle_is_found_by_its_open(clock: ManualClock) -> None:
    candles = candles_of(clock)
    minute = now_of(clock) // MINUTE_MS * MINUTE_MS
    assert candles.at("last", "1m", minute) == candles.current("last", "1m")
    assert candles.at("last", "1m", minute + 1) is None
    assert candles.at("last", "1m", minute + MINUTE_MS) is None
    assert candles.at("last", "1d", 0) is None


# --- live -------------------------------------------------------------------------------------------------------------


def test_trades_make_the_candle_that_is_open_and_it_closes_with_its_minute(clock: ManualClock) -> None:
    candles = candles_of(clock)
    for number, (price, quantity, sold) in enumerate(
        [("64010", "1", False), ("63980", "0.5", True), ("64001.5", "2", False)]
    ):
        candles.on_trade(traded(clock, number, price, quantity, sold=sold))
    live = candles.current("last", "1m")
    assert figures(live) == (Decimal(64000), Decimal(64010), Decimal(63980), Decimal("64001.5"))
    assert (live.volume, live.trades, live.is_closed) == (Decimal("3.5"), 3, False)
    assert live.turnover == Decimal(64010) + Decimal(63980) / 2 + Decimal("64001.5") * 2
    assert live.taker_buy_volume == 3
    assert live.taker_buy_turnover == Decimal(64010) + Decimal("64001.5") * 2
    assert (live.first_trade_id, live.last_trade_id) == (FIRST_ID, FIRST_ID + 2)
    clock.advance(60)
    closed = candles.at("last", "1m", live.open_ms)
    assert closed is not None
    assert closed.is_closed
    assert added([closed]) == added([live])
    quiet = candles.current("last", "1m")
    assert figures(quiet) == (closed.close,) * 4
    assert quiet.volume == 0
    assert (quiet.trades, quiet.first_trade_id) == (0, -1)


def test_a_candle_that_began_before_the_start_has_both_parts(clock: ManualClock) -> None:
    candles = candles_of(clock)
    before = candles.current("last", "1d")
    assert before.volume > 0
    candles.on_trade(traded(clock, 0, "70000", "2"))
    after = candles.current("last", "1d")
    assert (after.open, after.high, after.close) == (before.open, Decimal(70000), Decimal(70000))
    assert after.volume == before.volume + 2
    assert after.trades == before.trades + 1


def test_minutes_without_trades_repeat_the_close_and_nothing_is_missing(clock: ManualClock) -> None:
    candles = candles_of(clock)
    candles.on_trade(traded(clock, 0, "64100"))
    clock.advance(3 * 3600)
    candles.on_trade(traded(clock, 1, "64200"))
    rows = candles.range("last", "1m", limit=181)
    assert all(after.open_ms == before.open_ms + MINUTE_MS for before, after in pairwise(rows))
    assert all(figures(one) == (Decimal(64100),) * 4 for one in rows[1:-1])
    assert figures(rows[-1]) == (Decimal(64100), Decimal(64200), Decimal(64100), Decimal(64200))
    assert sum(one.trades for one in rows) == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_live_candles_of_every_length_add_up_however_long_it_runs(clock: ManualClock, kind: Kind) -> None:
    candles = candles_of(clock)
    started = now_of(clock)
    for number in range(400):  # more than a week, and so minutes are let go of
        clock.advance(1801)
        candles.on_trade(traded(clock, number, f"{64000 + number % 37}"))
        candles.on_mark(marked(clock, f"{64000 + number % 31}", "64000"))
    for interval in ("15m", "1h", "1d", "1w"):
        for whole in candles.range(kind, interval, start_ms=started, limit=10, oldest=True):
            parts = candles.range(kind, "1m", start_ms=whole.open_ms, end_ms=whole.close_ms, limit=99999)
            assert added(parts) == added([whole])


def test_old_minutes_are_let_go_of_and_made_up_anew_from_what_is_kept(clock: ManualClock) -> None:
    candles = candles_of(clock)
    clock.advance(86400)
    candles.on_trade(traded(clock, 0, "65000", "3"))
    at = now_of(clock) // HOUR_MS * HOUR_MS
    clock.advance(12 * 86400)
    hour = candles.at("last", "1h", at)
    assert hour is not None
    assert hour.volume == 3
    minutes = candles.range("last", "1m", start_ms=at, end_ms=at + HOUR_MS - 1, limit=60)
    assert added(minutes) == added([hour])


def test_marks_make_candles_of_mark_index_and_premium(clock: ManualClock) -> None:
    candles = candles_of(clock)
    candles.on_mark(marked(clock, "64064", "64000"))
    candles.on_mark(marked(clock, "64032", "64000"), premium=Decimal("0.0002"))
    assert figures(candles.current("mark", "1m")) == tuple(map(Decimal, (64000, 64064, 64000, 64032)))
    assert figures(candles.current("index", "1m")) == (Decimal(64000),) * 4
    assert figures(candles.current("premium", "1m")) == tuple(map(Decimal, ("0", "0.001", "0", "0.0002")))
    assert candles.current("mark", "1d").volume == 0
    assert candles.current("mark", "1d").trades == 0


def test_a_clock_that_steps_back_takes_nothing_away(clock: ManualClock) -> None:
    candles = candles_of(clock)
    clock.advance(600)
    candles.on_trade(traded(clock, 0, "64100"))
    clock.jump_wall(-300)
    candles.on_trade(traded(clock, 1, "64200"))
    live = candles.current("last", "1m")
    assert (live.high, live.trades) == (Decimal(64200), 2)


# --- 24 hours ---------------------------------------------------------------------------------------------------------


def test_the_day_looks_real_at_once_and_is_the_last_1440_minutes(clock: ManualClock) -> None:
    candles = candles_of(clock)
    day = candles.day()
    minutes = candles.range("last", "1m", limit=1441)
    assert day.open == minutes[0].open
    assert day.hour_before == minutes[-61].open
    assert (day.high, day.low) == (max(one.high for one in minutes), min(one.low for one in minutes))
    assert day.volume == sum(one.volume for one in minutes) > 1000
    assert day.average == day.turnover / day.volume
    assert day.last == 64000
    assert day.last_trade_id - day.first_trade_id + 1 == day.trades
    assert day.close_ms - day.open_ms == DAY_MS


def test_the_day_rolls(clock: ManualClock) -> None:
    candles = candles_of(clock)
    candles.on_trade(traded(clock, 0, "90000", "3"))
    day = candles.day()
    assert day.high == day.last == 90000
    assert day.last_quantity == 3
    assert day.last_trade_id == FIRST_ID
    clock.advance(86400 + 120)
    day = candles.day()
    assert day.open == day.high == day.low == day.average == 90000
    assert day.volume == day.trades == 0


@pytest.mark.slow
def test_candles_are_what_was_told_of_trades_and_marks(clock: ManualClock) -> None:
    async def main() -> tuple[Heard, list[Candle], list[Candle]]:
        venue = exchange(clock, rate=20)
        heard = Heard(venue)
        venue.start()
        await clock.sleep(390)
        venue.close()
        return heard, venue.candles(SYMBOL, "last", "1m", limit=6), venue.candles(SYMBOL, "mark", "1m", limit=6)

    heard, traded, marked = clock.run(main())
    for candle in traded:
        trades = [one for one in heard.of(Traded) if candle.open_ms <= one.time_ms <= candle.close_ms]
        bought = [one for one in trades if not one.buyer_is_maker]
        prices = [candle.open, *(one.price for one in trades)]
        assert figures(candle) == (candle.open, max(prices), min(prices), trades[-1].price)
        assert candle.volume == sum(one.quantity for one in trades)
        assert candle.turnover == sum(one.quantity * one.price for one in trades)
        assert candle.taker_buy_volume == sum(one.quantity for one in bought)
        assert candle.taker_buy_turnover == sum(one.quantity * one.price for one in bought)
        assert candle.trades == len(trades) == candle.last_trade_id - candle.first_trade_id + 1
        assert (candle.first_trade_id, candle.last_trade_id) == (trades[0].trade_id, trades[-1].trade_id)
    for candle in marked:
        ticks = [one for one in heard.of(MarkTick) if candle.open_ms <= one.time_ms <= candle.close_ms]
        values = [candle.open, *(one.mark_price for one in ticks)]
        assert figures(candle) == (candle.open, max(values), min(values), ticks[-1].mark_price)


# --- the tape ---------------------------------------------------------------------------------------------------------


def test_the_tape_is_full_at_once_and_fits_the_last_minute_before_the_start(clock: ManualClock) -> None:
    venue = exchange(clock, rate=30)
    minute = venue.candles(SYMBOL, "last", "1m", limit=2)[0]
    tape = venue.recent_trades(SYMBOL, 1000)
    assert len(tape) == min(500, minute.trades) > 100
    assert sum(one.quantity for one in tape) < 2 * minute.volume
    for one in tape:
        assert minute.low <= one.price <= minute.high
        assert minute.open_ms <= one.time_ms <= minute.close_ms
        assert one.quantity > 0
        assert not one.price % Decimal("0.1")
    assert all(before.trade_id + 1 == after.trade_id for before, after in pairwise(tape))
    assert all(before.seq < after.seq < venue.seq(SYMBOL) for before, after in pairwise(tape))
    assert all(before.time_ms <= after.time_ms for before, after in pairwise(tape))
    assert tape[-1].price == venue.last_price(SYMBOL)
    assert tape[-1].trade_id == venue.day(SYMBOL).last_trade_id
    assert {one.buyer_is_maker for one in tape} == {True, False}


# --- intervals --------------------------------------------------------------------------------------------------------


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("interval", "time", "opened", "following"),
    [
        ("1m", "2026-09-21T14:13:20", "2026-09-21T14:13", "2026-09-21T14:14"),
        ("8h", "2026-09-21T14:13:20", "2026-09-21T08:00", "2026-09-21T16:00"),
        ("1w", "2026-09-21T00:00:00", "2026-09-21", "2026-09-28"),  # a Monday
        ("1w", "2026-09-20T23:59:59", "2026-09-14", "2026-09-21"),
        ("1M", "2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
        ("1M", "2026-12-31T23:59:59", "2026-12-01", "2027-01-01"),
    ],
)
def test_when_candles_open(interval: str, time: str, opened: str, following: str) -> None:
    one = Interval(interval)
    assert one.open_of(ms(time)) == ms(opened)
    assert one.next_open(ms(opened)) == ms(following)
    assert one.previous_open(ms(following)) == ms(opened)

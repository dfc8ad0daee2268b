"""Candles made of trades."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from perpwire.data_processor.candles import MOST_EMPTY, CandleMaker, Interval
from perpwire.errors import BadInput
from perpwire.model.market import AggTrade, Gap, Kline, Trade

DAY_MS = 86_400_000


def trade(time_ms: int, price: str = "100", quantity: str = "1") -> Trade:
    return Trade(
        venue="bybit",
        symbol="BTCUSDT",
        venue_time_ms=time_ms,
        trade_id=f"id-{time_ms}",
        price=Decimal(price),
        quantity=Decimal(quantity),
        buyer_is_maker=False,
    )


def gap(kind: str = "Trade", symbol: str = "BTCUSDT", *, repaired: bool = False) -> Gap:
    return Gap(venue="bybit", symbol=symbol, kind=kind, since_ns=1, until_ns=2, repaired=repaired)


def made(maker: CandleMaker, *events: Trade | Gap) -> list[Kline]:
    closed: list[Kline] = []
    for event in events:
        if isinstance(event, Gap):
            maker.on_gap(event)
        else:
            closed += maker.on_trade(event)
    return closed


def completeness(candles: list[Kline]) -> list[tuple[int, bool]]:
    return [(candle.open_time_ms // 1000, candle.is_complete) for candle in candles]


def test_a_candle_is_closed_by_the_first_trade_after_it_and_sums_up_exactly() -> None:
    maker = CandleMaker("BTCUSDT", "5s")
    closed = made(
        maker,
        trade(4999, "90"),
        trade(5000, "100.10", "0.001"),
        trade(7000, "100.30", "0.2"),
        trade(9999, "99.9", "3"),
    )
    assert [candle.open_time_ms for candle in closed] == [0]
    (candle,) = maker.on_trade(trade(10_000, "101"))
    assert (candle.open_time_ms, candle.close_time_ms, candle.interval) == (5000, 9999, "5s")
    assert (candle.open, candle.high, candle.low, candle.close) == tuple(map(Decimal, ("90", "100.30", "90", "99.9")))
    assert candle.volume == Decimal("3.201")
    assert candle.quote_volume == Decimal("0.1001") + Decimal("20.06") + Decimal("299.7")
    assert (candle.taker_buy_volume, candle.taker_buy_quote_volume) == (candle.volume, candle.quote_volume)
    assert (candle.trades, candle.is_closed, candle.is_complete) == (3, True, True)


def test_where_a_venue_opens_candles_at_their_own_first_trade_the_price_before_does_not_count() -> None:
    maker = CandleMaker("BTCUSDT", "1s", opens_at_last=False)
    closed = made(maker, trade(0, "90"), trade(1000, "100"), trade(1500, "99"), trade(4000, "80"), trade(5000, "85"))
    prices = [(one.open, one.high, one.low, one.close) for one in closed]
    flat = (Decimal(99),) * 4
    assert prices[1:] == [(Decimal(100), Decimal(100), Decimal(99), Decimal(99)), flat, flat, (Decimal(80),) * 4]


def test_what_takers_bought_is_summed_up_by_itself() -> None:
    maker = CandleMaker("BTCUSDT", "5s")
    sold = msgspec.structs.replace(trade(2000, "100.30", "0.2"), buyer_is_maker=True)
    made(maker, trade(1000, "100.10", "0.001"), sold, trade(3000, "99.9", "3"))
    candle = maker.current
    assert candle is not None
    assert (candle.volume, candle.taker_buy_volume) == (Decimal("3.201"), Decimal("3.001"))
    assert candle.taker_buy_quote_volume == Decimal("0.1001") + Decimal("299.7")


def test_the_first_candle_is_never_complete_as_its_beginning_was_not_seen() -> None:
    maker = CandleMaker("BTCUSDT", "1s")
    assert maker.current is None
    assert completeness(made(maker, trade(0), trade(1000), trade(2000))) == [(0, False), (1, True)]


def test_seconds_without_trades_have_candles_without_volume_at_the_last_price() -> None:
    first, *empty = made(CandleMaker("BTCUSDT", "1s"), trade(0, "7"), trade(3000, "8"))
    assert first.volume == 1
    assert len(empty) == 2
    for one in empty:
        assert {one.open, one.high, one.low, one.close} == {Decimal(7)}
        assert {one.volume, one.quote_volume} == {Decimal(0)}
        assert (one.trades, one.is_complete) == (0, True)


def test_every_candle_from_the_last_trade_before_a_gap_to_the_first_after_it_is_not_complete() -> None:
    events = (trade(0), trade(1000), gap(), trade(3000), trade(4000), trade(5000))
    told = completeness(made(CandleMaker("BTCUSDT", "1s"), *events))
    assert told == [(0, False), (1, False), (2, False), (3, False), (4, True)]


@pytest.mark.parametrize("harmless", [gap(repaired=True), gap("Kline"), gap(symbol="ETHUSDT")])
def test_a_gap_that_is_repaired_or_of_something_else_takes_nothing_from_a_candle(harmless: Gap) -> None:
    told = completeness(made(CandleMaker("BTCUSDT", "1s"), trade(0), trade(1000), harmless, trade(2000)))
    assert told == [(0, False), (1, True)]


@pytest.mark.parametrize("other", [gap("AggTrade"), gap(symbol="")])
def test_a_gap_of_aggregated_trades_or_of_the_whole_market_counts(other: Gap) -> None:
    told = completeness(made(CandleMaker("BTCUSDT", "1s"), trade(0), trade(1000), other, trade(2000)))
    assert told == [(0, False), (1, False)]


def test_a_trade_that_is_older_than_the_open_candle_is_counted_and_makes_it_incomplete() -> None:
    maker = CandleMaker("BTCUSDT", "1s")
    closed = made(maker, trade(0), trade(1000), trade(999, "5000"), trade(2000))
    assert completeness(closed) == [(0, False), (1, False)]
    assert closed[1].high == Decimal(100)
    assert maker.late == 1


def test_an_aggregated_trade_counts_as_many_as_are_in_it() -> None:
    one = AggTrade(
        symbol="BTCUSDT", venue_time_ms=1, trade_id=5, price=Decimal(1), quantity=Decimal(2), buyer_is_maker=True,
        first_trade_id=10, last_trade_id=14,
    )  # fmt: skip
    maker = CandleMaker("BTCUSDT", "1m")
    made(maker, one)
    assert maker.current is not None
    assert (maker.current.trades, maker.current.is_closed) == (5, False)


def test_of_a_silence_of_days_the_newest_candles_are_made_and_the_first_of_them_says_that_more_are_left_out() -> None:
    closed = made(CandleMaker("BTCUSDT", "1s"), trade(0), trade(DAY_MS))
    assert len(closed) == 1 + MOST_EMPTY
    assert closed[1].open_time_ms == DAY_MS - MOST_EMPTY * 1000
    assert [one.is_complete for one in closed[1:3]] == [False, True]


def test_sums_stay_exact_beyond_the_digits_of_the_usual_context() -> None:
    maker = CandleMaker("BTCUSDT", "1d")
    made(maker, trade(0, "1", "1e20"), trade(1, "1", "1e-20"))
    assert maker.current is not None
    assert maker.current.volume is not None
    assert f"{maker.current.volume:f}" == "100000000000000000000.00000000000000000001"


@pytest.mark.parametrize(
    ("name", "time_ms", "open_ms", "next_ms"),
    [
        ("5s", 12_345, 10_000, 15_000),
        ("7m", 421_000, 420_000, 840_000),
        ("1d", DAY_MS + 5, DAY_MS, 2 * DAY_MS),
        ("1w", 12 * DAY_MS, 11 * DAY_MS, 18 * DAY_MS),
        ("1M", 40 * DAY_MS, 31 * DAY_MS, 59 * DAY_MS),
    ],
)
def test_intervals_open_where_the_venues_candles_do(name: str, time_ms: int, open_ms: int, next_ms: int) -> None:
    interval = Interval(name)
    assert interval.open_of(time_ms) == open_ms
    assert interval.next_open(open_ms) == next_ms
    assert interval.previous_open(next_ms) == open_ms


@pytest.mark.parametrize(
    "name", ["", "5", "0s", "05s", "-1m", "1.5m", "2M", "1y", "5S", " 5s", "5s\n", "٥s", "100000s"]
)
def test_an_interval_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="interval"):
        CandleMaker("BTCUSDT", name)


def test_block_trades_are_in_the_candle() -> None:
    maker = CandleMaker("BTCUSDT", "1m")
    maker.on_trade(trade(0, "100", "1"))
    maker.on_trade(msgspec.structs.replace(trade(1, "90", "5"), is_block=True))
    candle = maker.current
    assert candle is not None
    assert (candle.low, candle.volume, candle.trades) == (Decimal(90), Decimal(6), 2)

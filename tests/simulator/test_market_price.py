"""Mark price, index and funding: the venues' formulas, by hand."""

from __future__ import annotations

from decimal import Decimal as D
from itertools import pairwise
from random import Random
from statistics import pstdev

import pytest
from tests.simulator.making import instrument, spec

from perpwire.clock import ManualClock
from perpwire.simulator.candles import Candles
from perpwire.simulator.funding import FundingPast, average_premium, funding_rate
from perpwire.simulator.market_price import SPAN_S, MarketPrice, impact_prices

CAP, FLOOR = D("0.003"), D("-0.003")
EIGHT_HOURS_S = 8 * 3600
EIGHT_HOURS_MS = EIGHT_HOURS_S * 1000


def price_at(index: str, start: str = "64000", seed: int = 7) -> MarketPrice:
    """With an index that stays where it is put (but for its own wandering of a few hundredths of a percent)."""
    price = MarketPrice(instrument(), D(start), Random(seed))
    price.anchor = lambda: D(index)
    return price


class Still(Random):
    """Draws nothing but 0."""

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        return 0.0


def still(index: str, monkeypatch: pytest.MonkeyPatch) -> MarketPrice:
    monkeypatch.setattr("perpwire.simulator.market_price._MEAN_GAP_BP", 0.0)
    price = MarketPrice(instrument(), D(index), Still())
    price.anchor = lambda: D(index)
    return price


# --- mark -------------------------------------------------------------------------------------------------------------


def test_the_mark_is_the_median_of_last_price_funding_basis_and_mean_basis(monkeypatch: pytest.MonkeyPatch) -> None:
    price = still("60000", monkeypatch)
    price.settled_rate = D("0.001")
    half = EIGHT_HOURS_MS * 10 + EIGHT_HOURS_MS // 2
    # P1 = 60000 * (1 + 0.001 / 2) = 60030; P2 = 60000 + 300 / SPAN_S = 60001
    price.tick(D(60300), D(60300), half)
    assert price.mark == D("60030.0")
    price = still("60000", monkeypatch)
    price.settled_rate = D("0.001")
    price.tick(D(60300), D(50000), half)
    assert price.mark == 60000 + D(300) / SPAN_S
    price = still("60000", monkeypatch)
    price.settled_rate = D("0.001")
    price.tick(D(60300), D("60010.5"), half)
    assert price.mark == D("60010.5")


def test_the_mean_basis_takes_its_span_to_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    price = still("60000", monkeypatch)
    price.settled_rate = D("0.002")
    for second in range(1, 2 * SPAN_S):
        price.tick(D(60030), D(60000), EIGHT_HOURS_MS * 10 + second)
        if second == SPAN_S // 2:
            assert price.mark == D("60015.0")
    assert price.mark == D("60030.0")


def test_one_absurd_trade_does_not_move_the_mark_far(monkeypatch: pytest.MonkeyPatch) -> None:
    price = still("60000", monkeypatch)
    price.tick(D(60000), D(600))
    assert price.mark == 60000


def test_without_a_background_the_index_follows_the_book_in_small_steps() -> None:
    price = MarketPrice(instrument(), D(1000), Random(1))
    indexes = []
    for _ in range(300):
        price.tick(D(1100))
        indexes.append(price.index)
    assert all(0 <= after - before <= D("0.6") for before, after in pairwise(indexes))
    assert indexes[-1] == 1100


def test_the_index_wanders_about_its_anchor_the_same_for_a_seed() -> None:
    def run(seed: int) -> list[D]:
        price = price_at("64000", seed=seed)
        indexes = []
        for _ in range(3000):
            price.tick(D(64000))
            indexes.append(price.index)
        return indexes

    assert run(3) == run(3) != run(4)
    gaps = [float(index / 64000 - 1) * 10_000 for index in run(3)]
    assert 0.3 < pstdev(gaps) < 6  # hundredths of a percent
    assert all(not index % D("0.1") for index in run(3))


# --- premium and funding ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("premium", "hours", "rate"),
    [
        ("0", 8, "0.00010000"),  # interest alone
        ("0.0003", 8, "0.00010000"),  # within the band: interest alone
        ("0.0010", 8, "0.00050000"),  # premium less the band
        ("-0.0010", 8, "-0.00050000"),
        ("0.0500", 8, "0.00300000"),  # the cap
        ("-0.0500", 8, "-0.00300000"),
        ("0", 1, "0.00001250"),  # interest of an hour
        ("0.0010", 4, "0.00050000"),
    ],
)
def test_the_rate_is_the_premium_drawn_toward_interest_within_its_band(premium: str, hours: int, rate: str) -> None:
    assert funding_rate(D(premium), hours * 3600, CAP, FLOOR) == D(rate)


def test_the_latest_premium_counts_most(monkeypatch: pytest.MonkeyPatch) -> None:
    assert average_premium([D(1), D(2), D(3)]) == D(14) / 6
    assert average_premium([]) == 0
    price = still("60000", monkeypatch)
    price.tick(D(60060))
    price.tick(D(60120))
    assert price.average_premium == (D("0.001") + 2 * D("0.002")) / 3


def test_the_premium_is_counted_from_the_impact_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    price = still("60000", monkeypatch)
    price.tick(D(60050), impact=(D(60030), D(60090)))
    assert price.premium == D("0.0005")
    price.tick(D(59950), impact=(D(59910), D(59970)))
    assert price.premium == D("-0.0005")
    price.tick(D(60000), impact=(D(59990), D(60010)))
    assert price.premium == 0


def test_impact_prices_are_those_of_the_notional() -> None:
    bids = [(D(100), D(1)), (D(99), D(10))]
    asks = [(D(101), D(100))]
    assert impact_prices(bids, asks, D(199)) == (D("99.5"), D(101))
    assert impact_prices(bids, asks, D(10**6)) == (D(1090) / 11, D(101))
    assert impact_prices([], asks, D(10)) is None


def test_an_interval_that_ends_settles_its_rate_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    price = still("60000", monkeypatch)
    begun = EIGHT_HOURS_MS * 100
    for second in range(1, 11):
        price.tick(D(60060), now_ms=begun + second * 1000)
    coming = price.funding_rate
    assert coming == D("0.00050000")
    assert price.settled_rate == 0
    price.tick(D(59940), now_ms=begun + EIGHT_HOURS_MS)
    assert price.settled_rate == coming
    assert price.funding_rate == D("-0.00050000")
    assert price.next_funding_ms(begun) == begun + EIGHT_HOURS_MS
    assert price.next_funding_ms(begun - 1) == begun


def test_what_was_before_the_start_counts_on(monkeypatch: pytest.MonkeyPatch) -> None:
    price = still("60000", monkeypatch)
    price.warm(D("0.002"), 3, D("0.0004"))
    price.tick(D(60000))
    assert price.settled_rate == D("0.0004")
    assert price.average_premium == (6 * D("0.002") + 4 * 0) / 10


# --- the past ---------------------------------------------------------------------------------------------------------


def past_of(clock: ManualClock) -> tuple[FundingPast, int]:
    now_ms = clock.time_ns() // 1_000_000
    return FundingPast(Candles(spec(), 7, lambda: now_ms), EIGHT_HOURS_S, CAP, FLOOR, now_ms), now_ms


def test_rates_before_the_start_stand_at_their_instants_and_differ(clock: ManualClock) -> None:
    past, now_ms = past_of(clock)
    rates = past.rates(limit=100)
    assert len(rates) == 100
    assert now_ms - EIGHT_HOURS_MS < rates[-1].time_ms <= now_ms
    assert all(after.time_ms - before.time_ms == EIGHT_HOURS_MS for before, after in pairwise(rates))
    assert all(not one.time_ms % EIGHT_HOURS_MS and FLOOR <= one.rate <= CAP for one in rates)
    assert len({one.rate for one in rates}) > 10
    assert all(20_000 < one.mark_price < 200_000 for one in rates)
    assert past.rates(start_ms=rates[10].time_ms, end_ms=rates[12].time_ms, limit=9) == rates[10:13]
    assert past.rates(end_ms=0, limit=9) == []
    assert past_of(clock)[0].rates(limit=100) == rates


def test_the_interval_that_runs_at_the_start_has_its_premium_so_far(clock: ManualClock) -> None:
    past, now_ms = past_of(clock)
    premium, seconds = past.premium_so_far()
    assert seconds == now_ms % EIGHT_HOURS_MS // 1000 > 0
    assert 0 < abs(premium) < D("0.002")

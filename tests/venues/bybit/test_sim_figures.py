"""The simulator's arithmetic, against figures that the venue really gave, and its small parts."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from perpwire.clock import ManualClock
from perpwire.model.order import Side
from perpwire.simulator.events import MarkTick, Traded
from perpwire.simulator.specs import SymbolSpec, tiers
from perpwire.venues.bybit.sim import default_specs
from perpwire.venues.bybit.sim.numbers import MAKER_EXECUTION, ORDER, cut, fit, id_text, number_of
from perpwire.venues.bybit.sim.prices import Prices, SymbolPrices
from perpwire.venues.bybit.sim.timers import Timers

from .desk import Desk, at_desk, moment

D = Decimal


def contract(symbol: str, price: str, tick: str, step: str, fee: str, rate: str) -> SymbolSpec:
    spec = default_specs()[0]
    instrument = msgspec.structs.replace(
        spec.instrument,
        symbol=symbol,
        tick_size=D(tick),
        min_price=D(tick),
        quantity_step=D(step),
        min_quantity=D(step),
    )
    return msgspec.structs.replace(
        spec, instrument=instrument, start_price=D(price), taker_fee=D(fee), tiers=tiers(("300000", "100", rate))
    )


# Captured from real accounts in 2025-10 and 2026-03: quantity, entry, mark, taker fee -> what the venue showed.
CAPTURED = [
    (
        contract("SOLUSDT", "233.029", "0.001", "0.1", "0.000649", "0.005"),
        ("0.2", "233.02"),
        {"positionIM": "4.68780139", "positionMM": "0.26025039", "unrealisedPnl": "0.0018"},
    ),
    (
        contract("BTCPERP", "66472.02", "0.01", "0.001", "0.001", "0.004"),
        ("0.001", "66473.5"),
        {
            "positionIM": "6.70702815",
            "positionMM": "0.32571423",
            "unrealisedPnl": "-0.00148",
            "breakEvenPrice": "66606.58008008",
        },
    ),
]


@pytest.mark.parametrize(("spec", "trade", "shown"), CAPTURED, ids=["SOLUSDT", "BTCPERP"])
def test_margins_are_those_that_the_venue_showed(
    spec: SymbolSpec, trade: tuple[str, str], shown: dict[str, str]
) -> None:
    async def trial(desk: Desk) -> None:
        quantity, entry = trade
        symbol = spec.instrument.symbol
        desk.quote(Side.SELL, entry, quantity, symbol)
        desk.create(symbol=symbol, orderType="Market", qty=quantity)
        await moment()
        (row,) = desk.get("/v5/position/list", category="linear", symbol=symbol)["result"]["list"]
        assert {name: row[name] for name in shown} == shown

    at_desk(trial, specs=[spec])()


def test_margin_to_keep_is_continuous_from_tier_to_tier() -> None:
    spec = default_specs()[0]
    for lower, upper in pairwise(spec.tiers):
        assert lower.cap * lower.maintenance_rate - lower.deduction == (
            lower.cap * upper.maintenance_rate - upper.deduction
        )
    assert spec.tier(D(300_001)).number == 2
    assert spec.tier(D(10**9)) is spec.tiers[-1]


@at_desk
async def test_a_position_that_can_be_lost_shows_where(desk: Desk) -> None:
    desk.quotes()
    desk.post("/v5/position/set-leverage", category="linear", symbol="BTCUSDT", buyLeverage="100", sellLeverage="100")
    desk.create(side="Sell", orderType="Market", qty="10")
    await moment()
    (row,) = desk.get("/v5/position/list", category="linear", symbol="BTCUSDT")["result"]["list"]
    (wallet,) = desk.get("/v5/account/wallet-balance", accountType="UNIFIED")["result"]["list"]
    room = (D(wallet["totalMarginBalance"]) - D(wallet["totalMaintenanceMargin"])) / 10
    assert abs(D(row["liqPrice"]) - (64000 + room)) < D("1E-7")
    assert wallet["accountMMRate"] == str(D(wallet["totalMaintenanceMargin"]) / D(wallet["totalMarginBalance"]))[:6]


def traded(price: str, at_ms: int, quantity: str = "1") -> Traded:
    return Traded(
        symbol="BTCUSDT", trade_id=1, price=D(price), quantity=D(quantity), buyer_is_maker=False, time_ms=at_ms
    )


def test_tick_directions() -> None:
    prices = SymbolPrices(default_specs()[0])
    seen = []
    for price in ("64000", "64001", "64001", "64000", "64000"):
        prices.on_trade(traded(price, 0))
        seen.append(prices.tick_direction)
    assert seen == ["ZeroPlusTick", "PlusTick", "ZeroPlusTick", "MinusTick", "ZeroMinusTick"]


@at_desk
async def test_price_limits_follow_index_mark_and_the_half_minutes_premium(desk: Desk) -> None:
    prices = Prices(desk.exchange)
    assert prices.limits("BTCUSDT") == (D("64640.00"), D("63360.00"))
    desk.quote(Side.BUY, "64090")
    desk.quote(Side.SELL, "64110")
    for _ in range(40):
        prices.on_event(
            MarkTick(
                symbol="BTCUSDT",
                mark_price=D(64000),
                index_price=D(64000),
                funding_rate=D(0),
                next_funding_ms=0,
                time_ms=0,
            )
        )
    assert prices.of("BTCUSDT").premium == 100
    assert prices.limits("BTCUSDT") == (D("64740.00"), D("63360.00"))  # a premium widens only its own side
    assert prices.protective("BTCUSDT", Side.SELL) == D("63360.00")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1.230", "1.23"),
        ("-0.000000019", "-0.00000001"),
        ("-0.000000001", "0"),
        ("100", "100"),
        ("0", "0"),
        ("1E3", "1000"),
    ],
)
def test_amounts_are_cut_toward_zero_at_eight_decimals(number: str, text: str) -> None:
    assert cut(D(number)) == text


def test_multiples_have_their_steps_decimals_and_nothing_is_rounded_away() -> None:
    assert fit(D("1.2345"), D("0.10")) == "1.2345"
    assert (fit(D("1"), D("0.10")), fit(D("5E-8"), D("0.00000001"))) == ("1.00", "0.00000005")


def test_an_ids_text_gives_back_its_number_and_no_other_text_does() -> None:
    number = 8_389_765_739_000_000_001
    text = id_text(ORDER, number)
    assert len(text) == 36
    assert [len(part) for part in text.split("-")] == [8, 4, 4, 4, 12]
    assert number_of(ORDER, text) == number
    for other in (id_text(MAKER_EXECUTION, number), text.replace("-", ""), text.upper(), text[:-1] + "x", "", "-" * 36):
        assert number_of(ORDER, other) is None


def test_what_is_put_off_by_the_same_delay_keeps_its_order() -> None:
    clock = ManualClock()

    async def main() -> list[int]:
        timers, seen = Timers(clock), list[int]()
        for number in range(50):
            timers.later(0.002, lambda number=number: seen.append(number))  # type: ignore[misc]
        await asyncio.sleep(1)
        timers.later(0.002, lambda: seen.append(-1))
        timers.close()
        timers.later(0.002, lambda: seen.append(-2))
        await asyncio.sleep(1)
        return seen

    assert clock.run(main()) == list(range(50))

"""The venue's margin arithmetic, against payloads that were captured from it."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

import msgspec
import pytest
from tests.simulator.making import intent

from perpwire.clock import ManualClock
from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.accounts import Account
from perpwire.simulator.exchange import AccountSpec, Exchange
from perpwire.simulator.records import SimOrder, SimPosition
from perpwire.simulator.specs import SymbolSpec, Tier
from perpwire.venues.bybit.sim.holdings import rate
from perpwire.venues.bybit.sim.margin import MARGIN, break_even_price
from perpwire.venues.bybit.sim.rules import default_specs

D = Decimal


def spec(taker: str, rate: str, deduction: str = "0") -> SymbolSpec:
    tier = Tier(number=1, cap=D(10_000_000), max_leverage=D(100), maintenance_rate=D(rate), deduction=D(deduction))
    return msgspec.structs.replace(default_specs()[0], taker_fee=D(taker), tiers=(tier,))


def position(quantity: str, value: str, leverage: str, *, isolated: bool = False, extra: str = "0") -> SimPosition:
    return SimPosition(
        symbol="BTCUSDT",
        side=PositionSide.BOTH,
        quantity=D(quantity),
        entry_value=D(value),
        leverage=D(leverage),
        is_isolated=isolated,
        extra_margin=D(extra),
    )


def cut(number: Decimal) -> Decimal:
    return number.quantize(D("1e-8"), rounding=ROUND_DOWN)


def test_solusdt_as_captured_in_2025_10() -> None:
    held, rules, mark = position("0.2", "46.604", "10"), spec("0.000649", "0.005"), D("233.029")
    assert cut(MARGIN.initial(rules, held, mark)) == D("4.68780139")
    assert cut(MARGIN.maintenance(rules, held, mark)) == D("0.26025039")
    assert held.unrealized(mark) == D("0.0018")


def test_btcperp_as_captured_in_2026_03() -> None:
    held, rules, mark = position("0.001", "66.4735", "10"), spec("0.001", "0.004"), D("66472.02")
    assert cut(MARGIN.initial(rules, held, mark)) == D("6.70702815")
    assert cut(MARGIN.maintenance(rules, held, mark)) == D("0.32571423")
    assert held.unrealized(mark) == D("-0.00148")


def test_adausdt_hedge_as_captured() -> None:
    held, rules, mark = position("18720", "7705.157", "75"), spec("0.00055", "0.0075"), D("0.41")
    assert MARGIN.initial(rules, held, mark).quantize(D("0.000001")) == D("106.517332")
    assert abs(MARGIN.maintenance(rules, held, mark) - D("61.745358")) < D("0.0001")
    assert held.unrealized(mark) == D("-29.957")


def test_the_cross_liquidation_price_as_captured() -> None:
    """M - s (margin balance - maintenance margin) / Q: 176.89650 for SOLUSDT in 2025-10."""
    held, rules, mark = position("0.2", "46.604", "10"), spec("0.000649", "0.005"), D("233.029")
    need = MARGIN.maintenance(rules, held, mark)
    balance = (mark - D("176.89650")) * D("0.2") + need  # what the captured account had
    price = MARGIN.liquidation_price(rules, held, [held], mark, balance - held.unrealized(mark))
    assert price == D("176.89650")


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("extra", ["0", "50"])
def test_an_isolated_position_is_liquidated_where_its_margin_is_its_maintenance_margin(sign: int, extra: str) -> None:
    rules = spec("0.00055", "0.005")
    held = position(str(sign), "50000", "10", isolated=True, extra=extra)
    price = MARGIN.liquidation_price(rules, held, [held], D(50000), D(0))
    assert price is not None
    # 50000 (1 - 1/10) less X / (1 - t), over 1 - MMR; for shorts all signs turn.
    extra_at_exit = D(extra) / (1 - sign * D("0.00055"))
    expected = (50000 * (1 - sign * D("0.1")) - sign * extra_at_exit) / (1 - sign * D("0.005"))
    assert price == expected
    # Where nothing was added that is exactly where margin and profit are down to the maintenance margin.
    if extra == "0":
        margin = MARGIN.set_aside(rules, Side.BUY if sign > 0 else Side.SELL, D(50000), D(10))
        assert abs(margin + held.unrealized(price) - MARGIN.maintenance(rules, held, price)) < D("1e-7")


def test_the_order_cost_of_the_help_centre() -> None:
    """1 BTC at 50,000, ten times leverage, 0.055 %: 5000 + 27.5 + 24.75."""
    rules = spec("0.00055", "0.005")
    cost = MARGIN.order_margin(rules, D(0), [(D(50000), D(1))], [], mark=D(50000), leverage=D(10))
    assert cost == D("5052.25")


def test_tiers_are_continuous_and_as_captured() -> None:
    btc = default_specs()[0]
    assert [(tier.cap, tier.maintenance_rate, tier.deduction) for tier in btc.tiers[:3]] == [
        (D(300_000), D("0.0033"), D(0)),
        (D(2_000_000), D("0.005"), D(510)),
        (D(2_600_000), D("0.0056"), D(1710)),
    ]


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_an_isolated_position_is_taken_over_at_its_bankruptcy_price_and_pays_the_fee_kept_for_it(
    clock: ManualClock, side: Side
) -> None:
    """B = E (1 - s/L), and the fee that was set aside is what the takeover costs: nothing of the margin is left."""
    rules = msgspec.structs.replace(spec("0.00055", "0.005"), start_price=D(50000))
    accounts = (AccountSpec(name="a"), AccountSpec(name="b", api_key="b"))
    venue = Exchange(clock=clock, seed=7, symbols=[rules], accounts=accounts, margin=MARGIN, rate=0)
    for account in ("a", "b"):
        venue.set_leverage(account, "BTCUSDT", D(10))
        venue.set_isolated(account, "BTCUSDT", True)
    for account, which in (("b", Side.SELL if side is Side.BUY else Side.BUY), ("a", side)):
        venue.place(account, intent(which, "0.1", "50000"))
    wallet = venue.wallet("a")["USDT"]
    margin = venue.position("a", "BTCUSDT").isolated_margin
    sign = 1 if side is Side.BUY else -1
    assert margin == 500 + D("0.1") * 50000 * (1 - sign * D("0.1")) * D("0.00055")
    venue.force_mark("BTCUSDT", D(50000) * (1 - sign * D("0.099")))
    order, fill = venue.fills("a", "BTCUSDT")[-1]
    assert (order.origin, fill.kind, fill.price) == ("takeover", "takeover", D(50000) * (1 - sign * D("0.1")))
    assert fill.fee == margin - 500
    assert venue.wallet("a")["USDT"] == wallet - margin


def test_the_break_even_price_as_captured_in_2026_03() -> None:
    held = position("0.001", "66.4735", "10")
    held.current_realized = D("-0.0664735")
    assert cut(break_even_price(spec("0.001", "0.004"), held)) == D("66606.58008008")


def test_closed_profit_as_in_the_documentations_sample() -> None:
    """s (exit value - entry value) - openFee - closeFee: -43.1305 less fees of 4.2760323."""
    account = Account(AccountSpec(name="a"), {"BTCUSDT": spec("0.0006", "0.005")}, MARGIN)
    opened, closed = D("100.1305"), D("57")
    rates = D("2.1380") / opened, D("2.1380323") / closed
    for side, price, charged in ((Side.BUY, opened, rates[0]), (Side.SELL, closed, rates[1])):
        order = _order(side)
        fill, _ = account.settle(
            order, trade_id=1, price=price, quantity=D(1), is_maker=False, time_ms=0, fee_rate=charged
        )
    assert fill.realized_pnl == D("-43.1305")
    assert fill.closed_pnl == D("-47.4065323")


def _order(side: Side) -> SimOrder:
    return SimOrder(
        account="a",
        symbol="BTCUSDT",
        order_id=1,
        client_order_id="",
        side=side,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        price=None,
        quantity=D(1),
        reduce_only=False,
        position_side=PositionSide.BOTH,
        status=OrderStatus.NEW,
        created_ms=0,
        updated_ms=0,
    )


@pytest.mark.parametrize(("part", "total", "shown"), [("0.40836", "1", "0.4083"), ("0.020026", "1", "0.02")])
def test_account_rates_are_truncated_as_captured(part: str, total: str, shown: str) -> None:
    assert rate(D(part), D(total)) == shown

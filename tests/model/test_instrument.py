from __future__ import annotations

from decimal import Decimal as D

import msgspec
import pytest
from hypothesis import given, strategies as st

from perpwire.errors import BadInput
from perpwire.model.instrument import Instrument

BTC = Instrument(
    venue="binance", symbol="BTCUSDT", base="BTC", quote="USDT", settle="USDT", is_trading=True,
    tick_size=D("0.10"), min_price=D("556.80"), max_price=D(4529764), quantity_step=D("0.001"),
    min_quantity=D("0.001"), max_quantity=D(1000), max_market_quantity=D(120), min_notional=D(100),
)  # fmt: skip


@pytest.mark.parametrize(
    ("price", "code", "words"),
    [
        (D("64000.15"), "PRICE_OFF_TICK", "nearest is 64000.20|nearest is 64000.10"),
        (D(0), "PRICE_NOT_POSITIVE", "above 0"),
        (D(-1), "PRICE_NOT_POSITIVE", "above 0"),
        (D(500), "PRICE_TOO_LOW", "556.80"),
        (D(5000000), "PRICE_TOO_HIGH", "4529764"),
    ],
)
def test_a_price_the_venue_would_refuse_is_refused_here_with_the_nearest_valid_one(
    price: D, code: str, words: str
) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        BTC.check_price(price)
    assert (caught.value.code, caught.value.venue) == (code, "binance")


@pytest.mark.parametrize(
    ("quantity", "market", "code"),
    [
        (D(0), False, "QUANTITY_NOT_POSITIVE"),
        (D("0.0015"), False, "QUANTITY_OFF_STEP"),
        (D("0.0004"), False, "QUANTITY_OFF_STEP"),
        (D(121), True, "QUANTITY_TOO_LARGE"),
        (D(1001), False, "QUANTITY_TOO_LARGE"),
    ],
)
def test_a_quantity_the_venue_would_refuse_is_refused_here(quantity: D, market: bool, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        BTC.check_quantity(quantity, market=market)
    assert caught.value.code == code


def test_valid_values_pass_unchanged_in_size() -> None:
    BTC.check_price(D("64000.1"))
    BTC.check_quantity(D(121))
    BTC.check_notional(D(50000), D("0.002"))


def test_a_notional_below_the_least_is_refused() -> None:
    with pytest.raises(BadInput, match="least notional, 100 USDT"):
        BTC.check_notional(D(50000), D("0.001"))


@given(st.decimals(min_value="0.001", max_value="1000000", places=6, allow_nan=False))
def test_rounding_gives_multiples_on_the_right_side(price: D) -> None:
    down, up, near = (BTC.round_price(price, how) for how in ("down", "up", "nearest"))
    assert down % BTC.tick_size == up % BTC.tick_size == near % BTC.tick_size == 0
    assert down <= price <= up
    assert abs(near - price) <= BTC.tick_size / 2


def test_a_market_order_goes_by_the_steps_of_its_own_where_there_are_such() -> None:
    one = msgspec.structs.replace(BTC, market_quantity_step=D("0.01"), min_market_quantity=D("0.02"))
    one.check_quantity(D("0.011"))
    with pytest.raises(BadInput, match=r"step 0.01; nearest is 0.02"):
        one.check_quantity(D("0.011"), market=True)
    with pytest.raises(BadInput, match=r"below the least, 0.02"):
        one.check_quantity(D("0.01"), market=True)
    assert one.round_quantity(D("0.039"), "down", market=True) == D("0.03")
    assert one.round_quantity(D("0.039"), "down") == D("0.039")

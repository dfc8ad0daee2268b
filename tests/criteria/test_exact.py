"""EXACT: numbers reach the wire in plain notation, as multiples of the contract's steps, and rounded only as asked."""

from __future__ import annotations

import json
import random
import re
from decimal import Decimal
from urllib.parse import parse_qsl

import msgspec
import pytest

from perpwire.api_connector.order_form import OrderForm, OrderOptions
from perpwire.api_connector.position_modes import PositionModes
from perpwire.clock import ManualClock
from perpwire.credentials import Credentials
from perpwire.errors import BadInput
from perpwire.model.instrument import Instrument
from perpwire.model.numbers import Number, exact
from perpwire.model.order import Side
from perpwire.testing import offline
from perpwire.venues import load
from perpwire.venues.base import Venue

VENUES = ("binance", "bybit")
PLAIN = re.compile(r"\d{1,20}(\.\d{1,20})?")
KEY = Credentials("key", "secret")
NUMBERS = ("price", "quantity", "qty", "triggerPrice")

TYPES = ("LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET")


def a_number(chance: random.Random) -> Decimal:
    """From 1e-9 to 1e9, with up to nine digits that count."""
    return Decimal(chance.randint(1, 10 ** chance.randint(1, 9))).scaleb(chance.randint(-9, 0))


def a_step(chance: random.Random) -> Decimal:
    return Decimal(chance.choice((1, 1, 1, 2, 5, 25))).scaleb(chance.randint(-8, 3))


def as_given(chance: random.Random, value: Decimal) -> Number:
    """The same number as a caller may hold it."""
    forms: list[Number] = [value, str(value), format(value, "f"), float(value)]
    if value == value.to_integral_value():
        forms.append(int(value))
    return chance.choice(forms)


def contract(venue: str, tick: Decimal, step: Decimal) -> Instrument:
    return Instrument(
        venue=venue, symbol="BTCUSDT", base="BTC", quote="USDT", settle="USDT", is_trading=True, tick_size=tick,
        quantity_step=step, min_quantity=step,
    )  # fmt: skip


def written(
    venue: Venue,
    form: OrderForm,
    instrument: Instrument,
    side: Side,
    quantity: Number,
    kind: str,
    options: OrderOptions,
) -> list[dict[str, str]]:
    """The parameters of the final bytes: by REST, and by the trading socket."""
    request = form.request(instrument, side, quantity, kind, {}, "c-1", **options)
    call = venue.place_order(request)
    sent = venue.encode(call.endpoint, call.params, KEY, 1_790_000_000_000)
    by_rest = json.loads(sent.body) if sent.body else dict(parse_qsl(sent.target.partition("?")[2]))
    session = venue.trade_session()
    frame = json.loads(session.request(call.endpoint, call.params, KEY, 1_790_000_000_000, "1"))
    by_socket = frame["params"] if "params" in frame else frame["args"][0]
    return [{name: str(value) for name, value in params.items()} for params in (by_rest, by_socket)]


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.slow
def test_exact_1_ten_thousand_numbers_are_plain_multiples_rounded_down_and_to_the_passive_side(name: str) -> None:
    venue, chance = load(name), random.Random(f"exact {name}")
    form = OrderForm(venue, PositionModes(venue, ManualClock(), lambda incident: None))
    count = 0
    for _ in range(10_000):
        tick, step = a_step(chance), a_step(chance)
        given_price, given_quantity = as_given(chance, a_number(chance)), as_given(chance, a_number(chance))
        side, kind = chance.choice(list(Side)), chance.choice(TYPES)
        options = OrderOptions(round="passive")
        if kind in ("LIMIT", "STOP", "TAKE_PROFIT"):
            options["price"] = given_price
        if kind not in ("LIMIT", "MARKET"):
            options["trigger_price"] = given_price
        comes_to_nothing = exact(given_quantity) < step or (
            kind != "MARKET" and side is Side.BUY and exact(given_price) < tick
        )
        if comes_to_nothing:
            with pytest.raises(BadInput, match="must be above 0"):
                written(venue, form, contract(name, tick, step), side, given_quantity, kind, options)
            continue
        roads = written(venue, form, contract(name, tick, step), side, given_quantity, kind, options)
        count += 1
        for param, text in (one for params in roads for one in params.items()):
            if param not in NUMBERS:
                continue
            assert PLAIN.fullmatch(text), f"{param}={text}"
            is_price = param.lower().endswith("price")
            grid, meant = (tick, exact(given_price)) if is_price else (step, exact(given_quantity))
            if is_price and kind == "MARKET":
                continue
            assert Decimal(text) % grid == 0
            assert abs(Decimal(text) - meant) < grid
            if is_price:
                assert Decimal(text) <= meant if side is Side.BUY else Decimal(text) >= meant
            else:
                assert Decimal(text) <= meant
    assert count > 5000


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize(
    ("quantity", "price", "code", "nearest"),
    [
        ("0.0004", "60000", "QUANTITY_NOT_POSITIVE", "0.001"),
        ("0.0014", "60000", "QUANTITY_OFF_STEP", "0.001"),
        ("100000", "60000", "QUANTITY_TOO_LARGE", None),
        ("0.01", "60000.03", "PRICE_OFF_TICK", "60000.0"),
        ("0.01", "0.01", "PRICE_NOT_POSITIVE", None),
        ("0.01", "1", "PRICE_TOO_LOW", None),
        ("0.01", "9999999999", "PRICE_TOO_HIGH", None),
    ],
)
def test_exact_2_what_breaks_a_filter_is_refused_here_with_the_nearest_value(
    name: str, quantity: str, price: str, code: str, nearest: str | None
) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=(name,)) as world:
            connector = world.connectors[name]
            instrument = await connector.get_instrument("BTCUSDT")
            bounded = msgspec.structs.replace(instrument, min_price=Decimal(100), max_price=Decimal(1_000_000))
            connector.instruments._known = {"BTCUSDT": bounded}
            journal = world.simulation.hosts[name].journal
            before = len(journal.entries(kind="request"))
            rounds = {"round": "down"} if code in ("QUANTITY_NOT_POSITIVE", "PRICE_NOT_POSITIVE") else {}
            with pytest.raises(BadInput) as caught:
                await connector.place_order("BTCUSDT", "BUY", quantity, "LIMIT", price=price, **rounds)  # type: ignore[arg-type]
            assert caught.value.code == code
            if nearest is not None:
                assert nearest in caught.value.reason
            assert len(journal.entries(kind="request")) == before

    clock.run(main())

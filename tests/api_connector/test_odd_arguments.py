"""Arguments that make no sense are refused here, by name and the same on both venues, with nothing sent."""

from __future__ import annotations

import decimal
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from perpwire.api_connector.history import History
from perpwire.api_connector.order_form import OrderForm
from perpwire.api_connector.position_modes import PositionModes
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import BadInput, NotOffered
from perpwire.model.instrument import Instrument
from perpwire.testing import World, offline
from perpwire.venues import load

VENUES = ("binance", "bybit")
SYMBOL = "BTCUSDT"
NOW_MS = 1_790_000_000_000


def play(venue: str, scene: Callable[[World, VenueConnector], Awaitable[None]]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,)) as world:
            await scene(world, world.connectors[venue])

    clock.run(main())


async def refused(world: World, connector: VenueConnector, what: str, call: Callable[[], Any]) -> BadInput | NotOffered:
    """The error that the call ends in, before anything is sent."""
    await connector.get_instruments()
    calls = connector.metrics.get_stats()["total_requests"]
    try:
        made = call()
        made = await (made.first(1) if isinstance(made, History) else made)
    except (BadInput, NotOffered) as error:
        assert connector.metrics.get_stats()["total_requests"] == calls, f"{what}: something was sent"
        return error
    raise AssertionError(f"{what} came to {made!r}")


ODD_SYMBOLS: tuple[Any, ...] = (
    None, "", " ", " BTCUSDT", "BTCUSDT\n", "BTC USDT", 5, "../x", "BTC/USDT:USDC", "BTC/USDT:BTC", "BTC/USDT:",
    "BTCUSDT:USDT", "BTC/USDT:USDT-261225", "a&b=c",
)  # fmt: skip


@pytest.mark.parametrize("venue", VENUES)
def test_what_is_no_symbol_of_a_linear_perpetual_is_refused_by_every_call(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        calls: dict[str, Callable[[Any], Any]] = {
            "place_order": lambda one: connector.place_order(one, "BUY", "0.01"),
            "get_instrument": connector.get_instrument,
            "get_order_book": connector.get_order_book,
            "get_recent_trades": connector.get_recent_trades,
            "get_klines": lambda one: connector.get_klines(one, "1m"),
            "get_ticker": connector.get_ticker,
            "get_mark_price": connector.get_mark_price,
            "get_open_interest": connector.get_open_interest,
            "get_open_interest_history": lambda one: connector.get_open_interest_history(one, "1h"),
            "get_funding_rates": connector.get_funding_rates,
            "get_symbol_settings": connector.get_symbol_settings,
            "set_leverage": lambda one: connector.set_leverage(one, 5),
            "adjust_margin": lambda one: connector.adjust_margin(one, 5),
            "get_fee_rates": connector.get_fee_rates,
            "get_brackets": connector.get_brackets,
            "cancel_order": lambda one: connector.cancel_order(one, "1"),
            "get_order": lambda one: connector.get_order(one, "1"),
            "amend_order": lambda one: connector.amend_order(one, "1", price=60000),
            "close_position": connector.close_position,
            "set_position_stops": lambda one: connector.set_position_stops(one, stop_loss=50000),
        }
        for_all: dict[str, Callable[[Any], Any]] = {  # None means all symbols here
            "get_book_tickers": connector.get_book_tickers,
            "get_positions": connector.get_positions,
            "get_open_orders": connector.get_open_orders,
            "cancel_all": connector.cancel_all,
            "get_order_history": connector.get_order_history,
            "get_fills": connector.get_fills,
            "get_income": connector.get_income,
        }
        for name, call in (calls | for_all).items():
            for symbol in ODD_SYMBOLS:
                if symbol is not None or name not in for_all:
                    await refused(world, connector, f"{name}({symbol!r})", lambda: call(symbol))  # noqa: B023

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(
    "span",
    [
        (NOW_MS / 1, None),
        (NOW_MS // 1000, None),
        (None, NOW_MS * 1000),
        ("2026-01-01", None),
        (-5, None),
        (True, None),
        (NOW_MS, NOW_MS - 1),
    ],
    ids=["float", "seconds", "microseconds", "text", "negative", "bool", "backwards"],
)
def test_spans_of_time_are_whole_milliseconds_and_go_forwards(venue: str, span: tuple[Any, Any]) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        start_ms, end_ms = span
        for what, call in {
            "klines": lambda: connector.get_klines(SYMBOL, "1h", start_ms, end_ms),
            "trades": lambda: connector.get_trades(SYMBOL, start_ms, end_ms),
            "open interest": lambda: connector.get_open_interest_history(SYMBOL, "1h", start_ms, end_ms),
            "funding rates": lambda: connector.get_funding_rates(SYMBOL, start_ms, end_ms),
            "funding payments": lambda: connector.get_funding_payments(SYMBOL, start_ms=start_ms, end_ms=end_ms),
            "income": lambda: connector.get_income(SYMBOL, start_ms=start_ms, end_ms=end_ms),
            "fills": lambda: connector.get_fills(SYMBOL, start_ms=start_ms, end_ms=end_ms),
            "orders": lambda: connector.get_order_history(SYMBOL, start_ms=start_ms, end_ms=end_ms),
        }.items():
            error = await refused(world, connector, what, call)
            assert isinstance(error, BadInput)
            assert "millisecond" in error.reason or "before it begins" in error.reason

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_counts_seconds_ids_and_words_are_checked(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        symbols = [SYMBOL] if venue == "binance" else []
        odd: dict[str, tuple[Callable[[Any], Any], tuple[Any, ...]]] = {
            "depth": (
                lambda one: connector.get_order_book(SYMBOL, one),
                (None, "", "5", 0, -1, 1.5, True, 1001, float("nan")),
            ),
            "limit": (
                lambda one: connector.get_recent_trades(SYMBOL, one),
                (None, "", "5", 0, -1, 1.5, True, 1001, float("nan")),
            ),
            "first": (lambda one: connector.get_klines(SYMBOL, "1m").first(one), (None, "5", -1, 1.5, True)),
            "seconds": (
                lambda one: connector.arm_dead_man(one, symbols),
                (None, "10", 0, -1, float("nan"), float("inf"), True),
            ),
            "deadline": (
                lambda one: connector.place_order(SYMBOL, "BUY", "0.01", deadline_s=one),
                ("1", float("nan"), float("inf"), True, Decimal(1)),
            ),
            "order id": (lambda one: connector.get_order(SYMBOL, one), ("", 1.5, True, b"1")),
            "cancel": (lambda one: connector.cancel_order(SYMBOL, one), ("", 1.5, True, b"1")),
            "fills": (lambda one: connector.get_fills(SYMBOL, order_id=one), ("", 1.5, True, b"1")),
            "client id": (lambda one: connector.get_order(SYMBOL, client_order_id=one), ("", 1.5, True)),
            "price kind": (
                lambda one: connector.get_klines(SYMBOL, "1m", price_kind=one),
                ("last price", "", None, 5),
            ),
            "interval": (lambda one: connector.get_klines(SYMBOL, one), ("1H", "60", 60, "", None, "7m")),
        }
        for name, (call, values) in odd.items():
            for value in values:
                await refused(world, connector, f"{name} {value!r}", lambda: call(value))  # noqa: B023

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(
    "odd",
    [
        {"reduce_only": "false"},
        {"reduce_only": None},
        {"close_position": "no"},
        {"trigger_by": "MARK"},
        {"callback_rate": 0},
        {"activation_price": 60000},
        {"trigger_price": 60000},
        {"client_order_id": ""},
        {"client_order_id": True},
        {"client_order_id": 1.5},
        {"reduceonly": True},
        {"ReduceOnly": True},
        {"reduce_onyl": True},
        {"stop_los": 50000},
        {"PositionSide": "LONG"},
        {"post_only": True},
        {"time_in_force": ""},
        {"time_in_force": "GTD", "expires_time_ms": 1.79e12},
        {"time_in_force": "GTD", "expires_time_ms": ""},
        {"position_side": "up"},
        {"round": "half"},
        {"wait": "filled"},
        {"road": "fax"},
        {"take_profit": 0},
        {"price": None},
        {"price": None, "note": "x"},
        {"note": float("nan")},
        {"note": {1, 2}},
        {"recvWindow": "x"},
        {"signature": "x"},
    ],
    ids=str,
)
def test_what_does_not_go_with_a_limit_order_is_refused_rather_than_left_out(venue: str, odd: dict[str, Any]) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        if venue == "bybit" and set(odd) & {"timestamp", "signature", "recvWindow"}:
            return  # these are no parameters there, but headers
        options: dict[str, Any] = {"price": 60000, **odd}
        await refused(
            world, connector, str(odd), lambda: connector.place_order(SYMBOL, "BUY", "0.01", "LIMIT", **options)
        )

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_conditional_orders_that_make_no_sense_are_refused(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        for kind, quantity, options in (
            ("TRAILING_STOP_MARKET", "0.01", {"callback_rate": 1, "trigger_price": 60000}),
            ("TRAILING_STOP_MARKET", "0.01", {"callback_rate": 0}),
            ("TRAILING_STOP_MARKET", "0.01", {"callback_rate": -1}),
            ("TRAILING_STOP_MARKET", None, {"callback_rate": 1, "close_position": True}),
            ("STOP_MARKET", "0.01", {"trigger_price": 0}),
            ("STOP_MARKET", "0.01", {"trigger_price": "60000.01"}),
            ("STOP_MARKET", "0.01", {}),
            ("STOP_MARKET", "0.01", {"trigger_price": 60000, "price": 60000}),
            ("STOP", "0.01", {"trigger_price": 60000}),
            ("STOP_MARKET", "0.01", {"trigger_price": 60000, "close_position": True}),
            ("MARKET", None, {"close_position": True}),
        ):
            await refused(
                world, connector, f"{kind} {options}",
                lambda: connector.place_order(SYMBOL, "SELL", quantity, kind, **options),  # noqa: B023
            )  # fmt: skip

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_a_misspelt_word_is_answered_with_the_right_one(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        with pytest.raises(BadInput, match="no 'reduceonly'; near: reduce_only"):
            await connector.place_order(SYMBOL, "SELL", "0.01", **{"reduceonly": True})  # type: ignore[arg-type]
        (slot,) = await connector.place_orders([5])  # type: ignore[list-item]
        assert isinstance(slot, BadInput)

    play(venue, scene)


def test_a_client_order_id_of_zero_is_not_taken_for_none() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        order = await connector.place_order(SYMBOL, "BUY", "0.01", client_order_id=0)  # type: ignore[arg-type]
        assert order.client_order_id == "0"

    play("binance", scene)


@pytest.mark.parametrize("leverage", [0, -5, "0.5", "1.005", "NaN", None])
@pytest.mark.parametrize("venue", VENUES)
def test_a_leverage_that_no_venue_takes_is_not_sent(venue: str, leverage: Any) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        await refused(world, connector, f"leverage {leverage}", lambda: connector.set_leverage(SYMBOL, leverage))

    play(venue, scene)


def test_binance_closes_positions_by_market_orders_only() -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        options: dict[str, Any] = {"price": 59000, "trigger_price": 59000, "close_position": True}
        error = await refused(
            world, connector, "STOP", lambda: connector.place_order(SYMBOL, "SELL", None, "STOP", **options)
        )
        assert isinstance(error, NotOffered)

    play("binance", scene)


@pytest.mark.parametrize("venue", VENUES)
def test_a_book_has_as_many_levels_as_were_asked_for(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        book = await connector.get_order_book(SYMBOL, 7)
        assert len(book.bids) == len(book.asks) == 7

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_a_call_in_the_venues_words_may_write_its_numbers_as_texts(venue: str) -> None:
    async def scene(world: World, connector: VenueConnector) -> None:
        path, name = {"binance": ("/fapi/v1/klines", "1m"), "bybit": ("/v5/market/kline", "1")}[venue]
        params = {"category": "linear", "symbol": SYMBOL, "interval": name, "limit": "7"}
        if venue == "binance":
            del params["category"]
        rows = await connector.call("GET", path, params)
        assert len(rows if venue == "binance" else rows["list"]) == 7

    play(venue, scene)


@pytest.mark.parametrize("venue", VENUES)
def test_a_program_with_a_coarse_decimal_context_still_trades_exactly(venue: str) -> None:
    form = OrderForm(load(venue), PositionModes(load(venue), ManualClock(), lambda incident: None))
    with decimal.localcontext() as context:
        context.prec = 3
        context.rounding = decimal.ROUND_UP
        context.traps[decimal.Inexact] = True
        instrument = contract(min_notional=Decimal(5))
        request = form.request(instrument, "BUY", "0.01019", "LIMIT", {}, "c", price="60000.17", round="down")
    assert (str(request.price), str(request.quantity)) == ("60000.1", "0.010")


def contract(**rules: Any) -> Instrument:
    given: dict[str, Any] = {
        "tick_size": Decimal("0.1"),
        "quantity_step": Decimal("0.001"),
        "min_quantity": Decimal("0.001"),
    }
    return Instrument(
        venue="binance", symbol="BTCUSDT", base="BTC", quote="USDT", settle="USDT", is_trading=True, **given | rules
    )  # fmt: skip


@pytest.mark.parametrize(
    ("price", "near"),
    [("0.01", "0.5"), ("1000.03", "999.9"), ("999.96", "999.9"), ("700.25", "700.2")],
)
def test_the_nearest_price_that_an_error_names_is_one_that_is_taken(price: str, near: str) -> None:
    instrument = contract(min_price=Decimal("0.5"), max_price=Decimal("999.9"))
    with pytest.raises(BadInput, match=f"nearest is {near} "):
        instrument.check_price(Decimal(price))
    instrument.check_price(Decimal(near))


@pytest.mark.parametrize(("quantity", "near"), [("0.0001", "0.002"), ("9.9999", "9.9"), ("5.0004", "5.000")])
def test_the_nearest_quantity_that_an_error_names_is_one_that_is_taken(quantity: str, near: str) -> None:
    instrument = contract(min_quantity=Decimal("0.002"), max_quantity=Decimal("9.9"))
    with pytest.raises(BadInput, match=f"nearest is {near} "):
        instrument.check_quantity(Decimal(quantity))
    instrument.check_quantity(Decimal(near))


def test_too_small_a_notional_names_the_least_quantity_at_its_price() -> None:
    instrument = contract(min_notional=Decimal(100))
    with pytest.raises(BadInput, match=r"least quantity at this price is 0\.034 "):
        instrument.check_notional(Decimal(3000), Decimal("0.01"))
    instrument.check_notional(Decimal(3000), Decimal("0.034"))


@pytest.mark.parametrize(
    ("value", "down", "up", "nearest"),
    [
        ("0.04", "0.0", "0.1", "0.0"),
        ("0.15", "0.1", "0.2", "0.2"),
        ("0.25", "0.2", "0.3", "0.2"),
        ("-0.25", "-0.2", "-0.3", "-0.2"),
        ("0.3", "0.3", "0.3", "0.3"),
        ("0.9999999999999999999999999999", "0.9", "1.0", "1.0"),
        ("9999999999999999.9500000000", "9999999999999999.9", "10000000000000000.0", "10000000000000000.0"),
    ],
)
def test_rounding_is_exact_and_goes_by_the_last_digit(value: str, down: str, up: str, nearest: str) -> None:
    instrument, given = contract(), Decimal(value)
    with decimal.localcontext() as context:
        context.prec = 3
        found = [str(instrument.round_price(given, way)) for way in ("down", "up", "nearest")]
    assert found == [down, up, nearest]

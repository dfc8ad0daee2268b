"""What users want of a venue, each under a name that stays: the table behind the golden files of wire requests."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from zlib import crc32

from perpwire.api_connector.batch_methods import NewOrder
from perpwire.api_connector.history import History
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import Clock
from perpwire.model.order import Order

BOTH = ("rest", "websocket")
REST = ("rest",)

BTC, ETH, SOL = "BTCUSDT", "ETHUSDT", "SOLUSDT"

LOW, HIGH = "60000", "70000"
"""Prices of BTCUSDT well below and above the market of the embedded exchange."""

HELD = "0.5"
"""BTC of the positions that an account begins with."""


class Desk:
    """A connector in the hands of an intent.

    Attributes:
        client_order_id: Of the order that the intent places, made of its name.
        given: Ids that the exchange gave before the intent, as they stand in requests.
    """

    def __init__(self, connector: VenueConnector, clock: Clock) -> None:
        self.connector = connector
        self.clock = clock
        self.client_order_id = ""
        self.given: list[str] = []
        self.orders: list[Order] = []

    @property
    def is_binance(self) -> bool:
        return self.connector.venue.name == "binance"

    async def place(self, symbol: str, side: str, quantity: str | None, kind: str, **options: Any) -> Order:
        """An order that is there before the intent."""
        order = await self.connector.place_order(symbol, side, quantity, kind, road="rest", **options)
        self.given.append(order.order_id.removeprefix("algo-"))
        self.orders.append(order)
        await self.clock.sleep(4)  # until the venue shows it everywhere
        return order

    async def rest(self, count: int = 1) -> None:
        """Buy orders that rest."""
        for number in range(count):
            await self.place(
                BTC, "BUY", "0.01", "LIMIT", price=LOW, client_order_id=f"{self.client_order_id}-{number + 1}"
            )

    async def wait_for_trigger(self) -> None:
        """A stop that waits."""
        await self.place(
            BTC, "BUY", "0.01", "STOP_MARKET", trigger_price=HIGH, client_order_id=f"{self.client_order_id}-stop"
        )

    async def tidy(self) -> None:
        """Nothing is left open. Positions stay."""
        await self.connector.cancel_all()
        self.orders = []
        await self.clock.sleep(2)

    async def hold(self, quantity: str, **options: Any) -> None:
        """Have at least so much of BTC, long above 0 and short below, by its own leg where there are two."""
        wanted = Decimal(quantity)
        for one in await self.connector.get_positions(BTC):
            if one.quantity and (one.quantity > 0) is (wanted > 0):
                return
        side = "BUY" if wanted > 0 else "SELL"
        await self.connector.place_order(BTC, side, abs(wanted), road="rest", **options)
        await self.clock.sleep(2)


def client_id(name: str) -> str:
    """Of at most 30 characters, another one for each name."""
    return f"{re.sub('[^a-z0-9]+', '-', name.lower())[:21]}-{crc32(name.encode()):08x}"


Step = Callable[[Desk], Awaitable[Any]]


async def nothing(desk: Desk) -> None:
    return None


class Account(NamedTuple):
    """How an account stands before an intent."""

    name: str
    prepare: Step


class Intent(NamedTuple):
    name: str
    do: Step
    account: Account
    roads: Sequence[str] = BOTH
    before: Step = nothing


async def _long(desk: Desk) -> None:
    await desk.hold(HELD)


async def _short(desk: Desk) -> None:
    await desk.hold(f"-{HELD}")


async def _hedge(desk: Desk) -> None:
    await desk.connector.set_position_mode("HEDGE", None if desk.is_binance else BTC)
    await desk.hold(HELD, position_side="LONG")
    await desk.hold(f"-{HELD}", position_side="SHORT")


FLAT = Account("flat, one-way", nothing)
FRESH = Account("nothing done yet", nothing)
LONG = Account("long, one-way", _long)
SHORT = Account("short, one-way", _short)
HEDGE = Account("long and short, hedge mode", _hedge)
ACCOUNTS = (FLAT, LONG, SHORT, HEDGE, FRESH)


def place(symbol: str, side: str, quantity: Any, kind: str = "MARKET", **options: Any) -> Step:
    async def do(desk: Desk) -> None:
        await desk.connector.place_order(
            symbol, side, quantity, kind, **{"client_order_id": desk.client_order_id, **options}
        )

    return do


ORDERS: dict[str, Step] = {
    "market buy": place(BTC, "BUY", "0.002"),
    "market sell": place(BTC, "SELL", "0.002"),
    "market buy, unified symbol": place("ETH/USDT:USDT", "buy", "0.01"),
    "limit buy": place(BTC, "BUY", "0.01", "LIMIT", price=LOW),
    "limit sell": place(BTC, "SELL", "0.01", "LIMIT", price=HIGH),
    "limit buy, id made by us": place(BTC, "BUY", "0.01", "LIMIT", price=LOW, client_order_id=None),
    "limit buy, good till cancelled": place(BTC, "BUY", "0.01", "LIMIT", price=LOW, time_in_force="GTC"),
    "limit buy, immediate or cancel": place(BTC, "BUY", "0.01", "LIMIT", price="65000", time_in_force="IOC"),
    "limit sell, immediate or cancel": place(BTC, "SELL", "0.01", "LIMIT", price="63000", time_in_force="IOC"),
    "limit buy, fill or kill": place(BTC, "BUY", "0.002", "LIMIT", price="65000", time_in_force="FOK"),
    "limit sell, fill or kill": place(BTC, "SELL", "0.002", "LIMIT", price="63000", time_in_force="FOK"),
    "limit buy, post only": place(BTC, "BUY", "0.01", "LIMIT", price=LOW, time_in_force="POST_ONLY"),
    "limit sell, post only": place(BTC, "SELL", "0.01", "LIMIT", price=HIGH, time_in_force="POST_ONLY"),
    # Numbers
    "quantity and price as Decimal": place(BTC, "BUY", Decimal("1E-2"), "LIMIT", price=Decimal("6E+4")),
    "quantity and price with zeros": place(BTC, "BUY", "0.0100", "LIMIT", price="60000.00"),
    "quantity and price as float": place(BTC, "BUY", 0.01, "LIMIT", price=60000.1),
    "quantity and price as int": place(BTC, "BUY", 1, "LIMIT", price=60000),
    "rounded down": place(BTC, "BUY", "0.01239", "LIMIT", price="60000.19", round="down"),
    "rounded up": place(BTC, "BUY", "0.01231", "LIMIT", price="60000.11", round="up"),
    "rounded to the nearest": place(BTC, "BUY", "0.01239", "LIMIT", price="60000.12", round="nearest"),
    "buy rounded to the passive side": place(BTC, "BUY", "0.01239", "LIMIT", price="60000.19", round="passive"),
    "sell rounded to the passive side": place(BTC, "SELL", "0.01239", "LIMIT", price="70000.11", round="passive"),
    "symbol that is not ASCII": place("币安人生USDT", "BUY", "100", "LIMIT", price="0.1400"),
    # Conditional
    "stop market buy": place(BTC, "BUY", "0.01", "STOP_MARKET", trigger_price=HIGH),
    "stop market sell": place(BTC, "SELL", "0.01", "STOP_MARKET", trigger_price=LOW),
    "stop market buy by mark price": place(BTC, "BUY", "0.01", "STOP_MARKET", trigger_price=HIGH, trigger_by="MARK"),
    "stop market sell by mark price": place(BTC, "SELL", "0.01", "STOP_MARKET", trigger_price=LOW, trigger_by="MARK"),
    "stop limit buy": place(BTC, "BUY", "0.01", "STOP", trigger_price=HIGH, price="70010"),
    "stop limit sell": place(BTC, "SELL", "0.01", "STOP", trigger_price=LOW, price="59990"),
    "stop limit buy, post only": place(
        BTC, "BUY", "0.01", "STOP", trigger_price=HIGH, price="69990", time_in_force="POST_ONLY"
    ),
    "take profit market buy": place(BTC, "BUY", "0.01", "TAKE_PROFIT_MARKET", trigger_price=LOW),
    "take profit market sell": place(BTC, "SELL", "0.01", "TAKE_PROFIT_MARKET", trigger_price=HIGH),
    "take profit market sell by mark price": place(
        BTC, "SELL", "0.01", "TAKE_PROFIT_MARKET", trigger_price=HIGH, trigger_by="MARK"
    ),
    "take profit limit buy": place(BTC, "BUY", "0.01", "TAKE_PROFIT", trigger_price=LOW, price="60010"),
    "take profit limit sell": place(BTC, "SELL", "0.01", "TAKE_PROFIT", trigger_price=HIGH, price="69990"),
}

BINANCE_ORDERS: dict[str, Step] = {
    "limit buy, good till a date": place(
        BTC, "BUY", "0.01", "LIMIT", price=LOW, time_in_force="GTD", expires_time_ms=4_102_444_800_000
    ),
    "trailing stop sell": place(BTC, "SELL", "0.01", "TRAILING_STOP_MARKET", callback_rate="1"),
    "trailing stop buy from a price on": place(
        BTC, "BUY", "0.01", "TRAILING_STOP_MARKET", callback_rate="0.5", activation_price=LOW
    ),
    "market buy, venue's own parameter": place(BTC, "BUY", "0.002", selfTradePreventionMode="EXPIRE_TAKER"),
}

BYBIT_ORDERS: dict[str, Step] = {
    "stop market buy by index price": place(BTC, "BUY", "0.01", "STOP_MARKET", trigger_price=HIGH, trigger_by="INDEX"),
    "limit buy with exits": place(BTC, "BUY", "0.01", "LIMIT", price=LOW, take_profit="66000", stop_loss="59000"),
    "limit buy with a stop loss by mark price": place(
        BTC, "BUY", "0.01", "LIMIT", price=LOW, stop_loss="59000", trigger_by="MARK"
    ),
    "market buy, venue's own parameter": place(BTC, "BUY", "0.002", smpType="CancelTaker"),
}


def closing(side: str, wrong: str, right: str) -> dict[str, Step]:
    """Orders that make a position smaller: sold by `side`; prices that would lose and would win."""
    near = {"SELL": "63000", "BUY": "65000"}[side]
    return {
        f"reduce-only market {side.lower()}": place(BTC, side, "0.01", reduce_only=True),
        f"reduce-only limit {side.lower()}": place(BTC, side, "0.01", "LIMIT", price=right, reduce_only=True),
        f"reduce-only limit {side.lower()}, post only": place(
            BTC, side, "0.01", "LIMIT", price=right, reduce_only=True, time_in_force="POST_ONLY"
        ),
        f"reduce-only limit {side.lower()}, immediate or cancel": place(
            BTC, side, "0.01", "LIMIT", price=near, reduce_only=True, time_in_force="IOC"
        ),
        f"reduce-only stop market {side.lower()}": place(
            BTC, side, "0.01", "STOP_MARKET", trigger_price=wrong, reduce_only=True
        ),
        f"reduce-only take profit {side.lower()}": place(
            BTC, side, "0.01", "TAKE_PROFIT", trigger_price=right, price=right, reduce_only=True
        ),
        f"closing stop {side.lower()}": place(
            BTC, side, None, "STOP_MARKET", trigger_price=wrong, close_position=True
        ),
        f"closing stop {side.lower()} by mark price": place(
            BTC, side, None, "STOP_MARKET", trigger_price=wrong, close_position=True, trigger_by="MARK"
        ),
        f"closing take profit {side.lower()}": place(
            BTC, side, None, "TAKE_PROFIT_MARKET", trigger_price=right, close_position=True
        ),
    }  # fmt: skip


async def _close_position(desk: Desk) -> None:
    await desk.connector.close_position(BTC)


async def _close_long_leg(desk: Desk) -> None:
    await desk.connector.close_position(BTC, "LONG")


async def _close_short_leg(desk: Desk) -> None:
    await desk.connector.close_position(BTC, "SHORT")


async def _stops(desk: Desk) -> None:
    await desk.connector.set_position_stops(BTC, take_profit=HIGH, stop_loss=LOW)


async def _stops_by_mark_price(desk: Desk) -> None:
    await desk.connector.set_position_stops(BTC, stop_loss=LOW, trigger_by="MARK")


async def _stops_of_short_leg(desk: Desk) -> None:
    await desk.connector.set_position_stops(BTC, stop_loss=HIGH, position_side="SHORT")


def hedged() -> dict[str, Step]:
    steps: dict[str, Step] = {}
    for leg, opens, closes, wrong, right in (("LONG", "BUY", "SELL", LOW, HIGH), ("SHORT", "SELL", "BUY", HIGH, LOW)):
        name = leg.lower()
        steps |= {
            f"hedge: market, opens {name}": place(BTC, opens, "0.002", position_side=leg),
            f"hedge: market, closes {name}": place(BTC, closes, "0.002", reduce_only=True, position_side=leg),
            f"hedge: market, opens {name}, leg by the side": place(BTC, opens, "0.002"),
            f"hedge: market, closes {name}, leg by the side": place(BTC, closes, "0.002", reduce_only=True),
            f"hedge: limit, opens {name}, post only": place(
                BTC, opens, "0.01", "LIMIT", price=wrong, time_in_force="POST_ONLY", position_side=leg
            ),
            f"hedge: limit, closes {name}": place(
                BTC, closes, "0.01", "LIMIT", price=right, reduce_only=True, position_side=leg
            ),
            f"hedge: stop market of {name}": place(
                BTC, closes, "0.01", "STOP_MARKET", trigger_price=wrong, reduce_only=True, position_side=leg
            ),
            f"hedge: closing stop of {name}": place(
                BTC, closes, None, "STOP_MARKET", trigger_price=wrong, close_position=True, position_side=leg
            ),
            f"hedge: closing take profit of {name}": place(
                BTC, closes, None, "TAKE_PROFIT_MARKET", trigger_price=right, close_position=True, position_side=leg
            ),
        }
    return steps


# --- changing and cancelling ------------------------------------------------------------------------------------------


def amend(by_client_id: bool = False, **changes: Any) -> Step:
    async def do(desk: Desk) -> None:
        (order,) = desk.orders
        which: Any = {"client_order_id": order.client_order_id} if by_client_id else {"order_id": order.order_id}
        await desk.connector.amend_order(BTC, **which, **changes)

    return do


def cancel(by_client_id: bool = False) -> Step:
    async def do(desk: Desk) -> None:
        (order,) = desk.orders
        which: Any = {"client_order_id": order.client_order_id} if by_client_id else {"order_id": order.order_id}
        await desk.connector.cancel_order(BTC, **which)

    return do


async def _cancel_all(desk: Desk) -> None:
    await desk.connector.cancel_all(BTC)


async def _cancel_all_symbols(desk: Desk) -> None:
    await desk.connector.cancel_all()


async def _kill(desk: Desk) -> None:
    await desk.connector.kill()
    desk.connector.resume()


def resting(count: int) -> Step:
    return lambda desk: desk.rest(count)


async def _one_of_each(desk: Desk) -> None:
    await desk.rest()
    await desk.wait_for_trigger()


def batch(kinds: Sequence[str]) -> Step:
    """One order of each kind in one call."""

    async def do(desk: Desk) -> None:
        orders: list[NewOrder] = []
        for number, kind in enumerate(kinds):
            order: NewOrder = {"symbol": BTC, "side": "BUY", "quantity": "0.01", "order_type": kind}
            order["client_order_id"] = f"{desk.client_order_id}-{number + 1}"
            if kind == "LIMIT":
                order |= {"price": LOW, "time_in_force": "POST_ONLY"}
            elif kind == "STOP_MARKET":
                order["trigger_price"] = HIGH
            orders.append(order)
        for result in await desk.connector.place_orders(orders):
            if isinstance(result, Exception):
                raise result

    return do


async def _cancel_batch(desk: Desk) -> None:
    for result in await desk.connector.cancel_orders(desk.orders):
        if isinstance(result, Exception):
            raise result


async def _replace(desk: Desk) -> None:
    (order,) = desk.orders
    new: NewOrder = {"symbol": BTC, "side": "BUY", "quantity": "0.02", "order_type": "LIMIT", "price": "60100"}
    new["client_order_id"] = desk.client_order_id
    await desk.connector.replace_order(BTC, order.order_id, new=new)


async def _dead_man(desk: Desk) -> None:
    await desk.connector.arm_dead_man(60, [BTC])
    await desk.connector.disarm_dead_man()


CHANGES: dict[str, tuple[Step, Step, Sequence[str]]] = {
    # Name: what is there before, what is done, by which roads.
    "amend price": (resting(1), amend(price="60100"), BOTH),
    "amend quantity": (resting(1), amend(quantity="0.02"), BOTH),
    "amend price and quantity": (resting(1), amend(price="60100", quantity="0.02"), BOTH),
    "amend by client order id": (resting(1), amend(by_client_id=True, price="60100"), BOTH),
    "cancel": (resting(1), cancel(), BOTH),
    "cancel by client order id": (resting(1), cancel(by_client_id=True), BOTH),
    "cancel a conditional order": (Desk.wait_for_trigger, cancel(), BOTH),
    "cancel a conditional order by client order id": (Desk.wait_for_trigger, cancel(by_client_id=True), BOTH),
    "cancel all of a symbol": (_one_of_each, _cancel_all, REST),
    "cancel all": (_one_of_each, _cancel_all_symbols, REST),
    "batch of two": (nothing, batch(["LIMIT", "MARKET"]), BOTH),
    "batch of seven, of all kinds": (nothing, batch(["LIMIT"] * 4 + ["STOP_MARKET"] + ["LIMIT"] * 2), BOTH),
    "cancel several": (resting(2), _cancel_batch, BOTH),
    "replace": (resting(1), _replace, BOTH),
    "kill switch": (_one_of_each, _kill, REST),
}

# --- settings ---------------------------------------------------------------------------------------------------------


async def _leverage(desk: Desk) -> None:
    await desk.connector.set_leverage(BTC, 7)


async def _isolated(desk: Desk) -> None:
    await desk.connector.set_margin_mode("ISOLATED", SOL if desk.is_binance else None)


async def _cross(desk: Desk) -> None:
    await desk.connector.set_margin_mode("CROSS", SOL if desk.is_binance else None)


async def _hedge_mode(desk: Desk) -> None:
    await desk.connector.set_position_mode("HEDGE", None if desk.is_binance else SOL)


async def _one_way_mode(desk: Desk) -> None:
    await desk.connector.set_position_mode("ONE_WAY", None if desk.is_binance else SOL)


async def _hold_isolated(desk: Desk) -> None:
    await _isolated(desk)
    await desk.connector.place_order(SOL, "BUY", "1", road="rest")
    await desk.clock.sleep(2)


async def _more_margin(desk: Desk) -> None:
    await desk.connector.adjust_margin(SOL, "5")


async def _less_margin(desk: Desk) -> None:
    await desk.connector.adjust_margin(SOL, "-2")


SETTINGS: dict[str, tuple[Step, Step]] = {
    "leverage": (nothing, _leverage),
    "margin mode isolated": (nothing, _isolated),
    "margin mode cross": (_isolated, _cross),
    "position mode hedge": (_one_way_mode, _hedge_mode),
    "position mode one-way": (_hedge_mode, _one_way_mode),
    "more margin": (_hold_isolated, _more_margin),
    "less margin": (nothing, _less_margin),
}


# --- reading ----------------------------------------------------------------------------------------------------------

SPAN: Any = {"start_ms": 1_789_990_000_000, "end_ms": 1_790_000_000_000}
"""Until the moment in which the virtual clock begins."""


def ask(method: str, *args: Any, **options: Any) -> Step:
    """A call that reads; a list of the past to its end."""

    async def do(desk: Desk) -> None:
        called = getattr(desk.connector, method)(*args, **options)
        await (called.all() if isinstance(called, History) else called)

    return do


def ask_order(by_client_id: bool = False) -> Step:
    async def do(desk: Desk) -> None:
        (order,) = desk.orders
        which: Any = {"client_order_id": order.client_order_id} if by_client_id else {"order_id": order.order_id}
        await desk.connector.get_order(BTC, **which)

    return do


async def _in_its_own_words(desk: Desk) -> None:
    path = "/fapi/v1/commissionRate" if desk.is_binance else "/v5/account/fee-rate"
    category = {} if desk.is_binance else {"category": "linear"}
    await desk.connector.call("GET", path, {**category, "symbol": BTC})


READS: dict[str, tuple[Step, Step]] = {
    "order": (resting(1), ask_order()),
    "order by client order id": (resting(1), ask_order(by_client_id=True)),
    "conditional order": (Desk.wait_for_trigger, ask_order()),
    "conditional order by client order id": (Desk.wait_for_trigger, ask_order(by_client_id=True)),
    "open orders": (_one_of_each, ask("get_open_orders")),
    "open orders of a symbol": (_one_of_each, ask("get_open_orders", BTC)),
    "order history": (nothing, ask("get_order_history", BTC, **SPAN)),
    "fills": (nothing, ask("get_fills", BTC, **SPAN)),
    "account": (nothing, ask("get_account_info")),
    "positions": (nothing, ask("get_positions")),
    "position of a symbol": (nothing, ask("get_positions", BTC)),
    "settings of a symbol": (nothing, ask("get_symbol_settings", BTC)),
    "fee rates": (nothing, ask("get_fee_rates", BTC)),
    "brackets": (nothing, ask("get_brackets", BTC)),
    "income": (nothing, ask("get_income", **SPAN)),
    "funding payments": (nothing, ask("get_funding_payments", BTC, **SPAN)),
    "server time": (nothing, ask("get_server_time")),
    "book": (nothing, ask("get_order_book", BTC, 50)),
    "recent trades": (nothing, ask("get_recent_trades", BTC, 50)),
    "candles": (nothing, ask("get_klines", BTC, "1h", **SPAN)),
    "candles of the mark price": (nothing, ask("get_klines", BTC, "1h", **SPAN, price_kind="MARK")),
    "ticker": (nothing, ask("get_ticker", BTC)),
    "tickers": (nothing, ask("get_tickers")),
    "best prices": (nothing, ask("get_book_tickers", BTC)),
    "mark price": (nothing, ask("get_mark_price", BTC)),
    "open interest": (nothing, ask("get_open_interest", BTC)),
    "open interest of the past": (nothing, ask("get_open_interest_history", BTC, "1h", **SPAN)),
    "funding rates": (nothing, ask("get_funding_rates", BTC, **SPAN)),
    "a call in the venue's own words": (nothing, _in_its_own_words),
}

OF_SOCKETS = ("order", "order by client order id")
"""Readings for which the trading sockets have a call."""


def intents(venue: str) -> tuple[Intent, ...]:
    """All of a venue."""
    own = {"binance": BINANCE_ORDERS, "bybit": BYBIT_ORDERS}[venue]
    rows = [Intent(name, do, FLAT) for name, do in {**ORDERS, **own}.items()]
    rows += [Intent(name, do, LONG, before=_long) for name, do in closing("SELL", LOW, HIGH).items()]
    rows += [Intent(name, do, SHORT, before=_short) for name, do in closing("BUY", HIGH, LOW).items()]
    rows += [
        Intent("close a long position", _close_position, LONG, before=_long),
        Intent("close a short position", _close_position, SHORT, before=_short),
        Intent("stops of a position", _stops, LONG, REST, before=_long),
        Intent("stop of a position by mark price", _stops_by_mark_price, LONG, REST, before=_long),
    ]
    rows += [Intent(name, do, HEDGE) for name, do in hedged().items()]
    rows += [
        Intent("hedge: stop of the short position", _stops_of_short_leg, HEDGE, REST),
        Intent("hedge: close the long position", _close_long_leg, HEDGE),
        Intent("hedge: close the short position", _close_short_leg, HEDGE),
    ]
    rows += [Intent(name, do, FLAT, roads, before) for name, (before, do, roads) in CHANGES.items()]
    if venue == "binance":  # at Bybit the venue watches the connection, and nothing is renewed
        rows.append(Intent("dead man's switch", _dead_man, FLAT, REST))
    rows += [Intent(name, do, FRESH, REST, before) for name, (before, do) in SETTINGS.items()]
    rows += [
        Intent(name, do, FLAT, BOTH if name in OF_SOCKETS else REST, before) for name, (before, do) in READS.items()
    ]
    return tuple(rows)

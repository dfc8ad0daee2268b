"""Single orders typed by hand: looked at, asked about, sent once, and followed until it is known what they came to."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any, NamedTuple, cast

import msgspec

from perpwire.api_connector.batch_methods import NewOrder
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.account_tables import ORDERS, order_row
from perpwire.cli.asking import (
    Hand,
    address,
    call_facts,
    call_words,
    confirm,
    guard_facts,
    guard_words,
    place_line,
    show as show_lines,
    target_line,
)
from perpwire.cli.connecting import Plan, Target, connectors, one_target
from perpwire.cli.hand_alerts import alerting
from perpwire.cli.printing import json_line, note, rows, tell_incident
from perpwire.cli.running import console, run, telling
from perpwire.entropy import system_random
from perpwire.errors import APIError, UnknownOrder
from perpwire.model.account import AccountInfo
from perpwire.model.numbers import ARITHMETIC, exact, plain
from perpwire.model.order import AT_MARKET, Order, OrderRequest
from perpwire.venues.base import Call

LOOKS = 10
LOOK_EVERY_S = 0.2
"""So often, and so far apart, an order is looked at until it has ended, or its average price is told."""


class OneVenue(NamedTuple):
    """A verb that is about one venue, and what it has done so far."""

    hand: Hand
    made: Plan
    target: Target

    def run(self, work: Any, words: str = "") -> Any:
        """`words`: what to add where Ctrl-C comes in the middle."""
        return run(work, as_json=self.hand.as_json, at_interrupt=lambda: LEFT + words)


LEFT = "interrupted: orders and positions are left as they are"


def one_venue(hand: Hand) -> OneVenue:
    made = hand.plan()
    with telling(as_json=hand.as_json):
        target = one_target(made)
    if target.is_fleeting:
        note("note: this embedded exchange ends with the command; `perpwire sim` and --url keep one")
    return OneVenue(hand, made, target)


# --- placing ----------------------------------------------------------------------------------------------------------


class Preview(NamedTuple):
    """What is known of an order before it is sent."""

    request: OrderRequest
    call: Call[Order]
    venue_line: tuple[str, str]
    host: str
    mark_price: Decimal
    held: Decimal
    account: AccountInfo

    @property
    def notional(self) -> Decimal:
        near = self.request.price or self.request.trigger_price or self.mark_price
        return ARITHMETIC.multiply(near, self.request.quantity)


def place(hand: Hand, said: Mapping[str, Any], road: str | None) -> None:
    here = one_venue(hand)
    words = {name: value for name, value in said.items() if value is not None} | {"quantity": said["quantity"]}
    words.setdefault("client_order_id", f"pw-{system_random().getrandbits(80):020x}-c")
    order = cast(NewOrder, words)
    must_ask = hand.must_ask([here.target])
    if hand.dry_run or must_ask:
        preview = here.run(_preview(here, order))
        if hand.dry_run:
            return _print_preview(here, preview)
        show_lines(_preview_lines(here, preview))
        confirm("Send it?")
    look = ["perpwire", "order", "show", order["symbol"], "--client-order-id", str(order["client_order_id"]),
            "--venue", here.target.venue, "--env", here.target.env, *_where(hand)]  # fmt: skip
    placed = here.run(
        _place(here, order, road), f"; whether the order was placed is not known. To look: {shlex.join(look)}"
    )
    _print(here, placed)


def _where(hand: Hand) -> list[str]:
    urls = [word for url in hand.urls or () for word in ("--url", url)]
    return urls if hand.config is None else [*urls, "--config", str(hand.config)]


async def _preview(here: OneVenue, order: NewOrder) -> Preview:
    async with connectors(here.made, private=True, on_incident=tell_incident) as started:
        connector = started[here.target.venue]
        await connector.get_position_mode(order["symbol"])  # the order is said in its words
        request = await connector.check_order(order)
        mark, account, positions = await asyncio.gather(
            connector.get_mark_price(request.symbol),
            connector.get_account_info(),
            connector.get_positions(request.symbol),
        )
        return Preview(
            request,
            connector.venue.place_order(request),
            place_line(here.made, here.target, connector),
            address(connector),
            mark.mark_price,
            sum((one.quantity for one in positions), Decimal(0)),
            account,
        )


def _preview_lines(here: OneVenue, preview: Preview) -> list[tuple[str, str]]:
    request = preview.request
    return [
        preview.venue_line,
        ("account", f"equity {plain(preview.account.equity)}, available {plain(preview.account.available_balance)}"),
        ("order", request_words(request)),
        ("value", f"{plain(preview.notional)} at {_at(preview)}; the mark price is {plain(preview.mark_price)}"),
        ("position", f"{plain(preview.held)} now"),
        ("guards", f"{guard_words(here.made.guards)}: the order keeps to them"),
        ("call", call_words(preview.call)),
    ]


def _at(preview: Preview) -> str:
    if preview.request.price is not None:
        return "its price"
    return "its trigger" if preview.request.trigger_price is not None else "the mark price"


def request_words(request: OrderRequest | Order) -> str:
    """An order in one line, exactly."""
    words = [request.side.value]
    words.append("the whole position" if request.close_position else plain(request.quantity))
    words += [request.symbol, request.type.value]
    if request.price is not None:
        words.append(f"at {plain(request.price)}")
    if request.trigger_price is not None:
        by = "" if request.trigger_by is None else f" of {request.trigger_by.value}"
        words.append(f"when the price{by} reaches {plain(request.trigger_price)}")
    if request.callback_rate is not None:
        words.append(f"trailing by {plain(request.callback_rate)} %")
    if request.time_in_force is not None and request.type not in AT_MARKET:
        words.append(request.time_in_force.value)
    if request.reduce_only:
        words.append("reduce-only")
    if request.position_side.value != "BOTH":
        words.append(f"of the {request.position_side.value} side")
    for name in ("take_profit", "stop_loss"):
        if (value := getattr(request, name)) is not None:
            words.append(f"{name.replace('_', ' ')} {plain(value)}")
    return f"{' '.join(words)}; id {request.client_order_id}"


def _print_preview(here: OneVenue, preview: Preview) -> None:
    if not here.hand.as_json:
        show_lines([*_preview_lines(here, preview), ("result", "nothing was sent")], console)
        return
    json_line(
        {
            "dry_run": True,
            "venue": here.target.venue,
            "env": here.target.env,
            "host": preview.host,
            "order": preview.request,
            **call_facts(preview.call),
            "notional": preview.notional,
            "mark_price": preview.mark_price,
            "position": preview.held,
            "equity": preview.account.equity,
            "available_balance": preview.account.available_balance,
            "guards": guard_facts(here.made.guards),
        }
    )


@asynccontextmanager
async def sending(here: OneVenue) -> AsyncIterator[VenueConnector]:
    """A connector for what is sent: whom the configuration names hears of what goes wrong."""
    async with (
        alerting(here.made) as on_incident,
        connectors(here.made, private=True, on_incident=on_incident) as started,
    ):
        yield started[here.target.venue]


async def _place(here: OneVenue, order: NewOrder, road: str | None) -> Order:
    async with sending(here) as connector:
        options = cast(dict[str, Any], order)
        return await ended(connector, await connector.place_order(**options, road=road, wait="accepted"))


async def ended(connector: VenueConnector, order: Order) -> Order:
    """A market order as it ended, and what is filled with its average price, if that can be asked soon; others as they
    are. Binance's answers to orders state no average price, filled or not: only questions and the stream tell it."""
    with suppress(APIError):
        for _ in range(LOOKS):
            if _is_told_whole(order):
                break
            await asyncio.sleep(LOOK_EVERY_S)
            with suppress(UnknownOrder):  # not in the venue's lists yet
                order = await connector.get_order(order.symbol, order.order_id)
    return order


def _is_told_whole(order: Order) -> bool:
    if order.filled_quantity and order.average_price is None:
        return False
    return order.type not in AT_MARKET or order.is_conditional or order.status.is_final


# --- one that is there ------------------------------------------------------------------------------------------------


def show(hand: Hand, symbol: str, order_id: str | None, client_order_id: str | None) -> None:
    here = one_venue(hand)
    _print(here, here.run(_order(here, symbol, order_id, client_order_id)))


async def _order(here: OneVenue, symbol: str, order_id: str | None, client_order_id: str | None) -> Order:
    async with connectors(here.made, private=True, on_incident=tell_incident) as started:
        return await started[here.target.venue].get_order(symbol, order_id, client_order_id=client_order_id)


class Change(NamedTuple):
    """What is about to be done to an order that is there."""

    before: Order
    venue_line: tuple[str, str]
    call: Call[Any]


def amend(
    hand: Hand,
    symbol: str,
    order_id: str | None,
    client_order_id: str | None,
    changes: Mapping[str, str | None],
    road: str | None,
) -> None:
    here = one_venue(hand)
    must_ask = hand.must_ask([here.target])
    if hand.dry_run or must_ask:
        change = here.run(_look_at_change(here, symbol, order_id, client_order_id, changes))
        new = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in changes.items() if value is not None)
        if _stop_at(here, change, [("change", new)], "Change it?"):
            return

    async def work() -> Order:
        async with sending(here) as connector:
            amended = await connector.amend_order(
                symbol,
                order_id,
                client_order_id=client_order_id,
                price=changes["price"],
                quantity=changes["quantity"],
                trigger_price=changes["trigger_price"],
                road=road,
            )
            return await ended(connector, amended)

    _print(here, here.run(work(), "; the order may have been changed or not"))


async def _look_at_change(
    here: OneVenue,
    symbol: str,
    order_id: str | None,
    client_order_id: str | None,
    changes: Mapping[str, str | None],
) -> Change:
    async with connectors(here.made, private=True, on_incident=tell_incident) as started:
        connector = started[here.target.venue]
        order = await connector.get_order(symbol, order_id, client_order_id=client_order_id)
        price, quantity, trigger = (
            None if (text := changes[name]) is None else exact(text, name, here.target.venue, "amend_order")
            for name in ("price", "quantity", "trigger_price")
        )
        instrument = await connector.get_instrument(symbol)
        for value in (price, trigger):
            if value is not None:
                instrument.check_price(value)
        if quantity is not None:
            instrument.check_quantity(quantity)
        call = connector.venue.amend_order(order, price, quantity, trigger)
        return Change(order, place_line(here.made, here.target, connector), call)


def cancel(hand: Hand, symbol: str, order_id: str | None, client_order_id: str | None, road: str | None) -> None:
    here = one_venue(hand)
    must_ask = hand.must_ask([here.target])
    if hand.dry_run or must_ask:
        change = here.run(_look_at_cancel(here, symbol, order_id, client_order_id))
        if _stop_at(here, change, [], "Cancel it?"):
            return

    async def work() -> Order:
        async with sending(here) as connector:
            cancelled = await connector.cancel_order(symbol, order_id, client_order_id=client_order_id, road=road)
            return await ended(connector, cancelled)

    _print(here, here.run(work(), "; the order may have been cancelled or not"))


async def _look_at_cancel(here: OneVenue, symbol: str, order_id: str | None, client_order_id: str | None) -> Change:
    async with connectors(here.made, private=True, on_incident=tell_incident) as started:
        connector = started[here.target.venue]
        order = await connector.get_order(symbol, order_id, client_order_id=client_order_id)
        call = connector.venue.cancel_order(order.symbol, order.order_id, None)
        return Change(order, place_line(here.made, here.target, connector), call)


def _stop_at(here: OneVenue, change: Change, more: Sequence[tuple[str, str]], question: str) -> bool:
    """Show it; True where that is all that was wanted, else ask."""
    if here.hand.dry_run and here.hand.as_json:
        told = {"dry_run": True, "venue": here.target.venue, "env": here.target.env, "order": change.before}
        json_line(told | call_facts(change.call))
        return True
    before = change.before
    state = f"{request_words(before)}; {before.status.value}, {plain(before.filled_quantity)} filled"
    lines = [change.venue_line, ("order", state), *more, ("call", call_words(change.call))]
    if here.hand.dry_run:
        show_lines([*lines, ("result", "nothing was sent")], console)
        return True
    show_lines(lines)
    confirm(question)
    return False


def cancel_all(hand: Hand, symbol: str | None) -> None:
    here = one_venue(hand)
    must_ask = hand.must_ask([here.target])
    if hand.dry_run or must_ask:
        open_now = here.run(_open_orders(here, symbol))
        rows("open orders", ORDERS, map(order_row, open_now), as_json=hand.as_json and hand.dry_run, empty="none")
        if hand.dry_run or not open_now:
            note("nothing was sent")
            return
        show_lines([target_line(here.made, here.target)])
        confirm(f"Cancel {'this order' if len(open_now) == 1 else f'these {len(open_now)} orders'}?")

    async def work() -> Sequence[Order]:
        async with sending(here) as connector:
            were_open = await connector.cancel_all(symbol)
            return await asyncio.gather(*(_as_it_ended(connector, order) for order in were_open))

    cancelled = here.run(work(), "; some orders may have been cancelled")
    rows("cancelled", ORDERS, map(order_row, cancelled), as_json=hand.as_json, empty="there were no open orders")


async def _as_it_ended(connector: VenueConnector, order: Order) -> Order:
    """It may have been filled before it was cancelled."""
    return await connector.get_order(order.symbol, order.order_id)


async def _open_orders(here: OneVenue, symbol: str | None) -> Sequence[Order]:
    async with connectors(here.made, private=True, on_incident=tell_incident) as started:
        return await started[here.target.venue].get_open_orders(symbol)


def _print(here: OneVenue, order: Order) -> None:
    env = here.target.env
    if here.hand.as_json:
        json_line({"env": env} | msgspec.structs.asdict(order))
        return
    rows(f"{here.target.venue} {env}", ORDERS, [order_row(order)], as_json=False, empty="")
    if order.reason:
        note(f"note: {order.reason}")

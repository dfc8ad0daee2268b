"""What a reconnected account stream owes: the account as it is, what became of orders that were open, and fills."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import TypeVar

from perpwire.api_connector.request_path import RequestPath
from perpwire.data_processor.account_settings import setting_of
from perpwire.data_processor.account_state import AccountState
from perpwire.data_processor.order_tracker import OrderTracker
from perpwire.errors import NotOffered, UnknownOrder, UnknownSymbol
from perpwire.model.account import AccountEvent, Balance, Position
from perpwire.model.market import Event
from perpwire.model.order import Fill, Order
from perpwire.venues.base import Call, Venue

log = logging.getLogger("perpwire.api_connector")

FEW = 10

MOST_PARENTS = 20
"""Orders of which one reading asks whether a trigger made them."""

NEAR_MS = 1000
"""A clock that was put back by less goes unnoticed: what is read begins so much earlier anyway."""

T = TypeVar("T")


async def read_since(since_ms: Callable[[], int], read: Callable[[int], Awaitable[T]]) -> T:
    """Read what is stamped with a time of the venue's clock or later; once more where its answers prove meanwhile that
    the clock was put back, and an earlier one is the right one."""
    while True:
        asked_ms = since_ms()
        found = await read(asked_ms)
        if since_ms() >= asked_ms - NEAR_MS:
            return found


async def read_orders(
    requests: RequestPath,
    venue: Venue,
    state: AccountState,
    *,
    only_known: bool = False,
    since_ms: int | None = None,
    symbols: Iterable[str] = (),
) -> list[Order]:
    """Orders as they are now. Those that were open before and are not any more are asked for one by one, so that their
    end is told; what the venue does not know any more after a long outage, or as its contract is gone, is let go of.

    Args:
        only_known: Of the symbols alone that have open orders as far as we know, where these are few: that costs less.
        since_ms: Those too that were placed since then (Unix milliseconds, venue's clock) and have ended.
        symbols: Where the venue lists past conditional orders symbol by symbol: which are asked for.

    Raises:
        APIError: Something could not be read; nothing is delivered then.
    """
    asked: list[str | None] = [None]
    if only_known:
        known_symbols = sorted({order.symbol for order in state.open_orders})
        if len(known_symbols) <= FEW:
            asked = [*known_symbols]
    lists = await asyncio.gather(*(_if_listed(requests, venue.open_orders(symbol)) for symbol in asked))
    found = [order for one in lists for order in one]
    if since_ms is not None:
        # Afterwards: what ends between the two questions is seen twice rather than not at all.
        found += await _placed_since(requests, venue, since_ms, symbols)
    seen = {(order.symbol, order.order_id) for order in found}
    for known in state.open_orders:
        if (known.symbol, known.order_id) not in seen:
            try:
                found.append(await requests.run(venue.get_order(known.symbol, known.order_id, None)))
            except (UnknownOrder, UnknownSymbol):
                state.forget_if_old(known)  # the venue may not show it yet, or remember it no more
    return found


async def _placed_since(requests: RequestPath, venue: Venue, since_ms: int, symbols: Iterable[str]) -> list[Order]:
    try:
        calls = venue.orders_since(since_ms, tuple(symbols))
    except NotOffered:
        return []
    lists = await asyncio.gather(*(_if_listed(requests, call) for call in calls))
    return [order for one in lists for order in one]


async def _if_listed(requests: RequestPath, call: Call[tuple[T, ...]]) -> tuple[T, ...]:
    """Rows of one contract; none where the venue does not know it any more, which must not hide those of others."""
    try:
        return await requests.run(call)
    except UnknownSymbol as error:
        log.warning("of a contract that is gone nothing can be read: %s", error)
        return ()


async def read_parent(requests: RequestPath, venue: Venue, orders: OrderTracker, order: Order) -> Order | None:
    """The conditional order whose trigger made this one; None where none did, or that is known without asking. The one
    that we know is asked for by its id, as its client order id may be used over and over, and any other by the client
    order id that both have.

    Raises:
        APIError: It could not be read.
    """
    if orders.is_clear(order) or not order.client_order_id:
        return None
    known = orders.possible_parent(order)
    names: list[tuple[str | None, str | None]] = [(None, order.client_order_id)]
    if known is not None:
        names.insert(0, (known.order_id, None))
    for order_id, client_order_id in names:
        with suppress(UnknownOrder, UnknownSymbol):
            found = await requests.run(venue.get_order(order.symbol, order_id, client_order_id))
            if found.child_order_id == order.order_id:
                return found
    return None


async def read_parents(requests: RequestPath, venue: Venue, orders: OrderTracker, made: Sequence[Order]) -> None:
    """The same of several, MOST_PARENTS at most, for the tracker.

    Raises:
        APIError: Something could not be read.
    """
    found = await asyncio.gather(*(read_parent(requests, venue, orders, order) for order in made[:MOST_PARENTS]))
    for parent in found:
        if parent is not None:
            orders.on_event(parent)


async def read_positions(
    requests: RequestPath, venue: Venue, state: AccountState
) -> tuple[tuple[Position, ...], list[Event]]:
    """Positions as they are now: what the venue lists, and events of them, in which those that were open and are gone
    come as flat ones.

    Raises:
        APIError: They could not be read.
    """
    positions = await requests.run(venue.positions(None))
    held = {(position.symbol, position.position_side) for position in positions}
    events: list[Event] = [
        Position(
            venue=venue.name,
            symbol=gone.symbol,
            position_side=gone.position_side,
            quantity=Decimal(0),
            entry_price=None,
        )
        for key, gone in state.positions.items()
        if gone.quantity and key not in held
    ]
    return positions, [*events, *positions]


async def read_balances(requests: RequestPath, venue: Venue, state: AccountState) -> list[Event]:
    """Balances as they are now; assets that were held and are gone come as empty ones.

    Raises:
        APIError: They could not be read.
    """
    account = await requests.run(venue.account())
    assets = {balance.asset for balance in account.balances}
    spent = [asset for asset, balance in state.balances.items() if balance.wallet and asset not in assets]
    gone = [Balance(venue=venue.name, symbol="", asset=asset, wallet=Decimal(0)) for asset in spent]
    return [*gone, *account.balances]


def subject(event: Event) -> Hashable:
    """What an account event is about: two events of one subject are states of the same thing."""
    match event:
        case Order():
            return ("order", event.symbol, event.order_id)
        case Position():
            return ("position", event.symbol, event.position_side)
        case Balance():
            return ("balance", event.asset)
        case AccountEvent():
            setting = setting_of(event)
            return event if setting is None else setting[0]
        case _:
            return event


async def read_fills(requests: RequestPath, venue: Venue, since_ms: int, symbols: Iterable[str]) -> list[Fill]:
    """Every fill of the account from `since_ms` (Unix milliseconds, venue's clock) on, oldest first.

    Where the venue wants a symbol, those given are asked for, and those that had bookings since then: so are found
    contracts that we do not know of, traded by hand or by another program. Those that are gone are left out.

    Raises:
        APIError: Something could not be read.
    """
    if not venue.fills_need_symbol:
        rows = await requests.run(venue.fills(None, since_ms, None))
    else:
        wanted = set(symbols)
        with suppress(NotOffered):
            booked = await requests.run(venue.income(None, None, since_ms, None))
            wanted.update(row.symbol for row in booked if row.symbol)
        calls = [venue.fills(symbol, since_ms, None) for symbol in sorted(wanted)]
        lists = await asyncio.gather(*(_if_listed(requests, call) for call in calls))
        rows = tuple(row for one in lists for row in one)
    # At the same millisecond the venue's own order stays.
    return sorted((row for row in rows if row.venue_time_ms >= since_ms), key=lambda row: row.venue_time_ms)

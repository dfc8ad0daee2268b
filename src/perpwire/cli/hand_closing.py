"""Positions closed by hand, one or all, on one venue or several; and looked at afterwards."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.account_tables import ORDERS, POSITIONS, answered, asked, none, order_row, position_row, title
from perpwire.cli.asking import Hand, confirm, show, target_line
from perpwire.cli.connecting import Plan, Target
from perpwire.cli.hand_alerts import alerting
from perpwire.cli.hand_orders import LEFT, ended
from perpwire.cli.printing import note, rows
from perpwire.cli.running import TELLABLE, code_of, errors, run, say
from perpwire.errors import PerpwireError
from perpwire.model.account import Position
from perpwire.model.order import Order

LOOKS = 15
LOOK_EVERY_S = 0.2
"""So often, and so far apart, positions are looked at until they are gone."""


class NotFlat(PerpwireError):
    """What was to be closed is still there."""


class Wanted(NamedTuple):
    """What is to be closed."""

    symbol: str | None
    position_side: str | None
    cancel_orders: bool

    async def held(self, connector: VenueConnector) -> tuple[Position, ...]:
        return tuple(
            one
            for one in await connector.get_positions(self.symbol)
            if one.quantity and self.position_side in (None, one.position_side.value)
        )


class Closed(NamedTuple):
    """What became of one venue's positions. `failed`: what could not be closed."""

    orders: list[Order]
    failed: list[Exception]


def close(hand: Hand, symbol: str | None, position_side: str | None, *, cancel_orders: bool) -> None:
    made = hand.plan()
    wanted = Wanted(symbol, position_side, cancel_orders)
    must_ask = hand.must_ask(made.targets)
    code = 0
    if hand.dry_run or must_ask:
        heard, held, code = run(_held(made, hand, wanted), as_json=hand.as_json)
        rows(
            "to be closed at the market",
            POSITIONS,
            map(position_row, held),
            as_json=hand.as_json and hand.dry_run,
            empty=none("open positions", heard),
        )
        if hand.dry_run or not held:
            note("nothing was sent")
            raise typer.Exit(code)
        show(
            [
                *(target_line(made, target) for target in made.targets),
                ("guards", "what only closes passes them all"),
            ]
        )
        confirm(f"Close {'this position' if len(held) == 1 else f'these {len(held)} positions'}?")
    heard, closed, failed = run(
        _close(made, hand, wanted),
        as_json=hand.as_json,
        at_interrupt=lambda: f"{LEFT}; some positions may have been closed",
    )
    raise typer.Exit(_told(hand, heard, closed, failed) or code)


def _told(hand: Hand, heard: Plan, closed: list[Closed], code: int) -> int:
    placed = [order for one in closed for order in one.orders]
    rows(
        title("closed", heard),
        ORDERS,
        map(order_row, placed),
        as_json=hand.as_json,
        empty=none("open positions", heard),
    )
    for error in (error for one in closed for error in one.failed):
        say(error, as_json=hand.as_json)
        code = max(code, code_of(error))
    return code


async def _held(made: Plan, hand: Hand, wanted: Wanted) -> tuple[Plan, list[Position], int]:
    async def ask(connector: VenueConnector, target: Target) -> tuple[Position, ...]:
        return await wanted.held(connector)

    found, code = await asked(made, ask, is_named=bool(hand.venues), as_json=hand.as_json)
    return answered(made, found), [one for several in found.values() for one in several], code


async def _close(made: Plan, hand: Hand, wanted: Wanted) -> tuple[Plan, list[Closed], int]:
    columns = (TextColumn("closing"), BarColumn(), MofNCompleteColumn())
    hidden = hand.as_json or not errors.is_terminal
    with Progress(*columns, console=errors, transient=True, disable=hidden) as progress:
        task = progress.add_task("closing", total=None)
        total = 0

        async def work(connector: VenueConnector, target: Target) -> Closed:
            nonlocal total
            if wanted.cancel_orders:
                await connector.cancel_all(wanted.symbol)
            held = await wanted.held(connector)
            total += len(held)
            progress.update(task, total=total)
            done = Closed([], [])

            async def one(position: Position) -> None:
                try:
                    order = await connector.close_position(position.symbol, position.position_side, wait="accepted")
                    if order is not None:
                        done.orders.append(await ended(connector, order))
                except TELLABLE as error:
                    done.failed.append(error)
                progress.advance(task)

            await asyncio.gather(*map(one, held))
            if done.orders and not done.failed and (left := await _left(connector, wanted)):
                done.failed.append(NotFlat(f"{target.venue}: still open: {left} -> Look with `perpwire positions`."))
            return done

        async with alerting(made) as on_incident:
            found, code = await asked(
                made, work, is_named=bool(hand.venues), as_json=hand.as_json, on_incident=on_incident
            )
    return answered(made, found), list(found.values()), code


async def _left(connector: VenueConnector, wanted: Wanted) -> str:
    """What is still there after a while; "" where nothing is."""
    held: tuple[Position, ...] = ()
    for n in range(LOOKS):
        if n:
            await asyncio.sleep(LOOK_EVERY_S)
        held = await wanted.held(connector)
        if not held:
            break
    return ", ".join(f"{one.symbol} {one.quantity}" for one in held)

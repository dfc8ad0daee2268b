"""The trading process of kill.py: one life of it, from the start of its connector to its sudden end."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from contextlib import suppress
from decimal import Decimal
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

import msgspec

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.errors import APIError
from perpwire.model.incident import HandlerFailed, Incident
from perpwire.model.order import CONDITIONAL, Fill, Order, OrderType
from perpwire.venues import load

SYMBOL = "BTCUSDT"
WINDOW_MS = 1000
"""Receive window: what never left is certain the sooner."""

WORKERS = 4


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is told at its birth.

    Attributes:
        number: Of the account's lives, the first is 0.
        diary: A file to which everything is added that its handlers and callers hear.
        dies_after: It kills itself after so many function calls from its birth on; 0: it does not.
    """

    number: int
    venue: str
    url: str
    api_key: str
    secret_key: str
    journal: str
    diary: str
    seed: str
    dies_after: int = 0


class Row(msgspec.Struct, frozen=True):
    """An order of the journal."""

    client_order_id: str
    outcome: str | None
    order_id: str | None


class View(msgspec.Struct, frozen=True):
    """What connector and journal know while nothing is under way.

    Attributes:
        open_orders: Client order id -> filled quantity.
        positions: Symbol -> quantity.
        unknown: Client order ids that could not be settled at the start.
        failures: Handlers that raised.
    """

    open_orders: dict[str, Decimal]
    positions: dict[str, Decimal]
    rows: list[Row]
    unknown: tuple[str, ...]
    failures: int


def live(life: Life, wire: Connection) -> None:
    """The process's main function. What it hears on `wire`: "view", "trade" (which a number may follow: it kills itself
    after so many calls), "end"."""
    if life.dies_after:
        die_after(life.dies_after)
    asyncio.run(Trader(life, wire).run())


def die_after(calls: int) -> None:
    """SIGKILL at the start or the end of some function, of Python or of C: between any two things that are done."""
    left = calls

    def count(_frame: FrameType, _event: str, _argument: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


class Trader:
    def __init__(self, life: Life, wire: Connection) -> None:
        self._life = life
        self._wire = wire
        self._random = random.Random(life.seed)
        self._diary = os.open(life.diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._placed = 0
        self._failures = 0
        self._middle = Decimal(0)
        venue = load(life.venue)
        venue.recv_window_ms = WINDOW_MS
        self._connector = VenueConnector(
            venue, life.api_key, life.secret_key, url=life.url, journal=life.journal, timeout_s=5.0
        )
        self._connector.on(Fill, self._on_fill)
        self._connector.on_incident(self._on_incident)

    def _note(self, *words: object) -> None:
        """One write: it is there whole, whenever we are killed."""
        os.write(self._diary, json.dumps(words).encode() + b"\n")

    def _on_fill(self, fill: Fill) -> None:
        self._note("fill", fill.symbol, fill.trade_id, fill.side, str(fill.quantity), fill.venue_time_ms)

    def _on_incident(self, incident: Incident) -> None:
        self._failures += isinstance(incident, HandlerFailed)

    async def run(self) -> None:
        orders = asyncio.Queue[str]()

        def hear() -> None:
            try:
                orders.put_nowait(self._wire.recv())
            except EOFError:  # whoever started us is gone
                os._exit(1)

        asyncio.get_running_loop().add_reader(self._wire.fileno(), hear)
        # The kill may have cut the last life's last line at the border of two pages: it ends here.
        os.write(self._diary, b"\n")
        self._note("life", self._life.number)
        async with self._connector as connector:
            await connector.open_account_stream()
            self._middle = (await connector.get_mark_price(SYMBOL)).mark_price
            self._wire.send(b"ready")
            while True:
                match (await orders.get()).split():
                    case ["view"]:
                        self._wire.send(msgspec.json.encode(self._view()))
                    case ["trade", *calls]:
                        self._wire.send(b"trading")
                        if calls:
                            die_after(int(calls[0]))
                        await asyncio.gather(*(self._trade() for _ in range(WORKERS)))
                    case _:
                        await connector.cancel_all()
                        break
        self._wire.send(b"ended")

    def _view(self) -> View:
        state, journal = self._connector.account_state, self._connector.journal
        assert journal is not None
        return View(
            open_orders={order.client_order_id: order.filled_quantity for order in state.open_orders},
            positions={symbol: one.quantity for (symbol, _), one in state.positions.items() if one.quantity},
            rows=[Row(entry.client_order_id, entry.outcome, entry.order_id) for entry in journal.orders()],
            unknown=self._connector.start_up_report.unknown,
            failures=self._failures,
        )

    # --- trading ----------------------------------------------------------------------------------------------------

    async def _trade(self) -> None:
        while True:
            resting = [order for order in self._connector.account_state.open_orders if order.client_order_id]
            chance = self._random.random()
            if not resting or chance < 0.6:
                await self._place()
                continue
            chosen = self._random.choice(resting)
            with suppress(APIError):
                if chance < 0.85 or chosen.type in CONDITIONAL:
                    await self._connector.cancel_order(SYMBOL, chosen.order_id, road=self._road())
                else:
                    price = self._price(chosen.side)
                    await self._connector.amend_order(SYMBOL, chosen.order_id, price=price, road=self._road())

    async def _place(self) -> None:
        self._placed += 1
        name = f"k{self._life.number}-{self._placed}"
        held = self._connector.account_state.positions
        net = sum((one.quantity for one in held.values()), Decimal(0))
        side = self._random.choice(("BUY", "SELL")) if abs(net) < 1 else "SELL" if net > 0 else "BUY"
        quantity = Decimal(self._random.randint(1, 20)) / 1000
        self._note("try", name)
        try:
            order = await self._send(name, side, quantity)
        except APIError as error:
            self._note("told", name, type(error).__name__)
        else:
            self._note("told", name, "Order", order.order_id)

    async def _send(self, name: str, side: str, quantity: Decimal) -> Order:
        place = self._connector.place_order
        chance = self._random.random()
        if chance < 0.35:
            return await place(SYMBOL, side, quantity, client_order_id=name, road=self._road())
        if chance < 0.9:
            price = self._price(side)
            return await place(
                SYMBOL, side, quantity, OrderType.LIMIT, price=price, client_order_id=name, road=self._road()
            )
        away = self._middle * (Decimal("1.1") if side == "BUY" else Decimal("0.9"))
        return await place(
            SYMBOL, side, quantity, OrderType.STOP_MARKET, trigger_price=away.quantize(Decimal(1)),
            client_order_id=name, road=self._road(),
        )  # fmt: skip

    def _price(self, side: str) -> Decimal:
        away = Decimal(self._random.randint(0, 50)) / 1000
        return (self._middle * (1 - away if side == "BUY" else 1 + away)).quantize(Decimal(1))

    def _road(self) -> str:
        return self._random.choice(("rest", "websocket"))

"""A trading process is killed by SIGKILL, over and over, and nothing is lost, doubled or forgotten.

    python -m perpwire.scenarios.kill --kills 500

The embedded exchange serves real sockets. Several accounts are traded side by side, each by a process that places,
amends and cancels as fast as it can over both roads, with a journal; each is killed at an instant that the seed chooses
(after so many function calls, in the middle of its start too, or after so many microseconds of trading) and started
again. After each start journal, exchange and connector must agree on every order and every fill.

What a handler did can't be made one with what the journal notes of it: a process killed between the two has the one
fill delivered again at its next start. That is counted, and allowed for the last thing that a life did alone.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from perpwire.clock import SystemClock
from perpwire.scenarios.kill_trader import Life, View, live
from perpwire.simulator.dialect import DialectOptions
from perpwire.simulator.faults import Act
from perpwire.simulator.simulation import Simulation
from perpwire.simulator.specs import AccountSpec
from perpwire.threaded import ThreadedExchange

VENUES = ("binance", "bybit")

AGREE_S = 15.0
"""How long journal, exchange and connector may take to agree after a start."""

ANSWER_S = 60.0

NOT_PLACED = ("NotSent", "BadInput", "GuardRefused")
DOUBTFUL = ("OutcomeUnknown", "Garbled", "DuplicateOrder")

FillKey = tuple[str, str, str]
"""Side, quantity and venue's time of a fill."""


class Truth(msgspec.Struct, frozen=True):
    """One account of the exchange.

    Attributes:
        orders: Client order id -> order ids under it.
        fills: How many of each.
    """

    orders: dict[str, list[str]]
    open_orders: dict[str, Decimal]
    positions: dict[str, Decimal]
    fills: Counter[FillKey]


def truth_of(simulation: Simulation, venue: str, account: str) -> Truth:
    """Read in the exchange's own thread."""
    exchange = simulation.exchanges[venue]
    orders: dict[str, list[str]] = {}
    for order in exchange.orders(account, None):
        if not order.trigger_id:
            orders.setdefault(order.client_order_id, []).append(str(order.order_id))
    open_orders = {one.client_order_id: one.filled_quantity for one in exchange.open_orders(account, None)}
    for trigger in exchange.triggers(account, None):
        orders.setdefault(trigger.client_id, []).append(str(trigger.trigger_id))
        if trigger.is_open:
            open_orders[trigger.client_id] = Decimal(0)
    return Truth(
        orders,
        open_orders,
        {one.symbol: one.quantity for one in exchange.positions(account) if one.quantity},
        Counter(
            (str(order.side), format(fill.quantity.normalize(), "f"), str(fill.time_ms))
            for order, fill in exchange.fills(account, None)
        ),
    )


class Diary:
    """What one account's lives have written, read as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tried: set[str] = set()
        self.told: dict[str, str] = {}
        self.fills: Counter[FillKey] = Counter()
        self.again: list[str] = []
        """Fills that were delivered twice although no kill excuses it."""
        self.at_kills = 0
        """Fills that were delivered again as a kill came between the handler and the journal."""
        self._keys: dict[tuple[str, str, str], int] = {}
        self._lines = 0
        self._life = 0
        self._last_fills: dict[int, tuple[str, str, str]] = {}

    def read(self) -> None:
        """Whole lines; one that is still being written is for the next time."""
        lines = self.path.read_text().split("\n")[:-1]
        for line in lines[self._lines :]:
            try:
                words = json.loads(line)
            except json.JSONDecodeError:
                continue  # a new life's first line end, or half a line that was cut by a kill
            self._take(words)
        self._lines = len(lines)

    def _take(self, words: list[Any]) -> None:
        match words:
            case ["life", number]:
                self._life = number
            case ["try", name]:
                self.tried.add(name)
            case ["told", name, word, *_]:
                self.told[name] = word
            case ["fill", symbol, trade_id, side, quantity, time_ms]:
                key = (symbol, trade_id, side)
                before = self._keys.get(key)
                if before is None:
                    self._keys[key] = self._life
                    self.fills[side, format(Decimal(quantity).normalize(), "f"), str(time_ms)] += 1
                elif before != self._life and self._last_fills.get(before) == key:
                    self.at_kills += 1
                else:
                    self.again.append(f"{' '.join(key)}: in life {before} and in life {self._life}")
                self._last_fills[self._life] = key


class Account:
    """One account of one venue, and the processes that trade it one after the other."""

    def __init__(self, exchange: ThreadedExchange, venue: str, spec: AccountSpec, folder: Path, seed: int) -> None:
        self._exchange = exchange
        self._venue = venue
        self._spec = spec
        self._folder = folder
        self._random = Random(f"{seed}/{venue}/{spec.name}")
        self._seed = f"{seed}/{venue}/{spec.name}"
        self._lives = 0
        self._diary = Diary(folder / f"{venue}-{spec.name}.diary")
        self._context = multiprocessing.get_context("forkserver")
        self._clock = SystemClock()
        self._nothing = threading.Event()
        self.kills = Counter[str]()
        self.checked = 0
        self.problems: list[str] = []

    @property
    def orders(self) -> int:
        return len(self._diary.tried)

    @property
    def fills(self) -> int:
        return sum(self._diary.fills.values())

    @property
    def at_kills(self) -> int:
        return self._diary.at_kills

    def run(self, kills: int) -> None:
        """So many lives that end by SIGKILL, and a last one that ends well."""
        try:
            for _ in range(kills):
                self._killed()
                if self.problems:
                    break  # it would be told again by every life
            self._last()
        except Exception as error:
            self.problems.append(f"{type(error).__name__}: {error}")
        self.problems = [f"{self._venue} {self._spec.name}, life {self._lives}: {one}" for one in self.problems]

    def _born(self, dies_after: int = 0) -> tuple[ForkServerProcess, Connection]:
        # Each life is another address to the venue: what the one before it had used up is not its own.
        self._exchange[self._venue].faults.add(Act(do="forget_limits"))
        ours, theirs = self._context.Pipe()
        life = Life(
            number=self._lives,
            venue=self._venue,
            url=self._exchange.urls[self._venue],
            api_key=self._spec.api_key,
            secret_key=self._spec.secret_key,
            journal=str(self._folder / "orders.db"),
            diary=str(self._diary.path),
            seed=f"{self._seed}/{self._lives}",
            dies_after=dies_after,
        )
        process = self._context.Process(target=live, args=(life, theirs), daemon=True)
        process.start()
        theirs.close()
        self._lives += 1
        return process, ours

    def _killed(self) -> None:
        chance = self._random.random()
        early = self._random.randint(1, 100_000) if chance < 0.2 else 0
        process, wire = self._born(early)
        how = "at its start" if early else "after so many calls" if chance < 0.6 else "after so many microseconds"
        try:
            _hear(wire)
            self._check(wire)
            if chance >= 0.6:
                wire.send("trade")
                _hear(wire)
                self._nothing.wait(self._random.uniform(0.0, 0.4))
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)
            else:
                wire.send("trade" if early else f"trade {self._random.randint(1, 100_000)}")
        except (EOFError, ConnectionResetError, BrokenPipeError):
            pass  # it has killed itself, perhaps before it could say anything
        process.join(ANSWER_S)
        if process.exitcode != -signal.SIGKILL:
            self.problems.append(f"it ended with {process.exitcode}, not by the kill")
        self.kills[how] += 1
        wire.close()

    def _last(self) -> None:
        process, wire = self._born()
        _hear(wire)
        self._check(wire)
        wire.send("end")
        if _hear(wire) != b"ended":
            self.problems.append("it did not end")
        process.join(ANSWER_S)
        wire.close()

    # --- what must hold ---------------------------------------------------------------------------------------------

    def _check(self, wire: Connection) -> None:
        """The exchange goes on trading meanwhile, so what was read of it before and after must be the same."""
        until_ns = self._clock.monotonic_ns() + AGREE_S * 1e9
        while True:
            before = self._truth()
            wire.send("view")
            view = msgspec.json.decode(_hear(wire), type=View)
            self._diary.read()
            found = list(self._breaches(view, before))
            if not found or self._clock.monotonic_ns() > until_ns:
                break
            self._nothing.wait(0.05)
        self.problems += found
        self.checked += 1

    def _truth(self) -> Truth:
        venue, name = self._venue, self._spec.name
        return self._exchange.call(lambda simulation: truth_of(simulation, venue, name))

    def _breaches(self, view: View, truth: Truth) -> Iterator[str]:
        if view.unknown:
            yield f"orders stay unknown: {', '.join(view.unknown)}"
        if view.failures:
            yield f"{view.failures} handlers failed"
        for name, ids in truth.orders.items():
            if len(ids) > 1:
                yield f"{name} was placed {len(ids)} times"
            if name not in self._diary.tried:
                yield f"{name} was placed by nobody"
        rows = {row.client_order_id: row for row in view.rows}
        if len(rows) != len(view.rows):
            yield "an order stands in the journal twice"
        for name in truth.orders:
            if name not in rows:
                yield f"{name} was placed, and is not in the journal"
        for name, row in rows.items():
            ids = truth.orders.get(name, [])
            if row.outcome is None:
                yield f"{name} is not settled"
            elif (row.outcome == "PLACED") != bool(ids):
                yield f"{name} is {row.outcome} to the journal, and the exchange has {ids}"
            elif ids and not _is_same(row.order_id or "", ids[0]):
                yield f"{name} is {row.order_id} to the journal, and {ids[0]} to the exchange"
        for name, word in self._diary.told.items():
            placed = name in truth.orders
            if placed and word not in ("Order", *DOUBTFUL):
                yield f"{name} was placed, and its caller told {word}"
            if not placed and word == "Order":
                yield f"{name} was not placed, and its caller told that it was"
        if view.open_orders != truth.open_orders:
            yield f"open orders: the exchange has {truth.open_orders}, the connector knows {view.open_orders}"
        if view.positions != truth.positions:
            yield f"positions: the exchange has {truth.positions}, the connector knows {view.positions}"
        for fill in truth.fills - self._diary.fills:
            yield f"a fill was not delivered: {' '.join(fill)}"
        for fill in self._diary.fills - truth.fills:
            yield f"a fill was delivered that the exchange does not have: {' '.join(fill)}"
        yield from (f"a fill was delivered again: {one}" for one in self._diary.again)


def _is_same(unified: str, native: str) -> bool:
    """The exchange counts its orders; Bybit writes most numbers as the second half of a UUID."""
    shown = unified.removeprefix("algo-").replace("-", "")
    return shown == native or (len(shown) == 32 and int(shown[16:], 16) == int(native))


def _hear(wire: Connection) -> bytes:
    """
    Raises:
        EOFError: The process is gone.
        TimeoutError: It says nothing.
    """
    if not wire.poll(ANSWER_S):
        raise TimeoutError(f"the trading process said nothing for {ANSWER_S:g} s")
    said: bytes = wire.recv()
    return said


def run(kills: int, *, accounts: int = 4, seed: int = 0, venues: Sequence[str] = VENUES) -> list[Account]:
    """Kill so often in all, shared by `accounts` accounts of each venue. Problems are in what is returned."""
    multiprocessing.get_context("forkserver").set_forkserver_preload([__name__, "perpwire.transport.http"])
    specs = [
        AccountSpec(name=f"account-{n}", api_key=f"kill-key-{n}", secret_key=f"kill-secret-{n}")
        for n in range(accounts)
    ]
    with (
        tempfile.TemporaryDirectory(prefix="perpwire-kill-") as folder,
        ThreadedExchange(
            venues=venues, seed=seed, accounts=specs, rate=5.0, latency_s=0.001, journal_capacity=1000,
            options=DialectOptions(connections_per_5_minutes=0),
        ) as exchange,
        ThreadPoolExecutor(len(venues) * accounts) as pool,
    ):  # fmt: skip
        traded = [Account(exchange, venue, spec, Path(folder), seed) for venue in venues for spec in specs]
        share, more = divmod(kills, len(traded))
        works = [pool.submit(one.run, share + (number < more)) for number, one in enumerate(traded)]
        for work in works:
            work.result()
    return traded


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 if everything holds, 1 if something does not."""
    parser = argparse.ArgumentParser(prog="python -m perpwire.scenarios.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--accounts", type=int, default=4, help="of each venue, traded side by side")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--venue", action="append", choices=VENUES, help="one venue; both where none is given")
    asked = parser.parse_args(arguments)
    clock = SystemClock()
    began_ns = clock.monotonic_ns()
    accounts = run(asked.kills, accounts=asked.accounts, seed=asked.seed, venues=asked.venue or VENUES)
    wall_s = (clock.monotonic_ns() - began_ns) / 1e9
    kills = sum((one.kills for one in accounts), Counter[str]())
    problems = [problem for one in accounts for problem in one.problems]
    for problem in problems[:30]:
        sys.stdout.write(f"FAIL  {problem[:600]}\n")
    hows = ", ".join(f"{count} {how}" for how, count in sorted(kills.items()))
    sys.stdout.write(
        f"{kills.total()} kills in {wall_s:.0f} s ({hows}): {sum(one.orders for one in accounts)} orders, "
        f"{sum(one.fills for one in accounts)} fills, {sum(one.checked for one in accounts)} comparisons, "
        f"{sum(one.at_kills for one in accounts)} fills delivered again as the kill fell between handler and journal, "
        f"{len(problems)} problems\n"
    )
    return 1 if problems or kills.total() < asked.kills else 0


if __name__ == "__main__":
    sys.exit(main())

"""The exchange's state on disk: SQLite in write-ahead mode, one transaction a step, before anybody is told of it.

A process that is killed at any instant has lost nothing that it had acknowledged. (Power failure is another matter:
the last transactions may be missing then, though the file stays whole.)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from perpwire.simulator.accounts import HISTORY, Account, AccountState, PendingCommand
from perpwire.simulator.commands import PlaceOrder, PlaceTrigger
from perpwire.simulator.events import (
    AccountChanged,
    CommandAccepted,
    CommandDone,
    FundingSettled,
    MarkTick,
    OrderChanged,
    SettingsChanged,
    SimEvent,
    TriggerChanged,
)
from perpwire.simulator.house import House, HouseState
from perpwire.simulator.records import Booking, SimFill, SimOrder, SimTrigger

FORMAT = 2
"""Of the tables. A file of another format is refused rather than guessed at."""

_TABLES = {
    "account": "name TEXT PRIMARY KEY, content BLOB",
    "orders": "id INTEGER PRIMARY KEY, account TEXT, is_open INTEGER, created_ms INTEGER, content BLOB",
    "fill": "account TEXT, trade_id INTEGER, is_maker INTEGER, order_id INTEGER, content BLOB, "
    "PRIMARY KEY (account, trade_id, is_maker)",
    "conditional": "id INTEGER PRIMARY KEY, account TEXT, is_open INTEGER, created_ms INTEGER, content BLOB",
    "booking": "account TEXT, number INTEGER, content BLOB, PRIMARY KEY (account, number)",
    "command": "number INTEGER PRIMARY KEY, content BLOB",
    "price": "symbol TEXT PRIMARY KEY, content BLOB",
    "funding": "symbol TEXT, time_ms INTEGER, content BLOB, PRIMARY KEY (symbol, time_ms)",
    "house": "one INTEGER PRIMARY KEY, content BLOB",
}

TIDY_EVERY = 50_000
"""After so many steps, what an account would not remember anyway leaves the file, so that it stops growing."""

_encode = msgspec.msgpack.encode


class Store:
    """One venue's state in a file that several venues may share. Two exchanges of one venue may not: beside it there is
    a file ending in "-lock", empty, that the one that runs keeps locked.

    Args:
        path: The file; made where there is none.
        venue: Its name; the tables of each venue are its own.

    Raises:
        ValueError: The file is no state of an exchange, or of another format.
        OSError: It can't be opened, or another exchange has it open.
    """

    def __init__(self, path: Path | str, venue: str) -> None:
        self._path = path
        self._venue = venue
        self._steps = 0
        self._lock = self._locked()
        try:
            self._open(path)
        except BaseException:
            self._lock.close()
            raise

    def _locked(self) -> sqlite3.Connection:
        """Held until it is closed, or the process ends, in whatever way."""
        try:
            lock = sqlite3.connect(
                f"{Path(self._path).resolve()}-{self._venue}-lock",
                isolation_level=None,
                check_same_thread=False,
                timeout=0,
            )
        except sqlite3.Error as error:
            raise OSError(f"{self._path}: {error}") from None
        try:
            lock.execute("PRAGMA journal_mode=MEMORY")  # no further file for a transaction in which nothing is written
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            lock.close()
            if "locked" in str(error):
                raise OSError(f"{self._path}: another exchange has it open") from None
            raise OSError(f"{self._path}: {error}") from None
        return lock

    def _open(self, path: Path | str) -> None:
        try:
            # Transactions are begun and ended here, not by the module.
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise OSError(f"{path}: {error}") from None
        try:
            self._make_tables(path)
        except BaseException as error:
            self._db.close()
            if isinstance(error, sqlite3.OperationalError):
                raise OSError(f"{path}: {error}") from None
            if isinstance(error, sqlite3.DatabaseError):
                raise ValueError(f"{path}: {error}") from None
            raise

    def _make_tables(self, path: Path | str) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if version != FORMAT and (version or tables):
            raise ValueError(f"{path}: not the state of an embedded exchange of this version")
        self._db.execute(f"PRAGMA user_version={FORMAT}")
        for name, columns in _TABLES.items():
            self._db.execute(f"CREATE TABLE IF NOT EXISTS {self._table(name)} ({columns})")

    def _table(self, name: str) -> str:
        return f"{self._venue}_{name}"

    def close(self) -> None:
        self._db.close()
        self._lock.close()

    # --- writing ------------------------------------------------------------------------------------------------------

    def commit(self, events: Sequence[SimEvent], accounts: Mapping[str, Account], house: House) -> None:
        """Save what a step has changed, all of it or nothing.

        Raises:
            OSError: It could not be written.
        """
        orders: dict[int, SimOrder] = {}
        triggers: dict[int, SimTrigger] = {}
        changed: dict[str, None] = {}
        rows: list[tuple[str, tuple[object, ...]]] = []
        for event in events:
            if isinstance(event, OrderChanged):
                orders[event.order.order_id] = event.order
                if event.fill is not None:
                    rows.append(self._fill_row(event.order, event.fill))
            elif isinstance(event, TriggerChanged):
                triggers[event.trigger.trigger_id] = event.trigger
            elif isinstance(event, AccountChanged):
                changed[event.account] = None
                rows.extend(self._put("booking", event.account, one.number, _encode(one)) for one in event.bookings)
            elif isinstance(event, SettingsChanged):
                changed[event.account] = None
            elif isinstance(event, CommandAccepted):
                pending = PendingCommand(
                    number=event.number, account=event.account, command=event.command, due_ms=event.due_ms
                )
                rows.append(self._put("command", event.number, _encode(pending)))
            elif isinstance(event, CommandDone):
                rows.append((f"DELETE FROM {self._table('command')} WHERE number = ?", (event.number,)))  # noqa: S608
            elif isinstance(event, FundingSettled):
                rows.append(self._put("funding", event.symbol, event.time_ms, _encode(event)))
            elif isinstance(event, MarkTick):
                rows.append(self._put("price", event.symbol, _encode(event.mark_price)))
        rows.extend(
            self._put("orders", one.order_id, one.account, int(not one.status.is_final), one.created_ms, _encode(one))
            for one in orders.values()
        )
        rows.extend(
            self._put("conditional", one.trigger_id, one.account, int(one.is_open), one.created_ms, _encode(one))
            for one in triggers.values()
        )
        rows.extend(self._put("account", name, _encode(accounts[name].state)) for name in changed)
        if not rows:
            return
        rows.append(self._put("house", 1, _encode(house.state)))
        self._steps += 1
        if self._steps % TIDY_EVERY == 0:
            rows.extend(row for name in accounts for row in self._tidying(name))
        try:
            self._write(rows)
        except sqlite3.Error as error:
            raise OSError(f"{self._path}: {error}; the exchange can't go on without its state") from error

    def _write(self, rows: Iterable[tuple[str, tuple[object, ...]]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for statement, values in rows:
                self._db.execute(statement, values)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a disk that is full has ended it already
                self._db.execute("ROLLBACK")
            raise

    def _tidying(self, account: str) -> Iterator[tuple[str, tuple[object, ...]]]:
        """Statements that delete what is older than what `restore` reads."""
        for name, key in (("orders", "id"), ("conditional", "id"), ("booking", "number"), ("fill", "rowid")):
            ended = " AND is_open = 0" if key == "id" else ""
            newest = "created_ms DESC, id DESC" if key == "id" else f"{key} DESC"
            table = self._table(name)
            of_account = f"FROM {table} WHERE account = ?{ended}"
            kept = f"SELECT {key} {of_account} ORDER BY {newest} LIMIT {HISTORY}"
            yield f"DELETE {of_account} AND {key} NOT IN ({kept})", (account, account)

    def _put(self, name: str, *values: object) -> tuple[str, tuple[object, ...]]:
        marks = ", ".join("?" * len(values))
        return f"INSERT OR REPLACE INTO {self._table(name)} VALUES ({marks})", values  # noqa: S608

    def _fill_row(self, order: SimOrder, fill: SimFill) -> tuple[str, tuple[object, ...]]:
        return self._put("fill", order.account, fill.trade_id, int(fill.is_maker), order.order_id, _encode(fill))

    # --- reading ------------------------------------------------------------------------------------------------------

    def _read(self, table: str, what: str, *values: object) -> list[Any]:
        """Rows of `what`, in which {} stands for the table. No text from outside gets into a statement."""
        return self._db.execute("SELECT " + what.format(self._table(table)), values).fetchall()

    def prices(self) -> dict[str, Decimal]:
        """Symbol -> mark price when it was last seen."""
        rows = self._read("price", "symbol, content FROM {}")
        return {symbol: msgspec.msgpack.decode(content, type=Decimal) for symbol, content in rows}

    def fundings(self) -> list[FundingSettled]:
        """Oldest first."""
        rows = self._read("funding", "content FROM {} ORDER BY time_ms")
        return [msgspec.msgpack.decode(content, type=FundingSettled) for (content,) in rows]

    def house(self) -> HouseState | None:
        """None in a new file."""
        rows = self._read("house", "content FROM {}")
        return msgspec.msgpack.decode(rows[0][0], type=HouseState) if rows else None

    def restore(
        self,
        accounts: Mapping[str, Account],
        take_back: Callable[[SimOrder], None],
        wait: Callable[[SimTrigger], None],
    ) -> None:
        """Put everything back. Accounts that are no longer there stay in the file and out of the exchange.

        Raises:
            ValueError: One of them has traded a contract that is not listed any more.
        """
        for name, content in self._read("account", "name, content FROM {}"):
            if name in accounts:
                accounts[name].state = msgspec.msgpack.decode(content, type=AccountState)
        for (content,) in self._read("command", "content FROM {} ORDER BY number"):
            pending = msgspec.msgpack.decode(content, type=PendingCommand)
            if pending.account in accounts:
                accounts[pending.account].pending[pending.number] = pending
        for name, account in accounts.items():
            self._restore_account(name, account, wait)
        resting = [order for account in accounts.values() for order in account.open.values()]
        for order in sorted(resting, key=lambda one: (one.created_ms, one.order_id)):
            take_back(order)

    def _restore_account(self, name: str, account: Account, wait: Callable[[SimTrigger], None]) -> None:
        orders = [msgspec.msgpack.decode(content, type=SimOrder) for content in self._remembered("orders", name)]
        triggers = [
            msgspec.msgpack.decode(content, type=SimTrigger) for content in self._remembered("conditional", name)
        ]
        commands = [one.command for one in account.pending.values()]
        self._check_listed(
            account,
            {one.symbol for one in account.state.positions.values()}
            | {one.symbol for one in orders}
            | {one.symbol for one in triggers}
            | {one.intent.symbol for one in commands if isinstance(one, PlaceOrder | PlaceTrigger)},
        )
        by_id = {order.order_id: order for order in orders}
        for order in orders:
            account.remember_order(order)
        fills = self._read("fill", "order_id, content FROM {} WHERE account = ? ORDER BY rowid", name)
        for order_id, content in fills:
            if order_id in by_id:
                account.fills.append((by_id[order_id], msgspec.msgpack.decode(content, type=SimFill)))
        found = self._read("booking", f"content FROM {{}} WHERE account = ? ORDER BY number DESC LIMIT {HISTORY}", name)
        for (content,) in reversed(found):
            account.bookings.append(msgspec.msgpack.decode(content, type=Booking))
        for trigger in triggers:
            account.add_trigger(trigger)
            wait(trigger)

    def _remembered(self, table: str, account: str) -> list[bytes]:
        """All that are open, however old, and the newest of the others, as an account remembers them; oldest first.
        By their time: ids of one symbol may be above those of every other."""
        what = "created_ms, id, content FROM {} WHERE account = ? AND is_open = "
        found = self._read(table, what + "1", account)
        found += self._read(table, what + f"0 ORDER BY created_ms DESC, id DESC LIMIT {HISTORY}", account)
        return [content for _, _, content in sorted(found)]

    def _check_listed(self, account: Account, symbols: set[str]) -> None:
        missing = sorted(symbol for symbol in symbols if not account.is_listed(symbol))
        if missing:
            raise ValueError(
                f"{self._path}: account {account.spec.name!r} has traded {', '.join(missing)}, not listed now: "
                "start with the contracts of before"
            )

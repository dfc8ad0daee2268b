"""The journal's database (SQLite): rows by account, for as long as they may be needed.

Rows carry the venue and a fingerprint of the key, never the key; one database serves any number of venues and keys,
each of which may be in use by one connector at a time.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from perpwire.errors import BadInput

FORMAT = 2
"""Of the tables. One of 1, which did not know when the first life began, is brought up to it; a file of another format
is refused rather than guessed at."""

KEEP = 100_000
"""Of each key so many of the newest entries stay; what is not settled, or may be read again, stays in any case."""

KEEP_FILLS = 20_000
"""Of them so many are looked at for fills that have been delivered."""

TIDY_EVERY = 1_000

_TABLES = (
    "CREATE TABLE account (id INTEGER PRIMARY KEY, venue TEXT, fingerprint TEXT, fills_read_ms INTEGER,"
    " fills_begun_ms INTEGER)",
    "CREATE TABLE orders (account INTEGER, number INTEGER, client_order_id TEXT, sent_ms INTEGER,"
    " certain_after_ms INTEGER, request TEXT, outcome TEXT, order_id TEXT, detail TEXT,"
    " PRIMARY KEY (account, number)) WITHOUT ROWID",
    "CREATE TABLE fill (account INTEGER, number INTEGER, symbol TEXT, trade_id TEXT, side TEXT, time_ms INTEGER,"
    " PRIMARY KEY (account, number)) WITHOUT ROWID",
)
_IS_JOURNAL = "SELECT 1 FROM sqlite_master WHERE name = 'fill'"
_ORDER = (
    "INSERT INTO orders"
    " (account, number, client_order_id, sent_ms, certain_after_ms, request, outcome, order_id, detail)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET sent_ms = excluded.sent_ms,"
    " certain_after_ms = excluded.certain_after_ms, request = excluded.request,"
    # A line that is folded a second time, after a kill, knows less than what stands there.
    " outcome = coalesce(excluded.outcome, outcome), order_id = coalesce(excluded.order_id, order_id),"
    " detail = coalesce(excluded.detail, detail)"
)
_FILL = "INSERT OR IGNORE INTO fill (account, number, symbol, trade_id, side, time_ms) VALUES (?, ?, ?, ?, ?, ?)"
_SETTLE = "UPDATE orders SET outcome = ?, order_id = ?, detail = ? WHERE account = ? AND number = ?"
_FILLS_POINT = "UPDATE account SET fills_begun_ms = ?, fills_read_ms = ? WHERE id = ?"
_NEWEST = (
    "SELECT max(number) FROM (SELECT max(number) AS number FROM orders WHERE account = ?1"
    " UNION ALL SELECT max(number) FROM fill WHERE account = ?1)"
)
_COLUMNS = "client_order_id, request, sent_ms, certain_after_ms, outcome, order_id, detail"

Outcome = tuple[str | None, str | None, str | None]
"""Outcome, order id, detail."""

Row = tuple[Any, ...]


def unusable(path: str | Path, venue: str, why: str) -> BadInput:
    return BadInput(
        f"the journal {path} can't be used: {why}",
        venue=venue,
        code="JOURNAL",
        advice="Give the path of a journal, or of a file that does not exist, in a folder that can be written.",
    )


class JournalStore:
    """One venue's and key's rows.

    Attributes:
        account: The number of venue and key, first in every row.
        fills_begun_ms: When somebody first listened to fills, by the venue's clock, as of the time it was opened; None:
            nobody has.
        fills_read_ms: Every fill before this venue's time had been delivered then; None: nobody has read them yet.

    Raises:
        BadInput: It is no journal (code JOURNAL), or another process or connector uses it for this key (code
            JOURNAL_IN_USE).
        sqlite3.Error: It can't be opened.
    """

    def __init__(self, path: str | Path, venue: str, api_key: str) -> None:
        self._path = path
        self._venue = venue
        self.fingerprint = hashlib.sha256(api_key.encode()).hexdigest()[:16]
        self._lock = self._locked()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
            try:
                self.account, self.fills_begun_ms, self.fills_read_ms = self._prepare()
                self._tidied = self.newest()
            except BaseException:
                self._db.close()
                raise
        except BaseException:
            self._lock.close()
            raise

    def close(self) -> None:
        self._db.close()
        self._lock.close()

    def beside(self, what: str) -> str:
        """The path of a further file of this venue and key."""
        return f"{Path(self._path).resolve()}-{self._venue}-{self.fingerprint}-{what}"

    # --- writing ----------------------------------------------------------------------------------------------------

    def put(
        self,
        orders: Iterable[Row],
        fills: Iterable[Row],
        outcomes: Iterable[tuple[int, Outcome]],
        fills_point: tuple[int | None, int | None] | None,
    ) -> None:
        """All of it or nothing.

        Args:
            orders: Account, number, client order id, sent_ms, certain_after_ms, request, and the outcome's three.
            fills: Account, number, symbol, trade id, side, time_ms.
            outcomes: Of orders that stand there already, by number.
            fills_point: What fills_begun_ms and fills_read_ms are to be; None: as they are.

        Raises:
            sqlite3.Error: It can't be done now.
        """
        db, account = self._db, self.account
        try:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(_ORDER, orders)
            db.executemany(_FILL, fills)
            db.executemany(_SETTLE, [(*words, account, number) for number, words in outcomes])
            if fills_point is not None:
                db.execute(_FILLS_POINT, (*fills_point, account))
            db.execute("COMMIT")
        except sqlite3.Error:
            self._roll_back()
            raise

    def tidy(self, newest: int) -> None:
        """Let old rows go, every now and then."""
        if newest - self._tidied < TIDY_EVERY:
            return
        self._tidied = newest
        oldest = newest - KEEP
        with suppress(sqlite3.Error):  # the next time is soon enough
            self._db.execute(
                "DELETE FROM orders WHERE account = ? AND number < ? AND outcome IS NOT NULL", (self.account, oldest)
            )
            self._db.execute(
                "DELETE FROM fill WHERE account = ?1 AND number < ?2"
                " AND time_ms < (SELECT coalesce(fills_read_ms, 0) FROM account WHERE id = ?1) - 3600000",
                (self.account, oldest),
            )

    # --- reading ----------------------------------------------------------------------------------------------------

    def newest(self) -> int:
        """The number of the newest entry; 0: there is none."""
        newest: int | None = self._db.execute(_NEWEST, [self.account]).fetchone()[0]
        return newest or 0

    def unsettled(self) -> Iterator[Row]:
        """Request and number."""
        yield from self._db.execute(
            "SELECT request, number FROM orders WHERE account = ? AND outcome IS NULL", [self.account]
        )

    def orders(self, *, only_unsettled: bool) -> Iterator[Row]:
        """Client order id, request, sent_ms, certain_after_ms, and the outcome's three; oldest first."""
        where = "AND outcome IS NULL" if only_unsettled else ""
        find = f"SELECT {_COLUMNS} FROM orders WHERE account = ? {where} ORDER BY number"  # noqa: S608
        yield from self._db.execute(find, [self.account])

    def fills(self, newest: int, from_ms: int) -> Iterator[Row]:
        """Symbol, trade id, side, time_ms of those that may come again; oldest first."""
        yield from self._db.execute(
            "SELECT symbol, trade_id, side, time_ms FROM fill"
            " WHERE account = ? AND (number > ? OR time_ms >= ?) ORDER BY number",
            (self.account, newest - KEEP_FILLS, from_ms),
        )

    # --- the file ---------------------------------------------------------------------------------------------------

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")

    def _locked(self) -> sqlite3.Connection:
        """Held until it is closed, or the process ends, in whatever way."""
        path = self.beside("lock")
        try:
            lock = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
        except sqlite3.Error as error:
            raise unusable(self._path, self._venue, str(error)) from None
        try:
            lock.execute("PRAGMA journal_mode=MEMORY")  # no further file for a transaction in which nothing is written
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            lock.close()
            if "locked" not in str(error):
                raise unusable(self._path, self._venue, str(error)) from None
            raise BadInput(
                f"the journal {self._path} is in use for this key by another process or connector",
                venue=self._venue,
                code="JOURNAL_IN_USE",
                advice="End the other one, or give this one a journal of its own (and a key of its own).",
            ) from None
        return lock

    def _prepare(self) -> tuple[int, int | None, int | None]:
        db = self._db
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("BEGIN IMMEDIATE")
        try:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not db.execute("SELECT 1 FROM sqlite_master").fetchone():
                for table in _TABLES:
                    db.execute(table)
                db.execute(f"PRAGMA user_version={FORMAT}")
            elif version not in (1, FORMAT) or not db.execute(_IS_JOURNAL).fetchone():
                raise unusable(self._path, self._venue, "it is no journal, or one of another version of perpwire")
            elif version == 1:
                db.execute("ALTER TABLE account ADD COLUMN fills_begun_ms INTEGER")
                db.execute(f"PRAGMA user_version={FORMAT}")
            who = (self._venue, self.fingerprint)
            find = "SELECT id, fills_begun_ms, fills_read_ms FROM account WHERE venue = ? AND fingerprint = ?"
            row = db.execute(find, who).fetchone()
            if row is None:
                db.execute("INSERT INTO account (venue, fingerprint) VALUES (?, ?)", who)
                row = db.execute(find, who).fetchone()
            db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        return row[0], row[1], row[2]

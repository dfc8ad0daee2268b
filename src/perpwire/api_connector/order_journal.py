"""The write-ahead journal: an order is on disk before it leaves, so that a killed process can settle it later.

SQLite in write-ahead mode. A process that is killed at any instant has lost nothing that was written. A power cut, or a
crash of the machine, may lose the last moments with synchronous NORMAL, though the file stays whole; FULL waits for the
disk at each order. Rows carry the venue and a fingerprint of the key, never the key; one file serves any number of
venues and keys, each of which may be in use by one connector at a time.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import msgspec

from perpwire.clock import Clock, Timer
from perpwire.data_processor.fill_log import FillKey, key_of
from perpwire.errors import APIError, BadInput, DuplicateOrder, NotSent, VenueRefused
from perpwire.model.order import Fill, Order, OrderRequest, Side

log = logging.getLogger("perpwire.api_connector")

FORMAT = 1
"""Of the tables. A file of another format is refused rather than guessed at."""

KEEP_ORDERS = 100_000
KEEP_FILLS = 20_000
"""Of each key at least so many of the newest rows stay; orders that are not settled stay in any case."""

TIDY_EVERY = 1_000

FLUSH_S = 0.1
"""What need not be on disk before something else happens goes there within so long, or with the next order."""

CHECKPOINT_PAGES = 4_000
"""Of 4 KiB each. Folding the write-ahead file back takes some milliseconds, once in about two thousand orders."""

_TABLES = (
    "CREATE TABLE account (id INTEGER PRIMARY KEY, venue TEXT, fingerprint TEXT, fills_read_ms INTEGER)",
    "CREATE TABLE orders (seq INTEGER PRIMARY KEY, account INTEGER, client_order_id TEXT, request BLOB,"
    " sent_ms INTEGER, certain_after_ms INTEGER, outcome TEXT, order_id TEXT, detail TEXT)",
    "CREATE TABLE fill (seq INTEGER PRIMARY KEY, account INTEGER, symbol TEXT, trade_id TEXT, side TEXT,"
    " time_ms INTEGER)",
)
_INTEND = "INSERT INTO orders (account, client_order_id, request, sent_ms, certain_after_ms) VALUES (?, ?, ?, ?, ?)"
_INTEND_AGAIN = "UPDATE orders SET request = ?, sent_ms = ?, certain_after_ms = ? WHERE seq = ?"
_SETTLE = "UPDATE orders SET outcome = ?, order_id = ?, detail = ? WHERE seq = ?"
_FILL = "INSERT INTO fill (account, symbol, trade_id, side, time_ms) VALUES (?, ?, ?, ?, ?)"
_FILLS_READ = "UPDATE account SET fills_read_ms = ? WHERE id = ?"
_COLUMNS = "client_order_id, request, sent_ms, certain_after_ms, outcome, order_id, detail"

_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder(OrderRequest).decode


class JournalFile(msgspec.Struct, frozen=True):
    """Where a connector's journal is.

    Attributes:
        path: Made where there is none; beside it there are files whose names go on with -wal, -shm and -lock.
        synchronous: NORMAL: a killed process loses nothing. FULL: a power cut neither, for a disk's wait at each order.
    """

    path: str | Path
    synchronous: Literal["NORMAL", "FULL"] = "NORMAL"


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An order that was, or was about to be, sent.

    Attributes:
        request: As it was to be sent.
        sent_ms: Venue's time just before its (last) sending, Unix milliseconds.
        certain_after_ms: The venue's time from which it must refuse the request, should that be under way still.
        outcome: PLACED (the venue has or had it), REFUSED, NOT_SENT (it does not exist); None: not known.
        order_id: The venue's, once known.
        detail: The error's words.
    """

    client_order_id: str
    request: OrderRequest
    sent_ms: int
    certain_after_ms: int
    outcome: str | None
    order_id: str | None
    detail: str | None


class OrderJournal:
    """One venue's and key's part of a journal.

    Args:
        file: Where it is.
        venue: Its name.
        api_key: Only its fingerprint is kept.
        clock: For the timer of what may be written a moment later.

    Raises:
        BadInput: It can't be opened or is no journal (code JOURNAL), or another process or connector uses it for this
            key (code JOURNAL_IN_USE).
    """

    def __init__(self, file: JournalFile, venue: str, api_key: str, clock: Clock) -> None:
        self._path = file.path
        self._venue = venue
        self._clock = clock
        self._fingerprint = hashlib.sha256(api_key.encode()).hexdigest()[:16]
        self._open: dict[str, int] = {}
        """Client order id -> row of what is not settled."""
        self._pending: list[tuple[str, Sequence[Any]]] = []
        self._timer: Timer | None = None
        self._orders_until_tidy = self._fills_until_tidy = TIDY_EVERY
        self._lock = self._locked()
        try:
            self._db = sqlite3.connect(file.path, isolation_level=None, check_same_thread=False, timeout=5.0)
            try:
                self._account, self._fills_read_ms = self._prepare(file)
                self._open.update(
                    (client_order_id, seq) for seq, client_order_id in self._db.execute(
                        "SELECT seq, client_order_id FROM orders WHERE account = ? AND outcome IS NULL", [self._account]
                    )
                )  # fmt: skip
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            self._lock.close()
            raise self._unusable(str(error)) from None
        except BaseException:
            self._lock.close()
            raise

    def __repr__(self) -> str:
        return f"<OrderJournal {self._path} {self._venue} {self._fingerprint}>"

    # --- orders -----------------------------------------------------------------------------------------------------

    def before_send(self, requests: Sequence[OrderRequest], sent_ms: int, certain_after_ms: int) -> None:
        """Write what is about to be sent in one message; it is on disk when this returns. An order that is sent again
        is noted anew.

        Raises:
            NotSent: It can't be written (code JOURNAL). Nothing may be sent.
        """
        db = self._db
        noted = self._open
        seqs: list[tuple[str, int]] = []
        try:
            db.execute("BEGIN IMMEDIATE")
            for sql, values in self._pending:
                db.execute(sql, values)
            for request in requests:
                name = request.client_order_id
                seq = noted.get(name)
                if seq is None:
                    values = (self._account, name, _encode(request), sent_ms, certain_after_ms)
                    seqs.append((name, db.execute(_INTEND, values).lastrowid or 0))
                else:
                    db.execute(_INTEND_AGAIN, (_encode(request), sent_ms, certain_after_ms, seq))
            db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise NotSent(
                f"the journal can't be written: {error}",
                venue=self._venue,
                call="place_order",
                code="JOURNAL",
                advice=f"Nothing was sent. Make {self._path} writable (is the disk full?), then place the order again.",
            ) from error
        self._written()
        noted.update(seqs)
        self._orders_until_tidy -= len(seqs)
        if self._orders_until_tidy <= 0:
            self._orders_until_tidy = TIDY_EVERY
            self._tidy("DELETE FROM orders WHERE seq < ? AND account = ? AND outcome IS NOT NULL",
                       (seqs[-1][1] - KEEP_ORDERS, self._account))  # fmt: skip

    def settled(self, client_order_id: str, outcome: Order | APIError) -> None:
        """Note what became of an order. OutcomeUnknown, and what says nothing of this very request, leave it open. It
        is on disk a moment later: what is lost of it is asked of the venue at the next start."""
        words: tuple[str, str | None, str | None]
        match outcome:
            case Order():
                words = ("PLACED", outcome.order_id, None)
            case NotSent():
                words = ("NOT_SENT", None, outcome.reason)
            case VenueRefused() if not isinstance(outcome, DuplicateOrder):
                words = ("REFUSED", None, f"{type(outcome).__name__} {outcome.code}: {outcome.reason}")
            case _:
                return
        seq = self._open.pop(client_order_id, None)
        if seq is not None:
            self._later(_SETTLE, (*words, seq))

    def unsettled(self) -> tuple[JournalEntry, ...]:
        """Orders whose outcome is not known, oldest first."""
        return tuple(self._entries("AND outcome IS NULL"))

    def orders(self) -> Iterator[JournalEntry]:
        """Every order that is kept, oldest first."""
        self.flush()
        return self._entries("")

    def _entries(self, where: str) -> Iterator[JournalEntry]:
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM orders WHERE account = ? {where} ORDER BY seq", [self._account]  # noqa: S608
        )  # fmt: skip
        for client_order_id, request, sent_ms, certain_after_ms, outcome, order_id, detail in rows:
            yield JournalEntry(
                client_order_id=client_order_id,
                request=_decode(request),
                sent_ms=sent_ms,
                certain_after_ms=certain_after_ms,
                outcome=outcome,
                order_id=order_id,
                detail=detail,
            )

    # --- fills ------------------------------------------------------------------------------------------------------

    def fill_delivered(self, fill: Fill) -> None:
        """Note that the handlers have had it; on disk when this returns. Where that fails, it is told in the log, and
        the fill may be delivered once more at the next start."""
        self._pending.append((_FILL, (self._account, *key_of(fill), fill.venue_time_ms)))
        self._flush_quietly()
        self._fills_until_tidy -= 1
        if self._fills_until_tidy <= 0 and self._fills_read_ms is not None:
            self._fills_until_tidy = TIDY_EVERY
            self._tidy(
                "DELETE FROM fill WHERE account = ? AND seq < (SELECT max(seq) FROM fill) - ? AND time_ms < ?",
                (self._account, KEEP_FILLS, self._fills_read_ms - 3_600_000),
            )

    @property
    def fills_read_ms(self) -> int | None:
        """Every fill before this venue's time has been delivered; None: nobody listened yet."""
        return self._fills_read_ms

    def fills_read_until(self, venue_ms: int) -> None:
        """Note that every fill before `venue_ms` has been delivered; on disk a moment later."""
        if self._fills_read_ms is None or venue_ms > self._fills_read_ms:
            self._fills_read_ms = venue_ms
            self._later(_FILLS_READ, (venue_ms, self._account))

    def delivered_fills(self) -> list[tuple[FillKey, int]]:
        """Those that are kept, in order of delivery, with the venue's time of each (Unix ms)."""
        self.flush()
        rows = self._db.execute(
            "SELECT symbol, trade_id, side, time_ms FROM fill WHERE account = ? ORDER BY seq", [self._account]
        )
        return [((symbol, trade_id, Side(side)), time_ms) for symbol, trade_id, side, time_ms in rows]

    # --- the file ---------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what still waits to be written.

        Raises:
            sqlite3.Error: It can't be; it goes on waiting.
        """
        if not self._pending:
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for sql, values in self._pending:
                self._db.execute(sql, values)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self._roll_back()
            raise
        self._written()

    def close(self) -> None:
        """Write the rest and let go of the file."""
        self._flush_quietly()
        self._written()
        self._db.close()
        self._lock.close()

    def _later(self, sql: str, values: Sequence[Any]) -> None:
        self._pending.append((sql, values))
        if self._timer is None:
            self._timer = self._clock.call_later(FLUSH_S, self._flush_quietly)

    def _flush_quietly(self) -> None:
        self._timer = None
        try:
            self.flush()
        except sqlite3.Error as error:
            log.warning("the journal %s can't be written: %s", self._path, error)

    def _written(self) -> None:
        self._pending.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tidy(self, sql: str, values: Sequence[Any]) -> None:
        with suppress(sqlite3.Error):  # the next time is soon enough
            self._db.execute(sql, values)

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")

    def _locked(self) -> sqlite3.Connection:
        """Held until it is closed, or the process ends, in whatever way."""
        path = f"{Path(self._path).resolve()}-{self._venue}-{self._fingerprint}-lock"
        try:
            lock = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
        except sqlite3.Error as error:
            raise self._unusable(str(error)) from None
        try:
            lock.execute("PRAGMA journal_mode=MEMORY")  # no further file for a transaction in which nothing is written
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            lock.close()
            if "locked" not in str(error):
                raise self._unusable(str(error)) from None
            raise BadInput(
                f"the journal {self._path} is in use for this key by another process or connector",
                venue=self._venue,
                code="JOURNAL_IN_USE",
                advice="End the other one, or give this one a journal of its own (and a key of its own).",
            ) from None
        return lock

    def _unusable(self, why: str) -> BadInput:
        return BadInput(
            f"the journal {self._path} can't be used: {why}",
            venue=self._venue,
            code="JOURNAL",
            advice="Give the path of a journal, or of a file that does not exist, in a folder that can be written.",
        )

    def _prepare(self, file: JournalFile) -> tuple[int, int | None]:
        db = self._db
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={file.synchronous}")
        db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        db.execute("BEGIN IMMEDIATE")
        try:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not db.execute("SELECT 1 FROM sqlite_master").fetchone():
                for table in _TABLES:
                    db.execute(table)
                db.execute(f"PRAGMA user_version={FORMAT}")
            elif version != FORMAT or not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'fill'").fetchone():
                raise self._unusable("it is no journal, or one of another version of perpwire")
            who = (self._venue, self._fingerprint)
            find = "SELECT id, fills_read_ms FROM account WHERE venue = ? AND fingerprint = ?"
            row = db.execute(find, who).fetchone()
            if row is None:
                db.execute("INSERT INTO account (venue, fingerprint) VALUES (?, ?)", who)
                row = db.execute(find, who).fetchone()
            db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        return row[0], row[1]

"""The write-ahead journal: an order is on disk before it leaves, so that a killed process can settle it later.

What is about to be sent is one line added to a file (append_log.py), which costs a few microseconds; every tenth of a
second the lines are folded into a database (SQLite), with what became of the orders, and the file is emptied. A process
that is killed at any instant has lost nothing that was written. A power cut, or a crash of the machine, may lose the
last moments with synchronous NORMAL, though the database stays whole; FULL waits for the disk at each order.

Rows carry the venue and a fingerprint of the key, never the key; one database serves any number of venues and keys,
each of which may be in use by one connector at a time.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from perpwire.api_connector.append_log import AppendLog
from perpwire.clock import Clock, Timer
from perpwire.data_processor.fill_log import FillKey, key_of
from perpwire.errors import APIError, BadInput, DuplicateOrder, NotSent, VenueRefused
from perpwire.model.order import Fill, Order, OrderRequest, Side

log = logging.getLogger("perpwire.api_connector")

FORMAT = 1
"""Of the tables. A file of another format is refused rather than guessed at."""

KEEP = 100_000
"""Of each key so many of the newest entries stay; what is not settled, or may be read again, stays in any case."""

KEEP_FILLS = 20_000
"""Of them so many are looked at for fills that have been delivered."""

TIDY_EVERY = 1_000

FOLD_S = 0.1
FOLD_LINES = 500
"""Lines are folded into the database so soon, or as soon as there are so many."""

_TABLES = (
    "CREATE TABLE account (id INTEGER PRIMARY KEY, venue TEXT, fingerprint TEXT, fills_read_ms INTEGER)",
    "CREATE TABLE orders (account INTEGER, number INTEGER, client_order_id TEXT, sent_ms INTEGER,"
    " certain_after_ms INTEGER, request TEXT, outcome TEXT, order_id TEXT, detail TEXT,"
    " PRIMARY KEY (account, number)) WITHOUT ROWID",
    "CREATE TABLE fill (account INTEGER, number INTEGER, symbol TEXT, trade_id TEXT, side TEXT, time_ms INTEGER,"
    " PRIMARY KEY (account, number)) WITHOUT ROWID",
)
_ORDER = (
    "INSERT INTO orders"
    " (number, client_order_id, sent_ms, certain_after_ms, request, outcome, order_id, detail, account)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET sent_ms = excluded.sent_ms,"
    " certain_after_ms = excluded.certain_after_ms, request = excluded.request,"
    # A line that is folded a second time, after a kill, knows less than what stands there.
    " outcome = coalesce(excluded.outcome, outcome), order_id = coalesce(excluded.order_id, order_id),"
    " detail = coalesce(excluded.detail, detail)"
)
_FILL = "INSERT OR IGNORE INTO fill (number, symbol, trade_id, side, time_ms, account) VALUES (?, ?, ?, ?, ?, ?)"
_SETTLE = "UPDATE orders SET outcome = ?, order_id = ?, detail = ? WHERE number = ? AND account = ?"
_FILLS_READ = "UPDATE account SET fills_read_ms = ? WHERE id = ?"
_COLUMNS = "client_order_id, request, sent_ms, certain_after_ms, outcome, order_id, detail"

_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder(OrderRequest).decode


class _OrderLine(msgspec.Struct, frozen=True, array_like=True, tag="order"):
    number: int
    client_order_id: str
    sent_ms: int
    certain_after_ms: int
    request: msgspec.Raw


class _FillLine(msgspec.Struct, frozen=True, array_like=True, tag="fill"):
    number: int
    symbol: str
    trade_id: str
    side: Side
    time_ms: int


_Line = _OrderLine | _FillLine

_OPEN = (None, None, None)
"""Outcome, order id and detail of an order that is not settled."""

_decode_line = msgspec.json.Decoder(_Line).decode


class JournalFile(msgspec.Struct, frozen=True):
    """Where a connector's journal is.

    Attributes:
        path: Of the database, made where there is none. Beside it there are files whose names begin with its.
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
        self._lines: list[_Line] = []
        """In the file, and not yet in the database."""
        self._outcomes: dict[int, tuple[str, str | None, str | None]] = {}
        """Number -> outcome, order id and detail of what is not in the database."""
        self._is_point_new = False
        self._timer: Timer | None = None
        self._number = self._tidied = 0
        """Of the newest entry, and that at the last tidying."""
        self._lock = self._locked()
        try:
            self._open(file)
        except (OSError, sqlite3.Error, msgspec.DecodeError) as error:
            self._lock.close()
            raise self._unusable(str(error)) from None
        except BaseException:
            self._lock.close()
            raise

    def _open(self, file: JournalFile) -> None:
        self._db = sqlite3.connect(file.path, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            self._account, self._fills_read_ms = self._prepare()
            self._file = AppendLog(self._beside("log"), is_synced=file.synchronous == "FULL")
            try:
                self._lines += map(_decode_line, self._file.read())
                self.fold()
            except BaseException:
                self._file.close()
                raise
            ours = [self._account]
            newest = "SELECT max(number) FROM (SELECT max(number) AS number FROM orders WHERE account = ?1 UNION ALL"
            newest += " SELECT max(number) FROM fill WHERE account = ?1)"
            self._number = self._tidied = self._db.execute(newest, ours).fetchone()[0] or 0
            find = "SELECT client_order_id, number FROM orders WHERE account = ? AND outcome IS NULL"
            self._unsettled: dict[str, int] = dict(self._db.execute(find, ours).fetchall())
        except BaseException:
            self._db.close()
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
        number = self._number
        lines = []
        for request in requests:
            noted = self._unsettled.get(request.client_order_id)
            if noted is None:
                noted = number = number + 1
            raw = msgspec.Raw(_encode(request))
            lines.append(_OrderLine(noted, request.client_order_id, sent_ms, certain_after_ms, raw))
        try:
            self._file.write(b"".join([_encode(line) + b"\n" for line in lines]))
        except OSError as error:
            raise NotSent(
                f"the journal can't be written: {error}",
                venue=self._venue,
                call="place_order",
                code="JOURNAL",
                advice=f"Nothing was sent. Make {self._path} writable (is the disk full?), then place the order again.",
            ) from error
        self._number = number
        for line in lines:
            self._unsettled[line.client_order_id] = line.number
        self._lines += lines
        self._fold_soon()

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
        number = self._unsettled.pop(client_order_id, None)
        if number is not None:
            self._outcomes[number] = words
            self._fold_soon()

    def unsettled(self) -> tuple[JournalEntry, ...]:
        """Orders whose outcome is not known, oldest first."""
        self.fold()
        return tuple(self._entries("AND outcome IS NULL"))

    def orders(self) -> Iterator[JournalEntry]:
        """Every order that is kept, oldest first."""
        self.fold()
        return self._entries("")

    def _entries(self, where: str) -> Iterator[JournalEntry]:
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM orders WHERE account = ? {where} ORDER BY number", [self._account]  # noqa: S608
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
        line = _FillLine(self._number + 1, *key_of(fill), fill.venue_time_ms)
        try:
            self._file.write(_encode(line) + b"\n")
        except OSError as error:
            log.warning("the journal %s can't be written: %s", self._path, error)
        self._number += 1
        self._lines.append(line)
        self._fold_soon()

    @property
    def fills_read_ms(self) -> int | None:
        """Every fill before this venue's time has been delivered; None: nobody listened yet."""
        return self._fills_read_ms

    def fills_read_until(self, venue_ms: int) -> None:
        """Note that every fill before `venue_ms` has been delivered; on disk a moment later."""
        if self._fills_read_ms is None or venue_ms > self._fills_read_ms:
            self._fills_read_ms = venue_ms
            self._is_point_new = True
            self._fold_soon()

    def delivered_fills(self) -> list[tuple[FillKey, int]]:
        """Those that are kept, in order of delivery, with the venue's time of each (Unix ms)."""
        self.fold()
        rows = self._db.execute(
            "SELECT symbol, trade_id, side, time_ms FROM fill"
            " WHERE account = ? AND (number > ? OR time_ms >= ?) ORDER BY number",
            (self._account, self._number - KEEP_FILLS, self._fills_read_ms or 0),
        )
        return [((symbol, trade_id, Side(side)), time_ms) for symbol, trade_id, side, time_ms in rows]

    # --- the file ---------------------------------------------------------------------------------------------------

    def fold(self) -> None:
        """Bring the database up to date, and empty the file of lines.

        Raises:
            sqlite3.Error, OSError: It can't be done now; nothing is lost.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not (self._lines or self._outcomes or self._is_point_new):
            return
        account, outcomes = self._account, dict(self._outcomes)
        orders, fills = [], []
        for line in self._lines:
            if isinstance(line, _FillLine):
                fills.append((line.number, line.symbol, line.trade_id, line.side, line.time_ms, account))
            else:
                request, outcome = bytes(line.request).decode(), outcomes.pop(line.number, _OPEN)
                orders.append(
                    (line.number, line.client_order_id, line.sent_ms, line.certain_after_ms, request, *outcome, account)
                )
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(_ORDER, orders)
            db.executemany(_FILL, fills)
            db.executemany(_SETTLE, [(*words, number, account) for number, words in outcomes.items()])
            if self._is_point_new:
                db.execute(_FILLS_READ, (self._fills_read_ms, self._account))
            db.execute("COMMIT")
        except sqlite3.Error:
            self._roll_back()
            raise
        if self._lines:
            self._file.clear()
        self._lines.clear()
        self._outcomes.clear()
        self._is_point_new = False
        self._tidy()

    def close(self) -> None:
        """Write the rest and let go of the file."""
        self._fold_quietly()
        self._file.close()
        self._db.close()
        self._lock.close()

    def _fold_soon(self) -> None:
        if len(self._lines) >= FOLD_LINES:
            self._fold_quietly()
        elif self._timer is None:
            self._timer = self._clock.call_later(FOLD_S, self._fold_quietly)

    def _fold_quietly(self) -> None:
        try:
            self.fold()
        except (sqlite3.Error, OSError) as error:
            log.warning("the journal %s can't be brought up to date: %s", self._path, error)

    def _tidy(self) -> None:
        if self._number - self._tidied < TIDY_EVERY:
            return
        self._tidied = self._number
        oldest = self._number - KEEP
        with suppress(sqlite3.Error):  # the next time is soon enough
            self._db.execute(
                "DELETE FROM orders WHERE account = ? AND number < ? AND outcome IS NOT NULL", (self._account, oldest)
            )
            self._db.execute(
                "DELETE FROM fill WHERE account = ? AND number < ? AND time_ms < ?",
                (self._account, oldest, (self._fills_read_ms or 0) - 3_600_000),
            )

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")

    def _locked(self) -> sqlite3.Connection:
        """Held until it is closed, or the process ends, in whatever way."""
        path = self._beside("lock")
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

    def _beside(self, what: str) -> str:
        return f"{Path(self._path).resolve()}-{self._venue}-{self._fingerprint}-{what}"

    def _unusable(self, why: str) -> BadInput:
        return BadInput(
            f"the journal {self._path} can't be used: {why}",
            venue=self._venue,
            code="JOURNAL",
            advice="Give the path of a journal, or of a file that does not exist, in a folder that can be written.",
        )

    def _prepare(self) -> tuple[int, int | None]:
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

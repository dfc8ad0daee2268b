"""The write-ahead journal: an order is on disk before it leaves, so that a killed process can settle it later.

What is about to be sent is one line added to a file (append_log.py), and so is what became of it, which costs a
microsecond each; every now and then the lines are folded into a database (journal_store.py), and the file is emptied.
A process that is killed at any instant has lost nothing that was written. A power cut, or a crash of the machine, may
lose the last moments with synchronous NORMAL, though the database stays whole; FULL waits for the disk at each order.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from perpwire.api_connector.append_log import AppendLog
from perpwire.api_connector.journal_store import JournalStore, Outcome, unusable
from perpwire.clock import Clock, Timer
from perpwire.data_processor.fill_log import FillKey, key_of
from perpwire.errors import APIError, BadInput, DuplicateOrder, NotSent, VenueRefused
from perpwire.model.order import Fill, Order, OrderRequest, Side

log = logging.getLogger("perpwire.api_connector")

FOLD_S = 1.0
FOLD_LINES = 1_000
"""Lines are folded into the database so soon, or as soon as there are so many."""

_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder(OrderRequest).decode


class _OrderLine(msgspec.Struct, frozen=True, array_like=True, tag="order", gc=False):
    number: int
    client_order_id: str
    sent_ms: int
    certain_after_ms: int
    request: msgspec.Raw


class _OutcomeLine(msgspec.Struct, frozen=True, array_like=True, tag="outcome", gc=False):
    number: int
    outcome: str
    order_id: str | None
    detail: str | None


class _FillLine(msgspec.Struct, frozen=True, array_like=True, tag="fill", gc=False):
    number: int
    symbol: str
    trade_id: str
    side: Side
    time_ms: int


_OPEN: Outcome = (None, None, None)

_decode_line = msgspec.json.Decoder(_OrderLine | _OutcomeLine | _FillLine).decode


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
        clock: For the timer of what may be done a moment later.

    Raises:
        BadInput: It can't be opened or is no journal (code JOURNAL), or another process or connector uses it for this
            key (code JOURNAL_IN_USE).
    """

    def __init__(self, file: JournalFile, venue: str, api_key: str, clock: Clock) -> None:
        self._path = file.path
        self._venue = venue
        self._clock = clock
        # What is in the file and not yet in the database.
        self._orders: list[_OrderLine] = []
        self._fills: list[_FillLine] = []
        self._outcomes: dict[int, Outcome] = {}
        self._is_point_new = False
        self._is_behind = False
        """The database could not be brought up to date the last time: that is tried by the timer alone."""
        self._timer: Timer | None = None
        try:
            self._store = JournalStore(file.path, venue, api_key)
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        try:
            self._log = AppendLog(self._store.beside("log"), is_synced=file.synchronous == "FULL")
            try:
                self._take_up(self._log.read())
            except BaseException:
                self._log.close()
                raise
        except (OSError, sqlite3.Error, msgspec.DecodeError) as error:
            self._store.close()
            raise self._unusable(error) from None
        except BaseException:
            self._store.close()
            raise

    def _take_up(self, lines: Sequence[bytes]) -> None:
        """Begin where an earlier life ended."""
        self._fills_begun_ms = self._store.fills_begun_ms
        self._fills_read_ms = self._store.fills_read_ms
        for line in map(_decode_line, lines):
            match line:
                case _OrderLine():
                    self._orders.append(line)
                case _FillLine():
                    self._fills.append(line)
                case _OutcomeLine(number, outcome, order_id, detail):
                    self._outcomes[number] = (outcome, order_id, detail)
        self._number = 0
        """Of the newest entry."""
        self.fold()
        self._number = self._store.newest()
        unsettled = ((_decode(request), number) for request, number in self._store.unsettled())
        self._unsettled = {(request.symbol, request.client_order_id): number for request, number in unsettled}
        """By symbol and client order id: an id may serve on several symbols."""

    def __repr__(self) -> str:
        return f"<OrderJournal {self._path} {self._venue} {self._store.fingerprint}>"

    # --- orders -----------------------------------------------------------------------------------------------------

    def before_send(self, requests: Sequence[OrderRequest], sent_ms: int, certain_after_ms: int) -> None:
        """Write what is about to be sent in one message; it is on disk when this returns. An order that is sent again
        is noted anew.

        Raises:
            NotSent: It can't be written (code JOURNAL). Nothing may be sent.
        """
        number, unsettled = self._number, self._unsettled
        lines, texts, noted = [], [], {}
        for request in requests:
            key = (request.symbol, request.client_order_id)
            at = unsettled.get(key)
            if at is None:
                at = number = number + 1
            noted[key] = at
            line = _OrderLine(at, request.client_order_id, sent_ms, certain_after_ms, msgspec.Raw(_encode(request)))
            lines.append(line)
            texts.append(_encode(line))
        try:
            self._log.add(b"\n".join(texts))
        except OSError as error:
            raise NotSent(
                f"the journal can't be written: {error}",
                venue=self._venue,
                call="place_order",
                code="JOURNAL",
                advice=f"Nothing was sent. Make {self._path} writable (is the disk full?), then place the order again.",
            ) from error
        self._number = number
        unsettled.update(noted)
        self._orders += lines
        if self._timer is None or len(self._orders) == FOLD_LINES:
            self._fold_soon()

    def settled(self, symbol: str, client_order_id: str, outcome: Order | APIError) -> None:
        """Note what became of an order; on disk when this returns. OutcomeUnknown, and what says nothing of this very
        request, leave it open. What can't be written is asked of the venue at the next start."""
        words: tuple[str, str | None, str | None]
        if type(outcome) is Order:
            words = ("PLACED", outcome.order_id, None)
        elif isinstance(outcome, NotSent):
            words = ("NOT_SENT", None, outcome.reason)
        elif isinstance(outcome, VenueRefused) and not isinstance(outcome, DuplicateOrder):
            words = ("REFUSED", None, f"{type(outcome).__name__} {outcome.code}: {outcome.reason}")
        else:
            return
        number = self._unsettled.pop((symbol, client_order_id), None)
        if number is None:
            return
        self._outcomes[number] = words
        try:
            self._log.add(_encode(_OutcomeLine(number, *words)))
        except OSError as error:
            self._not_written(error)
        if self._timer is None:
            self._fold_soon()

    def unsettled(self) -> tuple[JournalEntry, ...]:
        """Orders whose outcome is not known, oldest first."""
        self.fold()
        return tuple(self._entries(only_unsettled=True))

    def orders(self) -> Iterator[JournalEntry]:
        """Every order that is kept, oldest first."""
        self.fold()
        return self._entries(only_unsettled=False)

    def _entries(self, *, only_unsettled: bool) -> Iterator[JournalEntry]:
        rows = self._store.orders(only_unsettled=only_unsettled)
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
        self._number += 1
        line = _FillLine(self._number, *key_of(fill), fill.venue_time_ms)
        try:
            self._log.add(_encode(line))
        except OSError as error:
            self._not_written(error)
        self._fills.append(line)
        if self._timer is None or len(self._fills) == FOLD_LINES:
            self._fold_soon()

    @property
    def fills_begun_ms(self) -> int | None:
        """When somebody first listened to fills, by the venue's clock: what is older is nobody's. None: nobody has."""
        return self._fills_begun_ms

    def fills_begin(self, venue_ms: int) -> None:
        """Note that somebody listens for the first time; on disk a moment later."""
        self._fills_begun_ms = venue_ms
        self._is_point_new = True
        self._fold_soon()

    @property
    def fills_read_ms(self) -> int | None:
        """Every fill before this venue's time has been delivered; None: nobody has read them yet."""
        return self._fills_read_ms

    def fills_read_until(self, venue_ms: int) -> None:
        """Note that every fill before `venue_ms` has been delivered; on disk a moment later. It is an earlier time than
        before where the venue's clock was put back."""
        if venue_ms != self._fills_read_ms:
            self._fills_read_ms = venue_ms
            self._is_point_new = True
            self._fold_soon()

    def delivered_fills(self, from_ms: int) -> list[tuple[FillKey, int]]:
        """Those from that venue's time (Unix ms) on, and the newest of all, in order of delivery, with the time of
        each."""
        self.fold()
        rows = self._store.fills(self._number, from_ms)
        return [((symbol, trade_id, Side(side)), time_ms) for symbol, trade_id, side, time_ms in rows]

    # --- the file ---------------------------------------------------------------------------------------------------

    @property
    def backlog(self) -> int:
        """Lines that are in the file and not yet in the database."""
        return len(self._orders) + len(self._fills) + len(self._outcomes)

    def fold(self) -> None:
        """Bring the database up to date, and empty the file of lines.

        Raises:
            sqlite3.Error: It can't be done now; nothing is lost.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not (self._orders or self._fills or self._outcomes or self._is_point_new):
            return
        account, outcomes = self._store.account, self._outcomes.copy()
        orders = [
            (
                account, line.number, line.client_order_id, line.sent_ms, line.certain_after_ms,
                str(line.request, "utf-8"), *outcomes.pop(line.number, _OPEN),
            )
            for line in self._orders
        ]  # fmt: skip
        fills = [(account, line.number, line.symbol, line.trade_id, line.side, line.time_ms) for line in self._fills]
        point = (self._fills_begun_ms, self._fills_read_ms) if self._is_point_new else None
        self._store.put(orders, fills, outcomes.items(), point)
        self._log.clear()
        self._orders.clear()
        self._fills.clear()
        self._outcomes.clear()
        self._is_point_new = False
        self._store.tidy(self._number)

    def close(self) -> None:
        """Write the rest and let go of the file."""
        self._fold_quietly()
        if self._timer is not None:
            self._timer.cancel()
        self._unsettled.clear()  # who hears of an outcome later than this finds nothing to note it on
        self._log.close()
        self._store.close()

    def _fold_soon(self) -> None:
        """Never at once: an order may just be on its way."""
        is_full = max(len(self._orders), len(self._fills)) >= FOLD_LINES and not self._is_behind
        if is_full and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._clock.call_later(0.0 if is_full else FOLD_S, self._fold_quietly)

    def _fold_quietly(self) -> None:
        try:
            self.fold()
            self._is_behind = False
        except sqlite3.Error as error:
            self._is_behind = True
            self._timer = self._clock.call_later(FOLD_S, self._fold_quietly)
            log.warning("the journal %s can't be brought up to date: %s", self._path, error)

    def _not_written(self, error: OSError) -> None:
        log.warning("the journal %s can't be written: %s", self._path, error)

    def _unusable(self, why: Exception) -> BadInput:
        return unusable(self._path, self._venue, str(why))

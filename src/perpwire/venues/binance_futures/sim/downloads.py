"""Histories to be downloaded: a call asks for one and is given an id, another tells by the id where it is.

The venue takes up to 24 hours and puts the file on a server of its own. Here it is there at once, and the address holds
it: a `data:` URL of the same comma-separated text.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from perpwire.simulator.exchange import Exchange
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire, wire_account
from perpwire.venues.binance_futures.sim.gateway import Handler, Row, Rows
from perpwire.venues.binance_futures.sim.income import income_rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.order_history import user_trade
from perpwire.venues.binance_futures.sim.params import DAY_MS, Args, needed, needed_whole, times
from perpwire.venues.binance_futures.sim.words import Refusal, queried

Kind = Literal["order", "trade", "income"]

MOST: dict[Kind, int] = {"order": 10, "trade": 5, "income": 5}
"""How many an account may ask for in a calendar month."""
LONGEST_MS = 366 * DAY_MS
KEPT_MS = 7 * DAY_MS

_FIRST_ID = 546_975_389_218_332_672


class _Download(msgspec.Struct):
    account: str
    kind: Kind
    month: str
    made_ms: int
    text: str


class DownloadCalls:
    def __init__(self, exchange: Exchange, listing: Listing) -> None:
        self._exchange = exchange
        self._listing = listing
        self._made: dict[str, _Download] = {}

    def rows(self) -> Rows:
        writers: dict[Kind, Callable[[str, int, int], str]] = {
            "order": self._orders,
            "trade": self._trades,
            "income": self._incomes,
        }
        rows: Rows = {}
        for kind, write in writers.items():
            rows["GET", f"/fapi/v1/{kind}/asyn"] = Row(self._asker(kind, write), Security.SIGNED, 1000)
            rows["GET", f"/fapi/v1/{kind}/asyn/id"] = Row(self._teller(kind), Security.SIGNED, 10)
        return rows

    def _asker(self, kind: Kind, write: Callable[[str, int, int], str]) -> Handler:
        def ask(account: str, args: Args) -> wire_account.DownloadId:
            start_ms, end_ms = needed_whole(args, "startTime"), needed_whole(args, "endTime")
            times(args)
            if end_ms - start_ms > LONGEST_MS:
                raise Refusal(-4165, "Invalid time interval.")
            now_ms = self._exchange.now_ms()
            month = datetime.fromtimestamp(now_ms // 1000, UTC).strftime("%Y-%m")
            made = [one for one in self._made.values() if (one.account, one.kind, one.month) == (account, kind, month)]
            if len(made) >= MOST[kind]:
                raise Refusal(
                    -1003, f"Too many requests; current limit is {MOST[kind]} downloads per month.", status=429
                )
            number = str(_FIRST_ID + len(self._made))
            text = write(account, start_ms, end_ms)
            self._made[number] = _Download(account, kind, month, now_ms, text)
            return wire_account.DownloadId(avg_cost_timestamp_of_last30d=0, download_id=number)

        return ask

    def _teller(self, kind: Kind) -> Handler:
        def tell(account: str, args: Args) -> wire_account.Download:
            number = needed(args, "downloadId")
            found = self._made.get(number)
            if found is None or (found.account, found.kind) != (account, kind):
                raise Refusal(-1099, "Not found, unauthenticated, or unauthorized.")
            ends_ms = found.made_ms + KEPT_MS
            is_over = self._exchange.now_ms() > ends_ms
            packed = base64.b64encode(found.text.encode()).decode()
            return wire_account.Download(
                download_id=number,
                status="completed",
                url="" if is_over else f"data:text/csv;base64,{packed}",
                notified=True,
                expiration_timestamp=ends_ms,
                is_expired="true" if is_over else None,
            )

        return tell

    def _orders(self, account: str, start_ms: int, end_ms: int) -> str:
        found = [one for one in self._exchange.orders(account, None) if start_ms <= one.created_ms <= end_ms]
        return _table([queried(one, self._listing.words[one.symbol]) for one in found])

    def _trades(self, account: str, start_ms: int, end_ms: int) -> str:
        found = [row for row in self._exchange.fills(account, None) if start_ms <= row[1].time_ms <= end_ms]
        return _table([user_trade(order, fill, self._listing.words[order.symbol]) for order, fill in found])

    def _incomes(self, account: str, start_ms: int, end_ms: int) -> str:
        found = [one for one in self._exchange.bookings(account) if start_ms <= one.time_ms <= end_ms]
        return _table([row for one in found for row in income_rows(one)])


def _table(rows: Sequence[wire.Rest]) -> str:
    """Comma-separated, with a head line; no value has a comma in it."""
    plain: list[dict[str, Any]] = [msgspec.to_builtins(row) for row in rows]
    lines = [",".join(plain[0])] if plain else []
    lines += [",".join(str(value) for value in row.values()) for row in plain]
    return "\n".join(lines) + "\n"

"""The changes of an order, kept with the order as words of the venue, and the call that reads them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
from msgspec import UNSET

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import SimOrder
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire_account
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.order_params import order_key
from perpwire.venues.binance_futures.sim.params import DAY_MS, Args, limit_of, times
from perpwire.venues.binance_futures.sim.words import SymbolWords

KEPT = 100
"""How many changes of one order are remembered: no more can be asked for at once."""
KEPT_MS = 92 * DAY_MS
"""Three months."""

_NOTE = "amendments"


class _Change(msgspec.Struct, array_like=True):
    number: int
    time_ms: int
    price: tuple[str, str]
    quantity: tuple[str, str]
    price_match: str
    modify_id: int | None


_read = msgspec.json.Decoder(list[_Change]).decode


def amended_note(
    order: SimOrder, price: Decimal, quantity: Decimal, price_match: str, modify_id: int | None, time_ms: int
) -> dict[str, str]:
    """The order's words once this change is made."""
    changes = _changes(order)
    changes.append(
        _Change(
            number=order.amendments + 1,
            time_ms=time_ms,
            price=(str(order.price), str(price)),
            quantity=(str(order.quantity), str(quantity)),
            price_match=price_match,
            modify_id=modify_id,
        )
    )
    note = {_NOTE: msgspec.json.encode(changes[-KEPT:]).decode(), "priceMatch": price_match}
    note["modifyId"] = "" if modify_id is None else str(modify_id)
    return note


def _changes(order: SimOrder) -> list[_Change]:
    text = order.note.get(_NOTE)
    return _read(text) if text else []


class AmendmentCalls:
    def __init__(self, exchange: Exchange, listing: Listing) -> None:
        self._exchange = exchange
        self._listing = listing

    def rows(self) -> Rows:
        return {("GET", "/fapi/v1/orderAmendment"): Row(self._amendments, Security.SIGNED, 1)}

    def _amendments(self, account: str, args: Args) -> list[wire_account.Amendment]:
        """The newest first."""
        words = self._listing.words_of(args)
        order_id, client_order_id = order_key(args)
        start_ms, end_ms = times(args)
        limit = limit_of(args, 50, 100)
        order = self._exchange.find_order(account, words.symbol, order_id=order_id, client_order_id=client_order_id)
        oldest_ms = self._exchange.now_ms() - KEPT_MS
        found = [
            change
            for change in _changes(order)
            if change.time_ms >= max(oldest_ms, start_ms or 0) and (end_ms is None or change.time_ms <= end_ms)
        ]
        return [_row(order, change, words) for change in reversed(found)][:limit]


def _row(order: SimOrder, change: _Change, words: SymbolWords) -> wire_account.Amendment:
    def both(texts: tuple[str, str], write: Callable[[Decimal], str]) -> wire_account.Change:
        return wire_account.Change(before=write(Decimal(texts[0])), after=write(Decimal(texts[1])))

    return wire_account.Amendment(
        amendment_id=order.order_id % 1_000_000 * 10_000 + change.number,
        symbol=order.symbol,
        pair=order.symbol,
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        time=change.time_ms,
        amendment=wire_account.Amended(
            price=both(change.price, words.price),
            orig_qty=both(change.quantity, words.quantity),
            count=change.number,
            modify_id=UNSET if change.modify_id is None else change.modify_id,
        ),
        price_match=change.price_match,
    )

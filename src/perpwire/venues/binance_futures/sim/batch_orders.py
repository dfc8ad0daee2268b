"""Several orders in one call: HTTP 200, and for each of them in turn what came of it, or its error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from perpwire.simulator.refusals import Refused
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire
from perpwire.venues.binance_futures.sim.counting import A_BATCH
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.order_params import as_texts, json_list
from perpwire.venues.binance_futures.sim.orders import OrderCalls
from perpwire.venues.binance_futures.sim.params import Args, whole
from perpwire.venues.binance_futures.sim.words import Refusal, as_refusal, missing

MOST_PLACED = 5
MOST_CANCELLED = 10

Answers = list[wire.Order | wire.Error]


class BatchCalls:
    def __init__(self, orders: OrderCalls, listing: Listing) -> None:
        self._orders = orders
        self._listing = listing

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any]) -> Row:
            return Row(handler, Security.SIGNED, 5, orders=A_BATCH)

        return {
            ("POST", "/fapi/v1/batchOrders"): row(self._place),
            ("PUT", "/fapi/v1/batchOrders"): row(self._amend),
            ("DELETE", "/fapi/v1/batchOrders"): Row(self._cancel, Security.SIGNED, 1),
        }

    def _place(self, account: str, args: Args) -> Answers:
        return [_tried(partial(self._orders.place, account, item)) for item in _items(args)]

    def _amend(self, account: str, args: Args) -> Answers:
        return [_tried(partial(self._orders.amend, account, item)) for item in _items(args)]

    def _cancel(self, account: str, args: Args) -> Answers:
        words = self._listing.words_of(args)
        # Two clients write the names of the lists in small letters.
        args = {_SPELLINGS.get(name, name): value for name, value in args.items()}
        if args.get("orderIdList"):
            ids = [whole({"orderIdList": _text(one)}, "orderIdList") for one in json_list(args, "orderIdList")]
            keys: list[tuple[int | None, str | None]] = [(one, None) for one in ids]
        elif args.get("origClientOrderIdList"):
            names = json_list(args, "origClientOrderIdList")
            if not all(isinstance(name, str) for name in names):
                raise missing("origClientOrderIdList")
            keys = [(None, name) for name in names]
        else:
            raise Refusal(
                -1102, "Param 'origClientOrderIdList' or 'orderIdList' must be sent, but both were empty/null!"
            )
        if len(keys) > MOST_CANCELLED:
            raise Refusal(-4032, f"Exceed maximum cancel order size ({MOST_CANCELLED}).")
        if not keys:
            raise Refusal(-4082, "Invalid number of batch cancel orders.")
        return [_tried(partial(self._orders.cancel_one, account, words, *key)) for key in keys]


_SPELLINGS = {"orderidlist": "orderIdList", "origclientorderidlist": "origClientOrderIdList"}


def _text(item: Any) -> str:
    """Of an order id in a list; what is none becomes what no id is."""
    return str(item) if isinstance(item, int | str) and not isinstance(item, bool) and item != "" else "?"


def _items(args: Args) -> list[Args]:
    items = json_list(args, "batchOrders")
    if not 1 <= len(items) <= MOST_PLACED:
        raise Refusal(-4082, "Invalid number of batch place orders.")
    return [as_texts(item, "batchOrders") for item in items]


def _tried(call: Callable[[], wire.Order]) -> wire.Order | wire.Error:
    try:
        return call()
    except (Refused, Refusal) as error:
        refusal = as_refusal(error)
        return wire.Error(refusal.code, refusal.message)

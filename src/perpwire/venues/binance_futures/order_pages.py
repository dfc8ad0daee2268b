"""Fills and past orders, page by page to the end of what was asked for.

A span of time goes in windows of at most a week. Of a window, the venue gives the oldest fills that fit on a page, but
the newest orders: these are asked for backwards until a window is whole, and handed out oldest first.

Source: usds-margined-futures/trade/rest-api/{Account-Trade-List,All-Orders,Query-All-Algo-Orders}, as of 2026-10-23.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from perpwire.model.order import Fill, Order, with_child
from perpwire.venues.base import Call, Endpoint, Params
from perpwire.venues.binance_futures import endpoints_orders as endpoints, wire, wire_algo
from perpwire.venues.binance_futures.calling import at_the_venues_time, call
from perpwire.venues.binance_futures.spans import DAY_MS, WEEK_MS, bounds
from perpwire.venues.binance_futures.translate_algo import algo_order, past_algo_order
from perpwire.venues.binance_futures.translate_orders import fill, order

R = TypeVar("R")
T = TypeVar("T")

PAGE = 1000

FILLS_KEPT_MS = 93 * DAY_MS
"""Three months."""
ORDERS_KEPT_MS = 91 * DAY_MS

Parents = Mapping[str, Order]
"""Conditional orders by the id of the order that each has become."""


# --- fills ------------------------------------------------------------------------------------------------------------


def _trade_id(one: Fill) -> str:
    return one.trade_id


class FillPages:
    """Fills of a symbol, oldest first.

    Args:
        order_id: Of an ordinary order: only its fills.
        parents: See translate_orders.fill.
    """

    def __init__(self, symbol: str, order_id: int | None = None, parents: Parents | None = None) -> None:
        self._params = {"symbol": symbol, "orderId": order_id, "limit": PAGE}
        self._parents = parents

    def between(self, start_ms: int | None, end_ms: int | None) -> Call[tuple[Fill, ...]]:
        def first(now_ms: int) -> Call[tuple[Fill, ...]]:
            return self._window(*bounds("fills", start_ms, end_ms, now_ms, FILLS_KEPT_MS))

        return at_the_venues_time(first, _trade_id)

    def _window(self, start_ms: int, end_ms: int) -> Call[tuple[Fill, ...]]:
        """A week at most. As soon as there is a fill, its id leads on, past all windows."""
        until_ms = min(start_ms + WEEK_MS, end_ms)

        def next_page(rows: Sequence[wire.UserTrade]) -> Call[tuple[Fill, ...]] | None:
            if until_ms == end_ms and len(rows) < PAGE:
                return None
            return self._from(rows[-1].id + 1, end_ms) if rows else self._window(until_ms + 1, end_ms)

        return self._page({"startTime": start_ms, "endTime": until_ms}, end_ms, next_page)

    def _from(self, trade_id: int, end_ms: int) -> Call[tuple[Fill, ...]]:
        def next_page(rows: Sequence[wire.UserTrade]) -> Call[tuple[Fill, ...]] | None:
            if len(rows) < PAGE or rows[-1].time > end_ms:
                return None
            return self._from(rows[-1].id + 1, end_ms)

        return self._page({"fromId": trade_id}, end_ms, next_page)

    def _page(
        self, where: Params, end_ms: int, next_page: Callable[[Any], Call[tuple[Fill, ...]] | None]
    ) -> Call[tuple[Fill, ...]]:
        return call(
            endpoints.USER_TRADES,
            {**self._params, **where},
            lambda rows: tuple(fill(row, self._parents) for row in rows if row.time <= end_ms),
            next_page=next_page,
            row_key=_trade_id,
        )


# --- orders -----------------------------------------------------------------------------------------------------------


def _order_id(one: Order) -> str:
    return one.order_id


def order_history(symbol: str | None, start_ms: int | None, end_ms: int | None) -> Call[tuple[Order, ...]]:
    """Orders by creation time, oldest first: of a symbol with its conditional ones, each once. The venue does not list
    conditional orders of all symbols: with None there are ordinary ones only."""

    def first(now_ms: int) -> Call[tuple[Order, ...]]:
        return _History(symbol, *bounds("order_history", start_ms, end_ms, now_ms, ORDERS_KEPT_MS)).first()

    return at_the_venues_time(first, _order_id)


def conditional_history(symbol: str, start_ms: int) -> Call[tuple[Order, ...]]:
    """Conditional orders of a symbol by creation time, oldest first, as the algo store tells them: what became of one
    after its trigger is told by the order that it made."""

    def window(first_ms: int, end_ms: int) -> Call[tuple[Order, ...]]:
        until_ms = min(first_ms + WEEK_MS, end_ms)

        def done(rows: Sequence[wire_algo.AlgoOrder]) -> tuple[tuple[Order, ...], Call[tuple[Order, ...]] | None]:
            return tuple(map(past_algo_order, rows)), None if until_ms >= end_ms else window(until_ms + 1, end_ms)

        return _whole_window(
            endpoints.ALL_ALGO_ORDERS, {"symbol": symbol}, first_ms, until_ms, lambda row: row.create_time, done
        )

    def first(now_ms: int) -> Call[tuple[Order, ...]]:
        return window(*bounds("order_history", start_ms, None, now_ms, ORDERS_KEPT_MS))

    return at_the_venues_time(first, _order_id)


class _History:
    """Window for window: the conditional orders of a window first, then the ordinary ones, where those that triggers
    have made are left out, or folded into their parents."""

    def __init__(self, symbol: str | None, start_ms: int, end_ms: int) -> None:
        self._symbol = symbol
        self._start_ms = start_ms
        self._end_ms = end_ms

    def first(self) -> Call[tuple[Order, ...]]:
        return self._window(self._start_ms, {})

    def _window(self, start_ms: int, known: Parents) -> Call[tuple[Order, ...]]:
        until_ms = min(start_ms + WEEK_MS, self._end_ms)
        if self._symbol is None:
            return self._ordinary(start_ms, until_ms, (), known)

        def done(rows: Sequence[wire_algo.AlgoOrder]) -> tuple[tuple[Order, ...], Call[tuple[Order, ...]] | None]:
            found = tuple(algo_order(row) for row in rows)
            parents = {one.child_order_id: one for one in found if one.child_order_id is not None}
            return (), self._ordinary(start_ms, until_ms, found, {**known, **parents})

        return _whole_window(
            endpoints.ALL_ALGO_ORDERS, {"symbol": self._symbol}, start_ms, until_ms, lambda row: row.create_time, done
        )

    def _ordinary(
        self, start_ms: int, until_ms: int, conditional: Sequence[Order], parents: Parents
    ) -> Call[tuple[Order, ...]]:
        def done(rows: Sequence[wire.Order]) -> tuple[tuple[Order, ...], Call[tuple[Order, ...]] | None]:
            found = {one.order_id: one for one in conditional}
            for row in rows:
                one = order(row)
                parent = parents.get(one.order_id)
                if parent is None:
                    found[one.order_id] = one
                elif parent.order_id in found:
                    found[parent.order_id] = with_child(parent, one)
            following = None if until_ms >= self._end_ms else self._window(until_ms + 1, parents)
            return tuple(sorted(found.values(), key=lambda one: one.created_time_ms or 0)), following

        return _whole_window(
            endpoints.ALL_ORDERS, {"symbol": self._symbol}, start_ms, until_ms, lambda row: row.time, done
        )


def _whole_window(
    endpoint: Endpoint,
    params: Params,
    start_ms: int,
    end_ms: int,
    time_of: Callable[[R], Any],
    done: Callable[[list[R]], tuple[tuple[Order, ...], Call[tuple[Order, ...]] | None]],
) -> Call[tuple[Order, ...]]:
    """Every row of a window of which the venue gives the newest page.

    Args:
        done: All rows, oldest first, some perhaps twice -> what is handed out, and the call that leads on.
    """

    def page(until_ms: int, later: list[R]) -> Call[tuple[Order, ...]]:
        def oldest_ms(rows: list[R]) -> int | None:
            """Up to when the rows before a full page are still to be asked for."""
            if len(rows) < PAGE:
                return None
            times = [time_of(row) for row in rows]
            if not all(isinstance(one, int) for one in times) or min(times) >= until_ms:
                raise ValueError(f"a page of {len(rows)} orders goes no further back than {until_ms}")
            return int(min(times))

        def translated(rows: list[R]) -> tuple[Order, ...]:
            return () if oldest_ms(rows) is not None else done(rows + later)[0]

        def next_page(rows: list[R]) -> Call[tuple[Order, ...]] | None:
            before_ms = oldest_ms(rows)
            return done(rows + later)[1] if before_ms is None else page(before_ms, rows + later)

        where = {**params, "startTime": start_ms, "endTime": until_ms, "limit": PAGE}
        return call(endpoint, where, translated, next_page=next_page, row_key=_order_id)

    return page(end_ms, [])

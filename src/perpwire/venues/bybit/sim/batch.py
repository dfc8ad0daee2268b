"""Several orders in one request: each fares by itself, and retExtInfo says how.

Source: docs/v5/order/batch-place, batch-amend, batch-cancel and docs/v5/rate-limit, as of 2026-07-24.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.answer import Answer
from perpwire.venues.bybit.sim.asked import Asked, check_linear
from perpwire.venues.bybit.sim.gate import TOO_MANY
from perpwire.venues.bybit.sim.refusal import CallRefused, bad_param

MOST_ORDERS = 20

OneOrder = Callable[[str, Asked], wire.OrderIds]


def batch_size(asked: Asked) -> int:
    """How many orders a request is about: what it costs.

    Raises:
        CallRefused: None, or too many.
    """
    check_linear(asked)
    items = asked.get("request")
    if not isinstance(items, list) or not items:
        raise bad_param("request is required")
    if len(items) > MOST_ORDERS:
        raise CallRefused(10001, f"The number of requests exceeds the maximum of {MOST_ORDERS}.")
    return len(items)


def run_batch(
    account: str, asked: Asked, one: OneOrder, *, granted: int, created_ms: int | None = None, refused: str = ""
) -> Answer:
    """Carry out one order after the other.

    Args:
        granted: So many are within the account's limit of calls; the rest fail by it.
        created_ms: Shown as createAt of those that are taken; None for a batch that creates none.
        refused: Members whose presence in an item is refused: separated by spaces.
    """
    rows: list[dict[str, Any]] = []
    codes: list[dict[str, Any]] = []
    for index, item in enumerate(asked["request"]):
        fields: Asked = item if isinstance(item, dict) else {}
        row: dict[str, Any] = {"category": "linear", "symbol": _text(fields, "symbol")}
        try:
            if index >= granted:
                raise CallRefused(10006, TOO_MANY)
            if not isinstance(item, dict):
                raise bad_param("request invalid")
            for name in refused.split():
                if fields.get(name) not in (None, ""):
                    raise bad_param(f"{name} is not supported in a batch")
            ids = one(account, {**fields, "category": "linear"})
            row |= {"orderId": ids.orderId, "orderLinkId": ids.orderLinkId}
            if created_ms is not None:
                row["createAt"] = str(created_ms)
            codes.append({"code": 0, "msg": "OK"})
        except CallRefused as why:
            row |= {"orderId": "" if created_ms is not None else _text(fields, "orderId")}
            row["orderLinkId"] = _text(fields, "orderLinkId")
            if created_ms is not None:
                row["createAt"] = ""
            codes.append({"code": why.code, "msg": why.words})
        rows.append(row)
    return Answer({"list": rows}, {"list": codes})


def _text(fields: Asked, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""

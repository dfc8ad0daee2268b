"""Take-profit and stop-loss as requests name them: attached to an order, or set for a position.

Source: docs/v5/order/create-order and docs/v5/position/trading-stop, as of 2026-07-24.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perpwire.model.order import OrderType
from perpwire.simulator.specs import SymbolSpec
from perpwire.simulator.vocabulary import TriggerBy
from perpwire.venues.bybit.sim.asked import Asked, check_price, choice, optional_amount
from perpwire.venues.bybit.sim.numbers import bare
from perpwire.venues.bybit.sim.refusal import CallRefused, bad_param

TRIGGERS_BY: dict[str, TriggerBy] = {"LastPrice": "last", "MarkPrice": "mark", "IndexPrice": "index"}


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """One side of it. `limit` None: by a market order."""

    price: Decimal
    by: TriggerBy
    limit: Decimal | None = None

    @property
    def order_type(self) -> OrderType:
        return OrderType.MARKET if self.limit is None else OrderType.LIMIT


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """What an order brings along for the position that it opens."""

    is_partial: bool
    profit: Exit | None
    loss: Exit | None

    def check(self, is_long: bool, base: Decimal) -> None:
        """
        Raises:
            CallRefused: A price on the wrong side of the order's.
        """
        check_sides(is_long, base, self.profit, self.loss)

    def note(self, tick: Decimal) -> dict[str, str]:
        """Under the names of the order's row."""
        said = {"tpslMode": "Partial" if self.is_partial else "Full"}
        for name, side in (("tp", self.profit), ("sl", self.loss)):
            if side is not None:
                said["takeProfit" if name == "tp" else "stopLoss"] = bare(side.price)
                said[f"{name}TriggerBy"] = _BY_TEXTS[side.by]
                if side.limit is not None:
                    said[f"{name}LimitPrice"] = bare(side.limit)
        return said


_BY_TEXTS = {by: name for name, by in TRIGGERS_BY.items()}


def read_attached(body: Asked, spec: SymbolSpec) -> Attached | None:
    """None where neither is asked for.

    Raises:
        CallRefused: By the first member that is wrong.
    """
    is_partial = choice(body, "tpslMode", ("Full", "Partial"), "Full") == "Partial"
    profit, loss = (read_exit(body, spec, name, is_partial) for name in ("tp", "sl"))
    if profit is None and loss is None:
        return None
    return Attached(is_partial=is_partial, profit=profit, loss=loss)


def attached_of(note: dict[str, str]) -> Attached | None:
    """What an order's note says that it brings along."""

    def one(name: str, prefix: str) -> Exit | None:
        if not note.get(name):
            return None
        limit = note.get(f"{prefix}LimitPrice")
        by = TRIGGERS_BY[note.get(f"{prefix}TriggerBy") or "LastPrice"]
        return Exit(price=Decimal(note[name]), by=by, limit=Decimal(limit) if limit else None)

    profit, loss = one("takeProfit", "tp"), one("stopLoss", "sl")
    if profit is None and loss is None:
        return None
    return Attached(is_partial=note.get("tpslMode") == "Partial", profit=profit, loss=loss)


def read_exit(body: Asked, spec: SymbolSpec, prefix: str, is_partial: bool) -> Exit | None:
    """`prefix`: tp or sl. None where its price is not there or 0."""
    name = "takeProfit" if prefix == "tp" else "stopLoss"
    price = optional_amount(body, name)
    order_type = choice(body, f"{prefix}OrderType", ("Market", "Limit"), "Market")
    by = TRIGGERS_BY[choice(body, f"{prefix}TriggerBy", tuple(TRIGGERS_BY), "LastPrice")]
    limit = optional_amount(body, f"{prefix}LimitPrice")
    if not price:
        return None
    check_price(spec, price)
    if order_type == "Market":
        return Exit(price=price, by=by)
    if not is_partial:
        raise bad_param(f"{prefix}OrderType Limit needs tpslMode Partial")
    if not limit:
        raise bad_param(f"{prefix}LimitPrice is required")
    check_price(spec, limit)
    return Exit(price=price, by=by, limit=limit)


def check_sides(is_long: bool, base: Decimal, profit: Exit | None, loss: Exit | None) -> None:
    """A long's profit lies above the base price and its loss below it, a short's the other way round.

    Raises:
        CallRefused: 10001, in the venue's words: prices are multiplied by ten thousand.
    """
    name = "Buy" if is_long else "Sell"
    if profit is not None and (profit.price <= base if is_long else profit.price >= base):
        where = "higher" if is_long else "lower"
        raise CallRefused(
            10001,
            f"TakeProfit:{_scaled(profit.price)} set for {name} position should be {where} than "
            f"base_price:{_scaled(base)}??{_BY_TEXTS[profit.by]}",
        )
    if loss is not None and (loss.price >= base if is_long else loss.price <= base):
        where = "lower" if is_long else "higher"
        raise CallRefused(
            10001,
            f"StopLoss:{_scaled(loss.price)} set for {name} position should be {where} than "
            f"base_price:{_scaled(base)}??{_BY_TEXTS[loss.by]}",
        )


def _scaled(price: Decimal) -> str:
    return str(int(price * 10_000))

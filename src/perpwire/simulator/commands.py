"""What is acknowledged first and carried out a moment later."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perpwire.simulator.intents import OrderIntent, TriggerIntent
from perpwire.simulator.vocabulary import TriggerBy


class PlaceOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    intent: OrderIntent
    order_id: int


class AmendOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    symbol: str
    order_id: int
    price: Decimal | None = None
    quantity: Decimal | None = None
    note: dict[str, str] | None = None


class CancelOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    symbol: str
    order_id: int
    reason: str = "user"


class PlaceTrigger(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    intent: TriggerIntent
    trigger_id: int


class AmendTrigger(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    trigger_id: int
    trigger_price: Decimal | None = None
    price: Decimal | None = None
    quantity: Decimal | None = None
    trigger_by: TriggerBy | None = None
    note: dict[str, str] | None = None


class CancelTrigger(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    trigger_id: int
    reason: str = "user"


Command = PlaceOrder | AmendOrder | CancelOrder | PlaceTrigger | AmendTrigger | CancelTrigger

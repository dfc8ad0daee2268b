"""Words that orders, executions and conditional orders share."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

ZERO = Decimal(0)

SelfTrade = Literal["taker", "maker", "both", "none"]
"""What ends when an order meets one of its own account in the book: the order that takes, the one that rests (and the
other goes on matching), both, or none of them (they trade). The taker's choice counts."""

Origin = Literal["user", "trigger", "liquidation", "takeover", "adl"]
"""Who made an order: its account, one of its conditional orders, or the venue against its will."""

FillKind = Literal["trade", "liquidation", "takeover", "adl"]
"""How an execution came about: a match (of the account's or a liquidating order), the insurance fund taking the rest
over at the bankruptcy price, or the position of a profitable account closed against it."""

TriggerKind = Literal["stop", "take_profit", "trailing"]
Direction = Literal["rises", "falls"]

TriggerBy = Literal["last", "mark", "index"]

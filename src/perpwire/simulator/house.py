"""The exchange's own side of it all: what the anonymous background holds, fees, the insurance fund, and the counters.

With it, money is conserved: what the accounts have gained, the background has lost or paid in fees, to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from perpwire.model.order import Side
from perpwire.simulator.records import SimFill
from perpwire.simulator.vocabulary import ZERO

ORDER_IDS_FROM = 155_618_000_000
LONG_ORDER_IDS_FROM = {"ETHUSDT": 8_389_765_740_000_000_000}
"""Real ids of a few symbols are longer than a double holds exactly, at Binance ETHUSDT's; those of the others are not,
so that clients in JavaScript, which read numbers as doubles, can trade the others."""
FIRST_TRADE_ID = 4_000_000_001
TRADE_IDS_APART = 1_000_000_000
"""Between the first trade ids of two symbols: ids have no gaps in a symbol, and none occurs in two."""
RESTART_GAP = 1_000_000
INSURANCE_FUND = Decimal(1_000_000)


class HouseState(msgspec.Struct, kw_only=True):
    """
    Attributes:
        quantities: Symbol -> what the background holds (signed), as far as it traded with accounts.
        cash: What the background has received for it less what it has paid, and what accounts' profits had beyond 1e-8.
        funding: What it has received in fundings, whose other side it is, less what it has paid.
        fees: What accounts have paid in fees.
        insurance: The insurance fund.
    """

    quantities: dict[str, Decimal] = msgspec.field(default_factory=dict)
    cash: Decimal = ZERO
    fees: Decimal = ZERO
    insurance: Decimal = INSURANCE_FUND
    funding: Decimal = ZERO
    next_order_number: int = 1
    next_trade_ids: dict[str, int] = msgspec.field(default_factory=dict)
    next_command: int = 1


class House:
    """See module docstring."""

    def __init__(self) -> None:
        self.state = HouseState()

    def next_order_id(self, symbol: str = "") -> int:
        """An id that no other order and no conditional order has, of any symbol."""
        self.state.next_order_number += 1
        return LONG_ORDER_IDS_FROM.get(symbol, ORDER_IDS_FROM) + self.state.next_order_number - 1

    def first_trade_id(self, symbol: str) -> int:
        """The id that the symbol's next trade will have."""
        ids = self.state.next_trade_ids
        return ids.setdefault(symbol, FIRST_TRADE_ID + len(ids) * TRADE_IDS_APART)

    def next_trade_id(self, symbol: str) -> int:
        number = self.first_trade_id(symbol)
        self.state.next_trade_ids[symbol] = number + 1
        return number

    def skip_trade_ids(self) -> None:
        """After a restart: ids of trades in which no account took part may have been given since the last commit."""
        ids = self.state.next_trade_ids
        self.state.next_trade_ids = {symbol: number + RESTART_GAP for symbol, number in ids.items()}

    def next_command(self) -> int:
        self.state.next_command += 1
        return self.state.next_command - 1

    def traded(self, symbol: str, sides: Sequence[tuple[Side, SimFill]]) -> None:
        """One match: the accounts' sides of it. Where there is one only, the background is the other."""
        state = self.state
        for _, fill in sides:
            state.fees += fill.fee
            state.cash += fill.rounded_off
        if len(sides) == 1:
            side, fill = sides[0]
            signed = fill.quantity if side is Side.BUY else -fill.quantity
            state.quantities[symbol] = state.quantities.get(symbol, ZERO) - signed
            state.cash += signed * fill.price

    def worth(self, price_of: Mapping[str, Decimal]) -> Decimal:
        """All of it at these prices, in cash: background, fees, fund, and the fundings it was the other side of."""
        held = sum((quantity * price_of[symbol] for symbol, quantity in self.state.quantities.items()), ZERO)
        return held + self.state.cash + self.state.fees + self.state.insurance + self.state.funding

"""The exchange's core: instruments, accounts, books, orders, and who hears of what. Neutral words, exact numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from perpwire.clock import Clock
from perpwire.model.instrument import Instrument
from perpwire.model.market import Level
from perpwire.model.order import OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.events import SimEvent, SimFill, SimOrder, SimPosition


class AccountSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An account to be: its name, key pair and starting cash."""

    name: str = "main"
    api_key: str = "sim-key"
    secret_key: str = "sim-secret"
    cash: Decimal = Decimal(100000)
    asset: str = "USDT"


class SymbolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A contract to be, and where its price starts."""

    instrument: Instrument
    start_price: Decimal
    taker_fee: Decimal
    maker_fee: Decimal
    leverage: Decimal = Decimal(20)


class OrderIntent(msgspec.Struct, frozen=True, kw_only=True):
    """An order as a dialect understood it. price None for MARKET. GTX and PostOnly are POST_ONLY."""

    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal | None
    client_order_id: str
    reduce_only: bool = False
    position_side: PositionSide = PositionSide.BOTH
    refuse_post_only: bool = True  # False: it is accepted and cancelled at once, as Bybit does
    refuse_fok: bool = True  # likewise for FOK


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account's sums at the current mark prices, in its settle asset."""

    wallet: Decimal
    unrealized_pnl: Decimal
    initial_margin: Decimal
    order_margin: Decimal
    maintenance_margin: Decimal

    @property
    def equity(self) -> Decimal:
        return self.wallet + self.unrealized_pnl

    @property
    def available(self) -> Decimal:
        return max(Decimal(0), self.equity - self.initial_margin - self.order_margin)


class Exchange:
    """See module docstring. Every method is synchronous and takes effect at once; events go out in order.

    `place` returns a copy of the order after its immediate matching; events: "new" (unless refused), then "trade" ...,
    then "expired"/"canceled" for a remainder that may not rest; AccountChanged after each of our trades' OrderChanged
    batch; BookChanged and Traded for the public side.
    """

    def __init__(
        self, *, clock: Clock, seed: int, symbols: Sequence[SymbolSpec], accounts: Sequence[AccountSpec]
    ) -> None:
        raise NotImplementedError

    clock: Clock

    def now_ms(self) -> int: ...
    def start(self) -> None:
        """Begin trading: the background market and the mark price ticks. Needs a running loop."""

    def close(self) -> None: ...
    def subscribe(self, listener: Callable[[SimEvent], None]) -> Callable[[], None]: ...
    def spec(self, symbol: str) -> SymbolSpec: ...  # Refused(UNKNOWN_SYMBOL)
    def specs(self) -> Sequence[SymbolSpec]: ...
    def account_by_key(self, api_key: str) -> AccountSpec | None: ...
    def place(self, account: str, intent: OrderIntent) -> SimOrder: ...
    def amend(
        self,
        account: str,
        symbol: str,
        *,
        order_id: int | None,
        client_order_id: str | None,
        price: Decimal | None,
        quantity: Decimal | None,
    ) -> SimOrder: ...
    def cancel(self, account: str, symbol: str, *, order_id: int | None, client_order_id: str | None) -> SimOrder: ...
    def cancel_all(self, account: str, symbol: str | None) -> list[SimOrder]: ...
    def find_order(
        self, account: str, symbol: str | None, *, order_id: int | None, client_order_id: str | None
    ) -> SimOrder: ...
    def open_orders(self, account: str, symbol: str | None) -> list[SimOrder]: ...
    def orders(self, account: str, symbol: str | None) -> list[SimOrder]: ...
    def fills(self, account: str, symbol: str | None) -> list[tuple[SimOrder, SimFill]]: ...
    def wallet(self, account: str) -> dict[str, Decimal]: ...
    def view(self, account: str) -> AccountView: ...
    def position(self, account: str, symbol: str) -> SimPosition: ...
    def positions(self, account: str) -> list[SimPosition]: ...
    def mark_price(self, symbol: str) -> Decimal: ...
    def index_price(self, symbol: str) -> Decimal: ...
    def funding(self, symbol: str) -> tuple[Decimal, int]: ...  # rate, next funding Unix ms
    def last_price(self, symbol: str) -> Decimal: ...
    def recent_trades(self, symbol: str, limit: int) -> list[object]: ...  # newest last; Traded
    def book(self, symbol: str, depth: int) -> tuple[list[Level], list[Level], int, int]: ...  # bids, asks, id, ms
    def want_book(self, symbol: str) -> None: ...  # a client subscribed to book or trades; a replay begins on it
    def set_leverage(self, account: str, symbol: str, leverage: Decimal) -> None: ...
    def leverage(self, account: str, symbol: str) -> Decimal: ...

"""Accounts: orders, cash, positions, leverage, and what they must keep as margin. One-way mode, cross margin.

Liquidation and funding payments are not made: an account may fall below its maintenance margin and stay there.
Cash moves in steps of 1e-8 of the settle asset, so sums over any number of trades stay exact.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from perpwire.model.order import Side
from perpwire.simulator.events import SimFill, SimOrder, SimPosition
from perpwire.simulator.specs import AccountSpec, AccountView, SymbolSpec

ZERO = Decimal(0)
CASH_STEP = Decimal("0.00000001")
MAINTENANCE_RATE = Decimal("0.005")
HISTORY = 20_000
"""How many finished orders, and how many fills, an account remembers; the oldest are forgotten first."""


class Account:
    """One account's books.

    Attributes:
        wallet: Asset -> cash.
        positions: Symbol -> position, for every symbol ever traded.
        open: Orders that rest or are being matched, by id.
        fills: Executions with their (live) orders, oldest first.
    """

    def __init__(self, spec: AccountSpec, symbols: Mapping[str, SymbolSpec]) -> None:
        self.spec = spec
        self._symbols = symbols
        self.wallet: dict[str, Decimal] = {spec.asset: spec.cash}
        self.positions: dict[str, SimPosition] = {}
        self.open: dict[int, SimOrder] = {}
        self.fills: deque[tuple[SimOrder, SimFill]] = deque(maxlen=HISTORY)
        self._finished: deque[SimOrder] = deque()
        self._by_id: dict[int, SimOrder] = {}
        self._by_client_id: dict[str, SimOrder] = {}
        self._leverage: dict[str, Decimal] = {}

    # --- orders -----------------------------------------------------------------------------------------------------

    def add_order(self, order: SimOrder) -> None:
        self.open[order.order_id] = self._by_id[order.order_id] = order
        if order.client_order_id:
            self._by_client_id[order.client_order_id] = order

    def finish_order(self, order: SimOrder) -> None:
        """The order has reached a final status."""
        del self.open[order.order_id]
        self._finished.append(order)
        if len(self._finished) > HISTORY:
            oldest = self._finished.popleft()
            del self._by_id[oldest.order_id]
            if self._by_client_id.get(oldest.client_order_id) is oldest:
                del self._by_client_id[oldest.client_order_id]

    def find(self, order_id: int | None, client_order_id: str | None) -> SimOrder | None:
        """By id where one is given, else the newest order with this client id."""
        if order_id is not None:
            return self._by_id.get(order_id)
        return self._by_client_id.get(client_order_id) if client_order_id else None

    def all_orders(self) -> Iterable[SimOrder]:
        """Every remembered order, oldest first."""
        return (self._by_id[order_id] for order_id in sorted(self._by_id))

    # --- positions and cash -------------------------------------------------------------------------------------------

    def position(self, symbol: str) -> SimPosition:
        position = self.positions.get(symbol)
        if position is None:
            position = self.positions[symbol] = SimPosition(symbol=symbol)
        return position

    def settle(
        self, order: SimOrder, *, trade_id: int, price: Decimal, quantity: Decimal, is_maker: bool, time_ms: int
    ) -> SimFill:
        """Book one execution of `order`: position, cash, and the order's own sums."""
        spec = self._symbols[order.symbol]
        asset = spec.instrument.settle
        rate = spec.maker_fee if is_maker else spec.taker_fee
        fee = (price * quantity * rate).quantize(CASH_STEP)
        signed = quantity if order.side is Side.BUY else -quantity
        profit, closed = _move(self.position(order.symbol), signed, price, time_ms)
        self.wallet[asset] = self.wallet.get(asset, ZERO) + profit - fee
        order.filled_quantity += quantity
        order.filled_value += quantity * price
        order.fees += fee
        order.updated_ms = time_ms
        fill = SimFill(
            trade_id=trade_id,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_rate=rate,
            fee_asset=asset,
            realized_pnl=profit,
            closed_quantity=closed,
            is_maker=is_maker,
            time_ms=time_ms,
        )
        self.fills.append((order, fill))
        return fill

    # --- margin -------------------------------------------------------------------------------------------------------

    def leverage(self, symbol: str) -> Decimal:
        return self._leverage.get(symbol, self._symbols[symbol].leverage)

    def set_leverage(self, symbol: str, leverage: Decimal) -> None:
        self._leverage[symbol] = leverage

    def order_margin(self, symbol: str, *, without: SimOrder | None = None, plus: SimOrder | None = None) -> Decimal:
        """Initial margin of the resting orders that would open or increase the position.

        The worse of two cases counts: all buys are filled, or all sells are. `without` leaves an order out and `plus`
        adds one, to ask what a change would need. Orders without a price don't count: price a market order first.
        """
        buys: list[tuple[Decimal, Decimal]] = []
        sells: list[tuple[Decimal, Decimal]] = []
        for order in self.open.values():
            if order.symbol == symbol and order is not without and order.price is not None and not order.reduce_only:
                (buys if order.side is Side.BUY else sells).append((order.price, order.remaining))
        if plus is not None and plus.price is not None and not plus.reduce_only:
            (buys if plus.side is Side.BUY else sells).append((plus.price, plus.remaining))
        held = self.positions[symbol].quantity if symbol in self.positions else ZERO
        buys.sort(reverse=True)
        sells.sort()
        value = max(_increase(buys, reducible=max(ZERO, -held)), _increase(sells, reducible=max(ZERO, held)))
        return value / self.leverage(symbol)

    def view(self, mark_of: Callable[[str], Decimal]) -> AccountView:
        """The account's sums in its own asset, at these mark prices."""
        unrealized = initial = maintenance = orders = ZERO
        asset = self.spec.asset
        for symbol, position in self.positions.items():
            if position.quantity and self._symbols[symbol].instrument.settle == asset:
                mark = mark_of(symbol)
                value = abs(position.quantity) * mark
                gain = value - position.entry_value
                unrealized += gain if position.quantity > 0 else -gain
                initial += value / self.leverage(symbol)
                maintenance += value * MAINTENANCE_RATE
        for symbol in {order.symbol for order in self.open.values()}:
            if self._symbols[symbol].instrument.settle == asset:
                orders += self.order_margin(symbol)
        return AccountView(
            wallet=self.wallet[asset],
            unrealized_pnl=unrealized,
            initial_margin=initial,
            order_margin=orders,
            maintenance_margin=maintenance,
        )


def _increase(orders: list[tuple[Decimal, Decimal]], reducible: Decimal) -> Decimal:
    """Value of what remains of the orders once the first of them have closed `reducible`."""
    value = ZERO
    for price, quantity in orders:
        closing = min(reducible, quantity)
        reducible -= closing
        value += (quantity - closing) * price
    return value


def _move(position: SimPosition, signed: Decimal, price: Decimal, time_ms: int) -> tuple[Decimal, Decimal]:
    """Add a signed quantity to a position. Returns the profit realised, and how much was closed."""
    held = position.quantity
    position.updated_ms = time_ms
    profit = closed = ZERO
    if held and (held > 0) != (signed > 0):
        closed = min(abs(held), abs(signed))
        if closed == abs(held):
            cost = position.entry_value
        else:
            cost = (position.entry_value * closed / abs(held)).quantize(CASH_STEP)
        gain = closed * price - cost
        # Cash knows 1e-8; what a finer product would leave over is rounded here, once.
        profit = (gain if held > 0 else -gain).quantize(CASH_STEP)
        position.entry_value -= cost
        position.realized_pnl += profit
    position.quantity = held + signed
    position.entry_value += (abs(signed) - closed) * price
    return profit, closed

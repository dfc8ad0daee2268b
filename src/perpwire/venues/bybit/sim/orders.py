"""The way of an order: checked at once, acknowledged, and matched a moment later.

What the synchronous check refuses gets a retCode; what fails later shows only on the private stream. Source:
docs/v5/order, as of 2026-07-24, and answers seen up to 2026-07.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal

from perpwire.errors import BadInput
from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side
from perpwire.simulator.events import Refused, SimOrder, Why
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import OrderIntent, SymbolSpec
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.asked import Asked, amount, check_linear, check_price, flag, link_id, spec_of, text
from perpwire.venues.bybit.sim.memory import Memory, OrderNote
from perpwire.venues.bybit.sim.numbers import ORDER, id_text, number_of
from perpwire.venues.bybit.sim.prices import Prices
from perpwire.venues.bybit.sim.refusal import CallRefused, bad_param, of_exchange
from perpwire.venues.bybit.sim.rows import TOO_LATE_TO_CANCEL
from perpwire.venues.bybit.sim.settings import Settings
from perpwire.venues.bybit.sim.timers import Timers
from perpwire.venues.bybit.translate import SIDES, TIMES_IN_FORCE

MATCH_DELAY_S = 0.002
"""From the acknowledgement to the matching engine."""

REJECTED_KEPT = 1000
"""Orders that the matching engine refused; the oldest are forgotten."""

Push = Callable[[SimOrder, tuple[str, str] | None], None]
"""Tell the account's stream of an order; the second argument says why it ended, where that is not on the order."""


NOT_SIMULATED = (
    "triggerPrice",
    "takeProfit",
    "stopLoss",
    "slippageTolerance",
    "bboSideType",
    "orderFilter",
)
"""Taking an order while passing over one of these would be another order than was asked for."""

SELF_MATCH_NOT_SIMULATED = ("None", "CancelMaker", "CancelBoth")
"""Values of smpType that the venue has and the simulator does not: here an order that meets one of its own account
always ends (CancelTaker), so one that asks for another way out is refused rather than treated otherwise."""


class Orders:
    """Order entry of every account."""

    def __init__(
        self, exchange: Exchange, memory: Memory, prices: Prices, timers: Timers, settings: Settings, push: Push
    ) -> None:
        self._exchange = exchange
        self._memory = memory
        self._prices = prices
        self._timers = timers
        self._settings = settings
        self._push = push
        self._under_way: set[tuple[str, str]] = set()  # account and client id, acknowledged and not yet matched
        self._rejected: dict[tuple[str, int], SimOrder] = {}

    # --- create -------------------------------------------------------------------------------------------------------

    def create(self, account: str, body: Asked) -> wire.OrderIds:
        """
        Raises:
            CallRefused: By retCode.
        """
        intent, note = self._read(account, body)
        self._check(account, intent, note)
        order_id = self._exchange.new_order_id()
        self._memory.remember(order_id, note)
        self._under_way.add((account, intent.client_order_id))
        self._timers.later(MATCH_DELAY_S, lambda: self._match(account, intent, order_id))
        return wire.OrderIds(id_text(ORDER, order_id), intent.client_order_id)

    def _read(self, account: str, body: Asked) -> tuple[OrderIntent, OrderNote]:
        spec = self._spec(body)
        for name in NOT_SIMULATED:
            if body.get(name) not in (None, "", "0"):
                raise bad_param(f"{name} is not supported by this simulator")
        smp_type = _smp_type(body)
        side = SIDES.get(text(body, "side"))
        if side is None:
            raise bad_param("side invalid")
        order_type = text(body, "orderType")
        if order_type not in ("Limit", "Market"):
            raise bad_param("orderType invalid")
        words = "IOC" if order_type == "Market" else text(body, "timeInForce") or "GTC"
        if words == "RPI":
            raise CallRefused(110119, "RPI orders are only for approved market makers")
        if words not in TIMES_IN_FORCE:
            raise bad_param("timeInForce invalid")
        if body.get("positionIdx") not in (None, 0):
            raise CallRefused(10001, "position idx not match position mode")
        reduce_only, close = flag(body, "reduceOnly"), flag(body, "closeOnTrigger")
        symbol = spec.instrument.symbol
        quantity = amount(body, "qty", "qty err")
        if not quantity and reduce_only and close:
            quantity = abs(self._exchange.position(account, symbol).quantity)  # close the whole position
            if not quantity:
                raise CallRefused(110017, "current position is zero, cannot fix reduce-only order qty")
        shown = None
        if order_type == "Market":
            shown = price = self._prices.protective(symbol, side)
        else:
            price = amount(body, "price", "price err")
            check_price(spec, price)
            price = self._limited(account, symbol, side, price)
        note = OrderNote(
            order_type=order_type,
            time_in_force=words,
            last_price=self._exchange.last_price(symbol),
            shown_price=shown,
            close_on_trigger=close,
            smp_type=smp_type,
        )
        intent = OrderIntent(
            symbol=symbol,
            side=side,
            type=OrderType.LIMIT,  # a market order is a limit order at its protective price
            time_in_force=TIMES_IN_FORCE[words],
            quantity=quantity,
            price=price,
            client_order_id=link_id(body),
            reduce_only=reduce_only,
            position_side=PositionSide.BOTH,
            refuse_post_only=False,
            refuse_fok=False,
            refuse_oversized_reduce=False,
        )
        return intent, note

    def _limited(self, account: str, symbol: str, side: Side, price: Decimal) -> Decimal:
        """The price that the order gets: beyond the price limit it is moved to it, or refused, as the account likes.

        Raises:
            CallRefused: 110120, 110121.
        """
        fitting = self._prices.within_limits(symbol, side, price)
        if fitting != price and self._settings.rejects_beyond_limit(account):
            if side is Side.BUY:
                raise CallRefused(110121, "Order price is higher than the highest buying price.")
            raise CallRefused(110120, "Order price is lower than the lowest selling price.")
        return fitting

    def _check(self, account: str, intent: OrderIntent, note: OrderNote) -> None:
        spec = self._exchange.spec(intent.symbol)
        market = note.shown_price is not None
        most = spec.instrument.max_market_quantity if market else spec.instrument.max_quantity
        if most is not None and intent.quantity > most:
            raise CallRefused(
                10001,
                "The number of contracts exceeds maximum limit allowed: too large, "
                f"order_qty:{_scaled(intent.quantity)} > max_qty:{_scaled(most)}",
            )
        link_id = intent.client_order_id
        if link_id and ((account, link_id) in self._under_way or self._known(account, link_id)):
            raise of_exchange(Refused(Why.DUPLICATE_CLIENT_ID))
        if intent.reduce_only:
            held = self._exchange.position(account, intent.symbol).quantity
            if held and (held > 0) == (intent.side is Side.BUY):
                raise CallRefused(110017, "reduce-only order has same side with current position")
        if market and not self._in_reach(intent):
            raise of_exchange(Refused(Why.NO_LIQUIDITY))
        try:
            self._exchange.check(account, intent)
        except Refused as refused:
            raise of_exchange(refused) from None

    def _known(self, account: str, link_id: str) -> bool:
        try:
            self._exchange.find_order(account, None, order_id=None, client_order_id=link_id)
        except Refused:
            return False
        return True

    def _in_reach(self, intent: OrderIntent) -> bool:
        bids, asks, _, _ = self._exchange.book(intent.symbol, 1)
        assert intent.price is not None  # a market order's protective price
        if intent.side is Side.BUY:
            return bool(asks) and asks[0][0] <= intent.price
        return bool(bids) and bids[0][0] >= intent.price

    def _match(self, account: str, intent: OrderIntent, order_id: int) -> None:
        self._under_way.discard((account, intent.client_order_id))
        try:
            self._exchange.place(account, intent, order_id)
        except Refused:
            # What was right a moment ago no longer is: the order is rejected, and only the stream says so.
            order = self._reject(account, intent, order_id)
            self._push(order, ("UNKNOWN", "EC_Others"))

    def _reject(self, account: str, intent: OrderIntent, order_id: int) -> SimOrder:
        now_ms = self._exchange.now_ms()
        order = SimOrder(
            account=account,
            symbol=intent.symbol,
            order_id=order_id,
            client_order_id=intent.client_order_id,
            side=intent.side,
            type=intent.type,
            time_in_force=intent.time_in_force,
            price=intent.price,
            quantity=intent.quantity,
            reduce_only=intent.reduce_only,
            position_side=intent.position_side,
            status=OrderStatus.REJECTED,
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        self._rejected[account, order_id] = order
        if len(self._rejected) > REJECTED_KEPT:
            del self._rejected[next(iter(self._rejected))]
        return order

    # --- amend and cancel ---------------------------------------------------------------------------------------------

    def amend(self, account: str, body: Asked) -> wire.OrderIds:
        """
        Raises:
            CallRefused: By retCode.
        """
        order = self._open_order(account, body)
        spec = self._exchange.spec(order.symbol)
        for name in NOT_SIMULATED:
            if body.get(name) not in (None, ""):
                raise bad_param(f"{name} is not supported by this simulator")
        price = amount(body, "price", "price err") if body.get("price") not in (None, "") else None
        quantity = amount(body, "qty", "qty err") if body.get("qty") not in (None, "") else None
        if price is not None:
            check_price(spec, price)
            price = self._limited(account, order.symbol, order.side, price)
        if quantity is not None:
            try:
                spec.instrument.check_quantity(quantity)
            except BadInput as bad:
                raise of_exchange(Refused(Why[str(bad.code)])) from None
            if quantity <= order.filled_quantity:
                raise of_exchange(Refused(Why.AMEND_BELOW_FILLED))
        if price in (None, order.price) and quantity in (None, order.quantity):
            raise of_exchange(Refused(Why.AMEND_NO_CHANGE))
        self._timers.later(MATCH_DELAY_S, lambda: self._amend(account, order, price, quantity))
        return _ids(order)

    def _amend(self, account: str, order: SimOrder, price: Decimal | None, quantity: Decimal | None) -> None:
        try:
            self._exchange.amend(
                account, order.symbol, order_id=order.order_id, client_order_id=None, price=price, quantity=quantity
            )
        except Refused:
            # Filled meanwhile, or short of margin: the order stands as it is, and its state is told once more.
            self._push(self.find(account, order.order_id), None)

    def cancel(self, account: str, body: Asked) -> wire.OrderIds:
        """
        Raises:
            CallRefused: By retCode.
        """
        order = self._open_order(account, body)
        self._timers.later(MATCH_DELAY_S, lambda: self._cancel(account, order))
        return _ids(order)

    def _cancel(self, account: str, order: SimOrder) -> None:
        try:
            self._exchange.cancel(account, order.symbol, order_id=order.order_id, client_order_id=None)
        except Refused:
            ended = self.find(account, order.order_id)
            if ended.status is OrderStatus.FILLED:
                self._push(ended, TOO_LATE_TO_CANCEL)

    def cancel_all(self, account: str, body: Asked) -> wire.CancelAllReply:
        """One of symbol, baseCoin and settleCoin says which; the first of them counts.

        Raises:
            CallRefused: By retCode.
        """
        check_linear(body)
        if body.get("orderFilter") == "StopOrder":
            return wire.CancelAllReply([])
        orders = self.matching(account, self._exchange.open_orders(account, None), body)
        for order in orders:
            self._timers.later(MATCH_DELAY_S, lambda order=order: self._cancel(account, order))  # type: ignore[misc]
        return wire.CancelAllReply([_ids(order) for order in orders])

    # --- finding ------------------------------------------------------------------------------------------------------

    def matching(self, account: str, orders: list[SimOrder], asked: Asked) -> list[SimOrder]:
        """Those of a symbol, base coin or settle coin.

        Raises:
            CallRefused: None of the three is given, or the symbol is not known.
        """
        if symbol := asked.get("symbol"):
            self._spec(asked)
            return [order for order in orders if order.symbol == symbol]
        for name in ("baseCoin", "settleCoin"):
            if coin := asked.get(name):
                field = "base" if name == "baseCoin" else "settle"
                return [
                    order for order in orders if getattr(self._exchange.spec(order.symbol).instrument, field) == coin
                ]
        raise CallRefused(10001, "symbol, baseCoin or settleCoin is required")

    def named(self, account: str, asked: Asked) -> list[SimOrder]:
        """The order of an id, in a list; empty where there is none. The venue's id wins."""
        if text := asked.get("orderId"):
            number = number_of(ORDER, str(text))
            found = [] if number is None else self._find(account, number, None)
        else:
            found = self._find(account, None, str(asked["orderLinkId"]))
        return [order for order in found if asked.get("symbol") in (None, "", order.symbol)]

    def find(self, account: str, order_id: int) -> SimOrder:
        return self._find(account, order_id, None)[0]

    def rejected(self, account: str) -> list[SimOrder]:
        return [copy.copy(order) for (name, _), order in self._rejected.items() if name == account]

    def _find(self, account: str, order_id: int | None, link_id: str | None) -> list[SimOrder]:
        try:
            return [self._exchange.find_order(account, None, order_id=order_id, client_order_id=link_id)]
        except Refused:
            return [
                order
                for order in self.rejected(account)
                if order_id == order.order_id or (link_id and link_id == order.client_order_id)
            ]

    def _open_order(self, account: str, body: Asked) -> SimOrder:
        self._spec(body)
        if not (body.get("orderId") or body.get("orderLinkId")):
            raise CallRefused(10001, "orderId or orderLinkId is required")
        found = self.named(account, body)
        if not found or found[0].status.is_final:
            raise of_exchange(Refused(Why.UNKNOWN_ORDER))
        return found[0]

    def _spec(self, body: Asked) -> SymbolSpec:
        return spec_of(self._exchange, body)


def _smp_type(body: Asked) -> str:
    """As the order's rows show it; "None" where nothing was asked for."""
    value = body.get("smpType")
    if value in (None, ""):
        return "None"
    if value in SELF_MATCH_NOT_SIMULATED:
        raise bad_param(f"smpType {value} is not supported by this simulator")
    if value != "CancelTaker":
        raise bad_param("smpType invalid")
    return "CancelTaker"


def _ids(order: SimOrder) -> wire.OrderIds:
    return wire.OrderIds(id_text(ORDER, order.order_id), order.client_order_id)


def _scaled(quantity: Decimal) -> str:
    """The venue's own scaled integers, as its texts have them."""
    return str(int(quantity * 10**8))

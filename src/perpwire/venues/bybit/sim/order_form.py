"""What a request to create an order asks for, read and checked by itself: before the account or the book is looked at.

Source: docs/v5/order/create-order, as of 2026-07-24, and refusals seen up to 2026-07.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perpwire.model.order import OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intents import OrderIntent
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.specs import SymbolSpec
from perpwire.simulator.vocabulary import SelfTrade
from perpwire.venues.bybit.sim.asked import (
    Asked,
    amount,
    check_price,
    choice,
    flag,
    integer,
    link_id,
    spec_of,
    text,
)
from perpwire.venues.bybit.sim.numbers import bare, cut
from perpwire.venues.bybit.sim.prices import Prices
from perpwire.venues.bybit.sim.refusal import CallRefused, bad_param, of_exchange
from perpwire.venues.bybit.sim.settings import Settings
from perpwire.venues.bybit.sim.stop_form import read_attached
from perpwire.venues.bybit.translate import SIDES, TIMES_IN_FORCE

SELF_TRADES: dict[str, SelfTrade] = {
    "None": "none",
    "CancelMaker": "maker",
    "CancelTaker": "taker",
    "CancelBoth": "both",
}
"""smpType -> what ends when it meets an order of its own account. Only the taker's counts."""

POSITION_SIDES = {0: PositionSide.BOTH, 1: PositionSide.LONG, 2: PositionSide.SHORT}
MOST_TICKS = 10_000
LEAST_PERCENT, MOST_PERCENT = Decimal("0.01"), Decimal(10)


class OrderForm(msgspec.Struct, kw_only=True):
    """An order to be.

    Attributes:
        price: None for a market order, whose `bound` is its protective price.
        closes_all: Quantity 0 of a closing order: as much as the position is.
        note: Under the names of the order's row, what the exchange does not know.
    """

    spec: SymbolSpec
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal | None
    bound: Decimal | None
    reduce_only: bool
    closes_all: bool
    position_side: PositionSide
    client_id: str
    self_trade: SelfTrade
    is_conditional: bool
    note: dict[str, str]

    @property
    def symbol(self) -> str:
        return self.spec.instrument.symbol


class FormReader:
    """Reads create's body."""

    def __init__(self, exchange: Exchange, prices: Prices, settings: Settings) -> None:
        self._exchange = exchange
        self._prices = prices
        self._settings = settings

    def read(self, account: str, body: Asked) -> OrderForm:
        """
        Raises:
            CallRefused: By the first member that is wrong.
        """
        spec = spec_of(self._exchange, body)
        symbol, tick = spec.instrument.symbol, spec.instrument.tick_size
        side = SIDES.get(text(body, "side"))
        if side is None:
            raise bad_param("side invalid")
        order_type = text(body, "orderType")
        if order_type not in ("Limit", "Market"):
            raise bad_param("orderType invalid")
        is_market = order_type == "Market"
        time_in_force = _time_in_force(body, is_market)
        smp_type = choice(body, "smpType", tuple(SELF_TRADES), "None")
        reduce_only, close = flag(body, "reduceOnly"), flag(body, "closeOnTrigger")
        is_conditional = body.get("triggerPrice") not in (None, "", "0")
        quantity = amount(body, "qty", "qty err")
        form = OrderForm(
            spec=spec,
            side=side,
            type=OrderType.MARKET if is_market else OrderType.LIMIT,
            time_in_force=time_in_force,
            quantity=quantity,
            price=None,
            bound=None,
            reduce_only=reduce_only,
            closes_all=not quantity and reduce_only and close,
            position_side=self._position_side(account, symbol, body),
            client_id=link_id(body),
            self_trade=SELF_TRADES[smp_type],
            is_conditional=is_conditional,
            note={
                "lastPriceOnCreated": bare(self._exchange.last_price(symbol)),
                "smpType": smp_type,
                "closeOnTrigger": "1" if close else "",
                "rpiTakerAccess": "1" if flag(body, "rpiTakerAccess") else "",
            },
        )
        self._price(account, form, body)
        attached = read_attached(body, spec)
        if attached and reduce_only:
            raise bad_param("reduceOnly orders can not have tp/sl")
        if attached:
            base = form.price if form.price is not None else self._exchange.last_price(symbol)
            attached.check(side is Side.BUY, base)
            form.note |= attached.note(tick)
        return form

    # --- parts --------------------------------------------------------------------------------------------------------

    def _position_side(self, account: str, symbol: str, body: Asked) -> PositionSide:
        side = POSITION_SIDES.get(integer(body, "positionIdx", 0))
        if side is None or (side is not PositionSide.BOTH) is not self._exchange.is_hedge(account, symbol):
            raise CallRefused(10001, "position idx not match position mode")
        return side

    def _price(self, account: str, form: OrderForm, body: Asked) -> None:
        """Where it may trade: its limit, the book's level that it names, or a market order's bound."""
        side_type = choice(body, "bboSideType", ("Queue", "Counterparty"))
        if form.type is OrderType.MARKET:
            form.bound = self._tolerance(form, body) or self._prices.protective(form.symbol, form.side)
            return
        if body.get("slippageTolerance") not in (None, ""):
            raise bad_param("slippageTolerance is only for market orders")
        if side_type and not form.is_conditional:
            form.price = self._best(form, side_type, choice(body, "bboLevel", tuple("12345"), "1"))
            form.note["createType"] = "CreateByBboOrder"
            return
        form.price = amount(body, "price", "price err")
        check_price(form.spec, form.price)
        if not form.is_conditional:
            form.price = self.limited(account, form.symbol, form.side, form.price)

    def _tolerance(self, form: OrderForm, body: Asked) -> Decimal | None:
        kind = choice(body, "slippageToleranceType", ("TickSize", "Percent"))
        if not kind and body.get("slippageTolerance") in (None, ""):
            return None
        if form.is_conditional or not kind:
            raise bad_param("slippageTolerance invalid")
        tolerance = amount(body, "slippageTolerance", "slippageTolerance invalid")
        if kind == "TickSize" and not (1 <= tolerance <= MOST_TICKS and tolerance == int(tolerance)):
            raise CallRefused(110108, f"Slippage tolerance must be from 1 to {MOST_TICKS} ticks.")
        if kind == "Percent" and not (
            LEAST_PERCENT <= tolerance <= MOST_PERCENT and tolerance == tolerance.quantize(LEAST_PERCENT)
        ):
            raise CallRefused(110109, f"Slippage tolerance must be from {LEAST_PERCENT} to {MOST_PERCENT} percent.")
        bids, asks, _, _ = self._exchange.book(form.symbol, 1)
        is_buy = form.side is Side.BUY
        levels = asks if is_buy else bids
        if not levels:
            raise of_exchange(Refused(Why.NO_LIQUIDITY))
        form.note |= {"slippageToleranceType": kind, "slippageTolerance": cut(tolerance)}
        best, tick = levels[0][0], form.spec.instrument.tick_size
        away = tolerance * tick if kind == "TickSize" else best * tolerance / 100
        instrument = form.spec.instrument
        return instrument.round_price(best + away if is_buy else max(tick, best - away), "down" if is_buy else "up")

    def _best(self, form: OrderForm, side_type: str, level: str) -> Decimal:
        bids, asks, _, _ = self._exchange.book(form.symbol, int(level))
        levels = bids if (side_type == "Queue") is (form.side is Side.BUY) else asks
        if len(levels) < int(level):
            raise of_exchange(Refused(Why.NO_LIQUIDITY))
        return levels[int(level) - 1][0]

    def triggered(self, account: str, order: OrderIntent) -> OrderIntent:
        """A conditional order's limit price is held against the price limits when it triggers.

        Raises:
            Refused: It is beyond them, and the account wants that refused.
        """
        if order.price is None:
            return order
        try:
            price = self.limited(account, order.symbol, order.side, order.price)
        except CallRefused as refused:
            why = Why.PRICE_TOO_HIGH if order.side is Side.BUY else Why.PRICE_TOO_LOW
            raise Refused(why, refused.words) from None
        return msgspec.structs.replace(order, price=price)

    def limited(self, account: str, symbol: str, side: Side, price: Decimal) -> Decimal:
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


def _time_in_force(body: Asked, is_market: bool) -> TimeInForce:
    words = text(body, "timeInForce") or "GTC"
    if words == "RPI" and not is_market:
        raise CallRefused(110119, "RPI orders are only for approved market makers")
    if words not in TIMES_IN_FORCE or words == "RPI":
        raise bad_param("timeInForce invalid")
    return TimeInForce.IOC if is_market else TIMES_IN_FORCE[words]

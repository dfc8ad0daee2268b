"""The simulator's order calls that change something: placing, testing, changing and cancelling."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intents import OrderIntent
from perpwire.simulator.records import SimOrder
from perpwire.simulator.refusals import Refused, Why
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire, wire_account
from perpwire.venues.binance_futures.sim import order_params as params
from perpwire.venues.binance_futures.sim.amendments import amended_note
from perpwire.venues.binance_futures.sim.counting import AN_ORDER
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import Args, decimal, needed, needed_whole, truth, whole
from perpwire.venues.binance_futures.sim.rules import MAX_AMENDMENTS, MAX_OPEN_ORDERS
from perpwire.venues.binance_futures.sim.words import STP_WORDS, Refusal, SymbolWords, acknowledged, invalid

LONGEST_COUNTDOWN_MS = 7 * 24 * 3600 * 1000
"""The venue names no bound; beyond this it is a mistake."""


class OrderCalls:
    """`place`, `amend`, `cancel` answer REST and the trading socket alike."""

    def __init__(self, exchange: Exchange, listing: Listing) -> None:
        self._exchange = exchange
        self._listing = listing
        self._ids_made = 0

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any]) -> Row:
            return Row(handler, Security.SIGNED, 1)

        def order_row(handler: Callable[[str, Args], Any]) -> Row:
            return Row(handler, Security.SIGNED, 0, orders=AN_ORDER)

        return {
            ("POST", "/fapi/v1/order"): order_row(self.place),
            ("PUT", "/fapi/v1/order"): order_row(self.amend),
            ("DELETE", "/fapi/v1/order"): row(self.cancel),
            ("DELETE", "/fapi/v1/allOpenOrders"): row(self.cancel_all),
            ("POST", "/fapi/v1/countdownCancelAll"): Row(self._countdown, Security.SIGNED, 10),
        }

    # --- placing --------------------------------------------------------------------------------------------------

    def place(self, account: str, args: Args) -> wire.Order:
        intent, words = self.intent_of(account, args)
        answer = params.answer_of(args)
        order = self._exchange.place(account, intent)
        if answer == "ACK":
            # It says that the order was taken, not what came of it.
            order.status, order.filled_quantity = OrderStatus.NEW, Decimal(0)
            order.reason = ""
        return acknowledged(order, words)

    def intent_of(self, account: str, args: Args) -> tuple[OrderIntent, SymbolWords]:
        """The order that is asked for, checked in the order in which the venue seems to check.

        Raises:
            Refusal: By the first rule that it breaks.
            Refused: There is no such symbol.
        """
        needed(args, "symbol")
        side = params.side_of(args)
        kind = params.order_type_of(args)
        is_limit = kind is OrderType.LIMIT
        is_conditional = args["type"] in params.CONDITIONAL
        position_side = params.position_side_of(args)
        time_in_force, price_match, price_text, quantity = TimeInForce.GTC, "NONE", "", Decimal(0)
        if not is_conditional:
            time_in_force, price_match, price_text = self._limit_words(args, is_limit)
            quantity = decimal(args, "quantity")
        reduce_only = params.reduce_only_of(args)
        self_trade = params.self_trade_of(args)
        words = self._listing.words_of(args)
        client_order_id = args.get("newClientOrderId") or self.new_client_id(account)
        if not params.CLIENT_ORDER_ID.fullmatch(client_order_id):
            raise Refusal(-4015, "Client order id is not valid.")
        params.check_mode(self._exchange, account, words, position_side, reduce_only)
        if not words.spec.instrument.is_trading:
            raise Refusal(-4141, "Symbol is closed.")
        if is_conditional:
            message = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
            raise Refusal(-4120, message)
        if truth(args, "closePosition"):
            raise Refusal(-4020, f"Target strategy invalid for orderType '{kind.value}',closePosition 'true'.")
        expire_ms = params.good_till_of(args, time_in_force, self._exchange.now_ms())
        price: Decimal | None = None
        if price_text:
            price = Decimal(price_text)
        elif is_limit:
            price = params.matched_price(self._exchange, words, side, price_match)
        if price is not None:
            params.check_price(self._exchange, words, side, price)
        params.check_quantity(words, quantity)
        self._check_open_orders(account, words, side, quantity, position_side, reduce_only or False, rests=is_limit)
        if not is_limit:
            params.check_best_opposite(self._exchange, words, side)
        note = {} if price_match == "NONE" else {"priceMatch": price_match}
        if time_in_force is TimeInForce.FOK:
            # What it was given is shown, and not in force. (Post-only orders never take.)
            note["selfTradePreventionMode"], self_trade = STP_WORDS[self_trade], "none"
        return (
            OrderIntent(
                symbol=words.symbol,
                side=side,
                type=kind,
                time_in_force=time_in_force,
                quantity=quantity,
                price=price,
                client_order_id=client_order_id,
                reduce_only=reduce_only or False,
                position_side=position_side,
                self_trade=self_trade,
                bound=None if is_limit else params.market_bound(self._exchange, words, side),
                expire_ms=expire_ms,
                note=note,
            ),
            words,
        )

    def _limit_words(self, args: Args, is_limit: bool) -> tuple[TimeInForce, str, str]:
        """Time in force, price match and price, as far as this order takes them."""
        for name in ("stopPrice", "activationPrice", "activatePrice", "callbackRate", "triggerPrice"):
            if args.get(name):
                raise Refusal(-1106, f"Parameter '{name}' sent when not required.")
        if is_limit:
            time_in_force = params.time_in_force_of(args)
            price_match = params.price_match_of(args)
            return time_in_force, price_match, params.price_text_of(args, price_match)
        for name in ("timeInForce", "price"):
            if args.get(name):
                raise Refusal(-1106, f"Parameter '{name}' sent when not required.")
        if params.price_match_of(args) != "NONE":
            raise Refusal(-5038, "Invalid order type for priceMatch.")
        return TimeInForce.GTC, "NONE", ""

    def _check_open_orders(
        self,
        account: str,
        words: SymbolWords,
        side: Side,
        quantity: Decimal,
        position_side: PositionSide,
        reduce_only: bool,
        *,
        rests: bool,
    ) -> None:
        """There is room for one more that may rest, and those of its side leave something to reduce."""
        waiting = self._exchange.open_orders(account, words.symbol)
        if rests and len(waiting) >= MAX_OPEN_ORDERS:
            raise Refusal(-2025, "Reach max open order limit.")
        if not reduce_only:
            return
        held = self._exchange.position(account, words.symbol, position_side).quantity
        held = -held if side is Side.BUY else held
        before = sum((one.remaining for one in waiting if one.side is side and not one.reduce_only), Decimal(0))
        # An order that is too large by itself is refused as such.
        if quantity <= held < quantity + before:
            raise Refusal(-4118, "ReduceOnly Order Failed. Please check your existing position and open orders.")

    def new_client_id(self, account: str) -> str:
        """One that the venue makes up where none was sent."""
        self._ids_made += 1
        return hashlib.sha256(f"{account}/order/{self._exchange.now_ms()}/{self._ids_made}".encode()).hexdigest()[:22]

    # --- changing and cancelling ----------------------------------------------------------------------------------

    def amend(self, account: str, args: Args) -> wire.Order:
        words = self._listing.words_of(args)
        side = params.side_of(args)
        quantity = decimal(args, "quantity")
        price_match = params.price_match_of(args)
        price_text = params.price_text_of(args, price_match)
        modify_id = whole(args, "modifyId")
        order_id, client_order_id = params.order_key(args)
        order = self._exchange.find_order(account, words.symbol, order_id=order_id, client_order_id=client_order_id)
        if order.status.is_final:
            raise Refused(Why.UNKNOWN_ORDER)
        if order.side is not side:
            raise Refusal(-1117, "Invalid side.")
        if not words.spec.instrument.is_trading:
            raise Refusal(-5024, "Symbol is not in trading status. Order amendment is not permitted.")
        if order.type is not OrderType.LIMIT:
            raise Refusal(-5025, "Only limit order is supported.")
        price = Decimal(price_text) if price_text else params.matched_price(self._exchange, words, side, price_match)
        reduce_only = params.reduce_only_of(args)
        if reduce_only and not order.reduce_only:
            raise Refusal(-5047, "reduceOnly can't be set by a modification.")
        params.check_price(self._exchange, words, side, price)
        params.check_quantity(words, quantity)
        least = words.spec.instrument.min_notional
        if not reduce_only and least is not None and price * quantity < least:
            # Also of an order that is reduce-only: the parameter is what frees it of this.
            raise Refusal(-5029, "Order's notional is too small after the modification.")
        if (price, quantity) == (order.price, order.quantity):
            raise Refused(Why.AMEND_NO_CHANGE)
        if order.amendments >= MAX_AMENDMENTS:
            raise Refusal(-5026, f"Exceed maximum modify order limit ({MAX_AMENDMENTS}).")
        note = amended_note(order, price, quantity, price_match, modify_id, self._exchange.now_ms())
        shown = acknowledged(self._amended(account, words, order, price, quantity, note), words)
        shown.pair = words.symbol
        if modify_id is not None:
            shown.modify_id = modify_id
        return shown

    def _amended(
        self,
        account: str,
        words: SymbolWords,
        order: SimOrder,
        price: Decimal,
        quantity: Decimal,
        note: dict[str, str],
    ) -> SimOrder:
        try:
            return self._exchange.amend(
                account,
                words.symbol,
                order_id=order.order_id,
                client_order_id=None,
                price=price,
                quantity=quantity,
                keep_priority_on_reduce=False,
                self_trade="none",  # a modification resets it
                note=note,
            )
        except Refused as refused:
            if refused.why is Why.AMEND_BELOW_FILLED:
                # There is nothing left to fill: the venue cancels it.
                return self._exchange.cancel(account, words.symbol, order_id=order.order_id, client_order_id=None)
            raise

    def cancel(self, account: str, args: Args) -> wire.Order:
        words = self._listing.words_of(args)
        order_id, client_order_id = params.order_key(args)
        return self.cancel_one(account, words, order_id, client_order_id)

    def cancel_one(
        self, account: str, words: SymbolWords, order_id: int | None, client_order_id: str | None
    ) -> wire.Order:
        """
        Raises:
            Refusal: -2011.
        """
        try:
            order = self._exchange.cancel(account, words.symbol, order_id=order_id, client_order_id=client_order_id)
        except Refused:
            raise Refusal(-2011, "Unknown order sent.") from None
        return acknowledged(order, words)

    def cancel_all(self, account: str, args: Args) -> wire.Done:
        self._exchange.cancel_all(account, self._listing.words_of(args).symbol)
        return wire.Done(code=200, msg="The operation of cancel all open order is done.")

    def _countdown(self, account: str, args: Args) -> wire_account.Countdown:
        words = self._listing.words_of(args)
        wait_ms = needed_whole(args, "countdownTime")
        if wait_ms > LONGEST_COUNTDOWN_MS:
            raise invalid("countdownTime")
        self._exchange.set_countdown(account, words.symbol, wait_ms)
        return wire_account.Countdown(symbol=words.symbol, countdown_time=str(wait_ms))

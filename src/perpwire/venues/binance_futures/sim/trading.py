"""The simulator's order calls: placing, changing, cancelling, and reading orders and trades."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.events import Refused, SelfTrade, SimFill, SimOrder, Why
from perpwire.simulator.exchange import Exchange, OrderIntent
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire
from perpwire.venues.binance_futures.sim.gateway import Args, Row, Rows, limit_of, needed, whole
from perpwire.venues.binance_futures.sim.market import MAX_OPEN_ORDERS, PERCENT_DOWN, PERCENT_UP, MarketCalls
from perpwire.venues.binance_futures.sim.words import (
    BRACKET,
    DEFAULT_STP_MODE,
    SELF_TRADES,
    TIMES_IN_FORCE,
    Refusal,
    SymbolWords,
    acknowledged,
    missing,
    money,
    places_of,
    queried,
)

FORGOTTEN_AFTER_MS = 3 * 24 * 3600 * 1000
"""An order that ended without a fill is not found by its id after so long."""
DEFAULT_SPAN_MS = 7 * 24 * 3600 * 1000
"""How far history goes back where no time is asked for, and how long a span may be."""

_CLIENT_ORDER_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_NUMBER = re.compile(r"\d{1,20}(\.\d{1,20})?", re.ASCII)
_SIGNED_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?", re.ASCII)
_CONDITIONAL = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})
_ANSWERS = frozenset({"ACK", "RESULT"})


class TradingCalls:
    def __init__(self, exchange: Exchange, market: MarketCalls) -> None:
        self._exchange = exchange
        self._words_of = market.words_of
        self._ids_made = 0

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any], weight: int | Callable[[Args], int]) -> Row:
            return Row(handler, Security.SIGNED, weight)

        def order_row(handler: Callable[[str, Args], Any]) -> Row:
            return Row(handler, Security.SIGNED, 0, is_order=True)

        return {
            ("POST", "/fapi/v1/order"): order_row(self._place),
            ("PUT", "/fapi/v1/order"): order_row(self._amend),
            ("DELETE", "/fapi/v1/order"): row(self._cancel, 1),
            ("DELETE", "/fapi/v1/allOpenOrders"): row(self._cancel_all, 1),
            ("GET", "/fapi/v1/order"): row(self._order, 1),
            ("GET", "/fapi/v1/openOrder"): row(self._open_order, 1),
            ("GET", "/fapi/v1/openOrders"): row(self._open_orders, lambda args: 1 if args.get("symbol") else 40),
            ("GET", "/fapi/v1/allOrders"): row(self._all_orders, 5),
            ("GET", "/fapi/v1/userTrades"): row(self._user_trades, 5),
        }

    # --- placing --------------------------------------------------------------------------------------------------

    def _place(self, account: str, args: Args) -> wire.Order:
        intent, words = self._intent(account, args)
        answer = args.get("newOrderRespType") or "ACK"
        if answer not in _ANSWERS:
            raise Refusal(-1136, "Invalid newOrderRespType.")
        order = self._exchange.place(account, intent)
        if answer == "ACK":
            # It says that the order was taken, not what came of it.
            order.status, order.filled_quantity = OrderStatus.NEW, Decimal(0)
            order.reason = ""
        return acknowledged(order, words)

    def _intent(self, account: str, args: Args) -> tuple[OrderIntent, SymbolWords]:
        """The order that is asked for, checked in the order in which the venue seems to check.

        Raises:
            Refusal: By the first rule that it breaks.
            Refused: There is no such symbol.
        """
        needed(args, "symbol")
        side = _side(args)
        kind = _order_type(args)
        is_limit = kind is OrderType.LIMIT
        time_in_force = _time_in_force(args, is_limit)
        price_match = args.get("priceMatch") or "NONE"
        price_text = self._price_text(args, is_limit, price_match)
        quantity = _decimal(args, "quantity")
        reduce_only = _truth(args, "reduceOnly")
        self_trade = _self_trade(args)
        words = self._words_of(args)
        client_order_id = args.get("newClientOrderId") or self._client_order_id(account)
        if not _CLIENT_ORDER_ID.fullmatch(client_order_id):
            raise Refusal(-4015, "Client order id is not valid.")
        _check_position_side(args)
        if not words.spec.instrument.is_trading:
            raise Refusal(-4141, "Symbol is closed.")
        price: Decimal | None = None
        if price_text:
            price = Decimal(price_text)
        elif is_limit:
            price = self._matched_price(words, side, price_match)
        if price is not None:
            self._check_price(words, side, price)
        _check_places(quantity, words.quantity_places)
        self._check_room(account, words, side, quantity, price, reduce_only)
        return (
            OrderIntent(
                symbol=words.symbol,
                side=side,
                type=kind,
                time_in_force=time_in_force,
                quantity=quantity,
                price=price,
                client_order_id=client_order_id,
                reduce_only=reduce_only,
                self_trade=self_trade,
            ),
            words,
        )

    def _price_text(self, args: Args, is_limit: bool, price_match: str) -> str:
        """`price` as far as this order takes one."""
        if not is_limit:
            if args.get("price"):
                raise Refusal(-1106, "Parameter 'price' sent when not required.")
            if price_match != "NONE":
                raise Refusal(-5038, "Invalid order type for priceMatch.")
            return ""
        if price_match == "NONE":
            return _number_text(args, "price")
        if args.get("price"):
            raise Refusal(-1106, "Parameter 'price' sent when not required.")
        return ""

    def _matched_price(self, words: SymbolWords, side: Side, price_match: str) -> Decimal:
        """The price that stands at the wanted place of the book."""
        found = re.fullmatch(r"(OPPONENT|QUEUE)(?:_(5|10|20))?", price_match)
        # The two deepest of the other side have been switched off since 2025-10-23.
        if found is None or price_match in ("OPPONENT_10", "OPPONENT_20"):
            raise Refusal(-5037, "Invalid price match.")
        depth = int(found.group(2) or 1)
        bids, asks, _, _ = self._exchange.book(words.symbol, depth)
        levels = bids if (found.group(1) == "QUEUE") is (side is Side.BUY) else asks
        if len(levels) < depth:
            raise Refusal(-5041, "No depth matches this BBO order.")
        return levels[depth - 1][0]

    def _check_price(self, words: SymbolWords, side: Side, price: Decimal) -> None:
        if price <= 0:
            raise Refused(Why.PRICE_NOT_POSITIVE)
        _check_places(price, words.price_places)
        mark = self._exchange.mark_price(words.symbol)
        if side is Side.BUY and price > mark * PERCENT_UP:
            raise Refusal(-4016, f"Limit price can't be higher than {words.price(mark * PERCENT_UP)}.")
        if side is Side.SELL and price < mark * PERCENT_DOWN:
            raise Refusal(-4024, f"Limit price can't be lower than {words.price(mark * PERCENT_DOWN)}.")

    def _check_room(
        self, account: str, words: SymbolWords, side: Side, quantity: Decimal, price: Decimal | None, reduce_only: bool
    ) -> None:
        """The number of open orders, and the largest position that the leverage brackets allow."""
        if len(self._exchange.open_orders(account, words.symbol)) >= MAX_OPEN_ORDERS:
            raise Refusal(-2025, "Reach max open order limit.")
        if reduce_only:
            return
        held = self._exchange.position(account, words.symbol).quantity
        after = abs(held + (quantity if side is Side.BUY else -quantity))
        value = after * (price or self._exchange.mark_price(words.symbol))
        if after > abs(held) and value > BRACKET.notional_cap:
            raise Refusal(-2027, "Exceeded the maximum allowable position at current leverage.")

    def _client_order_id(self, account: str) -> str:
        """One that the venue makes up where none was sent."""
        self._ids_made += 1
        return hashlib.sha256(f"{account}/order/{self._ids_made}".encode()).hexdigest()[:22]

    # --- changing and cancelling ----------------------------------------------------------------------------------

    def _amend(self, account: str, args: Args) -> wire.Order:
        words = self._words_of(args)
        side = _side(args)
        quantity = _decimal(args, "quantity")
        price_match = args.get("priceMatch") or "NONE"
        price_text = self._price_text(args, True, price_match)
        order = self._find(account, args, words)
        if order.status.is_final:
            raise Refused(Why.UNKNOWN_ORDER)
        if order.side is not side:
            raise Refusal(-1117, "Invalid side.")
        price = Decimal(price_text) if price_text else self._matched_price(words, side, price_match)
        if _truth(args, "reduceOnly") and not order.reduce_only:
            raise Refusal(-5047, "reduceOnly can't be set by a modification.")
        self._check_price(words, side, price)
        _check_places(quantity, words.quantity_places)
        amended = self._amended(account, words, order, price, quantity)
        shown = acknowledged(amended, words)
        shown.pair = words.symbol
        modify_id = whole(args, "modifyId")
        if modify_id is not None:
            shown.modify_id = modify_id
        return shown

    def _amended(
        self, account: str, words: SymbolWords, order: SimOrder, price: Decimal, quantity: Decimal
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
            )
        except Refused as refused:
            if refused.why is Why.AMEND_BELOW_FILLED:
                # There is nothing left to fill: the venue cancels it.
                return self._exchange.cancel(account, words.symbol, order_id=order.order_id, client_order_id=None)
            if refused.why is Why.NOTIONAL_TOO_SMALL:
                raise Refusal(-5029, "Order's notional is too small after the modification.") from None
            raise

    def _cancel(self, account: str, args: Args) -> wire.Order:
        words = self._words_of(args)
        order_id, client_order_id = _order_key(args)
        try:
            order = self._exchange.cancel(account, words.symbol, order_id=order_id, client_order_id=client_order_id)
        except Refused:
            raise Refusal(-2011, "Unknown order sent.") from None
        return acknowledged(order, words)

    def _cancel_all(self, account: str, args: Args) -> dict[str, Any]:
        self._exchange.cancel_all(account, self._words_of(args).symbol)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    # --- reading --------------------------------------------------------------------------------------------------

    def _find(self, account: str, args: Args, words: SymbolWords) -> SimOrder:
        order_id, client_order_id = _order_key(args)
        return self._exchange.find_order(account, words.symbol, order_id=order_id, client_order_id=client_order_id)

    def _order(self, account: str, args: Args) -> wire.Order:
        words = self._words_of(args)
        order = self._find(account, args, words)
        age_ms = self._exchange.now_ms() - order.updated_ms
        if order.status.is_final and not order.filled_quantity and age_ms > FORGOTTEN_AFTER_MS:
            raise Refused(Why.UNKNOWN_ORDER)
        return queried(order, words)

    def _open_order(self, account: str, args: Args) -> wire.Order:
        words = self._words_of(args)
        order = self._find(account, args, words)
        if order.status.is_final:
            raise Refused(Why.UNKNOWN_ORDER)
        return queried(order, words)

    def _open_orders(self, account: str, args: Args) -> list[wire.Order]:
        symbol = self._words_of(args).symbol if args.get("symbol") else None
        return [self._queried(order) for order in self._exchange.open_orders(account, symbol)]

    def _all_orders(self, account: str, args: Args) -> list[wire.Order]:
        """The newest that fit, oldest first."""
        symbol = self._words_of(args).symbol if args.get("symbol") else None
        first_id = whole(args, "orderId")
        start_ms, end_ms = self._span(args)
        found = [
            order
            for order in self._exchange.orders(account, symbol)
            if (order.order_id >= first_id if first_id is not None else start_ms <= order.created_ms <= end_ms)
        ]
        rows = [self._queried(order) for order in found[-limit_of(args, 500, 1000) :]]
        for row in rows:
            row.pair = row.symbol
        return rows

    def _user_trades(self, account: str, args: Args) -> list[wire.UserTrade]:
        """The oldest that fit."""
        words = self._words_of(args)
        order_id, first_id = whole(args, "orderId"), whole(args, "fromId")
        start_ms, end_ms = self._span(args)
        found = [
            _user_trade(order, fill, words)
            for order, fill in self._exchange.fills(account, words.symbol)
            if (fill.trade_id >= first_id if first_id is not None else start_ms <= fill.time_ms <= end_ms)
            and (order_id is None or order.order_id == order_id)
        ]
        return found[: limit_of(args, 500, 1000)]

    def _queried(self, order: SimOrder) -> wire.Order:
        return queried(order, self._words_of({"symbol": order.symbol}))

    def _span(self, args: Args) -> tuple[int, int]:
        """From and to, Unix milliseconds."""
        start_ms, end_ms = whole(args, "startTime"), whole(args, "endTime")
        if start_ms is not None and end_ms is not None:
            if start_ms > end_ms:
                raise Refusal(-1023, "Start time is greater than end time.")
            if end_ms - start_ms > DEFAULT_SPAN_MS:
                raise Refusal(-4165, "Invalid time interval.")
        if start_ms is not None:
            return start_ms, start_ms + DEFAULT_SPAN_MS if end_ms is None else end_ms
        end_ms = self._exchange.now_ms() if end_ms is None else end_ms
        return end_ms - DEFAULT_SPAN_MS, end_ms


# --- one parameter each -----------------------------------------------------------------------------------------------


def _side(args: Args) -> Side:
    text = needed(args, "side")
    if text not in ("BUY", "SELL"):
        raise Refusal(-1117, "Invalid side.")
    return Side(text)


def _order_type(args: Args) -> OrderType:
    text = needed(args, "type")
    if text in _CONDITIONAL:
        message = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
        raise Refusal(-4120, message)
    if text not in ("LIMIT", "MARKET"):
        raise Refusal(-1116, "Invalid orderType.")
    return OrderType(text)


def _time_in_force(args: Args, is_limit: bool) -> TimeInForce:
    if not is_limit:
        if args.get("timeInForce"):
            raise Refusal(-1106, "Parameter 'timeInForce' sent when not required.")
        return TimeInForce.GTC
    word = needed(args, "timeInForce")
    if word == "RPI":
        raise Refusal(-4188, "Symbol is not in the white list of RPI orders.")
    found = TIMES_IN_FORCE.get(word)
    if found is None:
        raise Refusal(-1115, "Invalid timeInForce.")
    return found


def _number_text(args: Args, name: str) -> str:
    text = needed(args, name)
    if _NUMBER.fullmatch(text):
        return text
    if _SIGNED_NUMBER.fullmatch(text):
        raise Refused(Why.PRICE_NOT_POSITIVE if name == "price" else Why.QUANTITY_NOT_POSITIVE)
    legal = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
    raise Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def _decimal(args: Args, name: str) -> Decimal:
    return Decimal(_number_text(args, name))


def _check_places(number: Decimal, places: int) -> None:
    """Trailing zeros don't count."""
    if places_of(number.normalize()) > places:
        raise Refusal(-1111, "Precision is over the maximum defined for this asset.")


def _self_trade(args: Args) -> SelfTrade:
    found = SELF_TRADES.get(args.get("selfTradePreventionMode") or DEFAULT_STP_MODE)
    if found is None:
        raise Refusal(-5039, "Invalid self trade prevention mode.")
    return found


def _truth(args: Args, name: str) -> bool:
    text = (args.get(name) or "false").lower()
    if text not in ("true", "false"):
        raise missing(name)
    return text == "true"


def _check_position_side(args: Args) -> None:
    """Accounts are in one-way mode."""
    text = args.get("positionSide") or "BOTH"
    if text not in PositionSide.__members__:
        raise Refusal(-4060, "Invalid position side.")
    if text != "BOTH":
        raise Refusal(-4061, "Order's position side does not match user's setting.")


def _order_key(args: Args) -> tuple[int | None, str | None]:
    """The order's id, which counts first, or its client's."""
    order_id = whole(args, "orderId")
    if order_id is not None:
        return order_id, None
    client_order_id = args.get("origClientOrderId")
    if not client_order_id:
        raise Refusal(-1102, "Either 'origClientOrderId' or 'orderId' must be sent.")
    return None, client_order_id


def _user_trade(order: SimOrder, fill: SimFill, words: SymbolWords) -> wire.UserTrade:
    return wire.UserTrade(
        id=fill.trade_id,
        symbol=order.symbol,
        pair=order.symbol,
        order_id=order.order_id,
        side=order.side.value,
        price=words.price(fill.price),
        qty=words.quantity(fill.quantity),
        quote_qty=words.value(fill.price * fill.quantity),
        base_qty=words.quantity(fill.quantity),
        realized_pnl=money(fill.realized_pnl),
        margin_asset=words.spec.instrument.settle,
        commission=money(fill.fee),
        commission_asset=fill.fee_asset,
        time=fill.time_ms,
        position_side=order.position_side.value,
        buyer=order.side is Side.BUY,
        maker=fill.is_maker,
    )

"""order/test: whether an order would be taken, without placing it.

It takes conditional orders too, by the names that their parameters had when they were placed as ordinary ones.
"""

from __future__ import annotations

from decimal import Decimal

from perpwire.model.order import OrderStatus
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intents import OrderIntent, TriggerIntent
from perpwire.simulator.records import SimOrder
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire
from perpwire.venues.binance_futures.sim import order_params as params
from perpwire.venues.binance_futures.sim.algo_params import intent_of
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.orders import OrderCalls
from perpwire.venues.binance_futures.sim.params import Args
from perpwire.venues.binance_futures.sim.words import acknowledged, stripped

_NEWER_NAMES = {"stopPrice": "triggerPrice", "activationPrice": "activatePrice", "newClientOrderId": "clientAlgoId"}


class OrderTrials:
    def __init__(self, exchange: Exchange, listing: Listing, orders: OrderCalls) -> None:
        self._exchange = exchange
        self._listing = listing
        self._orders = orders

    def rows(self) -> Rows:
        return {("POST", "/fapi/v1/order/test"): Row(self._test, Security.SIGNED, 1)}

    def _test(self, account: str, args: Args) -> wire.Order:
        """An order that there is not, as it would be."""
        if args.get("type") in params.CONDITIONAL:
            return self._test_conditional(account, args)
        intent, words = self._orders.intent_of(account, args)
        params.answer_of(args)
        self._exchange.check(account, intent)
        return acknowledged(self._order(account, intent, intent.client_order_id), words)

    def _test_conditional(self, account: str, args: Args) -> wire.Order:
        newer = {_NEWER_NAMES.get(name, name): value for name, value in args.items()} | {"algoType": "CONDITIONAL"}
        client_id = newer.get("clientAlgoId") or self._orders.new_client_id(account)
        intent = intent_of(self._exchange, self._listing, account, newer, client_id)
        self._exchange.check_trigger(account, intent)
        words = self._listing.words[intent.symbol]
        shown = acknowledged(self._order(account, intent, client_id), words)
        shown.type = shown.orig_type = args["type"]
        shown.stop_price = words.price(intent.trigger_price or Decimal(0))
        shown.working_type = args.get("workingType", "CONTRACT_PRICE")
        shown.price_protect = intent.price_protect is not None
        shown.time_in_force = intent.note["timeInForce"]
        if intent.callback_rate is not None:
            shown.activate_price = words.price(intent.activation_price or self._exchange.last_price(words.symbol))
            shown.price_rate = stripped(intent.callback_rate * 100)
        return shown

    def _order(self, account: str, intent: OrderIntent | TriggerIntent, client_id: str) -> SimOrder:
        now_ms = self._exchange.now_ms()
        return SimOrder(
            account=account,
            symbol=intent.symbol,
            order_id=0,
            client_order_id=client_id,
            side=intent.side,
            type=intent.type,
            time_in_force=intent.time_in_force,
            price=intent.price,
            quantity=intent.quantity,
            reduce_only=intent.reduce_only,
            close_position=intent.close_position,
            position_side=intent.position_side,
            status=OrderStatus.NEW,
            created_ms=now_ms,
            updated_ms=now_ms,
            self_trade=intent.self_trade,
            expire_ms=intent.expire_ms,
            note=intent.note,
        )

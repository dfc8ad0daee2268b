"""The simulator's conditional orders: the venue keeps them apart from the ordinary ones until they trigger."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import SimTrigger
from perpwire.simulator.refusals import Refused, Why
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire, wire_algo
from perpwire.venues.binance_futures.sim.algo_params import intent_of
from perpwire.venues.binance_futures.sim.algo_words import placed, shown
from perpwire.venues.binance_futures.sim.counting import AN_ORDER
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.order_history import FORGOTTEN_AFTER_MS, LOST_AFTER_MS
from perpwire.venues.binance_futures.sim.params import Args, limit_of, span, whole
from perpwire.venues.binance_futures.sim.rules import MAX_CONDITIONAL_ORDERS
from perpwire.venues.binance_futures.sim.words import Refusal, invalid


class AlgoCalls:
    """`place` and `cancel` answer REST and the trading socket alike."""

    def __init__(self, exchange: Exchange, listing: Listing) -> None:
        self._exchange = exchange
        self._listing = listing
        self._ids_made = 0

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any], weight: int | Callable[[Args], int]) -> Row:
            return Row(handler, Security.SIGNED, weight)

        return {
            ("POST", "/fapi/v1/algoOrder"): Row(self.place, Security.SIGNED, 0, orders=AN_ORDER),
            ("DELETE", "/fapi/v1/algoOrder"): row(self.cancel, 1),
            ("DELETE", "/fapi/v1/algoOpenOrders"): row(self._cancel_all, 1),
            ("GET", "/fapi/v1/algoOrder"): row(self._order, 1),
            ("GET", "/fapi/v1/openAlgoOrders"): row(self._open, lambda args: 1 if args.get("symbol") else 40),
            ("GET", "/fapi/v1/allAlgoOrders"): row(self._all, 5),
        }

    # --- placing and cancelling -----------------------------------------------------------------------------------

    def place(self, account: str, args: Args) -> wire_algo.AlgoOrder:
        client_id = args.get("clientAlgoId") or self._client_id(account)
        intent = intent_of(self._exchange, self._listing, account, args, client_id)
        waiting = self._exchange.open_triggers(account, None)
        if len(waiting) >= MAX_CONDITIONAL_ORDERS:
            raise Refusal(-4045, "Reach max stop order limit.")
        if intent.close_position and any(
            one.intent.close_position
            and (one.symbol, one.intent.side, one.intent.position_side, one.intent.kind)
            == (intent.symbol, intent.side, intent.position_side, intent.kind)
            for one in waiting
        ):
            raise Refusal(
                -4130, "An open stop or take profit order with GTE and closePosition in the direction is existing."
            )
        trigger = self._exchange.place_trigger(account, intent)
        return placed(trigger, self._listing.words[trigger.symbol])

    def _client_id(self, account: str) -> str:
        """One that the venue makes up where none was sent."""
        self._ids_made += 1
        return hashlib.sha256(f"{account}/algo/{self._exchange.now_ms()}/{self._ids_made}".encode()).hexdigest()[:22]

    def cancel(self, account: str, args: Args) -> wire_algo.AlgoCancelled:
        algo_id, client_id = _key(args)
        try:
            trigger = self._exchange.cancel_trigger(account, trigger_id=algo_id, client_id=client_id)
        except Refused:
            raise Refusal(-2011, "Unknown order sent.") from None
        return wire_algo.AlgoCancelled(
            algo_id=trigger.trigger_id, client_algo_id=trigger.client_id, code="200", msg="success"
        )

    def _cancel_all(self, account: str, args: Args) -> wire.Done:
        self._exchange.cancel_triggers(account, self._listing.words_of(args).symbol)
        return wire.Done(code=200, msg="The operation of cancel all open order is done.")

    # --- reading --------------------------------------------------------------------------------------------------

    def _order(self, account: str, args: Args) -> wire_algo.AlgoOrder:
        algo_id, client_id = _key(args)
        try:
            trigger = self._exchange.find_trigger(account, trigger_id=algo_id, client_id=client_id)
        except Refused:
            raise Refused(Why.UNKNOWN_ORDER) from None
        if self._is_forgotten(trigger):
            raise Refused(Why.UNKNOWN_ORDER)
        return self._shown(trigger)

    def _is_forgotten(self, trigger: SimTrigger) -> bool:
        now_ms = self._exchange.now_ms()
        if now_ms - trigger.created_ms > LOST_AFTER_MS:
            return True
        return trigger.status in ("canceled", "expired") and now_ms - trigger.updated_ms > FORGOTTEN_AFTER_MS

    def _open(self, account: str, args: Args) -> list[wire_algo.AlgoOrder]:
        symbol = self._listing.words_of(args).symbol if args.get("symbol") else None
        _check_algo_type(args)
        algo_id = whole(args, "algoId")
        return [
            self._shown(one)
            for one in self._exchange.open_triggers(account, symbol)
            if algo_id in (None, one.trigger_id)
        ]

    def _all(self, account: str, args: Args) -> list[wire_algo.AlgoOrder]:
        """The newest that fit, oldest first."""
        words = self._listing.words_of(args)
        first_id = whole(args, "algoId")
        start_ms, end_ms = span(args, self._exchange.now_ms())
        limit = limit_of(args, 500, 1000)
        found = [
            one
            for one in self._exchange.triggers(account, words.symbol)
            if (one.trigger_id >= first_id if first_id is not None else start_ms <= one.created_ms <= end_ms)
            and not self._is_forgotten(one)
        ]
        return [self._shown(one) for one in found[-limit:]]

    def _shown(self, trigger: SimTrigger) -> wire_algo.AlgoOrder:
        order = None
        if trigger.order_id:
            order = self._exchange.find_order(
                trigger.account, trigger.symbol, order_id=trigger.order_id, client_order_id=None
            )
        return shown(trigger, order, self._listing.words[trigger.symbol])


def _key(args: Args) -> tuple[int | None, str | None]:
    """The id, which counts first, or the client's."""
    algo_id = whole(args, "algoId")
    if algo_id is not None:
        return algo_id, None
    client_id = args.get("clientAlgoId")
    if not client_id:
        raise Refusal(-1102, "Param 'algoId' or 'clientAlgoId' must be sent, but both were empty/null!")
    return None, client_id


def _check_algo_type(args: Args) -> None:
    if args.get("algoType", "CONDITIONAL") != "CONDITIONAL":
        raise invalid("algoType")

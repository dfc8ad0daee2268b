"""What the private stream says of the exchange's events: one small function for each kind."""

from __future__ import annotations

from collections.abc import Mapping

from perpwire.simulator.events import AccountChanged, MarginCalled, OrderChanged, SettingsChanged, TriggerChanged
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.records import SimOrder, SimPosition, SimTrigger
from perpwire.simulator.refusals import Refused
from perpwire.simulator.specs import PositionView
from perpwire.simulator.vocabulary import ZERO
from perpwire.venues.binance_futures import wire_user
from perpwire.venues.binance_futures.sim.algo_words import STATUS_WORDS, order_type_word, working_word
from perpwire.venues.binance_futures.sim.positions import open_notionals
from perpwire.venues.binance_futures.sim.words import (
    REFUSALS,
    SymbolWords,
    break_even_price,
    client_id_word,
    expiry_reason,
    rounded,
    status_word,
    stp_word,
    stripped,
    time_in_force_word,
)

_EXECUTION_TYPES = {
    "new": "NEW",
    "trade": "TRADE",
    "amended": "AMENDMENT",
    "canceled": "CANCELED",
    "expired": "EXPIRED",
    "rejected": "REJECTED",
}

_REASONS = {
    "order": "ORDER",
    "funding": "FUNDING_FEE",
    "margin": "MARGIN_TRANSFER",
    "margin_mode": "MARGIN_TYPE_CHANGE",
    "liquidation": "ORDER",
    "adl": "ORDER",
    "insurance": "INSURANCE_CLEAR",
}
"""Why an account has changed; "deposit" is DEPOSIT or WITHDRAW, by its sign."""

# --- orders -----------------------------------------------------------------------------------------------------------


def order_trade_update(exchange: Exchange, changed: OrderChanged) -> wire_user.OrderTradeUpdate:
    order, fill = changed.order, changed.fill
    bids, asks = open_notionals(exchange, changed.account, order.symbol)
    status = status_word(order)
    execution_type = _EXECUTION_TYPES[changed.what]
    if changed.what == "trade" and order.origin in ("liquidation", "takeover", "adl"):
        execution_type = "CALCULATED"  # by the venue, not by a match
    elif changed.what == "canceled" and status == "EXPIRED":
        execution_type = "EXPIRED"
    update = wire_user.OrderUpdate(
        symbol=order.symbol,
        client_order_id=client_id_word(order),
        side=order.side.value,
        type="LIQUIDATION" if order.origin in ("liquidation", "takeover") else order.type.value,
        time_in_force=time_in_force_word(order),
        quantity=stripped(order.quantity),
        price=stripped(order.price or ZERO),
        average_price=stripped(rounded(order.average_price or ZERO)),
        stop_price="0",
        execution_type=execution_type,
        status=status,
        order_id=order.order_id,
        last_quantity=stripped(fill.quantity if fill else ZERO),
        filled_quantity=stripped(order.filled_quantity),
        last_price=stripped(fill.price if fill else ZERO),
        fee=stripped(fill.fee if fill else ZERO),
        fee_asset=fill.fee_asset if fill else exchange.spec(order.symbol).instrument.settle,
        trade_time=changed.time_ms,
        trade_id=fill.trade_id if fill else 0,
        bids_notional=stripped(bids),
        asks_notional=stripped(asks),
        is_maker=fill.is_maker if fill else False,
        reduce_only=order.reduce_only,
        working_type="CONTRACT_PRICE",
        original_type=order.type.value,
        position_side=order.position_side.value,
        close_position=order.close_position,
        realized_profit=stripped(fill.realized_pnl if fill else ZERO),
        price_protect=False,
        ignored_1=0,
        ignored_2=0,
        stp_mode=stp_word(order),
        price_match=order.note.get("priceMatch", "NONE"),
        good_till_date=order.expire_ms,
        expiry_reason=expiry_reason(order),
    )
    if changed.what == "amended" and order.note.get("modifyId"):
        update.modify_id = order.note["modifyId"]
    return wire_user.OrderTradeUpdate(transaction_time=changed.time_ms, event_time=exchange.now_ms(), order=update)


def trade_lite(exchange: Exchange, changed: OrderChanged) -> wire_user.TradeLite:
    order, fill = changed.order, changed.fill
    assert fill is not None  # every "trade" has one
    return wire_user.TradeLite(
        event_time=exchange.now_ms(),
        trade_time=changed.time_ms,
        symbol=order.symbol,
        quantity=stripped(order.quantity),
        price=stripped(order.price or ZERO),
        is_maker=fill.is_maker,
        client_order_id=client_id_word(order),
        side=order.side.value,
        last_price=stripped(fill.price),
        last_quantity=stripped(fill.quantity),
        trade_id=fill.trade_id,
        order_id=order.order_id,
    )


# --- accounts ---------------------------------------------------------------------------------------------------------


def account_update(
    exchange: Exchange, words: Mapping[str, SymbolWords], changed: AccountChanged
) -> wire_user.AccountUpdate:
    is_funding = changed.reason == "funding"
    change = wire_user.AccountChange(
        balances=[
            wire_user.BalanceChange(
                asset=asset,
                wallet_balance=stripped(balance),
                cross_wallet_balance=stripped(changed.cross_wallet),
                change=stripped(amount),
            )
            for asset, balance, amount in changed.wallets
        ],
        positions=[
            _position_change(exchange, words[position.symbol], position)
            for position in changed.positions
            # What funding does to a position with cross margin, it does to the wallet.
            if not is_funding or position.is_isolated
        ],
        reason=_reason(changed),
    )
    if is_funding:
        change.symbol = changed.symbol
    return wire_user.AccountUpdate(transaction_time=changed.time_ms, event_time=exchange.now_ms(), change=change)


def margin_type_changed(exchange: Exchange, words: SymbolWords, changed: SettingsChanged) -> wire_user.AccountUpdate:
    """Possible without a position only: so no cash has moved."""
    views = exchange.position_views(changed.account, changed.symbol)
    change = wire_user.AccountChange(
        balances=[],
        positions=[_position_change(exchange, words, view.position) for view in views],
        reason="MARGIN_TYPE_CHANGE",
    )
    return wire_user.AccountUpdate(transaction_time=changed.time_ms, event_time=exchange.now_ms(), change=change)


def _reason(changed: AccountChanged) -> str:
    if changed.reason == "deposit":
        return "DEPOSIT" if sum((amount for _, _, amount in changed.wallets), ZERO) >= 0 else "WITHDRAW"
    return _REASONS[changed.reason]


def _position_change(exchange: Exchange, words: SymbolWords, position: SimPosition) -> wire_user.PositionChange:
    return wire_user.PositionChange(
        symbol=position.symbol,
        quantity=stripped(position.quantity),
        entry_price=stripped(rounded(position.entry_price)),
        accumulated_profit=stripped(position.realized_pnl),
        unrealized_profit=stripped(rounded(position.unrealized(exchange.mark_price(position.symbol)))),
        margin_type="isolated" if position.is_isolated else "cross",
        isolated_wallet=stripped(position.isolated_margin),
        position_side=position.side.value,
        margin_asset=words.spec.instrument.settle,
        break_even_price=stripped(break_even_price(position, words.spec.taker_fee)),
    )


def leverage_changed(exchange: Exchange, symbol: str, leverage: str, time_ms: int) -> wire_user.AccountConfigUpdate:
    changed = wire_user.LeverageChange(symbol=symbol, leverage=int(leverage))
    return wire_user.AccountConfigUpdate(event_time=exchange.now_ms(), transaction_time=time_ms, leverage=changed)


def multi_assets_changed(exchange: Exchange, is_on: bool, time_ms: int) -> wire_user.AccountConfigUpdate:
    return wire_user.AccountConfigUpdate(
        event_time=exchange.now_ms(), transaction_time=time_ms, multi_assets=wire_user.MultiAssetsChange(is_on)
    )


def margin_call(exchange: Exchange, called: MarginCalled) -> wire_user.MarginCall:
    """All cross positions, or the isolated one that is in question."""
    views = [
        view
        for view in exchange.position_views(called.account, called.symbol or None)
        if view.position.quantity
        and (view.position.side is called.side if called.symbol else not view.position.is_isolated)
    ]
    call = wire_user.MarginCall(event_time=exchange.now_ms(), positions=[_called_position(view) for view in views])
    if not called.symbol:
        call.cross_wallet = stripped(exchange.view(called.account).cross_wallet)
    return call


def _called_position(view: PositionView) -> wire_user.CalledPosition:
    position = view.position
    return wire_user.CalledPosition(
        symbol=position.symbol,
        position_side=position.side.value,
        quantity=stripped(position.quantity),
        margin_type="ISOLATED" if position.is_isolated else "CROSSED",
        isolated_wallet=stripped(position.isolated_margin),
        mark_price=stripped(view.mark_price),
        unrealized_profit=stripped(rounded(view.unrealized_pnl)),
        maintenance_margin=stripped(rounded(view.maintenance_margin)),
    )


# --- conditional orders -----------------------------------------------------------------------------------------------


def algo_update(exchange: Exchange, changed: TriggerChanged) -> wire_user.AlgoUpdate:
    trigger = changed.trigger
    intent = trigger.intent
    update = wire_user.AlgoOrder(
        client_algo_id=trigger.client_id,
        algo_id=trigger.trigger_id,
        type=order_type_word(trigger),
        symbol=intent.symbol,
        side=intent.side.value,
        position_side=intent.position_side.value,
        time_in_force=intent.note.get("timeInForce", "GTC"),
        quantity=stripped(intent.quantity),
        status=STATUS_WORDS[trigger.status],
        actual_order_id=str(trigger.order_id) if trigger.order_id else "",
        trigger_price=stripped(intent.trigger_price or ZERO),
        price=stripped(intent.price or ZERO),
        stp_mode=stp_word(intent),
        working_type=working_word(trigger),
        price_match=intent.note.get("priceMatch", "NONE"),
        close_position=intent.close_position,
        price_protect=intent.price_protect is not None,
        reduce_only=intent.reduce_only,
        trigger_time=trigger.triggered_ms,
        good_till_date=intent.expire_ms,
        is_activated=intent.kind == "trailing" and trigger.is_activated,
    )
    if trigger.order_id:
        # The order of one that has just triggered is not matched yet, though the exchange may know what came of it.
        order = _order_of(exchange, trigger) if trigger.status == "finished" else None
        update.average_price = stripped(rounded(order.average_price or ZERO)) if order else "0"
        update.filled_quantity = stripped(order.filled_quantity) if order else "0"
        update.actual_type = intent.type.value
    if trigger.why is not None:
        update.reject_reason = REFUSALS[trigger.why][1]
    return wire_user.AlgoUpdate(transaction_time=changed.time_ms, event_time=exchange.now_ms(), order=update)


def _order_of(exchange: Exchange, trigger: SimTrigger) -> SimOrder | None:
    """What it has become; None where that is forgotten."""
    try:
        return exchange.find_order(trigger.account, trigger.symbol, order_id=trigger.order_id, client_order_id=None)
    except Refused:
        return None

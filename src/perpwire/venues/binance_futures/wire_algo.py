"""Bodies of the REST calls about conditional (algo) orders; see wire.py for the conventions."""

from __future__ import annotations

from msgspec import UNSET

from perpwire.venues.binance_futures.wire import Flag, Int, Number, Rest, Text, Unread


class AlgoOrder(Rest, kw_only=True):
    """A conditional order. The call that places one has no `actual...` fields, those that read have them. Fields of
    trailing orders are those of the call that places one."""

    algo_id: int
    client_algo_id: Text = UNSET
    algo_type: Unread = UNSET
    order_type: Text = UNSET
    type: Text = UNSET  # where order_type is absent
    symbol: str
    side: str
    position_side: Text = UNSET
    time_in_force: Text = UNSET
    quantity: Number = UNSET
    algo_status: str
    actual_order_id: Text = UNSET
    actual_price: Number = UNSET
    actual_qty: Number = UNSET
    actual_type: Text = UNSET
    trigger_price: Number = UNSET
    price: Number = UNSET
    iceberg_quantity: Unread = UNSET
    tp_trigger_price: Unread = UNSET
    tp_price: Unread = UNSET
    sl_trigger_price: Unread = UNSET
    sl_price: Unread = UNSET
    tp_order_type: Unread = UNSET
    self_trade_prevention_mode: Text = UNSET
    working_type: Text = UNSET
    price_match: Unread = UNSET
    close_position: Flag = UNSET
    price_protect: Unread = UNSET
    reduce_only: Flag = UNSET
    activate_price: Number = UNSET
    callback_rate: Number = UNSET
    create_time: Int = UNSET
    update_time: Int = UNSET
    trigger_time: Int = UNSET
    good_till_date: Int = UNSET
    is_activated: Unread = UNSET


class AlgoCancelled(Rest):
    """DELETE /fapi/v1/algoOrder; the code is a text."""

    algo_id: int
    client_algo_id: Text = UNSET
    code: Unread = UNSET
    msg: Unread = UNSET

"""Bodies of the REST calls about conditional (algo) orders; see wire.py for the conventions."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from perpwire.venues.binance_futures.wire import Flag, Number, Rest, Text


class AlgoOrder(Rest, kw_only=True):
    """A conditional order. The call that places one has no `actual...` fields, those that read have them. Fields of
    trailing orders are those of the call that places one."""

    algo_id: int
    client_algo_id: str
    algo_type: str
    order_type: str
    symbol: str
    side: str
    position_side: str
    time_in_force: str
    quantity: str
    algo_status: str
    actual_order_id: Text = UNSET
    actual_price: Number = UNSET
    actual_qty: Number = UNSET
    actual_type: Text = UNSET
    trigger_price: str
    price: str
    iceberg_quantity: str | None
    tp_trigger_price: Number = UNSET
    tp_price: Number = UNSET
    sl_trigger_price: Number = UNSET
    sl_price: Number = UNSET
    tp_order_type: Text = UNSET
    self_trade_prevention_mode: str
    working_type: str
    price_match: str
    close_position: bool
    price_protect: bool
    reduce_only: bool
    activate_price: str | UnsetType = UNSET
    callback_rate: str | UnsetType = UNSET
    create_time: int
    update_time: int
    trigger_time: int
    good_till_date: int
    is_activated: Flag = UNSET


class AlgoCancelled(Rest):
    """DELETE /fapi/v1/algoOrder; the code is a text."""

    algo_id: int
    client_algo_id: str
    code: str
    msg: str

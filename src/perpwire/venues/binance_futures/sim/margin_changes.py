"""Adding margin to isolated positions and taking it out again, and the list of who did."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.refusals import Refused, Why
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire_account
from perpwire.venues.binance_futures.sim import order_params as params
from perpwire.venues.binance_futures.sim.flags import MARGIN_CHANGES
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import DAY_MS, Args, limit_of, needed_whole, number_text, times, whole
from perpwire.venues.binance_futures.sim.words import MONEY_PLACES, Refusal, invalid, refused_as, stripped

KEPT = 500
"""How many changes of one account are remembered: no more can be asked for at once."""
KEPT_MS = 30 * DAY_MS

_ADD, _REDUCE = 1, 2

_ADD_CODES = {
    Why.MARGIN: (-4050, "Cross balance insufficient."),
    Why.NOT_ISOLATED: (-4049, "Add margin only support for isolated position."),
    Why.NO_POSITION: (-4054, "Cannot add position margin: position is 0."),
}
_REDUCE_CODES = _ADD_CODES | {
    Why.MARGIN: (-4051, "Isolated balance insufficient."),
    Why.MARGIN_TOO_MUCH: (-4051, "Isolated balance insufficient."),
}


class _Change(msgspec.Struct, array_like=True):
    symbol: str
    type: int
    amount: str
    asset: str
    time_ms: int
    position_side: str


_read = msgspec.json.Decoder(list[_Change]).decode


class MarginChangeCalls:
    def __init__(self, exchange: Exchange, listing: Listing) -> None:
        self._exchange = exchange
        self._listing = listing

    def rows(self) -> Rows:
        return {
            ("POST", "/fapi/v1/positionMargin"): Row(self._change, Security.SIGNED, 1),
            ("GET", "/fapi/v1/positionMargin/history"): Row(self._history, Security.SIGNED, 1),
        }

    def _change(self, account: str, args: Args) -> wire_account.MarginChange:
        words = self._listing.words_of(args)
        side = params.position_side_of(args)
        amount = _amount(args)
        kind = needed_whole(args, "type")
        if kind not in (_ADD, _REDUCE):
            raise invalid("type")
        params.check_mode(self._exchange, account, words, side, None)
        signed = amount if kind == _ADD else -amount
        try:
            self._exchange.add_margin(account, words.symbol, side, signed)
        except Refused as refused:
            raise refused_as(refused, _ADD_CODES if kind == _ADD else _REDUCE_CODES) from None
        self._remember(account, words.symbol, kind, amount, words.spec.instrument.settle, side.value)
        return wire_account.MarginChange(
            amount=float(amount), code=200, msg="Successfully modify position margin.", type=kind
        )

    def _remember(self, account: str, symbol: str, kind: int, amount: Decimal, asset: str, side: str) -> None:
        changes = self._changes(account)
        changes.append(_Change(symbol, kind, stripped(amount), asset, self._exchange.now_ms(), side))
        self._exchange.set_setting(account, MARGIN_CHANGES, msgspec.json.encode(changes[-KEPT:]).decode())

    def _changes(self, account: str) -> list[_Change]:
        text = self._exchange.setting(account, MARGIN_CHANGES, "")
        return _read(text) if text else []

    def _history(self, account: str, args: Args) -> list[wire_account.MarginChangeRow]:
        """The newest that fit, oldest first."""
        words = self._listing.words_of(args)
        kind = whole(args, "type")
        if kind not in (None, _ADD, _REDUCE):
            raise invalid("type")
        start_ms, end_ms = times(args)
        limit = limit_of(args, KEPT, KEPT)
        oldest_ms = max(self._exchange.now_ms() - KEPT_MS, start_ms or 0)
        found = [
            one
            for one in self._changes(account)
            if one.symbol == words.symbol
            and kind in (None, one.type)
            and one.time_ms >= oldest_ms
            and (end_ms is None or one.time_ms <= end_ms)
        ]
        return [
            wire_account.MarginChangeRow(
                symbol=one.symbol,
                type=one.type,
                delta_type="USER_ADJUST",
                amount=one.amount,
                asset=one.asset,
                time=one.time_ms,
                position_side=one.position_side,
            )
            for one in found[-limit:]
        ]


def _amount(args: Args) -> Decimal:
    """
    Raises:
        Refusal: It is not above 0, or no number of so many decimals.
    """
    try:
        amount = Decimal(number_text(args, "amount"))
    except Refused:
        amount = Decimal(0)
    if amount <= 0:
        raise Refusal(-4055, "Amount must be positive.")
    if amount != round(amount, MONEY_PLACES):
        raise Refusal(-1111, "Precision is over the maximum defined for this asset.")
    return amount

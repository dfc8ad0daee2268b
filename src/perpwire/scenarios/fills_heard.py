"""Each fill of the account was told once, in order and unchanged: whatever befell its stream meanwhile, which may have
doubled it, or lost it, so that it was read back over REST, and marked where that was after later ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from perpwire.model.order import Fill
from perpwire.venues.bybit.sim.numbers import MAKER_EXECUTION, TAKER_EXECUTION, number_of

if TYPE_CHECKING:
    from perpwire.scenarios.run import Run

ACCOUNT = "main"


def unsaid(run: Run) -> Iterable[str]:
    """What is missing, told twice, out of order, or with other numbers."""
    booked = {(fill.trade_id, fill.is_maker): fill for _, fill in run.host.exchange.fills(ACCOUNT, None)}
    places = {key: place for place, key in enumerate(booked)}
    told: set[tuple[int, bool]] = set()
    newest: dict[str, int] = {}
    for fill in run.fills:
        key = _number(fill), fill.is_maker
        of_exchange = booked.get(key)
        if of_exchange is None:
            yield f"fill {fill.trade_id} was told, and never booked"
            continue
        if key in told:
            yield f"fill {fill.trade_id} was told again"
            continue
        told.add(key)
        numbers = (of_exchange.price, of_exchange.quantity, of_exchange.fee)
        if (fill.price, fill.quantity, numbers[2] if fill.fee is None else fill.fee) != numbers:
            yield f"fill {fill.trade_id} was booked as {numbers}, and told as {fill}"
        if places[key] < newest.get(fill.symbol, -1) and not fill.recovered:  # else it could not be read sooner
            yield f"fill {fill.trade_id} of {fill.symbol} was told after a later one"
        newest[fill.symbol] = max(places[key], newest.get(fill.symbol, -1))
    if run.follows_account:
        missing = [key for key in list(booked)[run.fills_before :] if key not in told]
        if missing:
            yield f"the exchange has booked {len(missing)} fills that were not told, such as {missing[:3]}"


def _number(fill: Fill) -> int:
    """The exchange's own; -1 of what is none of its."""
    if fill.trade_id.isdecimal():
        return int(fill.trade_id)
    number = number_of(MAKER_EXECUTION if fill.is_maker else TAKER_EXECUTION, fill.trade_id)
    return -1 if number is None else number

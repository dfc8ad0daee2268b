"""Each trade of a symbol that a connector has subscribed was told once, in order, or lies in a Gap that says so.

Held against what the exchange has matched, not against what it has sent: in an outage it sends nothing.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

from perpwire.model.market import AggTrade, Gap, Trade
from perpwire.scenarios.unheard import TOLD_BY_NS, is_unreadable, wanted
from perpwire.simulator.journal import Entry
from perpwire.venues.bybit.sim.numbers import TAKER_EXECUTION, number_of

if TYPE_CHECKING:
    from perpwire.api_connector.venue_connector import VenueConnector
    from perpwire.scenarios.run import Run


class Told(NamedTuple):
    """A trade, or an aggregated one, by the exchange's numbers of the single trades in it."""

    first: int
    last: int
    is_recovered: bool


class TradesHeard:
    """What a connector's handlers were told, by symbol, in order."""

    def __init__(self, connector: VenueConnector) -> None:
        self.heard: dict[str, list[Told | Gap]] = defaultdict(list)
        connector.on(Trade, self._on_trade)
        connector.on(Gap, self._on_gap)

    def _on_trade(self, trade: Trade) -> None:
        if isinstance(trade, AggTrade):
            first, last = trade.first_trade_id, trade.last_trade_id
        else:
            number = number_of(TAKER_EXECUTION, str(trade.trade_id))
            if number is None:
                return  # a single trade at Binance, beside the aggregated ones
            first = last = number
        self.heard[trade.symbol].append(Told(first, last, trade.recovered))

    def _on_gap(self, gap: Gap) -> None:
        if gap.kind in ("Trade", "AggTrade"):
            self.heard[gap.symbol].append(gap)


def unsaid(run: Run, taken: Iterable[Entry]) -> Iterable[str]:
    """What is missing, told twice or out of order, and no Gap says so."""
    entries = run.host.journal.entries(kind="event", topic="Traded")
    matched: defaultdict[str, list[int]] = defaultdict(list)
    due: dict[str, int] = {}
    for entry in entries:
        trade = json.loads(entry.text)
        matched[trade["symbol"]].append(trade["trade_id"])
        if entry.time_ns < entries[-1].time_ns - TOLD_BY_NS:
            due[trade["symbol"]] = trade["trade_id"]
    nobody_knows = [one for one in taken if one.topic.startswith("publicTrade.") and not is_unreadable(run, one)]
    hidden = {number for entry in nobody_knows for number in _numbers(entry)}
    followed = {said.symbol for said in wanted(run, Trade)}
    for symbol, heard in run.trades.heard.items():
        yield from _in_turn(symbol, heard, matched[symbol], hidden)
        newest = max((one.last for one in heard if isinstance(one, Told)), default=0)
        if symbol in followed and newest and newest < due.get(symbol, 0):
            yield f"trades of {symbol} are no more told: the newest is {newest}, and {due[symbol]} is long past"


def _in_turn(symbol: str, heard: list[Told | Gap], matched: list[int], hidden: Collection[int | None]) -> Iterable[str]:
    newest: int | None = None
    is_marked = False
    told: set[int] = set()
    for one in heard:
        if isinstance(one, Gap):
            is_marked = is_marked or not one.repaired
            continue
        if one.first in told:
            yield f"trade {one.first} of {symbol} was told twice"
        told.update((one.first, one.last))
        if one.first in hidden:
            continue  # wherever it was put
        if newest is not None and one.first <= newest:
            yield f"trade {one.first} of {symbol} was told after {newest}"
        if newest is not None and not is_marked:
            between = matched[bisect_right(matched, newest) : bisect_left(matched, one.first)]
            if missing := [number for number in between if number not in hidden]:
                yield f"trades of {symbol} are missing, and no Gap says so: {missing[:5]} ({len(missing)})"
        newest = one.last if newest is None else max(newest, one.last)
        if not one.is_recovered:
            is_marked = False


def _numbers(entry: Entry) -> Iterable[int | None]:
    return (number_of(TAKER_EXECUTION, row["i"]) for row in json.loads(entry.text)["data"])

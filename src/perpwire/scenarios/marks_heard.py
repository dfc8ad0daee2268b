"""Mark prices, with index and funding rate: none that the exchange never had, none after a newer one, none left out
without a Gap."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.journal_check import sent
from perpwire.clock import Clock
from perpwire.model.market import Gap, MarkPrice
from perpwire.scenarios.states_heard import StatesHeard
from perpwire.scenarios.unheard import wanted
from perpwire.simulator.events import MarkTick, SimEvent
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.journal import Entry

if TYPE_CHECKING:
    from perpwire.scenarios.run import Run

SHORTEST_NS = {"binance": 0, "bybit": 200_000_000}
"""Binance tells each, Bybit what it finds every 100 ms, and a busy machine later."""

ROUNDING = {"binance": ROUND_HALF_EVEN, "bybit": ROUND_DOWN}
"""Of a funding rate, to its eighth decimal."""


class MarksHeard:
    """What a connector's handlers were told, and what the exchange had."""

    def __init__(self, exchange: Exchange, connector: VenueConnector, clock: Clock) -> None:
        self.states = StatesHeard("MarkPrice")
        self._rounding = ROUNDING[connector.venue.name]
        self._clock = clock
        for spec in exchange.specs():
            symbol = spec.instrument.symbol
            rate, _ = exchange.funding(symbol)
            self._have(symbol, exchange.now_ms(), exchange.mark_price(symbol), exchange.index_price(symbol), rate)
        exchange.subscribe(self._on_event)
        connector.on(MarkPrice, self._on_mark)
        connector.on(Gap, self._on_gap)

    def _on_event(self, event: SimEvent) -> None:
        if isinstance(event, MarkTick):
            self._have(event.symbol, event.time_ms, event.mark_price, event.index_price, event.funding_rate)

    def _have(self, symbol: str, time_ms: int, mark: Decimal, index: Decimal, rate: Decimal) -> None:
        state = mark, index, rate.quantize(Decimal("1e-8"), rounding=self._rounding)
        self.states.have(symbol, time_ms, self._clock.monotonic_ns(), state)

    def _on_mark(self, mark: MarkPrice) -> None:
        self.states.hear(mark.symbol, mark.venue_time_ms, (mark.mark_price, mark.index_price, mark.funding_rate))

    def _on_gap(self, gap: Gap) -> None:
        self.states.on_gap(gap, self._clock.monotonic_ns())


def unsaid(run: Run, taken: Collection[Entry]) -> Iterable[str]:
    """What is missing, older than what was told before, or was never so."""
    frames = [(str(one.connection), one.text) for one in taken if "@markPrice" in one.topic]
    hidden = {
        (symbol, tuple(Decimal(number) for number in key))
        for (_, symbol), keys in sent(run.venue, frames).items()
        for key in keys
    }
    # Bybit's tickers say only what has changed: one that is lost or out of place spoils those that follow.
    for topic in {one.topic for one in taken if one.topic.startswith("tickers.")}:
        run.marks.states.heard.pop(topic.partition(".")[2], None)
    yield from run.marks.states.unsaid(
        wanted={one.symbol for one in wanted(run, MarkPrice)},
        hidden=hidden,
        shortest_ns=SHORTEST_NS[run.venue],
        slack_ns=round(run.slack_s * 1e9),
        now_ns=run.clock.monotonic_ns(),
    )

"""Best prices: none that the exchange never had, none after a newer one, none left out without a Gap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.journal_check import sent
from perpwire.clock import Clock
from perpwire.model.market import BookTicker, Gap, Level
from perpwire.scenarios.states_heard import State, StatesHeard
from perpwire.scenarios.unheard import wanted
from perpwire.simulator.events import BookChanged, SimEvent
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.journal import Entry

if TYPE_CHECKING:
    from perpwire.scenarios.run import Run

SHORTEST_NS = {"binance": 0, "bybit": 20_000_000}
"""Binance tells each change, Bybit what it finds every 10 ms, and a busy machine later."""

_NONE: Level = (Decimal(0), Decimal(0))


class QuotesHeard:
    """What a connector's handlers were told, and what the exchange had."""

    def __init__(self, exchange: Exchange, connector: VenueConnector, clock: Clock) -> None:
        self.states = StatesHeard("BookTicker")
        self._exchange = exchange
        self._clock = clock
        for spec in exchange.specs():
            self._note(spec.instrument.symbol, exchange.now_ms())
        exchange.subscribe(self._on_event)
        connector.on(BookTicker, self._on_quote)
        connector.on(Gap, self._on_gap)

    def _on_event(self, event: SimEvent) -> None:
        if isinstance(event, BookChanged):
            self._note(event.symbol, event.time_ms)

    def _note(self, symbol: str, time_ms: int) -> None:
        bids, asks, _, _ = self._exchange.book(symbol, 1)
        self.states.have(symbol, time_ms, self._clock.monotonic_ns(), _state(bids, asks))

    def _on_quote(self, quote: BookTicker) -> None:
        state = (quote.bid_price, quote.bid_quantity, quote.ask_price, quote.ask_quantity)
        self.states.hear(quote.symbol, quote.venue_time_ms, state)

    def _on_gap(self, gap: Gap) -> None:
        self.states.on_gap(gap, self._clock.monotonic_ns())


def unsaid(run: Run, taken: Iterable[Entry]) -> Iterable[str]:
    """What is missing, older than what was told before, or was never so."""
    frames = [(str(one.connection), one.text) for one in taken if _is_of_quotes(one.topic)]
    hidden = {
        (symbol, tuple(Decimal(number) for number in numbers))
        for (_, symbol), keys in sent(run.venue, frames).items()
        for _, *numbers in keys
    }
    yield from run.quotes.states.unsaid(
        wanted={one.symbol for one in wanted(run, BookTicker)},
        hidden=hidden,
        shortest_ns=SHORTEST_NS[run.venue],
        slack_ns=round(run.slack_s * 1e9),
        now_ns=run.clock.monotonic_ns(),
    )


def _is_of_quotes(topic: str) -> bool:
    return topic.endswith("@bookTicker") or topic.startswith("orderbook.1.")


def _state(bids: Sequence[Level], asks: Sequence[Level]) -> State:
    return (*(bids[0] if bids else _NONE), *(asks[0] if asks else _NONE))

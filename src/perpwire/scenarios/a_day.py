"""A whole day of fifty contracts with an ordinary day's trouble: live and in sync, and nothing else than was sent.

The market is thin (an event in seven seconds for each contract), and ten of them have local books, so that a day can be
played: what counts is how many things can break, how long they stay broken, and whether anything piles up.
"""

from __future__ import annotations

import gc
import sys
from decimal import Decimal
from types import FrameType, ModuleType

from perpwire.api_connector.lifecycle import State, TopicState
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.data_processor.local_book import LocalBook
from perpwire.errors import BookNotInSync
from perpwire.model.market import BookTicker, MarkPrice, Trade
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.listing import Listing
from perpwire.simulator.profiles import HOUR_S, profile

OTHERS = tuple(Listing(symbol=f"DAY{number}USDT", start_price=Decimal(20)) for number in range(50))
SYMBOLS = tuple(one.symbol for one in OTHERS)
BOOKS = SYMBOLS[:10]
HOURS = 24
LOOK_S = 1.0
WANTED = 0.999
"""Share of the time in which streams are live and books in sync."""

WARM_H, GROWTH_MB = 2, 20.0
"""From this hour on memory may grow by so much."""

_FINE = (TopicState.LIVE, TopicState.ACKNOWLEDGED)
"""A topic of a quiet contract may say nothing for hours."""


@scenario(options={"rate": 0.15, "symbols": OTHERS, "journal_capacity": 15_000_000}, one_in=50, settle_s=180.0)
async def a_day(run: Run) -> None:
    """A day of fifty contracts under the profile `standard`: live and in sync for 99.9 % of it, and memory flat."""
    await _so_long(run, HOURS)


@scenario(options={"rate": 0.3, "symbols": OTHERS}, one_in=20, settle_s=180.0)
async def an_hour_of_fifty(run: Run) -> None:
    """The first hour of such a day."""
    await _so_long(run, 1)


async def _so_long(run: Run, hours: int) -> None:
    await run.follow(books=())
    await run.connector.subscribe((Trade, BookTicker), SYMBOLS)
    await run.connector.subscribe((MarkPrice,), SYMBOLS[:2])
    for symbol in BOOKS:
        run.books[symbol] = await _opened(run, symbol)
    run.fault(*profile("standard", run.venue, run.random.randrange(2**32)))
    good = looked = 0
    began_s, warm_mb = run.now_s, None
    trading_s = run.now_s
    while run.now_s < began_s + hours * HOUR_S:
        await run.clock.sleep(LOOK_S)
        if run.now_s >= trading_s:
            trading_s = run.now_s + run.random.uniform(60, 240)
            await run.trade(2, pause_s=1.0)
        fine, all_there_is = _look(run)
        good += fine
        looked += all_there_is
        if warm_mb is None and run.now_s > began_s + WARM_H * HOUR_S:
            warm_mb = memory_mb(run, run.connector)
    share = good / looked
    run.facts["live_ppm"] = round(share * 1e6)
    run.check(share >= WANTED, f"live and in sync for {share:.4%} of the time")
    if warm_mb is not None:
        grown_mb = memory_mb(run, run.connector) - warm_mb
        run.facts["grown_kb"] = round(grown_mb * 1000)
        run.check(grown_mb < GROWTH_MB, f"memory has grown by {grown_mb:.1f} MB")


async def _opened(run: Run, symbol: str) -> LocalBook:
    """In so thin a market no change may come for half a minute, which would prove the snapshot."""
    while True:
        try:
            return await run.connector.open_book(symbol)
        except BookNotInSync:
            run.facts["opened_anew"] = run.facts.get("opened_anew", 0) + 1


def _look(run: Run) -> tuple[int, int]:
    """How many topics are live and books in sync just now, and how many there are."""
    streams = run.connector.streams
    states = streams.states
    fine = whole = 0
    for name, state in states.items():
        connection = streams.connection(name)
        if connection is None:
            continue
        topics = connection.topic_states.values()
        whole += len(topics)
        if state is State.LIVE:
            fine += sum(one in _FINE for one in topics)
    books = run.books.values()
    return fine + sum(book.is_in_sync for book in books), whole + len(books)


def memory_mb(run: Run, connector: VenueConnector) -> float:
    """What can be reached from the connector: the exchange, its journal and this run's notes grow, as they keep
    everything, and are left out."""
    seen: set[int] = {id(run), id(run.delivered)}
    waiting: list[object] = [connector]
    held = 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | FrameType) or _is_elsewhere(one):
            continue
        seen.add(id(one))
        held += sys.getsizeof(one)
        waiting.extend(gc.get_referents(one))
    return held / 1e6


ELSEWHERE = ("perpwire.simulator", "perpwire.scenarios", "perpwire.transport.memory", "perpwire.clock")


def _is_elsewhere(one: object) -> bool:
    owner = getattr(one, "__self__", one)  # of a bound method
    home = str(getattr(owner if callable(owner) else type(owner), "__module__", ""))
    return home.startswith(ELSEWHERE)

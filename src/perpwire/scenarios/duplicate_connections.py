"""Two sockets carry each stream, and end in every way and at any moment: what comes is what came, or it is said.

The scenario's own connector hears the same on one socket, which nothing befalls but what befalls the venue: what it was
told is the truth.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Literal

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.api_connector.websocket_manager import StreamSettings
from perpwire.cli.journal_check import Key, Stream, key_of
from perpwire.data_processor.local_book import LocalBook
from perpwire.model.incident import ConnectionLost, Incident
from perpwire.model.market import BookDelta, BookTicker, Event, Gap, MarkPrice, Trade
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import AnyFault, Close, CorruptMessage, Cut, Reset, Restart, Silence

SYMBOLS = ("BTCUSDT", "ETHUSDT")

KINDS: dict[str, tuple[type[Event], ...]] = {
    "binance": (Trade, BookTicker, BookDelta, MarkPrice),
    # A mark price there is made of changes that each socket is told, and may be another sum of the same.
    "bybit": (Trade, BookTicker, BookDelta),
}

TOPICS = {"binance": ("*@depth*", "*@bookTicker"), "bybit": ("orderbook.50.*", "orderbook.1.*")}
"""A book's changes, and best prices: those whose events are numbered."""

SLACK_NS = 1_500_000_000
"""A hole is said with times of our own, which are later than the venue's by what is under way."""

SETTLE_S = 25.0
LATE_S = {"apart": 3.0}
MUTE_S = 14.0
"""The book and the best prices are never so much older than the truth while they count as in sync; where both sockets
may be mute, that has to be found out first."""


class Ear:
    """What one connector was told."""

    def __init__(self, connector: VenueConnector, venue: str) -> None:
        self.events: dict[Stream, list[tuple[Key, int]]] = defaultdict(list)
        self.gaps: list[Gap] = []
        self.incidents: list[Incident] = []
        for kind in KINDS[venue]:
            connector.on(kind, self._hear)
        connector.on(Gap, self.gaps.append)
        connector.on_incident(self.incidents.append)

    def _hear(self, event: Event) -> None:
        stream, key = key_of(event)
        if isinstance(event, MarkPrice):
            key = (*key, event.venue_time_ms)
        self.events[stream].append((key, event.received_ns or event.venue_time_ms * 1_000_000))

    def last_ns(self, stream: Stream) -> int:
        heard = self.events.get(stream)
        return heard[-1][1] if heard else 0

    def is_told(self, stream: Stream, at_ns: int) -> bool:
        """Whether it was told that this may be missing, and did not follow."""
        return any(
            gap.kind in (stream[0], "AggTrade" if stream[0] == "Trade" else "")
            and gap.symbol == stream[1]
            and not gap.repaired
            and gap.since_ns - SLACK_NS <= at_ns <= gap.until_ns + SLACK_NS
            for gap in self.gaps
        )


@scenario(options={"rate": 8.0}, settle_s=1.0)
async def duplicate_connections(run: Run) -> None:
    """One or the other is lost again and again, with time to be replaced: nothing is lost, doubled or told of."""
    await _play(run, "apart")


@scenario(options={"rate": 8.0}, settle_s=1.0)
async def duplicates_lost_together(run: Run) -> None:
    """Both are lost within moments, or one while the other is mute, in the middle of rotations, while the venue
    restarts or counts anew."""
    await _play(run, run.random.choice(("together", "mute beside", "rotating", "restarted", "anew", "miscounted")))


How = Literal["apart", "together", "mute beside", "rotating", "restarted", "anew", "miscounted"]


async def _play(run: Run, how: How) -> None:
    run.is_compared = False
    settings = StreamSettings(copies=2, socket_life_s=30.0 if how == "rotating" else None)
    client = run.world.connector(run.venue, stream_settings=settings)
    truth, told = Ear(run.connector, run.venue), Ear(client, run.venue)
    async with client:
        true_book = await _follow(run, run.connector)
        others = set(run.host.connections)
        await run.clock.sleep(2)
        book = await _follow(run, client)
        await run.clock.sleep(8)
        for ear in (truth, told):
            ear.events.clear()
            ear.gaps.clear()
        began_s = run.now_s
        await _befall(run, how, others, lambda: _look(run, how, book, true_book))
        run.host.faults.clear()
        for _ in range(round(SETTLE_S * 2)):
            await run.clock.sleep(0.5)
            _look(run, how, book, true_book)
        run.check(book.is_in_sync, f"the book is not in sync: {book.why_not}")
        states = {name: state.name for name, state in client.states.items() if state.name != "LIVE"}
        run.check(not states, f"states: {states}")
        _compare(run, truth, told, how)
        run.facts["compared"] = sum(len(heard) for heard in truth.events.values())
        run.facts["gaps"] = len(told.gaps)
        if how == "apart":
            lost = [one for one in told.incidents if isinstance(one, ConnectionLost)]
            run.check(not lost, f"both sockets were lost, after {[round(_at_s(run, one) - began_s) for one in lost]} s")
            run.check(not told.gaps, f"{len(told.gaps)} gaps were told of")


async def _follow(run: Run, connector: VenueConnector) -> LocalBook:
    await connector.subscribe(KINDS[run.venue], SYMBOLS)
    return await connector.open_book(SYMBOLS[0])


def _at_s(run: Run, incident: Incident) -> float:
    return run.now_s - (run.clock.time_ns() - incident.time_ns) / 1e9


# --- what happens -----------------------------------------------------------------------------------------------------


async def _befall(run: Run, how: How, others: set[int], look: Callable[[], None]) -> None:
    chance = run.random
    is_rare = how in ("apart", "mute beside")
    for number in range(4 if is_rare else 12):
        pause_s = chance.uniform(19, 24) if is_rare else chance.choice((0.05, 1.0, 3.0)) * chance.random()
        if how == "rotating":
            pause_s = chance.uniform(0.0, 8.0)
        while pause_s > 0:
            await run.clock.sleep(min(0.5, pause_s))
            pause_s -= 0.5
            look()
        mine = [one for one in run.host.connections.values() if one.number not in others]
        if number == 5 and how == "restarted":
            run.fault(Restart(notice_s=chance.choice((0.0, 2.0)), seconds=chance.uniform(0.2, 5)))
        elif number in (2, 5) and how == "anew":
            for market in run.host.exchange._markets.values():
                market.update_id = 1_000_000 if number == 2 else 1
            run.fault(Cut())
        elif number in (3, 8) and how == "miscounted" and mine:
            # What comes next of one kind, on one of two sockets.
            said = chance.choice(TOPICS[run.venue])
            connection = chance.choice(mine).number
            run.fault(CorruptMessage(topic=said, connection=connection, how="replace", contains='"u":', text='"u":9'))
        elif how == "mute beside":
            one = chance.choice(mine)
            ends, stays = chance.sample([other.number for other in mine if other.path == one.path], 2)
            run.fault(Silence(what="data", connection=stays, seconds=chance.uniform(2.0, 8.0), then="heal"))
            run.fault(_end(run, how, ends))
        elif mine and how != "miscounted":
            run.fault(_end(run, how, chance.choice(mine).number))
        if how == "miscounted":
            await run.clock.sleep(3)


def _end(run: Run, how: How, number: int) -> AnyFault:
    ends: list[AnyFault] = [Cut(connection=number), Reset(connection=number), Close(code=1001, connection=number)]
    mute: list[AnyFault] = [
        Silence(what="all", connection=number, seconds=15.0),
        Silence(what="data", connection=number, seconds=15.0),
    ]
    if how == "apart":
        # Of the only socket there is, nobody could tell a short silence from a quiet market.
        mute.append(Silence(what="data", connection=number, seconds=run.random.uniform(0.2, 8.0), then="heal"))
        return run.random.choice(ends + mute)
    return run.random.choice(mute if how != "mute beside" and run.random.random() < 0.15 else ends)


# --- what must hold ---------------------------------------------------------------------------------------------------


def _look(run: Run, how: How, book: LocalBook, true_book: LocalBook) -> None:
    """A book that counts as in sync is that of the venue, and goes on."""
    if not (book.is_in_sync and true_book.is_in_sync):
        return
    if book.update_id == true_book.update_id:
        same = (book.bids(5), book.asks(5)) == (true_book.bids(5), true_book.asks(5))
        run.check(same, f"at {run.now_s:.1f} s the book at {book.update_id} is another one")
    else:
        behind_s = (true_book.venue_time_ms - book.venue_time_ms) / 1000
        run.check(behind_s < LATE_S.get(how, MUTE_S), f"at {run.now_s:.1f} s the book in sync is {behind_s:.1f} s old")


def _compare(run: Run, truth: Ear, told: Ear, how: How) -> None:
    spared = 2 if how == "miscounted" else 0
    """Of a frame that lies, what it would have said."""
    for stream, heard in truth.events.items():
        name = f"{how}: {' '.join(stream)}"
        had = told.events[stream]
        keys = Counter(key for key, _ in had)
        missing = [at_ns for key, at_ns in heard if key not in keys]
        untold = [at_ns for at_ns in missing if not told.is_told(stream, at_ns)]
        run.facts["missing"] = run.facts.get("missing", 0) + len(missing)
        if how == "mute beside" and stream[0] == "MarkPrice":
            untold = []  # it bears no number: what one leaves out while the other is away, nobody can know
        if len(untold) > spared:
            at_s = [round(run.now_s - (run.clock.time_ns() - at_ns) / 1e9, 2) for at_ns in untold[:5]]
            run.check(False, f"{name}: {len(untold)} of {len(heard)} are missing, and nothing says so, such as {at_s}")
        said = Counter(key for key, _ in heard)
        doubled = [key for key, count in keys.items() if count > max(1, said[key])]
        # Best prices are whole: a new socket begins with them, changed or not.
        again = 0 if stream[0] in ("Trade", "BookDelta") else len(told.gaps)
        run.check(len(doubled) <= again, f"{name}: {len(doubled)} came more than once, such as {doubled[:2]}")
        places = {key: at for at, (key, _) in enumerate(heard)}
        order = [places[key] for key, _ in had if key in places]
        first = next((at for at, (one, next_) in enumerate(pairwise(order)) if next_ < one), None)
        run.check(first is None, f"{name}: out of order after {first} of {len(order)}")
        behind_s = (truth.last_ns(stream) - told.last_ns(stream)) / 1e9
        run.check(behind_s < LATE_S["apart"], f"{name}: the last that came is {behind_s:.0f} s older than the truth's")

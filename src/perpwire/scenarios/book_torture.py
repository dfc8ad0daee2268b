"""One of many books is tortured, each way that has been seen to break one; the others miss nothing.

Twelve books stand for a hundred here, whose updates come as often as they do where it matters: in the tortured one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from perpwire.data_processor.local_book import LocalBook
from perpwire.model.incident import BookGap, BookRecovered
from perpwire.model.market import BookDelta, Level
from perpwire.scenarios.hearing import Hearing
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import (
    Act,
    Answer,
    Cut,
    Delay,
    DelayMessage,
    DropMessage,
    DuplicateMessage,
    MovePrice,
    Restart,
    StaleAnswer,
)
from perpwire.simulator.listing import Listing

SYMBOL = "BTCUSDT"
OTHERS = tuple(Listing(symbol=f"COIN{number}USDT", start_price=Decimal(100)) for number in range(11))
DEPTH = {"binance": "btcusdt@depth@100ms", "bybit": "orderbook.50.BTCUSDT"}
SNAPSHOT = "/fapi/v1/depth"

Shown = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]


class _Seen(msgspec.Struct):
    """What could be read of the tortured book after one event."""

    update_id: int
    bids: list[Level]
    asks: list[Level]
    horizon: tuple[Decimal | None, Decimal | None]


class _Torture:
    """Reads the book after every event, and holds it against what the exchange sent."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.topic = DEPTH[run.venue]
        self.seen: list[_Seen] = []
        self.crossed = 0
        self.is_torn = False
        bids, asks, update_id, _ = run.host.exchange.book(SYMBOL, 100_000)
        self.base: Shown = dict(bids), dict(asks)
        self.base_id = update_id

    def on_change(self, book: LocalBook) -> None:
        if not book.is_in_sync:
            return
        one = _Seen(book.update_id, book.bids(), book.asks(), book.horizon)
        self.seen.append(one)
        bid, ask = book.best_bid, book.best_ask
        if bid is not None and ask is not None and bid[0] >= ask[0]:
            self.crossed += 1

    def check(self) -> None:
        """After every event the book was what the exchange had by then, on all levels that are known."""
        run = self.run
        run.check(not self.crossed, f"bid at or above ask could be read {self.crossed} times")
        states = self._states()
        run.check(len(self.seen) > 20, f"the book was read {len(self.seen)} times only")
        for one in self.seen:
            known = states.get(one.update_id, [])
            wanted = [(_within(bids, one.horizon[0], 1), _within(asks, one.horizon[1], -1)) for bids, asks in known]
            if known and (dict(one.bids), dict(one.asks)) not in wanted:
                run.check(False, f"the book differs from the exchange's at update {one.update_id}")
                return
            if one.bids != sorted(one.bids, reverse=True) or one.asks != sorted(one.asks):
                run.check(False, f"the book is not sorted at update {one.update_id}")
                return
        compared = sum(one.update_id in states for one in self.seen)
        least = 0.0 if self.is_torn else 0.9
        run.check(compared > least * len(self.seen), f"{compared} of {len(self.seen)} states could be compared")

    def _states(self) -> dict[int, list[Shown]]:
        """Update -> the whole book after it, by what was sent; several where the venue has begun to count anew."""
        states: defaultdict[int, list[Shown]] = defaultdict(list)
        bids, asks = self.base
        newest = self.base_id
        is_bybit = self.run.venue == "bybit"
        for entry in self.run.host.journal.entries(kind=("sent", "fault")):
            if entry.kind == "fault" or not fnmatchcase(entry.topic, self.topic):
                continue
            frame: Any = msgspec.json.decode(entry.text)
            data = frame["data"]
            if is_bybit and frame["type"] == "snapshot":
                bids, asks = {}, {}
            elif not is_bybit and data["u"] <= self.base_id:
                continue
            elif not is_bybit and states and data["pu"] != newest:
                self.is_torn = True
                break  # nothing was sent for a while: what has changed meanwhile can't be told from this
            bids, asks = dict(bids), dict(asks)
            for side, changes in ((bids, data["b"]), (asks, data["a"])):
                for price, quantity in changes:
                    if Decimal(quantity):
                        side[Decimal(price)] = Decimal(quantity)
                    else:
                        side.pop(Decimal(price), None)
            newest = data["u"]
            states[newest].append((bids, asks))
        return states


def _within(side: dict[Decimal, Decimal], horizon: Decimal | None, sign: int) -> dict[Decimal, Decimal]:
    if horizon is None:
        return side
    return {price: quantity for price, quantity in side.items() if (price - horizon) * sign >= 0}


@scenario(options={"rate": 10.0, "symbols": OTHERS, "latency_s": 0.01})
async def book_torture(run: Run) -> None:
    """A dozen books; one loses, doubles, and mixes up its updates, and its snapshots are old, late or refused."""
    names = [one.symbol for one in OTHERS]
    case = run.random.choice(_CASES[run.venue])
    if case is _begins_with_an_old_snapshot:
        await case(run)
        return
    await run.connector.subscribe([BookDelta], [SYMBOL])
    await run.clock.sleep(1)
    torture = _Torture(run)
    if case is _walks_away:
        run.books[SYMBOL] = await run.connector.open_book(SYMBOL, levels=20)
    else:
        run.books[SYMBOL] = await run.connector.open_book(SYMBOL)
    others = await run.connector.open_books(names, levels=100 if run.venue == "binance" else None)
    run.books |= {book.symbol: book for book in others}
    run.books[SYMBOL].on_change(torture.on_change)
    await run.clock.sleep(3 + run.random.random())
    await case(run)
    await run.clock.sleep(3)
    run.check(all(not book.rebuilds for book in others) or case in _ALL, "other books were rebuilt")
    torture.check()


# --- what befalls it ------------------------------------------------------------------------------------------------


async def _once(run: Run, within_s: float = 2.0, snapshots: int = 1, wait_s: float = 6.0) -> None:
    """One gap, noticed at once, one snapshot, and in sync again in time."""
    hearing = Hearing(run)
    before = _snapshots(run)
    await run.clock.sleep(wait_s)
    gaps, recovered = hearing.incidents(BookGap), hearing.incidents(BookRecovered)
    lost = [one for one in gaps if "can't be built" not in one.detail]
    run.check(len(lost) == 1, f"{len(lost)} gaps were told: {[one.detail for one in gaps]}")
    run.check(len(recovered) == 1, f"{len(recovered)} books came in sync again")
    if lost and recovered:
        took_s = (recovered[0].time_ns - lost[0].time_ns) / 1e9
        run.check(took_s <= within_s + run.slack_s, f"in sync again after {took_s:.2f} s")
    if run.venue == "binance":
        run.check(_snapshots(run) - before <= snapshots, f"{_snapshots(run) - before} snapshots were asked for")


async def _never(run: Run, wait_s: float = 4.0) -> None:
    """No gap at all, and no snapshot."""
    hearing = Hearing(run)
    before = _snapshots(run)
    await run.clock.sleep(wait_s)
    told = [one.detail for one in hearing.incidents(BookGap)]
    run.check(not told, f"a gap was told: {told}")
    run.check(_snapshots(run) == before, "a snapshot was asked for")


def _snapshots(run: Run) -> int:
    return sum(SNAPSHOT in entry.text for entry in run.host.journal.entries(kind=("request",)))


async def _skips(run: Run) -> None:
    run.fault(DropMessage(topic=DEPTH[run.venue], nth=run.random.randint(1, 5)))
    await _once(run)


async def _late_snapshot(run: Run) -> None:
    """All that was buffered is older than the snapshot, or an update straddles it."""
    where = run.random.choice(("request", "answer"))
    run.fault(
        DropMessage(topic=DEPTH[run.venue]),
        Delay(path=SNAPSHOT, contains=SYMBOL, seconds=run.random.uniform(0.2, 1.2), where=where),  # type: ignore[arg-type]
    )
    await _once(run)


async def _old_snapshot(run: Run) -> None:
    """The snapshot is older than all that was buffered: another one is needed."""
    run.fault(StaleAnswer(path=SNAPSHOT, query=f"symbol={SYMBOL}&limit=1000", contains=SYMBOL))
    await run.clock.sleep(1)
    run.fault(DropMessage(topic=DEPTH[run.venue]))
    await _once(run, snapshots=2)


async def _twice(run: Run) -> None:
    run.fault(DuplicateMessage(topic=DEPTH[run.venue], times=2, after_each_s=run.random.choice((0.0, 0.25))))
    await _never(run)


async def _swapped(run: Run) -> None:
    run.fault(DelayMessage(topic=DEPTH[run.venue], seconds=2.0, overtaken=True, nth=run.random.randint(1, 5)))
    await _once(run)


async def _refused_snapshot(run: Run) -> None:
    run.fault(
        DropMessage(topic=DEPTH[run.venue]),
        Answer(
            path=SNAPSHOT,
            contains=SYMBOL,
            status=429,
            headers={"Retry-After": "3"},
            body='{"code":-1003,"msg":"Too many requests."}',
        ),
    )
    await _once(run, within_s=5.0, snapshots=2, wait_s=8.0)


async def _walks_away(run: Run) -> None:
    """The price walks out of the snapshot's range and back: what is not known is never told."""
    book = run.books[SYMBOL]
    for share in ("0.004", "-0.004"):
        before = book.rebuilds
        run.fault(MovePrice(symbol=SYMBOL, share=Decimal(share)))
        await run.clock.sleep(4)
        run.check(book.is_in_sync, "the book did not follow the price")
        # It goes on walking afterwards, and twenty levels are not many.
        run.check(book.rebuilds <= before + 4, f"{book.rebuilds - before} rebuilds")


async def _restarts(run: Run) -> None:
    hearing = Hearing(run)
    run.fault(Restart(seconds=0.5))
    await run.clock.sleep(12)
    run.check(all(book.is_in_sync for book in run.books.values()), "not all books are in sync after a restart")
    run.check(bool(hearing.incidents(BookGap)), "the restart went unnoticed")


async def _is_cut(run: Run) -> None:
    run.fault(Cut(route="public"))
    await run.clock.sleep(12)
    run.check(all(book.is_in_sync for book in run.books.values()), "not all books are in sync after a cut")


async def _no_snapshot(run: Run) -> None:
    """Its snapshot is lost after a gap: deltas come first."""
    topic = DEPTH[run.venue]
    run.fault(DropMessage(topic=topic), DropMessage(topic=topic, contains='"type":"snapshot"'))
    await _once(run)


async def _new_snapshot(run: Run) -> None:
    """A snapshot in the middle of the stream, numbered 1, replaces the book."""
    run.fault(Act(do="restart"))
    await _never(run)


async def _burst(run: Run) -> None:
    """Everything waits, and comes in one piece."""
    run.fault(DelayMessage(topic=DEPTH[run.venue], seconds=2.0))
    await _never(run)


async def _begins_with_an_old_snapshot(run: Run) -> None:
    """The first snapshot of all comes from a cache that lags."""
    run.fault(StaleAnswer(path=SNAPSHOT, query=f"symbol={SYMBOL}&limit=1000", contains=SYMBOL))
    await run.clock.sleep(5)
    run.books[SYMBOL] = await run.connector.open_book(SYMBOL)
    run.check(_snapshots(run) == 2, f"{_snapshots(run)} snapshots were asked for")


_Case = Callable[[Run], Awaitable[None]]

_CASES: dict[str, tuple[_Case, ...]] = {
    "binance": (
        _skips, _late_snapshot, _old_snapshot, _twice, _swapped, _refused_snapshot, _walks_away, _restarts, _is_cut,
        _burst, _begins_with_an_old_snapshot,
    ),
    "bybit": (_skips, _twice, _swapped, _is_cut, _no_snapshot, _new_snapshot, _burst, _restarts),
}  # fmt: skip
_ALL = (_restarts, _is_cut, _new_snapshot)
"""Those that befall every book."""

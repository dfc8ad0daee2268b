"""Local books while messages are lost, doubled, out of order, cut short, and snapshots are old or late."""

from __future__ import annotations

from perpwire.errors import BookNotInSync
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import (
    Act,
    AnyFault,
    CorruptMessage,
    Delay,
    DelayMessage,
    DropMessage,
    DuplicateMessage,
    ReorderMessage,
    SplitMessage,
    StaleAnswer,
)


@scenario(options={"rate": 10.0})
async def torn_books(run: Run) -> None:
    """A minute of books through torn streams: whenever a book can be read, it is not crossed."""
    symbols = ("BTCUSDT", "ETHUSDT")
    await run.follow(*symbols, books=symbols)
    for _ in range(60):
        if run.random.random() < 0.5:
            run.fault(_tear(run))
        await run.clock.sleep(run.random.uniform(0.2, 1.8))
        for symbol, book in run.books.items():
            try:
                bid, ask = book.bids(1)[0][0], book.asks(1)[0][0]
            except BookNotInSync:
                continue
            assert bid < ask, f"the book of {symbol} is readable and crossed: {bid} and {ask}"


def _tear(run: Run) -> AnyFault:
    nth = run.random.randint(1, 20)
    match run.random.randrange(8):
        case 0:
            return DropMessage(of="public", nth=nth, count=run.random.randint(1, 3))
        case 1:
            return DuplicateMessage(of="public", nth=nth, times=run.random.randint(2, 4))
        case 2:
            return ReorderMessage(of="public", nth=nth, behind=run.random.randint(1, 10))
        case 3:
            return CorruptMessage(of="public", nth=nth, how=run.random.choice(("cut", "garble")))
        case 4:
            overtaken = run.random.random() < 0.5
            return DelayMessage(of="public", nth=nth, seconds=run.random.uniform(0.1, 3), overtaken=overtaken)
        case 5:
            return SplitMessage(of="public", nth=nth, pieces=run.random.randint(2, 10), pause_s=0.01)
        case 6 if run.venue == "binance":
            return run.random.choice(
                (StaleAnswer(path="/fapi/v1/depth"), Delay(path="/fapi/v1/depth", seconds=run.random.uniform(0.5, 5)))
            )
        case 6:
            return Act(do="restart")
        case _:
            return DropMessage(topic="", nth=1)

"""What must hold after any scenario, once its faults are lifted and everything has settled. Each gives its breaches."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from perpwire.cli.journal_check import Key, Stream, sent, sent_once
from perpwire.errors import BadInput, NotSent, OutcomeUnknown
from perpwire.model.order import Order, Side
from perpwire.scenarios import candles_heard, fills_heard, marks_heard, orders_heard, quotes_heard, trades_heard
from perpwire.scenarios.unheard import taken
from perpwire.simulator.journal import Entry

if TYPE_CHECKING:
    from perpwire.scenarios.run import Run

ACCOUNT = "main"

ON_PURPOSE = "raised on purpose by a scenario"
"""What a handler of a scenario raises says so: then it is right that it is logged."""

LONGEST_DELAY_NS = 15_000_000_000
"""A message that a fault delays, and those behind it, are on their way for so long at most."""


async def of_state(run: Run) -> list[str]:
    """Of exchange and connector while both still run."""
    nobody_could_hear = taken(run.host.journal.entries(kind="sent"))
    return [
        *_books_are_live(run),
        *_each_order_was_placed_at_most_once(run),
        *(_the_connector_knows_the_open_orders(run) if run.follows_account else ()),
        *(_the_connector_knows_the_positions(run) if run.follows_account else ()),
        *_positions_are_the_sum_of_fills(run),
        *_cash_is_the_sum_of_its_bookings(run),
        *(_what_was_delivered_is_what_was_sent(run) if run.is_compared else ()),
        *fills_heard.unsaid(run),
        *orders_heard.unsaid(run),
        *trades_heard.unsaid(run, nobody_could_hear),
        *quotes_heard.unsaid(run, nobody_could_hear),
        *marks_heard.unsaid(run, nobody_could_hear),
        *candles_heard.unsaid(run),
    ]


# --- orders and money -------------------------------------------------------------------------------------------------


def _each_order_was_placed_at_most_once(run: Run) -> Iterable[str]:
    """And was placed, where the caller was told so; and was not, where it was told that."""
    exchange = run.host.exchange
    waiting = exchange.triggers(ACCOUNT, None)
    became = {trigger.order_id for trigger in waiting if trigger.order_id}
    placed = Counter(order.client_order_id for order in exchange.orders(ACCOUNT, None) if order.order_id not in became)
    placed.update(trigger.intent.client_id for trigger in waiting)
    for attempt in run.attempts:
        count = placed[attempt.client_order_id]
        name = f"order {attempt.client_order_id}"
        match attempt.told:
            case OutcomeUnknown():
                if count > 1:
                    yield f"{name} was placed {count} times"
            case NotSent() | BadInput():
                if count:
                    yield f"{name} was placed, and its caller told that it was not: {attempt.told}"
            case Order():
                if count != 1:
                    yield f"{name} was placed {count} times, and its caller told {attempt.told.status}"
            case _:  # the venue refused it, or it was cancelled by itself
                if count > 1:
                    yield f"{name} was placed {count} times"


def _the_connector_knows_the_open_orders(run: Run) -> Iterable[str]:
    exchange = {order.client_order_id: order.filled_quantity for order in run.host.exchange.open_orders(ACCOUNT, None)}
    exchange |= {one.intent.client_id: Decimal(0) for one in run.host.exchange.open_triggers(ACCOUNT, None)}
    known = {order.client_order_id: order.filled_quantity for order in run.connector.account_state.open_orders}
    if known != exchange:
        yield f"open orders: the exchange has {exchange}, the connector knows {known}"


def _the_connector_knows_the_positions(run: Run) -> Iterable[str]:
    exchange = {one.symbol: one.quantity for one in run.host.exchange.positions(ACCOUNT) if one.quantity}
    known = {symbol: one.quantity for (symbol, _), one in run.connector.account_state.positions.items() if one.quantity}
    if known != exchange:
        yield f"positions: the exchange has {exchange}, the connector knows {known}"


def _positions_are_the_sum_of_fills(run: Run) -> Iterable[str]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for order, fill in run.host.exchange.fills(ACCOUNT, None):
        sums[order.symbol] += fill.quantity if order.side is Side.BUY else -fill.quantity
    held = {one.symbol: one.quantity for one in run.host.exchange.positions(ACCOUNT)}
    for symbol in {**sums, **held}:
        if sums[symbol] != held.get(symbol, 0):
            yield f"{symbol}: fills sum up to {sums[symbol]}, the position is {held.get(symbol, 0)}"


def _cash_is_the_sum_of_its_bookings(run: Run) -> Iterable[str]:
    (spec,) = (one for one in run.host.exchange.account_specs() if one.name == ACCOUNT)
    booked = [one for one in run.host.exchange.bookings(ACCOUNT) if one.asset == spec.asset]
    wallet = run.host.exchange.wallet(ACCOUNT)[spec.asset]
    total = spec.cash + sum((one.change for one in booked), Decimal(0))
    if total != wallet:
        yield f"{spec.asset}: cash and bookings are {total}, the wallet holds {wallet}"
    for one in booked:
        if one.change != one.cash_flow + one.funding - one.fee:
            yield f"booking {one.number} changes by {one.change}"
    known = run.connector.account_state.balances.get(spec.asset)
    if booked and known is not None and known.wallet != wallet:
        yield f"{spec.asset}: the wallet holds {wallet}, the connector knows {known.wallet}"


# --- streams ----------------------------------------------------------------------------------------------------------


def _books_are_live(run: Run) -> Iterable[str]:
    for symbol, book in run.books.items():
        if not book.is_in_sync:
            yield f"the book of {symbol} is not in sync"
            continue
        bid, ask = book.bids(1)[0], book.asks(1)[0]
        if bid[0] >= ask[0]:
            yield f"the book of {symbol} is crossed: {bid[0]} and {ask[0]}"
    for name, state in run.connector.states.items():
        if state.name != "LIVE":
            yield f"{name} is {state.name}"


def _what_was_delivered_is_what_was_sent(run: Run) -> Iterable[str]:
    """Event for event and digit for digit, for all that no fault touched."""
    entries = run.host.journal.entries(kind=("sent", "closed", "opened"))
    closed_ns = {
        entry.connection: entry.time_ns
        for entry in entries
        if entry.kind == "closed" and entry.text == "closed by the client"
    }
    arrived: list[tuple[str, str]] = []
    doubtful: list[tuple[str, str]] = []
    unclear = {entry.topic for entry in entries if entry.done not in ("", "split") and _is_made_of_changes(run, entry)}
    unclear |= _canaries(run) | _subscribed_anew(run, entries)
    late_ns: dict[int, int] = {}
    said_by: defaultdict[str, set[int]] = defaultdict(set)
    for entry in entries:
        if entry.kind == "opened":
            arrived.append((str(entry.connection), ""))
        if entry.kind == "closed":
            for others in said_by.values():
                others.discard(entry.connection)
        if entry.kind != "sent" or not entry.topic or entry.is_lost or entry.topic in unclear:
            continue
        # On its way while the client closed the socket: perhaps nobody was there to hear it.
        if entry.done == "late":
            late_ns[entry.connection] = entry.time_ns
        ended_ns = closed_ns.get(entry.connection)
        is_late = ended_ns is not None and (
            entry.time_ns >= ended_ns or late_ns.get(entry.connection, 0) > ended_ns - LONGEST_DELAY_NS
        )
        # A whole state, said to a further socket that has just come: those that there are need it not.
        is_greeting = bool(said_by[entry.topic]) and entry.connection not in said_by[entry.topic]
        said_by[entry.topic].add(entry.connection)
        frame = (str(entry.connection), entry.text)
        arrived.append(frame)
        spoilt_by_fault = (entry.done not in ("", "split") or is_late) and not _is_made_of_changes(run, entry)
        if spoilt_by_fault or (is_greeting and run.venue == "bybit"):
            doubtful.append(frame)
    expected, spoilt = sent_once(run.venue, arrived), sent(run.venue, doubtful)
    # A fill that a reading over REST brought just before the stream did is delivered once: as the former.
    read_back = {fill.trade_id for fill in run.fills if fill.recovered}
    unclear_streams = {("MarkPrice", topic.partition(".")[2]) for topic in unclear}
    for stream, keys in expected.items():
        out = set(spoilt.get(stream, ()))
        if stream[0] == "Fill":
            keys = [key for key in keys if key[0] not in read_back]
        elif stream[0] == "Trade":
            keys = [key for key in keys if (stream[1], key[0]) not in run.recovered_trades]
        elif stream[0] == "Order":
            out |= {key for key in keys if key[0] in run.recovered_orders}
        wanted = [key for key in keys if key not in out]
        had = [key for key in run.delivered.by_stream.get(stream, []) if key not in out]
        if stream[0] == "Order":
            wanted, had = _by_order(wanted), _by_order(had)
        if wanted != had and stream not in unclear_streams:
            yield _first_difference(stream, wanted, had)
    for stream, keys in run.delivered.by_stream.items():
        if keys and stream not in expected and stream not in unclear_streams:
            yield f"{' '.join(stream)}: delivered but never sent"


def _by_order(keys: list[Key]) -> list[Key]:
    """What a conditional order may have made waits while the account is read, and the other orders do not wait for it:
    the order of events holds for each of them."""
    return sorted(keys, key=lambda key: key[0])


def _canaries(run: Run) -> set[str]:
    """Topics that a client may have asked for on its own behalf: nothing of them is delivered."""
    venue = run.connector.venue
    names = {canary.name for route in ("public", "market") if (canary := venue.canary(route)) is not None}
    return names - run.wanted - {topic for _, topic in run.connector.streams.topics}


def _subscribed_anew(run: Run, entries: Sequence[Entry]) -> set[str]:
    """Topics made of changes, beside which a frame came that does not even tell its topic. Something may be said before
    they are subscribed anew; that a Gap tells of it, marks_heard.py says."""
    torn = {one.connection for one in entries if one.altered and not one.altered.startswith("{")}
    return {one.topic for one in entries if one.connection in torn and _is_made_of_changes(run, one)}


def _is_made_of_changes(run: Run, entry: Entry) -> bool:
    """Bybit's tickers say only what has changed: one that is lost or out of order spoils those that follow."""
    return run.venue == "bybit" and entry.topic.startswith("tickers.")


def _first_difference(stream: Stream, wanted: Sequence[Key], had: Sequence[Key]) -> str:
    at = next((n for n, (one, other) in enumerate(zip(wanted, had, strict=False)) if one != other), None)
    if at is None:
        at = min(len(wanted), len(had))
    shown = [keys[at] if at < len(keys) else None for keys in (wanted, had)]
    return (
        f"{' '.join(stream)}: {len(wanted)} sent, {len(had)} delivered; event {at} differs: "
        f"sent {shown[0]}, delivered {shown[1]}"
    )


# --- ends and secrets -------------------------------------------------------------------------------------------------


def of_ends(run: Run, tasks: Collection[asyncio.Task[object]]) -> list[str]:
    """After everything was closed."""
    left = [f"a task is left: {task.get_name()}" for task in tasks if not task.done()]
    return left + [f"a socket is left: {one.path}" for one in run.host.connections.values()]


BUGS = ("task_failed", "handler_failed")
"""Incidents that are errors of a program, not of what it has to live with."""


def of_logs(records: Iterable[logging.LogRecord], secrets: Collection[str]) -> list[str]:
    found = []
    for record in records:
        event = getattr(record, "event", "")
        text = logging.Formatter().format(record)
        found += of_secrets("the log", text, secrets)
        if record.name.startswith("asyncio") and record.levelno >= logging.WARNING:
            found.append(f"asyncio: {text}")
        elif (event in BUGS if event else record.levelno >= logging.ERROR) and ON_PURPOSE not in text:
            found.append(f"logged as an error: {text}")
    return found


def of_secrets(where: str, text: str, secrets: Collection[str]) -> list[str]:
    return [
        f"a key or secret is in {where}: ...{text[max(0, at - 60) : at]}"
        for one in secrets
        if (at := text.find(one)) >= 0
    ]

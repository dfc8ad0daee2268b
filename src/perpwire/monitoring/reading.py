"""What can be said of one observed connector now, as a VenueSnapshot."""

from __future__ import annotations

from perpwire.api_connector.histogram import Histogram
from perpwire.api_connector.lifecycle import State
from perpwire.data_processor.local_book import LocalBook
from perpwire.model.account import Balance, Position
from perpwire.model.numbers import ARITHMETIC
from perpwire.model.order import Order
from perpwire.monitoring.observed import FINE, Observed
from perpwire.monitoring.snapshot import (
    BalanceSnapshot,
    BookSnapshot,
    CallSnapshot,
    ConnectionSnapshot,
    ConsumerSnapshot,
    DoubtSnapshot,
    OrderSnapshot,
    PositionSnapshot,
    Spread,
    VenueSnapshot,
)

SHOWN = 20
"""Names in a list that is for eyes."""

WORDS = 300
"""Longest reason that is shown."""


def snapshot_of(observed: Observed, now_ns: int) -> VenueSnapshot:
    connector, outages = observed.connector, observed.outages
    streams, metrics, loop = connector.streams, connector.metrics, connector.loop_watch
    connections = _connections(observed, now_ns)
    books = tuple(_book(one) for one in connector.local_books)
    state = connector.account_state
    journal, key, missing = connector.journal, connector.key_info, observed.missing()
    return VenueSnapshot(
        name=observed.name,
        venue=connector.venue.name,
        env=connector.env,
        is_up=connector.is_started,
        is_live=connector.is_started
        and not missing
        and all(one.state == State.LIVE.value and not one.not_live for one in connections)
        and all(one.is_in_sync for one in books),
        is_account_live=connector.is_account_stream_live if connector.is_account_stream_open else None,
        why_account_not=connector.why_account_stream_not_live[:WORDS],
        missing=missing,
        live_share=observed.past.share.in_all(),
        connections=connections,
        calls=tuple(
            CallSnapshot(name=name, requests=times.count, errors=errors, times=spread(times))
            for name, times, errors in metrics.calls()
        ),
        budgets=observed.budgets(),
        books=books,
        orders=tuple(_order(one) for one in state.open_orders),
        positions=tuple(_position(observed, one) for one in state.positions.values() if one.quantity),
        balances=tuple(_balance(one) for one in state.balances.values()),
        doubts=tuple(
            DoubtSnapshot(symbol=one.request.symbol, client_order_id=one.client_order_id)
            for one in connector.unresolved_orders
        ),
        consumers=_consumers(observed),
        handlers=tuple(streams.handlers[:SHOWN]),
        response=spread(metrics.times()),
        latency={kind: spread(times, 1e-9) for kind, times in streams.frames.latency_of_kinds.items()},
        lag={kind: spread(times) for kind, times in observed.lag.items()},
        events=streams.frames.events_delivered,
        events_per_s=observed.events_per_s,
        frames_garbled=streams.frames.frames_garbled,
        unknown_codes=dict(metrics.unknown_codes),
        incidents=dict(observed.incidents),
        late_orders=state.late_orders,
        outages=outages.begun,
        recovered=outages.recovered,
        open_outages=outages.open(),
        gaps=outages.gaps,
        gaps_repaired=outages.gaps_repaired,
        loop_stalls=loop.stalls,
        loop_stalled_s=loop.stalled_s,
        loop_longest_stall_s=loop.longest_s,
        journal_backlog=None if journal is None else journal.backlog,
        clock_offset_ms=connector.clock_offset_ms,
        banned_until_ms=connector.banned_until_ms,
        key_expires_ms=None if key is None else key.expires_time_ms,
    )


def spread(times: Histogram, unit_s: float = 1.0) -> Spread:
    """A histogram in a few figures, in seconds."""
    p50, p95, p99 = (times.quantile(q) * unit_s for q in (0.5, 0.95, 0.99))
    return Spread(count=times.count, mean=times.mean * unit_s, p50=p50, p95=p95, p99=p99, max=times.max * unit_s)


def _connections(observed: Observed, now_ns: int) -> tuple[ConnectionSnapshot, ...]:
    known, reconnects = observed.connections(), observed.connector.streams.reconnects
    spans = observed.past.spans
    made = []
    for name, state in observed.states().items():
        topics = known[name].topic_states if name in known else {}
        counted: dict[str, int] = {}
        for one in topics.values():
            counted[one.value] = counted.get(one.value, 0) + 1
        made.append(
            ConnectionSnapshot(
                name=name,
                state=state,
                since_s=max(0.0, (now_ns - spans.since_ns(name, now_ns)) / 1e9),
                topics=counted,
                not_live=tuple([topic for topic, one in topics.items() if one not in FINE][:SHOWN]),
                reconnects=reconnects.get(name, 0),
                seconds_in=dict(spans.seconds.get(name, {})),
            )
        )
    return tuple(made)


def _book(book: LocalBook) -> BookSnapshot:
    why_not = "" if book.is_in_sync else book.why_not
    return BookSnapshot(symbol=book.symbol, is_in_sync=book.is_in_sync, why_not=why_not)


def _order(one: Order) -> OrderSnapshot:
    return OrderSnapshot(
        symbol=one.symbol,
        side=one.side.value,
        type=one.type.value,
        status=one.status.value,
        price=one.price,
        quantity=one.quantity,
        filled_quantity=one.filled_quantity,
        reduce_only=bool(one.reduce_only),
        client_order_id=one.client_order_id,
        order_id=one.order_id,
    )


def _position(observed: Observed, one: Position) -> PositionSnapshot:
    mark = observed.marks.get(one.symbol, one.mark_price)
    profit = one.unrealized_pnl
    if mark is not None and one.entry_price is not None:
        # Of linear contracts: their value grows with the price, one to one.
        profit = ARITHMETIC.multiply(ARITHMETIC.subtract(mark, one.entry_price), one.quantity)
    room = None
    if mark and one.liquidation_price:
        room = float(ARITHMETIC.divide(ARITHMETIC.subtract(mark, one.liquidation_price).copy_abs(), mark))
    return PositionSnapshot(
        symbol=one.symbol,
        position_side=one.position_side.value,
        quantity=one.quantity,
        entry_price=one.entry_price,
        mark_price=mark,
        unrealized_pnl=profit,
        liquidation_price=one.liquidation_price,
        liquidation_share=room,
        leverage=one.leverage,
        margin_mode=one.margin_mode,
    )


def _balance(one: Balance) -> BalanceSnapshot:
    return BalanceSnapshot(
        asset=one.asset, wallet=one.wallet, available=one.available, unrealized_pnl=one.unrealized_pnl
    )


def _consumers(observed: Observed) -> tuple[ConsumerSnapshot, ...]:
    return tuple(
        ConsumerSnapshot(
            kind=one.kind,
            waiting=one.waiting,
            received=one.received,
            dropped=one.dropped,
            replaced=one.replaced,
        )
        for one in observed.connector.streams.queues
    )

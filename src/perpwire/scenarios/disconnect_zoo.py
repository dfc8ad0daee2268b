"""Every socket ends at once, in any way there is, and the way back is long; sockets are replaced before they end.

A hundred and twenty streams stand for Binance's thousand, over as many connections: what counts is how many messages
and connections they take. One seed in four is also played with all of them.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from itertools import pairwise

from perpwire.api_connector.lifecycle import State
from perpwire.api_connector.websocket_manager import StreamSettings
from perpwire.errors import NotSent
from perpwire.model.incident import ConnectionLost, ConnectionRecovered
from perpwire.model.order import Order
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import PRIVATE, Run
from perpwire.scenarios.streaming import Streaming
from perpwire.simulator.dialect import DialectOptions
from perpwire.simulator.faults import (
    Answer,
    AnyFault,
    BreakMessage,
    Close,
    Cut,
    DelayMessage,
    Refuse,
    Reset,
    Silence,
)
from perpwire.simulator.listing import Listing


def _listed(count: int) -> tuple[Listing, ...]:
    return tuple(Listing(symbol=f"ZOO{number}USDT", start_price=Decimal(50)) for number in range(count))


def _streams(listed: tuple[Listing, ...]) -> dict[str, list[str]]:
    symbols = ("BTCUSDT", "ETHUSDT", "SOLUSDT", *(one.symbol for one in listed))
    return {
        "binance": [
            f"{symbol.lower()}@{kind}"
            for symbol in symbols
            for kind in ("markPrice@1s", "aggTrade", "bookTicker", "depth@100ms", "kline_1m")
        ],
        "bybit": [
            f"{family}.{symbol}"
            for symbol in symbols[:20]
            for family in ("orderbook.1", "tickers", "publicTrade", "orderbook.50", "kline.1")
        ],
    }


OTHERS, ALL_OTHERS = _listed(21), _listed(197)
STREAMS = _streams(OTHERS)
"""A hundred and twenty at Binance, a hundred at Bybit."""

STEADY = {"binance": "@markPrice", "bybit": "orderbook.1."}
"""In the names of those that speak whatever the market does."""

CONNECTIONS = {"binance": 5, "bybit": 2}

AWAY_S = 10.0
MOST_MESSAGES = 4


@scenario(options={"rate": 0.5, "symbols": OTHERS}, settle_s=20.0)
async def disconnect_zoo(run: Run) -> None:
    """All sockets end at once; nothing can be reached, handshakes are refused, acknowledgements are cut off."""
    await _zoo(run, STREAMS[run.venue])


@scenario(options={"rate": 0.02, "symbols": ALL_OTHERS}, venues=("binance",), one_in=4, settle_s=20.0)
async def disconnect_zoo_in_full(run: Run) -> None:
    """The same with a thousand streams on five connections."""
    await _zoo(run, _streams(ALL_OTHERS)[run.venue])


async def _zoo(run: Run, names: list[str]) -> None:
    await run.follow()
    count = CONNECTIONS[run.venue]
    client = Streaming(run, StreamSettings(topics_per_connection=len(names) // count))
    async with client.manager as manager:
        await client.connect(names)
        first = set(manager.states)
        run.check(len(first) == count, f"connections: {sorted(first)}")
        await run.clock.sleep(8)
        steady = [name for name in names if STEADY[run.venue] in name]
        mute = [name for name in steady if client.last_s(name) < run.now_s - 5]
        run.check(not mute, f"{len(mute)} streams were not there at the start, such as {mute[:3]}")
        ended_s = run.now_s
        end = _end(run)
        run.fault(end)
        half_open = isinstance(end, Silence)
        run.fault(Refuse(seconds=AWAY_S + (12 if half_open else 0)))
        back_s = ended_s + AWAY_S + (12 if half_open else 0)
        for status in (429, 429, 502):
            run.fault(Answer(method="WS", status=status))
        answer = '"result"' if run.venue == "binance" else '"subscribe"'
        run.fault(BreakMessage(topic="", contains=answer, count=5))
        permitted_s = await _permitted(run, client, back_s)
        await run.until(permitted_s + 20)
        late = [name for name in steady if client.last_s(name) < permitted_s]
        run.check(not late, f"{len(late)} streams do not deliver after 20 s, such as {late[:3]}")
        acked = [topic for (_, topic), state in manager.topics.items() if state.value in ("wanted", "asked", "refused")]
        run.check(not acked, f"{len(acked)} streams are not acknowledged after 20 s")
        # (A topic of this quiet market may be looked for elsewhere just now.)
        away = {name: state for name, state in manager.states.items() if name in first and state is not State.LIVE}
        run.check(not away, f"states: {away}")
        _check_pace(run, client, ended_s)
        lost = [one for one in client.incidents if isinstance(one, ConnectionLost) and "1008" in one.detail]
        run.check(not lost or (isinstance(end, Close) and end.code == 1008), "sockets were closed for our pace")
        await run.clock.sleep(5)


def _end(run: Run) -> AnyFault:
    return run.random.choice(
        (
            Close(code=1000),
            Close(code=1001),
            Reset(),
            Close(code=1008, reason="Too many requests"),
            Close(code=1011),
            Silence(what="all"),
        )
    )


async def _permitted(run: Run, client: Streaming, back_s: float) -> float:
    """Wait for the first handshake after which a socket is let live: three are refused, five cut off."""
    told = len(client.incidents)
    while run.now_s < back_s + 300:
        if any(isinstance(one, ConnectionRecovered) for one in client.incidents[told:]):
            return run.now_s
        await run.clock.sleep(0.1)
    run.check(False, "nothing came through any more")
    return run.now_s


def _at(run: Run, time_ns: int) -> float:
    return run.now_s - (run.clock.time_ns() - time_ns) / 1e9


def _check_pace(run: Run, client: Streaming, ended_s: float) -> None:
    """Messages on each socket, and sockets, within any second."""
    said: defaultdict[int, list[float]] = defaultdict(list)
    for entry in run.host.journal.entries(kind=("received",)):
        said[entry.connection].append(entry.time_ns / 1e9)
    for number, times in said.items():
        most = max(sum(start <= time < start + 1 for time in times) for start in times)
        run.check(most <= MOST_MESSAGES, f"{most} messages within a second on socket {number}")
    again = [time for time in client.doors.tried_s if time > ended_s]
    closest = min((later - sooner for sooner, later in pairwise(again)), default=1.0)
    run.check(closest >= 0.999, f"two connections within {closest:.3f} s")


@scenario(venues=("bybit",), options={"rate": 0.5}, settle_s=10.0)
async def amend_before_login(run: Run) -> None:
    """The trading socket and the account's are cut, and logins are answered late: an amend goes out once, or never."""
    connector = run.world.connector("bybit", road="websocket")
    for kind in PRIVATE:
        connector.on(kind, run.delivered.on_event)
    async with connector:
        await connector.open_account_stream()
        order = await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price="50000", client_order_id="amended")
        await run.clock.sleep(5)
        run.fault(DelayMessage(topic="", contains='"auth"', seconds=run.random.uniform(0.5, 6.0), count=4))
        run.fault(Cut(route="/v5/trade"), Cut(route="/v5/private"))
        await run.clock.sleep(run.random.uniform(0.0, 1.0))
        began_s = run.now_s
        told: Order | NotSent
        try:
            told = await connector.amend_order("BTCUSDT", order.order_id, price="50001")
        except NotSent as error:
            told = error
        run.check(run.now_s - began_s <= 5.1, f"the caller waited {run.now_s - began_s:.1f} s")
        await run.clock.sleep(10)
        sent = [
            entry
            for entry in run.host.journal.entries(kind=("request", "received"))
            if "amend" in entry.text and "50001" in entry.text
        ]
        run.check(len(sent) == (0 if isinstance(told, NotSent) else 1), f"{len(sent)} amends were sent: {told!r}")


LIFE_S = 3600.0


@scenario(
    options={"rate": 1.0, "options": DialectOptions(socket_lifetime_s=LIFE_S)}, one_in=10, settle_s=5.0
)  # fmt: skip
async def sockets_grow_old(run: Run) -> None:
    """Sockets live for an hour; each is replaced before, at a moment of its own, and nothing is lost or doubled."""
    client = Streaming(run, StreamSettings(socket_life_s=LIFE_S, topics_per_connection=3))
    names = [name for name in STREAMS[run.venue] if "zoo" not in name.lower() and "kline" not in name]
    async with client.manager as manager:
        await client.connect(names)
        await run.clock.sleep(LIFE_S - 1)
        run.check(not any(isinstance(one, ConnectionLost) for one in client.incidents), "a connection was lost")
        run.check(not any(manager.reconnects.values()), f"reconnects: {manager.reconnects}")
        # In a lull of this small market a topic may seem to be mute: then its socket has one successor more.
        connections = [manager.connection(name) for name in manager.states]
        run.check(all(one is not None and one.successions >= 1 for one in connections), "not each was replaced")
        closed = [entry.text for entry in run.host.journal.entries(kind=("closed",)) if "24 hours" in entry.text]
        run.check(not closed, f"{len(closed)} sockets were ended by the venue")
        opened = [
            _at(run, entry.time_ns)
            for entry in run.host.journal.entries(kind=("opened",))
            if _at(run, entry.time_ns) > 60
        ]
        # A day's hour from 22:30 to 23:30, and what it takes for a successor to prove itself.
        early_s, late_s = LIFE_S * (1 - 1 / 48 - 1 / 24), LIFE_S * (1 - 1 / 48)
        rotated = [time for time in opened if time >= early_s - 1]
        run.check(bool(rotated) and max(rotated) <= late_s + 10, f"replaced at {[round(one) for one in rotated]} s")
        run.check(max(rotated) - min(rotated) > 3, f"all were replaced at once: {[round(one) for one in rotated]} s")
        await run.clock.sleep(30)

"""Holes in public streams are marked, and trades and candles that fell into them are read back.

A hole is where a connection was lost, where one topic was mute among others that spoke, or where the venue's own
numbering of trades jumps. Whoever has asked for a kind of event gets a Gap before the next event of it. Trades and
closed candles are read back over REST, and delivered in order, once, marked `recovered`: trades in as many questions as
the venue leads on to, up to MOST_PAGES, and what the stream itself says meanwhile waits, at most HOLD_S.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from msgspec.structs import force_setattr

from perpwire.api_connector.in_time import in_time
from perpwire.api_connector.kept_up import told_of
from perpwire.api_connector.lifecycle import TopicState
from perpwire.api_connector.request_path import RequestPath
from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.clock import Clock
from perpwire.errors import APIError
from perpwire.model.incident import Incident, StreamGap
from perpwire.model.market import (
    AggTrade,
    AssetIndex,
    BookSnapshot,
    BookTicker,
    CompositeIndex,
    Event,
    Gap,
    Kline,
    MarkPrice,
    MiniTicker,
    OpenInterest,
    PriceKind,
    PriceLimits,
    Ticker,
    Trade,
)
from perpwire.venues.base import Venue

HOLD_S = 10.0
"""Longest that what the stream says waits for what it missed."""

TRIES = 3
AGAIN_S = 1.0
"""The venue's lists may lag behind its streams."""

MOST_PAGES = 10
"""Questions for the trades of one hole."""

FURTHER_A_MINUTE = 30
"""And of those that are not a hole's first, for all symbols together: at Binance a quarter of an address' weight."""


AT_ONCE = 500
"""Trades that are delivered in one go."""

STATES: frozenset[type[Event]] = frozenset(
    {BookTicker, BookSnapshot, MarkPrice, Ticker, MiniTicker, OpenInterest, PriceLimits, AssetIndex, CompositeIndex}
)
"""Kinds of which each event is the whole state: a hole in them is marked, but is no trouble."""


class PublicGaps:
    """One for a connector's public streams."""

    def __init__(
        self,
        venue: Venue,
        requests: RequestPath,
        streams: WebSocketManager,
        clock: Clock,
        on_incident: Callable[[Incident], None],
    ) -> None:
        self._venue = venue
        self._requests = requests
        self._frames = streams.frames
        self._clock = clock
        self._streams = streams
        self._off = streams.on_topic(lambda _, topic, state: self.on_topic(topic, state))
        self._on_incident = on_incident
        self._followed: dict[str, dict[Asked, None]] = {}
        """Topic -> what it was asked for."""
        self._tapes: dict[str, Tape] = {}
        self._candles: dict[tuple[str, str], Candles] = {}
        """By symbol and interval."""
        self._last_ns: dict[str, int] = {}
        """Connection or topic -> when it was lost, Unix nanoseconds."""
        self._further_ns: deque[int] = deque(maxlen=FURTHER_A_MINUTE)
        """When a question was asked that was not a hole's first, monotonic."""
        self._offs: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life -------------------------------------------------------------------------------------------------------

    def follow(self, kind: type[Event], symbol: str, topic: str, interval: str = "") -> None:
        """Somebody has subscribed `topic` for this. Where nobody else has, what it said in an earlier life is past."""
        asked = Asked(kind, symbol, interval)
        if topic not in self._followed:
            self._begin_anew(asked)
        self._followed.setdefault(topic, {})[asked] = None
        if not self._offs:
            self._offs = [self._frames.gate(Trade, self._on_trade), self._frames.gate(Kline, self._on_candle)]

    def forget(self, topic: str) -> None:
        """Nobody wants it any more: what it says later begins anew."""
        for asked in self._followed.pop(topic, {}):
            self._begin_anew(asked)
        self._last_ns.pop(topic, None)

    def _begin_anew(self, asked: Asked) -> None:
        """Unless another topic says the same kind of thing of the symbol."""
        base = next((one for one in (Trade, Kline) if issubclass(asked.kind, one)), None)
        others = (one for topic in self._followed.values() for one in topic)
        if base is None or any(issubclass(one.kind, base) and one[1:] == asked[1:] for one in others):
            return
        if base is Trade:
            self._tapes.pop(asked.symbol, None)
        else:
            self._candles.pop(asked[1:], None)

    @property
    def followed(self) -> dict[str, tuple[Asked, ...]]:
        """Topic -> what it was asked for."""
        return {topic: tuple(asked) for topic, asked in self._followed.items()}

    async def close(self) -> None:
        """Hand on what waits, and end."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for tape in self._tapes.values():
            self._release(tape)
        for candles in self._candles.values():
            self._release_candles(candles)
        for off in (*self._offs, self._off):
            off()
        self._offs.clear()

    def on_state(self, connection: str, live: bool) -> None:
        """A connection is lost, or there again."""
        carrier = self._streams.connection(connection)
        topics = [topic for topic in (() if carrier is None else carrier.topics) if topic in self._followed]
        if live:
            since_ns = self._last_ns.pop(connection, None)
            if since_ns is not None:
                self._is_back(topics, since_ns, "the connection was lost")
        elif connection not in self._last_ns:
            self._last_ns[connection] = self._clock.time_ns()
            self._are_away(topics)

    def on_topic(self, topic: str, state: TopicState) -> None:
        """One topic fell silent among others, or speaks again."""
        if topic not in self._followed:
            return
        if state is TopicState.STALE:
            self._last_ns.setdefault(topic, self._clock.time_ns())
            self._are_away([topic])
        elif state is TopicState.LIVE:
            since_ns = self._last_ns.pop(topic, None)
            if since_ns is not None:
                self._is_back([topic], since_ns, "the topic was mute")

    def _are_away(self, topics: Iterable[str]) -> None:
        """From now on trades wait: what comes first when they are there again is not the next one."""
        for topic in topics:
            for asked in self._followed[topic]:
                tape, candles = self._kept(asked)
                if tape is not None:
                    tape.is_away = True
                elif candles is not None:
                    candles.hold()

    def _is_back(self, topics: Iterable[str], since_ns: int, why: str) -> None:
        for topic in topics:
            for asked in self._followed[topic]:
                tape, candles = self._kept(asked)
                if tape is not None:
                    self._begin(self._repair(tape, since_ns, why))
                elif candles is not None:
                    candles.hold()
                    self._begin(self._read_candles(candles, since_ns, why))
                else:
                    self._tell(asked.kind, asked.symbol, since_ns, why, is_repaired=False, interval=asked.interval)

    def _kept(self, asked: Asked) -> tuple[Tape | None, Candles | None]:
        """What is known of a stream that can be read back; of trades only where one has come."""
        if asked.kind is Kline:
            return None, self._candles_of(asked.symbol, asked.interval)
        tape = self._tapes.get(asked.symbol) if issubclass(asked.kind, Trade) else None
        return (None if tape is None or tape.last is None else tape), None

    def _begin(self, what: Any) -> None:
        task = asyncio.get_running_loop().create_task(what, name="perpwire public gap")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        told_of(task, "the reading back of a public gap", self._venue.name, self._clock, self._on_incident)

    # --- trades -----------------------------------------------------------------------------------------------------

    def _on_trade(self, trade: Trade) -> bool:
        """THE HOT PATH: each trade of the streams. Whether it goes on to its handlers."""
        tape = self._tapes.get(trade.symbol)
        if tape is None:
            tape = self._tapes[trade.symbol] = Tape(trade.symbol)
        last = tape.last
        if tape.is_away:
            tape.held.append(trade)
            return False
        if tape.read and trade.trade_id in tape.read:
            return False  # the venue's list was ahead of its stream
        if last is not None and isinstance(trade, AggTrade) and isinstance(last, AggTrade):
            number, before = trade.trade_id, last.trade_id
            if number != before + 1:  # type: ignore[operator]  # those of aggregated ones are numbers
                if number > before:  # type: ignore[operator]
                    tape.is_away = True
                    tape.held.append(trade)
                    self._begin(self._repair(tape, last.received_ns, "numbers are missing"))
                return False  # else it was told before
        tape.last = trade
        return True

    async def _repair(self, tape: Tape, since_ns: int, why: str) -> None:
        """Read back what is between the last trade and those that wait."""
        if tape.is_repaired:
            return  # it is under way
        tape.is_repaired = tape.is_away = True
        try:
            await self._read_trades(tape, since_ns, why)
        except Exception:  # whatever it is, there is a hole
            await self._deliver_missing(tape, [], since_ns, why, False)
            raise
        finally:
            tape.is_repaired = False
            self._release(tape)

    async def _read_trades(self, tape: Tape, since_ns: int, why: str) -> None:
        last = tape.last
        assert last is not None
        until_ns = self._clock.monotonic_ns() + round(HOLD_S * 1e9)
        missing: list[Trade] = []
        is_whole = is_gone = False
        failure = ""
        tries = pages = 0
        while True:
            left_s = (until_ns - self._clock.monotonic_ns()) / 1e9
            try:
                rows = await in_time(
                    self._requests.run(self._venue.trades_from(tape.symbol, last)), left_s, self._clock
                )
            except (APIError, TimeoutError) as error:
                rows, failure = (), f"; they can't be read back: {error}"
            pages += 1
            is_full = len(rows) >= self._venue.trades_page
            if rows:
                at = next((n for n, row in enumerate(rows) if row.trade_id == last.trade_id), None)
                is_gone = is_gone or at is None  # what is older than the list
                missing += rows if at is None else rows[at + 1 :]
                last = rows[-1]
                reaches = self._meets(missing, tape) if tape.held else not is_full
                is_whole = reaches and not is_gone
                if reaches or (is_gone and not is_full):
                    break
            if is_full:
                if pages < MOST_PAGES and self._may_go_on():
                    continue
                break
            tries += 1
            if tries == TRIES or (until_ns - self._clock.monotonic_ns()) / 1e9 <= AGAIN_S:
                break
            await self._clock.sleep(AGAIN_S)
        while not (is_whole or tape.held) and self._clock.monotonic_ns() < until_ns:
            await self._clock.sleep(AGAIN_S)  # so that it is known where the hole ends, which is not looked into again
        await self._deliver_missing(tape, missing, since_ns, why if is_whole else why + failure, is_whole)

    def _may_go_on(self) -> bool:
        """Whether a hole that one question did not close may have another one."""
        now_ns, asked = self._clock.monotonic_ns(), self._further_ns
        if len(asked) == FURTHER_A_MINUTE and now_ns - asked[0] < 60_000_000_000:
            return False
        asked.append(now_ns)
        return True

    @staticmethod
    def _meets(missing: list[Trade], tape: Tape) -> bool:
        """Whether the rows lead up to the first of what waits."""
        first = tape.held[0]
        if isinstance(first, AggTrade) and isinstance(tape.last, AggTrade):
            newest = missing[-1].trade_id if missing else tape.last.trade_id
            return newest >= first.trade_id - 1  # type: ignore[operator]
        return any(row.trade_id == first.trade_id for row in missing) or not missing

    async def _deliver_missing(self, tape: Tape, missing: list[Trade], since_ns: int, why: str, is_whole: bool) -> None:
        held = {trade.trade_id for trade in tape.held}
        fresh = [row for row in missing if row.trade_id not in held]
        if fresh or not is_whole:
            ids = _hole(tape, fresh)
            self._tell(Trade, tape.symbol, since_ns, why, is_repaired=is_whole, ids=ids)
        read = {row.trade_id for row in fresh}
        tape.read |= read
        for count, row in enumerate(fresh, start=1):
            tape.last = row
            self._frames.pass_on(_recovered(row))
            if count % AT_ONCE == 0:
                await self._clock.sleep(0)  # the loop is not ours alone
        self._clock.call_later(HOLD_S, lambda: tape.read.difference_update(read))

    def _release(self, tape: Tape) -> None:
        held, tape.held, tape.is_away = tape.held, [], False
        for trade in held:
            if trade.trade_id in tape.read:
                continue
            last = tape.last
            if isinstance(trade, AggTrade) and isinstance(last, AggTrade) and trade.trade_id <= last.trade_id:  # type: ignore[operator]
                continue
            tape.last = trade
            self._frames.pass_on(trade)

    # --- candles ----------------------------------------------------------------------------------------------------

    def _candles_of(self, symbol: str, interval: str) -> Candles:
        candles = self._candles.get((symbol, interval))
        if candles is None:
            candles = self._candles[symbol, interval] = Candles(symbol, interval)
        return candles

    def _on_candle(self, candle: Kline) -> bool:
        candles = self._candles_of(candle.symbol, candle.interval)
        if candles.held is not None:
            candles.held.append(candle)
            return False
        candles.last = candle
        return True

    def _release_candles(self, candles: Candles) -> None:
        held, candles.held = candles.held or (), None
        for candle in held:
            last = candles.last
            if last is not None and last.is_closed and candle.open_time_ms <= last.open_time_ms:
                continue  # the last word on it was read back
            candles.last = candle
            self._frames.pass_on(candle)

    async def _read_candles(self, candles: Candles, since_ns: int, why: str) -> None:
        candles.holes += 1
        if candles.holes > 1:
            return  # whoever reads will read this one too
        try:
            while candles.holes:
                holes = candles.holes
                await self._read_closed(candles, since_ns, why)
                candles.holes -= holes
        except Exception:
            candles.holes = 0
            self._tell_candles(candles, since_ns, why, is_repaired=False)
            raise
        finally:
            self._release_candles(candles)

    async def _read_closed(self, candles: Candles, since_ns: int, why: str) -> None:
        """Those that closed meanwhile."""
        last, rows = candles.last, None
        if last is not None:
            question = self._requests.run(
                self._venue.klines(last.symbol, last.interval, last.open_time_ms, None, PriceKind.LAST)
            )
            try:
                rows = await in_time(question, HOLD_S, self._clock)
            except (APIError, TimeoutError) as error:
                why = f"{why}; they can't be read back: {error}"
        if self._candles.get((candles.symbol, candles.interval)) is not candles:
            candles.held = None  # nobody wants them any more
            return
        if last is None or rows is None:
            self._tell_candles(candles, since_ns, why, is_repaired=False)
            return
        closed = [row for row in rows if row.is_closed and (row.open_time_ms > last.open_time_ms or not last.is_closed)]
        if closed:
            self._tell_candles(candles, since_ns, why, is_repaired=True)
        for row in closed:
            candles.last = row
            self._frames.pass_on(_recovered(row))

    def _tell_candles(self, candles: Candles, since_ns: int, why: str, *, is_repaired: bool) -> None:
        self._tell(Kline, candles.symbol, since_ns, why, is_repaired=is_repaired, interval=candles.interval)

    # --- small things -----------------------------------------------------------------------------------------------

    def _tell(
        self,
        kind: type[Event],
        symbol: str,
        since_ns: int,
        why: str,
        *,
        is_repaired: bool,
        interval: str = "",
        ids: tuple[int | None, int | None] = (None, None),
    ) -> None:
        self._frames.deliver(
            Gap(
                venue=self._venue.name,
                symbol=symbol,
                kind=kind.__name__,
                interval=interval,
                since_ns=since_ns,
                until_ns=self._clock.time_ns(),
                first_missing=ids[0],
                last_missing=ids[1],
                repaired=is_repaired,
                why=why,
            )
        )
        if kind in STATES:
            return  # the next event of it tells all there is to know
        self._on_incident(
            StreamGap(
                venue=self._venue.name,
                time_ns=self._clock.time_ns(),
                why=why,
                kind=kind.__name__,
                symbol=symbol,
                repaired=is_repaired,
                interval=interval,
            )
        )


class Asked(NamedTuple):
    """What a topic was subscribed for.

    Attributes:
        interval: Of candles; "" of all else.
    """

    kind: type[Event]
    symbol: str
    interval: str


class Candles:
    """Those of one symbol and interval.

    Attributes:
        last: The newest that was delivered; None before the first.
        held: Those of the stream that wait; None: they need not.
        holes: How many are being read back.
    """

    __slots__ = ("held", "holes", "interval", "last", "symbol")

    def __init__(self, symbol: str, interval: str) -> None:
        self.symbol = symbol
        self.interval = interval
        self.last: Kline | None = None
        self.held: list[Kline] | None = None
        self.holes = 0

    def hold(self) -> None:
        """From now on they wait."""
        if self.held is None:
            self.held = []


class Tape:
    """Trades of one symbol.

    Attributes:
        last: The newest that was delivered; None before the first.
        held: Those of the stream that wait.
        is_away: They have to wait.
        is_repaired: What is before them is being read.
        read: Ids of what was read back a moment ago.
    """

    __slots__ = ("held", "is_away", "is_repaired", "last", "read", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.last: Trade | None = None
        self.held: list[Trade] = []
        self.is_away = False
        self.is_repaired = False
        self.read: set[int | str] = set()


def _hole(tape: Tape, rows: list[Trade]) -> tuple[int | None, int | None]:
    """First and last id of what was missed, where the venue counts them."""
    last = tape.last
    if not isinstance(last, AggTrade) or not isinstance(last.trade_id, int):
        return None, None
    end = tape.held[0].trade_id if tape.held else (rows[-1].trade_id + 1 if rows else None)  # type: ignore[operator]
    if not isinstance(end, int):
        return last.trade_id + 1, None
    return last.trade_id + 1, end - 1


def _recovered(event: Any) -> Any:
    """It was made a moment ago, and nobody has seen it."""
    force_setattr(event, "recovered", True)
    return event

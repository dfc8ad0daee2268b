"""Trades that a stream missed are read back: delivered in order, once, marked `recovered`.

In as many questions as the venue leads on to, up to MOST_PAGES; what the stream itself says meanwhile waits, at most
HOLD_S.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec.structs import force_setattr

from perpwire.api_connector.frame_path import FramePath
from perpwire.api_connector.gap_telling import GapTeller
from perpwire.api_connector.in_time import in_time
from perpwire.api_connector.request_path import RequestPath
from perpwire.clock import Clock
from perpwire.errors import APIError
from perpwire.model.market import AggTrade, Trade
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


class TradeRepair:
    """Of all symbols of one connector.

    Args:
        begin: Does something in the background.
    """

    def __init__(
        self,
        venue: Venue,
        requests: RequestPath,
        frames: FramePath,
        clock: Clock,
        teller: GapTeller,
        begin: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._venue = venue
        self._requests = requests
        self._frames = frames
        self._clock = clock
        self._teller = teller
        self._begin = begin
        self._tapes: dict[str, Tape] = {}
        self._further_ns: deque[int] = deque(maxlen=FURTHER_A_MINUTE)
        """When a question was asked that was not a hole's first, monotonic."""

    def tape(self, symbol: str) -> Tape | None:
        """None before its first trade: there is nothing then that could be joined to."""
        tape = self._tapes.get(symbol)
        return None if tape is None or tape.last is None else tape

    def forget(self, symbol: str) -> None:
        """What comes later begins anew."""
        self._tapes.pop(symbol, None)

    def close(self) -> None:
        """Hand on what waits."""
        for tape in self._tapes.values():
            self._release(tape)

    def on_trade(self, trade: Trade) -> bool:
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
                    self._begin(self.repair(tape, last.received_ns, "numbers are missing"))
                return False  # else it was told before
        tape.last = trade
        return True

    async def repair(self, tape: Tape, since_ns: int, why: str) -> None:
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
            self._teller.tell(Trade, tape.symbol, since_ns, why, is_repaired=is_whole, ids=ids)
        read = {row.trade_id for row in fresh}
        tape.read |= read
        for count, row in enumerate(fresh, start=1):
            tape.last = row
            self._frames.pass_on(recovered(row))
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


def _hole(tape: Tape, rows: list[Trade]) -> tuple[int | None, int | None]:
    """First and last id of what was missed, where the venue counts them."""
    last = tape.last
    if not isinstance(last, AggTrade) or not isinstance(last.trade_id, int):
        return None, None
    end = tape.held[0].trade_id if tape.held else (rows[-1].trade_id + 1 if rows else None)  # type: ignore[operator]
    if not isinstance(end, int):
        return last.trade_id + 1, None
    return last.trade_id + 1, end - 1


def recovered(event: Any) -> Any:
    """It was made a moment ago, and nobody has seen it."""
    force_setattr(event, "recovered", True)
    return event

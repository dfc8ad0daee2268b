"""Trades that a stream missed are read back: delivered in order, once, marked `recovered`.

In as many questions as the venue leads on to, up to MOST_PAGES; what the stream itself says meanwhile waits, at most
HOLD_S for each hole. Where the venue numbers its trades, a number that is missing is a hole too, and a number that is
far from where it should be is where the numbers begin anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import cast

from perpwire.api_connector.in_time import in_time
from perpwire.api_connector.strands import AWAY, HOLD_S, SETTLED_S, Hole, Means, Mending, Strand, recovered
from perpwire.errors import APIError
from perpwire.model.market import AggTrade, Trade
from perpwire.venues.base import Call, Lane

FIRST_S = 3.0
"""So long a numbered trade is waited for that says whether anything is missing, before that is asked: of a hundred
contracts that were lost for a moment most have missed nothing."""

MOST_PAGES = 10
"""Questions for the trades of one hole."""

FURTHER_A_MINUTE = 30
"""And of those that are not a hole's first, for all symbols together: at Binance a quarter of an address' weight."""

FAR = 10_000
"""A live stream does not lose so many trades without a sign: a number so far from the last one is of another count."""

REMEMBERED = 256
"""Ids of a symbol by which a trade that comes again is known, where the venue does not number them, at least, and those
that came with the newest of them: enough for a frame that comes twice, and for a venue's list that is ahead of its
stream."""

AT_ONCE = 500
"""Trades that are delivered in one go."""


class Tape(Strand[Trade]):
    """Trades of one symbol, aggregated or single.

    Attributes:
        told, told_before: Ids of the newest, where they are not numbered, and those before them.
        is_sought: What is between the last one that was told and the next was looked for: whatever number that has.
    """

    __slots__ = ("_since_ns", "is_sought", "told", "told_before")

    def __init__(self, symbol: str) -> None:
        super().__init__(symbol)
        self.told: set[int | str] = set()
        self.told_before: set[int | str] = set()
        self._since_ns = -1
        self.is_sought = False

    def remember(self, trade: Trade) -> None:
        """What is too old goes all at once: one by one costs each trade more than it costs to be told. What came with
        this one stays."""
        told = self.told
        told.add(trade.trade_id)
        if len(told) >= REMEMBERED and trade.received_ns != self._since_ns:
            self.told, self.told_before, self._since_ns = set(), told, trade.received_ns

    def was_told(self, number: int | str) -> bool:
        return number in self.told or number in self.told_before


class TradeRepair(Mending[Tape, Trade]):
    """Of all symbols of one connector."""

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        self._name = self._venue.name
        self._is_numbered = self._venue.numbers_trades
        self._aggregated: dict[str, Tape] = {}
        self._single: dict[str, Tape] = {}
        self._further_ns: deque[int] = deque(maxlen=FURTHER_A_MINUTE)
        """When a question was asked that was not a hole's first, monotonic."""

    def tape(self, symbol: str, *, aggregated: bool) -> Tape:
        tapes = self._aggregated if aggregated else self._single
        tape = tapes.get(symbol)
        if tape is None:
            tape = tapes[symbol] = Tape(symbol)
        return tape

    def forget(self, symbol: str, *, aggregated: bool) -> None:
        """What comes later begins anew."""
        tape = (self._aggregated if aggregated else self._single).pop(symbol, None)
        if tape is not None:
            self.drop(tape)

    def _strands(self) -> Iterable[Tape]:
        return (*self._aggregated.values(), *self._single.values())

    # --- the stream -----------------------------------------------------------------------------------------------

    def on_trade(self, trade: Trade) -> bool:
        """THE HOT PATH: each trade of the streams. Whether it goes on to its handlers."""
        if trade.venue != self._name:
            return True
        is_aggregated = self._aggregated and isinstance(trade, AggTrade)
        tape = (self._aggregated if is_aggregated else self._single).get(trade.symbol)
        if tape is None:
            return True  # of a stream that is asked for by its name nothing is kept
        if tape.waiting:
            if not (self._is_numbered and self._put_in_place(tape, trade)):
                self.wait(tape, trade)
            return False
        return self._step(tape, trade)

    @staticmethod
    def _put_in_place(tape: Tape, trade: Trade) -> bool:
        """A trade that was overtaken, by its number, goes before those that wait already."""
        at = len(tape.waiting)
        while not isinstance(newer := tape.waiting[at - 1], Hole) and _was_told(newer, trade):
            at -= 1
        if at == len(tape.waiting):
            return False
        before = tape.waiting[at]
        if isinstance(before, Hole) or before.trade_id != trade.trade_id:
            tape.waiting.insert(at, trade)
        return True

    def _step(self, tape: Tape, trade: Trade) -> bool:
        last, number = tape.last, trade.trade_id
        if not self._is_numbered:
            if number in tape.told or number in tape.told_before:  # as was_told, without the call
                return False  # it was told before, or the venue's list was ahead of its stream
            tape.remember(trade)
        elif last is not None and number != last.trade_id + 1 and not self._is_in_place(tape, trade, last):  # type: ignore[operator]
            return False
        tape.last = trade
        tape.is_sought = False
        return True

    def _is_in_place(self, tape: Tape, trade: Trade, last: Trade) -> bool:
        """Of a numbered trade that is not the one after the last one."""
        step = _step_between(last, trade)
        if _was_told(last, trade):
            return False
        if tape.is_sought:
            return True
        if 0 < step <= FAR:
            self.tear(tape, trade, "numbers are missing")
            return False
        self._tell(tape, Hole(tape.told_ns, "the numbers begin anew"), [trade], (), is_repaired=False)
        return True

    # --- reading back -----------------------------------------------------------------------------------------------

    async def _read(self, tape: Tape, hole: Hole) -> None:
        """Read back what is between the last trade and those that wait."""
        last = before = tape.last
        if last is None or before is None:
            self._tell_missing(tape, hole)  # nothing that could be joined to
            return
        await self._hear(tape, hole, FIRST_S if self._is_numbered else SETTLED_S)
        missing: list[Trade] = []
        is_whole = is_gone = False
        failure = ""
        tries = pages = 0
        while True:
            behind = self._behind(tape)
            if behind and self._is_numbered:
                step = _step_between(missing[-1] if missing else before, behind[0])
                if step <= 1:
                    is_whole = not is_gone and (step == 1 or bool(missing))
                    if step < 1 and not missing:
                        hole.add("the numbers begin anew")
                    break
            asked_ns = self._clock.monotonic_ns()
            try:
                question = self._requests.run(self._question(tape, last))
                rows = await in_time(question, min(HOLD_S, self._left_s(hole)), self._clock)
            except (APIError, TimeoutError) as error:
                rows, failure = (), f"they can't be read back: {error}"
                if isinstance(error, TimeoutError):
                    tries -= 1  # perhaps the budget had no room for it
            if tape.is_dropped:
                return
            pages += 1
            is_full = len(rows) >= self._venue.trades_page
            if rows:
                at = next((n for n, row in enumerate(rows) if row.trade_id == last.trade_id), None)
                is_gone = is_gone or at is None  # what is older than the list
                missing += rows if at is None else rows[at + 1 :]
                last = rows[-1]
                behind = self._behind(tape)
                # A number that is missing says later what a list lacked.
                is_end = not is_full and (self._is_numbered or self._is_settled(tape, hole, asked_ns))
                if self._meets(missing, tape, behind) if behind else is_end:
                    is_whole = not is_gone
                    break
            if is_full:
                if pages < MOST_PAGES and self._may_go_on():
                    continue
                break
            tries += 1
            if not await self._again(hole, tries):
                break
        if not is_whole:  # so that it is known where the hole ends, which is not looked into again
            await self._hear(tape, hole, HOLD_S)
        if failure and not is_whole:
            hole.add(failure)
        await self._deliver(tape, hole, missing, is_whole)

    def _question(self, tape: Tape, last: Trade) -> Call[tuple[Trade, ...]]:
        """After all else that is asked of the market: books wait for it."""
        return self._venue.trades_from(tape.symbol, last).in_lane(Lane.HISTORY)

    def _may_go_on(self) -> bool:
        """Whether a hole that one question did not close may have another one."""
        now_ns, asked = self._clock.monotonic_ns(), self._further_ns
        if len(asked) == FURTHER_A_MINUTE and now_ns - asked[0] < 60_000_000_000:
            return False
        asked.append(now_ns)
        return True

    def _behind(self, tape: Tape) -> list[Trade]:
        """What waits behind the hole, without what was told before it."""
        last = cast(Trade, tape.last)
        if self._is_numbered:
            return [one for one in tape.behind() if not _was_told(last, one)]
        return [one for one in tape.behind() if not tape.was_told(one.trade_id)]

    def _meets(self, missing: list[Trade], tape: Tape, behind: list[Trade]) -> bool:
        """Whether the rows lead up to what waits."""
        if self._is_numbered and _step_between(missing[-1] if missing else cast(Trade, tape.last), behind[0]) <= 1:
            return True
        ids = {trade.trade_id for trade in behind}
        return any(row.trade_id in ids for row in missing)

    async def _deliver(self, tape: Tape, hole: Hole, missing: list[Trade], is_whole: bool) -> None:
        if tape.is_dropped:
            return
        behind = self._behind(tape)
        fresh = self._before(behind, missing, tape)
        if fresh or not is_whole:
            self._tell(tape, hole, behind, fresh, is_repaired=is_whole)
        tape.is_sought = bool(behind) or not is_whole
        for count, row in enumerate(fresh, start=1):
            tape.last = row
            tape.heard_ns = self._clock.time_ns()
            if not self._is_numbered:
                tape.remember(row)
            self._frames.pass_on(recovered(row))
            if count % AT_ONCE == 0:
                await self._clock.sleep(0)  # the loop is not ours alone
                if tape.is_dropped:
                    return

    def _before(self, behind: list[Trade], missing: list[Trade], tape: Tape) -> list[Trade]:
        """Of the rows those that belong before what waits; the stream says the others itself."""
        ids = {trade.trade_id for trade in behind}
        fresh: list[Trade] = []
        for row in missing:
            if row.trade_id in ids or (self._is_numbered and behind and _step_between(row, behind[0]) <= 0):
                break
            if not tape.was_told(row.trade_id):
                fresh.append(row)
        return fresh

    # --- telling ----------------------------------------------------------------------------------------------------

    def _tell_missing(self, tape: Tape, hole: Hole) -> None:
        self._tell(tape, hole, () if tape.last is None else self._behind(tape), (), is_repaired=False)

    def _tell(
        self, tape: Tape, hole: Hole, behind: Iterable[Trade], fresh: Iterable[Trade], *, is_repaired: bool
    ) -> None:
        tape.is_sought = not is_repaired
        self._teller.tell(
            AggTrade if self._aggregated.get(tape.symbol) is tape else Trade,
            tape.symbol,
            hole.since_ns,
            hole.why or AWAY,
            is_repaired=is_repaired,
            ids=self._missing_ids(tape, list(behind), list(fresh)),
        )

    def _missing_ids(self, tape: Tape, behind: list[Trade], fresh: list[Trade]) -> tuple[int | None, int | None]:
        """First and last id of what was missed, where the venue counts them."""
        last = tape.last
        if not self._is_numbered or last is None:
            return None, None
        if behind and _step_between(last, behind[0]) <= 0:
            return None, None  # of another count
        first = int(last.trade_id) + 1
        if behind:
            return first, int(behind[0].trade_id) - 1
        return first, int(fresh[-1].trade_id) if fresh else None


def _step_between(before: Trade, after: Trade) -> int:
    return cast(int, after.trade_id) - cast(int, before.trade_id)


def _was_told(last: Trade, trade: Trade) -> bool:
    """A number that is not above the last one comes again, or late; unless it is far below, or made later."""
    return -FAR < _step_between(last, trade) <= 0 and trade.venue_time_ms <= last.venue_time_ms

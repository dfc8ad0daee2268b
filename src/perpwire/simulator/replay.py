"""A recording as the background market of its symbol.

The file has one message a line, plain or gzip: local receive time in ns, a space, and the raw text of either a combined
stream frame (`{"stream":"btcusdt@trade","data":{...}}`) or one REST depth snapshot. All frames are of one symbol of
Binance USD-M futures, streams `<symbol>@depth...`, `@bookTicker` and `@trade`. Our own recordings
(data_processor/recording_format.py) are taken too: of them, what came from Binance's streams, and the books that they
note.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec

from perpwire.clock import Clock, Timer
from perpwire.data_processor.recording_format import BOOK, OURS, Frame, read_file
from perpwire.model.market import Level
from perpwire.model.order import Side
from perpwire.simulator.events import RecordedFrame, SimEvent
from perpwire.simulator.execution import Execution
from perpwire.simulator.market import Market, RecordedBook
from perpwire.simulator.matching import BookSide, PriceLevel

logger = logging.getLogger("perpwire.simulator")

VENUE = "binance"
_FRAMES_A_TURN = 50

LEAD_S = 0.25
"""Real seconds from the first wish for the book to the first frame: time to take the first snapshot, as it was then."""

_UNREADABLE = (msgspec.DecodeError, RecursionError, ValueError)
_TOO_LARGE = Decimal("1E+15")
_QUANTUM_NS = 2_000_000  # frames due within it go out at one timer


Levels = list[tuple[Decimal, Decimal]]


class _Envelope(msgspec.Struct):
    stream: str
    data: msgspec.Raw


class _Snapshot(msgspec.Struct):
    lastUpdateId: int
    bids: Levels
    asks: Levels


class _Diff(msgspec.Struct):
    u: int
    b: Levels
    a: Levels


class _Print(msgspec.Struct):
    p: Decimal
    q: Decimal
    m: bool
    X: str = "MARKET"


class _Noted(msgspec.Struct):
    event: str
    venue: str = ""
    update_id: int = 0
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []


_decode_noted = msgspec.json.Decoder(_Noted).decode
_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_snapshot = msgspec.json.Decoder(_Snapshot).decode
_decode_diff = msgspec.json.Decoder(_Diff).decode
_decode_print = msgspec.json.Decoder(_Print).decode


def _read_frame(text: bytes) -> _Envelope:
    """
    Raises:
        msgspec.DecodeError, RecursionError: No stream frame.
        ValueError: Its stream has no kind.
    """
    frame = _envelope(text)
    if not all(frame.stream.split("@")[:2]) or "@" not in frame.stream:
        raise ValueError(f"{frame.stream!r} is no stream of a symbol")
    return frame


def _check_levels(*sides: Levels) -> None:
    for side in sides:
        for level in side:
            _check_numbers(*level)


def _check_numbers(*numbers: Decimal) -> None:
    """
    Raises:
        ValueError: One is no price or quantity.
    """
    for number in numbers:
        if not (number.is_finite() and 0 <= number < _TOO_LARGE):
            raise ValueError(f"{number} is no price or quantity")


def _read_snapshot(text: bytes) -> _Snapshot:
    snapshot = _decode_snapshot(text)
    _check_levels(snapshot.bids, snapshot.asks)
    return snapshot


def _read_diff(payload: bytes) -> _Diff:
    diff = _decode_diff(payload)
    _check_levels(diff.b, diff.a)
    return diff


def _read_print(payload: bytes) -> _Print:
    one = _decode_print(payload)
    _check_numbers(one.p, one.q)
    return one


class ReplayFeed:
    """Plays a recording at `speed` times its own pace, once somebody wants the book; the last book then stands.

    How it meets the users' orders: a recorded level's quantity is absolute and anonymous. What is added queues behind
    the users' orders, what goes is taken off the rear first. A recorded trade at a user's price first eats what is
    ahead of the user; one beyond it fills the user's order wholly. Recorded quotes that would cross a user's order
    trade with it. What a user has taken stays taken until the level's next recorded update. The public side (book,
    trades, frames) is the recording alone. Frames of other symbols, and later snapshots, are passed over; what can't be
    read is skipped with a warning.

    Attributes:
        symbol: Whose recording it is.
        is_finished: The last frame has been played.
    """

    def __init__(self, path: Path | str, speed: float = 1.0) -> None:
        """
        Raises:
            OSError: The file can't be read.
            ValueError: It holds no snapshot, or no stream, or `speed` is not a finite number above 0.
        """
        if not (math.isfinite(speed) and speed > 0):
            raise ValueError(f"speed {speed:g} must be a finite number above 0")
        self._path = Path(path)
        self._speed = speed
        self.symbol, self._snapshot = self._look_ahead()
        self.is_finished = False
        self._messages: Generator[tuple[int, bytes]] = _nothing()
        self._frames: Iterator[tuple[int, bytes]] = iter(())
        self._next: tuple[int, bytes] | None = None
        self._first_ns = 0
        self._began_ns = 0
        self._timer: Timer | None = None
        self._emit: Callable[[SimEvent], None] | None = None
        self._is_wanted = False

    @property
    def start_price(self) -> Decimal | None:
        """Between the first best bid and ask; None where a side is empty."""
        bids, asks = (
            [price for price, quantity in side if quantity] for side in (self._snapshot.bids, self._snapshot.asks)
        )
        return (max(bids) + min(asks)) / 2 if bids and asks else None

    # --- reading ------------------------------------------------------------------------------------------------------

    def _read(self) -> Generator[tuple[int, bytes]]:
        """Times and texts."""
        with closing(read_file(self._path, f"{VENUE}/public", _warn_of_line)) as frames:
            for frame in frames:
                try:
                    text = _text_of(frame)
                except _UNREADABLE as error:
                    _warn(frame.data, error)
                    continue
                if text is not None:
                    yield frame.received_ns, text

    def _look_ahead(self) -> tuple[str, _Snapshot]:
        """The symbol of the first stream, and the first snapshot."""
        symbol = ""
        snapshot: _Snapshot | None = None
        for _, text in self._read():
            try:
                if _is_frame(text):
                    symbol = symbol or _symbol_of(_read_frame(text).stream)
                elif snapshot is None:
                    snapshot = _read_snapshot(text)
            except _UNREADABLE as error:
                _warn(text, error)
            if symbol and snapshot is not None:
                return symbol, snapshot
        raise ValueError(f"{self._path}: no depth snapshot and stream of one symbol in it")

    # --- life ---------------------------------------------------------------------------------------------------------

    def load(self, market: Market, execution: Execution, clock: Clock) -> None:
        """Put the first snapshot into the market."""
        self._market, self._execution, self._clock = market, execution, clock
        market.recorded = RecordedBook()
        self._apply(self._snapshot.bids, self._snapshot.asks)
        market.update_id = self._snapshot.lastUpdateId
        market.last_price = market.canonical(market.middle)
        market.price.restart(market.last_price)

    def start(self, emit: Callable[[SimEvent], None]) -> None:
        """From now on it may play. Needs a running loop."""
        self._emit = emit
        if self._is_wanted:
            self._play()

    def begin(self) -> None:
        """Somebody wants the book."""
        if not self._is_wanted:
            self._is_wanted = True
            if self._emit is not None:
                self._play()

    def close(self) -> None:
        self._emit = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._messages.close()

    def _play(self) -> None:
        self._messages = self._read()
        self._frames = ((at_ns, text) for at_ns, text in self._messages if _is_frame(text))
        self._next = next(self._frames, None)
        self._first_ns = self._next[0] if self._next else 0
        self._began_ns = self._clock.monotonic_ns() + round(LEAD_S * 1e9)
        self._sleep()

    def _due_ns(self, at_ns: int) -> int:
        return self._began_ns + round((at_ns - self._first_ns) / self._speed)

    def _sleep(self) -> None:
        if self._next is None:
            self.is_finished = True
            self._messages.close()
            return
        wait_ns = max(_QUANTUM_NS, self._due_ns(self._next[0]) - self._clock.monotonic_ns())
        self._timer = self._clock.call_later(wait_ns / 1e9, self._on_timer)

    def _on_timer(self) -> None:
        now_ns = self._clock.monotonic_ns()
        # A listener may close the exchange; then nothing more goes out. A replay that is behind its pace catches up in
        # small steps, so that calls are answered in between.
        for _ in range(_FRAMES_A_TURN):
            if self._next is None or self._emit is None or self._due_ns(self._next[0]) > now_ns:
                break
            with self._market.step:
                self._play_frame(self._next[1], self._emit)
            self._next = next(self._frames, None)
        if self._emit is not None:
            self._sleep()

    # --- what a frame does --------------------------------------------------------------------------------------------

    def _play_frame(self, text: bytes, emit: Callable[[SimEvent], None]) -> None:
        # Read in full before anything is done, so that a frame that can't be read leaves no trace.
        content: _Diff | _Print | None = None
        try:
            frame = _read_frame(text)
            if _symbol_of(frame.stream) != self.symbol:
                return
            payload = bytes(frame.data)
            kind = frame.stream.split("@", 2)[1]
            if kind == "depth":
                content = _read_diff(payload)
            elif kind == "trade":
                content = _read_print(payload)
        except _UNREADABLE as error:
            _warn(text, error)
            return
        market = self._market
        recorded = RecordedFrame(venue=VENUE, stream=frame.stream, payload=payload)
        if isinstance(content, _Diff):
            diff = content
            if diff.u < self._snapshot.lastUpdateId:
                emit(recorded)
                return
            bids, asks = self._apply(diff.b, diff.a)
            emit(recorded)
            market.publish_levels(diff.u, bids, asks)
            self._uncross()
        elif isinstance(content, _Print):
            one = content
            emit(recorded)
            # The venue marks what is no trade of the market (insurance fund) and gives it a price or quantity of 0.
            if one.X == "MARKET" and one.p and one.q:
                market.begin_taking()
                market.publish_trade(self._execution.next_trade_id(self.symbol), one.p, one.q, one.m)
                self._print(Side.BUY if one.m else Side.SELL, one.p, one.q)
        else:
            emit(recorded)

    def _apply(self, bids: Levels, asks: Levels) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        market = self._market
        assert market.recorded is not None  # set by load
        book = market.book
        book.set_background(Side.BUY, bids)
        book.set_background(Side.SELL, asks)
        return market.recorded.bids.apply(bids), market.recorded.asks.apply(asks)

    def _print(self, maker_side: Side, price: Decimal, quantity: Decimal) -> None:
        """A recorded trade: fill the users' orders it went through, then eat the queue at its own price."""
        book = self._market.book
        side = book.side(maker_side)
        if book.user_orders:
            beyond = [level for level in _until(side, price) if level.price != price]
            for resting in [one for level in beyond for one in level.queue if one.order is not None]:
                # An earlier fill may have ended this one (a reduce-only order whose position is gone).
                if resting.quantity:
                    self._execution.fill_resting(self._market, resting, resting.quantity)
        while quantity and (level := side.levels.get(price)) is not None:
            resting = level.queue[0]
            part = min(quantity, resting.quantity)
            quantity -= part
            if resting.order is None:
                book.reduce(resting, part)
            else:
                self._execution.fill_resting(self._market, resting, part)

    def _uncross(self) -> None:
        """Recorded quotes have come to or through a user's resting price: they trade with it, at that price."""
        book = self._market.book
        while book.user_orders:
            bid, ask = book.bids.best, book.asks.best
            if bid is None or ask is None or bid < ask:
                return
            bids, asks = book.bids.levels[bid].queue, book.asks.levels[ask].queue
            user = next((one for one in (*bids, *asks) if one.order is not None), None)
            if user is None:
                return  # the recording itself is crossed
            other = next((one for one in (asks if user.side is Side.BUY else bids) if one.order is None), None)
            if other is None:
                return
            part = min(user.quantity, other.quantity)
            book.reduce(other, part)
            self._execution.fill_resting(self._market, user, part)


def _nothing() -> Generator[tuple[int, bytes]]:
    yield from ()


def _text_of(frame: Frame) -> bytes | None:
    """A message of the venue's, or a book that was noted in the shape of its REST; None of all else."""
    if frame.connection != OURS:
        return frame.data if frame.venue == VENUE else None
    noted = _decode_noted(frame.data)
    if noted.event != BOOK or noted.venue != VENUE:
        return None
    return msgspec.json.encode({"lastUpdateId": noted.update_id, "bids": noted.bids, "asks": noted.asks})


def _warn_of_line(line: bytes) -> None:
    logger.warning("a line of the recording can't be read: %r", line[:80])


def _warn(text: bytes, error: Exception) -> None:
    logger.warning("a message of the recording can't be read (%s): %r", error, text[:80])


def _is_frame(text: bytes) -> bool:
    return b'"stream"' in text[:64]


def _symbol_of(stream: str) -> str:
    return stream.partition("@")[0].upper()


def _until(side: BookSide, price: Decimal) -> Iterator[PriceLevel]:
    """The levels from the best to `price`, as far as a trade at `price` reaches."""
    for level in side.best_first():
        if not side.is_within(level.price, price):
            return
        yield level

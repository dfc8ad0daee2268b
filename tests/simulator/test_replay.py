"""A recording as the background: its pace, its book, and how users' orders trade against it."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from tests.simulator.making import SYMBOL, Heard, exchange, intent, levels, spec
from tests.simulator.recordings import BEGAN_NS, Recording, common

from perpwire.clock import ManualClock
from perpwire.model.market import Level
from perpwire.model.order import OrderStatus, Side
from perpwire.simulator.events import BookChanged, OrderChanged, RecordedFrame, Traded
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.replay import LEAD_S, ReplayFeed

BUY, SELL = Side.BUY, Side.SELL

Script = Callable[[Exchange, Heard], None]


def play(path: Path, before: Script, speed: float = 1.0) -> tuple[Exchange, Heard]:
    """Start, let `before` act on the first book, and play to the end."""
    clock = ManualClock()

    async def main() -> tuple[Exchange, Heard]:
        feed = ReplayFeed(path, speed)
        venue = exchange(clock, replay=feed, symbols=[spec(start_price="64000")])
        heard = Heard(venue)
        venue.start()
        before(venue, heard)
        venue.want_book(SYMBOL)
        while not feed.is_finished:
            await clock.sleep(0.5)
        return venue, heard

    venue, heard = clock.run(main())
    venue.close()
    return venue, heard


def nothing(venue: Exchange, heard: Heard) -> None:
    pass


def bid_at_100(venue: Exchange, heard: Heard) -> None:
    venue.place("a", intent(BUY, "2", "100"))


def filled(venue: Exchange, account: str = "a") -> list[tuple[Decimal, Decimal]]:
    return [(fill.price, fill.quantity) for _, fill in venue.fills(account, None)]


# --- a file made here -----------------------------------------------------------------------------------------------


def test_the_candles_before_a_recording_lead_to_its_price(tmp_path: Path, clock: ManualClock) -> None:
    venue = exchange(clock, replay=ReplayFeed(common().write(tmp_path)), symbols=[spec(start_price="64000")])
    assert venue.candles(SYMBOL, "last", "1m", limit=2)[0].close == Decimal("100.5")
    assert 80 < venue.day(SYMBOL).low < 101


@pytest.mark.parametrize("zipped", [True, False])
def test_the_first_book_is_the_snapshot_with_its_id_and_prices(
    tmp_path: Path, clock: ManualClock, zipped: bool
) -> None:
    venue = exchange(clock, replay=ReplayFeed(common().write(tmp_path, zipped=zipped)), symbols=[spec()])
    bids, asks, update_id, _ = venue.book(SYMBOL, 10)
    assert bids == levels((100, 5), (99, 7))
    assert asks == levels((101, 5), (102, 7))
    assert update_id == 10
    assert venue.last_price(SYMBOL) == venue.mark_price(SYMBOL) == Decimal("100.5")


def test_nothing_plays_until_somebody_wants_the_book_or_trades(tmp_path: Path, clock: ManualClock) -> None:
    path = common().write(tmp_path)

    async def frames_after(wish: Callable[[Exchange], object]) -> int:
        venue = exchange(clock, replay=ReplayFeed(path), symbols=[spec(), spec("ETHUSDT", "10")])
        heard = Heard(venue)
        venue.start()
        wish(venue)
        await clock.sleep(60)
        venue.close()
        return len(heard.of(RecordedFrame))

    async def main() -> list[int]:
        return [
            await frames_after(lambda venue: None),
            await frames_after(lambda venue: venue.want_book("ETHUSDT")),
            await frames_after(lambda venue: venue.want_book(SYMBOL)),
            await frames_after(lambda venue: venue.place("a", intent(BUY, "1", "90"))),
        ]

    assert clock.run(main()) == [0, 0, 1, 1]


@pytest.mark.parametrize("speed", [1.0, 10.0])
def test_frames_keep_their_own_pace_and_text(tmp_path: Path, clock: ManualClock, speed: float) -> None:
    recording = common()
    for number in range(1, 11):
        recording.frame(number * 0.5, "btcusdt@bookTicker", {"n": number, "text": "as it was"})
    path = recording.write(tmp_path)

    async def main() -> list[tuple[float, bytes]]:
        venue = exchange(clock, replay=ReplayFeed(path, speed), symbols=[spec()])
        seen: list[tuple[float, bytes]] = []
        venue.subscribe(
            lambda event: (
                seen.append((clock.monotonic_ns() / 1e9, event.payload)) if isinstance(event, RecordedFrame) else None
            )
        )
        venue.start()
        venue.want_book(SYMBOL)
        await clock.sleep(6)
        venue.close()
        return seen

    seen = clock.run(main())
    assert [payload for _, payload in seen[1:]] == [b'{"n":%d,"text":"as it was"}' % n for n in range(1, 11)]
    for number, (at_s, _) in enumerate(seen):
        assert at_s == pytest.approx(LEAD_S + number * 0.5 / speed, abs=0.003)


def test_diffs_older_than_the_snapshot_are_shown_but_not_applied(tmp_path: Path) -> None:
    recording = common()
    recording.diff(0.2, 5, 9, [("100.00", "1")], [])
    recording.diff(0.3, 10, 12, [("100.00", "3"), ("98.00", "0")], [("101.00", "0"), ("103.00", "2")])
    venue, heard = play(recording.write(tmp_path), nothing)
    assert len(heard.of(RecordedFrame)) == 3
    (change,) = heard.of(BookChanged)
    assert change.update_id == 12
    assert list(change.bids) == levels((100, 3))  # the deletion of a level that never was is no change
    assert list(change.asks) == levels((101, 0), (103, 2))
    bids, asks, update_id, _ = venue.book(SYMBOL, 10)
    assert bids == levels((100, 3), (99, 7))
    assert asks == levels((102, 7), (103, 2))
    assert update_id == 12


def test_recorded_trades_are_public_for_every_dialect_but_not_those_outside_the_market(tmp_path: Path) -> None:
    recording = common()
    recording.trade(0.2, "101.00", "0.5", False)
    recording.trade(0.3, "0", "0", False, kind="INSURANCE_FUND")
    venue, heard = play(recording.write(tmp_path), nothing)
    (trade,) = heard.of(Traded)
    assert (trade.price, trade.quantity, trade.buyer_is_maker) == (Decimal(101), Decimal("0.5"), False)
    assert venue.recent_trades(SYMBOL, 10) == [trade]
    assert venue.last_price(SYMBOL) == 101


def test_a_trade_at_a_users_price_first_eats_what_is_ahead(tmp_path: Path) -> None:
    recording = common()
    recording.trade(0.2, "100.00", "4", True)  # 1 of 5 is left ahead
    recording.diff(0.3, 11, 12, [("100.00", "6")], [])  # 5 more behind the user
    recording.trade(0.4, "100.00", "1.5", True)
    venue, _ = play(recording.write(tmp_path), bid_at_100)
    assert filled(venue) == levels((100, "0.5"))


def test_a_trade_through_a_users_price_fills_the_order_wholly(tmp_path: Path) -> None:
    recording = common()
    recording.trade(0.2, "99.00", "0.001", True)

    def orders(venue: Exchange, heard: Heard) -> None:
        venue.place("a", intent(BUY, "2", "100"))
        venue.place("a", intent(BUY, "1", "99.5"))
        venue.place("b", intent(SELL, "1", "102"))

    venue, heard = play(recording.write(tmp_path), orders)
    assert filled(venue) == levels((100, 2), ("99.5", 1))
    assert filled(venue, "b") == []
    assert all(event.fill.is_maker for event in heard.of(OrderChanged) if event.fill is not None)


def test_recorded_quotes_that_cross_a_users_order_trade_with_it(tmp_path: Path) -> None:
    recording = common()
    recording.diff(0.2, 11, 12, [("100.00", "0"), ("99.00", "0"), ("98.00", "1")], [("99.00", "0.5"), ("100.00", "9")])
    venue, _ = play(recording.write(tmp_path), bid_at_100)
    assert filled(venue) == levels((100, "0.5"), (100, "1.5"))
    bids, asks, _, _ = venue.book(SYMBOL, 2)
    assert bids == levels((98, 1))
    assert asks[:1] == levels((99, "0.5"))  # the public book is the recording's


def test_what_a_user_took_stays_taken_until_the_level_is_updated(tmp_path: Path) -> None:
    recording = common()
    recording.diff(0.2, 11, 12, [], [("102.00", "8")])
    recording.diff(2.0, 13, 14, [], [("101.00", "4")])
    prices: list[Decimal | None] = []
    clock = ManualClock()

    async def main() -> None:
        feed = ReplayFeed(recording.write(tmp_path))
        venue = exchange(clock, replay=feed, symbols=[spec()])
        venue.start()
        prices.append(venue.place("a", intent(BUY, "5")).average_price)
        await clock.sleep(1)
        prices.append(venue.place("a", intent(BUY, "1")).average_price)
        await clock.sleep(2)
        prices.append(venue.place("a", intent(BUY, "1")).average_price)
        venue.close()

    clock.run(main())
    assert prices == [101, 102, 101]


def test_users_orders_leave_the_public_side_as_it_was_recorded(tmp_path: Path) -> None:
    recording = common()
    recording.diff(0.2, 11, 12, [("100.00", "3")], [])

    def orders(venue: Exchange, heard: Heard) -> None:
        venue.place("a", intent(BUY, "1", "100.5"))
        venue.place("b", intent(SELL, "2", "99"))
        assert heard.of(BookChanged) == []

    venue, heard = play(recording.write(tmp_path), orders)
    assert heard.of(Traded) == []
    assert venue.book(SYMBOL, 10)[:2] == (levels((100, 3), (99, 7)), levels((101, 5), (102, 7)))
    assert filled(venue) == levels(("100.5", 1))
    assert filled(venue, "b") == levels(("100.5", 1), (100, 1))


def test_after_the_end_the_last_book_stands_and_can_be_traded_against(tmp_path: Path) -> None:
    recording = common()
    recording.diff(0.2, 11, 12, [], [("101.00", "2")])
    venue, _ = play(recording.write(tmp_path), nothing)
    assert venue.place("a", intent(BUY, "3")).average_price == (2 * Decimal(101) + 102) / 3
    assert venue.place("a", intent(BUY, "6")).status is OrderStatus.FILLED
    with pytest.raises(Refused) as caught:
        venue.place("a", intent(BUY, "6"))
    assert caught.value.why is Why.NO_LIQUIDITY


def test_frames_of_another_symbol_are_passed_over(tmp_path: Path) -> None:
    recording = common()
    recording.frame(0.2, "ethusdt@trade", {"e": "trade", "p": "1", "q": "1", "m": True, "X": "MARKET"})
    _, heard = play(recording.write(tmp_path), nothing)
    assert [frame.stream for frame in heard.of(RecordedFrame)] == ["btcusdt@bookTicker"]


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_whose_recorder_died_is_played_as_far_as_it_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, zipped: bool
) -> None:
    recording = common()
    for number in range(200):
        recording.trade(0.2 + number / 100, f"{101 + number % 7}.00", f"0.{number:03}1", False)
    path = recording.write(tmp_path, zipped=zipped)
    path.write_bytes(path.read_bytes()[: -len(path.read_bytes()) // 3])
    _, heard = play(path, nothing)
    assert 50 < len(heard.of(Traded)) < 200
    assert "recording" in caplog.text


def test_a_file_without_a_snapshot_is_no_recording(tmp_path: Path) -> None:
    recording = Recording()
    recording.ticker(0.0)
    path = recording.write(tmp_path)
    with pytest.raises(ValueError, match="no depth snapshot"):
        ReplayFeed(path)
    with pytest.raises(ValueError, match="above 0"):
        ReplayFeed(path, 0)


# --- the real recording ---------------------------------------------------------------------------------------------


class Diff(msgspec.Struct):
    U: int
    u: int
    pu: int
    b: list[tuple[Decimal, Decimal]]
    a: list[tuple[Decimal, Decimal]]


class Follower:
    """A client's book: first snapshot, then diffs by the venue's rule, out of frames alone."""

    def __init__(self, bids: list[Level], asks: list[Level], update_id: int) -> None:
        self.bids = dict(bids)
        self.asks = dict(asks)
        self.snapshot_id = update_id
        self.last: int | None = None
        self.applied = 0

    def on_frame(self, payload: bytes) -> None:
        diff = msgspec.json.decode(payload, type=Diff)
        if diff.u < self.snapshot_id:
            return
        if self.last is None:
            assert diff.U <= self.snapshot_id <= diff.u
        else:
            assert diff.pu == self.last
        self.last = diff.u
        self.applied += 1
        for side, changes in ((self.bids, diff.b), (self.asks, diff.a)):
            for price, quantity in changes:
                if quantity:
                    side[price] = quantity
                else:
                    side.pop(price, None)


@pytest.mark.slow
def test_the_recorded_minutes_give_the_book_that_others_computed_from_them(fixtures: Path) -> None:
    name = "binance/raw/btcusdt_20240808_first150s.txt.gz"
    expected = json.loads((fixtures / "expected.json").read_text())[name]
    followers: list[Follower] = []
    checked: list[str] = []

    def follow(venue: Exchange, heard: Heard) -> None:
        bids, asks, update_id, _ = venue.book(SYMBOL, 1_000_000)
        assert update_id == expected["snapshot"]["lastUpdateId"]
        follower = Follower(bids, asks, update_id)
        followers.append(follower)
        # Users trading all the while must not show.
        venue.place("a", intent(BUY, "2"))
        venue.place("b", intent(SELL, "0.5", "61900"))

        def on_event(event: object) -> None:
            if isinstance(event, RecordedFrame) and event.stream == "btcusdt@depth@0ms":
                follower.on_frame(event.payload)
            elif isinstance(event, BookChanged):
                assert (event.update_id, follower.last) == (follower.last, event.update_id)
                check(venue, follower)

        venue.subscribe(on_event)

    def check(venue: Exchange, follower: Follower) -> None:
        wanted = expected["checkpoints_by_diffs_applied"].get(str(follower.applied))
        if wanted is None:
            return
        checked.append(str(follower.applied))
        bids, asks, update_id, _ = venue.book(SYMBOL, 1_000_000)
        for book_bids, book_asks in (
            (bids, asks),
            (sorted(follower.bids.items(), reverse=True), sorted(follower.asks.items())),
        ):
            assert [[str(price), str(quantity)] for price, quantity in book_bids[:5]] == wanted["bids"]
            assert [[str(price), str(quantity)] for price, quantity in book_asks[:5]] == wanted["asks"]
            assert [len(book_bids), len(book_asks)] == wanted["levels"]
        assert update_id == wanted["u"]

    venue, heard = play(fixtures / name, follow, speed=10.0)
    assert checked == list(expected["checkpoints_by_diffs_applied"])
    bids, asks, update_id, _ = venue.book(SYMBOL, 1_000_000)
    assert [[str(price), str(quantity)] for price, quantity in bids[:20]] == expected["final_top20"]["bids"]
    assert [[str(price), str(quantity)] for price, quantity in asks[:20]] == expected["final_top20"]["asks"]
    assert [len(bids), len(asks)] == expected["final_levels"]
    assert update_id == expected["last_applied"]["u"]
    events = expected["events"]
    assert len(heard.of(RecordedFrame)) == events["depthUpdate"] + events["bookTicker"] + events["trade"]
    assert len(heard.of(BookChanged)) == followers[0].applied == expected["diffs_applied"]
    public = heard.of(Traded)
    assert len(public) == events["trade"]
    assert sum(trade.quantity for trade in public) == Decimal(expected["trades"]["volume_of_MARKET_nonzero"])
    order = venue.place("a", intent(SELL, "0.01"))
    assert order.status is OrderStatus.FILLED
    assert order.average_price == bids[0][0]


# --- what can't be read ---------------------------------------------------------------------------------------------


UNREADABLE = {
    "broken JSON": '{"stream":"btcusdt@depth@0ms","data":{"b":}}',
    "no kind": '{"stream":"btcusdt","data":{}}',
    "no data": '{"stream":"btcusdt@trade"}',
    "a diff of something else": '{"stream":"btcusdt@depth@0ms","data":{"u":"x"}}',
    "a price that is no number": '{"stream":"btcusdt@depth@0ms","data":{"u":12,"b":[["NaN","1"]],"a":[]}}',
    "a quantity below 0": '{"stream":"btcusdt@trade","data":{"p":"100","q":"-1","m":true}}',
    "deep nesting": '{"stream":"btcusdt@trade","data":{"p":' + "[" * 5000 + "]" * 5000 + "}}",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_frame_that_cannot_be_read_is_skipped_and_the_replay_goes_on(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    recording = common()
    recording.lines.insert(0, f"{BEGAN_NS} {text}\n")
    recording.lines.append(f"{BEGAN_NS + 10**9} {text}\n")
    recording.diff(1.2, 11, 12, [("100.00", "6")], [])
    venue, heard = play(recording.write(tmp_path), nothing)
    assert venue.book(SYMBOL, 1)[0] == levels((100, 6))
    assert len(heard.of(RecordedFrame)) == 2
    assert "can't be read" in caplog.text


def test_a_recording_damaged_inside_its_compression_ends_there(tmp_path: Path) -> None:
    recording = common()
    for number in range(400):
        recording.diff(1 + number / 1000, 11 + number, 11 + number, [("100.00", str(number + 1))], [])
    path = recording.write(tmp_path, zipped=True)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    venue, _ = play(path, nothing)
    assert venue.book(SYMBOL, 1)[0][0][0] == 100


@pytest.mark.parametrize("speed", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_speed_is_a_finite_number_above_0(tmp_path: Path, speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        ReplayFeed(common().write(tmp_path), speed)

"""Two sockets that say the same: nothing twice, nothing lost, in order."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, strategies as st

from perpwire.data_processor.seam import LOG, TAIL, Seam, Source
from perpwire.model.account import Balance, Position
from perpwire.model.market import BookDelta, BookSnapshot, Event, MarkPrice, Trade
from perpwire.model.order import PositionSide

D = Decimal


def trade(number: int | str) -> Trade:
    return Trade(symbol="BTCUSDT", trade_id=number, price=D(1), quantity=D(1), buyer_is_maker=False)


def delta(number: int) -> BookDelta:
    return BookDelta(symbol="BTCUSDT", bid_text=(), ask_text=(), first_update_id=number, update_id=number)


def snapshot(number: int) -> BookSnapshot:
    return BookSnapshot(symbol="BTCUSDT", bid_text=(), ask_text=(), update_id=number)


def mark(price: int, at_ms: int, received_ns: int = 0) -> MarkPrice:
    return MarkPrice(
        symbol="BTCUSDT", venue_time_ms=at_ms, received_ns=received_ns, mark_price=D(price), index_price=None,
        funding_rate=None, next_funding_time_ms=None,
    )  # fmt: skip


class Two:
    """An old socket and a new one on the same topic."""

    def __init__(self) -> None:
        self.seam = Seam()
        self.old, self.new = Source(has_joined=True), Source(has_joined=False)
        self.seam.enter(self.old)
        self.seam.enter(self.new)
        self.out: list[Event] = []

    def say(self, source: Source, *events: Event, topic: str = "t") -> None:
        self.out += self.seam.fresh(source, topic, events)

    def release(self) -> None:
        self.out += self.seam.release(self.new)

    @property
    def ids(self) -> list[object]:
        return [getattr(event, "trade_id", getattr(event, "update_id", None)) for event in self.out]


def test_a_new_socket_that_is_ahead_waits_until_the_old_one_has_caught_up() -> None:
    two = Two()
    two.say(two.new, trade(5), trade(6))
    assert two.ids == []
    two.say(two.old, trade(3), trade(4))
    assert two.ids == [3, 4]
    two.say(two.old, trade(5))
    assert two.ids == [3, 4, 5, 6]
    two.say(two.old, trade(6), trade(7))
    two.say(two.new, trade(7), trade(8))
    two.say(two.old, trade(8))
    assert two.ids == [3, 4, 5, 6, 7, 8]


def test_a_new_socket_that_is_behind_says_nothing_new_until_it_has_caught_up() -> None:
    two = Two()
    two.say(two.old, trade(1), trade(2), trade(3))
    two.say(two.new, trade(2), trade(3), trade(4))
    assert two.ids == [1, 2, 3, 4]


def test_an_old_one_that_was_only_late_loses_nothing() -> None:
    two = Two()
    two.say(two.new, trade(7), trade(8))
    assert two.seam.waits(two.new)
    assert not two.seam.waits(two.new, beside=("t",))
    two.say(two.old, *(trade(number) for number in range(1, 8)))
    assert two.ids == [1, 2, 3, 4, 5, 6, 7, 8]


def test_what_waits_is_delivered_when_the_old_one_is_gone() -> None:
    two = Two()
    two.say(two.old, trade(1))
    two.say(two.new, trade(2), trade(3))
    assert two.seam.waits(two.new)
    two.release()
    two.seam.leave(two.old)
    two.say(two.new, trade(4))
    assert two.ids == [1, 2, 3, 4]
    assert not two.seam.waits(two.new)


def test_after_it_has_joined_the_first_time_on_a_quiet_topic_is_compared_with_what_was_said_before() -> None:
    two = Two()
    two.release()
    two.say(two.old, trade(9))
    two.say(two.new, trade(9), trade(10))
    two.say(two.old, trade(10))
    assert two.ids == [9, 10]


def test_ids_that_are_text_and_events_without_ids_are_told_apart_by_all_that_they_say() -> None:
    two = Two()
    two.release()
    two.say(two.old, trade("a"), trade("b"))
    two.say(two.new, trade("a"), trade("b"), trade("c"))
    assert two.ids == ["a", "b", "c"]
    two.out.clear()
    two.say(two.old, mark(1, 10, 500), mark(1, 11, 501))
    two.say(two.new, mark(1, 10, 700), mark(1, 11, 701))
    assert [event.venue_time_ms for event in two.out] == [10, 11]


def test_the_same_said_twice_by_one_socket_is_twice_the_same() -> None:
    """An account's position is told anew with each order, changed or not."""
    position = Position(symbol="BTCUSDT", quantity=D(1), entry_price=D(1))
    two = Two()
    two.release()
    two.say(two.old, position, position)
    two.say(two.new, position)
    two.say(two.old, position)
    two.say(two.new, position, position)
    assert len(two.out) == 3


def test_a_fresh_books_snapshot_is_dropped_where_the_old_socket_is_in_the_middle_of_its_deltas() -> None:
    two = Two()
    two.say(two.old, delta(7))
    two.say(two.new, snapshot(7))
    two.say(two.old, delta(8))
    two.say(two.new, delta(8), delta(9))
    two.say(two.old, delta(9))
    assert two.ids == [7, 8, 9]
    assert not any(isinstance(event, BookSnapshot) for event in two.out)


def test_a_snapshot_that_both_say_and_numbers_that_begin_anew_pass_once() -> None:
    two = Two()
    two.release()
    two.say(two.old, delta(1000), snapshot(1), delta(2))
    two.say(two.new, delta(1000))
    assert two.ids == [1000, 1, 2]
    two.say(two.new, snapshot(1), delta(2), delta(3))
    assert two.ids == [1000, 1, 2, 3]


def test_a_topic_that_is_subscribed_anew_on_one_of_two_has_to_find_its_place_again() -> None:
    two = Two()
    two.release()
    two.say(two.old, delta(5))
    two.say(two.new, delta(5))
    two.seam.renew(two.new, "t")
    two.say(two.old, snapshot(6), delta(7))
    two.say(two.new, snapshot(7), delta(8))
    two.say(two.old, delta(8))
    assert two.ids == [5, 6, 7, 8]


def test_topics_and_symbols_do_not_mix() -> None:
    two = Two()
    two.release()
    two.say(two.old, trade(1), topic="a")
    two.say(two.old, trade(1), topic="b")
    assert two.ids == [1, 1]


def test_what_is_remembered_is_bounded_and_little_where_both_have_said_it() -> None:
    two = Two()
    two.release()
    for number in range(5 * LOG):
        two.say(two.old, trade(number))
        two.say(two.new, trade(number))
    assert len(two.out) == 5 * LOG
    (sequence,) = two.seam._sequences.values()
    assert len(sequence.log) <= 3 * TAIL
    for number in range(5 * LOG, 10 * LOG):
        two.say(two.old, trade(number))
    assert len(sequence.log) <= 2 * LOG + 1


def position(quantity: int, at_ms: int, received_s: float, side: PositionSide = PositionSide.LONG) -> Position:
    return Position(
        symbol="BTCUSDT", venue_time_ms=at_ms, received_ns=round(received_s * 1e9), position_side=side,
        quantity=D(quantity), entry_price=None,
    )  # fmt: skip


def balance(wallet: int, at_ms: int, received_s: float, asset: str = "USDT") -> Balance:
    return Balance(venue_time_ms=at_ms, received_ns=round(received_s * 1e9), asset=asset, wallet=D(wallet))


def of_two() -> Two:
    two = Two()
    two.release()
    return two


def test_a_position_that_a_later_one_has_overtaken_on_the_other_socket_takes_nothing_back() -> None:
    two = of_two()
    two.say(two.new, position(2, 2000, 10.0))  # what came before it is lost on this socket
    two.say(two.old, position(1, 1900, 12.0), position(2, 2000, 12.0), position(3, 2100, 12.0))
    two.say(two.new, position(3, 2100, 12.1))
    assert [one.quantity for one in two.out if isinstance(one, Position)] == [2, 3]
    two.say(two.new, balance(20, 2200, 13.0))
    two.say(two.old, balance(10, 2150, 14.0), balance(20, 2200, 14.0))
    assert [one.wallet for one in two.out if isinstance(one, Balance)] == [20]


def test_a_repeat_of_an_older_position_that_is_late_takes_nothing_back() -> None:
    two = of_two()
    two.say(two.old, position(1, 1900, 10.0), position(2, 2000, 10.1))
    two.say(two.new, position(2, 2000, 10.2), position(1, 1900, 10.3))
    assert [one.quantity for one in two.out if isinstance(one, Position)] == [1, 2]


def test_the_other_side_of_a_hedge_and_another_asset_are_no_newer_state_of_it() -> None:
    two = of_two()
    two.say(two.new, position(2, 2000, 10.0), balance(20, 2000, 10.0))
    two.say(two.old, position(-1, 1900, 10.5, PositionSide.SHORT), balance(1, 1900, 10.5, "USDC"))
    assert len(two.out) == 4


def test_positions_go_on_while_the_venues_clock_is_put_back_whichever_socket_says_them_first() -> None:
    for back_ms in (1000, 3_600_000):
        for first_is_old in (True, False):
            two = of_two()
            first, second = (two.old, two.new) if first_is_old else (two.new, two.old)
            told = [position(number, 7_200_000 + 100 * number, 10 + number / 10) for number in range(5)]
            told += [position(number, 7_200_000 + 100 * number - back_ms, 10 + number / 10) for number in range(5, 20)]
            for number, one in enumerate(told):
                two.say(first, one)
                if number:
                    two.say(second, told[number - 1])
            assert [one.quantity for one in two.out if isinstance(one, Position)] == list(range(20))


def test_a_socket_alone_that_missed_what_came_before_a_step_of_the_venues_clock_is_believed_soon() -> None:
    two = of_two()
    two.say(two.new, position(1, 9000, 10.0))
    two.seam.leave(two.new)
    two.say(two.old, position(2, 8000, 10.5), position(3, 8500, 16.0), position(4, 8600, 16.1))
    assert [one.quantity for one in two.out if isinstance(one, Position)] == [1, 3, 4]


def test_a_message_without_a_time_is_taken_as_it_comes() -> None:
    two = of_two()
    two.say(two.new, position(1, 9000, 10.0))
    two.say(two.old, position(2, 0, 10.5))
    assert [one.quantity for one in two.out if isinstance(one, Position)] == [1, 2]


@given(
    count=st.integers(5, 60),
    joins=st.integers(0, 20),
    turns=st.lists(st.booleans(), min_size=200, max_size=200),
    numbered=st.booleans(),
)
def test_whatever_the_pace_of_two_sockets_each_event_comes_once_and_in_order(
    count: int, joins: int, turns: list[bool], numbered: bool
) -> None:
    """The new one hears all from some event on; the old one is closed only when the new one waits for nothing."""
    two = Two()
    said: list[Event] = [trade(number if numbered else f"id-{number}") for number in range(count)]
    old, new = 0, min(joins, count)
    for old_speaks in turns:
        if old_speaks and old < count:
            two.say(two.old, said[old])
            old += 1
        elif new < count:
            two.say(two.new, said[new])
            new += 1
    for event in said[old:]:
        two.say(two.old, event)
    for event in said[new:]:
        two.say(two.new, event)
    assert two.out == said

"""Two sockets that say the same: nothing twice, nothing lost, in order."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, strategies as st

from perpwire.data_processor.seam import HOLD_S, LATE_S, LOG, TAIL, Rest, Seam, Source
from perpwire.model.account import Balance, Position
from perpwire.model.market import BookDelta, BookSnapshot, BookTicker, Event, MarkPrice, Trade
from perpwire.model.order import PositionSide

D = Decimal


def trade(number: int | str, at_ms: int = 0) -> Trade:
    return Trade(
        symbol="BTCUSDT", venue_time_ms=at_ms, trade_id=number, price=D(1), quantity=D(1), buyer_is_maker=False
    )  # fmt: skip


def top(number: int) -> BookTicker:
    return BookTicker(
        symbol="BTCUSDT", update_id=number, bid_price=D(1), bid_quantity=D(1), ask_price=D(2), ask_quantity=D(1)
    )  # fmt: skip


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
        self.torn: list[tuple[str, int]] = []
        self.seam = Seam(lambda topic, since_ns: self.torn.append((topic, since_ns)))
        self.old, self.new = Source(has_joined=True), Source(has_joined=False)
        self.seam.enter(self.old)
        self.seam.enter(self.new)
        self.out: list[Event] = []

    def say(self, source: Source, *events: Event, topic: str = "t") -> None:
        self.out += self.seam.fresh(source, topic, events)

    def release(self) -> None:
        self.go_on(self.seam.release(self.new, 0.0))

    def look(self, now_s: float) -> list[str]:
        """Gives the topics that are torn."""
        return self.go_on(self.seam.overdue(now_s))

    def go_on(self, rests: list[Rest]) -> list[str]:
        for rest in rests:
            self.out += rest.events
        return [rest.topic for rest in rests if rest.is_torn]

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
    two.go_on(two.seam.leave(two.old))
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
    two.seam.forget("t")
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


def test_a_socket_alone_is_believed_at_once_whatever_the_venues_clock_says() -> None:
    two = of_two()
    two.say(two.new, position(1, 9000, 10.0))
    two.seam.leave(two.new)
    two.say(two.old, position(2, 8000, 10.5), position(3, 8500, 16.0), position(4, 8600, 16.1))
    assert [one.quantity for one in two.out if isinstance(one, Position)] == [1, 2, 3, 4]


# --- numbers are only names -------------------------------------------------------------------------------------------


def test_numbers_that_begin_anew_lower_pass_at_once_whichever_socket_says_them_first() -> None:
    for first_is_old in (True, False):
        two = of_two()
        first, second = (two.old, two.new) if first_is_old else (two.new, two.old)
        for number in (18000001, 18000002, 2, 3, 4):
            two.say(first, top(number))
            two.say(second, top(number))
        assert two.ids == [18000001, 18000002, 2, 3, 4]


def test_one_number_that_is_too_high_stops_nothing_of_what_follows_whoever_says_it() -> None:
    for lying in (0, 1):
        for quick in (0, 1):
            two = of_two()
            sockets = (two.old, two.new)
            order = (sockets[quick], sockets[1 - quick])
            for number in range(100, 110):
                for socket in order:
                    two.say(socket, delta(91030 if number == 103 and socket is sockets[lying] else number))
            assert two.ids[-6:] == list(range(104, 110))
            assert [number for number in two.ids if number != 91030] == [
                number for number in range(100, 110) if number != 103 or lying != quick
            ]


def test_numbers_may_be_the_same_again_after_every_socket_has_ended() -> None:
    two = of_two()
    two.say(two.old, *(top(number) for number in range(1, 9)))
    two.seam.leave(two.old)
    two.seam.leave(two.new)
    two.out.clear()
    again = Source()
    two.seam.enter(again)
    two.say(again, *(top(number) for number in range(1, 9)))
    assert two.ids == list(range(1, 9))


# --- sockets that miss something, and that end ------------------------------------------------------------------------


def test_what_a_socket_holds_that_ends_meanwhile_comes_when_the_one_behind_has_caught_up() -> None:
    two = Two()
    two.say(two.old, trade("c"))
    two.say(two.new, trade("e"), trade("f"), trade("g"))
    assert two.seam.leave(two.new) == []
    two.say(two.old, trade("d"), trade("e"))
    assert two.ids == ["c", "d", "e", "f", "g"]
    two.say(two.old, trade("f"), trade("g"), trade("h"))
    assert two.ids == ["c", "d", "e", "f", "g", "h"]


def test_what_sockets_hold_comes_in_their_order_when_the_one_behind_ends_and_is_told_to_be_torn() -> None:
    two = Two()
    third = Source()
    two.say(two.old, trade("c"))
    two.say(two.new, trade("e"), trade("f"))
    two.seam.enter(third)
    two.say(third, trade("f"), trade("g"))
    two.seam.leave(two.new)
    (rest,) = two.seam.leave(two.old)
    assert [event.trade_id for event in rest.events if isinstance(event, Trade)] == ["e", "f", "g"]
    assert (rest.is_torn, rest.has_ended) == (True, True)


def test_a_socket_that_was_mute_waits_for_the_others_and_what_it_missed_is_not_lost() -> None:
    two = of_two()
    two.say(two.old, trade(1))
    two.say(two.new, trade(1), trade(2))
    two.say(two.old, trade(5))  # of 2, 3 and 4 it has heard nothing
    assert two.ids == [1, 2]
    two.say(two.new, trade(3), trade(4), trade(5), trade(6))
    two.say(two.old, trade(6), trade(7))
    assert two.ids == [1, 2, 3, 4, 5, 6, 7]


def test_what_the_only_other_socket_missed_while_it_was_mute_is_filled_in_by_one_that_waits() -> None:
    two = Two()
    two.say(two.old, trade("a", 1000))
    two.say(two.new, trade("d", 4000), trade("e", 5000))
    two.say(two.old, trade("e", 5000))  # of d it has heard nothing
    two.say(two.new, trade("f", 6000))
    assert two.ids == ["a", "d", "e", "f"]
    assert two.torn == [("t", 0)]  # of b and c nobody has said anything


def test_what_is_filled_in_by_one_that_was_there_before_the_other_fell_mute_is_whole() -> None:
    two = Two()
    two.say(two.old, trade("b", 2000), trade("c", 3000))
    two.say(two.new, trade("a", 1000), trade("d", 4000), trade("e", 5000))
    two.say(two.old, trade("e", 5000))
    assert two.ids == ["b", "c", "d", "e"]
    assert two.torn == []


def test_what_one_that_waits_has_heard_meanwhile_is_filled_in_also_where_it_is_a_moment_behind() -> None:
    two = Two()
    two.say(two.old, trade("a", 1000))
    two.say(two.new, trade("c", 3000), trade("d", 4000))
    two.say(two.old, trade("e", 5000))  # of c and d it has heard nothing
    two.say(two.new, trade("e", 5000), trade("f", 6000))
    two.say(two.old, trade("f", 6000))
    assert two.ids == ["a", "c", "d", "e", "f"]
    assert two.torn == [("t", 0)]


def test_one_that_was_mute_while_others_spoke_who_have_ended_is_told_to_be_torn() -> None:
    two = of_two()
    two.say(two.old, trade("a", 1000))
    two.say(two.new, trade("a", 1000), trade("b", 2000))
    two.go_on(two.seam.leave(two.new))
    two.say(two.old, trade("e", 5000), trade("f", 6000))
    assert two.ids == ["a", "b", "e", "f"]
    assert two.torn == [("t", 0)]


def test_a_repeat_of_the_last_does_not_make_the_other_socket_wait() -> None:
    two = of_two()
    two.say(two.old, top(5), top(5))
    two.say(two.new, top(5), top(6))
    assert two.ids == [5, 5, 6]


def test_what_waits_for_sockets_that_are_mute_is_let_go_soon_and_told_to_be_torn() -> None:
    two = Two()
    two.say(two.old, trade("a", 1000))
    two.say(two.new, trade("d", 4000))
    assert two.look(10.0) == two.look(10.0 + HOLD_S - 0.1) == []
    assert two.look(10.0 + HOLD_S) == ["t"]
    assert two.ids == ["a", "d"]
    two.say(two.new, trade("e", 5000))
    assert two.ids == ["a", "d", "e"]
    assert two.look(99.0) == []


def test_one_that_is_behind_and_speaks_is_waited_for_longer_and_not_for_ever() -> None:
    two = Two()
    two.say(two.new, trade("z", 90_000))
    for second in range(round(LATE_S)):
        two.say(two.old, trade(f"a{second}", 1000 * second))
        assert two.look(second) == []
    two.say(two.old, trade("a99", 20_000))
    assert two.look(LATE_S + 0.5) == ["t"]
    assert two.ids[-1] == "z"


def test_of_several_that_wait_the_one_that_came_first_goes_first() -> None:
    two = Two()
    third = Source()
    two.say(two.old, trade("a", 1000))
    two.say(two.new, trade("d", 4000))
    two.look(10.0)
    two.say(two.old, trade("b", 2000))  # the last that it says
    two.look(11.0)
    two.seam.leave(two.new)
    two.seam.enter(third)
    two.say(third, trade("f", 6000))
    for second in range(12, 40):
        two.look(second)
    assert two.ids == ["a", "b", "d", "f"]


def test_what_a_socket_held_that_has_ended_is_torn_from_what_follows_it_too() -> None:
    two = Two()
    third = Source()
    two.say(two.old, trade("a", 1000))
    two.say(two.new, trade("d", 4000))
    two.seam.leave(two.new)
    two.seam.enter(third)
    two.say(third, trade("f", 6000))
    rests = two.seam.leave(two.old)
    assert [[event.venue_time_ms for event in rest.events] for rest in rests] == [[4000], [6000]]
    assert [(rest.is_torn, rest.has_ended) for rest in rests] == [(True, True), (True, False)]


def test_what_a_socket_held_that_has_ended_waits_for_one_that_is_late_however_late_it_is() -> None:
    two = Two()
    two.say(two.old, trade("a", 1000))
    two.say(two.new, trade("d", 90_000), trade("e", 91_000))
    two.seam.leave(two.new)
    for second in range(40):
        assert two.look(second) == []
    two.say(two.old, trade("b", 2000), trade("c", 3000), trade("d", 90_000))
    assert two.ids == ["a", "b", "c", "d", "e"]


def test_a_late_socket_that_others_went_ahead_of_and_ended_says_nothing_until_it_has_come_to_where_they_were() -> None:
    two = Two()
    two.say(two.old, trade("a", 1000))
    two.say(two.new, trade("d", 90_000), trade("e", 91_000))
    two.look(10.0)
    assert two.look(10.0 + LATE_S) == ["t"]
    two.say(two.old, trade("b", 2000))
    two.go_on(two.seam.leave(two.new))
    two.say(two.old, trade("c", 3000), trade("d", 90_000), trade("e", 91_000), trade("f", 92_000))
    assert two.ids == ["a", "d", "e", "f"]


def test_what_the_others_have_gone_past_without_a_word_of_it_is_dropped() -> None:
    two = of_two()
    two.say(two.old, trade("a", 1000), trade("b", 2000))
    two.say(two.new, trade("a", 1000), trade("nonsense", 2000))
    assert two.look(10.0) == two.look(10.0 + HOLD_S) == []
    assert not two.seam.waits(two.new)
    two.say(two.new, trade("c", 3000))
    two.say(two.old, trade("c", 3000))
    assert two.ids == ["a", "b", "c"]


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

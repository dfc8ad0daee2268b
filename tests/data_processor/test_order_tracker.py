"""Whatever order messages come in, and however often: the orders end where they ended."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from perpwire.data_processor import order_tracker
from perpwire.data_processor.order_states import merged
from perpwire.data_processor.order_tracker import Evidence, OrderTracker
from perpwire.model.order import Fill, Order, OrderStatus, OrderType, Side, TimeInForce

QUANTITY = Decimal(10)
ENDS = (OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED)


def an_order(**changes: Any) -> Order:
    said: dict[str, Any] = {
        "venue": "v", "symbol": "BTCUSDT", "order_id": "1", "client_order_id": "c-1", "side": Side.BUY,
        "type": OrderType.LIMIT, "status": OrderStatus.NEW, "time_in_force": TimeInForce.GTC, "price": Decimal(100),
        "quantity": QUANTITY, "filled_quantity": Decimal(0), "average_price": None, "reduce_only": False,
        "updated_time_ms": 1000, **changes,
    }  # fmt: skip
    return Order(**said)


@st.composite
def histories(draw: st.DrawFn) -> list[Order]:
    """The states that one order went through, as the venue knew them, first to last."""
    time_ms, filled, price = 1000, 0, 100
    states = [an_order(status=OrderStatus.PENDING_NEW, updated_time_ms=None, created_time_ms=None)]
    states.append(an_order())
    for step in draw(st.lists(st.sampled_from(["fill", "amend"]), max_size=5)):
        is_fill = step == "fill" and filled < QUANTITY - 1
        time_ms += draw(
            st.sampled_from((0, 0, 1, 50) if is_fill else (1, 2, 50))
        )  # fills may come within one millisecond
        if is_fill:
            filled += draw(st.integers(1, int(QUANTITY) - 1 - filled))
        else:
            price += 1
        states.append(
            an_order(
                status=OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.NEW,
                filled_quantity=Decimal(filled), average_price=Decimal(100 + filled) if filled else None,
                price=Decimal(price), updated_time_ms=time_ms,
            )
        )  # fmt: skip
    if draw(st.booleans()):
        end = draw(st.sampled_from((OrderStatus.FILLED, *ENDS)))
        total = QUANTITY if end is OrderStatus.FILLED else Decimal(filled)
        states.append(
            an_order(
                status=end, filled_quantity=total, average_price=Decimal(100 + total) if total else None,
                price=Decimal(price), updated_time_ms=time_ms + draw(st.integers(0, 50)), reason="why",
            )
        )  # fmt: skip
    return states


Message = tuple[Order, bool]
"""A state, and whether the stream tells of it."""


@st.composite
def told(draw: st.DrawFn) -> tuple[list[Order], list[Message]]:
    """A history and its messages in any order, some twice; every state but the last may be missed."""
    history = draw(histories())
    messages: list[Message] = []
    for n, state in enumerate(history):
        roads = draw(st.lists(st.booleans(), min_size=1 if n == len(history) - 1 else 0, max_size=3))
        for by_stream in roads:
            more: dict[str, Any] = {"received_ns": 5} if by_stream else {"created_time_ms": 990}
            messages.append((msgspec.structs.replace(state, **more), by_stream))
    return history, draw(st.permutations(messages))


def take(tracker: OrderTracker, message: Message) -> Order:
    state, by_stream = message
    return tracker.on_event(state) if by_stream else tracker.on_answer(state)


def essence(order: Order | None) -> tuple[object, ...]:
    assert order is not None
    return order.status, order.filled_quantity, order.average_price, order.price, order.reason, order.updated_time_ms


@given(told())
def test_any_order_and_any_doubling_of_the_messages_ends_in_the_same_state(
    life: tuple[list[Order], list[Message]],
) -> None:
    history, messages = life
    tracker = OrderTracker(lambda: 0)
    for message in messages:
        take(tracker, message)
    assert essence(tracker.find("BTCUSDT", "1", None)) == essence(history[-1])
    assert essence(tracker.find("BTCUSDT", None, "c-1")) == essence(history[-1])
    assert bool(tracker.open_orders) != history[-1].status.is_final


@given(told())
def test_no_end_and_no_fill_is_ever_taken_back(life: tuple[list[Order], list[Message]]) -> None:
    tracker = OrderTracker(lambda: 0)
    before: Order | None = None
    for message in life[1]:
        now = take(tracker, message)
        if before is not None:
            assert now.filled_quantity >= before.filled_quantity
            assert not before.status.is_final or now.status is before.status
        before = now


@given(told(), st.data())
def test_states_can_be_joined_in_any_grouping(life: tuple[list[Order], list[Message]], data: st.DataObject) -> None:
    states = [state for state, _ in life[1]]
    at = data.draw(st.integers(0, len(states) - 1))
    left = right = states[at]
    for state in states:
        left = merged(left, state)
        right = merged(state, right)
    assert essence(left) == essence(right)
    assert left.created_time_ms == right.created_time_ms


def test_of_two_equal_states_the_streams_and_then_the_newer_one_holds() -> None:
    reply, event = an_order(price=Decimal(1)), an_order(price=Decimal(2), received_ns=5)
    assert merged(reply, event).price == merged(event, reply).price == 2
    newer = an_order(price=Decimal(3), updated_time_ms=1001)
    assert merged(newer, event).price == merged(event, newer).price == 3


def test_a_reply_with_a_larger_fill_than_the_streams_end_is_not_forgotten() -> None:
    ended = an_order(status=OrderStatus.CANCELED, filled_quantity=Decimal(3), received_ns=5)
    filled = an_order(status=OrderStatus.PARTIALLY_FILLED, filled_quantity=Decimal(4), average_price=Decimal(99))
    for both in (merged(ended, filled), merged(filled, ended)):
        assert (both.status, both.filled_quantity, both.average_price) == (
            OrderStatus.CANCELED,
            Decimal(4),
            Decimal(99),
        )


# --- conditional orders -----------------------------------------------------------------------------------------------


def a_stop(**changes: Any) -> Order:
    return an_order(
        **{
            "order_id": "algo-1",
            "type": OrderType.STOP_MARKET,
            "price": None,
            "status": OrderStatus.UNTRIGGERED,
            **changes,
        }
    )


CHILD = {"order_id": "77", "type": OrderType.MARKET, "price": None}
STOP_LIFE = [
    a_stop(updated_time_ms=1000),
    a_stop(updated_time_ms=1010, status=OrderStatus.TRIGGERED, child_order_id="77"),
    an_order(**CHILD, updated_time_ms=1011),
    an_order(**CHILD, updated_time_ms=1012, status=OrderStatus.PARTIALLY_FILLED, filled_quantity=Decimal(4),
             average_price=Decimal(90)),
    an_order(**CHILD, updated_time_ms=1013, status=OrderStatus.FILLED, filled_quantity=QUANTITY,
             average_price=Decimal(91)),
]  # fmt: skip


@given(st.permutations([*STOP_LIFE, *STOP_LIFE[1:4]]))
def test_a_conditional_order_and_what_it_made_are_one_whatever_is_told_first(messages: list[Order]) -> None:
    tracker = OrderTracker(lambda: 0)
    for message in messages:
        tracker.on_event(msgspec.structs.replace(message, received_ns=5))
    by_parent, by_child = (tracker.find("BTCUSDT", name, None) for name in ("algo-1", "77"))
    by_client = tracker.find("BTCUSDT", None, "c-1")
    assert by_parent == by_child == by_client
    assert by_parent is not None
    assert (by_parent.order_id, by_parent.child_order_id, by_parent.type) == ("algo-1", "77", OrderType.STOP_MARKET)
    assert (by_parent.status, by_parent.filled_quantity, by_parent.average_price) == (
        OrderStatus.FILLED,
        Decimal(10),
        Decimal(91),
    )
    assert tracker.open_orders == ()


def test_an_open_conditional_order_is_listed_once_while_what_it_made_fills() -> None:
    tracker = OrderTracker(lambda: 0)
    for message in STOP_LIFE[:4]:
        tracker.on_event(message)
    (one,) = tracker.open_orders
    assert (one.order_id, one.status, one.filled_quantity) == ("algo-1", OrderStatus.PARTIALLY_FILLED, Decimal(4))


# --- names, memory, watchers ------------------------------------------------------------------------------------------


def test_a_client_id_that_is_used_again_means_the_newer_order() -> None:
    tracker = OrderTracker(lambda: 0)
    old = an_order(status=OrderStatus.FILLED, created_time_ms=1000)
    tracker.on_event(old)
    tracker.on_event(an_order(order_id="2", created_time_ms=2000))
    tracker.on_event(old)  # once more, late
    found = tracker.find("BTCUSDT", None, "c-1")
    assert found is not None
    assert found.order_id == "2"
    assert tracker.find("ETHUSDT", None, "c-1") is None


def test_orders_that_have_ended_age_out_and_open_ones_stay() -> None:
    tracker = OrderTracker(lambda: 0)
    tracker.on_event(an_order(order_id="open", client_order_id="open"))
    for n in range(order_tracker.KEPT + 50):
        tracker.on_event(an_order(order_id=f"{n}", client_order_id=f"c-{n}", status=OrderStatus.FILLED))
    assert tracker.find("BTCUSDT", "49", None) is None
    assert tracker.find("BTCUSDT", None, "c-49") is None
    assert tracker.find("BTCUSDT", "50", None) is not None
    assert [order.order_id for order in tracker.open_orders] == ["open"]
    assert len(tracker._orders) == order_tracker.KEPT + 1
    assert len(tracker._by_client) == order_tracker.KEPT + 1


def test_what_only_replies_told_of_ages_out_too_or_is_let_go_of_when_it_is_old() -> None:
    now_s = [0.0]
    tracker = OrderTracker(lambda: int(now_s[0] * 1e9))
    for n in range(order_tracker.KEPT + 10):
        tracker.on_answer(an_order(order_id=f"{n}", client_order_id=f"c-{n}"))
    assert len(tracker.open_orders) == order_tracker.KEPT
    now_s[0] = 20
    tracker.on_answer(an_order(order_id="fresh", client_order_id="fresh"))
    tracker.forget_replies(15)
    assert [order.order_id for order in tracker.open_orders] == ["fresh"]


def test_who_watches_a_name_is_told_of_orders_and_fills_until_it_stops() -> None:
    tracker = OrderTracker(lambda: 0)
    by_name: list[Evidence] = []
    by_id: list[Evidence] = []
    off = tracker.watch("c-1", by_name.append)
    tracker.watch(("BTCUSDT", "algo-1"), by_id.append)
    fill = Fill(
        trade_id="t", order_id="1", client_order_id="c-1", side=Side.BUY, price=Decimal(1), quantity=Decimal(1),
        fee=None, fee_asset="", realized_pnl=None, is_maker=False,
    )  # fmt: skip
    tracker.on_fill(fill)
    tracker.on_event(an_order())
    tracker.on_event(an_order(order_id="9", client_order_id="another"))
    assert by_name == [fill, an_order()]
    off()
    off()
    tracker.on_event(an_order(status=OrderStatus.FILLED))
    assert len(by_name) == 2
    for message in STOP_LIFE:
        tracker.on_event(message)
    assert by_id[-1] == tracker.find("BTCUSDT", "algo-1", None)


def test_open_of_late_is_what_is_open_and_was_told_of_within_the_time() -> None:
    now_s = [0.0]
    tracker = OrderTracker(lambda: round(now_s[0] * 1e9))
    tracker.on_answer(an_order(order_id="1", client_order_id="c-1"))
    now_s[0] = 10.0
    tracker.on_answer(an_order(order_id="2", client_order_id="c-2"))
    tracker.on_answer(an_order(order_id="3", client_order_id="c-3", status=OrderStatus.CANCELED))
    assert [one.order_id for one in tracker.open_of_late(15.0)] == ["1", "2"]
    now_s[0] = 20.0
    assert [one.order_id for one in tracker.open_of_late(15.0)] == ["2"]


# --- the venue's clock is put back ------------------------------------------------------------------------------------


class Life(msgspec.Struct):
    """What an order goes through, by a venue whose clock is put forth and back: each state with the time (seconds) at
    which it came about, and whether it was our own change."""

    states: list[Order]
    at_s: list[float]
    is_ours: list[bool]


@st.composite
def stepped_lives(draw: st.DrawFn) -> Life:
    now_s, ahead_ms, price, filled = 0.0, 0, 100, 0
    life = Life([an_order(created_time_ms=1_000_000, updated_time_ms=1_000_000)], [0.0], [False])
    for _ in range(draw(st.integers(1, 8))):
        now_s += draw(st.sampled_from((0.01, 1.0, 20.0, 300.0)))
        ahead_ms += draw(st.sampled_from((0, 0, 8_000, -8_000, -60_000, -3_600_000)))
        is_ours = draw(st.booleans())
        if draw(st.booleans()) and filled < QUANTITY - 1:
            filled, is_ours = filled + 1, False
        else:
            price += 1
        life.states.append(
            an_order(
                status=OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.NEW,
                price=Decimal(price), filled_quantity=Decimal(filled),
                average_price=Decimal(100) if filled else None,
                created_time_ms=1_000_000, updated_time_ms=10**9 + ahead_ms + round(now_s * 1000),
            )
        )  # fmt: skip
        life.at_s.append(now_s)
        life.is_ours.append(is_ours)
    return life


@given(stepped_lives(), st.data())
def test_what_the_stream_tells_in_order_holds_however_the_venues_clock_is_put(life: Life, data: st.DataObject) -> None:
    """Beside it answers to questions show the state as it is, or as it was within the lag of the venue's lists, unless
    the clock was put back meanwhile."""
    now_s = 0.0
    tracker = OrderTracker(lambda: round(now_s * 1e9))
    for n, state in enumerate(life.states):
        now_s = life.at_s[n]
        if life.is_ours[n] and data.draw(st.booleans()):
            tracker.on_answer(state, since_ns=round((now_s - 0.001) * 1e9))
            assert essence(tracker.find("BTCUSDT", "1", None)) == essence(state)
        told = msgspec.structs.replace(state, received_ns=10**18 + round(now_s * 1e9))
        tracker.on_event(told)
        assert essence(tracker.find("BTCUSDT", "1", None)) == essence(state)
        for stale in life.states[max(0, n - 2) : n + 1]:
            at_s = life.at_s[life.states.index(stale)]
            is_of_this_clock = (stale.updated_time_ms or 0) - 1000 * at_s <= (state.updated_time_ms or 0) - 1000 * now_s
            if now_s - at_s < 10 and is_of_this_clock and data.draw(st.booleans()):
                tracker.on_answer(stale)
                assert not tracker.is_news(stale) or stale is state
                assert essence(tracker.find("BTCUSDT", "1", None)) == essence(state)


@given(stepped_lives())
def test_without_a_stream_our_own_changes_hold_and_what_is_read_much_later(life: Life) -> None:
    now_s = 0.0
    tracker = OrderTracker(lambda: round(now_s * 1e9))
    for n, state in enumerate(life.states):
        now_s = life.at_s[n]
        if life.is_ours[n]:
            tracker.on_answer(state, since_ns=round((now_s - 0.001) * 1e9))
            assert essence(tracker.find("BTCUSDT", "1", None)) == essence(state)
        elif n == len(life.states) - 1:
            now_s += 31
            assert tracker.is_news(state) or _same(tracker, state)
            tracker.on_answer(state)
            assert essence(tracker.find("BTCUSDT", "1", None)) == essence(state)


def _same(tracker: OrderTracker, state: Order) -> bool:
    known = tracker.find("BTCUSDT", "1", None)
    assert known is not None
    return (known.price, known.filled_quantity, known.status) == (state.price, state.filled_quantity, state.status)


def test_a_fill_and_an_end_are_not_taken_back_by_what_is_known_to_be_later() -> None:
    tracker = OrderTracker(lambda: 10**12)
    tracker.on_event(an_order(status=OrderStatus.CANCELED, filled_quantity=Decimal(3), received_ns=5))
    odd = an_order(status=OrderStatus.PARTIALLY_FILLED, filled_quantity=Decimal(2), updated_time_ms=1)
    now = tracker.on_answer(odd, since_ns=2 * 10**12)
    assert (now.status, now.filled_quantity) == (OrderStatus.CANCELED, Decimal(3))


# --- what handlers are told -------------------------------------------------------------------------------------------


def the_tracker() -> OrderTracker:
    return OrderTracker(lambda: 0)


@given(histories(), st.randoms())
def test_handlers_hear_an_order_go_forward_only_and_where_it_ended(history: list[Order], rng: Any) -> None:
    said = [msgspec.structs.replace(one, received_ns=7) for one in history for _ in range(rng.choice((1, 2)))]
    rng.shuffle(said)
    tracker = the_tracker()
    heard = [told for one in said if (told := tracker.hear(one)) is not None]
    assert tracker.late == len(said) - len(heard)
    assert all(merged(one, other) == merged(other, one) for one, other in pairwise(heard))
    filled = [one.filled_quantity for one in heard]
    assert filled == sorted(filled)
    ends = [one.status.is_final for one in heard]
    assert ends == sorted(ends)
    (known,) = (tracker.find("BTCUSDT", "1", None),)
    assert known is not None
    assert (heard[-1].status, heard[-1].filled_quantity) == (known.status, known.filled_quantity)


def test_what_answers_and_lists_tell_is_untold_until_the_stream_tells_it() -> None:
    tracker = the_tracker()
    tracker.on_answer(an_order())
    assert tracker.hear(an_order(received_ns=1)) is not None
    assert tracker.untold() == []
    tracker.on_event(an_order(status=OrderStatus.CANCELED, updated_time_ms=2000))
    assert tracker.untold(before_ms=2000) == []
    (told,) = tracker.untold(before_ms=2001)
    assert told.status is OrderStatus.CANCELED
    assert tracker.untold() == []
    assert tracker.hear(an_order(status=OrderStatus.CANCELED, updated_time_ms=2000, received_ns=2)) is None
    assert tracker.late == 1


def test_what_was_only_acknowledged_waits_for_a_better_word() -> None:
    tracker = the_tracker()
    tracker.on_answer(an_order(status=OrderStatus.PENDING_NEW, updated_time_ms=None))
    assert tracker.untold() == []
    tracker.on_event(an_order())
    assert [one.status for one in tracker.untold()] == [OrderStatus.NEW]


def test_untold_orders_come_in_the_order_in_which_they_came_to_be_so() -> None:
    tracker = the_tracker()
    for order_id, time_ms in (("3", 3000), ("1", 1000), ("2", 2000)):
        tracker.on_event(an_order(order_id=order_id, client_order_id=f"c-{order_id}", updated_time_ms=time_ms))
    assert [one.order_id for one in tracker.untold()] == ["1", "2", "3"]


def test_what_a_trigger_made_is_heard_as_the_conditional_order_whichever_is_told_of_first() -> None:
    parent = an_order(order_id="algo-1", type=OrderType.STOP, status=OrderStatus.UNTRIGGERED)
    tracker = the_tracker()
    assert tracker.hear(parent) is parent
    tracker.on_event(msgspec.structs.replace(parent, status=OrderStatus.TRIGGERED, child_order_id="7"))
    child = an_order(order_id="7", status=OrderStatus.FILLED, filled_quantity=QUANTITY, received_ns=1)
    told = tracker.hear(child)
    assert told is not None
    assert (told.order_id, told.status, told.filled_quantity) == ("algo-1", OrderStatus.FILLED, QUANTITY)
    assert tracker.untold() == []


def test_what_was_read_for_a_fill_is_not_told_and_may_push_out_what_is_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_tracker, "KEPT", 2)
    tracker = the_tracker()
    ended: dict[str, Any] = {"status": OrderStatus.CANCELED, "updated_time_ms": 2000}
    tracker.on_event(an_order(**ended, client_order_id="c-1"))
    tracker.learn(an_order(**ended, order_id="2", client_order_id="c-2"))
    assert [one.order_id for one in tracker.untold()] == ["1"]
    tracker.on_event(an_order(**ended, order_id="3", client_order_id="c-3"))
    for number in ("4", "5"):
        tracker.learn(an_order(**ended, order_id=number, client_order_id=f"c-{number}"))
    assert tracker.untold() == []


def test_as_heard_is_what_handlers_were_told_last_and_nothing_that_they_were_not() -> None:
    """Of a stop and what it made, both where they were told of both by themselves."""
    tracker = OrderTracker(lambda: 0, triggers_make_orders=True)

    def heard() -> list[tuple[str, OrderStatus]]:
        return [(one.order_id, one.status) for order in tracker.open_orders for one in tracker.as_heard(order)]

    stop, triggered, child, partly, filled = STOP_LIFE
    tracker.on_event(stop)
    assert heard() == []
    tracker.hear(stop)
    assert heard() == [("algo-1", OrderStatus.UNTRIGGERED)]
    tracker.on_event(child)  # nobody was told of it yet
    assert heard() == [("algo-1", OrderStatus.UNTRIGGERED)]
    tracker.hear(child)
    tracker.hear(triggered)
    tracker.hear(partly)
    assert heard() == [("algo-1", OrderStatus.NEW), ("77", OrderStatus.PARTIALLY_FILLED)]
    tracker.hear(filled)
    assert heard() == []

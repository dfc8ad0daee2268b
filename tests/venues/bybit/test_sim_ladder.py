"""What a book stream has shown, followed by changes alone, is always the top of the book itself."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings, strategies as st

from perpwire.venues.bybit.sim import default_specs
from perpwire.venues.bybit.sim.ladder import Ladder, Side, Window

INSTRUMENT = default_specs()[0].instrument
D = Decimal

# A change of the book: price in ticks, size (0 gone).
CHANGE = st.tuples(st.integers(1, 14), st.integers(0, 2))
STEPS = st.lists(st.lists(CHANGE, min_size=1, max_size=6), max_size=12)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS, depth=st.integers(1, 8), is_bid=st.booleans(), pauses=st.sets(st.integers(0, 11)))
def test_deltas_lead_to_the_top_of_the_book_at_every_depth(
    steps: list[list[tuple[int, int]]], depth: int, is_bid: bool, pauses: set[int]
) -> None:
    ladder = Ladder(INSTRUMENT)
    windows = (Window(ladder.bids, depth), Window(ladder.asks, depth))
    ladder.follow(windows)
    window = windows[0] if is_bid else windows[1]
    book: dict[Decimal, Decimal] = {}
    client: dict[str, str] = {}
    for number, step in enumerate(steps):
        levels = tuple((D(price), D(size)) for price, size in step)
        for price, size in levels:
            if size:
                book[price] = size
            else:
                book.pop(price, None)
        ladder.apply(*((levels, ()) if is_bid else ((), levels)))
        if number in pauses:
            continue  # changes of several steps go out together
        changed = window.advance()
        assert [D(price) for price, _ in changed] == sorted((D(price) for price, _ in changed), reverse=is_bid)
        for text, quantity in changed:
            if quantity == "0":
                del client[text]  # a delete never names a level that was not shown
            else:
                assert client.get(text) != quantity  # nothing is told twice
                client[text] = quantity
        top = sorted(book, reverse=is_bid)[:depth]
        assert {D(price): D(quantity) for price, quantity in client.items()} == {price: book[price] for price in top}
        assert [D(price) for price, _ in window.whole()] == top


def test_a_window_that_was_not_followed_catches_up_from_the_whole_book() -> None:
    side = Side(True, INSTRUMENT)
    side.load([(D(3), D(1)), (D(1), D(1)), (D(2), D(1))])
    window = Window(side, 2)
    assert window.advance_fully()
    assert not window.advance_fully()
    assert window.whole() == (("3.00", "1.000"), ("2.00", "1.000"))
    side.apply([(D(3), D(0))])
    window.touch([(D(3), D(0))])
    assert window.advance() == (("3.00", "0"), ("1.00", "1.000"))


@pytest.mark.parametrize("is_bid", [True, False])
def test_a_change_beyond_the_window_is_nothing(is_bid: bool) -> None:
    side = Side(is_bid, INSTRUMENT)
    side.load([(D(price), D(1)) for price in range(1, 6)])
    window = Window(side, 2)
    window.advance_fully()
    far = D(1) if is_bid else D(5)
    side.apply([(far, D(9))])
    window.touch([(far, D(9))])
    assert window.advance() == ()

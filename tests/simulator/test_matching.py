"""The book, against a plain reference that searches a list for the best and oldest order each time."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings, strategies as st
from tests.simulator.making import SYMBOL, Heard, exchange, intent
from tests.sizes import size

from perpwire.clock import ManualClock
from perpwire.model.order import OrderStatus, Side, TimeInForce
from perpwire.simulator.events import BookChanged, Traded
from perpwire.simulator.exchange import AccountSpec, Exchange
from perpwire.simulator.matching import Book, Resting
from perpwire.simulator.records import SimOrder
from perpwire.simulator.refusals import Refused

RICH = tuple(AccountSpec(name=name, api_key=name, cash=Decimal(10) ** 12) for name in "abc")

Placed = tuple[str, Side, int, int, TimeInForce | None]
"""Account, side, price in ticks, quantity in steps; None for a market order."""

placing = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from(list(Side)),
    st.integers(995, 1005),
    st.integers(1, 6),
    st.sampled_from([TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, None]),
)
cancelling = st.integers(0, 30)
steps = st.lists(st.one_of(placing, placing, placing, cancelling), max_size=60)


class Reference:
    """Price-time priority at its plainest."""

    def __init__(self) -> None:
        self.resting: list[tuple[str, Side, int, int, int]] = []  # account, side, price, quantity, arrival
        self.trades: list[tuple[int, int]] = []
        self.arrivals = 0

    def reachable(self, side: Side, price: int | None) -> list[tuple[str, Side, int, int, int]]:
        against = [
            one
            for one in self.resting
            if one[1] is not side and (price is None or (one[2] <= price if side is Side.BUY else one[2] >= price))
        ]
        return sorted(against, key=lambda one: (one[2] if side is Side.BUY else -one[2], one[4]))

    def place(self, account: str, side: Side, ticks: int, steps: int, tif: TimeInForce | None) -> None:
        price = None if tif is None else ticks
        if tif is TimeInForce.FOK:
            fillable = 0
            for one in self.reachable(side, price):
                if one[0] == account:
                    break
                fillable += one[3]
            if fillable < steps:
                return
        self.arrivals += 1
        left = steps
        for one in self.reachable(side, price):
            if not left:
                break
            if one[0] == account:
                return  # its own order: the rest expires
            part = min(left, one[3])
            left -= part
            self.trades.append((one[2], part))
            index = self.resting.index(one)
            if part == one[3]:
                del self.resting[index]
            else:
                self.resting[index] = (*one[:3], one[3] - part, one[4])
        if left and tif is TimeInForce.GTC:
            self.resting.append((account, side, ticks, left, self.arrivals))

    def levels(self, side: Side) -> list[tuple[Decimal, Decimal]]:
        totals: dict[int, int] = {}
        for one in self.resting:
            if one[1] is side:
                totals[one[2]] = totals.get(one[2], 0) + one[3]
        best_first = sorted(totals, reverse=side is Side.BUY)
        return [(Decimal(price) / 10, Decimal(totals[price]) / 1000) for price in best_first]


def play(moves: list[Placed | int]) -> tuple[Exchange, Heard, Reference, list[SimOrder]]:
    venue = exchange(ManualClock(), accounts=RICH)
    heard = Heard(venue)
    reference = Reference()
    placed: list[SimOrder] = []
    for move in moves:
        if isinstance(move, int):
            resting = sorted(reference.resting, key=lambda one: one[4])
            if move < len(resting):
                account = resting[move][0]
                mine = [one for one in resting if one[0] == account]
                order = venue.open_orders(account, SYMBOL)[mine.index(resting[move])]
                venue.cancel(account, SYMBOL, order_id=order.order_id, client_order_id=None)
                reference.resting.remove(resting[move])
            continue
        account, side, ticks, quantity, tif = move
        wanted = intent(
            side,
            str(Decimal(quantity) / 1000),
            None if tif is None else str(Decimal(ticks) / 10),
            tif or TimeInForce.GTC,
        )
        try:
            placed.append(venue.place(account, wanted))
        except Refused:
            assert not reference.reachable(side, None) or tif is TimeInForce.FOK
        reference.place(account, side, ticks, quantity, tif)
        bids, asks, _, _ = venue.book(SYMBOL, 100)
        assert not (bids and asks) or bids[0][0] < asks[0][0], "the book is crossed"
        assert bids == reference.levels(Side.BUY)
        assert asks == reference.levels(Side.SELL)
    return venue, heard, reference, placed


@given(steps)
@settings(max_examples=size(120, 60), deadline=None)
def test_every_trade_is_with_the_best_price_and_the_oldest_order_there(moves: list[Placed | int]) -> None:
    _, heard, reference, _ = play(moves)
    trades = [(int(trade.price * 10), int(trade.quantity * 1000)) for trade in heard.of(Traded)]
    assert trades == reference.trades


@given(steps)
@settings(max_examples=size(80, 40), deadline=None)
def test_no_quantity_is_made_or_lost(moves: list[Placed | int]) -> None:
    venue, _, _, placed = play(moves)
    bought = sold = Decimal(0)
    for name in "abc":
        for order in venue.orders(name, None):
            fills = [fill for one, fill in venue.fills(name, None) if one.order_id == order.order_id]
            assert sum((fill.quantity for fill in fills), Decimal(0)) == order.filled_quantity
            assert 0 <= order.filled_quantity <= order.quantity
            if order.side is Side.BUY:
                bought += order.filled_quantity
            else:
                sold += order.filled_quantity
            if order.status is OrderStatus.FILLED:
                assert order.remaining == 0
    assert bought == sold
    assert sum(venue.position(name, SYMBOL).quantity for name in "abc") == 0
    ids = [order.order_id for order in placed]
    assert ids == sorted(set(ids))


@given(steps)
@settings(max_examples=size(80, 40), deadline=None)
def test_cash_profit_fees_and_open_positions_add_up_exactly(moves: list[Placed | int]) -> None:
    venue, _, _, _ = play(moves)
    for account in RICH:
        received = fees = profit = Decimal(0)
        for order, fill in venue.fills(account.name, None):
            value = fill.price * fill.quantity
            received += value if order.side is Side.SELL else -value
            fees += fill.fee
            profit += fill.realized_pnl
        position = venue.position(account.name, SYMBOL)
        open_cost = position.entry_value if position.quantity > 0 else -position.entry_value
        assert profit == received + open_cost
        assert venue.wallet(account.name)["USDT"] == account.cash + profit - fees
        assert position.realized_pnl == profit


@given(steps)
@settings(max_examples=size(60, 30), deadline=None)
def test_the_changes_told_rebuild_the_book(moves: list[Placed | int]) -> None:
    venue, heard, _, _ = play(moves)
    bids: dict[Decimal, Decimal] = {}
    asks: dict[Decimal, Decimal] = {}
    last = 1
    for change in heard.of(BookChanged):
        assert change.update_id == last + 1
        last = change.update_id
        for side, levels in ((bids, change.bids), (asks, change.asks)):
            for price, quantity in levels:
                if quantity:
                    side[price] = quantity
                else:
                    side.pop(price, None)
    shown_bids, shown_asks, update_id, _ = venue.book(SYMBOL, 100)
    assert sorted(bids.items(), reverse=True) == shown_bids
    assert sorted(asks.items()) == shown_asks
    assert update_id == last


def rest(book: Book, quantity: str, order: SimOrder | None = None) -> Resting:
    resting = Resting(Side.BUY, Decimal(100), Decimal(quantity), order)
    book.add(resting)
    return resting


def queue(book: Book) -> list[str]:
    """Of the bids at 100: "user" or "other", and how much."""
    return [f"{'user' if one.order else 'other'} {one.quantity}" for one in book.bids.levels[Decimal(100)].queue]


def user_order(venue: Exchange) -> SimOrder:
    return venue.place("a", intent(Side.BUY, "1", "100"))


def test_recorded_additions_queue_behind_a_user_and_reductions_come_off_the_rear() -> None:
    order = user_order(exchange(ManualClock()))
    book = Book()
    rest(book, "5")
    rest(book, "1", order)
    book.set_background(Side.BUY, [(Decimal(100), Decimal(8))])
    assert queue(book) == ["other 5", "user 1", "other 3"]
    book.set_background(Side.BUY, [(Decimal(100), Decimal(4))])
    assert queue(book) == ["other 4", "user 1"]
    book.set_background(Side.BUY, [(Decimal(100), Decimal(0))])
    assert queue(book) == ["user 1"]
    assert book.bids.levels[Decimal(100)].total == 1


def test_a_recorded_zero_removes_a_level_that_no_user_holds() -> None:
    book = Book()
    book.set_background(Side.BUY, [(Decimal(100), Decimal(8)), (Decimal(99), Decimal(1))])
    book.set_background(Side.BUY, [(Decimal(100), Decimal(0)), (Decimal(98), Decimal(0))])
    assert book.bids.prices == [Decimal(99)]

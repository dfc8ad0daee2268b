"""The account's stream is away while everything happens that can make a fill; afterwards nothing is missing."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.model.incident import PositionMismatch, UnknownSeen
from perpwire.model.market import Gap
from perpwire.model.order import Fill, Order, OrderStatus
from perpwire.notification.rules import Rules
from perpwire.scenarios.burst import new_word
from perpwire.scenarios.listen_key import NAME, PATH
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.dialect import DialectOptions
from perpwire.simulator.faults import (
    Answer,
    Close,
    Deleverage,
    DuplicateMessage,
    FillOrder,
    Liquidate,
    Silence,
)
from perpwire.simulator.listing import Listing

SYMBOL, OTHER, UNHEARD_OF = "BTCUSDT", "ETHUSDT", "ZEDUSDT"

WITHIN_S = 7.0
"""After the stream is live again everything has been delivered."""


class Heard:
    """What was delivered, in order."""

    def __init__(self, run: Run) -> None:
        self.before = len(run.host.exchange.fills("main", None))
        self.orders_before = {order.order_id for order in run.host.exchange.orders("main", None)}
        self.fills: list[Fill] = []
        self.orders: dict[str, Order] = {}
        """By client order id, as they were told of last."""
        self.read_back: list[Order] = []
        self.order: list[str] = []
        """Gaps and recovered fills, by name."""
        self.gaps: list[Gap] = []
        """Of orders."""
        run.connector.on(Fill, self._on_fill)
        run.connector.on(Order, self._on_order)
        run.connector.on(Gap, self._on_gap)

    def _on_fill(self, fill: Fill) -> None:
        self.fills.append(fill)
        if fill.recovered:
            self.order.append("recovered")

    def _on_order(self, order: Order) -> None:
        self.orders[order.client_order_id] = order
        if order.recovered:
            self.read_back.append(order)

    def _on_gap(self, gap: Gap) -> None:
        if gap.kind == "Fill":
            self.order.append("gap")
        elif gap.kind == "Order":
            self.gaps.append(gap)


@scenario(
    options={
        "rate": 0.02,
        "symbols": (Listing(symbol=UNHEARD_OF, start_price=Decimal(40)),),
        "options": DialectOptions(trades_lag_s=2.0),
    },
    settle_s=20.0,
)
async def fills_in_the_gap(run: Run) -> None:
    """The stream is away for 1 to 120 s: fills, cancels and trades by hand, a liquidation, deleveraging."""
    await run.follow()
    mark = run.host.exchange.mark_price(SYMBOL)
    await run.place(SYMBOL, "BUY", "1")
    await run.place(OTHER, "BUY", "1")
    a = await run.place(SYMBOL, "SELL", "0.4", order_type="LIMIT", price=mark * Decimal("1.5"), round="nearest")
    b = await run.place(SYMBOL, "BUY", "0.2", order_type="LIMIT", price=mark * Decimal("0.5"), round="nearest")
    assert a is not None
    assert b is not None
    await run.clock.sleep(6 if run.is_real else run.random.uniform(10, 60))
    heard = Heard(run)
    async with run.world.connector(run.venue) as by_hand:
        away_s = run.random.choice((run.random.uniform(1, 10), run.random.uniform(10, 120)))
        if run.is_real:
            away_s = 3.0
        _take_away(run, away_s)
        lost_s = run.now_s
        await _meanwhile(run, by_hand, a, b, away_s)
    await run.until(lost_s + away_s)
    live_s = await _live_again(run, lost_s)
    await run.until(live_s + 1)
    run.fault(new_word(run, "NEW_ENUM_X"))
    run.fault(DuplicateMessage(of="private", count=10, times=2, after_each_s=0.1, for_s=3.0))
    live = await run.place(SYMBOL, "BUY", "0.01")  # what was liquidated may have left too little for it
    await run.until(live_s + WITHIN_S)
    _check(run, heard, a, b, ["NEW_ENUM_X"] if live is not None else [])
    if not run.is_real:
        await run.until(live_s + 60)
    run.check(not any(isinstance(one, PositionMismatch) for one in run.incidents), "positions and fills do not add up")


def _take_away(run: Run, away_s: float) -> None:
    """It is closed, or mute, and can't be opened anew for so long."""
    path = PATH[run.venue]
    run.fault(
        run.random.choice((Close(route=path), Close(code=1011, route=path), Silence(what="all", route=path))),
        Answer(method="WS", path=path, status=503, for_s=away_s, count=None),
        Answer(method="WS", path=f"{path}/*", status=503, for_s=away_s, count=None),
    )


async def _meanwhile(run: Run, by_hand: VenueConnector, a: Order, b: Order, away_s: float) -> None:
    ids = {order.client_order_id: order.order_id for order in run.host.exchange.open_orders("main", None)}

    def when() -> float:
        return run.random.uniform(0, away_s * 0.9)

    first, twice = when(), when()
    # Those that are forced cancel all open orders, so they are last.
    run.fault(
        FillOrder(order_id=ids[a.client_order_id], quantity=Decimal("0.1"), after_s=first * 0.3),
        FillOrder(order_id=ids[a.client_order_id], quantity=Decimal("0.1"), after_s=first * 0.5),
        FillOrder(order_id=ids[b.client_order_id], quantity=Decimal("0.05"), after_s=twice),
        FillOrder(order_id=ids[b.client_order_id], quantity=Decimal("0.05"), after_s=twice),
        FillOrder(order_id=ids[b.client_order_id], after_s=max(twice, when())),
        Liquidate(symbol=OTHER, after_s=away_s * 0.95),
        Deleverage(symbol=SYMBOL, quantity=Decimal("0.05"), after_s=away_s * 0.93),
    )
    began_s = run.now_s
    await run.until(began_s + first * 0.6)
    await by_hand.cancel_order(SYMBOL, a.order_id)
    await by_hand.place_order(SYMBOL, "BUY", "0.05")
    await by_hand.place_order(UNHEARD_OF, "BUY", "10")
    price = run.host.exchange.mark_price(SYMBOL) * Decimal("0.5")
    born = await by_hand.place_order(SYMBOL, "BUY", "0.03", "LIMIT", price=price, round="nearest")
    await by_hand.cancel_order(SYMBOL, born.order_id)


async def _live_again(run: Run, lost_s: float) -> float:
    """Wait for it."""
    while run.now_s < lost_s + 300:
        if run.connector.is_account_stream_live and run.connector.streams.reconnects[NAME[run.venue]]:
            return run.now_s
        await run.clock.sleep(0.1)
    run.check(False, "the stream did not come back")
    return run.now_s


def _check(run: Run, heard: Heard, a: Order, b: Order, new_words: list[str]) -> None:
    times: dict[str, list[int]] = defaultdict(list)
    for fill in heard.fills:
        times[fill.symbol].append(fill.venue_time_ms)
    for symbol, those in times.items():
        run.check(those == sorted(those), f"fills of {symbol} came out of order: {those}")
    keys = [(fill.symbol, fill.trade_id, fill.side) for fill in heard.fills]
    run.check(len(set(keys)) == len(keys), "a fill came twice")
    happened = len(run.host.exchange.fills("main", None)) - heard.before
    run.check(len(keys) == happened, f"{happened} fills happened, {len(keys)} were delivered")
    run.check(any(fill.symbol == UNHEARD_OF for fill in heard.fills), "the contract nobody heard of")
    first = heard.order.index("recovered") if "recovered" in heard.order else 0
    run.check("gap" in heard.order[:first], f"no gap was told before what it had held back: {heard.order[:3]}")
    told = [one for one in run.incidents if isinstance(one, UnknownSeen)]
    run.check([one.word for one in told] == new_words, f"new words that were told of: {told}")
    run.check(all(Rules().alert(one) is not None for one in told), "a new word is no alert")
    ended = heard.orders.get(a.client_order_id)
    run.check(
        ended is not None and ended.status is OrderStatus.CANCELED and ended.filled_quantity == Decimal("0.2"),
        f"A: {ended}",
    )
    ended = heard.orders.get(b.client_order_id)
    run.check(ended is not None and ended.status is OrderStatus.FILLED, f"B: {ended}")
    _check_orders(run, heard)


def _check_orders(run: Run, heard: Heard) -> None:
    """Each is told as it ended, those too that nobody had heard of before."""
    times = [order.updated_time_ms or 0 for order in heard.read_back]
    run.check(times == sorted(times), f"orders were read back out of order: {heard.read_back}")
    run.check(any(gap.repaired for gap in heard.gaps), "no gap of orders was told")
    for order in run.host.exchange.orders("main", None):
        if order.order_id not in heard.orders_before and order.client_order_id:
            told = heard.orders.get(order.client_order_id)
            run.check(
                told is not None
                and told.filled_quantity == order.filled_quantity
                and told.status.is_final is order.status.is_final,
                f"{order.client_order_id} is {order.status} and was told as {told}",
            )

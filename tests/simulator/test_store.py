"""State on disk: what was acknowledged outlives the process, however it ended."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from tests.simulator.making import ACCOUNTS, SYMBOL, Heard, intent, spec

from perpwire.clock import ManualClock
from perpwire.model.order import OrderStatus, OrderType, PositionSide, Side, TimeInForce
from perpwire.simulator.commands import AmendOrder, CancelOrder, PlaceOrder
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intents import TriggerIntent
from perpwire.simulator.records import SimOrder
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.store import Store

BUY, SELL = Side.BUY, Side.SELL
D = Decimal


_last: dict[Path, Exchange] = {}


_made: list[Exchange] = []


@pytest.fixture(autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    """A killed process leaves no file open; those that are only said to be killed here are let go at the end."""
    yield
    for venue in _made:
        if venue._store is not None:
            venue._store.close()
    _made.clear()
    _last.clear()


def open_exchange(
    clock: ManualClock, path: Path, rate: float = 0.0, seed: int = 7, symbols: tuple[str, ...] = (SYMBOL, "ETHUSDT")
) -> Exchange:
    """As after a kill of the one that had this file before: it says no goodbye, its hold on the file is gone."""
    if path in _last:
        killed = _last.pop(path)._store
        assert killed is not None
        killed._lock.close()
    venue = _last[path] = Exchange(
        clock=clock,
        seed=seed,
        symbols=[spec(symbol, "100") for symbol in symbols],
        accounts=ACCOUNTS,
        rate=rate,
        store=Store(path, "echo"),
    )
    _made.append(venue)
    return venue


def stop() -> TriggerIntent:
    return TriggerIntent(
        symbol=SYMBOL,
        side=SELL,
        kind="stop",
        direction="falls",
        type=OrderType.MARKET,
        trigger_price=D("99.5"),
        quantity=D(1),
        client_id="stop",
        note={"workingType": "CONTRACT_PRICE"},
    )


def everything(venue: Exchange) -> dict[str, object]:
    """All that an account can ask for."""
    return {
        name: (
            venue.wallet(name),
            venue.orders(name, None),
            venue.open_orders(name, None),
            venue.fills(name, None),
            venue.triggers(name, None),
            venue.positions(name),
            venue.bookings(name),
            venue.leverage(name, SYMBOL),
            venue.is_hedge(name, "ETHUSDT"),
            venue.is_isolated(name, SYMBOL),
            venue.setting(name, "feeBurn"),
        )
        for name in ("a", "b")
    }


def busy(venue: Exchange) -> None:
    venue.set_leverage("a", SYMBOL, D(7))
    venue.set_hedge("a", "ETHUSDT", True)
    venue.set_isolated("a", SYMBOL, True)
    venue.set_setting("a", "feeBurn", "true")
    venue.place("b", msgspec.structs.replace(intent(SELL, "5", "100"), note={"by": "hand"}))
    venue.place("a", intent(BUY, "2", "100", client_order_id="one"))
    venue.place("a", intent(BUY, "3", "95"))
    venue.place("a", intent(BUY, "3", "94"))
    order = venue.place("a", intent(BUY, "1", "90"))
    venue.cancel("a", SYMBOL, order_id=order.order_id, client_order_id=None)
    venue.place_trigger("a", stop())
    venue.add_margin("a", SYMBOL, PositionSide.BOTH, D(5))


def test_everything_is_there_again_after_a_kill(clock: ManualClock, tmp_path: Path) -> None:
    venue = open_exchange(clock, tmp_path / "state")
    busy(venue)
    before = everything(venue)
    ids = venue.new_order_id()
    # No close: a killed process does not say goodbye.
    again = open_exchange(clock, tmp_path / "state")
    assert everything(again) == before
    assert again.book(SYMBOL, 5)[:2] == venue.book(SYMBOL, 5)[:2]
    assert again.new_order_id() <= ids  # an id that was not used may be given again,
    taken = {order.order_id for name in ("a", "b") for order in again.orders(name, None)}
    assert again.new_order_id() not in taken  # one that was, not


def test_a_trailing_stop_stands_where_it_had_followed_the_price_to(clock: ManualClock, tmp_path: Path) -> None:
    venue = open_exchange(clock, tmp_path / "state")
    trailing = msgspec.structs.replace(stop(), kind="trailing", trigger_price=None, callback_distance=D("0.5"))
    venue.place_trigger("a", trailing)
    for price in ("100.4", "100.2"):
        venue.place("b", intent(SELL, "1", price))
        venue.place("b", intent(BUY, "1", price, self_trade="none"))
    (before,) = venue.open_triggers("a", None)
    assert before.stop_price == D("99.9")
    again = open_exchange(clock, tmp_path / "state")
    assert again.open_triggers("a", None) == [before]


def test_it_goes_on_where_it_was(clock: ManualClock, tmp_path: Path) -> None:
    venue = open_exchange(clock, tmp_path / "state")
    busy(venue)
    again = open_exchange(clock, tmp_path / "state")
    # Time priority at a price, the conditional order, and the duplicate of an open client id.
    with pytest.raises(Refused) as refused:
        again.place_trigger("a", stop())
    assert refused.value.why is Why.DUPLICATE_CLIENT_ID
    again.cancel_all("b", None)
    again.place("b", intent(BUY, "5", "99"))
    again.place("b", intent(BUY, "1", "99.5"))
    again.place("b", intent(SELL, "1", "99.5", self_trade="none"))
    assert again.find_trigger("a", client_id="stop").status == "finished"
    assert again.position("a", SYMBOL).quantity == 1
    trade_ids = [fill.trade_id for _, fill in again.fills("a", None)]
    assert len(set(trade_ids)) == len(trade_ids)
    numbers = [booking.number for booking in again.bookings("a")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_an_order_that_the_market_has_come_to_trades_at_the_start(clock: ManualClock, tmp_path: Path) -> None:
    venue = open_exchange(clock, tmp_path / "state")
    order = venue.place("a", intent(BUY, "1", "105"))
    again = open_exchange(clock, tmp_path / "state", rate=5.0)
    found = again.find_order("a", SYMBOL, order_id=order.order_id, client_order_id=None)
    assert found.status is OrderStatus.FILLED
    third = open_exchange(clock, tmp_path / "state", rate=5.0)
    assert third.find_order("a", SYMBOL, order_id=order.order_id, client_order_id=None) == found
    assert third.position("a", SYMBOL).quantity == 1


def test_the_price_goes_on(clock: ManualClock, tmp_path: Path) -> None:
    venue = open_exchange(clock, tmp_path / "state")
    venue.force_mark(SYMBOL, D(123))
    again = open_exchange(clock, tmp_path / "state", rate=5.0)
    assert again.mark_price(SYMBOL) == 123
    assert 120 < again.book(SYMBOL, 1)[0][0][0] < 126


def test_acknowledged_commands_are_carried_out_after_a_kill(clock: ManualClock, tmp_path: Path) -> None:
    amended: list[int] = []

    async def before() -> None:
        venue = open_exchange(clock, tmp_path / "state")
        venue.start()
        order = venue.place("a", intent(BUY, "1", "90"))
        amended.append(order.order_id)
        gone = venue.place("a", intent(BUY, "1", "91"))
        venue.submit("a", PlaceOrder(intent=intent(BUY, "2", "92", client_order_id="two"), order_id=77), 0.002)
        venue.submit("a", AmendOrder(symbol=SYMBOL, order_id=order.order_id, price=D(89)), 0.002)
        venue.submit("a", CancelOrder(symbol=SYMBOL, order_id=gone.order_id), 0.002)
        venue.set_countdown("b", SYMBOL, 5000)
        venue.place("b", intent(SELL, "1", "105"))
        assert len(venue.pending("a")) == 3

    async def after() -> None:
        again = open_exchange(clock, tmp_path / "state")
        assert len(again.pending("a")) == 3
        again.start()
        await asyncio.sleep(0.01)
        assert again.pending("a") == []
        assert {one.order_id: one.price for one in again.open_orders("a", None)} == {amended[0]: D(89), 77: D(92)}
        assert len(again.open_orders("b", None)) == 1
        await asyncio.sleep(6)
        assert again.orders("b", None)[-1].reason == "countdown"
        again.close()
        third = open_exchange(clock, tmp_path / "state")
        assert third.pending("a") == []
        third.close()

    clock.run(before())
    clock.run(after())


def test_two_venues_share_a_file(clock: ManualClock, tmp_path: Path) -> None:
    one = open_exchange(clock, tmp_path / "state")
    other = Exchange(
        clock=clock,
        seed=7,
        symbols=[spec(start_price="100")],
        accounts=ACCOUNTS,
        rate=0,
        store=Store(tmp_path / "state", "other"),
    )
    _made.append(other)
    one.place("a", intent(BUY, "1", "90"))
    other.place("a", intent(BUY, "2", "91"))
    again = open_exchange(clock, tmp_path / "state")
    assert [order.quantity for order in again.open_orders("a", None)] == [1]


_TRADER = """
import random, sys
from decimal import Decimal
from pathlib import Path
import msgspec
from perpwire.clock import ManualClock
from perpwire.model.order import Side
from perpwire.simulator.refusals import Refused
from tests.simulator.making import intent
from tests.simulator.test_store import open_exchange

path, seed = Path(sys.argv[1]), sys.argv[2]
venue = open_exchange(ManualClock(), path)
rng = random.Random(seed)
while True:
    account, other = rng.sample(["a", "b"], 2)
    price = str(Decimal(rng.randint(990, 1010)) / 10)
    side = rng.choice(list(Side))
    try:
        if rng.random() < 0.7:
            order = venue.place(account, intent(side, str(rng.randint(1, 5)), price, self_trade="maker"))
        else:
            order = rng.choice(venue.open_orders(account, None))
            order = venue.cancel(account, order.symbol, order_id=order.order_id, client_order_id=None)
    except (Refused, IndexError):
        continue
    known = {name: str(venue.wallet(name)["USDT"]) for name in ("a", "b")}
    counts = {name: len(venue.fills(name, None)) for name in ("a", "b")}
    print(msgspec.json.encode((account, order, known, counts)).decode(), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_kill_9_at_any_instant_loses_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    """A process trades and says what it was answered; it is killed after so many answers, in the middle of the next."""
    rng = random.Random(seed)
    trader = subprocess.Popen(
        [sys.executable, "-c", _TRADER, str(tmp_path / "state"), str(seed)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert trader.stdout is not None
    acknowledged = [trader.stdout.readline() for _ in range(rng.randint(5, 120))]
    trader.kill()
    acknowledged += [line for line in trader.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
    trader.wait()
    trader.stdout.close()
    account, order, wallets, counts = msgspec.json.decode(
        acknowledged[-1], type=tuple[str, SimOrder, dict[str, Decimal], dict[str, int]]
    )
    venue = open_exchange(ManualClock(), tmp_path / "state")
    for line in acknowledged:
        owner, told, _, _ = msgspec.json.decode(line, type=tuple[str, SimOrder, dict[str, Decimal], dict[str, int]])
        found = venue.find_order(owner, told.symbol, order_id=told.order_id, client_order_id=None)
        assert found.filled_quantity >= told.filled_quantity
        assert not told.status.is_final or found.status is told.status
    # One more step may have been saved that nobody was told of; what was told is there to the last digit.
    for name in ("a", "b"):
        booked = venue.bookings(name)
        assert len(venue.fills(name, None)) >= counts[name]
        assert wallets[name] == 100_000 + sum((one.change for one in booked[: counts[name]]), Decimal(0))
        assert venue.wallet(name)["USDT"] == 100_000 + sum((one.change for one in booked), Decimal(0))
        held = sum(
            (fill.quantity if one.side is BUY else -fill.quantity for one, fill in venue.fills(name, None)), D(0)
        )
        assert venue.position(name, SYMBOL).quantity == held
        for one in venue.orders(name, None):
            filled = sum((fill.quantity for by, fill in venue.fills(name, None) if by.order_id == one.order_id), D(0))
            assert one.filled_quantity == filled
    assert account in ("a", "b")
    assert order.order_id


def test_files_that_are_no_state_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("nothing of the kind, and long enough not to be taken for an empty file\n" * 40)
    with pytest.raises(ValueError, match="text"):
        Store(text, "echo")
    foreign = tmp_path / "foreign"
    db = sqlite3.connect(foreign)
    db.execute("CREATE TABLE something (one INTEGER)")
    db.close()
    with pytest.raises(ValueError, match="not the state"):
        Store(foreign, "echo")
    with pytest.raises(OSError, match="no-such"):
        Store(tmp_path / "no-such" / "file", "echo")


def test_a_step_is_saved_whole_or_not_at_all(
    clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails in the middle of a trade of two accounts: the file knows none of it."""
    first = open_exchange(clock, tmp_path / "state")
    first.place("b", intent(SELL, "5", "100"))
    venue = open_exchange(clock, tmp_path / "state")
    before = everything(venue)
    put = Store._put

    def failing(self: Store, name: str, *values: object) -> tuple[str, tuple[object, ...]]:
        if name == "account" and values[0] == "b":
            return ("INSERT INTO no_such_table VALUES (1)", ())
        return put(self, name, *values)

    monkeypatch.setattr(Store, "_put", failing)
    with pytest.raises(OSError, match="no such table"):
        venue.place("a", intent(BUY, "2", "100"))
    monkeypatch.undo()
    # Nor of anything later: in memory there is a trade that the file has not.
    with pytest.raises(OSError, match="no such table"):
        venue.place("a", intent(BUY, "1", "50"))
    assert everything(open_exchange(clock, tmp_path / "state")) == before


def test_trade_ids_are_not_given_twice(clock: ManualClock, tmp_path: Path) -> None:
    """Also those of trades in which no account took part, which are not saved one by one."""
    venue = open_exchange(clock, tmp_path / "state")
    venue.place("b", intent(SELL, "1", "100"))
    venue.place("a", intent(BUY, "1", "100"))
    last = venue._execution.next_trade_id(SYMBOL)  # the background's
    again = open_exchange(clock, tmp_path / "state")
    assert again._execution.next_trade_id(SYMBOL) > last


def test_nothing_is_told_that_could_not_be_saved(clock: ManualClock, tmp_path: Path) -> None:
    venue = open_exchange(clock, tmp_path / "state")
    heard = Heard(venue)
    failures: list[OSError] = []
    venue.on_failure = failures.append
    assert venue._store is not None
    venue._store.close()
    with pytest.raises(OSError, match="state"):
        venue.place("a", intent(BUY, "1", "90"))
    assert heard.events == []
    assert [type(one) for one in failures] == [OSError]


def test_open_orders_are_there_again_however_many_came_after_them(
    clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among them such of a symbol whose ids are above those of all others."""
    monkeypatch.setattr("perpwire.simulator.store.HISTORY", 10)
    venue = open_exchange(clock, tmp_path / "state")
    resting = venue.place("a", intent(BUY, "1", "50"))
    waiting = venue.place_trigger("a", stop())
    for number in range(12):
        order = venue.place("a", intent(BUY, "1", "40", symbol="ETHUSDT"))
        venue.cancel("a", "ETHUSDT", order_id=order.order_id, client_order_id=None)
        clock.advance(0.001)
        trigger = venue.place_trigger("a", msgspec.structs.replace(stop(), client_id=f"stop-{number}"))
        venue.cancel_trigger("a", trigger_id=trigger.trigger_id)
    newest = venue.place("a", intent(BUY, "1", "45"))
    venue.cancel("a", SYMBOL, order_id=newest.order_id, client_order_id=None)
    again = open_exchange(clock, tmp_path / "state")
    assert again.open_orders("a", None) == [resting]
    assert again.open_triggers("a", None) == [waiting]
    ended = [order for order in again.orders("a", None) if order.status.is_final]
    assert len(ended) == 10
    assert newest.order_id in {order.order_id for order in ended}


def test_the_file_does_not_grow_for_ever(clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perpwire.simulator.store.HISTORY", 10)
    monkeypatch.setattr("perpwire.simulator.store.TIDY_EVERY", 50)
    venue = open_exchange(clock, tmp_path / "state")
    resting = venue.place("a", intent(BUY, "1", "50"))
    for _ in range(100):
        venue.place("b", intent(SELL, "1", "100"))
        venue.place("a", intent(BUY, "1", "100"))
    with sqlite3.connect(tmp_path / "state") as db:
        counts = [
            db.execute(f"SELECT COUNT(*) FROM echo_{name}").fetchone()[0] for name in ("orders", "fill", "booking")
        ]
    db.close()
    assert max(counts) < 2 * (10 + 50)
    again = open_exchange(clock, tmp_path / "state")
    assert again.open_orders("a", None) == [resting]
    assert again.position("a", SYMBOL).quantity == 100
    assert again.wallet("a") == venue.wallet("a")


def test_an_order_whose_date_came_meanwhile_ends_before_it_can_trade(clock: ManualClock, tmp_path: Path) -> None:
    venue = open_exchange(clock, tmp_path / "state")
    dated = msgspec.structs.replace(intent(BUY, "1", "105", TimeInForce.GTD), expire_ms=venue.now_ms() + 1000)
    order = venue.place("a", dated)
    clock.advance(2)
    again = open_exchange(clock, tmp_path / "state", rate=5.0)
    found = again.find_order("a", SYMBOL, order_id=order.order_id, client_order_id=None)
    assert (found.status, found.reason) == (OrderStatus.EXPIRED, "gtd")
    assert not again.positions("a")


def test_a_conditional_order_whose_date_came_meanwhile_does_not_trigger(clock: ManualClock, tmp_path: Path) -> None:
    venue = open_exchange(clock, tmp_path / "state")
    venue.place_trigger("a", msgspec.structs.replace(stop(), expire_ms=venue.now_ms() + 1000))
    clock.advance(2)
    again = open_exchange(clock, tmp_path / "state")
    again.place("b", intent(BUY, "1", "99"))
    again.place("b", intent(SELL, "1", "99", self_trade="none"))
    found = again.find_trigger("a", client_id="stop")
    assert (found.status, found.reason) == ("expired", "gtd")


def test_a_trailing_order_remembers_how_far_it_has_come(clock: ManualClock, tmp_path: Path) -> None:
    venue = open_exchange(clock, tmp_path / "state")
    trailing = msgspec.structs.replace(stop(), kind="trailing", trigger_price=None, callback_rate=D("0.01"))
    venue.place_trigger("a", trailing)
    for price in ("103", "102.5"):
        venue.place("b", intent(SELL, "1", price))
        venue.place("b", intent(BUY, "1", price, self_trade="none"))
    before = venue.find_trigger("a", client_id="stop")
    assert before.extreme == 103
    assert open_exchange(clock, tmp_path / "state").find_trigger("a", client_id="stop") == before


def test_a_contract_that_is_not_listed_any_more_is_told_in_words(clock: ManualClock, tmp_path: Path) -> None:
    venue = open_exchange(clock, tmp_path / "state")
    venue.place("a", intent(BUY, "1", "50", symbol="ETHUSDT"))
    for _ in range(2):  # and the file is let go of
        with pytest.raises(ValueError, match="'a' has traded ETHUSDT, not listed now"):
            open_exchange(clock, tmp_path / "state", symbols=(SYMBOL,))
    assert open_exchange(clock, tmp_path / "state").open_orders("a", "ETHUSDT")


def test_a_file_has_one_exchange_of_a_venue_at_a_time(clock: ManualClock, tmp_path: Path) -> None:
    venue = open_exchange(clock, tmp_path / "state")
    (tmp_path / "alias").symlink_to(tmp_path / "state")
    for name in ("state", "alias"):
        with pytest.raises(OSError, match="another exchange has it open"):
            Store(tmp_path / name, "echo")
    (tmp_path / "alias").unlink()
    venue.close()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["state", "state-echo-lock"]
    Store(tmp_path / "state", "echo").close()


def test_a_post_only_order_that_the_market_has_come_to_is_cancelled(clock: ManualClock, tmp_path: Path) -> None:
    venue = open_exchange(clock, tmp_path / "state")
    order = venue.place("a", intent(BUY, "1", "105", TimeInForce.POST_ONLY))
    again = open_exchange(clock, tmp_path / "state", rate=5.0)
    found = again.find_order("a", SYMBOL, order_id=order.order_id, client_order_id=None)
    assert (found.status, found.reason) == (OrderStatus.CANCELED, "post_only")


def test_orders_of_several_accounts_keep_their_turn_at_a_price(clock: ManualClock, tmp_path: Path) -> None:
    venue = open_exchange(clock, tmp_path / "state")
    venue.place("b", intent(BUY, "1", "99"))
    clock.advance(0.001)
    venue.place("a", intent(BUY, "1", "99"))
    again = open_exchange(clock, tmp_path / "state")
    again.place("a", intent(SELL, "1", "99", self_trade="none"))
    assert again.open_orders("b", None) == []
    assert len(again.open_orders("a", None)) == 1

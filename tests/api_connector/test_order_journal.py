"""The write-ahead journal: what it keeps, for whom, and what a kill leaves of it."""

from __future__ import annotations

import os
import signal
import sqlite3
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from perpwire.api_connector import journal_store, order_journal
from perpwire.api_connector.append_log import ROOM
from perpwire.api_connector.order_journal import FOLD_S, JournalFile, OrderJournal
from perpwire.clock import ManualClock
from perpwire.errors import (
    APIError,
    BadInput,
    DuplicateOrder,
    Garbled,
    InsufficientBalance,
    NotSent,
    OutcomeUnknown,
)
from perpwire.model.order import Fill, Order, OrderRequest, OrderStatus, OrderType, Side, TimeInForce

KEY = "canary-key-5e1f"


class Timers(ManualClock):
    """A clock whose timers are run by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.due: list[tuple[float, object]] = []

    def call_later(self, seconds, callback):  # type: ignore[no-untyped-def]
        entry = (seconds, callback)
        self.due.append(entry)

        class Handle:
            def cancel(inner) -> None:
                if entry in self.due:
                    self.due.remove(entry)

        return Handle()


def request(name: str, price: str = "60000.10") -> OrderRequest:
    return OrderRequest(
        symbol="BTCUSDT", side=Side.BUY, type=OrderType.LIMIT, quantity=Decimal("0.010"), price=Decimal(price),
        client_order_id=name, time_in_force=TimeInForce.GTC,
        venue_params={"priceMatch": "QUEUE", "cap": Decimal("1.50")},
    )  # fmt: skip


def order(name: str) -> Order:
    return Order(
        venue="binance", symbol="BTCUSDT", order_id="77", client_order_id=name, side=Side.BUY, type=OrderType.LIMIT,
        status=OrderStatus.NEW, time_in_force=TimeInForce.GTC, price=Decimal("60000.1"), quantity=Decimal("0.01"),
        filled_quantity=Decimal(0), average_price=None, reduce_only=False,
    )  # fmt: skip


def fill(trade_id: str, time_ms: int) -> Fill:
    return Fill(
        venue="binance", symbol="BTCUSDT", venue_time_ms=time_ms, trade_id=trade_id, order_id="77", client_order_id="a",
        side=Side.BUY, price=Decimal(60000), quantity=Decimal("0.01"), fee=None, fee_asset="", realized_pnl=None,
        is_maker=False,
    )  # fmt: skip


def opened(path: Path, *, venue: str = "binance", key: str = KEY, clock: ManualClock | None = None) -> OrderJournal:
    return OrderJournal(JournalFile(path), venue, key, clock or Timers())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.db"


def test_an_order_is_in_the_file_before_it_is_sent_and_unsettled_until_its_outcome_is_noted(path: Path) -> None:
    first = opened(path)
    first.before_send((request("a"), request("b", "59999.90")), 1_000, 8_000)
    first.settled("BTCUSDT", "b", order("b"))
    first.close()

    later = opened(path)
    (entry,) = later.unsettled()
    assert (entry.client_order_id, entry.sent_ms, entry.certain_after_ms) == ("a", 1_000, 8_000)
    assert entry.request.price == Decimal("60000.10")
    assert str(entry.request.quantity) == "0.010"
    assert entry.request.venue_params == {"priceMatch": "QUEUE", "cap": "1.50"}
    assert [(one.client_order_id, one.outcome, one.order_id) for one in later.orders()] == [
        ("a", None, None),
        ("b", "PLACED", "77"),
    ]
    later.close()


@pytest.mark.parametrize(
    ("outcome", "kept"),
    [
        (NotSent("refused connection"), "NOT_SENT"),
        (BadInput("a word"), "NOT_SENT"),
        (InsufficientBalance("no margin", code=-2019), "REFUSED"),
        (OutcomeUnknown("lost"), None),
        (Garbled("cut short"), None),
        (DuplicateOrder("an order has this id"), None),
        (APIError("the caller gave up", code="CANCELLED"), None),
    ],
)
def test_only_what_is_certain_settles_an_order(path: Path, outcome: APIError, kept: str | None) -> None:
    journal = opened(path)
    journal.before_send((request("a"),), 1_000, 8_000)
    journal.settled("BTCUSDT", "a", outcome)
    (entry,) = journal.orders()
    assert entry.outcome == kept
    journal.settled("BTCUSDT", "a", order("a"))
    (entry,) = journal.orders()
    assert entry.outcome == (kept or "PLACED"), "what was settled once stays so"
    journal.close()


def test_an_order_that_is_sent_again_is_one_row_with_its_last_window(path: Path) -> None:
    journal = opened(path)
    journal.before_send((request("a"),), 1_000, 8_000)
    journal.before_send((request("a"),), 3_000, 10_000)
    (entry,) = journal.orders()
    assert (entry.sent_ms, entry.certain_after_ms) == (3_000, 10_000)
    journal.settled("BTCUSDT", "a", order("a"))
    journal.before_send((request("a"),), 9_000, 16_000)
    assert [one.outcome for one in journal.orders()] == ["PLACED", None], "the id was used for another order later"
    journal.close()


def test_a_process_that_is_killed_without_warning_leaves_every_intent_and_every_outcome(path: Path) -> None:
    child = os.fork()
    if child == 0:
        journal = opened(path)
        for number in range(50):
            journal.before_send((request(f"order-{number}"),), number, number + 7_000)
            if number % 2:
                journal.settled("BTCUSDT", f"order-{number}", order(f"order-{number}"))
            if number == 25:
                journal.fold()
        journal.fill_delivered(fill("9", 5))
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    journal = opened(path)
    kept = {entry.client_order_id: entry.outcome for entry in journal.orders()}
    assert set(kept) == {f"order-{number}" for number in range(50)}
    settled = [name for name, outcome in kept.items() if outcome is not None]
    assert settled == [f"order-{n}" for n in range(1, 50, 2)]
    assert journal.delivered_fills(0) == [(("BTCUSDT", "9", Side.BUY), 5)]
    journal.close()


def test_an_outcome_reaches_the_file_by_itself_a_moment_later(path: Path) -> None:
    clock = Timers()
    journal = opened(path, clock=clock)
    journal.before_send((request("a"),), 1, 2)
    journal.settled("BTCUSDT", "a", order("a"))
    ((delay_s, write),) = clock.due
    assert delay_s == FOLD_S
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT outcome FROM orders").fetchone() is None
        write()  # type: ignore[operator]
        assert other.execute("SELECT outcome FROM orders").fetchone() == ("PLACED",)
    other.close()
    journal.close()


def test_a_file_that_cannot_be_written_fails_the_order_as_not_sent_and_loses_nothing(path: Path) -> None:
    journal = opened(path)
    journal.before_send((request("a"),), 1, 2)
    journal.settled("BTCUSDT", "a", order("a"))
    file = journal._log._file
    kept, broken = os.dup(file), os.open(path, os.O_RDONLY)
    os.dup2(broken, file)  # as a full disk would
    more_than_there_is_room_for = msgspec.structs.replace(request("b"), venue_params={"text": "x" * ROOM})
    with pytest.raises(NotSent) as caught:
        journal.before_send((more_than_there_is_room_for,), 3, 4)
    assert caught.value.code == "JOURNAL"
    assert str(path) in caught.value.advice
    journal.settled("BTCUSDT", "b", caught.value)
    os.dup2(kept, file)
    os.close(kept)
    os.close(broken)
    journal.before_send((request("c"),), 5, 6)
    assert [(one.client_order_id, one.outcome) for one in journal.orders()] == [("a", "PLACED"), ("c", None)]
    journal.before_send((more_than_there_is_room_for,), 7, 8)
    assert [one.client_order_id for one in journal.unsettled()] == ["c", "b"], "with room again it is made wider"
    journal.close()


def test_orders_go_on_while_the_database_is_locked_and_are_in_it_afterwards(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Timers()
    journal = opened(path, clock=clock)
    journal._store._db.execute("PRAGMA query_only=ON")
    for number in range(order_journal.FOLD_LINES):
        journal.before_send((request(f"order-{number}"),), 1, 2)
    ((delay_s, fold),) = clock.due
    assert delay_s == 0, "so many are folded as soon as no order is on its way"
    clock.due.clear()
    fold()  # type: ignore[operator]
    assert "can't be brought up to date" in caplog.text
    for number in range(10):
        journal.before_send((request(f"later-{number}"),), 1, 2)
    assert [delay_s for delay_s, _ in clock.due] == [FOLD_S], "and tried again in a while, not at each order"
    journal._store._db.execute("PRAGMA query_only=OFF")
    assert len(list(journal.orders())) == order_journal.FOLD_LINES + 10
    journal.close()


def test_lines_that_were_folded_but_not_yet_emptied_are_folded_again_to_no_effect(path: Path) -> None:
    journal = opened(path)
    journal.before_send((request("a"), request("b")), 1, 2)
    journal.fill_delivered(fill("9", 5))
    log = journal._log.path
    lines = log.read_bytes().rstrip(b"\0")
    journal.fold()
    assert not log.read_bytes().strip(b"\0")
    journal.close()
    # Killed between the two, and then in the middle of a copy, of which any part may be there.
    log.write_bytes(lines + b'["order",4,"half a \0\0\0\0\0\0,"and the rest"]')
    later = opened(path)
    assert [entry.client_order_id for entry in later.orders()] == ["a", "b"]
    assert len(later.delivered_fills(0)) == 1
    later.before_send((request("c"),), 1, 2)
    assert [entry.client_order_id for entry in later.unsettled()] == ["a", "b", "c"]
    later.close()


def test_one_file_serves_several_venues_and_keys_and_each_sees_its_own(path: Path) -> None:
    ours, theirs, bybits = opened(path), opened(path, key="another"), opened(path, venue="bybit")
    ours.before_send((request("a"),), 1, 2)
    theirs.before_send((request("a"),), 3, 4)
    bybits.fill_delivered(fill("1", 10))
    assert [entry.sent_ms for entry in ours.orders()] == [1]
    assert [entry.sent_ms for entry in theirs.orders()] == [3]
    assert ours.delivered_fills(0) == []
    assert bybits.delivered_fills(0) == [(("BTCUSDT", "1", Side.BUY), 10)]
    for journal in (ours, theirs, bybits):
        journal.close()


def test_a_second_connector_with_the_same_key_is_told_so_and_may_have_it_afterwards(path: Path) -> None:
    first = opened(path)
    with pytest.raises(BadInput) as caught:
        opened(path)
    assert caught.value.code == "JOURNAL_IN_USE"
    first.close()
    opened(path).close()


def test_neither_key_nor_its_like_is_in_the_file_or_its_name(path: Path) -> None:
    journal = opened(path)
    journal.before_send((request("a"),), 1, 2)
    journal.close()
    for file in path.parent.iterdir():
        assert KEY not in file.name
        assert KEY.encode() not in file.read_bytes()
    assert KEY not in repr(journal)


def test_what_is_no_journal_is_refused_and_left_as_it_is(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"a letter to a friend, of more than one hundred bytes, " * 5)
    before = path.read_bytes()
    with pytest.raises(BadInput, match="can't be used"):
        opened(path)
    assert path.read_bytes() == before
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as other:
        other.execute("CREATE TABLE letters (text TEXT)")
    other.close()
    with pytest.raises(BadInput, match="no journal"):
        opened(foreign)
    with pytest.raises(BadInput, match="can't be used"):
        opened(tmp_path / "no such folder" / "orders.db")
    foreign.unlink()
    opened(foreign).close()


def test_a_journal_of_the_first_format_is_taken_up_with_all_that_is_in_it(path: Path) -> None:
    journal = opened(path)
    journal.before_send((request("a"),), 1, 2)
    journal.fills_read_until(5_000)
    journal.close()
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE account DROP COLUMN fills_begun_ms")
        database.execute("PRAGMA user_version=1")
    database.close()
    for _ in range(2):
        journal = opened(path)
        assert [entry.client_order_id for entry in journal.unsettled()] == ["a"]
        assert (journal.fills_begun_ms, journal.fills_read_ms) == (None, 5_000)
        journal.close()


def test_the_point_to_which_fills_were_read_follows_the_venues_clock_back(path: Path) -> None:
    journal = opened(path)
    assert journal.fills_read_ms is None
    for venue_ms in (5_000, 4_000):
        journal.fills_read_until(venue_ms)
        journal.close()
        journal = opened(path)
        assert journal.fills_read_ms == venue_ms
    journal.close()


def test_old_rows_go_and_unsettled_orders_and_fills_that_may_be_read_again_stay(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_store, "KEEP", 20)
    monkeypatch.setattr(journal_store, "KEEP_FILLS", 20)
    monkeypatch.setattr(journal_store, "TIDY_EVERY", 10)
    journal = opened(path)
    hour_ms = 3_600_000
    journal.fills_read_until(2 * hour_ms)
    for number in range(100):
        journal.before_send((request(f"order-{number}"),), number, number)
        if number != 3:
            journal.settled("BTCUSDT", f"order-{number}", order(f"order-{number}"))
        journal.fill_delivered(fill(str(number), hour_ms - 20 + number))
        if number % 5 == 0:
            journal.fold()
    kept = [entry.client_order_id for entry in journal.orders()]
    assert kept[0] == "order-3"
    assert 10 <= len(kept) <= 20
    monkeypatch.setattr(journal_store, "KEEP_FILLS", 1000)
    fills = [trade_id for (_, trade_id, _), _ in journal.delivered_fills(0)]
    assert fills[0] == "20", "an hour before the point and later all stay"
    assert fills[-1] == "99"
    journal.close()


def test_an_outcome_that_comes_after_the_journal_was_closed_is_let_go(path: Path) -> None:
    journal = opened(path)
    journal.before_send((request("a"),), 1, 2)
    journal.close()
    journal.settled("BTCUSDT", "a", order("a"))
    with pytest.raises(NotSent):
        journal.before_send((request("b"),), 3, 4)
    later = opened(path)
    assert [one.client_order_id for one in later.unsettled()] == ["a"]
    later.close()


def test_one_client_order_id_on_two_symbols_is_two_orders(path: Path) -> None:
    journal = opened(path)
    other = msgspec.structs.replace(request("tp"), symbol="ETHUSDT")
    journal.before_send((request("tp"),), 1, 2)
    journal.before_send((other,), 3, 4)
    journal.settled("ETHUSDT", "tp", order("tp"))
    journal.close()
    later = opened(path)
    assert [(one.request.symbol, one.outcome) for one in later.orders()] == [("BTCUSDT", None), ("ETHUSDT", "PLACED")]
    later.settled("BTCUSDT", "tp", order("tp"))
    assert later.unsettled() == ()
    later.close()

"""The journal: numbered, bounded, and without secrets."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from tests.simulator.making import exchange, intent

from perpwire.clock import ManualClock
from perpwire.model.order import Side
from perpwire.simulator.events import RecordedFrame
from perpwire.simulator.journal import Journal, mark, without_secrets


@pytest.fixture
def journal(clock: ManualClock) -> Journal:
    return Journal("echo", clock.time_ns, capacity=5)


def test_entries_are_numbered_and_those_let_go_are_counted(journal: Journal) -> None:
    for number in range(1, 9):
        journal.write("sent", b"%d" % number, connection=3, topic="t", account="a")
    assert (journal.last, journal.dropped) == (8, 3)
    assert [(entry.n, entry.text) for entry in journal.entries()] == [(n, str(n)) for n in range(4, 9)]


def test_entries_can_be_read_on_from_a_number_and_by_topic_and_kind(journal: Journal) -> None:
    journal.write("sent", b"one", topic="x")
    journal.write("sent", b"two", topic="y")
    journal.line("fault", "three")
    journal.write("sent", b"four", topic="x")
    assert [entry.text for entry in journal.entries(after=1)] == ["two", "three", "four"]
    assert [entry.text for entry in journal.entries(topic="x")] == ["one", "four"]
    assert [entry.text for entry in journal.entries(kind="sent", limit=2)] == ["one", "two"]
    assert journal.entries(after=4) == []
    for _ in range(5):
        journal.line("fault", "later")
    assert [entry.n for entry in journal.entries(after=1)] == [5, 6, 7, 8, 9]


def test_events_stand_as_they_were_when_they_happened(clock: ManualClock) -> None:
    journal = Journal("echo", clock.time_ns)
    venue = exchange(clock)
    venue.subscribe(journal.event)
    venue.place("a", intent(Side.BUY, "2", "100"))
    venue.place("b", intent(Side.SELL, "1", "100"))
    new, *_ = journal.entries(topic="OrderChanged")
    assert (new.kind, new.account, new.venue) == ("event", "a", "echo")
    told = json.loads(new.text)
    assert (told["what"], told["order"]["filled_quantity"], told["order"]["price"]) == ("new", "0", "100.00")
    (traded,) = journal.entries(topic="Traded")
    assert Decimal(json.loads(traded.text)["quantity"]) == 1


def test_a_recorded_frame_is_no_event(journal: Journal) -> None:
    journal.event(RecordedFrame(venue="binance", stream="btcusdt@trade", payload=b"{}"))
    assert journal.last == 0


@pytest.mark.parametrize(
    ("line", "written"),
    [
        (
            "POST /fapi/v1/order?symbol=BTCUSDT&timestamp=1&signature=abc123",
            "POST /fapi/v1/order?symbol=BTCUSDT&timestamp=1&signature=***",
        ),
        ("/private/ws?listenKey=q9&events=X", "/private/ws?listenKey=***&events=X"),
        ("/ws/" + "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1", "/ws/***"),
        ("GET /x?apiKey=k&api_key=k2", "GET /x?apiKey=***&api_key=***"),
    ],
)
def test_keys_and_signatures_are_blanked_out(line: str, written: str) -> None:
    assert without_secrets(line) == written


@pytest.mark.parametrize(
    ("said", "written"),
    [
        (
            '{"op":"auth","args":["key",1790000000000,"abc"],"req_id":"1"}',
            '{"op":"auth","args":["***"],"req_id":"1"}',
        ),
        (
            '{"req_id": 7, "args": ["key", "1790000000000", "abc"], "op": "auth"}',
            '{"req_id": 7, "args": ["***"], "op": "auth"}',
        ),
        ('{"op":"subscribe","args":["order"]}', '{"op":"subscribe","args":["order"]}'),
        (
            '{"id":1,"method":"order.place","params":{"apiKey":"k","symbol":"BTCUSDT","signature": "s"}}',
            '{"id":1,"method":"order.place","params":{"apiKey":"***","symbol":"BTCUSDT","signature":"***"}}',
        ),
        ("symbol=BTCUSDT&signature=abc", "symbol=BTCUSDT&signature=***"),
        ('{"method":"SUBSCRIBE","params":["' + "a1" * 32 + '"]}', '{"method":"SUBSCRIBE","params":["***"]}'),
    ],
)
def test_logins_keys_and_signatures_are_blanked_out_of_what_clients_say(
    journal: Journal, said: str, written: str
) -> None:
    journal.received(said.encode(), 3)
    (entry,) = journal.entries(kind="received")
    assert (entry.text, entry.connection) == (written, 3)


def test_a_mark_says_what_became_of_a_message_and_lost_is_the_last_word(journal: Journal) -> None:
    raw = journal.sent(b"told", 3, "t", "")
    mark(raw, "corrupted", b"tol")
    (entry,) = journal.entries()
    assert (entry.text, entry.done, entry.altered, entry.is_lost) == ("told", "corrupted", "tol", False)
    mark(raw, "lost")
    mark(raw, "late")
    (entry,) = journal.entries()
    assert (entry.done, entry.is_lost) == ("lost", True)


def test_a_listen_key_in_an_envelope_is_blanked_out(journal: Journal) -> None:
    key = "f0" * 32
    journal.sent(b'{"stream":"' + key.encode() + b'","data":{}}', 1, "ORDER_TRADE_UPDATE", "main")
    (entry,) = journal.entries()
    assert entry.text == '{"stream":"***","data":{}}'

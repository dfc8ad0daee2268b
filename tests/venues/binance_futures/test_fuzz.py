"""Whatever comes in: a decoder gives events or a refusal, or says that it can't read it; it never breaks."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from tests.sizes import size

from perpwire.errors import APIError
from perpwire.http_message import HttpReply
from perpwire.model.market import Event
from perpwire.model.order import OrderStatus
from perpwire.venues.base import Call
from perpwire.venues.binance_futures.venue import VENUE

UNREADABLE = (msgspec.DecodeError, ValueError, KeyError)

PAYLOADS: list[Any] = [
    {"e": "aggTrade", "E": 1, "s": "BTCUSDT", "a": 5, "p": "1.10", "q": "2", "f": 1, "l": 2, "T": 1, "m": True},
    {"e": "bookTicker", "u": 4, "s": "BTCUSDT", "b": "1", "B": "2", "a": "3", "A": "4", "T": 1, "E": 2},
    {"e": "depthUpdate", "E": 1, "T": 1, "s": "B", "U": 1, "u": 2, "pu": 0, "b": [["1", "2"]], "a": [["3", "0"]]},
    {"e": "markPriceUpdate", "E": 1, "s": "BTCUSDT", "p": "1", "i": "1", "P": "1", "r": "", "T": 0},
    {"e": "ACCOUNT_UPDATE", "T": 1, "E": 1, "a": {"B": [{"a": "USDT", "wb": "1"}], "P": [{"s": "B", "pa": "1"}]}},
    {
        "e": "ORDER_TRADE_UPDATE",
        "o": {"s": "B", "S": "BUY", "o": "LIMIT", "q": "1", "x": "TRADE", "X": "NEW", "i": 1, "l": "1", "L": "2"},
    },
    {"result": None, "id": 1},
]
NAMES = ["btcusdt@aggTrade", "btcusdt@bookTicker", "btcusdt@depth@100ms", "btcusdt@markPrice@1s", "KEY", "x@depth5"]

values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=6)
    | st.lists(st.text(), max_size=2)
)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """A frame with a field changed or missing, then perhaps bytes cut off or altered."""
    payload = json.loads(json.dumps(draw(st.sampled_from(PAYLOADS))))
    inner = payload.get("o", payload) if isinstance(payload.get("o"), dict) else payload
    name = draw(st.sampled_from(sorted(inner)))
    if draw(st.booleans()):
        inner[name] = draw(values)
    else:
        del inner[name]
    content = {"stream": draw(st.sampled_from(NAMES)), "data": payload} if draw(st.booleans()) else payload
    frame = bytearray(json.dumps(content, separators=(",", ":")).encode())
    if draw(st.booleans()) and frame:
        frame[draw(st.integers(0, len(frame) - 1))] = draw(st.integers(0, 255))
    return bytes(frame[: draw(st.integers(len(frame) // 2, len(frame)))] if draw(st.booleans()) else frame)


@pytest.mark.slow
@settings(max_examples=size(100, 50), deadline=None)
@given(frames() | st.binary(max_size=40))
def test_a_damaged_frame_is_read_or_refused_and_leaves_the_session_working(frame: bytes) -> None:
    session = VENUE.session("market")
    try:
        events = session.on_frame(frame, 1)
        if events is None:
            session.on_control(frame)
        else:
            assert all(isinstance(event, Event) for event in events)
    except UNREADABLE:
        pass
    good = json.dumps({"stream": NAMES[0], "data": PAYLOADS[0]}, separators=(",", ":")).encode()
    assert len(session.on_frame(good, 1) or ()) == 1


CALLS: list[Call[Any]] = [
    VENUE.server_time(),
    VENUE.instruments(),
    VENUE.account(),
    VENUE.positions(None),
    VENUE.get_order("BTCUSDT", "1", None),
    VENUE.cancel_order("BTCUSDT", "1", None),
    VENUE.open_orders(None),
    VENUE.book_snapshot("BTCUSDT", 5),
    VENUE.instruments_completed(()),
    VENUE.account_settings(),
]
BODIES = [
    b'{"serverTime":1}',
    b'{"code":-2019,"msg":"Margin is insufficient."}',
    b'{"orderId":1,"symbol":"B","status":"NEW","side":"BUY","type":"LIMIT","origQty":"1","price":"x"}',
    b'{"orderId":1,"symbol":"B","status":"ODD","side":"BUY","type":"LIMIT","origQty":"1"}',
    b'[{"symbol":"B","positionAmt":"1"}]',
    b'{"lastUpdateId":1,"bids":[["1","2"]],"asks":[["x",""]]}',
    b"<html>Bad Gateway</html>",
    b"",
    b"[" * 100_000,
]


@pytest.mark.slow
@settings(max_examples=size(200, 100), deadline=None)
@given(
    st.sampled_from(CALLS),
    st.sampled_from([200, 200, 400, 401, 403, 404, 408, 418, 429, 451, 500, 502, 503, 504]),
    st.sampled_from(BODIES) | st.binary(max_size=40),
    st.integers(0, 60),
)
def test_a_damaged_answer_is_an_error_of_ours(call: Call[Any], status: int, body: bytes, cut: int) -> None:
    reply = HttpReply(status=status, headers={"retry-after": "soon", "date": "never"}, body=body[: len(body) - cut])
    caught: APIError | None = None
    try:
        call.translate(VENUE.decode(call.endpoint, reply))
    except APIError as error:
        caught = error
    if caught is not None:
        assert caught.venue == "binance"
        assert str(caught)


def test_a_state_that_nobody_knows_is_unknown_in_a_reply_and_its_word_is_kept() -> None:
    call = CALLS[4]
    order = call.translate(VENUE.decode(call.endpoint, HttpReply(status=200, headers={}, body=BODIES[3])))
    assert (order.status, order.status.is_final) == (OrderStatus.UNKNOWN, False)
    assert order.unknown_words == ("status ODD",)

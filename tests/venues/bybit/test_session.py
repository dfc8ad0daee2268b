"""One stream's conversation, frame by frame."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perpwire.credentials import Credentials
from perpwire.errors import StreamRefused
from perpwire.venues.base import Control
from perpwire.venues.bybit.session import BybitSession
from perpwire.venues.bybit.signing import sign_login
from perpwire.venues.bybit.venue import VENUE


def session(route: str = "public") -> BybitSession:
    made = VENUE.session(route)
    assert isinstance(made, BybitSession)
    return made


def test_the_private_stream_logs_in_with_an_expiry_ten_seconds_ahead() -> None:
    private = session("private")
    assert private.needs_login
    frame = private.login(Credentials("key", "secret"), 1790000000000)
    assert frame is not None
    assert json.loads(frame) == {
        "op": "auth",
        "args": ["key", 1790000010000, sign_login(Credentials("key", "secret"), 1790000010000)],
    }
    assert not session().needs_login
    assert session().login(Credentials("key", "secret"), 0) is None


def test_public_topics_share_a_request_and_private_ones_have_one_each() -> None:
    assert session().subscribe(["publicTrade.BTCUSDT", "tickers.BTCUSDT"]) == [
        b'{"op":"subscribe","args":["publicTrade.BTCUSDT","tickers.BTCUSDT"],"req_id":"1"}'
    ]
    assert session("private").subscribe(["order.linear", "wallet"]) == [
        b'{"op":"subscribe","args":["order.linear"],"req_id":"1"}',
        b'{"op":"subscribe","args":["wallet"],"req_id":"2"}',
    ]
    many = session().subscribe([f"publicTrade.S{number}USDT" for number in range(420)])
    assert len(many) == 3


def test_answers_are_matched_by_their_request_in_any_order() -> None:
    public = session()
    public.subscribe(["publicTrade.BTCUSDT"])
    public.subscribe(["tickers.NOPE"])
    no = b'{"success":false,"ret_msg":"error:handler not found,topic:tickers.NOPE","req_id":"2","op":"subscribe"}'
    assert public.on_frame(no, 0) is None
    assert public.on_control(no) == Control("refused", ("tickers.NOPE",), "error:handler not found,topic:tickers.NOPE")
    yes = b'{"success":true,"ret_msg":"","conn_id":"c","req_id":"1","op":"subscribe"}'
    assert public.on_control(yes) == Control("subscribed", ("publicTrade.BTCUSDT",))


def test_the_topic_that_a_refusal_names_is_refused_and_the_others_are_to_be_asked_for_again() -> None:
    public = session()
    public.subscribe(["tickers.A", "tickers.NOPE", "tickers.B"])
    no = b'{"success":false,"ret_msg":"error:handler not found,topic:tickers.NOPE","req_id":"1","op":"subscribe"}'
    control = public.on_control(no)
    assert (control.kind, control.topics, control.again) == ("refused", ("tickers.NOPE",), ("tickers.A", "tickers.B"))
    public.subscribe(["tickers.A", "tickers.B"])
    no = b'{"success":false,"ret_msg":"error:something else","req_id":"2","op":"subscribe"}'
    control = public.on_control(no)
    assert (control.kind, control.topics, control.again) == ("refused", ("tickers.A", "tickers.B"), ())


def test_a_topic_that_is_subscribed_already_counts_as_subscribed() -> None:
    public = session()
    public.subscribe(["tickers.BTCUSDT"])
    frame = (
        b'{"success":false,"ret_msg":"error:already subscribed,topic:tickers.BTCUSDT","req_id":"1","op":"subscribe"}'
    )
    control = public.on_control(frame)
    assert (control.kind, control.topics) == ("subscribed", ("tickers.BTCUSDT",))


def test_unsubscribing_is_answered_too() -> None:
    public = session()
    public.subscribe(["tickers.BTCUSDT"])
    assert public.unsubscribe(["tickers.BTCUSDT"]) == [b'{"op":"unsubscribe","args":["tickers.BTCUSDT"],"req_id":"2"}']
    control = public.on_control(b'{"success":true,"ret_msg":"","req_id":"2","op":"unsubscribe"}')
    assert control == Control("unsubscribed", ("tickers.BTCUSDT",))


@pytest.mark.parametrize(
    "frame",
    [
        b'{"success":true,"ret_msg":"pong","conn_id":"c","req_id":"","op":"ping"}',
        b'{"req_id":"x","op":"pong","args":["1790000000000"],"conn_id":"c"}',
        b'{"retCode":0,"retMsg":"OK","op":"pong","data":["1790000000000"],"connId":"c"}',
    ],
    ids=["public", "private", "trade"],
)
def test_each_channels_pong_is_known(frame: bytes) -> None:
    assert session().on_frame(frame, 0) is None
    assert session().on_control(frame).kind == "pong"
    assert session().ping() == b'{"op":"ping"}'


@pytest.mark.parametrize(
    ("frame", "kind", "text"),
    [
        (b'{"success":true,"ret_msg":"","op":"auth","conn_id":"c"}', "logged_in", ""),
        (b'{"success":false,"ret_msg":"error sign","op":"auth","conn_id":"c"}', "login_refused", "error sign"),
        (b'{"retCode":0,"retMsg":"OK","op":"auth","connId":"c"}', "logged_in", "OK"),
        (b'{"retCode":20001,"retMsg":"Repeat auth","op":"auth","connId":"c"}', "logged_in", "Repeat auth"),
        (b'{"retCode":10004,"op":"auth"}', "login_refused", ""),
        (b'{"op":"something","req_id":"9"}', "other", ""),
        (b"{}", "other", ""),
    ],
)
def test_logins_and_strangers(frame: bytes, kind: str, text: str) -> None:
    private = session("private")
    assert private.on_frame(frame, 0) is None
    control = private.on_control(frame)
    assert (control.kind, control.text) == (kind, text)


def test_topics_beyond_what_one_connection_takes_are_refused_until_others_are_given_back() -> None:
    public = session()
    many = [f"publicTrade.COIN{n:04}USDT" for n in range(900)]
    with pytest.raises(StreamRefused, match="21000 characters"):
        public.subscribe(many)
    public.subscribe(many[:770])
    with pytest.raises(StreamRefused):
        public.subscribe(many[770:])
    public.unsubscribe(many[:130])
    public.subscribe(many[770:])


@pytest.mark.fixtures
def test_recorded_control_frames_are_read(fixtures: Path) -> None:
    def control(name: str, route: str = "private") -> Control:
        frame = (fixtures / "bybit" / name).read_bytes()
        made = session(route)
        assert made.on_frame(frame, 0) is None
        return made.on_control(frame)

    assert control("ws/op_auth.json").kind == "logged_in"
    assert control("error/op_auth.json") == Control("login_refused", text="Invalid apikey", code=10003)
    assert control("ws/op_pong.json").kind == "pong"
    assert control("ws/op_subscribe.json").kind == "subscribed"
    assert control("error/op_subscribe.json") == Control("refused", text="Invalid topic: invalid.topic.BTCUSDT")

from __future__ import annotations

import json

import pytest

from perpwire.credentials import Credentials
from perpwire.venues.base import Control
from perpwire.venues.binance_futures.venue import VENUE

NAMES = ("btcusdt@aggTrade", "ethusdt@aggTrade")


def test_subscriptions_are_asked_for_and_the_reply_names_them() -> None:
    session = VENUE.session("market")
    (frame,) = session.subscribe(NAMES)
    assert json.loads(frame) == {"method": "SUBSCRIBE", "params": list(NAMES), "id": 1}
    reply = b'{"result":null,"id":1}'
    assert session.on_frame(reply, 1) is None
    assert session.on_control(reply) == Control("subscribed", NAMES)
    (frame,) = session.unsubscribe(NAMES[:1])
    assert json.loads(frame) == {"method": "UNSUBSCRIBE", "params": list(NAMES[:1]), "id": 2}
    assert session.on_control(b'{"id": 2, "result": null}') == Control("unsubscribed", NAMES[:1])


def test_a_frame_carries_at_most_200_names() -> None:
    session = VENUE.session("market")
    names = [f"s{index}usdt@aggTrade" for index in range(450)]
    frames = [json.loads(frame) for frame in session.subscribe(names)]
    assert [len(frame["params"]) for frame in frames] == [200, 200, 50]
    assert [frame["id"] for frame in frames] == [1, 2, 3]
    assert [name for frame in frames for name in frame["params"]] == names
    assert session.on_control(b'{"result":null,"id":3}').topics == tuple(names[400:])
    assert session.subscribe([]) == []


@pytest.mark.parametrize(
    "reply",
    [
        b'{"error":{"code":2,"msg":"Invalid request: too many parameters"},"id":1}',
        b'{"code":2,"msg":"Invalid request: too many parameters","id":1}',
        b'{"code":2,"msg":"Invalid request: too many parameters"}',
        b'{"id":null,"error":{"code":2,"msg":"Invalid request: too many parameters"}}',
    ],
)
def test_a_refusal_names_the_topics_in_every_form_it_comes_in(reply: bytes) -> None:
    session = VENUE.session("market")
    session.subscribe(NAMES)
    session.subscribe(["solusdt@aggTrade"])
    assert session.on_frame(reply, 1) is None
    control = session.on_control(reply)
    assert control == Control("refused", NAMES, "Invalid request: too many parameters [2]")


def test_an_answer_to_nothing_is_of_no_consequence() -> None:
    session = VENUE.session("market")
    assert session.on_control(b'{"result":["btcusdt@aggTrade"],"id":99}') == Control("other")
    assert session.on_control(b'{"error":{"code":3,"msg":"Invalid JSON"}}').topics == ()


@pytest.mark.parametrize(
    "frame",
    [
        b'{"e":"listenKeyExpired","E":1790000000000,"listenKey":"KEY"}',
        b'{"stream":"KEY","data":{"e":"listenKeyExpired","E":1790000000000,"listenKey":"KEY"}}',
        b'{ "listenKey": "KEY", "E": 1790000000000, "e": "listenKeyExpired" }',
    ],
)
def test_an_expired_listen_key_is_noticed(frame: bytes) -> None:
    session = VENUE.session("private")
    assert session.on_frame(frame, 1) is None
    assert session.on_control(frame).kind == "token_expired"


def test_there_is_no_login_and_no_text_ping() -> None:
    session = VENUE.session("private")
    assert not session.needs_login
    assert session.login(Credentials("k", "s"), 0) is None
    assert session.ping() is None
    assert VENUE.private_topics() == ()


def test_sessions_share_nothing() -> None:
    first, second = VENUE.session("market"), VENUE.session("market")
    first.subscribe(NAMES)
    assert second.on_control(b'{"result":null,"id":1}') == Control("other")

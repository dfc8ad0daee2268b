"""What is said over the sockets besides their topics: logins, subscriptions, pings, and calls of the trade socket.

Client and simulator share these structs; see wire.py. Source: docs/v5/ws/connect and docs/v5/websocket/trade/guideline,
as of 2026-07-24, and frames seen up to 2026-10.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from perpwire.venues.bybit.wire import Text


class Command(msgspec.Struct, omit_defaults=True):
    """What a client sends on a stream: op auth, subscribe, unsubscribe or ping."""

    op: str = ""
    args: Any = None
    req_id: Any = None


class ControlReply(msgspec.Struct):
    """Any frame without a topic. The trade socket, and older private ones, spell its parts retCode and retMsg."""

    op: Text = ""
    topic: Text = None
    success: bool | None = None
    ret_msg: Text = None
    retCode: int | None = None
    retMsg: Text = None
    req_id: Any = None


class PublicAck(msgspec.Struct):
    """What the venue answers on a public stream; also to a ping, with ret_msg "pong"."""

    success: bool
    ret_msg: str
    conn_id: str
    req_id: Any
    op: str


class SpotAck(msgspec.Struct, kw_only=True):
    """The same on a spot stream: a subscription's ret_msg is "subscribe", and req_id is absent where none was sent."""

    success: bool
    ret_msg: str
    conn_id: str
    req_id: Any = UNSET
    op: str


class TopicLists(msgspec.Struct):
    failTopics: list[str]
    successTopics: list[str]


class OptionAck(msgspec.Struct):
    """What an option or spread stream answers to subscribe and unsubscribe."""

    success: bool
    conn_id: str
    data: TopicLists
    type: str = "COMMAND_RESP"


class OptionPong(msgspec.Struct):
    args: list[str]
    op: str = "pong"


class PrivateAck(msgspec.Struct, kw_only=True):
    """What the venue answers to auth and subscribe on a private stream; req_id is absent where none was sent."""

    req_id: Any = UNSET
    success: bool
    ret_msg: str
    op: str
    conn_id: str


class PrivatePong(msgspec.Struct, kw_only=True):
    req_id: Any = UNSET
    op: str = "pong"
    args: list[str]
    conn_id: str


class TradeAck(msgspec.Struct, kw_only=True):
    """What the trade socket answers to auth; reqId is absent where none was sent."""

    reqId: Any = UNSET
    retCode: int
    retMsg: str
    op: str
    connId: str


class TradePong(msgspec.Struct, kw_only=True):
    reqId: Any = UNSET
    retCode: int = 0
    retMsg: str = "OK"
    op: str = "pong"
    data: list[str]
    connId: str


class TradeReply(msgspec.Struct, kw_only=True):
    """What the trade socket answers to an order call. `data` is what REST calls the result; the header's values are
    texts."""

    reqId: Any = UNSET
    retCode: int
    retMsg: str
    op: str
    data: Any
    retExtInfo: Any
    header: dict[str, str]
    connId: str

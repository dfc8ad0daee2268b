"""The simulator's trade socket: logins, order calls with REST's answers, ids, limits, and a restarting service."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from perpwire.credentials import Credentials
from perpwire.venues.bybit.signing import sign_login
from perpwire.venues.bybit.sim import trade_socket
from perpwire.venues.bybit.sim.dialect import BybitDialect

from .desk import KEYS, Desk, FakePeer, at_desk, moment

ORDER = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.010",
    "price": "63000",
}


class Trade:
    """A trade socket from the client's side."""

    _numbers = count(1)

    def __init__(self, desk: Desk, *, log_in: bool = True) -> None:
        self.desk = desk
        self.peer = FakePeer()
        self.server = desk.dialect.open_socket("/v5/trade", "", self.peer)
        if log_in:
            assert self.log_in()["retCode"] == 0

    def say(self, **command: Any) -> Any:
        before = len(self.peer.frames)
        self.server.on_text(json.dumps(command).encode())
        assert len(self.peer.frames) == before + 1
        return json.loads(self.peer.frames[before][1])

    def log_in(self, key: str = KEYS.api_key, secret: str = "sim-secret", ahead_ms: int = 1000, **more: Any) -> Any:
        expires = self.desk.exchange.now_ms() + ahead_ms
        return self.say(op="auth", args=[key, expires, sign_login(Credentials(key, secret), expires)], **more)

    def header(self) -> dict[str, Any]:
        return {"X-BAPI-TIMESTAMP": str(self.desk.exchange.now_ms()), "X-BAPI-RECV-WINDOW": "5000"}

    def call(self, name: Any, asked: Any, **more: Any) -> Any:
        command = {"reqId": f"r{next(self._numbers)}", "header": self.header(), "op": name, "args": [asked], **more}
        return self.say(**command)


@at_desk
async def test_a_login_and_a_ping_are_answered_to_the_letter(desk: Desk) -> None:
    trade = Trade(desk, log_in=False)
    answer = trade.log_in()
    assert list(answer) == ["retCode", "retMsg", "op", "connId"]
    assert (answer["retCode"], answer["retMsg"], answer["op"]) == (0, "OK", "auth")
    pong = trade.say(op="ping")
    assert list(pong) == ["retCode", "retMsg", "op", "data", "connId"]
    assert (pong["op"], pong["data"]) == ("pong", [str(desk.exchange.now_ms())])
    assert next(iter(trade.say(op="ping", reqId="p"))) == "reqId"


@pytest.mark.parametrize(
    ("code", "login"),
    [
        (10003, {"key": "nobody"}),
        (10004, {"secret": "wrong"}),
        (10001, {"ahead_ms": 0}),
        (10001, {"ahead_ms": -5}),
    ],
)
def test_a_login_that_is_not_right_has_a_code(code: int, login: dict[str, Any]) -> None:
    async def trial(desk: Desk) -> None:
        trade = Trade(desk, log_in=False)
        answer = trade.log_in(reqId="a", **login)
        assert (answer["reqId"], answer["retCode"], answer["op"]) == ("a", code, "auth")
        assert trade.log_in()["retCode"] == 0  # it may be tried again
        assert trade.log_in()["retCode"] == 20001

    at_desk(trial)()


@at_desk
async def test_arguments_of_a_login_that_are_none_are_refused(desk: Desk) -> None:
    trade = Trade(desk, log_in=False)
    wrong: tuple[Any, ...] = (
        None,
        [],
        ["k", 1],
        "k",
        [1, 2, 3],
        ["sim-key", True, "x"],
        ["sim-key", 1.5, "x"],
        [[], 1],
    )
    for args in wrong:
        assert trade.say(op="auth", args=args)["retCode"] == 10001


@at_desk
async def test_an_order_from_creation_to_its_end(desk: Desk) -> None:
    trade = Trade(desk)
    stream = desk.private("order")
    created = trade.call("order.create", {**ORDER, "orderLinkId": "mine"}, reqId="one")
    assert list(created) == ["reqId", "retCode", "retMsg", "op", "data", "retExtInfo", "header", "connId"]
    assert (created["reqId"], created["retCode"], created["retMsg"], created["op"]) == ("one", 0, "OK", "order.create")
    assert created["retExtInfo"] == {}
    assert list(created["header"]) == [
        *("X-Bapi-Limit", "X-Bapi-Limit-Status", "X-Bapi-Limit-Reset-Timestamp", "Traceid", "Timenow"),
    ]
    assert all(isinstance(value, str) for value in created["header"].values())
    assert (created["header"]["X-Bapi-Limit"], created["header"]["X-Bapi-Limit-Status"]) == ("10", "9")
    order_id = created["data"]["orderId"]
    assert created["data"] == {"orderId": order_id, "orderLinkId": "mine"}
    await moment()
    named = {"category": "linear", "symbol": "BTCUSDT", "orderId": order_id}
    assert trade.call("order.amend", {**named, "price": "62000"})["data"]["orderId"] == order_id
    await moment()
    assert trade.call("order.cancel", named)["retCode"] == 0
    await moment()
    rows = [frame["data"][0] for frame in stream.peer.read("order")]
    assert [(row["orderStatus"], row["price"]) for row in rows] == [
        ("New", "63000"),
        ("New", "62000"),
        ("Cancelled", "62000"),
    ]
    gone = trade.call("order.cancel", named)
    assert (gone["retCode"], gone["data"]) == (110001, {})
    assert "X-Bapi-Limit" in gone["header"]


@at_desk
async def test_a_batch_says_how_each_item_fared(desk: Desk) -> None:
    trade = Trade(desk)
    answer = trade.call("order.create-batch", {"category": "linear", "request": [ORDER, {**ORDER, "qty": "0"}]})
    assert (answer["retCode"], answer["op"]) == (0, "order.create-batch")
    good, bad = answer["data"]["list"]
    assert good["orderId"]
    assert (bad["orderId"], bad["createAt"]) == ("", "")
    codes = [row["code"] for row in answer["retExtInfo"]["list"]]
    assert codes[0] == 0
    assert codes[1] != 0
    assert answer["header"]["X-Bapi-Limit-Status"] == "8"
    await moment()
    cancel = {"category": "linear", "request": [{"symbol": "BTCUSDT", "orderId": good["orderId"]}]}
    assert trade.call("order.cancel-batch", cancel)["retExtInfo"]["list"] == [{"code": 0, "msg": "OK"}]


@at_desk
async def test_units_are_shared_with_rest(desk: Desk) -> None:
    trade = Trade(desk)
    for number in range(10):
        if number % 2:
            assert desk.create()["retCode"] == 0
        else:
            assert trade.call("order.create", ORDER)["retCode"] == 0
    refused = trade.call("order.create", ORDER)
    assert (refused["retCode"], refused["header"]["X-Bapi-Limit-Status"]) == (10006, "0")
    assert desk.create()["retCode"] == 10006


@at_desk
async def test_an_id_is_used_once_on_a_connection(desk: Desk) -> None:
    trade = Trade(desk)
    assert trade.call("order.create", ORDER, reqId="same")["retCode"] == 0
    again = trade.call("order.create", ORDER, reqId="same")
    assert (again["reqId"], again["retCode"], again["retMsg"]) == ("same", 20006, "Duplicate reqId")
    assert Trade(desk).call("order.create", ORDER, reqId="same")["retCode"] == 0
    assert trade.call("order.create", ORDER, reqId="x" * 37)["retCode"] == 10001
    await moment()
    assert len(desk.exchange.open_orders("main", None)) == 2
    without = {"op": "order.create", "header": trade.header(), "args": [ORDER]}
    for _ in range(2):  # no id, no duplicate
        answer = trade.say(**without)
        assert answer["retCode"] == 0
        assert "reqId" not in answer


@pytest.mark.parametrize(
    ("shift_ms", "window", "code"),
    [(0, None, 0), (-5000, None, 0), (-5001, None, 10002), (999, None, 0), (1000, None, 10002), (-9000, "10000", 0)],
)
def test_the_time_of_a_call_must_be_fresh(shift_ms: int, window: str | None, code: int) -> None:
    async def trial(desk: Desk) -> None:
        trade = Trade(desk)
        stamp = desk.exchange.now_ms() + shift_ms
        for written in (str(stamp), stamp):  # clients write both
            header: dict[str, Any] = {"X-BAPI-TIMESTAMP": written}
            if window is not None:
                header["X-BAPI-RECV-WINDOW"] = window
            assert trade.call("order.create", ORDER, header=header)["retCode"] == code

    at_desk(trial)()


@at_desk
async def test_what_is_no_call_has_a_code(desk: Desk) -> None:
    trade = Trade(desk)
    headers: tuple[Any, ...] = (None, {}, [], "x", {"X-BAPI-TIMESTAMP": None}, {"X-BAPI-TIMESTAMP": []})
    for header in headers:
        assert trade.call("order.create", ORDER, header=header)["retCode"] == 10002
    wrong: tuple[Any, ...] = (None, [], {}, [ORDER, ORDER], ["x"], [[]], "x")
    for args in wrong:
        assert trade.call("order.create", ORDER, args=args)["retCode"] == 10001
    for op in ("order.list", "order", "", "subscribe", None, 1, "order.create "):
        assert trade.call(op, ORDER)["retCode"] == 10404
    assert trade.call("order.create", {**ORDER, "category": "spot"})["retCode"] == 10404
    assert trade.call("order.create", {**ORDER, "category": "x"})["retCode"] == 10001


@at_desk
async def test_nothing_is_called_before_the_login(desk: Desk) -> None:
    trade = Trade(desk, log_in=False)
    assert trade.call("order.create", ORDER)["retCode"] == 10007
    await moment()
    assert desk.exchange.open_orders("main", None) == []


def test_an_address_and_a_session_have_so_many_calls_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trade_socket.ADDRESS_CALLS_A_SECOND == 3000
    monkeypatch.setattr(trade_socket, "ADDRESS_CALLS_A_SECOND", 6)
    monkeypatch.setattr(trade_socket, "SESSION_CALLS_A_SECOND", 4)

    async def trial(desk: Desk) -> None:
        first, second = Trade(desk), Trade(desk)
        codes = [first.call("order.create", ORDER)["retCode"] for _ in range(5)]
        assert codes == [0, 0, 0, 0, 20003]
        assert [second.call("order.create", ORDER)["retCode"] for _ in range(2)] == [0, 10403]
        await moment(1.1)
        assert first.call("order.create", ORDER)["retCode"] == 0

    at_desk(trial)()


def test_an_account_has_so_many_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trade_socket, "SESSIONS_OF_AN_ACCOUNT", 2)

    async def trial(desk: Desk) -> None:
        first, _ = Trade(desk), Trade(desk)
        third = Trade(desk, log_in=False)
        assert third.log_in()["retCode"] == 10003
        first.server.on_closed()
        assert third.log_in()["retCode"] == 0

    at_desk(trial)()


@at_desk
async def test_a_restarting_service_refuses_on_old_connections_only(desk: Desk) -> None:
    assert isinstance(desk.dialect, BybitDialect)
    old = Trade(desk)
    desk.dialect.restart_trade(5)
    assert old.call("order.create", ORDER)["retCode"] == 10019
    assert Trade(desk).call("order.create", ORDER)["retCode"] == 0
    await moment(5.1)
    assert old.call("order.create", ORDER)["retCode"] == 0


@at_desk
async def test_calls_can_be_refused_on_order(desk: Desk) -> None:
    assert isinstance(desk.dialect, BybitDialect)
    trade = Trade(desk)
    desk.dialect.refuse_trade(10016, "Server error", 2)
    codes = [trade.call("order.create", ORDER)["retCode"] for _ in range(3)]
    assert codes == [10016, 10016, 0]
    await moment()
    assert len(desk.exchange.open_orders("main", None)) == 1

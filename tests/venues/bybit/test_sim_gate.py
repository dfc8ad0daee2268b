"""Keys, signatures, time stamps and rate limits of the simulator."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from perpwire.credentials import Credentials
from perpwire.simulator.dialect import IncomingRequest
from perpwire.venues.bybit.signing import sign_request

from .desk import KEYS, Desk, at_desk

QUERY = "category=linear&symbol=BTCUSDT"
PATH = "/v5/position/list"


def answer(desk: Desk, **more: Any) -> tuple[int, str]:
    reply = desk.send("GET", PATH, QUERY, **more)
    body = json.loads(reply.body)
    return body["retCode"], body["retMsg"]


@at_desk
async def test_a_wrong_signature_is_answered_with_the_text_that_was_signed(desk: Desk) -> None:
    now_ms = desk.exchange.now_ms()
    code, words = answer(desk, headers={"x-bapi-sign": "0" * 64})
    assert (code, words) == (10004, f"error sign! origin_string[{now_ms}{KEYS.api_key}5000{QUERY}]")
    assert answer(desk, keys=Credentials("sim-key", "another secret"))[0] == 10004


@at_desk
async def test_an_unknown_key_is_named_so(desk: Desk) -> None:
    assert answer(desk, keys=Credentials("stranger", "x")) == (10003, "API key is invalid.")


@at_desk
async def test_the_signature_covers_the_body_as_it_was_sent(desk: Desk) -> None:
    spaced = '{"category": "linear", "symbol": "BTCUSDT", "buyLeverage": "20", "sellLeverage": "20"}'
    assert json.loads(desk.send("POST", "/v5/position/set-leverage", spaced).body)["retCode"] == 0


@pytest.mark.parametrize(
    ("ahead_ms", "window", "code"),
    [
        (0, "5000", 0),
        (-5000, "5000", 0),
        (-5001, "5000", 10002),
        (-8000, "10000", 0),
        (999, "5000", 0),
        (1000, "5000", 10002),
        (1000, "60000", 10002),  # the window does not widen the future side
        (-4000, "", 0),  # without a header the window is five seconds
        (-5001, "", 10002),
        (0, "five", 10002),
    ],
)
def test_a_time_stamp_may_be_old_by_the_window_and_new_by_less_than_a_second(
    ahead_ms: int, window: str, code: int
) -> None:
    async def trial(desk: Desk) -> None:
        now_ms = desk.exchange.now_ms()
        stamp = now_ms + ahead_ms
        headers = {
            "x-bapi-api-key": KEYS.api_key,
            "x-bapi-timestamp": str(stamp),
            "x-bapi-sign": sign_request(KEYS, stamp, window, QUERY),
        }
        if window:
            headers["x-bapi-recv-window"] = window
        got, words = answer(desk, keys=None, headers=headers)
        assert got == code
        if code:
            shown = window or "5000"
            assert f"req_timestamp[{stamp}],server_timestamp[{now_ms}],recv_window[{shown}]" in words

    at_desk(trial)()


@pytest.mark.parametrize("name", ["x-bapi-timestamp", "x-bapi-recv-window"])
@pytest.mark.parametrize("sent", [b"\xff\xfe", b"5000\xff", "é".encode(), "²".encode(), "٥٠٠٠".encode()])
def test_a_time_header_that_is_not_ascii_is_refused_in_printable_words(name: str, sent: bytes) -> None:
    foreign = sent.decode(errors="surrogateescape")  # as the server reads it

    async def trial(desk: Desk) -> None:
        code, words = answer(desk, headers={name: foreign})
        assert code == 10002
        assert words.isascii()
        assert words.isprintable()
        assert foreign.encode("ascii", "backslashreplace").decode() in words
        assert answer(desk)[0] == 0

    at_desk(trial)()


@at_desk
async def test_numbers_in_other_scripts_are_no_numbers(desk: Desk) -> None:
    now_ms = desk.exchange.now_ms()
    arabic = str(now_ms).translate({ord("0") + digit: 0x660 + digit for digit in range(10)})
    headers = {
        "x-bapi-timestamp": arabic,
        "x-bapi-sign": sign_request(KEYS, arabic, "5000", QUERY),
    }
    assert answer(desk, headers=headers)[0] == 10002  # the signature is right, the time stamp is none
    reply = desk.get("/v5/market/recent-trade", category="linear", symbol="BTCUSDT", limit="%D9%A5")
    assert (reply["retCode"], reply["retMsg"]) == (10001, "params error: limit invalid")


@at_desk
async def test_headers_tell_what_is_left_and_the_eleventh_in_a_second_is_refused(desk: Desk) -> None:
    def create() -> tuple[int, dict[str, str]]:
        reply = desk.send("POST", "/v5/order/create", "{}")
        return json.loads(reply.body)["retCode"], dict(reply.headers)

    for used in range(1, 11):
        code, headers = create()
        assert code == 10001  # refused for its parameters, but counted
        assert (headers["x-bapi-limit"], headers["x-bapi-limit-status"]) == ("10", str(10 - used))
        await asyncio.sleep(0.01)
    code, headers = create()
    now_ms = desk.exchange.now_ms()
    assert code == 10006
    assert headers["x-bapi-limit-status"] == "0"
    reset_ms = int(headers["x-bapi-limit-reset-timestamp"])
    assert 0 < reset_ms - now_ms <= 900
    # Another call has its own window, and so does another account.
    assert answer(desk)[0] == 0
    await asyncio.sleep((reset_ms - now_ms) / 1000)
    assert create()[0] == 10001
    assert create()[0] == 10006  # only the first of the ten has left the window


@at_desk
async def test_public_calls_have_no_account_limit(desk: Desk) -> None:
    reply = desk.send("GET", "/v5/market/time", keys=None)
    assert "x-bapi-limit" not in reply.headers
    assert reply.headers["timenow"] == str(desk.exchange.now_ms())


@at_desk
async def test_an_address_that_asks_too_often_is_banned_for_ten_minutes(desk: Desk) -> None:
    def status(address: str = "127.0.0.1") -> int:
        return desk.send("GET", "/v5/market/time", keys=None, address=address).status

    assert {status() for _ in range(600)} == {200}
    refusal = desk.send("GET", "/v5/market/time", keys=None)
    assert (refusal.status, b"access too frequent" in refusal.body) == (403, True)
    assert status("127.0.0.2") == 200
    await asyncio.sleep(599)
    assert status() == 403
    await asyncio.sleep(1.1)
    assert {status() for _ in range(600)} == {200}
    assert status() == 403  # once more within a day: it lasts twice as long
    await asyncio.sleep(1199)
    assert status() == 403
    await asyncio.sleep(1.1)
    assert status() == 200
    await asyncio.sleep(25 * 3600)
    assert {status() for _ in range(600)} == {200}
    assert status() == 403
    await asyncio.sleep(600.1)
    assert status() == 200


@at_desk
async def test_a_get_with_a_body_is_refused_by_the_edge(desk: Desk) -> None:
    request = IncomingRequest(method="GET", path="/v5/market/time", query="", headers={}, body=b"{}")
    assert desk.dialect.http(request).status == 403


@at_desk
async def test_a_clock_that_was_stepped_changes_judgement_but_not_the_windows(desk: Desk) -> None:
    assert answer(desk)[0] == 0
    stamp_ms = desk.exchange.now_ms()
    signature = sign_request(KEYS, stamp_ms, 5000, QUERY)
    desk.clock.jump_wall(30)
    headers = {"x-bapi-timestamp": str(stamp_ms), "x-bapi-sign": signature}
    assert answer(desk, headers=headers)[0] == 10002
    reply = desk.send("GET", PATH, QUERY)
    assert reply.headers["x-bapi-limit-status"] == "48"


PUBLISHED = {
    # calls a second of an account: docs/v5/rate-limit, as of 2026-07-24
    5: (
        *("POST order/disconnected-cancel-all", "GET account/fee-rate", "GET account/query-dcp-info"),
        *("GET account/smp-group", "POST account/set-margin-mode"),
    ),
    10: (
        *("POST order/create", "POST order/amend", "POST order/cancel", "POST order/cancel-all"),
        *("POST order/create-batch", "POST order/amend-batch", "POST order/cancel-batch", "POST order/pre-check"),
        *("GET account/instruments-info", "GET user/query-api", "GET position/move-history"),
        *("POST position/set-leverage", "POST position/switch-mode", "POST position/trading-stop"),
        *("POST position/set-auto-add-margin", "POST position/add-margin", "POST position/confirm-pending-mmr"),
        *("POST position/move-positions", "POST account/set-limit-px-action"),
    ),
    20: ("POST user/agreement",),
    25: ("GET account/transaction-log",),
    50: (
        *("GET order/realtime", "GET order/history", "GET execution/list", "GET position/list"),
        *("GET position/closed-pnl", "GET account/wallet-balance", "GET account/withdrawal", "GET account/info"),
        *("GET account/collateral-info", "GET account/user-setting-config"),
    ),
}


@pytest.mark.parametrize(("units", "call"), [(units, call) for units, calls in PUBLISHED.items() for call in calls])
def test_every_call_has_the_published_units_and_uses_one(units: int, call: str) -> None:
    async def trial(desk: Desk) -> None:
        method, path = call.split(" ")
        text = "" if method == "GET" else '{"category":"linear","request":[{}]}'
        reply = desk.send(method, f"/v5/{path}", text)
        assert (reply.headers["x-bapi-limit"], reply.headers["x-bapi-limit-status"]) == (str(units), str(units - 1))
        assert reply.headers["x-bapi-limit-reset-timestamp"] == str(desk.exchange.now_ms())

    at_desk(trial)()


@at_desk
async def test_the_checks_come_in_the_venues_order(desk: Desk) -> None:
    """Address, path, method, headers, key, time, signature, what the key may do, units, parameters."""

    def code(method: str = "POST", path: str = "/v5/order/create", **more: Any) -> tuple[int, int]:
        reply = desk.send(method, path, "{}" if method == "POST" else "", **more)
        return reply.status, json.loads(reply.body)["retCode"] if reply.status == 200 else 0

    now_ms = desk.exchange.now_ms()
    assert code(path="/v5/nothing", keys=None)[0] == 404
    assert code("GET", keys=None)[0] == 400
    assert code(keys=None)[0] == 401
    old = {"x-bapi-timestamp": str(now_ms - 10_000), "x-bapi-sign": "wrong"}
    assert code(keys=Credentials("stranger", "x"), headers=old) == (200, 10003)
    assert code(headers=old) == (200, 10002)
    assert code(headers={"x-bapi-sign": "wrong"}) == (200, 10004)
    desk.exchange.set_setting("main", "key_read_only", "1")
    assert code() == (200, 10005)
    desk.exchange.set_setting("main", "key_read_only", "")
    assert [code() for _ in range(10)] == [(200, 10001)] * 10  # none of the above has used a unit
    assert code() == (200, 10006)

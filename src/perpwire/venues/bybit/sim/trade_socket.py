"""/v5/trade: order entry over a WebSocket. An answer says that a call was accepted; what became of the order stands on
/v5/private.

Source: docs/v5/websocket/trade/guideline, as of 2026-07-24, and answers captured up to 2025-11. The calls are those of
REST and draw on the same units.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from perpwire.simulator.dialect import Peer
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit import wire_control
from perpwire.venues.bybit.sim.answer import Answer
from perpwire.venues.bybit.sim.gate import Gate, LimitReached
from perpwire.venues.bybit.sim.login import check_login
from perpwire.venues.bybit.sim.refusal import CallRefused
from perpwire.venues.bybit.sim.rest import Rest
from perpwire.venues.bybit.sim.sockets import BAD_COMMAND, Incoming, Socket, echo

PATHS = {
    f"order.{name}": f"/v5/order/{name}"
    for name in ("create", "amend", "cancel", "create-batch", "amend-batch", "cancel-batch")
}
"""op -> the REST call that it is."""

LONGEST_ID = 36
IDS_REMEMBERED = 10_000
"""So many of a connection's last reqIds may not be used again."""

ADDRESS_CALLS_A_SECOND = 3000
SESSION_CALLS_A_SECOND = 1000
"""Above it 20003 "too frequent"; the venue does not publish its figure."""
SESSIONS_OF_AN_ACCOUNT = 100
"""Above it a login is refused with 10003; the venue does not publish its figure."""

HEADER_NAMES = {
    "x-bapi-limit": "X-Bapi-Limit",
    "x-bapi-limit-status": "X-Bapi-Limit-Status",
    "x-bapi-limit-reset-timestamp": "X-Bapi-Limit-Reset-Timestamp",
}

SECOND_NS = 10**9

RESTARTING = (10019, "Current trade service is restarting")


class TradeDesk:
    """What all trade sockets share: the calls, the limits of addresses and accounts, and a restart of the service."""

    def __init__(self, exchange: Exchange, rest: Rest, gate: Gate) -> None:
        self.exchange = exchange
        self.rest = rest
        self.gate = gate
        self._by_address: dict[str, deque[int]] = {}
        self._sessions: dict[str, int] = {}
        self._restarting_until_ns = 0
        self._oldest_number = 0
        self._canned: deque[tuple[int, str]] = deque()
        self.answered = 0

    # --- limits -------------------------------------------------------------------------------------------------------

    def count_call(self, address: str) -> None:
        """
        Raises:
            CallRefused: 10403: more calls than an address has.
        """
        now_ns = self.exchange.clock.monotonic_ns()
        if not within(self._by_address.setdefault(address, deque()), ADDRESS_CALLS_A_SECOND, now_ns):
            raise CallRefused(10403, "Exceeds the IP limit")

    def enter(self, account: str) -> None:
        """
        Raises:
            CallRefused: 10003: the account has too many sessions.
        """
        if self._sessions.get(account, 0) >= SESSIONS_OF_AN_ACCOUNT:
            raise CallRefused(10003, "Too many sessions under the same UID")
        self._sessions[account] = self._sessions.get(account, 0) + 1

    def leave(self, account: str) -> None:
        self._sessions[account] -= 1

    # --- what a fault may do ------------------------------------------------------------------------------------------

    def restart(self, seconds: float, newest_number: int) -> None:
        """For so long every connection that is open now refuses new calls; a new one is served."""
        self._restarting_until_ns = self.exchange.clock.monotonic_ns() + round(seconds * SECOND_NS)
        self._oldest_number = newest_number + 1

    def refuse(self, code: int, words: str, count: int) -> None:
        """The next calls are not executed and answered with this."""
        self._canned.extend([(code, words)] * count)

    def check_service(self, number: int) -> None:
        """
        Raises:
            CallRefused: The service restarts, or a fault wants this call.
        """
        if number < self._oldest_number and self.exchange.clock.monotonic_ns() < self._restarting_until_ns:
            raise CallRefused(*RESTARTING)
        if self._canned:
            raise CallRefused(*self._canned.popleft())


def within(window: deque[int], limit: int, now_ns: int) -> bool:
    """Count one more in the last second, where there is room."""
    while window and window[0] <= now_ns - SECOND_NS:
        window.popleft()
    if len(window) >= limit:
        return False
    window.append(now_ns)
    return True


class TradeSocket(Socket):
    def __init__(self, peer: Peer, number: int, idle_s: float, address: str, desk: TradeDesk) -> None:
        super().__init__(peer, desk.exchange, number, idle_s)
        self._number = number
        self._address = address
        self._desk = desk
        self._owner: AccountSpec | None = None
        self._calls: deque[int] = deque()
        self._used: dict[bytes, None] = {}

    def on_nonsense(self) -> None:
        self._reply(Incoming(), {}, CallRefused(10001, BAD_COMMAND))

    def on_command(self, command: Incoming) -> None:
        if command.op == "ping":
            self.send(
                wire_control.TradePong(
                    reqId=echo(command.reqId), data=[str(self._exchange.now_ms())], connId=self.conn_id
                )
            )
        elif command.op == "auth":
            self._log_in(command)
        else:
            self._call(command)

    def _log_in(self, command: Incoming) -> None:
        code, words = 0, "OK"
        try:
            if self._owner is not None:
                raise CallRefused(20001, "Repeat auth")
            owner = check_login(self._exchange, command.args)
            self._desk.enter(owner.name)
            self._owner, self.account = owner, owner.name
        except CallRefused as refused:
            code, words = refused.code, refused.words
        self.send(
            wire_control.TradeAck(reqId=echo(command.reqId), retCode=code, retMsg=words, op="auth", connId=self.conn_id)
        )

    # --- calls --------------------------------------------------------------------------------------------------------

    def _call(self, command: Incoming) -> None:
        headers: dict[str, str] = {}
        try:
            said = self._answer(command, headers)
        except CallRefused as refused:
            if isinstance(refused, LimitReached):
                headers |= refused.headers
            self._reply(command, headers, refused)
        else:
            self._reply(command, headers, said)

    def _answer(self, command: Incoming, headers: dict[str, str]) -> Answer:
        self._desk.count_call(self._address)
        if not within(self._calls, SESSION_CALLS_A_SECOND, self._exchange.clock.monotonic_ns()):
            raise CallRefused(20003, "Too frequent requests under the same session")
        path = PATHS.get(command.name)
        if path is None:
            raise CallRefused(10404, f"op {command.name} is not found".replace("  ", " "))
        if self._owner is None:
            raise CallRefused(10007, "User authentication failed.")
        self._take_id(command.reqId)
        self._desk.check_service(self._number)
        self._check_time(command.header)
        args = command.args
        if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], dict):
            raise CallRefused(10001, BAD_COMMAND)
        asked = args[0]
        if asked.get("category") in ("spot", "inverse", "option", "spread"):
            raise CallRefused(10404, f"category {asked['category']} is not supported")
        return self._desk.rest.call(self._owner, path, asked, headers, self._address)

    def _take_id(self, raw: msgspec.Raw) -> None:
        text = bytes(raw)
        if text in (b"", b"null", b'""'):
            return
        if len(text.strip(b'"').decode()) > LONGEST_ID:
            raise CallRefused(10001, f"reqId is longer than {LONGEST_ID} characters")
        if text in self._used:
            raise CallRefused(20006, "Duplicate reqId")
        self._used[text] = None
        if len(self._used) > IDS_REMEMBERED:
            del self._used[next(iter(self._used))]

    def _check_time(self, header: Any) -> None:
        said = header if isinstance(header, dict) else {}
        stamp, window = said.get("X-BAPI-TIMESTAMP"), said.get("X-BAPI-RECV-WINDOW")
        self._desk.gate.check_time(_digits(stamp), _digits(window))

    def _reply(self, command: Incoming, headers: dict[str, str], said: Answer | CallRefused) -> None:
        desk = self._desk
        desk.answered += 1
        shown = {HEADER_NAMES[name]: value for name, value in headers.items() if name in HEADER_NAMES}
        self.send(
            wire_control.TradeReply(
                reqId=echo(command.reqId),
                retCode=said.code if isinstance(said, CallRefused) else 0,
                retMsg=said.words,
                op=command.name,
                data=said.result,
                retExtInfo=said.ext,
                header={
                    **{name: shown[name] for name in HEADER_NAMES.values() if name in shown},
                    "Traceid": f"{self._number:08x}{desk.answered:024x}",
                    "Timenow": str(self._exchange.now_ms()),
                },
                connId=self.conn_id,
            )
        )

    def on_closed(self) -> None:
        if self._owner is not None:
            self._desk.leave(self._owner.name)


def _digits(value: Any) -> str:
    """A header's number, which clients write as text or as a number."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""

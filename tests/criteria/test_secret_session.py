"""SECRET: not one byte that a whole busy session leaves behind gives anything away."""

from __future__ import annotations

import copy
import logging
import pickle
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.criteria.test_secret import KEY, PEM, PRIVATE, SECRET, Ear, shown_by

from perpwire.api_connector.batch_methods import NewOrder
from perpwire.api_connector.guards import CAUTIOUS
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.credentials import Credentials
from perpwire.errors import AuthenticationFailed, OutcomeUnknown, UnknownOrder
from perpwire.model.incident import ConnectionRecovered, Incident, LoginRefused, OrderDoubtful
from perpwire.model.market import Trade
from perpwire.notification.rules import Rules
from perpwire.signer import KeyKind
from perpwire.simulator.faults import Answer, CorruptMessage, Cut, LoseAnswer, Reset, Skew, TruncateAnswer
from perpwire.simulator.specs import AccountSpec
from perpwire.testing import World, offline
from perpwire.transport.base import Socket, SocketListener
from perpwire.venues import load

PLACE = {"binance": "/fapi/v1/order", "bybit": "/v5/order/create"}


class AllEars(Ear):
    """Learns what goes over sockets, too: signatures in frames and logins, listen keys in addresses."""

    async def connect(self, url: str, listener: SocketListener, timeout_s: float) -> Socket:
        self.secrets |= set(re.findall(r"/ws/([A-Za-z0-9]{40,})", url))
        return _Overheard(await super().connect(url, listener, timeout_s), self.secrets)


class _Overheard:
    def __init__(self, socket: Socket, secrets: set[str]) -> None:
        self._socket, self._secrets = socket, secrets
        self.ping, self.close, self.abort = socket.ping, socket.close, socket.abort

    def send(self, text: bytes) -> bool:
        said = text.decode()
        self._secrets |= set(re.findall(r'"signature":"([^"]+)"', said))
        self._secrets |= set(re.findall(r'"op":"auth","args":\["[^"]*",\d+,"([^"]+)"', said))
        return self._socket.send(text)


class Session:
    """A busy trader, and all that is to be seen of it."""

    def __init__(self, world: World, ear: AllEars, venue: str, keys: Credentials, journal: Path) -> None:
        self.world, self.venue, self.clock = world, venue, world.clock
        self.ear, self.keys, self.journal = ear, keys, journal
        self.shown: list[str] = []
        self.incidents: list[Incident] = []
        self.errors: list[Exception] = []

    def connector(self, **options: Any) -> VenueConnector:
        made = VenueConnector(
            load(self.venue), credentials=self.keys, url=self.world.simulation.urls[self.venue], clock=self.clock,
            http=self.ear, sockets=self.ear, settle_patience_s=15,
            **{"journal": self.journal, "guards": CAUTIOUS, "road": "websocket", **options},
        )  # fmt: skip
        made.on_incident(self.incidents.append)
        made.streams.on_raw(lambda name, frame, received_ns: self.shown.append(f"{name} {frame!r}"))
        return made

    async def attempt(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """What came of it, looked at in every way there is."""
        try:
            result = await call()
        except Exception as error:
            self.errors.append(error)
            self.shown.append(shown_by(error))
            for how in (pickle.dumps, copy.copy, copy.deepcopy):
                try:
                    again: Any = how(error)
                except TypeError as refused:  # some hold what can't be copied
                    again = refused
                self.shown.append(f"{again!r} {again} {vars(again) if hasattr(again, '__dict__') else ''}")
            return error
        self.shown.append(f"{result!r} {result}")
        return result

    def look(self, connector: VenueConnector) -> None:
        for one in (connector, connector.streams, connector.metrics, connector.ledger, connector.account_state):
            self.shown.append(f"{one!r} {vars(one)!r}")
        self.shown.append(repr(connector.metrics.get_call_stats()) + repr(connector.metrics.get_stats()))
        self.shown.append(repr(connector.streams.states) + repr(connector.unresolved_orders))
        self.shown.append(repr(connector.start_up_report) + repr(connector.key_info))
        if connector.trade_route is not None:
            self.shown.append(repr(vars(connector.trade_route)))

    async def play(self) -> None:
        faults, sleep = self.world.simulation.faults[self.venue], self.clock.sleep
        path = PLACE[self.venue]
        price = str(self.world.simulation.exchanges[self.venue].mark_price("BTCUSDT").quantize(1) * 8 // 10)

        async with self.connector() as one:

            def order(name: str, **more: Any) -> Callable[[], Awaitable[Any]]:
                return lambda: one.place_order(
                    "BTCUSDT", "BUY", "0.01", "LIMIT", price=price, client_order_id=f"s-{name}", **more
                )

            await one.subscribe([Trade], ["BTCUSDT"])
            await one.open_account_stream()
            await self.attempt(lambda: one.arm_dead_man(30, ["BTCUSDT"] if self.venue == "binance" else []))
            await sleep(3)
            self.look(one)
            for road in ("websocket", "rest"):
                await self.attempt(order(f"fine-{road}", road=road))
                await self.attempt(lambda: one.cancel_order("BTCUSDT", client_order_id="s-none"))
                await self.attempt(lambda: one.set_leverage("BTCUSDT", 10_000))
                await self.attempt(lambda: one.call("GET", "/v5/nothing" if self.venue == "bybit" else "/fapi/v1/no"))
            await self.attempt(lambda: one.amend_order("BTCUSDT", client_order_id="s-fine-rest", quantity="0.02"))
            two: list[NewOrder] = [
                {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01", "order_type": "LIMIT", "price": price}
            ] * 2
            await self.attempt(lambda: one.place_orders(two))
            # Answers lost, cut, wrong; of the venue and of what stands before it.
            faults.add(LoseAnswer(method="POST", path=path, contains="s-lost", how="reset"))
            await self.attempt(order("lost", road="rest"))
            faults.add(TruncateAnswer(method="POST", path=path, contains="s-short"))
            await self.attempt(order("short", road="rest"))
            for name, status in (("html", 403), ("gateway", 502), ("teapot", 418), ("odd", 200), ("auth", 401)):
                body = f"<html>{KEY}, {SECRET if self.keys.kind is KeyKind.HMAC else PEM.splitlines()[1]}: no</html>"
                faults.add(Answer(method="POST", path=path, contains=f"s-{name}", status=status, body=body))
                await self.attempt(order(name, road="rest", deadline_s=5))
                await sleep(700)
            faults.add(Skew(seconds=30))
            await self.attempt(one.get_account_info)
            # Sockets come and go.
            for fault in (Cut(), Reset(), Reset(route="ws-fapi"), Reset(route="v5/trade")):
                faults.add(fault)
                await self.attempt(order(f"at-{type(fault).__name__}-{len(self.errors)}"))
                await sleep(20)
            faults.add(CorruptMessage(count=5))
            await sleep(5)
            await self.attempt(lambda: one.kill("a test"))
            await self.attempt(order("killed"))
            await sleep(1)
            self.look(one)
        self.look(one)
        async with self.connector() as again:
            self.look(again)
        stranger = Credentials(KEY, "canary-of-another")
        if self.venue == "bybit":
            self.ear.secrets.add("canary-of-another")
            wrong = VenueConnector(
                load(self.venue), credentials=stranger, url=self.world.simulation.urls[self.venue], clock=self.clock,
                http=self.ear, sockets=self.ear, road="websocket", check_key=False,
            )  # fmt: skip
            wrong.on_incident(self.incidents.append)
            async with wrong:
                await self.attempt(wrong.open_account_stream)
                await sleep(5)
                self.look(wrong)


@pytest.mark.slow
@pytest.mark.parametrize(("venue", "kind"), [("binance", "hmac"), ("binance", "pem"), ("bybit", "hmac")])
def test_secret_1_a_whole_busy_session_gives_nothing_away(
    venue: str, kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Logs, errors, copies of errors, incidents, alerts, metrics, raw frames, journals of client and exchange."""
    caplog.set_level(logging.DEBUG)
    clock, journal = ManualClock(), tmp_path / "orders.db"
    ear = AllEars(clock)
    public = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    account = AccountSpec(api_key=KEY, secret_key=SECRET, public_key=public if kind == "pem" else "")
    keys = Credentials(KEY, PEM if kind == "pem" else SECRET)
    sessions: list[Session] = []

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,), accounts=(account,), rate=0.2) as world:
            ear._servers = world.network._servers
            session = Session(world, ear, venue, keys, journal)
            sessions.append(session)
            await session.play()
            session.shown += [str(entry) for entry in world.simulation.journal[venue].entries()]

    clock.run(main())
    (session,) = sessions
    # It was busy indeed.
    kinds = {type(one) for one in session.incidents}
    assert {OrderDoubtful, ConnectionRecovered} <= kinds
    assert (LoginRefused in kinds) is (venue == "bybit")
    assert len({type(error) for error in session.errors}) >= 4
    assert any(isinstance(error, UnknownOrder) for error in session.errors)
    if venue == "bybit":
        assert any(isinstance(error, AuthenticationFailed) for error in session.errors)
    assert not [one for one in session.errors if isinstance(one, TypeError | AttributeError | KeyError)]
    assert not any(isinstance(one, OutcomeUnknown) and one.resolution is None for one in session.errors)
    assert len(ear.secrets) > 30
    for incident in session.incidents:
        session.shown.append(f"{incident!r} {msgspec.structs.asdict(incident)} {Rules().alert(incident)!r}")
    files = [file for file in tmp_path.iterdir() if file.is_file()]
    assert any(b"s-lost" in file.read_bytes() for file in files)
    session.shown += [repr(file.read_bytes()) for file in files]
    session.shown += [caplog.text, *capfd.readouterr()]
    text = "\n".join(session.shown)
    found = {secret for secret in ear.secrets if secret in text}
    places = [text[max(0, text.index(secret) - 200) : text.index(secret) + 60] for secret in sorted(found)[:4]]
    assert not found, places

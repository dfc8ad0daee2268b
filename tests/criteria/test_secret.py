"""SECRET: key, secret, private key, listen key and signature show nowhere."""

from __future__ import annotations

import copy
import logging
import pickle
import re
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from perpwire import __version__
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.checks import Check, Mark
from perpwire.cli.connecting import plan
from perpwire.cli.doctor import doctor, examine
from perpwire.clock import ManualClock
from perpwire.credentials import Credentials
from perpwire.errors import APIError, BadInput
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.model.incident import Incident
from perpwire.notification.rules import Rules
from perpwire.simulator.server import running
from perpwire.simulator.specs import AccountSpec
from perpwire.testing import World, offline
from perpwire.transport.base import TransportFailed
from perpwire.transport.memory import MemoryNetwork
from perpwire.venues import load
from perpwire.venues.base import TradeSession
from perpwire.venues.binance_futures import endpoints_orders
from perpwire.venues.binance_futures.connector import BinanceFuturesConnector
from perpwire.venues.bybit import endpoints
from perpwire.venues.bybit.connector import BybitConnector

KEY, SECRET = "canary-key-41c8", "canary-secret-9f02"
PRIVATE = ed25519.Ed25519PrivateKey.generate()
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
CANARIES = (KEY, SECRET, PEM.splitlines()[1])


class Ear(MemoryNetwork):
    """A network that learns signatures and listen keys, and can answer badly."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.secrets: set[str] = set(CANARIES)
        self.bad: Callable[[HttpRequest], HttpReply | Exception] | None = None

    async def exchange(self, base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
        if found := re.search(r"signature=([^&]+)", request.target):
            self.secrets.add(found.group(1))
        self.secrets |= {value for name, value in request.headers.items() if name.lower().endswith("-sign")}
        if self.bad is not None and "time" not in request.target.partition("?")[0]:
            answer = self.bad(request)
            if isinstance(answer, Exception):
                raise answer
            return answer
        reply = await super().exchange(base_url, request, timeout_s)
        if b"listenKey" in reply.body:
            self.secrets.add(str(msgspec.json.decode(reply.body)["listenKey"]))
        return reply


def shown_by(error: BaseException) -> str:
    """All that an error gives away, with the variables of every frame that it went through in perpwire."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    parts: list[str] = [str(error), repr(error), repr(vars(error))]
    pending: list[traceback.TracebackException | None] = [told]
    while pending:
        one = pending.pop()
        if one is None:
            continue
        pending += [one.__cause__, one.__context__]
        parts += [
            f"{frame.name}: {frame.locals}"
            for frame in one.stack
            if "/src/perpwire/" in frame.filename or "site-packages" in frame.filename
        ]
    return "\n".join(parts)


def bodies(request: HttpRequest) -> list[HttpReply | Exception]:
    key = KEY.encode()
    return [
        HttpReply(
            status=200, headers={}, body=b'{"retCode":10004,"retMsg":"error sign! origin_string[1' + key + b'5000]"}'
        ),
        HttpReply(status=400, headers={}, body=b'{"code":-1022,"msg":"Signature for ' + key + b' is not valid."}'),
        HttpReply(status=403, headers={}, body=b"<html>" + key + b"</html>"),
        HttpReply(status=502, headers={}, body=b"<html>bad gateway</html>"),
        HttpReply(status=200, headers={}, body=b"{" + key),
        HttpReply(status=200, headers={}, body=b""),
        HttpReply(status=429, headers={"retry-after": "1"}, body=b'{"code":-1003,"msg":"' + key + b' too fast"}'),
        TransportFailed("connection reset", may_have_been_sent=True),
        TransportFailed("connection refused", may_have_been_sent=False),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["binance", "bybit"])
@pytest.mark.parametrize("kind", ["hmac", "pem"])
def test_secret_1_nothing_shows_on_any_path_of_an_error(
    venue: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    if (venue, kind) == ("bybit", "pem"):
        return  # it has no Ed25519 keys
    caplog.set_level(logging.DEBUG)
    clock = ManualClock()
    public = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    account = AccountSpec(api_key=KEY, secret_key=SECRET, public_key=public if kind == "pem" else "")
    keys = Credentials(KEY, PEM if kind == "pem" else SECRET)
    shown: list[str] = []
    incidents: list[Incident] = []
    ear = Ear(clock)

    async def attempt(call: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        try:
            shown.append(repr(await call()))
        except Exception as error:
            shown.append(shown_by(error))

    async def scene(world: World) -> None:
        connector = VenueConnector(
            load(venue), credentials=keys, url=world.simulation.urls[venue], clock=clock, http=ear, sockets=ear
        )
        ear._servers = world.network._servers
        connector.on_incident(incidents.append)
        async with connector:
            calls: tuple[Callable[[], Coroutine[Any, Any, Any]], ...] = (
                connector.get_account_info,
                lambda: connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price="30000"),
                lambda: connector.cancel_order("BTCUSDT", "1"),
                connector.get_key_info,
                connector.open_account_stream,
            )
            for call in calls:
                await attempt(call)
            for number in range(len(bodies(HttpRequest(method="GET", target="/", headers={})))):
                ear.bad = lambda request, number=number: bodies(request)[number]
                for call in calls:
                    await attempt(call)
                ear.bad = None
                await clock.sleep(70)
            shown.append(repr(connector) + repr(vars(connector)))
            shown.append(repr(connector.metrics.get_call_stats()) + repr(connector.metrics.get_stats()))
            shown.append(repr(connector._path) + repr(vars(connector._path)))
        shown.append(repr(vars(connector)))

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,), accounts=(account,), rate=0.01) as world:
            await scene(world)

    clock.run(main())
    for incident in incidents:
        alert = Rules().alert(incident)
        shown.append(repr(msgspec.structs.asdict(incident)) + repr(alert))
    shown.append(caplog.text)
    assert len(ear.secrets) > 20
    text = "\n".join(shown)
    found = {secret for secret in ear.secrets if secret in text}
    assert not found, [
        line[max(0, line.index(secret) - 200) : line.index(secret) + 60]
        for line in text.splitlines()
        for secret in found
        if secret in line
    ][:5]


def test_secret_1_credentials_and_requests_show_nothing_by_any_means() -> None:
    for secret in (SECRET, PEM):
        keys = Credentials(KEY, secret)
        keys.check()
        request = HttpRequest(method="GET", target=f"/p?signature={SECRET}", headers={"X": KEY})
        for one in (keys, request, keys._signer):
            with pytest.raises(TypeError):
                pickle.dumps(one)
            told = repr(one) + str(one) + f"{one}" + repr([one])
            assert not any(canary in told for canary in CANARIES)
        with pytest.raises(TypeError):
            vars(keys)
        with pytest.raises(TypeError):
            msgspec.structs.asdict(keys)  # type: ignore[arg-type]
        assert copy.deepcopy(keys) is copy.copy(keys) is keys
        rich = repr(keys.__rich_repr__()) + repr(request.__rich_repr__())
        assert not any(canary in rich for canary in CANARIES)
        text = keys.redact(f"{KEY} said {secret}")
        assert not any(canary in text for canary in CANARIES)


@pytest.mark.parametrize("make", [BinanceFuturesConnector, BybitConnector])
def test_secret_1_a_constructor_that_raises_has_no_secret_in_its_frames(make: Any) -> None:
    for options in ({"env": "nowhere"}, {"road": "canal"}, {"proxy": "socks5://u:canary-pw@h/path"}):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - each is another
            make(KEY, SECRET, **options)
        text = shown_by(caught.value)
        assert not any(canary in text for canary in (*CANARIES, "canary-pw")), text


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["binance", "bybit"])
async def test_secret_1_nothing_shows_over_real_sockets(venue: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    account = AccountSpec(api_key=KEY, secret_key=SECRET)
    async with running(venues=[venue], accounts=(account,)) as simulation:
        url = simulation.urls[venue]
        connector = VenueConnector(load(venue), KEY, SECRET, url=url, timeout_s=0.3, settle_patience_s=0.1)
        async with connector:
            await connector.open_account_stream()
            await connector.place_order("BTCUSDT", "BUY", "0.01")
            addresses = [str(entry.text) for entry in simulation.journal[venue].entries(kind="opened")]
    # Connections are refused now.
    shown = []
    with pytest.raises(APIError) as caught:
        await VenueConnector(load(venue), KEY, SECRET, url=url).start()
    shown.append(shown_by(caught.value))
    text = "\n".join(shown) + caplog.text
    assert not any(canary in text for canary in CANARIES)
    assert not re.search(r"[0-9a-zA-Z]{60,}", caplog.text), addresses  # neither signatures nor listen keys


@pytest.mark.parametrize("is_logged_on", [False, True])
@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_secret_1_a_parameter_that_can_not_be_written_on_the_trading_socket_is_bad_input_that_shows_nothing(
    venue: str, is_logged_on: bool
) -> None:
    session = load(venue).trade_session()
    if is_logged_on and venue == "binance":
        session.on_frame(b'{"id":"log-on","status":200,"result":{}}')
        assert KEY.encode() not in _order_frame(session, venue, "ok")
    with pytest.raises(BadInput) as caught:
        _order_frame(session, venue, "\ud800")
    assert caught.value.code == "BAD_PARAMETER"
    assert KEY not in shown_by(caught.value)


def _order_frame(session: TradeSession, venue: str, text: str) -> bytes:
    rows = {"binance": endpoints_orders.PLACE_ORDER, "bybit": endpoints.PLACE_ORDER}
    return session.request(rows[venue], {"symbol": text}, Credentials(KEY, SECRET), 1_790_000_000_000, "1")


@pytest.mark.slow
@pytest.mark.parametrize("secret", [SECRET, "canary-wrong-secret"])
@pytest.mark.parametrize("venue", ["binance", "bybit"])
async def test_secret_2_what_the_doctor_finds_of_a_key_shows_nothing_of_it(venue: str, secret: str) -> None:
    keys = Credentials(KEY, secret)
    accounts = (AccountSpec(api_key=KEY, secret_key=SECRET),)
    found: list[Check] = []
    async with running(venues=(venue,), accounts=accounts) as simulation:
        connector = VenueConnector(
            load(venue), credentials=keys, url=simulation.urls[venue], check_key=False, warm=False
        )
        await examine(connector, keys, "", found.append)
    marks = {check.name: check.mark for check in found}
    assert marks["key accepted"] == (Mark.OK if secret == SECRET else Mark.WRONG)
    assert "canary" not in repr(found)


@pytest.mark.slow
async def test_secret_2_the_doctors_report_names_versions_clock_and_rights_and_no_key() -> None:
    report, is_well = await doctor(plan(None, "sim", None))
    assert is_well
    text = msgspec.json.encode(report).decode()
    assert report["perpwire"] == __version__
    for one in report["venues"]:
        assert one["kind of key"] == "HMAC"
        assert one["contracts"] > 0
        assert abs(one["venue ahead of this machine ms"]) < 5000
        assert one["rights"]["can_trade"] is True
    assert "sim-key" not in text
    assert "sim-secret" not in text

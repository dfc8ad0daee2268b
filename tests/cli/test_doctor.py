"""`perpwire doctor` finds each trouble that is made at the embedded exchange, says what it means and how to mend it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import socket
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from rich.console import Console
from tests.transport.peers import certified
from typer.testing import CliRunner

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.checks import Check, Mark
from perpwire.cli.connecting import Target
from perpwire.cli.connector_checks import connector_checks
from perpwire.cli.doctor import examine, redacted
from perpwire.cli.doctor_lines import Lines
from perpwire.cli.main import app
from perpwire.cli.network_checks import doors, network_checks
from perpwire.clock import SystemClock
from perpwire.credentials import Credentials
from perpwire.simulator.faults import Answer, AnyFault, Delay, Maintenance, Silence, Skew
from perpwire.simulator.server import running
from perpwire.simulator.specs import AccountSpec, KeySpec
from perpwire.threaded import ThreadedExchange
from perpwire.venues import VENUES, load
from perpwire.venues.base import Hosts

pytestmark = pytest.mark.slow

KEYS = Credentials("sim-key", "sim-secret")
DAY_MS = 86_400_000

by_venue = pytest.mark.parametrize("venue", VENUES)


async def examined(
    venue: str,
    *,
    keys: Credentials | None = KEYS,
    key: KeySpec | None = None,
    faults: Sequence[AnyFault] = (),
    url: str | None = None,
    patience_s: float = 3.0,
    meanwhile: Callable[[str, str], contextlib.AbstractAsyncContextManager[None]] | None = None,
) -> dict[str, Check]:
    """What the doctor finds at an exchange with such an account and such trouble, by the names of its checks."""
    found: list[Check] = []
    accounts = (AccountSpec(key=key or KeySpec()),)
    async with running(venues=(venue,), accounts=accounts, latency_s=0.001, faults={venue: faults}) as simulation:
        where = url or simulation.urls[venue]
        connector = VenueConnector(load(venue), credentials=keys, env="sim", url=where, check_key=False, warm=False)
        async with meanwhile(venue, where) if meanwhile is not None else contextlib.nullcontext():
            await examine(connector, keys, "none is set", found.append, patience_s=patience_s)
    for check in found:
        assert check.found
        assert bool(check.mend) == (check.mark in (Mark.WARNING, Mark.WRONG))
    names = [check.name for check in found]
    assert len(set(names)) == len(names)
    return dict(zip(names, found, strict=True))


def not_ok(found: dict[str, Check]) -> dict[str, Mark]:
    return {name: check.mark for name, check in found.items() if check.mark is not Mark.OK}


@by_venue
async def test_all_is_well_where_nothing_is_wrong(venue: str) -> None:
    found = await examined(venue, patience_s=10)
    assert not_ok(found) == {}
    tcp = next(name for name in found if name.startswith("TCP to 127.0.0.1:"))
    assert list(found) == [
        "proxy", tcp, "rate budget", "answer", "clock", "venue", "key format", "key accepted", "key rights",
        "key's addresses", "key's expiry", "public streams", "stream latency", "account stream",
    ]  # fmt: skip


@by_venue
async def test_a_wrong_secret_is_told_from_an_unknown_key(venue: str) -> None:
    wrong_secret = await examined(venue, keys=Credentials("sim-key", "another-secret"))
    unknown_key = await examined(venue, keys=Credentials("nobody-has-it", "sim-secret"))
    for found in (wrong_secret, unknown_key):
        assert not_ok(found) == {"key accepted": Mark.WRONG, "account stream": Mark.SKIPPED}
        assert "AuthenticationFailed" in found["key accepted"].found
    assert "secret" in wrong_secret["key accepted"].mend.lower()
    assert wrong_secret["key accepted"].found != unknown_key["key accepted"].found
    assert "ignature" in wrong_secret["key accepted"].found or "sign" in wrong_secret["key accepted"].found


@by_venue
async def test_a_missing_permission_is_named(venue: str) -> None:
    found = await examined(venue, key=KeySpec(trading=False))
    assert not_ok(found) == {"key rights": Mark.WRONG}
    assert "not trade" in found["key rights"].found
    assert "Give it that right" in found["key rights"].mend


@by_venue
async def test_a_key_that_may_withdraw_is_wrong(venue: str) -> None:
    found = await examined(venue, key=KeySpec(withdrawals=True))
    assert not_ok(found) == {"key rights": Mark.WRONG}
    assert "withdraw" in found["key rights"].found


@by_venue
async def test_a_key_bound_to_another_address_is_refused_and_the_address_is_named_as_the_cause(venue: str) -> None:
    found = await examined(venue, key=KeySpec(ips=("203.0.113.7",)))
    assert found["key accepted"].mark is Mark.WRONG
    assert "IP" in found["key accepted"].mend


@by_venue
async def test_a_key_bound_to_no_address_is_warned_of(venue: str) -> None:
    found = await examined(venue, key=KeySpec(ips=()))
    assert not_ok(found) == {"key's addresses": Mark.WARNING}


@by_venue
async def test_a_key_that_expires_soon_is_warned_of_with_its_day(venue: str) -> None:
    expires_ms = int(time.time() * 1000) + 5 * DAY_MS + DAY_MS // 2
    found = await examined(venue, key=KeySpec(expires_ms=expires_ms))
    assert not_ok(found) == {"key's expiry": Mark.WARNING}
    assert "in 5 days" in found["key's expiry"].found
    assert time.strftime("%Y-%m-%d", time.gmtime(expires_ms / 1000)) in found["key's expiry"].found


async def test_a_key_that_has_expired_is_wrong() -> None:
    gone_ms = int(time.time() * 1000) - DAY_MS
    binance = await examined("binance", key=KeySpec(expires_ms=gone_ms))
    assert binance["key's expiry"].mark is Mark.WRONG
    assert "expired on" in binance["key's expiry"].found
    bybit = await examined("bybit", key=KeySpec(expires_ms=gone_ms))  # refuses everything
    assert bybit["key accepted"].mark is Mark.WRONG
    assert "expired" in bybit["key accepted"].mend


@by_venue
@pytest.mark.parametrize(("skew_s", "words"), [(5.0, "behind"), (-5.0, "ahead of")])
async def test_a_clock_that_is_five_seconds_off_is_wrong_though_calls_go_on(
    venue: str, skew_s: float, words: str
) -> None:
    found = await examined(venue, faults=[Skew(seconds=skew_s)])
    assert not_ok(found) == {"clock": Mark.WRONG}
    (offset_ms,) = found["clock"].facts.values()
    assert abs(offset_ms - skew_s * 1000) < 100
    assert f") {words} the venue's" in found["clock"].found
    assert "NTP" in found["clock"].mend


@by_venue
async def test_a_clock_that_is_half_a_second_off_is_a_warning(venue: str) -> None:
    found = await examined(venue, faults=[Skew(seconds=0.5)])
    assert not_ok(found) == {"clock": Mark.WARNING}


@pytest.mark.parametrize(("venue", "canned"), [("binance", "banned"), ("bybit", "forbidden")])
async def test_a_banned_address_is_told_with_its_end_and_nothing_more_is_sent(venue: str, canned: str) -> None:
    found = await examined(venue, faults=[Answer(canned=canned, count=None, for_s=60)])
    assert found["address"].mark is Mark.WRONG
    assert "takes no calls from this address until 20" in found["address"].found
    assert "wait" in found["address"].mend
    assert list(found)[-1] == "address"


@contextlib.asynccontextmanager
async def trading(venue: str, url: str) -> AsyncIterator[None]:
    """Another program with the same key places orders, far from the market."""
    async with VenueConnector(load(venue), credentials=KEYS, env="sim", url=url) as other:

        async def place() -> None:
            for n in range(100):
                await other.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=str(50000 + n))
                await asyncio.sleep(0.2)

        task = asyncio.create_task(place())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


DATA_MUTE = Silence(what="data", route="private", seconds=3600, then="heal", also_next=1000)


@by_venue
async def test_a_quiet_account_stream_answers_and_what_is_not_proven_is_said(venue: str) -> None:
    for faults in ([], [DATA_MUTE]):
        check = (await examined(venue, faults=faults))["account stream"]
        assert check.mark is Mark.OK
        assert "a question over it was answered by the venue's service after" in check.found
        assert "That it brings events is not proven: nothing happened" in check.found
        assert check.facts["events"] == 0


@by_venue
async def test_an_account_stream_that_tells_what_happens_is_proven_alive(venue: str) -> None:
    check = (await examined(venue, meanwhile=trading))["account stream"]
    assert check.mark is Mark.OK
    assert "proven alive: it told of the account" in check.found
    assert check.facts["events"] > 0


@by_venue
async def test_an_account_stream_that_does_not_tell_what_the_lists_show_is_mute_and_wrong(venue: str) -> None:
    check = (await examined(venue, faults=[DATA_MUTE], meanwhile=trading))["account stream"]
    assert check.mark is Mark.WRONG
    assert "but it is mute: orders changed meanwhile, by the venue's lists" in check.found


@by_venue
async def test_an_account_stream_that_answers_nothing_is_wrong(venue: str) -> None:
    """Bybit's is not even logged in then; Binance's needs no login."""
    check = (await examined(venue, faults=[Silence(route="private", also_next=1000)], patience_s=1.5))["account stream"]
    assert check.mark is Mark.WRONG
    words = {"binance": "a harmless question over it was not answered within 1.5 s", "bybit": "not logged in"}
    assert words[venue] in check.found


@by_venue
async def test_streams_that_are_subscribed_and_mute_are_wrong(venue: str) -> None:
    found = await examined(venue, faults=[Silence(what="data", also_next=1000)], patience_s=1.5)
    assert found["public streams"].mark is Mark.WRONG
    for word in ("no BookTicker", "no MarkPrice", "BTCUSDT", "subscribed, and mute"):
        assert word in found["public streams"].found
    assert "WebSockets" in found["public streams"].mend


@by_venue
async def test_an_account_stream_that_does_not_open_is_wrong(venue: str) -> None:
    refusal = Answer(method="WS", path="*private*", status=503, count=None)
    found = await examined(venue, faults=[refusal], patience_s=2.0)
    assert not_ok(found) == {"account stream": Mark.WRONG}


@by_venue
async def test_a_venue_in_maintenance_and_a_slow_way_are_told(venue: str) -> None:
    slow = await examined(venue, faults=[Delay(path="*time*", seconds=0.6, count=None)])
    assert not_ok(slow) == {"answer": Mark.WARNING}
    down = await examined(venue, faults=[Maintenance(seconds=60)])
    assert any(check.mark is Mark.WRONG for check in down.values())
    assert "account stream" not in down or down["account stream"].mark is not Mark.OK


@by_venue
async def test_a_refused_connection_ends_the_examination_with_the_way_to_mend_it(venue: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = await examined(venue, url=f"http://127.0.0.1:{port}")
    assert not_ok(found) == {f"TCP to 127.0.0.1:{port}": Mark.WRONG}
    assert list(found)[-1] == f"TCP to 127.0.0.1:{port}"
    assert "port" in found[f"TCP to 127.0.0.1:{port}"].mend


async def test_a_name_that_can_not_be_looked_up_is_told_and_no_connection_is_tried() -> None:
    asked = []

    async def nowhere(host: str, port: int) -> Sequence[object]:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    hosts = Hosts(rest="https://api.no-such-venue.test", streams="wss://stream.no-such-venue.test")
    found = {check.name: check async for check in network_checks(hosts, SystemClock(), resolved_by=nowhere)}
    assert asked == ["api.no-such-venue.test", "stream.no-such-venue.test"]
    assert list(found) == ["proxy", *(f"name {host}" for host in asked)]
    check = found["name api.no-such-venue.test"]
    assert check.mark is Mark.WRONG
    assert "Name or service not known" in check.found
    assert "spelling" in check.mend


async def test_a_host_that_speaks_no_tls_is_told_as_such() -> None:
    async with running(venues=("bybit",)) as simulation:
        port = int(simulation.urls["bybit"].rpartition(":")[2])
        hosts = Hosts(rest=f"https://127.0.0.1:{port}", streams=f"wss://127.0.0.1:{port}")
        found = {check.name: check async for check in network_checks(hosts, SystemClock())}
    check = found[f"TLS to 127.0.0.1:{port}"]
    assert (check.mark, "no TLS" in check.found) == (Mark.WRONG, True)


async def test_a_certificate_that_nobody_vouches_for_is_told_and_not_passed_over(tmp_path: Path) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server_side, _ = certified(tmp_path)
    server = await asyncio.start_server(never, "127.0.0.1", 0, ssl=server_side)
    port = server.sockets[0].getsockname()[1]
    hosts = Hosts(rest=f"https://127.0.0.1:{port}", streams=f"wss://127.0.0.1:{port}")
    found = {check.name: check async for check in network_checks(hosts, SystemClock())}
    server.close()
    check = found[f"TLS to 127.0.0.1:{port}"]
    assert (check.mark, "not trusted" in check.found) == (Mark.WRONG, True)
    assert "Do not switch the check off" in check.mend


async def test_a_peer_that_never_answers_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perpwire.cli.network_checks.PATIENCE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        hosts = Hosts(rest=f"https://127.0.0.1:{port}", streams=f"wss://127.0.0.1:{port}")
        found = {check.name: check async for check in network_checks(hosts, SystemClock())}
    check = found[f"TLS to 127.0.0.1:{port}"]
    assert (check.mark, "no answer within 0.3 s" in check.found) == (Mark.WRONG, True)
    assert "firewall" in check.mend


@pytest.mark.parametrize(("share", "mark"), [(0.6, Mark.WARNING), (0.95, Mark.WRONG)])
async def test_a_budget_that_others_at_this_address_use_up_is_told_before_anything_waits_for_it(
    share: float, mark: Mark
) -> None:
    # The venue's minute has just begun, so that it does not end meanwhile.
    minute = Skew(seconds=1 - time.time() % 60)
    async with running(venues=("binance",), latency_s=0, faults={"binance": [minute]}) as simulation:
        url = simulation.urls["binance"]

        def others() -> None:
            for _ in range(round(2400 * share / 20)):
                with urllib.request.urlopen(f"{url}/fapi/v1/depth?symbol=BTCUSDT&limit=1000", timeout=5) as reply:
                    reply.read()

        await asyncio.to_thread(others)
        connector = VenueConnector(load("binance"), url=url, check_key=False, warm=False)
        checks = connector_checks(connector, SystemClock(), None, "none", symbol="BTCUSDT", patience_s=1)
        found = [await anext(checks), await anext(checks)]
        await checks.aclose()
    assert [check.name for check in found] == ["key format", "rate budget"]
    assert found[1].mark is mark
    assert "weight_1m" in found[1].found


async def test_a_proxy_variable_that_is_not_gone_by_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    hosts = Hosts(rest="http://127.0.0.1:1", streams="ws://127.0.0.1:1")
    first = await anext(network_checks(hosts, SystemClock()))
    assert (first.name, first.mark) == ("proxy", Mark.WARNING)
    assert "HTTPS_PROXY" in first.found


def test_every_host_of_an_environment_is_knocked_at_once() -> None:
    hosts = Hosts(rest="https://a.test", streams="wss://b.test:9443", private_streams="wss://b.test:9443")
    assert [(door.host, door.port, door.is_secure) for door in doors(hosts)] == [
        ("a.test", 443, True),
        ("b.test", 9443, True),
    ]


@pytest.mark.parametrize("key", ["your_api_key", "'quoted'", "a b", "схема"])
async def test_what_can_not_be_a_key_is_told_before_it_is_tried(key: str) -> None:
    found = await examined("binance", keys=Credentials(key, "secret"))
    assert found["key format"].mark is Mark.WRONG
    assert found["key accepted"].mark is Mark.SKIPPED
    assert key not in found["key format"].found


async def test_without_a_key_the_public_part_is_examined() -> None:
    found = await examined("bybit", keys=None)
    assert not_ok(found) == {
        "key format": Mark.WARNING, "key accepted": Mark.SKIPPED, "account stream": Mark.SKIPPED,
    }  # fmt: skip
    assert "none is set" in found["key format"].found


# --- as a user runs it --------------------------------------------------------------------------------------------


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["doctor", *arguments])
    return done.exit_code, done.stdout


def test_lines_report_and_exit_code_of_a_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadedExchange(venues=("bybit",), latency_s=0.001) as exchange:
        where = ("--venue", "bybit", "--url", exchange.bybit_url)
        code, out = run(*where, "--out", str(tmp_path / "report.json"))
        assert code == 0
        assert f"bybit, environment SIM: {exchange.bybit_url}" in out
        assert out.splitlines()[-1] == "14 ok"
        assert all(line.startswith("ok") for line in out.splitlines()[2:-2])
        report = json.loads((tmp_path / "report.json").read_text())
        assert (report["venues"][0]["env"], report["venues"][0]["contracts"]) == ("sim", 3)
        assert {check["mark"] for check in report["venues"][0]["checks"]} == {"ok"}

        exchange.bybit.faults.add(Skew(seconds=5))
        monkeypatch.setenv("BYBIT_SIM_API_KEY", "sim-key")
        monkeypatch.setenv("BYBIT_SIM_API_SECRET", "canary-secret")
        code, out = run(*where)
        assert code == 1
        assert "to mend: Set this machine's clock" in out
        code, out = run(*where, "--json")
        assert code == 1
        (line,) = out.splitlines()
        marks = {check["name"]: check["mark"] for check in json.loads(line)["venues"][0]["checks"]}
        assert (marks["clock"], marks["key accepted"], marks["answer"]) == ("wrong", "wrong", "ok")
        assert "canary" not in out
        assert "sim-key" not in out


def test_addresses_do_not_stand_in_the_report() -> None:
    said = redacted({"why": "IP(203.0.113.9) banned", "url": "http://127.0.0.1:9001"}, [])
    assert said == {"why": "IP(<address>) banned", "url": "http://127.0.0.1:9001"}


def test_a_report_that_can_not_be_written_is_told_before_anything_is_looked_at(tmp_path: Path) -> None:
    code, out = run("--venue", "bybit", "--url", "http://127.0.0.1:1", "--out", str(tmp_path / "no" / "report.json"))
    assert (code, out) == (1, "")


@pytest.mark.parametrize("width", [120, 80, 40])
def test_on_a_terminal_what_is_told_of_a_check_is_folded_beside_or_below_its_name(width: int) -> None:
    target = Target("bybit", "sim", None)
    found = "this machine's clock is 9000 ms behind the venue's, and the venue takes no stamp that is so old"
    mend = "Set this machine's clock by its time service (NTP), and look what sets it back again."
    out = io.StringIO()
    with Lines(Console(width=width, file=out, force_terminal=True, no_color=True), is_silent=False) as lines:
        lines.tell(target, "here", Check(name="clock", mark=Mark.WRONG, found=found, mend=mend))
    text = re.sub(r"\x1b\[\d*m", "", out.getvalue())
    told = [line.rstrip() for line in text.splitlines()[2:-2]]
    assert max(map(len, told)) <= width
    assert re.match(r"wrong +clock", told[0])
    indent = told[0].index("this") if width > 40 else 2
    assert all(line[:indent].isspace() and not line[indent].isspace() for line in told[1:])
    assert " ".join(" ".join(told).split()).endswith(f"{found} to mend: {mend}")

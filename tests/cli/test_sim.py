"""`perpwire sim` as a user runs it: in a process of its own."""

from __future__ import annotations

import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from perpwire.cli.entry import main

pytestmark = pytest.mark.slow


class Ended(NamedTuple):
    code: object
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ended]]:
    """A command that ends by itself, run in this process."""

    def ended(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["perpwire", "sim", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return Ended(end.value.code, *capsys.readouterr())

    before = signal.getsignal(signal.SIGINT)
    yield ended
    signal.signal(signal.SIGINT, before)


@contextmanager
def serving(*arguments: str, ending: signal.Signals = signal.SIGTERM) -> Iterator[dict[str, str]]:
    """The addresses of a running one, which must then end by the signal, cleanly and within two seconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "perpwire", "sim", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield json.loads(line)
        process.send_signal(ending)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as reply:
        return json.load(reply)


def post(url: str, content: object) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(content).encode()), timeout=5) as reply:
        return json.load(reply)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_one_line_of_addresses_then_both_venues_serve_until_a_signal(ending: signal.Signals) -> None:
    with serving("--seed", "3", "--latency", "1", ending=ending) as urls:
        assert list(urls) == ["binance", "bybit"]
        assert all(url.startswith("http://127.0.0.1:") for url in urls.values())
        assert get(f"{urls['binance']}/fapi/v1/ping") == {}
        assert get(f"{urls['bybit']}/v5/market/time")["retMsg"] == "OK"


def test_ports_accounts_symbols_and_faults_are_as_asked_for(tmp_path: Path) -> None:
    world = tmp_path / "world.json"
    accounts = [{"name": "one", "api_key": "k1", "secret_key": "s1", "cash": "12.5"}, {"name": "two", "api_key": "k2"}]
    world.write_text(
        json.dumps({"accounts": accounts, "symbols": [{"symbol": "币安人生USDT", "start_price": "0.1234"}]})
    )
    more = tmp_path / "symbols.json"
    more.write_text(json.dumps([{"symbol": "1000PEPEUSDT", "start_price": "0.0098", "venues": ["bybit"]}]))
    faults = tmp_path / "faults.json"
    faults.write_text('{"bybit": [{"kind": "answer", "path": "/v5/market/time", "status": 503}]}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = ("--accounts", str(world), "--symbols", str(more), "--faults", str(faults), "--binance-port", str(port))
    with serving(*flags, "--rate", "200", "--latency", "1") as urls:
        assert urls["binance"] == f"http://127.0.0.1:{port}"
        states = {venue: get(f"{url}/sim/state") for venue, url in urls.items()}
        assert set(states["binance"]["accounts"]) == {"one", "two"}
        assert states["bybit"]["accounts"]["one"]["wallet"] == {"USDT": "12.5"}
        assert [*states["binance"]["markets"]][3:] == ["币安人生USDT"]
        assert [*states["bybit"]["markets"]][3:] == ["币安人生USDT", "1000PEPEUSDT"]
        listed = {one["symbol"]: one for one in get(f"{urls['binance']}/fapi/v1/exchangeInfo")["symbols"]}
        assert (listed["币安人生USDT"]["baseAsset"], listed["币安人生USDT"]["quoteAsset"]) == ("币安人生", "USDT")
        name = quote("币安人生USDT")
        book = get(f"{urls['binance']}/fapi/v1/depth?symbol={name}&limit=5")
        assert 0.12 < float(book["bids"][0][0]) < float(book["asks"][0][0]) < 0.13
        book = get(f"{urls['bybit']}/v5/market/orderbook?category=linear&symbol=1000PEPEUSDT&limit=5")["result"]
        assert 0.009 < float(book["b"][0][0]) < float(book["a"][0][0]) < 0.010
        with pytest.raises(urllib.error.HTTPError, match="503"):
            get(f"{urls['bybit']}/v5/market/time")
        assert get(f"{urls['bybit']}/v5/market/time")["retCode"] == 0


def test_it_is_controlled_over_http_while_it_runs() -> None:
    with serving("--latency", "0") as urls:
        url = urls["binance"]
        assert post(f"{url}/sim/clock", {"skew_s": 3})["skew_s"] == 3
        assert get(f"{url}/fapi/v1/time")["serverTime"] - get(f"{urls['bybit']}/sim/clock")["time_ms"] > 2000
        assert post(f"{url}/sim/faults", {"kind": "answer", "status": 418, "after_s": 60}) == {"numbers": [1]}
        assert [one["number"] for one in get(f"{url}/sim/faults")] == [1]
        (request,) = [
            one for one in get(f"{url}/sim/journal?kind=request")["entries"] if "/fapi/v1/time" in one["text"]
        ]
        assert request["venue"] == "binance"


def test_a_profile_of_faults_is_on_order() -> None:
    with serving("--faults", "brutal", "--latency", "0") as urls:
        assert len(get(f"{urls['bybit']}/sim/faults")) > 20


def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "exchange.sqlite"
    accounts = tmp_path / "accounts.json"
    accounts.write_text('[{"name": "main", "api_key": "k", "secret_key": "s", "cash": "5000"}]')
    flags = ["sim", "--state", str(state), "--accounts", str(accounts), "--latency", "0", "--rate", "5"]

    def serve() -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "perpwire", *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())["binance"]

    def order(url: str, method: str, path: str, query: str) -> Any:
        query += f"&timestamp={round(time.time() * 1000)}"
        signature = hmac.new(b"s", query.encode(), "sha256").hexdigest()
        asked = urllib.request.Request(f"{url}{path}?{query}&signature={signature}", method=method)
        asked.add_header("X-MBX-APIKEY", "k")
        with urllib.request.urlopen(asked, timeout=5) as reply:
            return json.load(reply)

    process, url = serve()
    try:
        limit = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=62000&newClientOrderId=kept"
        placed = order(url, "POST", "/fapi/v1/order", limit)
        order(url, "POST", "/fapi/v1/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.02")
        before = get(f"{url}/sim/state")["accounts"]["main"]["wallet"]
        process.kill()
        process.communicate()
        process, url = serve()
        (kept,) = order(url, "GET", "/fapi/v1/openOrders", "symbol=BTCUSDT")
        assert (kept["orderId"], kept["clientOrderId"], kept["price"]) == (placed["orderId"], "kept", "62000.00")
        account = get(f"{url}/sim/state")["accounts"]["main"]
        assert account["wallet"] == before
        assert [one["quantity"] for one in account["positions"]] == ["0.02"]
    finally:
        process.kill()
        process.communicate()


def test_the_same_seed_begins_with_the_same_book() -> None:
    books = []
    for seed in ("5", "5", "6"):
        with serving("--seed", seed, "--rate", "0.000001") as urls:
            books.append(get(f"{urls['binance']}/fapi/v1/depth?symbol=BTCUSDT&limit=20")["bids"])
    assert books[0] == books[1] != books[2]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--no-such-flag"], ["--no-such-flag", "--help"]),
        (["--rate", "many"], ["--rate", "number"]),
        (["--rate", "-1"], ["--rate"]),
        (["--binance-port", "99999"], ["--binance-port", "65535"]),
        (["--routes", "wide"], ["--routes", "strict", "lenient"]),
        (["--accounts", "/no/such/file"], ["--accounts", "/no/such/file"]),
        (["--latency"], ["--latency"]),
        (["--faults", "wild"], ["wild"]),
        (["--state", "/no/such/folder/file"], ["/no/such/folder/file"]),
        (["stray"], ["stray"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistaken_flag_is_told_in_one_line_with_exit_code_2(
    run: Callable[..., Ended], flags: list[str], words: list[str]
) -> None:
    done = run(*flags)
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.strip().splitlines()
    for word in ("error:", *words):
        assert word in line


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--faults", '{"this is": ['),
        ("--accounts", '[{"name": "a", "api_key": "1"}, {"name": "b", "api_key": "1"}]'),
        ("--accounts", '{"accounts": [], "money": 1}'),
        ("--symbols", '[{"symbol": "DOGEUSDT"}]'),
        ("--symbols", '[{"symbol": "DOGEBTC", "start_price": "1"}]'),
        ("--replay", ""),
        ("--state", "no database"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_told_in_one_line(
    run: Callable[..., Ended], option: str, text: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    done = run(option, str(path))
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.strip().splitlines()
    assert "bad.json" in line


def test_a_port_in_use_is_told_in_one_line(run: Callable[..., Ended]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("--binance-port", str(taken.getsockname()[1]))
    assert (done.code, done.out) == (1, "")
    (line,) = done.err.strip().splitlines()
    assert "in use" in line


def test_the_help_page_is_enough_to_use_it(run: Callable[..., Ended]) -> None:
    page = " ".join(run("--help").out.split())
    flags = (
        "binance-port",
        "bybit-port",
        "seed",
        "rate",
        "latency",
        "accounts",
        "symbols",
        "faults",
        "state",
        "routes",
    )
    for words in (*(f"--{flag}" for flag in (*flags, "replay", "speed")), "sim-key", "/sim/faults", "start_price"):
        assert words in page

"""`perpwire serve` as its user runs it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytestmark = pytest.mark.slow

WAIT_S = 60.0


@contextmanager
def serve(*words: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The verb, in a process of its own, without the settings of whoever runs the tests."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("PERPWIRE_")} | variables
    process = subprocess.Popen(
        [sys.executable, "-m", "perpwire", "serve", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    told: dict[str, Any] = json.loads(process.stdout.readline())
    return told


def get(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def until_ready(page: str) -> None:
    end = time.monotonic() + WAIT_S
    while get(f"{page}/health/ready")[0] != 200:
        assert time.monotonic() < end, get(f"{page}/health/ready")
        time.sleep(0.1)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_follows_an_embedded_exchange_until_a_signal_and_ends_at_once(ending: signal.Signals) -> None:
    with serve("--port", "0", "--json") as process:
        told = said(process)
        assert set(told) == {"page", "exchanges"}
        assert told["page"].startswith("http://127.0.0.1:")
        until_ready(told["page"])
        status, text = get(f"{told['page']}/api/snapshot")
        assert status == 200
        assert {venue["env"] for venue in json.loads(text)["snapshot"]["venues"]} == {"sim"}
        assert 'src="/assets/page.js"' in get(f"{told['page']}/")[1]
        began = time.monotonic()
        process.send_signal(ending)
        out, errors = process.communicate(timeout=20)
        assert time.monotonic() - began < 15  # of a machine that may be busy; 0.3 s where it is not
        assert process.returncode == 0
        assert out == ""
        assert "Traceback" not in errors
        assert "sim-secret" not in errors


def test_people_are_told_where_the_page_is() -> None:
    with serve("--port", "0", "--venue", "bybit") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "http://127.0.0.1:" in line
        assert "bybit (sim)" in line
        assert "binance" not in line


def test_the_token_comes_from_the_environment_and_is_said_nowhere() -> None:
    token = "a token that nobody may read"
    with serve("--port", "0", "--json", PERPWIRE_PAGE_TOKEN=token) as process:
        page = said(process)["page"]
        assert get(f"{page}/api/snapshot")[0] == 401
        assert get(f"{page}/api/snapshot", Authorization=f"Bearer {token}")[0] == 200
        assert get(f"{page}/?token=wrong-and-long-enough")[0] == 401
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=20)
        assert token not in out + errors


def test_a_port_in_use_is_one_line_and_code_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, serve("--port", str(taken.getsockname()[1])) as process:
        _, errors = process.communicate(timeout=WAIT_S)
        assert process.returncode == 1
        assert "in use" in errors
        assert "Traceback" not in errors


def test_an_open_address_without_a_token_is_a_mistake_and_code_2() -> None:
    with serve("--host", "0.0.0.0", "--port", "0") as process:
        _, errors = process.communicate(timeout=WAIT_S)
        assert process.returncode == 2
        assert "PERPWIRE_PAGE_TOKEN" in errors
        assert "Traceback" not in errors

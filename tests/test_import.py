"""What merely importing costs, and that it does nothing but import."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from perpwire.venues import VENUES

OPTIONAL = {
    "apprise",
    "cryptography",
    "prometheus_client",
    "pyarrow",
    "redis",
    "rich",
    "typer",
    "uvloop",
    "zstandard",
}
ENTRIES = [
    "perpwire",
    "perpwire.api_connector",
    "perpwire.api_connector.venue_connector",
    "perpwire.api_connector.websocket_manager",
    "perpwire.data_processor",
    "perpwire.fanout.producer",
    "perpwire.fanout.reader",
    "perpwire.notification.notifier",
    "perpwire.simulator.exchange",
    *(f"{package}.connector" for package in VENUES.values()),
    *(f"{package}.sim" for package in VENUES.values() if importlib.util.find_spec(f"{package}.sim")),
]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    run = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return run


def loaded_by(module: str) -> set[str]:
    """The top-level packages that importing a module loads, by the interpreter's own account."""
    run = python("-X", "importtime", "-c", f"import {module}")
    lines = [line for line in run.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}


@pytest.mark.parametrize("module", ENTRIES)
def test_importing_loads_no_optional_package(module: str) -> None:
    loaded = loaded_by(module)
    assert "perpwire" in loaded
    assert loaded & OPTIONAL == set()


def test_importing_the_root_loads_no_package_but_ours() -> None:
    outside = {
        name for name in loaded_by("perpwire") if name not in sys.stdlib_module_names and not name.startswith("_")
    }
    assert outside - loaded_by("site") == {"perpwire"}


@pytest.mark.parametrize("module", ENTRIES)
def test_importing_starts_no_thread_and_opens_no_socket(module: str) -> None:
    script = f"""
import sys
seen = []
watched = ("socket.__new__", "socket.connect", "_thread.start_new_thread", "_thread.start_joinable_thread")
sys.addaudithook(lambda event, _: seen.append(event) if event in watched else None)
import {module}
import threading
print(seen, threading.active_count())
"""
    run = python("-c", script)
    assert run.stdout.strip() == "[] 1"
    assert run.stderr == ""


OPENS = """
import asyncio, sys, threading
from perpwire.api_connector.websocket_manager import WebSocketManager
from perpwire.transport.base import TransportFailed

class Watch:
    threads = []
    def find_spec(self, name, path=None, target=None):
        if name == "picows":
            self.threads.append(threading.current_thread())

sys.meta_path.insert(0, Watch())

async def main():
    manager = WebSocketManager()
    sockets = manager.transport()
    assert "picows" not in sys.modules
    for _ in range(2):
        try:
            await sockets.connect("ws://127.0.0.1:1/", None, 5.0)
        except TransportFailed as failure:
            print(failure.reason)
    assert "picows" in sys.modules
    (thread,) = Watch.threads
    assert thread is not threading.main_thread()
    await manager.close()

asyncio.run(main())
"""


def test_the_first_socket_imports_what_it_needs_beside_the_event_loop() -> None:
    assert len(python("-c", OPENS).stdout.splitlines()) == 2

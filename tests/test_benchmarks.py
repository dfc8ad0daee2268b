"""The benchmarks run, and their clients are really served."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fanout.conftest import RedisServer, redis_server as redis_server
from tests.sizes import FULL

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_exchange_serves_every_connection_of_the_benchmark() -> None:
    command = ["-W", "error", "benchmarks/bench_exchange.py", "--seconds", "0.5", "--rate", "30", "--connections", "8"]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[0])
    assert figures["connections"] == 8
    assert figures["messages_per_s"] > 100
    assert figures["exchange_cpu_us_per_message"] > 0
    assert figures["lag_p50_ms"] <= figures["lag_p99_ms"]


@pytest.mark.slow
@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_every_client_of_the_order_benchmark_gets_its_orders_placed(venue: str) -> None:
    command = ["benchmarks/bench_orders.py", "--orders", "40", "--repeat", "1", "--json", "-", "--only", f"{venue}/"]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=120, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])
    assert len(rows) == 8
    assert all(row["cpu_us"] > 0 and row["least_us"] <= row["cpu_us"] <= row["most_us"] for row in rows)
    # No figure is held here, on a machine that does other things meanwhile: only that nothing has gone badly wrong.
    ours = [row for row in rows if row["client"] == "perpwire"]
    assert {(row["venue"], row["road"]) for row in ours} == {(venue, "rest"), (venue, "websocket")}


KINDS = {"top of book": 10, "trades": 10, "depth 20": 12}
"""Frames, and how many processes hear them: of the floor and of perpwire, at both venues."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS if FULL else ["trades"])
def test_every_client_of_the_frame_benchmark_hears_its_frames(kind: str) -> None:
    command = [
        "benchmarks/bench_frames.py", "--frames", "600", "--repeat", "1", "--at-once", "64", "--json", "-", "--only",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, *command, f"{kind}/picows", f"{kind}/perpwire"],
        capture_output=True, text=True, timeout=120, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])
    assert {(row["venue"], row["kind"]) for row in rows if row["client"] == "perpwire"} == {
        ("binance", kind), ("bybit", kind),
    }  # fmt: skip
    assert len(rows) == KINDS[kind]
    assert all(row["cpu_us"] > 0 and row["of_floor"] > 0 for row in rows)


@pytest.mark.slow
def test_the_benchmark_of_the_fan_out_gets_every_event_into_redis(redis_server: RedisServer) -> None:
    """It starts a server of its own; ours says that there is one."""
    command = ["benchmarks/bench_fanout.py", "--events", "400", "--rate", "2000", "--repeat", "1"]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["in_the_read_callback_us"] > 0
    assert figures["with_us"] > figures["without_us"] > 0

"""The benchmark of the exchange runs, and its clients are really served."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

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

"""What recording one response time costs: `python benchmarks/bench_metrics.py` prints nanoseconds a call."""

from __future__ import annotations

import platform
import random
import timeit

from perpwire.api_connector.histogram import Histogram
from perpwire.api_connector.metrics import APIMetrics

ROUNDS = 200_000


def nanoseconds_each(statement: str, names: dict[str, object]) -> float:
    """The best of five timings, so that what else the machine does counts least."""
    loop = f"for value in values:\n    {statement}"
    return min(timeit.repeat(loop, globals=names, number=1, repeat=5)) / ROUNDS * 1e9


def main() -> None:
    generator = random.Random(1)
    seconds = [generator.lognormvariate(-4, 1) for _ in range(ROUNDS)]
    nanoseconds = [int(value * 1e9) for value in seconds]
    metrics = APIMetrics()
    rows = {
        "Histogram.record of an int": nanoseconds_each(
            "record(value)", {"values": nanoseconds, "record": Histogram().record}
        ),
        "APIMetrics.record_request": nanoseconds_each(
            "record(value, True)", {"values": seconds, "record": metrics.record_request}
        ),
        "APIMetrics.record_call": nanoseconds_each(
            "record('place_order', value, None)", {"values": seconds, "record": metrics.record_call}
        ),
        "an empty loop": nanoseconds_each("pass", {"values": seconds}),
    }
    print(f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}")
    for name, cost in rows.items():
        print(f"{cost:8.0f} ns  {name}")


if __name__ == "__main__":
    main()

"""A trading program that is told to end while an order's outcome is not known, over real sockets."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perpwire.simulator.faults import LoseAnswer

PLACE = {"binance": "/fapi/v1/order", "bybit": "/v5/order/create"}

PROGRAM = textwrap.dedent(
    """
    import asyncio, sys
    from perpwire import BinanceFuturesConnector, BybitConnector
    from perpwire.model.incident import OrderResolved

    venue, url, follows = sys.argv[1:]

    def tell(incident):
        if isinstance(incident, OrderResolved):
            print(incident.outcome, incident.client_order_id, flush=True)

    async def main():
        kind = {"binance": BinanceFuturesConnector, "bybit": BybitConnector}[venue]
        async with kind("sim-key", "sim-secret", url=url) as connector:
            connector.on_incident(tell)
            if follows == "True":
                await connector.open_account_stream()
            await connector.get_instruments()
            print("placing", flush=True)
            await connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price="30000", client_order_id="cut-short")

    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
    """
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process there")
@pytest.mark.parametrize("follows", [False, True], ids=["", "with the account's stream"])
@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_a_program_that_is_interrupted_is_gone_within_three_seconds_and_names_the_order(
    perpwire_exchange_factory: Callable[..., Any], venue: str, follows: bool, tmp_path: Path
) -> None:
    """Where the account's stream has told of the order meanwhile, it is no longer unresolved."""
    with perpwire_exchange_factory(venues=[venue], rate=0) as exchange:
        lost = LoseAnswer(method="POST", path=PLACE[venue], contains="cut-short", how="silence")
        exchange.faults[venue].add(lost)
        program = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", "-c", PROGRAM, venue, exchange[venue].url, str(follows)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        )  # fmt: skip
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "placing\n"
            time.sleep(0.3)
            began = time.monotonic()
            program.send_signal(signal.SIGINT)
            out, complaints = program.communicate(timeout=10)
        finally:
            program.kill()
        assert time.monotonic() - began < 3
        assert program.returncode == 130
        assert out == f"{'ACCEPTED' if follows else 'UNRESOLVED'} cut-short\n"
        # In the log, too, for those who do not listen to incidents.
        assert ("(cut-short) could not be learnt" in complaints) != follows
        assert "Warning" not in complaints
        assert "Traceback" not in complaints

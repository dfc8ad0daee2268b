"""`perpwire serve` with a Redis server, as its user sets it up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.test_serve import get, said, serve, until_ready
from tests.fanout.conftest import RedisServer, redis_server as redis_server
from tests.fanout.hearing import read_until

from perpwire.fanout.reader import read
from perpwire.model.market import BookTicker, Trade
from perpwire.model.written import Told

pytestmark = pytest.mark.slow

PASSWORD = "canarycanary"


async def test_what_both_venues_say_is_read_elsewhere_and_the_password_is_in_nothing_it_prints(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    await redis_server.ask("CONFIG", "SET", "requirepass", PASSWORD)
    log = tmp_path / "log"
    variables = {
        "PERPWIRE_REDIS_URL": redis_server.url(PASSWORD), "PERPWIRE_REDIS_PREFIX": "mine",
        "PERPWIRE_LOGS_FILE": str(log), "PERPWIRE_LOGS_LEVEL": "debug", "PERPWIRE_LOGS_FORMAT": "json",
    }  # fmt: skip
    with serve("--port", "0", "--json", **variables) as process:
        told = said(process)
        until_ready(told["page"])
        missing = {(venue, kind) for venue in ("binance", "bybit") for kind in (Trade, BookTicker)}

        def is_all(one: Told) -> bool:
            missing.difference_update([(one.venue, kind) for kind in (Trade, BookTicker) if isinstance(one, kind)])
            return not missing

        async with read(redis_server.url(PASSWORD), prefix="mine", since="oldest") as reader:
            await read_until(reader, is_all)
            assert reader.gaps == 0
        fanout = json.loads(get(f"{told['page']}/api/snapshot")[1])["snapshot"]["fanout"]
        assert fanout["is_up"]
        assert fanout["sent"] > 0
        redis_server.kill()
        process.terminate()
        out, errors = process.communicate(timeout=20)
        assert process.returncode == 0
    assert PASSWORD not in out + errors + log.read_text(encoding="utf-8")


@pytest.mark.parametrize("url", ["http://127.0.0.1:6379", f"redis://:{PASSWORD}@"])
def test_a_mistaken_address_is_told_before_anything_starts_and_by_config_check(url: str) -> None:
    for verb in (["serve"], ["config", "check"]):
        done = subprocess.run(
            [sys.executable, "-m", "perpwire", *verb], capture_output=True, text=True, timeout=60,
            env={"PATH": "", "PERPWIRE_REDIS_URL": url, "PYTHONPATH": ":".join(sys.path)}, check=False,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert "no URL of a Redis server" in done.stderr
        assert PASSWORD not in done.stdout + done.stderr

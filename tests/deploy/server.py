"""A real Prometheus server on loopback, with what lies in deploy/."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientConnectionError, ClientSession

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = PROMETHEUS / "perpwire.rules.yml"
WAIT_S = 60.0


class Server:
    """Its HTTP API."""

    def __init__(self, client: ClientSession, log: Path) -> None:
        self._client = client
        self.log = log

    async def ask(self, path: str, **query: str) -> Any:
        """The data of an answer.

        Raises:
            AssertionError: It is an error.
        """
        async with self._client.get(f"/api/v1/{path}", params=query) as response:
            said = await response.json()
        assert said["status"] == "success", f"{query}: {said}"
        assert not said.get("warnings"), f"{query}: {said}"
        return said["data"]

    async def samples(self, query: str) -> list[tuple[dict[str, str], float]]:
        """What a query gives now: labels and value."""
        data = await self.ask("query", query=query)
        assert data["resultType"] == "vector"
        return [(one["metric"], float(one["value"][1])) for one in data["result"]]

    async def firing(self) -> set[tuple[str, str]]:
        """Name of an alert, and the connector or instance that it is of."""
        return {
            (one["labels"]["alertname"], one["labels"].get("connector", one["labels"].get("instance", "")))
            for one in (await self.ask("alerts"))["alerts"]
            if one["state"] == "firing"
        }

    async def is_ready(self) -> bool:
        try:
            async with self._client.get("/-/ready") as response:
                return response.status == 200
        except ClientConnectionError:
            return False


@asynccontextmanager
async def prometheus(folder: Path, *targets: str) -> AsyncIterator[Server]:
    """It scrapes `targets` and evaluates the rules once a second; what must last for minutes, for a second."""
    rules = re.sub(r"\bfor: \w+", "for: 1s", RULES.read_text(encoding="utf-8"))
    (folder / RULES.name).write_text(rules, encoding="utf-8")
    config = (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8")
    for written, ours in (("_interval: 5s", "_interval: 1s"), ('["127.0.0.1:8787"]', str(list(targets)))):
        assert written in config
        config = config.replace(written, ours)
    (folder / "prometheus.yml").write_text(config, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    log = folder / "log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}", "--log.level=warn", stdout=file, stderr=file,
        )  # fmt: skip
    try:
        async with ClientSession(f"http://{address}") as client:
            server = Server(client, log)
            await until(server.is_ready, "Prometheus is ready", server)
            yield server
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def until(holds: Callable[[], Awaitable[bool]], what: object, server: Server) -> None:
    """Ask again and again until it `holds`. `what` is said where it never does, as it is then."""
    end = time.monotonic() + WAIT_S
    while not await holds():
        assert time.monotonic() < end, f"not within {WAIT_S:g} s: {what}\n{server.log.read_text(errors='replace')}"
        await asyncio.sleep(0.1)

"""A real Redis server on a loopback port of its own."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotThere

WAIT_S = 20.0


class RedisServer:
    """One server, which can be killed and started again; what it has taken is on its disk, unless it keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.unix = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, password: str = "") -> str:
        return f"redis://{f':{password}@' if password else ''}127.0.0.1:{self.port}/0"

    async def start(self, *, keeps: bool = True) -> None:
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        words += ["--unixsocket", str(self.unix), "--appendonly", "yes" if keeps else "no", "--appendfsync", "always"]
        self._process = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)  # noqa: ASYNC220
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    await self.ask("PING")
                except NotThere:
                    await asyncio.sleep(0.02)
                else:
                    return

    async def ask(self, *words: str | int, password: str = "") -> Any:
        client = Redis.from_url(self.url(password), decode_responses=True)
        try:
            return await client.execute_command(*words)  # type: ignore[no-untyped-call]
        finally:
            await client.aclose()

    async def entries(self, stream: str) -> list[dict[str, str]]:
        return [dict(fields) for _, fields in await self.ask("XRANGE", stream, "-", "+")]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a machine that loses its power would end it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
async def redis_server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    server = RedisServer(tmp_path)
    await server.start()
    yield server
    server.kill()

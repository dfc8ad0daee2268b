"""Receivers on loopback as people have them: a mail server, a webhook, and a Bot API like Telegram's; each can fail."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

TOKEN = "123456789:canary-canary-canary-canary-canar"
SECRET = "hunter2-canary"


class Port:
    """Bound until somebody listens there: else another process may be given it, and take what nobody is to take."""

    def __init__(self) -> None:
        self._bound = socket.socket()
        self._bound.bind(("127.0.0.1", 0))
        self.number: int = self._bound.getsockname()[1]

    def free(self) -> int:
        self._bound.close()
        return self.number

    def __del__(self) -> None:
        self._bound.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what a receiver has has no event to wait for
            await asyncio.sleep(0.01)


class Receiver:
    """A port that stays the same through outages; `texts` is what it took.

    Attributes:
        mode: "ok", "error" (HTTP 500, SMTP 451), "busy" (HTTP 429 for `retry_after_s`), or "hang".
    """

    def __init__(self) -> None:
        self._port = Port()
        self.port = self._port.number
        self.mode = "ok"
        self.retry_after_s = 1
        self.texts: list[str] = []
        self.tries: list[float] = []
        self._released = asyncio.Event()

    @property
    def sink(self) -> dict[str, Any]:
        """As the rules file names it."""
        raise NotImplementedError

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        raise NotImplementedError
        yield

    def _noted(self) -> None:
        self.tries.append(asyncio.get_running_loop().time())


class _Http(Receiver):
    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port.free()).start()
        try:
            yield
        finally:
            self._released.set()
            await runner.cleanup()
            self._released.clear()

    async def _handle(self, request: web.Request) -> web.Response:
        self._noted()
        if self.mode == "hang":
            await self._released.wait()
        if self.mode == "busy":
            return self.busy()
        if self.mode != "ok":
            return web.Response(status=500)
        return self.take(request.path, await request.json())

    def busy(self) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": str(self.retry_after_s)})

    def take(self, path: str, said: Any) -> web.Response:
        raise NotImplementedError


class Webhook(_Http):
    @property
    def sink(self) -> dict[str, Any]:
        return {"url": f"json://127.0.0.1:{self.port}/{SECRET}?rto=0.3"}

    def take(self, path: str, said: Any) -> web.Response:
        assert path == f"/{SECRET}"
        self.texts.append(f"{said['title']}\n{said['message']}")
        return web.Response()


class Telegram(_Http):
    """The Bot API's sendMessage."""

    @property
    def sink(self) -> dict[str, Any]:
        return {"url": f"tgram://{TOKEN}/4711/?rto=0.3", "api": f"http://127.0.0.1:{self.port}"}

    def take(self, path: str, said: Any) -> web.Response:
        assert path == f"/bot{TOKEN}/sendMessage"
        assert str(said["chat_id"]) == "4711"
        self.texts.append(said["text"])
        return web.json_response({"ok": True, "result": {"message_id": len(self.texts)}})

    def busy(self) -> web.Response:
        told = {"ok": False, "error_code": 429, "parameters": {"retry_after": self.retry_after_s}}
        return web.json_response(told, status=429)


class Mail(Receiver):
    @property
    def sink(self) -> dict[str, Any]:
        return {"url": f"mailto://127.0.0.1:{self.port}?from=perpwire@example.org&to=ops@example.org&cto=0.5"}

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, loop=loop), "127.0.0.1", self._port.free())
        try:
            yield
        finally:
            self._released.set()
            server.close()
            await server.wait_closed()
            self._released.clear()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self._noted()
        if self.mode == "hang":
            await self._released.wait()
            return "421 too late"
        if self.mode != "ok":
            return "451 Requested action aborted: try later"
        assert isinstance(envelope.content, bytes)
        said = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = said.get_body(("plain", "html"))
        assert body is not None
        self.texts.append(f"{said['subject']}\n{body.get_content()}")
        return "250 OK"


RECEIVERS = (Webhook, Telegram, Mail)

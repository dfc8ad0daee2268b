"""The status page as a web server: the page itself, its stream, the same as JSON, health for supervisors, metrics.

Everything is read; nothing can be changed from here.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from perpwire.clock import Clock
from perpwire.errors import BadInput
from perpwire.gateway.assets import Asset, assets, takes_gzip
from perpwire.gateway.door import HEADERS, OPEN, Door
from perpwire.gateway.live_feed import LiveFeed
from perpwire.gateway.server_log import ServerLog
from perpwire.gateway.showing import Shown

_SHUTDOWN_S = 0.2
MOST_INCIDENTS = 1000
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pages:
    """A server for people, supervisors and Prometheus.

    Args:
        shown: What there is to be shown.
        metrics: The exposition and its content type.
        host, port: Where to listen; port 0: any free one.
        token: What a visitor must know; "": nothing, which is for loopback only.
        most_visitors: Pages open at a time.
        patience_s: A page that has not read for so long is dropped.
        period_s: From one look to the next.

    Raises:
        BadInput: Other machines could read it, and there is no token; or the token is too short.
    """

    def __init__(
        self,
        shown: Shown,
        metrics: Callable[[], tuple[bytes, str]],
        clock: Clock,
        *,
        host: str = "127.0.0.1",
        port: int = 8787,
        token: str = "",
        most_visitors: int = 32,
        patience_s: float = 10.0,
        period_s: float = 1.0,
    ) -> None:
        self._shown = shown
        self._metrics = metrics
        self._door = Door(host, token)
        self._host, self._port = host, port
        self._assets = assets()
        self.feed = LiveFeed(
            shown, clock, run=f"{clock.time_ns():x}", period_s=period_s, most=most_visitors, patience_s=patience_s
        )
        self._log = ServerLog(logging.getLogger("perpwire.gateway"), clock)
        self._runner: web.AppRunner | None = None
        self.address = ""
        """Where it is, such as http://127.0.0.1:8787, once started."""

    async def start(self) -> None:
        """
        Raises:
            OSError: The port is taken, or there is no such address here.
        """
        app = web.Application(middlewares=[self._let_in])
        app.on_response_prepare.append(_say_to_browsers)
        app.router.add_get("/", self._page)
        app.router.add_get("/assets/{name}", self._asset)
        app.router.add_get("/events", self._events, allow_head=False)
        app.router.add_get("/api/snapshot", self._snapshot)
        app.router.add_get("/api/incidents", self._incidents)
        app.router.add_get("/api/history", self._history)
        app.router.add_get("/health/live", self._live)
        app.router.add_get("/health/ready", self._ready)
        app.router.add_get("/metrics", self._exposition)
        runner = web.AppRunner(
            app, access_log=None, logger=self._log, shutdown_timeout=_SHUTDOWN_S, handler_cancellation=True
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            words = f"{self._host}:{self._port} can't be listened on: {error.strerror}; say another --port (0: any)"
            raise OSError(error.errno, words) from None
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        port = runner.addresses[0][1]
        self.address = f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{port}"
        self.feed.start()

    async def close(self) -> None:
        """Hang up on everybody, within half a second."""
        await self.feed.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    # --- who may come in ----------------------------------------------------------------------------------------------

    @web.middleware
    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        is_known = self._door.knows(request)
        if not is_known and not self._door.is_called_rightly(request.headers.get("Host", "")):
            return _text(421, "This is not a name of this page. Call it by its address.\n")
        if request.path == "/" and "token" in request.query:
            return self._show_token(request)
        if not self._door.may_read(request) and not request.path.startswith(OPEN):
            return self._ask_for_token(request)
        return await handler(request)

    def _show_token(self, request: web.Request) -> web.Response:
        """The token leaves the address line, where others may read it, for a cookie that no script can read."""
        if not self._door.is_token(request.query["token"].strip()):
            return self._ask_for_token(request)
        rest = request.rel_url.without_query_params("token")
        response = web.Response(status=303, headers={"Location": str(rest), "Cache-Control": "no-store"})
        self._door.give_pass(request, response)
        return response

    def _ask_for_token(self, request: web.Request) -> web.Response:
        if request.path == "/":
            response = self._answer(request, self._assets["token.html"])
            response.set_status(401)
        else:
            response = _text(401, "A token is needed: Authorization: Bearer TOKEN\n")
        response.headers["WWW-Authenticate"] = 'Bearer realm="perpwire"'
        response.headers["Cache-Control"] = "no-store"
        return response

    # --- for people ---------------------------------------------------------------------------------------------------

    async def _page(self, request: web.Request) -> web.Response:
        return self._answer(request, self._assets["page.html"])

    async def _asset(self, request: web.Request) -> web.Response:
        asset = self._assets.get(request.match_info["name"])
        if asset is None or request.match_info["name"].endswith(".html"):
            return _text(404, "There is no such file.\n")
        return self._answer(request, asset)

    def _answer(self, request: web.Request, asset: Asset) -> web.Response:
        headers = {"ETag": asset.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if asset.tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        headers["Content-Type"] = asset.kind
        if asset.zipped is not None and takes_gzip(request.headers.get("Accept-Encoding", "")):
            headers["Content-Encoding"] = "gzip"
            return web.Response(body=asset.zipped, headers=headers)
        return web.Response(body=asset.body, headers=headers)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return await self.feed.visit(request)

    # --- for programs -------------------------------------------------------------------------------------------------

    async def _snapshot(self, request: web.Request) -> web.Response:
        return _json(self._shown.now())

    async def _incidents(self, request: web.Request) -> web.Response:
        try:
            after, limit = _whole(request, "after", 0), _whole(request, "limit", 100)
        except BadInput as error:
            return _json({"error": error.reason}, 400)
        return _json(self._shown.incidents(after, min(limit, MOST_INCIDENTS)))

    async def _history(self, request: web.Request) -> web.Response:
        names = self._shown.names()
        if strange := request.query.keys() - {"name"}:
            return _json({"error": f"{', '.join(sorted(strange))} is not known: name is, of {', '.join(names)}"}, 400)
        try:
            return _json(self._shown.history(request.query.get("name", names[0] if names else "")))
        except BadInput as error:
            return _json({"error": error.reason}, 404)

    # --- for supervisors ----------------------------------------------------------------------------------------------

    async def _live(self, request: web.Request) -> web.Response:
        """It answers, so the event loop turns."""
        return _json({"live": True})

    async def _ready(self, request: web.Request) -> web.Response:
        """200 while all that was asked for is live and in sync; else 503, with what is missing."""
        missing = self._shown.now().missing
        answer: dict[str, Any] = {"ready": not missing}
        if missing and self._door.may_read(request):
            answer["missing"] = missing
        return _json(answer, 503 if missing else 200)

    async def _exposition(self, request: web.Request) -> web.Response:
        try:
            body, kind = self._metrics()
        except BadInput as error:
            return _text(501, f"{error.reason}. {error.advice}\n")
        return web.Response(body=body, headers={"Content-Type": kind, "Cache-Control": "no-store"})


async def _say_to_browsers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    response.headers["Server"] = "perpwire"


def _whole(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise BadInput(f"{name} must be a whole number of 0 or more")
    return int(text)


def _json(data: object, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=msgspec.json.encode(data) + b"\n",
        headers={"Content-Type": "application/json", "Cache-Control": "no-store"},
    )


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text)

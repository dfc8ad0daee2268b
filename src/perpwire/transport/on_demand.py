"""WebSockets that are made when the first is opened: what they need is imported then, in a thread, as that takes
longer than the event loop may stand still."""

from __future__ import annotations

import asyncio
import ssl
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

from perpwire.clock import Clock
from perpwire.transport.base import Socket, SocketListener, SocketTransport
from perpwire.transport.proxy import Proxy


class SocketsOnDemand:
    """See transport.base.SocketTransport, and PicowsTransport, which it opens them by."""

    def __init__(self, clock: Clock, *, proxy: Proxy | str | None, ssl_context: ssl.SSLContext | None) -> None:
        self._clock = clock
        self._proxy = proxy
        self._ssl_context = ssl_context
        self._made: SocketTransport | None = None

    async def connect(self, url: str, listener: SocketListener, timeout_s: float) -> Socket:
        if self._made is None:
            # A thread for this alone: the loop's own would stay.
            pool = ThreadPoolExecutor(1, "perpwire import")
            running = asyncio.get_running_loop().run_in_executor(pool, import_module, "perpwire.transport.websocket")
            pool.shutdown(wait=False)
            module = await running
            if self._made is None:  # or another one was sooner
                self._made = module.PicowsTransport(self._clock, proxy=self._proxy, ssl_context=self._ssl_context)
        return await self._made.connect(url, listener, timeout_s)

    async def close(self) -> None:
        if self._made is not None:
            await self._made.close()

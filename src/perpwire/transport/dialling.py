"""From a host's name to a connected socket.

Names are looked up in threads that nobody waits for. A loop's own look-ups are waited for when it is closed, and a
resolver that does not answer holds up the end of a program for as long as it has patience: half a minute.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from threading import Thread
from typing import Any

from aiohappyeyeballs import start_connection

NEXT_ADDRESS_S = 0.25
"""A host's next address is tried after this, beside the one before."""

Addresses = list[tuple[Any, ...]]
"""As of socket.getaddrinfo."""


class Dialler:
    """One for a transport."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int], asyncio.Future[Addresses]] = {}
        """Look-ups under way: whoever asks for the same meanwhile waits for the same."""

    async def dial(self, name: str, port: int) -> socket.socket:
        """A socket connected to the first of the host's addresses that can be reached. One that does not answer holds
        up the others for a moment only, and not for as long as a connection may take.

        Raises:
            OSError: There is no such name, or no address of it can be reached.
            ValueError: The name is none.
        """
        loop = asyncio.get_running_loop()
        addresses: Any = await self.look_up(name, port)
        return await start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_S, interleave=1, loop=loop)

    async def look_up(self, name: str, port: int) -> Addresses:
        """
        Raises:
            OSError: There is no such name.
            ValueError: The name is none.
        """
        if (address := numeric(name, port)) is not None:
            return address
        loop = asyncio.get_running_loop()
        asked = self._asked.get((name, port))
        if asked is None or asked.get_loop() is not loop:
            asked = self._asked[name, port] = loop.create_future()
            asked.add_done_callback(lambda _: self._asked.pop((name, port), None))
            Thread(target=_look_up, args=(loop, asked, name, port), name="perpwire look-up", daemon=True).start()
        return await asyncio.shield(asked)


def numeric(name: str, port: int) -> Addresses | None:
    """The address that is written as a number, which needs no look-up."""
    try:
        return list(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except socket.gaierror:
        return None


def let_go(dialled: socket.socket) -> None:
    """Of a connection that was given up while it was made. uvloop closes the descriptor behind the socket's back, which
    would close it once more, whosever it is by then."""
    try:
        dialled.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
    except OSError:
        dialled.detach()


def _look_up(loop: asyncio.AbstractEventLoop, asked: asyncio.Future[Addresses], name: str, port: int) -> None:
    found: Addresses = []
    failure: Exception | None = None
    try:
        found = list(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
    except Exception as error:
        failure = error

    def settle() -> None:
        if asked.done():
            return
        if failure is None:
            asked.set_result(found)
        else:
            asked.set_exception(failure)
            asked.exception()  # nobody may be waiting any more

    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(settle)

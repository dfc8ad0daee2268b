"""What is to be done when its user drops a thing without closing it: `async for ... in await watch(...): break`."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable


def when_dropped(thing: object, call: Callable[[], None]) -> Callable[[], None]:
    """Call it, in the loop that runs now, soon after nobody has `thing` any more; `call` itself must not hold it.
    Returns a function that takes this back."""
    loop = asyncio.get_running_loop()
    finalizer = weakref.finalize(thing, _soon, loop, call)
    finalizer.atexit = False

    def take_back() -> None:
        finalizer.detach()

    return take_back


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    try:
        is_here = asyncio.get_running_loop() is loop
    except RuntimeError:
        is_here = False
    if is_here:
        loop.call_soon(call)
    elif not loop.is_closed():
        loop.call_soon_threadsafe(call)

"""An answer that is waited for only so long, by the connector's own clock."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from perpwire.clock import Clock
from perpwire.raised import is_cancelled

T = TypeVar("T")


async def in_time(question: Coroutine[Any, Any, T], seconds: float, clock: Clock) -> T:
    """The answer, if it comes within so many seconds; else the question is given up.

    Raises:
        TimeoutError: It did not come.
    """
    asking = asyncio.ensure_future(question)

    def give_up() -> None:
        asking.cancel()

    timer = clock.call_later(max(0.0, seconds), give_up)
    try:
        return await asking
    except asyncio.CancelledError:
        if is_cancelled():
            asking.cancel()
            raise
        raise TimeoutError("there was no answer in time") from None
    finally:
        timer.cancel()

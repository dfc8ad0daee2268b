"""Make any task of ours fail at the very place where it waits."""

from __future__ import annotations

import asyncio

BY_FORCE = "nobody foresaw this"


def ours(name: str = "perpwire") -> list[asyncio.Task[object]]:
    """Tasks of the library that run, by the beginning of their names."""
    return [task for task in asyncio.all_tasks() if task.get_name().startswith(name)]


def kill(task: asyncio.Task[object], *, by_cancelling: bool = False) -> bool:
    """What it waits for raises, in it alone; False: it does not wait just now.

    Args:
        by_cancelling: What it waits for is cancelled, as if somebody else had done so; the task itself is not.
    """
    waits: asyncio.Future[object] | None = task._fut_waiter  # type: ignore[attr-defined]
    if waits is None or waits.done() or isinstance(waits, asyncio.Task) or hasattr(waits, "_children"):
        return False
    if by_cancelling:
        return waits.cancel(BY_FORCE)
    waits.set_exception(RuntimeError(BY_FORCE))
    return True

"""What code that is not ours may raise where we call it, and whom a cancellation is meant for."""

from __future__ import annotations

import asyncio

RAISED = (Exception, asyncio.CancelledError)
"""To be caught wherever a user's function is called from the middle of our work. Nothing cancels a plain function: one
that raises CancelledError has looked at a task or future of its own that was cancelled. What ends the program
(KeyboardInterrupt, SystemExit) passes."""


def is_our_end(error: BaseException) -> bool:
    """Whether it is the task it was raised in that was cancelled, and not something that it waited for."""
    return isinstance(error, asyncio.CancelledError) and is_cancelled()


def is_cancelled() -> bool:
    """Whether the task that runs has been asked to end, also where something has answered that by another error."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def failure_of(task: asyncio.Task[None]) -> BaseException | None:
    """What a task that is done has failed with: an error, or that something it waited for was cancelled."""
    if not task.cancelled():
        return task.exception()
    return None if task.cancelling() else asyncio.CancelledError("what it waited for was cancelled")

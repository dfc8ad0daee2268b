"""`perpwire replay`: a recording's events as JSON lines."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from perpwire.cli.running import say_error
from perpwire.clock import SystemClock
from perpwire.data_processor.recording_format import Recording
from perpwire.data_processor.replay import Replay
from perpwire.errors import BadInput
from perpwire.model.market import Event
from perpwire.model.written import KINDS, written
from perpwire.venues import load

TURN = 500
"""Frames between two looks at whether somebody wants it to end."""


def chosen(kinds: Sequence[str]) -> tuple[type[Event], ...]:
    """Kinds of event by name; all where none is named.

    Raises:
        BadInput: There is no such kind.
    """
    known = {name: one for name, one in KINDS.items() if issubclass(one, Event)}
    for name in kinds:
        if name not in known:
            raise BadInput(f"no kind of event {name!r}; there are {', '.join(sorted(known))}", code="NO_SUCH_KIND")
    return tuple(known[name] for name in kinds) or (Event,)


async def replay(
    files: Sequence[Path], *, kinds: Sequence[str], symbol: str | None, speed: float | None, raw: bool
) -> None:
    """Print until the end.

    Raises:
        BadInput: No such kind; or a recording that can't be read.
    """
    wanted, clock = chosen(kinds), SystemClock()
    recording = Recording(*files)
    played = Replay(recording, load)
    began_ns: int | None = None
    first_ns = 0
    for number, (frame, events) in enumerate(played.by_frame()):
        if began_ns is None:
            began_ns, first_ns = clock.monotonic_ns(), frame.received_ns
        if speed is not None:
            due_ns = began_ns + round((frame.received_ns - first_ns) / speed)
            await asyncio.sleep(max(0.0, (due_ns - clock.monotonic_ns()) / 1e9))
        elif number % TURN == 0:
            await asyncio.sleep(0)
        told = [one for one in events if isinstance(one, wanted) and symbol in (None, one.symbol)]
        if raw and told:
            sys.stdout.write(f"{frame.received_ns} {frame.connection} {frame.data.decode(errors='replace')}\n")
        elif not raw:
            for event in told:
                sys.stdout.write(written(event).decode() + "\n")
    sys.stdout.flush()
    if not recording.is_whole:
        say_error("the recording was cut off: its last second or so may be missing")

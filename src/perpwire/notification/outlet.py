"""Outlet: a sink, and which alerts it gets."""

from __future__ import annotations

import msgspec

from perpwire.notification.alert import Severity
from perpwire.notification.quiet import QuietHours
from perpwire.notification.sinks import Sink


class Outlet(msgspec.Struct, frozen=True, kw_only=True):
    """One place that alerts go to.

    Attributes:
        name: Short, without secrets, the same in each life of the program: what is kept on disk is kept under it.
        sink: What takes them there.
        minimum: What is less severe is not told there. The end of a problem is told where the problem was.
        quiet: When only what is critical is told, and the end of it; the rest is told when they are over.
        only_escalated: It gets what has lasted too long, and nothing else.
        interval_s: Least seconds between two alerts to it; the common pacing's where None.
    """

    name: str
    sink: Sink
    minimum: Severity = Severity.INFO
    quiet: QuietHours | None = None
    only_escalated: bool = False
    interval_s: float | None = None

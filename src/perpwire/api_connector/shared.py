"""What connectors and managers of one program share, as a venue counts by address and by account, and not by them.

The venue goes on counting when a connector is closed and another one opened. What is shared runs by one clock and in
one thread, so that nobody who uses it needs a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from perpwire.clock import Clock, SystemClock

T = TypeVar("T")


class Shared(Generic[T]):
    """All of one kind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of_machine: dict[Hashable, T] = {}
        self._of_others: WeakKeyDictionary[object, dict[Hashable, T]] = WeakKeyDictionary()

    @contextmanager
    def among(self, clock: Clock, network: object | None) -> Iterator[dict[Hashable, T]]:
        """Those of one network, by what tells them apart; see `place`.

        Args:
            network: A transport; None: the machine's own network. Those with the same one share.
        """
        apart = network if network is not None else clock if not isinstance(clock, SystemClock) else None
        with self._lock:
            yield self._of_machine if apart is None else self._of_others.setdefault(apart, {})


def place(venue: str, host: str) -> tuple[Hashable, ...]:
    """Where something is shared: in this thread, at one host of a venue, as each environment counts by itself."""
    return threading.get_ident(), venue, host

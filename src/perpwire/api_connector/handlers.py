"""Who has asked to be told of a thing that is no event of a stream: incidents, states of connections and topics."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, ParamSpec

from perpwire.raised import RAISED

log = logging.getLogger("perpwire.api_connector")

P = ParamSpec("P")


class Handlers(Generic[P]):
    """See module docstring.

    Args:
        of: What they are told of, in words.
        first: Hear of it from the beginning.
    """

    def __init__(self, of: str, *first: Callable[P, object]) -> None:
        self._of = of
        self._handlers: list[Callable[P, object]] = list(first)

    def __len__(self) -> int:
        return len(self._handlers)

    def add(self, handler: Callable[P, object]) -> Callable[[], None]:
        """Returns a function that ends it; called again, that does nothing."""
        self._handlers.append(handler)
        is_on = True

        def off() -> None:
            nonlocal is_on
            if is_on and handler in self._handlers:
                self._handlers.remove(handler)
            is_on = False

        return off

    def tell(self, *what: P.args, **more: P.kwargs) -> None:
        """It is told from the middle of our own work: what a handler raises is logged, and stops nothing."""
        for handler in tuple(self._handlers):
            try:
                handler(*what, **more)
            except RAISED:
                log.exception("a handler of %s failed on %s", self._of, ", ".join(_named(one) for one in what))


def _named(what: object) -> str:
    return what if isinstance(what, str) else type(what).__name__

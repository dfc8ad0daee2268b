"""Lists that the venue gives page by page: walked to their end, or as far as the caller wants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from perpwire.errors import BadInput

T = TypeVar("T")


class Rows(tuple[T, ...]):
    """A tuple that says whether there is more.

    Attributes:
        truncated: The venue has further rows that were not asked for.
    """

    truncated: bool = False


class History(Generic[T]):
    """Rows of any number of pages. Each use of it asks anew.

        async for fill in connector.get_fills("BTCUSDT"):
            ...
        fills = await connector.get_fills("BTCUSDT").all()

    Raises while walked: APIError, where a page can't be had. `all` and `first` give nothing then, rather than a part.
    """

    def __init__(self, pages: Callable[[], AsyncIterator[tuple[T, ...]]]) -> None:
        self._pages = pages

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self._pages():
            for row in page:
                yield row

    async def all(self) -> Rows[T]:
        """Every row."""
        rows: list[T] = []
        async for page in self._pages():
            rows += page
        return Rows(rows)

    async def first(self, count: int) -> Rows[T]:
        """At most `count` rows; `truncated` tells whether there are more.

        Raises:
            BadInput: `count` is no whole number of 0 or more.
        """
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise BadInput(f"count {count!r} is no whole number of 0 or more", code="BAD_COUNT")
        rows: list[T] = []
        async for page in self._pages():
            rows += page
            if len(rows) > count:
                break
        found = Rows(rows[:count])
        found.truncated = len(rows) > count
        return found

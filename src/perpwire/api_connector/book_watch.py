"""An async iterator over the changes of a local book."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from perpwire.api_connector.dropped import when_dropped
from perpwire.data_processor.local_book import LocalBook


class BookWatch:
    """`async for book in await connector.watch_book("BTCUSDT")`: the book as it stands, each time it has changed and is
    in sync. Who is slow gets it as it is then, and not the changes in between. Ends when the book is closed.

    Args:
        on_end: Called once, when this is closed.

    Attributes:
        book: The book, which may be read at any time.
    """

    def __init__(self, book: LocalBook, on_end: Callable[[], None]) -> None:
        self.book = book
        self._changed = changed = asyncio.Event()
        self._changed.set()
        self._is_closed = False
        off = book.on_change(lambda _: changed.set())  # which does not keep this alive

        def end() -> None:
            keep()
            off()
            on_end()

        keep = when_dropped(self, end)
        self._end = end

    def close(self) -> None:
        """End the iteration, and give the book back: it goes on for who else has it open."""
        if self._is_closed:
            return
        self._is_closed = True
        self._changed.set()
        self._end()

    def __aiter__(self) -> AsyncIterator[LocalBook]:
        return self

    async def __anext__(self) -> LocalBook:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._is_closed or self.book.is_closed:
                self._changed.set()
                raise StopAsyncIteration
            if self.book.is_in_sync:
                return self.book

    async def __aenter__(self) -> BookWatch:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

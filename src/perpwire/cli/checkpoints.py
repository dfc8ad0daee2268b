"""Does a local book built from a recording equal what plain code computed from it? At checkpoints, level by level."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.data_processor.local_book import LocalBook
from perpwire.errors import BadInput
from perpwire.model.market import BookDelta, Level

FINISH_WITHIN_S = 240.0


def expectations(recording: Path, given: Path | None) -> dict[str, Any] | None:
    """The expected numbers of a recording: from `given`, or from an expected.json in a folder above it; None where
    there are none.

    Raises:
        BadInput: `given` holds nothing about the recording.
    """
    nearby = [folder / "expected.json" for folder in recording.resolve().parents]
    for path in [given] if given is not None else nearby:
        if path.is_file():
            by_file: dict[str, Any] = msgspec.json.decode(path.read_bytes())
            for name, numbers in by_file.items():
                if Path(name).name == recording.name and "checkpoints_by_diffs_applied" in numbers:
                    return dict(numbers)
    if given is not None:
        raise BadInput(f"{given} holds no checkpoints for {recording.name}", code="NO_EXPECTATIONS")
    return None


class BookReport(msgspec.Struct):
    """How the book fared.

    Attributes:
        checked: Checkpoints compared.
        wrong: One line for each that differs.
    """

    checked: int = 0
    wrong: list[str] = msgspec.field(default_factory=list)
    expected: int = 0


class BookCheck:
    """Follows one book through a replay."""

    def __init__(self, expected: dict[str, Any] | None) -> None:
        self._expected = expected
        self._book: LocalBook | None = None
        self._ended = asyncio.Event()
        self.report = BookReport()
        if expected is not None:
            self.report.expected = len(expected["checkpoints_by_diffs_applied"]) + 1

    async def follow(self, connector: VenueConnector, symbol: str) -> None:
        """Open the book; call before anything else subscribes, so that the recording starts with us."""
        self._book = await connector.open_book(symbol)
        connector.on(BookDelta, self._on_delta, symbol)

    def _on_delta(self, delta: BookDelta) -> None:
        book, expected = self._book, self._expected
        if book is None or expected is None or not book.is_in_sync:
            return
        numbers = expected["checkpoints_by_diffs_applied"].get(str(book.deltas_applied))
        if numbers is not None:
            self._compare(book, f"after {book.deltas_applied} diffs", numbers)
        if delta.update_id == expected["last_applied"]["u"]:
            final = {"u": delta.update_id, "levels": expected["final_levels"], **expected["final_top20"]}
            self._compare(book, "at the end", final)
            self._ended.set()

    def _compare(self, book: LocalBook, when: str, numbers: dict[str, Any]) -> None:
        self.report.checked += 1
        found = {
            "u": book.update_id,
            "levels": list(book.levels),
            "bids": _text(book.bids(len(numbers["bids"]))),
            "asks": _text(book.asks(len(numbers["asks"]))),
        }
        for what, value in found.items():
            if value != numbers[what]:
                self.report.wrong.append(f"{when}: {what} is {value}, expected {numbers[what]}")

    async def finish(self) -> None:
        """Wait for the recording's last diff."""
        if self._expected is None:
            return
        try:
            async with asyncio.timeout(FINISH_WITHIN_S):
                await self._ended.wait()
        except TimeoutError:
            self.report.wrong.append(f"the recording's last diff did not come within {FINISH_WITHIN_S:g} s")


def _text(levels: list[Level]) -> list[list[str]]:
    return [[format(price, "f"), format(quantity, "f")] for price, quantity in levels]

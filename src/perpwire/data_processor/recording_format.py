"""A recording: raw frames with their arrival times, on disk, as they came.

One line a message: arrival (Unix nanoseconds, our clock), a space, the connection, a space, the frame:

    1790000000000000000 binance/public {"stream":"btcusdt@bookTicker","data":{...}}

Lines of the connection "perpwire" are facts of our own, as JSON: that a connection was lost, that frames had to be
dropped, that the recording ended as it should. A file that lacks the last was cut off. What may hold a secret is
blanked out; a line break inside a frame, which JSON knows as white space only, becomes a space. Lines of older
recordings without a connection are read as Binance's public streams.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec

from perpwire.errors import BadInput

OURS = "perpwire"
ENDED = "recording_ended"
DROPPED = "frames_dropped"
NO_BOOK = "book_not_read"
BOOK = "book"
"""A whole book, as it was read over REST: where a venue's streams do not begin with one."""

_TIME_DIGITS = 19


class Frame(NamedTuple):
    """One line of a recording.

    Attributes:
        received_ns: When it was readable: Unix nanoseconds, the recorder's clock.
        connection: Such as "binance/public"; OURS for a fact of our own.
        data: The frame.
    """

    received_ns: int
    connection: str
    data: bytes

    @property
    def venue(self) -> str:
        return self.connection.partition("/")[0]

    @property
    def route(self) -> str:
        """Of the venue's streams; a further connection of a route ("binance/public#2") is of that route."""
        return self.connection.partition("/")[2].partition("#")[0]

    def fact(self) -> dict[str, Any] | None:
        """What it says where it is one of ours."""
        return msgspec.json.decode(self.data, type=dict[str, Any]) if self.connection == OURS else None


class Recording:
    """Reads files in order, as one recording.

    Attributes:
        is_whole: Once read to its end: each file was ended as it should be. False: its last second or so is missing.
        unreadable: Lines that are none, which were passed over: 1 at most in a file that was cut off.
    """

    def __init__(self, *paths: Path | str, connection: str = "binance/public") -> None:
        """
        Args:
            connection: Of lines that name none.

        Raises:
            BadInput: No file, or one that is not there.
        """
        self._paths = [Path(path) for path in paths]
        missing = [str(path) for path in self._paths if not path.is_file()]
        if missing or not self._paths:
            raise BadInput(f"no such recording: {', '.join(missing) or 'none was named'}", code="NO_RECORDING")
        self._connection = connection
        self.is_whole = True
        self.unreadable = 0
        self._is_strange = False

    def __iter__(self) -> Iterator[Frame]:
        """
        Raises:
            BadInput: A file of whole lines none of which is a frame: it is something else, and not an empty recording.
        """
        self.is_whole, self.unreadable = True, 0
        for path in self._paths:
            ended = is_one = False
            self._is_strange = False
            for frame in read_file(path, self._connection, self._on_unreadable):
                if frame.connection == OURS:
                    ended = (frame.fact() or {}).get("event") == ENDED
                is_one = True
                yield frame
            if self._is_strange and not is_one:
                raise BadInput(f"{path} is no recording", code="NO_RECORDING")
            self.is_whole = self.is_whole and ended

    def _on_unreadable(self, line: bytes) -> None:
        self.unreadable += 1
        if line.endswith(b"\n"):
            self._is_strange = True


def read_file(path: Path, connection: str, on_unreadable: Callable[[bytes], None]) -> Generator[Frame]:
    """The lines of one file, up to where one that was cut off can be read.

    Args:
        connection: Of lines that name none.
        on_unreadable: Called with each line that is none, and that is passed over; b"" where the packing is cut off.

    Raises:
        OSError: It can't be opened.
        BadInput: It is packed with zstd, and the extra `record` is not installed.
    """
    with _opened(path) as file:
        for line in _lines(file):
            frame = _frame(line, connection)
            if frame is None:
                on_unreadable(line)
            else:
                yield frame


def _frame(line: bytes, connection: str) -> Frame | None:
    at, _, rest = line.partition(b" ")
    if not at.isdigit() or len(at) > _TIME_DIGITS or not line.endswith(b"\n"):
        return None
    rest = rest[:-1].removesuffix(b"\r")
    if rest.startswith((b"{", b"[")):
        return Frame(int(at), connection, rest)
    named, found, data = rest.partition(b" ")
    return Frame(int(at), named.decode("ascii", "replace"), data) if found else None


@contextmanager
def _opened(path: Path) -> Iterator[Iterable[bytes]]:
    """A recording's lines, whatever it is packed with: told by its first bytes, not by its name."""
    with path.open("rb") as raw:
        head = raw.read(4)
        raw.seek(0)
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(raw, "rb") as file:
                yield file
        elif head == b"\x28\xb5\x2f\xfd":
            yield _split(_unpacked(raw))
        else:
            yield raw


def _unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """As far as it goes: a file that was cut off ends where its last whole block does."""
    zstd = zstandard_package().ZstdDecompressor()
    unpack = zstd.decompressobj()
    while data := file.read(65_536):
        while data:
            yield unpack.decompress(data)
            data = unpack.unused_data if unpack.eof else b""
            if unpack.eof:
                unpack = zstd.decompressobj()


def _split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest


def _lines(file: Iterable[bytes]) -> Iterator[bytes]:
    """A file that was cut off while it was packed ends in a line that is none."""
    try:
        yield from file
    except Exception as error:
        if not (isinstance(error, EOFError | zlib.error | gzip.BadGzipFile) or type(error).__name__ == "ZstdError"):
            raise
        yield b""


def zstandard_package() -> Any:
    """
    Raises:
        BadInput: The extra `record` is not installed.
    """
    try:
        import zstandard
    except ImportError:
        raise BadInput(
            "zstandard is not installed",
            code="NO_ZSTD",
            advice="Install it: pip install 'perpwire[record]'; or record with packing gz.",
        ) from None
    return zstandard

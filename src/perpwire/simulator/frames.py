"""A WebSocket server's frames as bytes (RFC 6455): unmasked, uncompressed."""

from __future__ import annotations

CONTINUATION, TEXT, CLOSE, PING, PONG = 0x0, 0x1, 0x8, 0x9, 0xA

_FINAL = 0x80


def frame(opcode: int, payload: bytes, *, is_last: bool = True) -> bytes:
    """One frame; of a message in several frames all but the first are continuations, and only the last is final."""
    first = opcode | _FINAL if is_last else opcode
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2) + payload
    return bytes((first, 127)) + size.to_bytes(8) + payload


class Frames:
    """Text frames; a message that goes to many sockets in a row is put into one only once."""

    def __init__(self) -> None:
        self._text = b""
        self._frame = frame(TEXT, b"")

    def of(self, text: bytes) -> bytes:
        if text is not self._text:
            self._text = text
            self._frame = frame(TEXT, text)
        return self._frame

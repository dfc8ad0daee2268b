"""The replies that come on one HTTP/1.1 connection. llhttp (httptools) reads them, and takes nothing inexact."""

from __future__ import annotations

import zlib

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from perpwire.http_message import HttpReply

MOST_FRAMING = 1 << 16
"""Bytes that a reply may take besides its body: its head, remarks before it, trailers after it,"""
FRAMING_SHARE = 16
"""and so many for each byte of the body, as chunks may be small."""

LARGEST_BODY = 1 << 25
"""The largest replies of venues, their lists of contracts, are of two million bytes."""


class ReplyReader:
    """One reply after another, each begun by `begin`.

    Attributes:
        is_reusable: After a reply: the connection may carry another request.
    """

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """A request goes out: its reply is the next to come."""
        self.is_reusable = False
        self._taken = 0  # bytes, all in all
        self._body_size = 0
        self._body: list[bytes] = []
        self._forget_head()
        self._is_done = False
        self._has_more = False

    def feed(self, data: bytes) -> HttpReply | None:
        """The reply, when this makes it whole.

        Raises:
            ValueError: It is no HTTP, or larger than any reply of a venue.
        """
        self._taken += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self._is_done:
                # Our own words where a callback raised, else the parser's.
                raise ValueError(str(error.__context__ or error) or "another protocol") from None
            self._has_more = True
        if self._is_done:
            self.is_reusable = self._keeps_alive and not self._has_more
            return self._whole()
        if self._body_size > LARGEST_BODY:
            raise ValueError("the body does not end")
        if self._taken > MOST_FRAMING + FRAMING_SHARE * self._body_size:
            raise ValueError("the body does not come" if self._has_head else "the head does not end")
        return None

    def ended(self) -> HttpReply | None:
        """The reply, where the connection's end makes it whole; or a refusal that was cut, for its status and headers
        say enough.

        Raises:
            ValueError: See feed.
        """
        if not self._has_head or self._is_done:
            return None
        is_whole = not self._keeps_alive and not {"content-length", "transfer-encoding"} & self._headers.keys()
        return self._whole() if is_whole or self._status >= 400 else None

    def _whole(self) -> HttpReply:
        body = b"".join(self._body)
        coding = self._headers.get("content-encoding", "").lower()
        if body and coding in ("gzip", "x-gzip", "deflate"):
            body = _unpacked(body, is_strict=self._status < 400)
        return HttpReply(status=self._status, headers=self._headers, body=body)

    def _forget_head(self) -> None:
        self._status = 0
        self._headers: dict[str, str] = {}
        self._has_head = False
        self._keeps_alive = False

    # --- called by the parser -------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._is_done:
            self._has_more = True  # said unasked

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._has_head:
            return  # a trailer, or what was said unasked
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").rstrip(" \t")
        before = self._headers.get(key)
        self._headers[key] = text if before is None else f"{before}, {text}"

    def on_headers_complete(self) -> None:
        if self._is_done:
            return
        self._has_head = True
        self._status = status = self._parser.get_status_code()
        self._keeps_alive = self._parser.should_keep_alive()
        if not 100 <= status < 600:
            raise ValueError("no such status")
        if self._headers.get("transfer-encoding", "chunked").lower() != "chunked":
            raise ValueError("a transfer encoding that was not asked for")
        if int(self._headers.get("content-length", "0")) > LARGEST_BODY:
            raise ValueError("longer than any reply of a venue")

    def on_body(self, body: bytes) -> None:
        if not self._is_done:
            self._body.append(body)
            self._body_size += len(body)

    def on_message_complete(self) -> None:
        if self._status < 200:
            self._forget_head()  # a remark; the reply follows
        else:
            self._is_done = True


def _unpacked(packed: bytes, *, is_strict: bool) -> bytes:
    """
    Raises:
        ValueError: Strict, and it is not compressed as it says, cut short, or too large.
    """
    plain, left = b"", packed
    try:
        while left:
            unpacking = zlib.decompressobj(zlib.MAX_WBITS + 32)  # 32: it says by itself whether it is gzip or zlib
            plain += unpacking.decompress(left, LARGEST_BODY - len(plain) + 1)
            if len(plain) > LARGEST_BODY:
                raise ValueError("the compressed body is too large")
            if not unpacking.eof:
                raise ValueError("the compressed body is cut short")
            left = unpacking.unused_data
    except (ValueError, zlib.error) as error:
        if is_strict:
            raise ValueError(str(error)) from None
    return plain

"""Replies of hostile and of clumsy servers, without a socket."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings, strategies as st

from perpwire.http_message import HttpReply
from perpwire.transport.http1_reply import LARGEST_BODY, ReplyReader

OK = b"HTTP/1.1 200 OK\r\n"


def read(text: bytes, *, size: int = 0, closes: bool = False) -> tuple[HttpReply | None, bool]:
    """The reply, if any came, and whether the connection may be used again."""
    reader = ReplyReader()
    step = size or len(text) or 1
    reply = None
    for start in range(0, len(text), step):
        reply = reader.feed(text[start : start + step])
        if reply is not None:
            return reply, reader.is_reusable and start + step >= len(text)
    return (reader.ended() if closes else None), False


def body(text: bytes, **how: bool) -> bytes | None:
    reply, _ = read(text, **how)
    return None if reply is None else reply.body


@pytest.mark.parametrize(
    "text",
    [
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\n\r\nok",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n+2\r\nok\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nok",
        OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        OK + b"Content-Length: 2, 2\r\n\r\nok",
        OK + b"Content-Length: 99999999999999999999\r\n\r\nok",
        OK + b"Content-Length: %d\r\n\r\nok" % (LARGEST_BODY + 1),
        OK + b"Content-Length : 2\r\n\r\nok",
        OK + b"Content-Length:\r\n\r\nok",
        OK + b"X: a\nContent-Length: 2\r\n\r\nok",
        OK + b"X: a\0b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 099 None\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 600 None\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_two_programs_could_read_differently_is_read_by_neither(text: bytes) -> None:
    for size in (0, 1):
        with pytest.raises(ValueError, match=r"\w"):
            read(text, size=size)


def test_nothing_that_comes_after_a_reply_becomes_the_next_one() -> None:
    whole = OK + b"Content-Length: 2\r\n\r\nok"
    for more in (b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Evil: 1\r\n\r\nbad", b"H", b"\0"):
        reply, is_reusable = read(whole + more)
        assert reply is not None
        assert (reply.body, is_reusable, dict(reply.headers)) == (b"ok", False, {"content-length": "2"})
    assert read(whole) == (HttpReply(status=200, headers={"content-length": "2"}, body=b"ok"), True)


def test_remarks_before_the_reply_leave_nothing_behind_and_do_not_go_on_for_ever() -> None:
    remark = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\nRetry-After: 9\r\n\r\n"
    reply, is_reusable = read(
        b"HTTP/1.1 100 Continue\r\n\r\n" + remark * 3 + OK + b"content-LENGTH: 2\r\n\r\nok", size=1
    )
    assert reply is not None
    assert (dict(reply.headers), reply.body, is_reusable) == ({"content-length": "2"}, b"ok", True)
    with pytest.raises(ValueError, match="does not end"):
        read(remark * 2000, size=4096)


def test_a_header_that_comes_twice_is_one_with_both_values_and_trailers_are_none() -> None:
    reply, _ = read(OK + b"X-A: 1\r\nx-a:  2 \t\r\nY:\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nRetry-After: 9\r\n\r\n")
    assert reply is not None
    assert dict(reply.headers) == {"x-a": "1, 2", "y": "", "transfer-encoding": "chunked"}


def test_heads_and_trailers_and_chunk_extensions_without_an_end_are_given_up_early() -> None:
    endless = (
        OK + b"X: " + b"y" * (1 << 17),
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"y" * (1 << 17),
        OK + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"y" * (1 << 17),
        OK + b"".join(b"X-%d: y\r\n" % number for number in range(1 << 14)),
    )
    for text in endless:
        with pytest.raises(ValueError, match="does not"):
            read(text, size=4096)
    long = OK + b"X: " + b"y" * 60_000 + b"\r\nContent-Length: 2\r\n\r\nok"
    assert body(long) == b"ok"
    assert body(OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n") == b"x" * 50_000


@pytest.mark.slow
@pytest.mark.parametrize("head", [b"\r\n", b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n"])
def test_a_body_without_an_end_takes_no_more_memory_than_the_largest_may(head: bytes) -> None:
    reader = ReplyReader()
    tracemalloc.start()
    try:
        reader.feed(OK + head)
        for _ in range(LARGEST_BODY >> 16):
            reader.feed(bytes(1 << 16))
        with pytest.raises(ValueError, match="does not end"):
            reader.feed(b"x")
        assert tracemalloc.get_traced_memory()[1] < 1.5 * LARGEST_BODY
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_compressed_body_that_unpacks_to_more_than_the_largest_is_refused() -> None:
    bomb = gzip.compress(bytes(LARGEST_BODY + 1))
    with pytest.raises(ValueError, match="too large"):
        read(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)


@pytest.mark.parametrize("coding", [b"gzip", b"GZIP", b"x-gzip", b"deflate"])
def test_a_compressed_body_is_unpacked_and_a_cut_one_is_no_body(coding: bytes) -> None:
    packed = zlib.compress(b"much" * 99) if coding == b"deflate" else gzip.compress(b"mu") + gzip.compress(b"ch" * 9)
    plain = b"much" * 99 if coding == b"deflate" else b"mu" + b"ch" * 9
    head = OK + b"Content-Encoding: " + coding + b"\r\nContent-Length: %d\r\n\r\n"
    assert body(head % len(packed) + packed) == plain
    with pytest.raises(ValueError, match="cut short"):
        body(head % (len(packed) - 3) + packed[:-3])


@pytest.mark.parametrize("coding", [b"br", b"zstd", b"identity"])
def test_a_coding_that_was_not_asked_for_is_left_as_it_came(coding: bytes) -> None:
    assert body(OK + b"Content-Encoding: " + coding + b"\r\nContent-Length: 2\r\n\r\nok") == b"ok"


def test_a_refusal_that_was_cut_keeps_its_status_and_headers_and_a_cut_success_is_none() -> None:
    cut = b'HTTP/1.1 %d X\r\nRetry-After: 7\r\nContent-Length: 90\r\n\r\n{"code":-1003'
    for status in (403, 418, 429, 503):
        reply, _ = read(cut % status, closes=True)
        assert reply is not None
        assert (reply.status, reply.headers["retry-after"], reply.body) == (status, "7", b'{"code":-1003')
    packed = gzip.compress(b"x" * 500)[:-9]
    zipped = b"HTTP/1.1 429 X\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    assert body(zipped) is not None
    for text in (cut % 200, OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", OK, b"", b"HTTP/1.1 429 X\r\nX:"):
        assert read(text, closes=True) == (None, False)


replies = st.builds(
    lambda status, remarks, form, parts, headers: (status, remarks, form, parts, headers),
    st.sampled_from([200, 204, 304, 400, 429, 503]),
    st.integers(0, 2),
    st.sampled_from(["length", "chunks", "end"]),
    st.lists(st.binary(min_size=1, max_size=30), max_size=4),
    st.dictionaries(st.from_regex(r"\Ax-[a-z]{1,6}\Z"), st.from_regex(r"\A([!-~]([ -~]{0,8}[!-~])?)?\Z"), max_size=4),
)


@pytest.mark.slow
@given(said=replies, cuts=st.lists(st.integers(1, 60), max_size=30))
@settings(max_examples=200, deadline=None)
def test_however_a_reply_is_framed_and_cut_it_is_the_same(
    said: tuple[int, int, str, list[bytes], dict[str, str]], cuts: list[int]
) -> None:
    status, remarks, form, parts, headers = said
    if status in (204, 304):
        parts, form = [], "length"
    whole = b"".join(parts)
    lines = dict(headers)
    text = whole
    if form == "length":
        lines["content-length"] = str(len(whole))
    elif form == "chunks":
        lines["transfer-encoding"] = "chunked"
        text = b"".join(b"%x;e=1\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\nT: t\r\n\r\n"
    head = f"HTTP/1.1 {status} Words\r\n" + "".join(f"{name.title()}: {value}\r\n" for name, value in lines.items())
    stream = b"HTTP/1.1 103 E\r\nA: b\r\n\r\n" * remarks + head.encode() + b"\r\n" + text
    reader, reply = ReplyReader(), None
    while stream:
        assert reply is None
        size = cuts.pop() if cuts else len(stream)
        reply, stream = reader.feed(stream[:size]), stream[size:]
    reply = reply or reader.ended()
    assert reply == HttpReply(status=status, headers=lines, body=whole)
    assert reader.is_reusable == (form != "end")


@given(text=st.binary(max_size=300), size=st.integers(0, 50))
@settings(max_examples=300, deadline=None)
def test_no_bytes_are_read_with_another_error(text: bytes, size: int) -> None:
    for begin in (b"", OK, OK + b"Transfer-Encoding: chunked\r\n\r\n", OK + b"Content-Encoding: gzip\r\n\r\n"):
        try:
            read(begin + text, size=size, closes=True)
        except ValueError:
            pass

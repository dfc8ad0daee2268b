"""An HTTP request and its reply as final bytes: what venues make and transports carry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`target` is path and query exactly as signed. Key and signature are in it: it shows nothing but its path.

    `renew` gives it anew with a fresh signature, or raises NotSent: a transport sends that where the request had to
    wait before it could be written, such as for a connection.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    renew: Callable[[], HttpRequest] | None = None

    def __repr__(self) -> str:
        return f"<HttpRequest {self.method} {self.target.partition('?')[0]}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("method", self.method), ("path", self.target.partition("?")[0])]

    def __reduce__(self) -> str:
        raise TypeError("a request is not pickled: it is signed")


class HttpReply(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Header names are lower case. The body may hold a listen key, or repeat the key: it is not shown.

    `usage`, limit name -> how much of it is used, is where the message says so elsewhere than in its headers.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    usage: Mapping[str, int] | None = None

    def __repr__(self) -> str:
        return f"<HttpReply {self.status}, {len(self.body)} bytes>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("status", self.status), ("bytes", len(self.body))]


def whole_number(headers: Mapping[str, str], name: str) -> int | None:
    """The number that a header states; None where it is absent, no whole number, or larger than any that has a meaning
    (what is to be a time is in milliseconds at most)."""
    text = headers.get(name)
    return int(text) if text is not None and len(text) <= 15 and text.isascii() and text.isdigit() else None


LONGEST_WORDS = 1000
"""Of a venue's own words, no more is kept in an error."""

_CAUSES = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), name)
    for pattern, name in (
        (r"^451 |restricted location|(from|in) your (country|region)|geograph", "geo-block"),
        (r"too frequent|rate limit|^4(29|18) ", "IP limit"),
        (r"^403 .*(cloudfront|cloudflare|akamai|request blocked|waf|captcha|access denied|forbidden)", "firewall"),
        (r"^50[234] |bad gateway|gateway time|upstream", "gateway"),
    )
)
"""What stands in front of a venue, told by status, server and page; the first that fits counts."""


def words_of(reply: HttpReply) -> str:
    """The first 200 characters of its text, with markup, line breaks and what can't be shown taken out."""
    page = re.sub(r"(?is)<(script|style)\b.*?</\1>", " ", _text(reply))
    words = re.sub(r"<[^>]*>", " ", page)
    return _shown(words)[:200]


def described(reply: HttpReply) -> str:
    """A reply that is not the venue's own words: status, who sent it, the likely cause, and its first words."""
    server = _shown(reply.headers.get("server", ""))[:60]
    seen = f"{reply.status} {server} {_text(reply)}"
    cause = next((name for pattern, name in _CAUSES if pattern.search(seen)), "")
    who = f"HTTP {reply.status}" + (f" from {server}" if server else "") + (f" ({cause})" if cause else "")
    words = words_of(reply)
    return f"{who}: {words}" if words else f"{who} with an empty body"


def _shown(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _text(reply: HttpReply) -> str:
    body = reply.body[:4000]
    is_utf_16 = body.startswith((b"\xff\xfe", b"\xfe\xff"))
    return body.decode("utf-16" if is_utf_16 else "utf-8", "replace")

"""An HTTP request and its reply as final bytes: what venues make and transports carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`target` is path and query exactly as signed. Key and signature are in it: it shows nothing but its path."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    def __repr__(self) -> str:
        return f"<HttpRequest {self.method} {self.target.partition('?')[0]}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("method", self.method), ("path", self.target.partition("?")[0])]

    def __reduce__(self) -> str:
        raise TypeError("a request is not pickled: it is signed")


class HttpReply(msgspec.Struct, frozen=True, kw_only=True):
    """Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

"""An HTTP request and its reply as final bytes: what venues make and transports carry."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`target` is path and query exactly as signed."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""


class HttpReply(msgspec.Struct, frozen=True, kw_only=True):
    """Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

"""What the page is made of: files of this package, read once, compressed once, told apart by what they hold."""

from __future__ import annotations

import gzip
import hashlib
from importlib import resources

import msgspec

KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
LEAST_ZIPPED = 512
"""Bytes; smaller files do not get smaller."""


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """One file.

    Attributes:
        kind: Its content type.
        body: As it is. zipped: By gzip; None where that is no gain.
        tag: Changes with the body: an ETag, with its quotation marks.
    """

    kind: str
    body: bytes
    zipped: bytes | None
    tag: str


def assets() -> dict[str, Asset]:
    """Name -> file."""
    folder = resources.files("perpwire.gateway").joinpath("assets")
    return {
        one.name: made(one.name, one.read_bytes())
        for one in sorted(folder.iterdir(), key=lambda found: found.name)
        if one.name.rpartition(".")[2] in KINDS
    }


def made(name: str, body: bytes) -> Asset:
    return Asset(
        kind=KINDS[name.rpartition(".")[2]],
        body=body,
        zipped=gzip.compress(body, 9, mtime=0) if len(body) >= LEAST_ZIPPED else None,
        tag=f'"{hashlib.sha256(body).hexdigest()[:20]}"',
    )


def takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header takes gzip. Source: RFC 9110, 12.5.3."""
    for one in accepted.lower().split(","):
        coding, _, weight = one.strip().partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False

"""For messages in which a venue has begun to write as JSON numbers what it says is text.

The other way round (text where they were numbers) is what decoders made with strict=False take by themselves.
"""

from __future__ import annotations

import json

import msgspec


def with_text_numbers(message: bytes) -> bytes:
    """The same message with every number as text, digit for digit. What is no JSON is raised as msgspec does."""
    try:
        return msgspec.json.encode(json.loads(message, parse_int=str, parse_float=str, parse_constant=_no_constant))
    except ValueError as error:
        raise msgspec.DecodeError(str(error)) from None


def _no_constant(word: str) -> None:
    """NaN and Infinity, which Python takes for JSON."""
    raise ValueError(f"{word} is no JSON")

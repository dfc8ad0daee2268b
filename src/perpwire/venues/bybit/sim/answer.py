"""What a call's handler gives: the reply's result, with what stands beside it in the envelope."""

from __future__ import annotations

from typing import Any

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """A reply with retCode 0.

    Attributes:
        result: `result` of the envelope.
        ext: `retExtInfo`; a batch says there how each of its items fared.
        words: `retMsg`: most calls say OK, some success, some nothing.
    """

    result: Any
    ext: Any = msgspec.field(default_factory=dict)
    words: str = "OK"


def answer(said: Any, words: str) -> Answer:
    """What a handler gave, as an Answer: most give the result alone."""
    return said if isinstance(said, Answer) else Answer(said, {}, words)

"""What a check of `perpwire doctor` comes to: a line of its own, with what it means and how to mend it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from enum import StrEnum
from typing import Any

import msgspec

from perpwire.errors import APIError


class Mark(StrEnum):
    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    SKIPPED = "not checked"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check.

    Attributes:
        name: What was checked.
        mark: How it is.
        found: What was found, and what that means.
        mend: What to do; "" where nothing has to be done.
        facts: The same for programs.
    """

    name: str
    mark: Mark
    found: str
    mend: str = ""
    facts: dict[str, Any] = msgspec.field(default_factory=dict)


Checks = AsyncGenerator[Check, None]


def ok(name: str, found: str, **facts: Any) -> Check:
    return Check(name=name, mark=Mark.OK, found=found, facts=facts)


def warning(name: str, found: str, mend: str, **facts: Any) -> Check:
    return Check(name=name, mark=Mark.WARNING, found=found, mend=mend, facts=facts)


def wrong(name: str, found: str, mend: str, **facts: Any) -> Check:
    return Check(name=name, mark=Mark.WRONG, found=found, mend=mend, facts=facts)


def skipped(name: str, why: str) -> Check:
    return Check(name=name, mark=Mark.SKIPPED, found=why)


def refused(name: str, error: APIError) -> Check:
    """A call that did not give its result: in the venue's words, with what its error advises."""
    code = "" if error.code is None else f" [{error.code}]"
    found = f"{type(error).__name__}{code}: {error.reason}"
    return wrong(name, found, error.advice, error=type(error).__name__, code=error.code)

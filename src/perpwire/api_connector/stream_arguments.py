"""What callers give to streams, read strictly: what makes no sense raises BadInput before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, get_args

from perpwire.errors import BadInput
from perpwire.model.market import Event


def check_kind(kind: Any) -> None:
    """It is a class of events, such as Trade."""
    if not (isinstance(kind, type) and issubclass(kind, Event)):
        raise BadInput(f"{kind!r} is no class of events", code="BAD_KIND", advice="Give a class, such as Trade.")


def check_one_of(value: Any, literal: Any, name: str) -> None:
    """It is one of the words of a Literal type."""
    words = get_args(literal)
    if value not in words:
        raise BadInput(f"{name} {value!r} is not one of {', '.join(words)}", code=f"BAD_{name.upper()}")


def check_count(value: Any, name: str) -> None:
    """It is a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadInput(f"{name} {value!r} is no whole number of 1 or more", code=f"BAD_{name.upper()}")


def check_seconds(value: Any, name: str) -> None:
    """It is a time that passes."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= 0:
        raise BadInput(f"{name} {value!r} is no number of seconds above 0", code=f"BAD_{name.upper()}")


def texts(values: Any, name: str) -> list[str]:
    """One text, or several, as a list."""
    several = listed(values, name)
    for value in several:
        if not isinstance(value, str):
            raise BadInput(f"{value!r} among {name} is no text", code=f"BAD_{name.upper()}")
    return several


def listed(values: Any, name: str) -> list[Any]:
    """What may be given as one or as several, as a list. The several are not looked at."""
    if isinstance(values, str | type):
        return [values]
    if isinstance(values, Iterable):
        return list(values)
    raise BadInput(f"{name} {values!r} are none", code=f"BAD_{name.upper()}", advice="Give one, or a list of them.")

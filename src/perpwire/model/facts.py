"""Anything of ours as plain values, to be written as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

from perpwire.model.numbers import plain


def facts(value: Any) -> Any:
    """Structs as objects, numbers exact and never in exponent form, as text."""
    match value:
        case Decimal():
            return plain(value)
        case msgspec.Struct():
            return {name: facts(one) for name, one in msgspec.structs.asdict(value).items()}
        case Enum():
            return value.value
        case Mapping():
            return {str(name): facts(one) for name, one in value.items()}
        case list() | tuple():
            return [facts(one) for one in value]
    return value

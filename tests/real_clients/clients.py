"""The real clients: loaded, pointed at an exchange, and nothing else changed of them."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

KEY, SECRET = "sim-key", "sim-secret"


def load(name: str) -> Any:
    """A client's module. Its warnings about what it itself imports are its own affair.

    Raises:
        ImportError: It is not installed. These tests are never skipped for that: the lock file has every client.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(name)

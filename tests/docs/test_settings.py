from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.docs.settings import TABLES, written


@pytest.mark.parametrize(("file", "name", "make"), TABLES)
def test_the_tables_of_settings_are_those_of_the_code(file: Path, name: str, make: Callable[[], str]) -> None:
    page = file.read_text(encoding="utf-8")
    assert written(page, name, make()) == page, "run python -m tests.docs.settings"

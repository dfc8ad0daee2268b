from __future__ import annotations

from tests.docs.metrics import PAGE, written


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page, "run python -m tests.docs.metrics"

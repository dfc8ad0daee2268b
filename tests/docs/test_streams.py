from __future__ import annotations

from tests.docs.streams import BEGIN, PAGE, written


def test_the_table_of_streams_is_that_of_the_code() -> None:
    page = PAGE.read_text()
    assert BEGIN in page
    assert written(page) == page, "run python -m tests.docs.streams"

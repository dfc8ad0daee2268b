"""docs/calls.md and the docstrings say of every call what is really sent, and where the venues describe it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest
from tests.docs import calls

from perpwire import VenueConnector
from perpwire.venues import VENUES, load

METHODS = {
    name: method for name, method in inspect.getmembers(VenueConnector, inspect.isfunction) if not name.startswith("_")
}

RAISES_NOTHING = ("close", "lag_ms", "on_incident", "tell")


@pytest.fixture(scope="module")
def found() -> calls.Everything:
    return calls.everything()


@pytest.mark.slow
def test_the_page_is_what_is_sent(found: calls.Everything) -> None:
    page = calls.PAGE.read_text(encoding="utf-8")
    wanted = calls.written(page, calls.part(found))
    assert page == wanted, "write it anew: python -m tests.docs.calls"


@pytest.mark.slow
def test_the_docstring_of_every_call_names_the_venues_pages(found: calls.Everything) -> None:
    for name in {row.method for row in calls.ROWS if row.group != "stream"}:
        named = {venue: set(pages) for venue, pages in _sources(inspect.getdoc(METHODS[name]) or "")}
        wanted = {venue: set(pages) for venue, pages in calls.pages(name, found).items() if pages}
        assert named == wanted, name


def _sources(docstring: str) -> Iterator[tuple[str, list[str]]]:
    """Venue and pages of a line such as "Source: Binance New-Order; Bybit order/create-order."""
    for text in re.findall(r"^Source: (.*?)\.$", re.sub(r"\n +", " ", docstring), re.MULTILINE):
        for one in text.split("; "):
            venue, _, pages = one.partition(" ")
            yield venue, pages.split(", ")


def test_every_public_method_is_in_the_table_or_known_to_ask_nothing() -> None:
    assert set(METHODS) == {row.method for row in calls.ROWS} | calls.ASKS_NOTHING
    assert {row.method for row in calls.ROWS} & calls.ASKS_NOTHING == set()


@pytest.mark.parametrize("name", METHODS)
def test_a_docstring_says_what_a_call_raises_itself_or_by_its_class(name: str) -> None:
    (owner,) = [one for one in VenueConnector.__mro__ if METHODS[name] is vars(one).get(name)]
    method, whole = METHODS[name].__doc__ or "", owner.__doc__ or ""
    assert len(method) > 20
    assert "Raises" in method or "Raises" in whole or name in RAISES_NOTHING


@pytest.mark.parametrize("name", VENUES)
def test_what_a_docstring_names_is_a_page_of_the_venues_table(name: str) -> None:
    known = {calls.page_of(row) for row in load(name).rows}
    for method in METHODS.values():
        for venue, pages in _sources(inspect.getdoc(method) or ""):
            assert venue != calls.TITLES[name] or set(pages) <= known

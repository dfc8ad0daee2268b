"""What a page of the documentation points at is there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")])
SOURCES = sorted((ROOT / "src").rglob("*.py"))

LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
FILE = re.compile(r"(?<![\w/.-])((?:docs|tests|src|examples|benchmarks)/[\w./-]*\w\.(?:md|py|json))(?!\w)")
"""A file of ours named in running text, or in a docstring."""


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def dead(page: Path) -> list[str]:
    gone = []
    for target in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            gone.append(target)
    return gone


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert dead(page) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One: two\n[a](page.md#one-two) [b](#one-two) [c](https://example.com) [d](gone.md) [e](#three)\n"
    )
    assert dead(page) == ["gone.md", "#three"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = set(FILE.findall(page.read_text(encoding="utf-8")))
    assert {name for name in named if not (ROOT / name).exists() and not (page.parent / name).exists()} == set()


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_module_that_they_name_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\_", "_")
    named = set(re.findall(r"(?<![\w/])(\w+\.py)\b", text))
    assert len(named) > 5
    assert named - {path.name for path in (*SOURCES, *(ROOT / "tests").rglob("*.py"))} == set()


def test_every_page_that_a_docstring_or_an_error_names_is_there() -> None:
    named = {name for path in SOURCES for name in FILE.findall(path.read_text(encoding="utf-8"))}
    assert len(named) > 3
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_every_page_can_be_reached_from_the_readmes() -> None:
    for readme in ("README.md", "README.ko.md"):
        linked = {target.partition("#")[0] for target in LINK.findall((ROOT / readme).read_text(encoding="utf-8"))}
        pages = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")}
        assert pages - linked == set()


def test_every_decision_has_a_number_of_its_own() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    numbers = Counter(re.findall(r"^## (\d+[a-z]?)\.", text, re.MULTILINE))
    assert len(numbers) > 60
    assert [number for number, times in numbers.items() if times > 1] == []

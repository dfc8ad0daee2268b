"""The files of the page."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

import perpwire.gateway
from perpwire.gateway.assets import assets, made, takes_gzip

FOLDER = Path(perpwire.gateway.__file__).parent / "assets"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
SCRIPTS = {name: text for name, text in TEXTS.items() if name.endswith(".js")}
PAIR = re.compile(r'^  (\w+): \[\s*"((?:[^"\\]|\\.)*)",\s*"((?:[^"\\]|\\.)*)",?\s*\],$', re.MULTILINE)


def words() -> dict[str, tuple[str, str]]:
    part = TEXTS["words.js"].partition("const WORDS = {")[2].partition("\n};")[0]
    found = {name: (english, korean) for name, english, korean in PAIR.findall(part)}
    assert len(found) == len(re.findall(r"^  \w+: \[", part, re.MULTILINE))  # none was overlooked
    return found


def test_every_text_is_there_in_both_languages_with_the_same_figures_in_it() -> None:
    for name, (english, korean) in words().items():
        assert english, name
        assert korean, name
        assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", korean)), name
        # "English" is what leads from Korean to English.
        assert re.search("[가-힣]", korean) or name == "language", name


def test_every_text_that_is_asked_for_is_there_and_none_is_left_over() -> None:
    known = set(words())
    everything = "".join(text for name, text in TEXTS.items() if name != "words.js")
    asked = set(re.findall(r'\bword\("(\w+)"', everything)) | set(
        re.findall(r'data-(?:word|label)="(\w+)"', everything)
    )
    assert asked - known == set()
    mentioned = {name for name in known if re.search(rf"\b{name}\b", everything)}
    # What is looked up by what the server says.
    states = {"idle", "connecting", "logging_in", "subscribing", "live", "waiting", "closed", "degraded", "unknown"}
    by_name = (
        states | {name for name in known if name.startswith(("bar_", "step_"))} | {"buy", "sell", "title", "language"}
    )
    assert known - mentioned - by_name == set()


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_no_script_makes_markup_or_code_of_texts(name: str) -> None:
    for danger in (
        "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
        "createContextualFragment",         "srcdoc", "setHTML", "DOMParser", "javascript:",
    ):  # fmt: skip
        assert danger not in SCRIPTS[name]


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_nothing_comes_from_elsewhere(name: str) -> None:
    outside = re.findall(
        r"(?:https?:)?//[\w.-]+\.\w+[^\s\"')]*", re.sub(r"^\s*//.*$", "", TEXTS[name], flags=re.MULTILINE)
    )
    assert [one for one in outside if "www.w3.org/2000/svg" not in one] == []  # a name, not an address


def test_the_page_has_nothing_inline_that_its_own_policy_would_refuse() -> None:
    for name in ("page.html", "token.html"):
        assert not re.search(r"<style|\bstyle=|\bon\w+=|<script(?![^>]*\bsrc=)", TEXTS[name]), name


def test_every_module_that_is_imported_is_there_and_all_is_served() -> None:
    served = assets()
    assert set(served) == set(TEXTS)
    for name, text in SCRIPTS.items():
        for module in re.findall(r'from "\./([\w.]+)"', text):
            assert module in served, f"{name} imports {module}"
    for name, asset in served.items():
        assert asset.body.decode() == TEXTS[name]
        assert asset.zipped is None or gzip.decompress(asset.zipped) == asset.body


def test_a_file_is_told_apart_by_what_it_holds() -> None:
    one, other = made("a.js", b"1"), made("a.js", b"2")
    assert one.tag != other.tag
    assert one.tag == made("b.js", b"1").tag


def test_the_page_is_small() -> None:
    assert sum(len(asset.zipped or asset.body) for asset in assets().values()) < 40_000


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip, deflate, br", True), ("br;q=1.0, gzip;q=0.8", True), ("*", True), ("GZIP", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip; q=0.0, br", False), ("xgzip", False),
    ],
)  # fmt: skip
def test_only_who_takes_gzip_gets_it(accepted: str, takes: bool) -> None:
    assert takes_gzip(accepted) is takes

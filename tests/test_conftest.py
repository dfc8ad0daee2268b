from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).with_name("conftest.py")
TESTS = """
import pytest

def test_by_fixture(fixtures):
    pytest.skip("this file is missing")

@pytest.mark.fixtures
def test_by_mark():
    pytest.skip("this file is missing")

@pytest.mark.parametrize("payload", [])
def test_by_parameters(payload):
    pass

def test_of_something_else():
    pytest.skip("no such program here")

@pytest.mark.fixtures
@pytest.mark.xfail(strict=True)
def test_known_to_fail(fixtures):
    assert False

def test_that_reads_one(fixtures):
    assert fixtures.is_dir()
"""
BROWSER_TEST = """
import pytest

@pytest.fixture
def chromium():
    pytest.skip("there is no Chromium here")

def test_in_a_browser(chromium):
    pass
"""
CLIENT_TEST = """
import pytest

def test_with_a_real_client():
    pytest.skip("not today")
"""


@pytest.fixture
def tree(pytester: pytest.Pytester) -> Path:
    """A project with this one's conftest, and payload fixtures beside it."""
    project = pytester.mkdir("project")
    (project / "tests").mkdir()
    (project / "tests" / "conftest.py").write_text(CONFTEST.read_text())
    (project / "tests" / "test_it.py").write_text(TESTS)
    (project / "tests" / "real_clients").mkdir()
    (project / "tests" / "real_clients" / "test_client.py").write_text(CLIENT_TEST)
    (project / "tests" / "test_page.py").write_text(BROWSER_TEST)
    (project / "pytest.ini").write_text(
        "[pytest]\nmarkers = fixtures: reads payloads\nasyncio_default_fixture_loop_scope = function\n"
    )
    (pytester.path / "shared" / "fixtures").mkdir(parents=True)
    return project


def outcomes(pytester: pytest.Pytester, project: Path) -> dict[str, int]:
    return pytester.runpytest("-p", "no:cacheprovider", "--rootdir", project, project).parseoutcomes()


def test_in_ci_a_skipped_test_of_the_payloads_is_a_failure(
    pytester: pytest.Pytester, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    assert outcomes(pytester, tree) == {"failed": 3, "errors": 2, "skipped": 1, "xfailed": 1, "passed": 1}


def test_elsewhere_it_is_skipped(pytester: pytest.Pytester, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert outcomes(pytester, tree) == {"skipped": 6, "xfailed": 1, "passed": 1}


def test_where_there_are_no_payloads_only_a_client_or_a_browser_may_not_be_missing_in_ci(
    pytester: pytest.Pytester, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    (pytester.path / "shared" / "fixtures").rmdir()
    assert outcomes(pytester, tree) == {"skipped": 6, "failed": 1, "errors": 1}

"""docs/faithfulness.md says what is really checked."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from tests.real_clients import table


@pytest.mark.slow
def test_the_table_of_checks_is_that_of_the_tests() -> None:
    page = table.PAGE.read_text()
    wanted = table.written(page, table.page_part(table.found()))
    assert page == wanted, "write it anew: python -m tests.real_clients.table"


def test_every_client_is_in_it() -> None:
    page = table.PAGE.read_text()
    for client, distribution, _ in table.CLIENTS.values():
        assert f"| {client} | {version(distribution)} |" in page


def test_checks_are_counted_case_by_case() -> None:
    names = [
        "tests/real_clients/test_ccxt_orders.py::test_a_b[bybit]",
        "tests/real_clients/test_ccxt_pro.py::test_a_b[busy_binance]",
        "tests/real_clients/test_ccxt_validators.py::test_it[binance-fetch_x]",
        "tests/real_clients/test_ccxt_validators.py::test_it[binance-fetch_y]",
        "tests/real_clients/test_pybit_rest.py::test_c",
    ]
    found = table.checks(names)
    assert found["ccxt", "ccxt", "Bybit", "a b"] == [""]
    assert found["ccxt.pro", "ccxt", "Binance", "a b"] == [""]
    assert found["ccxt", "ccxt", "Binance", "it"] == ["fetch_x", "fetch_y"]
    assert found["pybit", "pybit", "Bybit", "c"] == [""]
    part = table.page_part(names)
    assert "5 checks" in part
    assert "| it | 2 | `fetch_x`, `fetch_y` |" in part

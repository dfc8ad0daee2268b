from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from perpwire.errors import BadInput
from perpwire.model.numbers import exact, optional, plain


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1e-05, "0.00001"),
        (1e-07, "0.0000001"),
        (Decimal("1E+15"), "1000000000000000"),
        ("0.010", "0.010"),
        (Decimal("1E+3"), "1000"),
        (7, "7"),
        (0.1 + 0.2, "0.30000000000000004"),
    ],
)
def test_a_callers_number_goes_out_plain_and_exact(value: float | str | Decimal, text: str) -> None:
    assert plain(exact(value)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_no_decimal_is_ever_written_in_exponent_form_or_changed(number: Decimal) -> None:
    text = plain(number)
    assert "e" not in text.lower()
    assert Decimal(text) == number


@pytest.mark.parametrize("value", ["abc", "", "NaN", float("inf"), 1e30, "1e999999", "1e-40", True, None, [], object()])
def test_what_is_no_finite_number_is_refused_by_name(value: object) -> None:
    with pytest.raises(BadInput, match="quantity"):
        exact(value, "quantity")  # type: ignore[arg-type]


def test_empty_null_and_absent_texts_mean_not_stated() -> None:
    assert optional("") is optional(None) is None
    assert optional("0") == 0

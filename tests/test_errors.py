from __future__ import annotations

import inspect

import pytest

from perpwire import errors
from perpwire.credentials import Credentials
from perpwire.errors import APIError, BadInput, OutcomeUnknown, RateLimited


def test_every_error_names_venue_call_code_reason_and_advice() -> None:
    error = RateLimited("too many", venue="bybit", call="place_order", code=10006, retry_after_s=2.5)
    assert str(error).startswith("bybit place_order: RateLimited [10006] too many -> ")
    assert error.retry_after_s == 2.5
    assert error.advice


def test_every_kind_of_api_error_has_advice_and_words_of_its_own() -> None:
    kinds = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, APIError)]
    assert len(kinds) >= 15
    for kind in kinds:
        assert kind.__doc__
        if kind is not APIError:
            assert kind.default_advice != APIError.default_advice


def test_bad_input_is_a_value_error_that_was_not_sent() -> None:
    assert issubclass(BadInput, ValueError)
    assert issubclass(BadInput, errors.NotSent)


def test_an_unknown_outcome_carries_the_id_to_ask_for() -> None:
    assert OutcomeUnknown("lost", client_order_id="pw-1").client_order_id == "pw-1"


def test_credentials_show_nothing() -> None:
    credentials = Credentials("the-key", "the-secret")
    assert "the-" not in repr(credentials) + str(credentials) + f"{credentials}"


def test_credentials_come_from_the_environment_by_the_usual_names() -> None:
    variables = {"BYBIT_TESTNET_API_KEY": "k", "BYBIT_TESTNET_API_SECRET": "s"}
    assert Credentials.from_environment("bybit", "testnet", variables).sign(b"x") == Credentials("k", "s").sign(b"x")
    with pytest.raises(BadInput, match="BINANCE_API_KEY and BINANCE_API_SECRET not set"):
        Credentials.from_environment("binance", "live", variables)

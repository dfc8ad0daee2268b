"""REGR: no release changes what an order means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.golden.recording import CHANGELOG, DIGESTS, VENUES, Golden, digests, path, record

ORDER_CALLS = {
    "binance": ("/fapi/v1/order", "/fapi/v1/algoOrder", "/fapi/v1/batchOrders", "OpenOrders"),
    "bybit": ("/v5/order/", "/v5/position/trading-stop"),
}
TYPES = {
    "market": "MARKET",
    "limit": "LIMIT",
    "stop market": "STOP_MARKET",
    "stop limit": "STOP",
    "take profit market": "TAKE_PROFIT_MARKET",
    "take profit limit": "TAKE_PROFIT",
}


def golden(venue: str) -> Golden:
    found: Golden = json.loads(path(venue).read_text(encoding="utf-8"))
    return found


def order_intents(venue: str) -> list[str]:
    """Names of those that act on orders."""
    return [
        name
        for name, roads in golden(venue).items()
        if any(call in target for line in roads["rest"] for target in line.values() if isinstance(target, str)
               for call in ORDER_CALLS[venue] if "GET" not in line)
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_regr_1_not_a_byte_of_a_request_differs_from_the_golden_file(venue: str) -> None:
    """`python -m tests.golden.write` writes the file anew, where the change is meant."""
    before, now = golden(venue), record(venue)
    changed = {name: (before.get(name), now.get(name)) for name in before | now if before.get(name) != now.get(name)}
    assert changed == {}


def test_regr_1_the_changelog_names_the_golden_files_that_belong_to_it() -> None:
    """So they never change alone."""
    found = DIGESTS.search(CHANGELOG.read_text(encoding="utf-8"))
    assert found is not None
    assert found.group() == digests()


@pytest.mark.parametrize("venue", VENUES)
def test_regr_1_more_than_sixty_order_intents_are_held(venue: str) -> None:
    """Of each venue, on both roads where there are two."""
    names = order_intents(venue)
    assert len(names) >= 60
    assert sum("websocket" in golden(venue)[name] for name in names) >= 60


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize(("kind", "word"), TYPES.items())
def test_regr_1_an_order_goes_out_as_the_type_it_is_binance(kind: str, word: str, side: str) -> None:
    """On both roads; a stop never as a market order."""
    roads = golden("binance")[f"{kind} {side}"]
    ((_, target),) = [item for item in roads["rest"][0].items() if item[0] == "POST"]
    assert f"&side={side.upper()}&type={word}&" in target
    params = json.loads(_as_json(roads["websocket"][0]["frame"]))["params"]
    assert (params["side"], params["type"]) == (side.upper(), word)
    assert ("triggerPrice" in params) is ("triggerPrice=" in target) is (kind not in ("market", "limit"))


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize(("kind", "word"), TYPES.items())
def test_regr_1_an_order_goes_out_as_the_type_it_is_bybit(kind: str, word: str, side: str) -> None:
    """On both roads; what waits for a trigger always says which way the price must go."""
    roads = golden("bybit")[f"{kind} {side}"]
    by_rest: dict[str, Any] = json.loads(roads["rest"][0]["body"])
    by_socket = json.loads(roads["websocket"][0]["frame"])["args"][0]
    assert by_rest == by_socket
    assert by_rest["side"] == side.capitalize()
    assert by_rest["orderType"] == ("Market" if "MARKET" in word else "Limit")
    rises = (side == "buy") is kind.startswith("stop")
    wanted = None if kind in ("market", "limit") else 1 if rises else 2
    assert by_rest.get("triggerDirection") == wanted
    assert ("triggerPrice" in by_rest) is (wanted is not None)


@pytest.mark.parametrize("venue", VENUES)
def test_regr_1_no_secret_and_no_number_in_exponent_form_is_in_the_golden_file(venue: str) -> None:
    """Nor anything that differs from run to run."""
    text = path(venue).read_text(encoding="utf-8")
    assert "sim-key" not in text
    assert "sim-secret" not in text
    assert "E+" not in text
    assert "E-" not in text


def test_regr_2_the_promise_is_published() -> None:
    """That patch and minor releases never change the wire form of an intent."""
    page = (Path(__file__).parents[2] / "docs" / "compatibility.md").read_text(encoding="utf-8")
    assert "In patch and minor releases" in page
    assert "An intent goes on sending what it has sent" in page


def _as_json(frame: str) -> str:
    """With the marks in place of numbers quoted."""
    return frame.replace(":<ms>", ':"<ms>"').replace(":<id 1>", ':"<id 1>"')

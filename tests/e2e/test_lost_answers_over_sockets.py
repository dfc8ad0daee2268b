"""The scenarios of lost and bad answers once more, a few of them, over real sockets and in real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.errors import APIError, NotSent
from perpwire.model.order import Order, OrderStatus
from perpwire.simulator.faults import Answer, AnyFault, Delay, LoseAnswer, LoseRequest, TruncateAnswer
from perpwire.venues import load

PLACE = {"binance": "/fapi/v1/order", "bybit": "/v5/order/create"}
UNKNOWN = {"binance": "unknown_503", "bybit": "server_error"}
HTML = "<html><body>Bad Gateway</body></html>"


def faults(venue: str) -> dict[str, tuple[AnyFault, bool]]:
    """Client order id -> what befalls the order, and whether it is placed."""

    def on(name: str) -> dict[str, Any]:
        return {"method": "POST", "path": PLACE[venue], "contains": name}

    found: dict[str, tuple[AnyFault, bool]] = {
        "reset-after": (LoseAnswer(**on("reset-after"), how="reset"), True),
        "reset-before": (LoseRequest(**on("reset-before"), how="reset"), False),
        "silence": (LoseAnswer(**on("silence"), how="silence"), True),
        "late": (Delay(**on("late"), seconds=4), True),
        "unknown-placed": (Answer(**on("unknown-placed"), canned=UNKNOWN[venue], executed=True), True),
        "unknown-absent": (Answer(**on("unknown-absent"), canned=UNKNOWN[venue]), False),
        "page": (Answer(**on("page"), status=502, body=HTML, executed=True), True),
        "torn": (TruncateAnswer(**on("torn"), keep=0.5), True),
        "cut-off": (TruncateAnswer(**on("cut-off"), keep=0.5, how="connection"), True),
        "nothing": (TruncateAnswer(**on("nothing"), keep=0.0), True),
    }
    if venue == "binance":
        found["overload-absent"] = (Answer(**on("overload-absent"), canned="overloaded_anyway"), False)
        found["overload-placed"] = (Answer(**on("overload-placed"), canned="overloaded_anyway", executed=True), True)
        found["unavailable"] = (Answer(**on("unavailable"), canned="unavailable"), False)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("venue", "follows"), [("binance", False), ("bybit", True)], ids=["by questions", "with the account's stream"]
)
def test_each_order_is_known_in_time_and_exists_once_or_not_at_all(
    perpwire_exchange_factory: Callable[..., Any], venue: str, follows: bool
) -> None:
    with perpwire_exchange_factory(venues=[venue], rate=0) as exchange:
        trials = faults(venue)
        for fault, _ in trials.values():
            exchange.faults[venue].add(fault)

        async def main() -> dict[str, tuple[Order | APIError, float]]:
            connector = VenueConnector(load(venue), "sim-key", "sim-secret", url=exchange[venue].url, timeout_s=3)
            async with connector:
                if follows:
                    await connector.open_account_stream()
                await connector.get_instruments()

                async def one(name: str) -> tuple[Order | APIError, float]:
                    began = time.monotonic()
                    try:
                        outcome: Order | APIError = await connector.place_order(
                            "BTCUSDT", "BUY", "0.01", "LIMIT", price=Decimal(30000), client_order_id=name
                        )
                    except APIError as error:
                        outcome = error
                    return outcome, time.monotonic() - began

                # At Bybit no more than ten orders a second.
                ends = await asyncio.gather(*map(one, trials))
                assert connector.unresolved_orders == ()
                return dict(zip(trials, ends, strict=True))

        told = asyncio.run(main())
        placed = [order.client_order_id for order in exchange.exchange[venue].orders("main", None)]
        for name, (_, is_placed) in trials.items():
            outcome, seconds = told[name]
            assert placed.count(name) == is_placed, name
            if is_placed:
                assert isinstance(outcome, Order), (name, outcome)
                assert outcome.status in (OrderStatus.NEW, OrderStatus.PENDING_NEW)
                assert seconds < 6, name
            else:
                assert isinstance(outcome, NotSent), (name, outcome)
                assert seconds < (13 if "before" in name or "unknown" in name else 4), name

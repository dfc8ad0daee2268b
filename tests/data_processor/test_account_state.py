"""Positions and balances of the account, in whatever order and however often they are told."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from perpwire.data_processor.account_state import AccountState
from perpwire.data_processor.order_tracker import OrderTracker
from perpwire.model.account import Balance, Position
from perpwire.model.market import Event
from perpwire.model.order import PositionSide

SIDES = (PositionSide.LONG, PositionSide.SHORT)


def position(quantity: int, time_ms: int, *, received_ns: int = 1, side: PositionSide = SIDES[0]) -> Position:
    return Position(
        venue="sim", symbol="BTCUSDT", venue_time_ms=time_ms, received_ns=received_ns, position_side=side,
        quantity=Decimal(quantity), entry_price=None,
    )  # fmt: skip


def balance(wallet: int, time_ms: int, *, received_ns: int = 1, asset: str = "USDT") -> Balance:
    return Balance(
        venue="sim", symbol="", venue_time_ms=time_ms, received_ns=received_ns, asset=asset, wallet=Decimal(wallet)
    )


def state() -> AccountState:
    return AccountState(OrderTracker(lambda: 0))


@pytest.mark.parametrize("seed", range(50))
def test_messages_of_the_stream_in_any_order_and_doubling_end_at_the_newest(seed: int) -> None:
    random, account = Random(seed), state()
    last: dict[object, Event] = {}
    messages: list[Event] = []
    for time_ms in range(1000, 1000 + random.randint(1, 40)):
        side, asset = random.choice(SIDES), random.choice(("USDT", "USDC"))
        for key, event in (
            (side, position(random.randint(-5, 5), time_ms, side=side)),
            (asset, balance(random.randint(0, 5), time_ms, asset=asset)),
        ):
            last[key] = event
            messages += [event] * random.randint(1, 3)
    random.shuffle(messages)
    for message in messages:
        account.on_event(message)
    positions = {side: one for (_, side), one in account.positions.items()}
    assert positions == {key: event for key, event in last.items() if isinstance(key, PositionSide)}
    assert account.balances == {key: event for key, event in last.items() if not isinstance(key, PositionSide)}


def test_of_two_messages_of_one_moment_the_one_that_came_last_holds() -> None:
    account = state()
    for quantity in (1, 2):
        account.on_event(position(quantity, 1000))
        account.on_event(balance(quantity, 1000))
    assert account.positions["BTCUSDT", SIDES[0]].quantity == account.balances["USDT"].wallet == 2


@pytest.mark.parametrize("time_ms", [0, 900, 1100])
def test_a_reading_holds_whatever_time_it_bears_and_the_stream_after_it(time_ms: int) -> None:
    """A venue's row bears the time of its last change, or none, which may be before the message of that change."""
    account = state()
    account.on_event(position(1, 1000))
    account.on_event(balance(1, 1000))
    account.on_event(position(0, time_ms, received_ns=0))
    account.on_event(balance(0, time_ms, received_ns=0))
    assert account.positions["BTCUSDT", SIDES[0]].quantity == account.balances["USDT"].wallet == 0
    account.on_event(position(3, 1050))
    account.on_event(balance(3, 1050))
    assert account.positions["BTCUSDT", SIDES[0]].quantity == account.balances["USDT"].wallet == 3


def test_a_message_without_a_time_is_taken_as_it_comes() -> None:
    account = state()
    account.on_event(position(1, 1000))
    account.on_event(position(2, 0))
    assert account.positions["BTCUSDT", SIDES[0]].quantity == 2

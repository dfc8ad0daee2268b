"""Every kind of event and incident as JSON, and back."""

from __future__ import annotations

import json
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from perpwire.model.incident import ConnectionLost, HandlerFailed, Incident, TaskFailed
from perpwire.model.market import AggTrade, BookDelta, BookSnapshot, Event, Gap, Stale, Trade, Unknown, kind_of
from perpwire.model.order import Order
from perpwire.model.written import KINDS, read, written


def sample(type_: Any, number: int) -> Any:
    """A value of that type, each another one."""
    origin, inner = get_origin(type_), get_args(type_)
    if origin in (Union, UnionType):
        return sample(next(one for one in inner if one is not NoneType), number)
    if origin is tuple:
        parts = (inner[0], inner[0]) if inner[-1] is Ellipsis else inner
        return tuple(sample(one, number + at) for at, one in enumerate(parts))
    if isinstance(type_, type) and issubclass(type_, Enum):
        members = list(type_)
        return members[number % len(members)]
    if isinstance(type_, type) and issubclass(type_, Event):
        return None
    return {
        str: f"text {number}", int: 2**60 + number, bool: bool(number % 2), float: number + 0.125,
        Decimal: Decimal(number).scaleb(-(number % 12)),
    }[type_]  # fmt: skip


def made(kind: type[Any]) -> Any:
    hints = get_type_hints(kind)
    return kind(**{one.name: sample(hints[one.name], at + 3) for at, one in enumerate(msgspec.structs.fields(kind))})


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_is_read_back_as_it_was(kind: type[Any]) -> None:
    told = made(kind)
    text = written(told)
    said = json.loads(text)
    assert said["kind"] == kind.__name__
    assert b"E-" not in text
    kept = msgspec.structs.replace(told, stack="") if kind in (HandlerFailed, TaskFailed) else told
    assert read(text) == kept
    assert type(read(text)) is kind


def test_no_kind_of_event_or_incident_is_missing() -> None:
    def below(kind: type[Any]) -> set[type[Any]]:
        return {kind}.union(*(below(one) for one in kind.__subclasses__()))

    known = {one for one in below(Event) | below(Incident) if one.__module__.startswith("perpwire.model.")}
    assert known == set(KINDS.values())
    assert {kind_of(one) for one in below(Event) if one.__module__.startswith("perpwire.")} <= known


@pytest.mark.parametrize("number", ["1E-8", "0E-18", "1E+3", "-2.50E-10", "123456.7890"])
def test_numbers_are_plain_text_with_every_digit(number: str) -> None:
    trade = Trade(trade_id=1, price=Decimal(number), quantity=Decimal(1), buyer_is_maker=False)
    assert json.loads(written(trade))["price"] == f"{Decimal(number):f}"
    assert read(written(trade)) == trade


def test_what_a_gap_is_of_does_not_hide_that_it_is_one() -> None:
    for told in (Gap(kind="Trade", since_ns=1, until_ns=2), Stale(kind="Trade", since_ns=1)):
        said = json.loads(written(told))
        assert (said["kind"], said["of"]) == (type(told).__name__, "Trade")
        assert read(written(told)) == told


def test_books_are_pairs_of_the_venues_own_digits() -> None:
    book = BookSnapshot(bid_text=(("1.10", "2"), ("1.00", "3")), ask_text=(), update_id=5)
    said = json.loads(written(book))
    assert (said["bids"], said["asks"]) == ([["1.10", "2"], ["1.00", "3"]], [])
    delta = BookDelta(bid_text=(("1.10", "0"),), ask_text=(), update_id=6, first_update_id=6)
    assert read(written(delta)) == delta
    assert delta.bids == ((Decimal("1.10"), Decimal(0)),)


def test_what_a_venue_delivers_is_written_as_the_models_kind() -> None:
    class _Wire(AggTrade, frozen=True, kw_only=True):
        price: Decimal = msgspec.field(name="p")
        kind: str = "MARKET"
        symbol_type: int = 1

    wire = _Wire(
        trade_id=3, price=Decimal("1.5"), quantity=Decimal(2), buyer_is_maker=True, first_trade_id=7, last_trade_id=8
    )
    told = read(written(wire))
    assert type(told) is AggTrade
    assert all(getattr(told, one.name) == getattr(wire, one.name) for one in msgspec.structs.fields(AggTrade))
    assert set(json.loads(written(wire))) == {"kind", *(one.name for one in msgspec.structs.fields(AggTrade))}


def test_an_incident_leaves_out_the_event_that_it_came_with_and_the_traceback() -> None:
    trade = Trade(trade_id=1, price=Decimal(1), quantity=Decimal(1), buyer_is_maker=False)
    failed = HandlerFailed(venue="bybit", time_ns=1, why="it raised", handler="mine", event=trade, stack="Traceback")
    assert read(written(failed)) == msgspec.structs.replace(failed, event=None, stack="")


def test_a_kind_of_a_later_version_is_unknown_and_whole() -> None:
    text = b'{"kind":"Weather","venue":"bybit","symbol":"BTCUSDT","rain":true}'
    assert read(text) == Unknown(venue="bybit", symbol="BTCUSDT", name="Weather", raw=text.decode())
    lost = ConnectionLost(venue="bybit", time_ns=1, why="lost", connection="bybit/public")
    longer = msgspec.json.encode({**json.loads(written(lost)), "of_a_later_version": 1})
    assert read(longer) == lost


@pytest.mark.parametrize("text", [b"", b"[]", b'{"kind":"Trade"}', b'{"kind":"Order","price":[]}', b"\xff"])
def test_what_is_no_event_is_an_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # msgspec has several
        read(text)


def test_states_of_orders_are_states_again() -> None:
    order = made(Order)
    told = read(written(order))
    assert isinstance(told, Order)
    assert (told.status, told.type, told.side) == (order.status, order.type, order.side)
    assert told.status.is_final is order.status.is_final

"""Whatever happens in the book: each pace of its stream is an unbroken chain, and a local book kept by the venue's rule
from any snapshot equals the venue's book."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.sizes import size
from tests.venues.binance_futures.simulated import OTHER, SimulatedVenue, in_virtual_time, pass_s

PACES = {
    "btcusdt@depth": 250,
    "btcusdt@depth@100ms": 100,
    "btcusdt@depth@500ms": 500,
    "btcusdt@rpiDepth@500ms": 500,
}
PARTIAL = {"btcusdt@depth5": (250, 5), "btcusdt@depth10@100ms": (100, 10), "btcusdt@depth20@500ms": (500, 20)}

Sides = list[dict[Decimal, Decimal]]

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.integers(63_900, 64_010)),
        st.tuples(st.just("sell"), st.integers(63_990, 64_100)),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("wait"), st.integers(1, 700)),
        st.tuples(st.just("snapshot"), st.sampled_from((5, 50, 1000))),
    ),
    min_size=5,
    max_size=60,
)


async def act(venue: SimulatedVenue, kind: str, number: int) -> None:
    match kind:
        case "buy" | "sell":
            venue.place(account=OTHER, side=kind.upper(), price=str(number), quantity="0.002", timeInForce="GTC")
        case "cancel":
            open_orders = venue.exchange.open_orders("other", "BTCUSDT")
            if open_orders:
                order = open_orders[number % len(open_orders)]
                venue.signed("DELETE", "/fapi/v1/order", account=OTHER, symbol="BTCUSDT", orderId=order.order_id)
        case "wait":
            await pass_s(number / 1000)


def numbers(rows: list[list[str]]) -> dict[Decimal, Decimal]:
    return {Decimal(price): Decimal(quantity) for price, quantity in rows}


def kept(snapshot: Any, frames: list[Any]) -> Sides:
    """A local book by the rules of the venue's page, "How to manage a local order book correctly"."""
    last_id = snapshot["lastUpdateId"]
    sides = [numbers(snapshot["bids"]), numbers(snapshot["asks"])]
    fitting = [frame for frame in frames if frame["u"] >= last_id]
    if fitting and fitting[0]["u"] > last_id:
        # The first that applies holds the snapshot's id, or follows on it.
        assert fitting[0]["U"] <= last_id or fitting[0]["pu"] == last_id
    for before, after in pairwise(fitting):
        assert after["pu"] == before["u"]
    for frame in fitting:
        for side, name in zip(sides, "ba", strict=True):
            side.update(numbers(frame[name]))
    return [{price: quantity for price, quantity in side.items() if quantity} for side in sides]


@pytest.mark.slow
@settings(max_examples=size(40, 20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ACTIONS)
def test_a_book_kept_from_any_snapshot_at_any_pace_is_the_venues(actions: list[tuple[str, int]]) -> None:
    snapshots: list[Any] = []

    async def main(venue: SimulatedVenue) -> None:
        peers = {name: venue.socket(f"/public/ws/{name}") for name in (*PACES, *PARTIAL)}
        start_id = venue.public("/fapi/v1/depth", symbol="BTCUSDT").json["lastUpdateId"]
        for kind, number in actions:
            if kind == "snapshot":
                snapshots.append(venue.public("/fapi/v1/depth", symbol="BTCUSDT", limit=number).json)
            else:
                await act(venue, kind, number)
        snapshots.append(venue.public("/fapi/v1/depth", symbol="BTCUSDT", limit=1000).json)
        await pass_s(1.1)
        final = venue.public("/fapi/v1/depth", symbol="BTCUSDT", limit=1000).json
        for name, pace_ms in PACES.items():
            frames = peers[name].data
            check_chain(frames, start_id, pace_ms)
            for snapshot in snapshots:
                last_id = snapshot["lastUpdateId"]
                if last_id > start_id:
                    assert any(frame["U"] <= last_id <= frame["u"] for frame in frames)
                if len(snapshot["bids"]) < 5 > len(snapshot["asks"]):  # whole, even where few levels were asked for
                    assert kept(snapshot, frames) == [numbers(final["bids"]), numbers(final["asks"])]
            assert kept(snapshots[-1], frames) == [numbers(final["bids"]), numbers(final["asks"])]
        for name, (pace_ms, levels) in PARTIAL.items():
            frames = peers[name].data
            check_chain(frames, start_id, pace_ms)
            if frames:
                assert (frames[-1]["b"], frames[-1]["a"]) == (final["bids"][:levels], final["asks"][:levels])
                assert frames[-1]["u"] == final["lastUpdateId"]

    in_virtual_time(main)


def check_chain(frames: list[Any], start_id: int, pace_ms: int) -> None:
    previous = start_id
    for frame in frames:
        assert frame["pu"] == previous
        assert previous < frame["U"] <= frame["u"]
        assert frame["E"] >= frame["T"]
        assert frame["E"] % pace_ms == 0
        previous = frame["u"]
    assert len({frame["E"] for frame in frames}) == len(frames)

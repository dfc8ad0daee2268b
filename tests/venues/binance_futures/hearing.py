"""What a private stream tells, in short; for the tests of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.venues.binance_futures.simulated import FakePeer, SimulatedVenue, in_virtual_time


def events(peer: FakePeer) -> list[str]:
    """Kind of each event, with execution type and status of orders."""
    told = []
    for one in peer.data:
        order = one.get("o", {})
        told.append(one["e"] + (f" {order['x']} {order['X']}" if "x" in order else ""))
    return told


def with_user_stream(test: Callable[[SimulatedVenue, FakePeer], Any], **options: Any) -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket(f"/private/ws/{venue.listen_key()}")
        await test(venue, peer)

    in_virtual_time(main, **options)


def only(peer: FakePeer, kind: str) -> list[Any]:
    return [one for one in peer.data if one["e"] == kind]

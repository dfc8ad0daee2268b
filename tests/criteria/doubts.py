"""What keeps a connector from knowing what became of an order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.criteria.tapped import PLACE, Scene

from perpwire.model.incident import OrderDoubtful, OrderFailed, OrderResolved
from perpwire.scenarios.lost_response import FIRST_READ, READ
from perpwire.simulator.faults import Answer, DropMessage, LoseAnswer, LoseRequest


def lose(scene: Scene, name: str, *, executed: bool) -> None:
    """The connection is reset, after the order was placed or before it was read."""
    kind = LoseAnswer if executed else LoseRequest
    scene.host.faults.add(kind(method="POST", path=PLACE[scene.venue][1], contains=name, how="reset"))


def answer(scene: Scene, name: str, *, executed: bool, **more: Any) -> None:
    """The order is answered with something else."""
    scene.host.faults.add(Answer(method="POST", path=PLACE[scene.venue][1], contains=name, executed=executed, **more))


def hide(scene: Scene, name: str, seconds: float | None) -> None:
    """Questions that name this find nothing for so long."""
    scene.host.faults.add(
        Answer(method="GET", path=READ[scene.venue], contains=name, canned="order_unknown", count=None, for_s=seconds)
    )


def mute(scene: Scene, name: str, seconds: float | None = None) -> None:
    """The account's stream says nothing of it for so long."""
    scene.host.faults.add(DropMessage(of="private", contains=name, count=None, for_s=seconds))


async def resting(scene: Scene, name: str, **more: Any) -> Any:
    """Place an order that rests."""
    price = (scene.host.exchange.mark_price("BTCUSDT") * Decimal("0.8")).quantize(Decimal(1))
    return await scene.connector.place_order(
        "BTCUSDT", "BUY", "0.01", "LIMIT", price=price, client_order_id=name, **more
    )


def placed(scene: Scene, name: str) -> int:
    """How many orders of this name the exchange has or had."""
    return sum(order.client_order_id == name for order in scene.host.exchange.orders("main", None))


def posts(scene: Scene, name: str) -> int:
    """How often it was sent."""
    return sum(one.call == PLACE[scene.venue] and name in one.params.values() for one in scene.tap.sent)


def questions(scene: Scene, name: str) -> list[float]:
    """When it was asked for, seconds."""
    first = ("GET", FIRST_READ[scene.venue])
    return [one.at_s for one in scene.tap.sent if one.call == first and name in one.params.values()]


def words(scene: Scene, name: str) -> list[str]:
    """What its caller was told of its outcome."""
    return [
        one.outcome if isinstance(one, OrderResolved) else "UNKNOWN" if isinstance(one, OrderDoubtful) else "FAILED"
        for one in scene.incidents
        if isinstance(one, OrderResolved | OrderFailed) and one.client_order_id == name
    ]

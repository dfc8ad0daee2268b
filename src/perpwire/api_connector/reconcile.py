"""Did that order happen? Ask by the id we gave it, until the venue must have refused the original; then decide."""

from __future__ import annotations

from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.request_path import RequestPath
from perpwire.clock import Clock
from perpwire.errors import APIError, NotSent, OutcomeUnknown, UnknownOrder
from perpwire.model.order import Order, OrderRequest
from perpwire.venues.base import Venue

MARGIN_MS = 2000
"""Added to the receive window: the venue's clock may run on a little, and a new order shows after a moment."""

PAUSE_S = 0.25
"""Between questions, doubling up to 2 s."""


async def settle_order(
    requests: RequestPath,
    venue: Venue,
    sync: ClockSync,
    clock: Clock,
    *,
    request: OrderRequest,
    first_sent_ms: int,
    last_sent_ms: int,
    patience_s: float,
    doubt: APIError,
) -> Order:
    """What became of an order whose answer was lost. It is never sent again from here.

    A request whose time stamp is older than the receive window must be refused by the venue. So an order that is
    still unknown to it after `last_sent_ms` + window + margin was not placed and never will be.

    Args:
        first_sent_ms, last_sent_ms: The venue's time before the request was first made, and after it was last made,
            Unix milliseconds. An order of this id that is older is another one: an id may be used again.
        patience_s: How long to go on asking a venue that does not answer.
        doubt: The error that left the outcome open; becomes the cause of what is raised.

    Raises:
        NotSent: It is certain that the order does not exist.
        OutcomeUnknown: The venue could not be asked within `patience_s`.
    """
    symbol, client_order_id = request.symbol, request.client_order_id
    certain_after_ms = last_sent_ms + venue.window_ms(request.venue_params) + MARGIN_MS
    give_up_s = clock.monotonic_ns() / 1e9 + patience_s
    pause_s = PAUSE_S
    while True:
        asked_ms = sync.venue_ms()
        try:
            order = await requests.run(venue.get_order(symbol, None, client_order_id, request.is_conditional))
            if _is_it(order, request, first_sent_ms):
                return order
            raise UnknownOrder("an earlier order has this client order id", venue=venue.name, call="get_order")
        except UnknownOrder:
            if asked_ms > certain_after_ms:
                raise NotSent(
                    f"the answer was lost ({doubt.reason}), and the venue does not know the order although its "
                    "receive window is over: it was not placed",
                    venue=venue.name,
                    call="place_order",
                    code=doubt.code,
                    advice="It is certain that the order does not exist: placing it again is safe.",
                ) from doubt
        except APIError as error:
            if requests.is_closed or clock.monotonic_ns() / 1e9 >= give_up_s:
                raise OutcomeUnknown(
                    f"the answer was lost ({doubt.reason}) and the venue could not be asked ({error.reason})",
                    venue=venue.name,
                    call="place_order",
                    code=doubt.code,
                    client_order_id=client_order_id,
                ) from doubt
        await clock.sleep(pause_s)
        pause_s = min(2.0, pause_s * 2)


def _is_it(order: Order, request: OrderRequest, first_sent_ms: int) -> bool:
    if order.side is not request.side:
        return False
    return order.created_time_ms is None or order.created_time_ms >= first_sent_ms - MARGIN_MS

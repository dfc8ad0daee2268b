"""Did that order happen? Ask by the id we gave it, until the venue must have refused the original; then decide."""

from __future__ import annotations

from perpwire.api_connector.clock_sync import ClockSync
from perpwire.api_connector.request_path import RequestPath
from perpwire.clock import Clock
from perpwire.errors import APIError, NotSent, OutcomeUnknown, UnknownOrder
from perpwire.model.order import Order
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
    symbol: str,
    client_order_id: str,
    sent_ms: int,
    patience_s: float,
    doubt: APIError,
) -> Order:
    """What became of an order whose answer was lost. It is never sent again from here.

    A request whose time stamp is older than the receive window must be refused by the venue. So an order that is
    still unknown to it after `sent_ms` + window + margin was not placed and never will be.

    Args:
        sent_ms: The venue's time when the request was last made, Unix milliseconds.
        patience_s: How long to go on asking a venue that does not answer.
        doubt: The error that left the outcome open; becomes the cause of what is raised.

    Raises:
        NotSent: It is certain that the order does not exist.
        OutcomeUnknown: The venue could not be asked within `patience_s`.
    """
    certain_after_ms = sent_ms + venue.recv_window_ms + MARGIN_MS
    give_up_s = clock.monotonic_ns() / 1e9 + patience_s
    pause_s = PAUSE_S
    while True:
        asked_ms = sync.venue_ms()
        try:
            return await requests.run(venue.get_order(symbol, None, client_order_id))
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
            if clock.monotonic_ns() / 1e9 >= give_up_s:
                raise OutcomeUnknown(
                    f"the answer was lost ({doubt.reason}) and the venue could not be asked ({error.reason})",
                    venue=venue.name,
                    call="place_order",
                    code=doubt.code,
                    client_order_id=client_order_id,
                ) from doubt
        await clock.sleep(pause_s)
        pause_s = min(2.0, pause_s * 2)

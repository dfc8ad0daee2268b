"""What a connector knows of itself: where it is, what is live, what is in doubt. Nothing is asked of the venue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from perpwire.api_connector.connector_core import ConnectorCore
from perpwire.api_connector.reconcile import Resolution
from perpwire.api_connector.start_up import StartUpReport
from perpwire.api_connector.trade_route import TradeRoute
from perpwire.data_processor.local_book import LocalBook
from perpwire.model.market import Event

if TYPE_CHECKING:
    from perpwire.api_connector.order_journal import OrderJournal


class StatusMethods(ConnectorCore):
    """To be read at any time, also before the start and after the end."""

    @property
    def env(self) -> str:
        """ "live", "testnet", "demo", "sim", or "custom"."""
        return self._hosts.env

    @property
    def is_started(self) -> bool:
        return self._parts is not None

    @property
    def local_books(self) -> tuple[LocalBook, ...]:
        """The local books that are open; see open_book."""
        return () if self._parts is None else self._parts.books.books

    @property
    def clock_offset_ms(self) -> float:
        """Milliseconds that the venue's clock is ahead of this machine's."""
        return self._sync.offset_ms

    @property
    def banned_until_ms(self) -> int | None:
        """Until when the venue takes no calls from this address, Unix milliseconds of its clock; None: it takes them.
        Open streams go on meanwhile."""
        return self.ledger.banned_until_ms(self._clock.monotonic_ns())

    @property
    def journal(self) -> OrderJournal | None:
        """The journal while the connector runs, if it has one."""
        return None if self._parts is None else self._parts.journal

    @property
    def start_up_report(self) -> StartUpReport:
        """What the journal's unsettled orders came to at the last start; empty without a journal."""
        report = self._start_up_report
        if self._parts is None:
            return report
        return msgspec.structs.replace(report, fills_recovered=self._parts.private.fills_at_start)

    @property
    def trade_route(self) -> TradeRoute | None:
        """The trading socket; None where the venue has none here, or while the connector is not started."""
        return None if self._parts is None else self._parts.trade

    @property
    def is_trade_socket_live(self) -> bool:
        """Whether orders that shall go by the trading socket do so now; else they go by REST."""
        return self.trade_route is not None and self.trade_route.is_live

    @property
    def is_account_stream_live(self) -> bool:
        """Whether the account's stream is there, logged in, and not known to hold anything back. While it is not, the
        account and its fills are read over REST every half minute."""
        return self._parts is not None and self._parts.private.is_live

    @property
    def why_account_stream_not_live(self) -> str:
        """In words, where it is wanted and not live; else ""."""
        return "" if self._parts is None else self._parts.private.why_not_live

    @property
    def is_account_stream_open(self) -> bool:
        """Whether the account's stream is wanted; see is_account_stream_live for whether it is there."""
        return self._parts is not None and self._parts.private.is_open

    @property
    def unresolved_orders(self) -> tuple[Resolution, ...]:
        """Orders whose outcome is not known yet, and is being searched for: await one for its order. What is left when
        the connector is closed is told as an incident (OrderResolved, UNRESOLVED) and stays open in the journal."""
        return () if self._parts is None else self._parts.orders.unresolved

    def lag_ms(self, event: Event) -> float | None:
        """Milliseconds from the venue making the event to its frame being readable here, the clocks' difference taken
        out; None where the event does not say when it was made. Its error is at most half a round trip."""
        return self._sync.lag_ms(event)

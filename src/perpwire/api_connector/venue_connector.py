"""The one implementation of ExchangeConnector, over any Venue: the groups of its methods, joined."""

from __future__ import annotations

from perpwire.api_connector.exchange_connector import ExchangeConnector
from perpwire.api_connector.native_methods import NativeMethods
from perpwire.api_connector.position_methods import PositionMethods
from perpwire.api_connector.safety_methods import SafetyMethods
from perpwire.api_connector.stream_methods import StreamMethods


class VenueConnector(PositionMethods, SafetyMethods, StreamMethods, NativeMethods, ExchangeConnector):
    """A venue's calls, streams and local books behind one set of names; see ConnectorCore for its options.

    market_methods.py: instruments, candles, trades, prices. account_methods.py: balances, positions, settings.
    order_methods.py: orders and fills. position_methods.py: closing, stops. safety_methods.py: kill switch, dead man's
    switch. stream_methods.py: events, the account's stream, local books. native_methods.py: every other call of the
    venue.
    """

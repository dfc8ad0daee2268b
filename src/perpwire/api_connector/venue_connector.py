"""The one implementation of ExchangeConnector, over any Venue: the groups of its methods, joined."""

from __future__ import annotations

from typing import Any

from perpwire.api_connector.exchange_connector import ExchangeConnector
from perpwire.api_connector.native_methods import NativeMethods
from perpwire.api_connector.position_methods import PositionMethods
from perpwire.api_connector.safety_methods import SafetyMethods
from perpwire.api_connector.watch_methods import WatchMethods
from perpwire.credentials import Credentials
from perpwire.errors import BadInput
from perpwire.transport.proxy import Proxy


def sealed(api_key: str, secret_key: str, options: dict[str, Any]) -> dict[str, Any]:
    """A connector's options with the secrets among them in objects that don't show them, for its subclasses: should the
    constructor raise, a traceback may show their variables."""
    if isinstance(proxy := options.get("proxy"), str):
        try:
            options["proxy"] = Proxy(proxy)
        except BadInput:
            options["proxy"] = ""  # refused likewise, but not from here, where its text is at hand
    if (api_key or secret_key) and options.get("credentials") is None:
        options["credentials"] = Credentials(api_key, secret_key)
    return options


class VenueConnector(PositionMethods, SafetyMethods, WatchMethods, NativeMethods, ExchangeConnector):
    """A venue's calls, streams and local books behind one set of names; see ConnectorCore for its options.

    market_methods.py: instruments, candles, trades, prices. account_methods.py: balances, positions, settings.
    order_methods.py: orders and fills. batch_methods.py: several orders at once. position_methods.py: closing, stops.
    safety_methods.py: kill switch, dead man's switch. stream_methods.py: events, the account's stream, local books.
    status_methods.py: what it knows of itself. native_methods.py: every other call of the venue.
    """

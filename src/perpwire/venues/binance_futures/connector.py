"""Client shell: BinanceFuturesConnector."""

from __future__ import annotations

from typing import Any

from perpwire.api_connector.venue_connector import VenueConnector, sealed
from perpwire.venues.binance_futures.venue import VENUE


class BinanceFuturesConnector(VenueConnector):
    """Binance USD-M futures.

        async with BinanceFuturesConnector(api_key, secret_key) as binance:
            order = await binance.place_order("BTCUSDT", "BUY", "0.01")

    Args:
        api_key, secret_key: Of a key with futures permission; empty for public data only.
        env: "live" (fapi.binance.com), "testnet" or "demo".
        options: As of VenueConnector: url (an embedded exchange), credentials, proxy, timeout_s, ...
    """

    def __init__(self, api_key: str = "", secret_key: str = "", *, env: str = "live", **options: Any) -> None:
        options = sealed(api_key, secret_key, options)
        del api_key, secret_key  # a traceback may show variables
        super().__init__(VENUE, env=env, **options)

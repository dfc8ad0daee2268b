"""Client shell: BybitConnector."""

from __future__ import annotations

from typing import Any

from perpwire.api_connector.venue_connector import VenueConnector, sealed
from perpwire.venues.bybit.venue import VENUE


class BybitConnector(VenueConnector):
    """Bybit v5 linear perpetuals on a Unified Trading Account (category linear, account type UNIFIED).

        async with BybitConnector(api_key, secret_key, testnet=True) as bybit:
            order = await bybit.place_order("BTCUSDT", "Buy", "0.01")

    Args:
        api_key, secret_key: Of a key with contract permission; empty for public data only.
        testnet: api-testnet.bybit.com in place of api.bybit.com; short for env="testnet".
        env: "live", "testnet" or "demo".
        options: As of VenueConnector: url (an embedded exchange), credentials, proxy, timeout_s, ...
    """

    def __init__(
        self, api_key: str = "", secret_key: str = "", testnet: bool = False, *, env: str = "live", **options: Any
    ) -> None:
        options = sealed(api_key, secret_key, options)
        del api_key, secret_key  # a traceback may show variables
        super().__init__(VENUE, env="testnet" if testnet else env, **options)

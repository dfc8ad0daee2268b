"""What real clients ask of the venue's other services when they start: answered, with nothing in it.

This exchange has no spot market, no coin-margined contracts, no options and no wallet to withdraw from.
"""

from __future__ import annotations

from typing import Any

from perpwire.simulator.exchange import Exchange
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire, wire_account
from perpwire.venues.binance_futures.sim.gateway import Args, Handler, Row, Rows
from perpwire.venues.binance_futures.sim.rules import rate_limits


class StartUpCalls:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def rows(self) -> Rows:
        def public(handler: Handler, weight: int = 1) -> Row:
            return Row(handler, Security.NONE, weight)

        def nothing(account: str, args: Args) -> list[Any]:
            return []

        rows: Rows = {
            ("GET", "/sapi/v1/capital/config/getall"): Row(nothing, Security.SIGNED, 10),
            ("GET", "/sapi/v1/margin/allPairs"): Row(nothing, Security.KEY, 1),
            ("GET", "/sapi/v1/margin/isolated/allPairs"): Row(nothing, Security.KEY, 10),
            ("GET", "/sapi/v1/system/status"): public(
                lambda account, args: wire_account.SystemStatus(status=0, msg="normal")
            ),
            ("GET", "/api/v3/exchangeInfo"): public(self._nothing_listed, 20),
            ("GET", "/dapi/v1/exchangeInfo"): public(self._nothing_listed),
            ("GET", "/eapi/v1/exchangeInfo"): public(self._option_info),
        }
        for service in ("/api/v3", "/dapi/v1", "/eapi/v1"):
            rows["GET", f"{service}/ping"] = public(lambda account, args: wire.Empty())
            rows["GET", f"{service}/time"] = public(self._time)
        return rows

    def _time(self, account: str, args: Args) -> wire.ServerTime:
        return wire.ServerTime(server_time=self._exchange.now_ms())

    def _nothing_listed(self, account: str, args: Args) -> dict[str, Any]:
        return {
            "timezone": "UTC",
            "serverTime": self._exchange.now_ms(),
            "rateLimits": rate_limits(),
            "exchangeFilters": [],
            "symbols": [],
        }

    def _option_info(self, account: str, args: Args) -> dict[str, Any]:
        return {
            "timezone": "UTC",
            "serverTime": self._exchange.now_ms(),
            "optionContracts": [],
            "optionAssets": [],
            "optionSymbols": [],
            "rateLimits": rate_limits(),
        }

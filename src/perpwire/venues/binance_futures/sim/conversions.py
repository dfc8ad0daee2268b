"""Converting assets, and portfolio margin: services beside the exchange. No pair of assets can be converted here."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.refusals import Refused, Why
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire_account
from perpwire.venues.binance_futures.sim.account import withdrawable
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.params import Args, needed
from perpwire.venues.binance_futures.sim.words import Refusal, money


class ConversionCalls:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any], weight: int) -> Row:
            return Row(handler, Security.SIGNED, weight)

        return {
            ("GET", "/fapi/v1/convert/exchangeInfo"): Row(lambda account, args: [], Security.NONE, 20),
            ("POST", "/fapi/v1/convert/getQuote"): row(self._quote, 50),
            ("POST", "/fapi/v1/convert/acceptQuote"): row(self._accept, 200),
            ("GET", "/fapi/v1/convert/orderStatus"): row(self._status, 50),
            ("GET", "/fapi/v1/pmAccountInfo"): row(self._portfolio, 5),
        }

    def _quote(self, account: str, args: Args) -> Any:
        needed(args, "fromAsset")
        needed(args, "toAsset")
        raise Refusal(-1126, "This asset is not supported.")

    def _accept(self, account: str, args: Args) -> Any:
        needed(args, "quoteId")
        raise Refused(Why.UNKNOWN_ORDER)

    def _status(self, account: str, args: Args) -> Any:
        if not args.get("orderId"):
            needed(args, "quoteId")
        raise Refused(Why.UNKNOWN_ORDER)

    def _portfolio(self, account: str, args: Args) -> wire_account.PortfolioMargin:
        """What may be taken out, as of an account without portfolio margin."""
        asset = needed(args, "asset").upper()
        wallet = self._exchange.wallet(account)
        settle = next(spec.asset for spec in self._exchange.account_specs() if spec.name == account)
        free = withdrawable(self._exchange.view(account))
        return wire_account.PortfolioMargin(
            max_withdraw_amount_usd=money(free),
            asset=asset,
            max_withdraw_amount=money(free if asset == settle else wallet.get(asset, Decimal(0))),
        )

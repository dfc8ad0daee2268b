"""The contracts as REST lists them: instruments, for everybody and for an account, and risk tiers.

Source: docs/v5/market/instrument, market/risk-limit and account/instrument, as of 2026-07-24; the risk tiers' texts as
captured in 2026-10.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import AccountSpec, SymbolSpec
from perpwire.venues.bybit import wire, wire_sent
from perpwire.venues.bybit.sim.asked import Asked, choice, in_order, is_linear, paged, specs_of
from perpwire.venues.bybit.sim.numbers import cut, fit
from perpwire.venues.bybit.sim.rules import rules_of

STATUSES = ("PreLaunch", "Trading", "Delivering", "Closed")
SYMBOL_TYPES = ("innovation", "stock", "commodity", "forex", "ETF")
SYMBOLS_A_PAGE = 15
"""Of risk tiers; there is no limit to choose."""
CENT = Decimal("0.01")


class Instruments:
    """Reference data."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def market(self, asked: Asked) -> Any:
        """/v5/market/instruments-info."""
        if not is_linear(asked):
            return wire.Page([], "", asked["category"])
        page, cursor = paged(in_order(self._chosen(asked)), asked, default=500, most=1000)
        return wire.Page([self._row(spec) for spec in page], cursor)

    def account(self, account: AccountSpec, asked: Asked) -> Any:
        """/v5/account/instruments-info: the same rows, with what this account may do."""
        if not is_linear(asked):
            return wire.Page([], "", asked["category"])
        page, cursor = paged(in_order(self._chosen(asked)), asked, default=200, most=200)
        rows = [wire_sent.AccountInstrumentRow(**msgspec.structs.asdict(self._row(spec))) for spec in page]
        return wire.Page(rows, cursor)

    def _chosen(self, asked: Asked) -> list[SymbolSpec]:
        specs = list(specs_of(self._exchange, asked))
        status = choice(asked, "status", STATUSES, "" if asked.get("symbol") else "Trading")
        if status:
            specs = [spec for spec in specs if _status(spec) == status]
        if coin := asked.get("baseCoin"):
            specs = [spec for spec in specs if spec.instrument.base == coin]
        if choice(asked, "symbolType", SYMBOL_TYPES):
            specs = []  # every contract here is a plain one
        return specs

    def _row(self, spec: SymbolSpec) -> wire.InstrumentRow:
        one, rules = spec.instrument, rules_of(spec.instrument.symbol)
        step = one.quantity_step
        most = "" if one.max_quantity is None else fit(one.max_quantity, step)
        return wire.InstrumentRow(
            symbol=one.symbol,
            symbolId=rules.symbol_id,
            baseCoin=one.base,
            quoteCoin=one.quote,
            settleCoin=one.settle,
            status=_status(spec),
            launchTime=str(self._exchange.listed_ms(one.symbol)),
            priceScale=str(max(0, -int(one.tick_size.as_tuple().exponent))),
            fundingInterval=(one.funding_interval_s or 8 * 3600) // 60,
            upperFundingRate=cut(spec.funding_cap),
            lowerFundingRate=cut(spec.funding_floor),
            displayName=one.symbol,
            priceFilter=wire.PriceFilter(
                tickSize=fit(one.tick_size, one.tick_size),
                minPrice="" if one.min_price is None else fit(one.min_price, one.tick_size),
                maxPrice="" if one.max_price is None else fit(one.max_price, one.tick_size),
            ),
            lotSizeFilter=wire.LotSizeFilter(
                minOrderQty=fit(one.min_quantity, step),
                qtyStep=fit(step, step),
                maxOrderQty=most,
                maxMktOrderQty="" if one.max_market_quantity is None else fit(one.max_market_quantity, step),
                minNotionalValue="" if one.min_notional is None else cut(one.min_notional),
                postOnlyMaxOrderQty=most,
            ),
            leverageFilter=wire.LeverageFilter(maxLeverage=fit(spec.max_leverage, CENT)),
            riskParameters=wire.RiskParameters(cut(rules.price_limit_x), cut(rules.price_limit_y)),
        )

    def risk_limits(self, asked: Asked) -> Any:
        """/v5/market/risk-limit: fifteen contracts a page, every tier of each."""
        if not is_linear(asked, "linear"):
            return wire.Page([], "", asked["category"])
        chosen = {**asked, "category": "linear", "limit": SYMBOLS_A_PAGE}
        page, cursor = paged(in_order(list(specs_of(self._exchange, chosen))), chosen, default=15, most=15)
        return wire.Page([row for spec in page for row in _tiers(spec)], cursor)


def _status(spec: SymbolSpec) -> str:
    return "Trading" if spec.instrument.is_trading else "Closed"


def _tiers(spec: SymbolSpec) -> list[wire.RiskLimitRow]:
    symbol = spec.instrument.symbol
    return [
        wire.RiskLimitRow(
            id=tier.number,
            symbol=symbol,
            riskLimitValue=cut(tier.cap),
            maintenanceMargin=cut(tier.maintenance_rate),
            initialMargin=cut(1 / tier.max_leverage),
            isLowestRisk=int(index == 0),
            maxLeverage=fit(tier.max_leverage, CENT),
            mmDeduction=cut(tier.deduction) if index else "",
        )
        for index, tier in enumerate(spec.tiers)
    ]

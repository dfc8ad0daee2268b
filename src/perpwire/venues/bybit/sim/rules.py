"""The contracts that the simulator trades when nothing else is asked for, and the venue's rules around a contract.

Sizes and price bounds: docs/v5/market/instrument; risk tiers: captured 2025-10 to 2026-10; fees: the venue's help
centre, VIP 0, 2026-05.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perpwire.model.instrument import Instrument
from perpwire.simulator.specs import SymbolSpec

D = Decimal


class Tier(msgspec.Struct, frozen=True):
    """Up to `limit` (settle coin, at mark price) the margin to keep is value x rate - deduction."""

    id: int
    limit: Decimal
    maintenance_rate: Decimal
    deduction: Decimal


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What Bybit says of a contract beyond its Instrument.

    Attributes:
        price_limit_x, price_limit_y: Fractions, see `price_limits` in prices.py.
        funding_cap: Greatest absolute funding rate.
    """

    tiers: tuple[Tier, ...] = (Tier(1, D(1_000_000), D("0.005"), D(0)),)
    max_leverage: Decimal = D("100.00")
    price_limit_x: Decimal = D("0.01")
    price_limit_y: Decimal = D("0.02")
    funding_cap: Decimal = D("0.00375")

    def tier(self, value: Decimal) -> Tier:
        """The tier of a position of this value; the last one beyond all limits."""
        return next((tier for tier in self.tiers if value <= tier.limit), self.tiers[-1])


RULES = {
    "BTCUSDT": Rules(
        tiers=(
            Tier(1, D(300_000), D("0.0033"), D(0)),
            Tier(2, D(2_000_000), D("0.005"), D(510)),
            Tier(3, D(2_600_000), D("0.0056"), D(1710)),
        )
    ),
    "ETHUSDT": Rules(tiers=(Tier(11, D(900_000), D("0.005"), D(0)),)),
    "SOLUSDT": Rules(tiers=(Tier(1, D(50_000), D("0.005"), D(0)),), price_limit_x=D("0.05"), price_limit_y=D("0.1")),
}

_ANY = Rules()


def rules_of(symbol: str) -> Rules:
    return RULES.get(symbol, _ANY)


def default_specs() -> tuple[SymbolSpec, ...]:
    """BTCUSDT, ETHUSDT and SOLUSDT as they were in 2026."""
    return (
        _spec("BTC", "64000", tick="0.10", top="1999999.80", step="0.001", most="1190.000", market="500.000"),
        _spec("ETH", "3000", tick="0.01", top="199999.98", step="0.01", most="14480.00", market="3620.00"),
        _spec("SOL", "150", tick="0.010", top="19999.980", step="0.1", most="159540.0", market="13000.0"),
    )


def _spec(base: str, price: str, *, tick: str, top: str, step: str, most: str, market: str) -> SymbolSpec:
    return SymbolSpec(
        instrument=Instrument(
            venue="bybit",
            symbol=f"{base}USDT",
            base=base,
            quote="USDT",
            settle="USDT",
            is_trading=True,
            tick_size=D(tick),
            min_price=D(tick),
            max_price=D(top),
            quantity_step=D(step),
            min_quantity=D(step),
            max_quantity=D(most),
            max_market_quantity=D(market),
            min_notional=D(5),
            funding_interval_s=8 * 3600,
        ),
        start_price=D(price),
        taker_fee=D("0.00055"),
        maker_fee=D("0.0002"),
        leverage=D(10),
    )

"""The contracts that the simulator trades when nothing else is asked for, and the venue's rules around a contract.

Sizes and price bounds: docs/v5/market/instrument; risk tiers: captured 2025-10 to 2026-10; fees: the venue's help
centre, VIP 0, 2026-05.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perpwire.model.instrument import Instrument
from perpwire.simulator.specs import SymbolSpec, tiers

D = Decimal


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What Bybit says of a contract beyond its Instrument and its risk tiers.

    Attributes:
        price_limit_x, price_limit_y: Fractions, see `Prices.limits`.
        symbol_id: The venue's number of the contract.
    """

    price_limit_x: Decimal = D("0.01")
    price_limit_y: Decimal = D("0.02")
    symbol_id: int = 0


RULES = {
    "BTCUSDT": Rules(symbol_id=5),
    "ETHUSDT": Rules(symbol_id=13),
    "SOLUSDT": Rules(symbol_id=78, price_limit_x=D("0.05"), price_limit_y=D("0.1")),
}

# The first three of BTCUSDT and the first of the others are captured; what follows continues them in the venue's style.
TIERS = {
    "BTCUSDT": tiers(
        ("300000", "100", "0.0033"),
        ("2000000", "100", "0.005"),
        ("2600000", "90", "0.0056"),
        ("5000000", "50", "0.01"),
        ("10000000", "25", "0.02"),
        ("20000000", "12.5", "0.04"),
        ("50000000", "6.25", "0.08"),
        ("100000000", "3.33", "0.15"),
        ("200000000", "1.66", "0.3"),
    ),
    "ETHUSDT": tiers(
        ("900000", "100", "0.005"),
        ("2000000", "50", "0.01"),
        ("5000000", "25", "0.02"),
        ("10000000", "12.5", "0.04"),
        ("30000000", "5", "0.1"),
        ("60000000", "2", "0.25"),
        first=11,
    ),
    "SOLUSDT": tiers(
        ("50000", "100", "0.005"),
        ("200000", "50", "0.01"),
        ("1000000", "25", "0.02"),
        ("5000000", "10", "0.05"),
        ("20000000", "2.5", "0.2"),
        first=101,
    ),
}

FUNDING_CAP = D("0.00375")

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
        tiers=TIERS[f"{base}USDT"],
        funding_cap=FUNDING_CAP,
        funding_floor=-FUNDING_CAP,
    )

"""The contracts that the simulator trades when nothing else is asked for, and the venue's rules around a contract.

Sizes and price bounds: docs/v5/market/instrument; risk tiers: captured 2025-10 to 2026-10; fees: the venue's help
centre, VIP 0, 2026-05.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from perpwire.model.instrument import Instrument
from perpwire.simulator.specs import SymbolSpec, Tier as CoreTier

D = Decimal


class Tier(msgspec.Struct, frozen=True):
    """Up to `limit` (settle coin, at mark price) the margin to keep is value x rate - deduction."""

    id: int
    limit: Decimal
    maintenance_rate: Decimal
    deduction: Decimal
    max_leverage: Decimal = D(100)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What Bybit says of a contract beyond its Instrument.

    Attributes:
        price_limit_x, price_limit_y: Fractions, see `price_limits` in prices.py.
        funding_cap: Greatest absolute funding rate.
        symbol_id: The venue's number of the contract.
        launch_time: Unix ms, as text.
    """

    tiers: tuple[Tier, ...] = (Tier(1, D(1_000_000), D("0.005"), D(0)),)
    max_leverage: Decimal = D("100.00")
    price_limit_x: Decimal = D("0.01")
    price_limit_y: Decimal = D("0.02")
    funding_cap: Decimal = D("0.00375")
    symbol_id: int = 0
    launch_time: str = "1585526400000"

    def tier(self, value: Decimal) -> Tier:
        """The tier of a position of this value; the last one beyond all limits."""
        return next((tier for tier in self.tiers if value <= tier.limit), self.tiers[-1])


def _tiers(first: int, *rows: tuple[int, str, str]) -> tuple[Tier, ...]:
    """From limits, rates and greatest leverages; deductions keep the margin continuous from tier to tier."""
    tiers: list[Tier] = []
    for number, (limit, rate, leverage) in enumerate(rows, first):
        deduction = D(0)
        if tiers:
            before = tiers[-1]
            deduction = before.deduction + before.limit * (D(rate) - before.maintenance_rate)
        tiers.append(Tier(number, D(limit), D(rate), deduction, D(leverage)))
    return tuple(tiers)


# The first three of BTCUSDT and the first of the others are captured; what follows continues them in the venue's style.
RULES = {
    "BTCUSDT": Rules(
        symbol_id=5,
        launch_time="1585526400000",
        tiers=_tiers(
            1,
            (300_000, "0.0033", "100"),
            (2_000_000, "0.005", "100"),
            (2_600_000, "0.0056", "90"),
            (5_000_000, "0.01", "50"),
            (10_000_000, "0.02", "25"),
            (20_000_000, "0.04", "12.5"),
            (50_000_000, "0.08", "6.25"),
            (100_000_000, "0.15", "3.33"),
            (200_000_000, "0.3", "1.66"),
        ),
    ),
    "ETHUSDT": Rules(
        symbol_id=13,
        launch_time="1615766400000",
        tiers=_tiers(
            11,
            (900_000, "0.005", "100"),
            (2_000_000, "0.01", "50"),
            (5_000_000, "0.02", "25"),
            (10_000_000, "0.04", "12.5"),
            (30_000_000, "0.1", "5"),
            (60_000_000, "0.25", "2"),
        ),
    ),
    "SOLUSDT": Rules(
        symbol_id=78,
        launch_time="1634256000000",
        price_limit_x=D("0.05"),
        price_limit_y=D("0.1"),
        tiers=_tiers(
            101,
            (50_000, "0.005", "100"),
            (200_000, "0.01", "50"),
            (1_000_000, "0.02", "25"),
            (5_000_000, "0.05", "10"),
            (20_000_000, "0.2", "2.5"),
        ),
    ),
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
        tiers=_core_tiers(rules_of(f"{base}USDT")),
        funding_cap=rules_of(f"{base}USDT").funding_cap,
        funding_floor=-rules_of(f"{base}USDT").funding_cap,
    )


def _core_tiers(rules: Rules) -> tuple[CoreTier, ...]:
    floors = (D(0), *(tier.limit for tier in rules.tiers))
    return tuple(
        CoreTier(
            number=tier.id,
            floor=floor,
            cap=tier.limit,
            max_leverage=tier.max_leverage,
            maintenance_rate=tier.maintenance_rate,
            deduction=tier.deduction,
        )
        for tier, floor in zip(rules.tiers, floors, strict=False)
    )

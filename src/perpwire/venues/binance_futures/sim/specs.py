"""The contracts that the simulated venue lists unless it is told others."""

from __future__ import annotations

from decimal import Decimal

from perpwire.model.instrument import Instrument
from perpwire.simulator.specs import SymbolSpec, Tier, tiers

VENUE = "binance"

TAKER_FEE = Decimal("0.0005")
MAKER_FEE = Decimal("0.0002")
"""VIP 0, contracts in USDT."""
LIQUIDATION_FEE = Decimal("0.0125")


_BTC = tiers(
    ("300000", "125", "0.004"),
    ("800000", "100", "0.005"),
    ("3000000", "75", "0.0065"),
    ("12000000", "50", "0.01"),
    ("70000000", "25", "0.02"),
    ("100000000", "20", "0.025"),
    ("230000000", "10", "0.05"),
    ("480000000", "5", "0.1"),
    ("600000000", "4", "0.125"),
    ("800000000", "3", "0.15"),
    ("1200000000", "2", "0.25"),
    ("1800000000", "1", "0.5"),
)
_ETH = tiers(
    ("300000", "125", "0.004"),
    ("800000", "100", "0.005"),
    ("3000000", "75", "0.0065"),
    ("12000000", "50", "0.01"),
    ("50000000", "25", "0.02"),
    ("65000000", "20", "0.025"),
    ("150000000", "10", "0.05"),
    ("320000000", "5", "0.1"),
    ("400000000", "4", "0.125"),
    ("530000000", "3", "0.15"),
    ("800000000", "2", "0.25"),
    ("1200000000", "1", "0.5"),
)
_OTHER = tiers(
    ("50000", "100", "0.005"),
    ("200000", "75", "0.0065"),
    ("1000000", "50", "0.01"),
    ("5000000", "25", "0.02"),
    ("10000000", "20", "0.025"),
    ("20000000", "10", "0.05"),
    ("40000000", "5", "0.1"),
    ("60000000", "4", "0.125"),
    ("80000000", "3", "0.15"),
    ("120000000", "2", "0.25"),
    ("200000000", "1", "0.5"),
)
"""Brackets in the venue's style: the first two of BTCUSDT are its documentation's."""


def default_specs() -> tuple[SymbolSpec, ...]:
    """BTCUSDT, ETHUSDT and SOLUSDT with rules and prices as of 2026."""
    return (
        _spec(
            base="BTC",
            start_price="64000",
            prices=("556.80", "4529764", "0.10"),
            quantities=("0.001", "1000", "0.001"),
            max_market_quantity="120",
            brackets=_BTC,
            min_notional="100",
        ),
        _spec(
            base="ETH",
            start_price="3000",
            prices=("39.86", "306177", "0.01"),
            quantities=("0.001", "10000", "0.001"),
            max_market_quantity="2000",
            brackets=_ETH,
            min_notional="20",
        ),
        _spec(
            base="SOL",
            start_price="150",
            prices=("0.4200", "6857.0000", "0.0100"),
            quantities=("0.01", "1000000", "0.01"),
            max_market_quantity="80000",
            brackets=_OTHER,
            min_notional="5",
        ),
    )


def _spec(
    *,
    base: str,
    start_price: str,
    prices: tuple[str, str, str],
    quantities: tuple[str, str, str],
    max_market_quantity: str,
    brackets: tuple[Tier, ...],
    min_notional: str,
) -> SymbolSpec:
    """`prices` and `quantities` are least, greatest and step."""
    min_price, max_price, tick_size = (Decimal(text) for text in prices)
    min_quantity, max_quantity, quantity_step = (Decimal(text) for text in quantities)
    instrument = Instrument(
        venue=VENUE,
        symbol=f"{base}USDT",
        base=base,
        quote="USDT",
        settle="USDT",
        is_trading=True,
        tick_size=tick_size,
        min_price=min_price,
        max_price=max_price,
        quantity_step=quantity_step,
        min_quantity=min_quantity,
        max_quantity=max_quantity,
        max_market_quantity=Decimal(max_market_quantity),
        min_notional=Decimal(min_notional),
        funding_interval_s=8 * 3600,
    )
    return SymbolSpec(
        instrument=instrument,
        start_price=Decimal(start_price),
        taker_fee=TAKER_FEE,
        maker_fee=MAKER_FEE,
        tiers=brackets,
        liquidation_fee=LIQUIDATION_FEE,
    )

"""The contracts that the simulated venue lists unless it is told others."""

from __future__ import annotations

from decimal import Decimal

from perpwire.model.instrument import Instrument
from perpwire.simulator.specs import SymbolSpec

VENUE = "binance"

TAKER_FEE = Decimal("0.0005")
MAKER_FEE = Decimal("0.0002")
"""VIP 0, contracts in USDT."""


def default_specs() -> tuple[SymbolSpec, ...]:
    """BTCUSDT, ETHUSDT and SOLUSDT with rules and prices as of 2026."""
    return (
        _spec(
            base="BTC",
            start_price="64000",
            prices=("556.80", "4529764", "0.10"),
            quantities=("0.001", "1000", "0.001"),
            max_market_quantity="120",
            min_notional="100",
        ),
        _spec(
            base="ETH",
            start_price="3000",
            prices=("39.86", "306177", "0.01"),
            quantities=("0.001", "10000", "0.001"),
            max_market_quantity="2000",
            min_notional="20",
        ),
        _spec(
            base="SOL",
            start_price="150",
            prices=("0.4200", "6857.0000", "0.0100"),
            quantities=("0.01", "1000000", "0.01"),
            max_market_quantity="80000",
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
    )

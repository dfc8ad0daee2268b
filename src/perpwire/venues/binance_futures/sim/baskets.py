"""The baskets that contracts on an index are of: parts, weights, and the parts' prices.

The parts' prices move together, as the contract's index does: shares are fixed, and so are the quantities.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures.sim.words import SymbolWords

_BASKETS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    # Base of the contract -> its parts: asset, share, price when the exchange starts.
    "DEFI": (
        ("UNI", "0.30", "7.50"),
        ("AAVE", "0.25", "160"),
        ("LINK", "0.20", "14.20"),
        ("CRV", "0.15", "0.62"),
        ("BAL", "0.10", "2.10"),
    ),
    "BTCDOM": (
        ("ETH", "0.55", "3000"),
        ("BNB", "0.15", "600"),
        ("SOL", "0.15", "150"),
        ("XRP", "0.15", "0.60"),
    ),
}


class Part(NamedTuple):
    """`quantity` of an asset is in one unit of the index; `share` is its part of the index's value."""

    asset: str
    quote: str
    quantity: Decimal
    share: Decimal
    price: Decimal


def is_basket(words: SymbolWords) -> bool:
    return words.spec.instrument.base in _BASKETS


def parts_of(exchange: Exchange, words: SymbolWords) -> list[Part]:
    """Nothing for a contract on one asset."""
    index = exchange.index_price(words.symbol)
    start = words.spec.start_price
    return [
        Part(
            asset=asset,
            quote=words.spec.instrument.quote,
            quantity=start * Decimal(share) / Decimal(price),
            share=Decimal(share),
            price=Decimal(price) * index / start,
        )
        for asset, share, price in _BASKETS.get(words.spec.instrument.base, ())
    ]

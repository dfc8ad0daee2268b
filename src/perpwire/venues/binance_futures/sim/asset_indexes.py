"""What each asset counts as margin in the multi-assets mode: its index in dollars, less or plus a buffer.

Source: usds-margined-futures, Multi-Assets Mode Asset Index, as of 2026-10-23. Bid and ask rates are the index less and
plus their buffers.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures.sim.words import SymbolWords

_STABLE = Decimal("0.0001")
"""Buffer of what is worth a dollar by itself."""
_LARGE = (Decimal("0.05"), Decimal("0.025"))
_OTHERS = (Decimal("0.1"), Decimal("0.05"))
"""Buffer, and buffer of the exchange that the venue makes by itself."""


class AssetIndex(NamedTuple):
    """One asset; `symbol` is such as BTCUSD. All are fractions or dollars."""

    symbol: str
    price: Decimal
    buffer: Decimal
    auto_buffer: Decimal

    @property
    def bid_rate(self) -> Decimal:
        return self.price * (1 - self.buffer)

    @property
    def ask_rate(self) -> Decimal:
        return self.price * (1 + self.buffer)

    @property
    def auto_bid_rate(self) -> Decimal:
        return self.price * (1 - self.auto_buffer)

    @property
    def auto_ask_rate(self) -> Decimal:
        return self.price * (1 + self.auto_buffer)


def asset_indexes(exchange: Exchange, words: Mapping[str, SymbolWords]) -> list[AssetIndex]:
    """Of every asset that a contract is of or settles in; a settle asset counts as a dollar."""
    settled = dict.fromkeys(one.spec.instrument.settle for one in words.values())
    found = {f"{asset}USD": AssetIndex(f"{asset}USD", Decimal(1), _STABLE, _STABLE) for asset in settled}
    for one in words.values():
        symbol = f"{one.spec.instrument.base}USD"
        if symbol not in found:
            buffers = _LARGE if one.spec.instrument.base in ("BTC", "ETH") else _OTHERS
            found[symbol] = AssetIndex(symbol, exchange.index_price(one.symbol), *buffers)
    return list(found.values())

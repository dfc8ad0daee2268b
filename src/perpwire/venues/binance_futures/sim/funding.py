"""The simulator's funding calls. Their requests are counted in a pool of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perpwire.simulator.events import FundingSettled
from perpwire.simulator.exchange import Exchange
from perpwire.venues.base import Security
from perpwire.venues.binance_futures import wire_market
from perpwire.venues.binance_futures.sim.coin_margined import pair_of
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import Args, limit_of, times
from perpwire.venues.binance_futures.sim.words import SymbolWords, money, padded

_DEFAULT, _WITHOUT_TIMES = 100, 200
"""How many rates are told where no number is asked for: with times, and without."""


class FundingCalls:
    def __init__(self, exchange: Exchange, listing: Listing) -> None:
        self._exchange = exchange
        self._listing = listing

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any]) -> Row:
            return Row(handler, Security.NONE, 1, pool="funding")

        return {
            ("GET", "/fapi/v1/fundingRate"): row(self._rates),
            ("GET", "/fapi/v1/fundingInfo"): row(self._info),
        }

    def _rates(self, account: str, args: Args) -> list[wire_market.FundingRate]:
        """Oldest first: from the start on where there is one, else the newest."""
        chosen = self._listing.chosen(args)
        start_ms, end_ms = times(args)
        limit = limit_of(args, _DEFAULT if start_ms or end_ms else _WITHOUT_TIMES, 1000)
        found = sorted(
            (one for words in chosen for one in self._settled(words, start_ms, end_ms, limit)),
            key=lambda one: one.time_ms,
        )
        return [
            wire_market.FundingRate(
                symbol=one.symbol,
                funding_time=one.time_ms,
                funding_rate=padded(one.rate, 8),
                mark_price=money(one.mark_price),
                rate_type="Regular",
            )
            for one in (found[:limit] if start_ms is not None else found[-limit:])
        ]

    def _settled(
        self, words: SymbolWords, start_ms: int | None, end_ms: int | None, limit: int
    ) -> list[FundingSettled]:
        """The newest so many of a symbol, or the oldest so many from a start on."""
        if start_ms is None:
            return self._exchange.funding_history(words.symbol, end_ms=end_ms, limit=limit)
        # Looked for only as far as so many can be.
        start_ms = max(start_ms, self._exchange.listed_ms(words.symbol))
        far_ms = start_ms + (limit + 2) * hours_of(words) * 3_600_000
        last_ms = min(far_ms, self._exchange.now_ms() if end_ms is None else end_ms)
        return self._exchange.funding_history(words.symbol, start_ms=start_ms, end_ms=last_ms)[:limit]

    def _info(self, account: str, args: Args) -> list[wire_market.FundingInfo]:
        """The contracts of both families, since they were joined."""
        rows = [_info_of(words, words.symbol) for words in self._listing.words.values()]
        for words in self._listing.words.values():
            pair = pair_of(words.symbol)
            if pair is not None:
                rows.append(_info_of(words, f"{pair}_PERP"))
        return rows


def hours_of(words: SymbolWords) -> int:
    """Between two fundings."""
    return (words.spec.instrument.funding_interval_s or 8 * 3600) // 3600


def _info_of(words: SymbolWords, symbol: str) -> wire_market.FundingInfo:
    spec = words.spec
    return wire_market.FundingInfo(
        symbol=symbol,
        adjusted_funding_rate_cap=padded(spec.funding_cap, 8),
        adjusted_funding_rate_floor=padded(spec.funding_floor, 8),
        funding_interval_hours=hours_of(words),
        disclaimer=False,
        update_time=None,
    )

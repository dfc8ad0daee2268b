"""The simulator's candles, of every price that the venue draws them of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from perpwire.simulator.candles import Candle
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intervals import Interval
from perpwire.venues.base import Security
from perpwire.venues.binance_futures.sim.gateway import Row, Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.params import Args, limit_of, needed, times
from perpwire.venues.binance_futures.sim.words import Refusal, SymbolWords, money
from perpwire.venues.binance_futures.wire_market import Kline

CONTRACT_TYPES = frozenset({"PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER", "TRADIFI_PERPETUAL"})

_MOST = 1500
_SAMPLES_A_MINUTE = 60
"""How many values a minute's candle of an index is made of: one a second."""

_Kind = Literal["mark", "index", "premium"]


class KlineCalls:
    def __init__(self, exchange: Exchange, listing: Listing) -> None:
        self._exchange = exchange
        self._listing = listing

    def rows(self) -> Rows:
        def row(handler: Callable[[str, Args], Any]) -> Row:
            return Row(handler, Security.NONE, kline_weight)

        return {
            ("GET", "/fapi/v1/klines"): row(lambda account, args: self._traded(self._listing.words_of(args), args)),
            ("GET", "/fapi/v1/continuousKlines"): row(self._continuous),
            ("GET", "/fapi/v1/indexPriceKlines"): row(
                lambda account, args: self._quoted(self._listing.pair_of(args), "index", args)
            ),
            ("GET", "/fapi/v1/markPriceKlines"): row(
                lambda account, args: self._quoted(self._listing.words_of(args), "mark", args)
            ),
            ("GET", "/fapi/v1/premiumIndexKlines"): row(
                lambda account, args: self._quoted(self._listing.words_of(args), "premium", args)
            ),
        }

    def _continuous(self, account: str, args: Args) -> list[Kline]:
        """Of the perpetual contract; there are no dated ones here."""
        words = self._listing.pair_of(args)
        contract_type = contract_type_of(args)
        rows = self._traded(words, args)
        return rows if contract_type == "PERPETUAL" else []

    def _traded(self, words: SymbolWords, args: Args) -> list[Kline]:
        return [
            (
                one.open_ms,
                words.price(one.open),
                words.price(one.high),
                words.price(one.low),
                words.price(one.close),
                words.quantity(one.volume),
                one.close_ms,
                words.value(one.turnover),
                one.trades,
                words.quantity(one.taker_buy_volume),
                words.value(one.taker_buy_turnover),
                "0",
            )
            for one in self._candles(words, "last", args)
        ]

    def _quoted(self, words: SymbolWords, kind: _Kind, args: Args) -> list[Kline]:
        """Of a price at which nothing is traded: volumes mean nothing there."""
        now_ms = self._exchange.now_ms()

        return [
            (
                one.open_ms,
                money(one.open),
                money(one.high),
                money(one.low),
                money(one.close),
                "0",
                one.close_ms,
                "0",
                max(1, (min(one.close_ms, now_ms) + 1 - one.open_ms) * _SAMPLES_A_MINUTE // 60_000),
                "0",
                "0",
                "0",
            )
            for one in self._candles(words, kind, args)
        ]

    def _candles(self, words: SymbolWords, kind: Literal["last"] | _Kind, args: Args) -> list[Candle]:
        """From the start on where there is one, else the newest."""
        interval = interval_of(args)
        limit = limit_of(args, 500, _MOST)
        start_ms, end_ms = times(args)
        return self._exchange.candles(
            words.symbol,
            kind,
            interval,
            start_ms=start_ms,
            end_ms=end_ms,
            limit=limit,
            oldest=start_ms is not None,
        )


def interval_of(args: Args, name: str = "interval") -> Interval:
    try:
        return Interval(needed(args, name))
    except ValueError:
        raise Refusal(-1120, "Invalid interval.") from None


def contract_type_of(args: Args) -> str:
    contract_type = needed(args, "contractType").upper()
    if contract_type not in CONTRACT_TYPES:
        raise Refusal(-4104, "Invalid contract type.")
    return contract_type


def kline_weight(args: Args) -> int:
    """By the number of candles; so many that they are refused cost the most."""
    text = args.get("limit", "500")
    limit = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 500
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10

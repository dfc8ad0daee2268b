"""Which producer makes the payloads of a stream's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from perpwire.simulator.events import MarkTick, Traded
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.intervals import Interval
from perpwire.venues.binance_futures.sim import (
    baskets,
    book_streams,
    coin_margined,
    kline_streams,
    liquidation_streams,
    price_streams,
    reference_streams,
    ticker_streams,
    trade_streams,
)
from perpwire.venues.binance_futures.sim.agg_trades import AggTrades
from perpwire.venues.binance_futures.sim.producer import Producer, Publish
from perpwire.venues.binance_futures.sim.words import SymbolWords
from perpwire.venues.binance_futures.stream_names import StreamName


class Producers:
    """Makes producers, and keeps what they count from the start, whether anybody listens or not.

    Attributes:
        with_trades: The undocumented trade stream is served.
    """

    def __init__(
        self,
        exchange: Exchange,
        words: Mapping[str, SymbolWords],
        agg_trades: Mapping[str, AggTrades],
        *,
        with_coin_margined: bool,
        with_trades: bool,
    ) -> None:
        self._exchange = exchange
        self._words = words
        self._agg_trades = agg_trades
        self._with_coin_margined = with_coin_margined
        self.with_trades = with_trades
        self._by_stream = {one.stream: one for one in words.values()}
        siblings = {coin_margined.stream_of(one.symbol): one for one in words.values()} if with_coin_margined else {}
        self._by_sibling = {stream: one for stream, one in siblings.items() if stream is not None}
        self._figures = ticker_streams.DayFigures(exchange, words)
        self._means = price_streams.MeanMarkPrices(words)

    def count(self, event: Traded | MarkTick) -> None:
        if isinstance(event, Traded):
            self._agg_trades[event.symbol].add(event)
        else:
            self._means.add(event)

    def symbol_of(self, name: StreamName) -> str | None:
        """The contract that a stream is about; None for those of the whole market, and of symbols there are none of."""
        words = self._by_stream.get(name.symbol) or self._sibling_of(name)
        return None if words is None else words.symbol

    def _sibling_of(self, name: StreamName) -> SymbolWords | None:
        """The contract beside a COIN-M one, for the streams that both families have in common."""
        return self._by_sibling.get(name.symbol) if name.kind in ("markPrice", "kline") else None

    def make(self, name: StreamName, publish: Publish) -> Producer | None:
        """None where nothing is ever sent."""
        if not name.symbol:
            return self._of_the_market(name, publish)
        # Names hold symbols in small letters; any other spelling is some other name, on which nothing comes.
        if name.kind == "assetIndex" and name.symbol == name.symbol.lower():
            return reference_streams.AssetIndexProducer(self._exchange, publish, self._words, name.symbol.upper())
        words = self._by_stream.get(name.symbol)
        if words is not None:
            return self._of_symbol(name, publish, words)
        sibling = self._sibling_of(name)
        return None if sibling is None else self._of_sibling(name, publish, sibling)

    def _of_sibling(self, name: StreamName, publish: Publish, words: SymbolWords) -> Producer:
        if name.kind == "kline":
            return self._klines(name, publish, words, kline_streams.coin_margined_kline)
        period_ms = name.period_ms or 0
        return price_streams.MarkPriceProducer(self._exchange, publish, self._means, period_ms, is_sibling=True)

    def _of_the_market(self, name: StreamName, publish: Publish) -> Producer | None:
        exchange = self._exchange
        match name.kind:
            case "bookTicker":
                return book_streams.AllBookTickersProducer(
                    exchange, publish, self._words.values(), with_coin_margined=self._with_coin_margined
                )
            case "markPrice":
                return price_streams.AllMarkPricesProducer(
                    exchange,
                    publish,
                    self._means,
                    name.period_ms or 0,
                    with_coin_margined=self._with_coin_margined,
                )
            case "ticker" | "miniTicker":
                return ticker_streams.AllTickersProducer(
                    exchange, publish, self._row_of(name.kind), with_coin_margined=self._with_coin_margined
                )
            case "forceOrder":
                return liquidation_streams.ForceOrderProducer(exchange, publish, is_all=True)
            case "assetIndex":
                return reference_streams.AssetIndexProducer(exchange, publish, self._words, "")
            case "contractInfo":
                return reference_streams.ContractInfoProducer(exchange, publish, self._words)
            case "tradingSession":
                return reference_streams.TradingSessionProducer(exchange, publish)
            case _:
                return None

    def _of_symbol(self, name: StreamName, publish: Publish, words: SymbolWords) -> Producer | None:
        exchange = self._exchange
        match name.kind:
            case "bookTicker":
                return book_streams.BookTickerProducer(exchange, publish, words)
            case "depth" | "rpiDepth":
                # 0ms is known from recordings only; without one it goes at the quickest pace there is.
                return book_streams.DepthProducer(exchange, publish, words, name.period_ms or 100)
            case "partialDepth":
                return book_streams.PartialDepthProducer(
                    exchange, publish, words, name.period_ms or 0, name.levels or 0
                )
            case "aggTrade":
                return trade_streams.AggTradeProducer(exchange, publish, words, self._agg_trades[words.symbol])
            case "trade" if self.with_trades:
                return trade_streams.TradeProducer(exchange, publish, words)
            case "markPrice":
                return price_streams.MarkPriceProducer(exchange, publish, self._means, name.period_ms or 0)
            case "kline":
                return self._klines(name, publish, words, kline_streams.kline_event)
            case "continuousKline" if name.contract == "perpetual":
                return self._klines(name, publish, words, kline_streams.continuous_kline)
            case "ticker" | "miniTicker":
                return ticker_streams.TickerProducer(exchange, publish, words.symbol, self._row_of(name.kind))
            case "forceOrder":
                return liquidation_streams.ForceOrderProducer(exchange, publish, is_all=False)
            case "compositeIndex" if baskets.is_basket(words):
                return reference_streams.CompositeIndexProducer(exchange, publish, words)
            case _:
                return None

    def _row_of(self, kind: str) -> Callable[[str], ticker_streams.Row]:
        return self._figures.full if kind == "ticker" else self._figures.short

    def _klines(
        self, name: StreamName, publish: Publish, words: SymbolWords, framed: kline_streams.Framed
    ) -> kline_streams.KlineProducer:
        return kline_streams.KlineProducer(self._exchange, publish, words, Interval(name.interval), framed)

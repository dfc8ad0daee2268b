"""Each closed candle of a symbol that a connector has subscribed was told once, in order, with the exchange's last word
on it, or lies in a Gap that says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.model.market import Gap, Kline, PriceKind
from perpwire.scenarios.unheard import TOLD_BY_NS, wanted
from perpwire.simulator.candles import Candle

if TYPE_CHECKING:
    from perpwire.scenarios.run import Run

MOST = 2000
"""So many are held against the exchange's: a day of minutes, and more."""


class CandlesHeard:
    """What a connector's handlers were told, by symbol and interval, in order."""

    def __init__(self, connector: VenueConnector) -> None:
        self.heard: dict[tuple[str, str], list[Kline | Gap]] = defaultdict(list)
        connector.on(Kline, self._on_candle)
        connector.on(Gap, self._on_gap)

    def _on_candle(self, candle: Kline) -> None:
        if candle.price_kind is PriceKind.LAST:
            self.heard[candle.symbol, candle.interval].append(candle)

    def _on_gap(self, gap: Gap) -> None:
        if gap.kind == "Kline":
            self.heard[gap.symbol, gap.interval].append(gap)


def unsaid(run: Run) -> Iterable[str]:
    """What is missing, told twice or out of order, or told otherwise than it was in the end."""
    exchange = run.host.exchange
    followed = {(said.symbol, said.interval) for said in wanted(run, Kline)}
    for (symbol, interval), heard in run.candles.heard.items():
        name = f"{interval} candle of {symbol}"
        first = min((one.open_time_ms for one in heard if isinstance(one, Kline)), default=0)
        candles = exchange.candles(symbol, "last", interval, start_ms=first, limit=MOST, oldest=True)
        closed = {one.open_ms: one for one in candles if one.is_closed}
        for problem in _in_turn(heard, closed):
            yield f"{name}: {problem}"
        newest = max((one.open_time_ms for one in heard if isinstance(one, Kline) and one.is_closed), default=first - 1)
        by_ms = exchange.now_ms() - TOLD_BY_NS // 1_000_000
        due = max((one.open_ms for one in closed.values() if one.close_ms < by_ms), default=0)
        if (symbol, interval) in followed and first and newest < due:
            yield f"{name}: none is told any more, the newest is of {newest}, and one of {due} is closed for long"


def _in_turn(heard: Sequence[Kline | Gap], closed: dict[int, Candle]) -> Iterable[str]:
    order = sorted(closed)
    newest: int | None = None  # of those that were closed; before them the one before the first that was told
    latest = 0
    is_marked = False
    for one in heard:
        if isinstance(one, Gap):
            is_marked = is_marked or not one.repaired
            continue
        opened = one.open_time_ms
        if opened < latest:
            yield f"that of {opened} is told after that of {latest}"
        elif opened == newest:
            yield f"that of {opened} is told again, after the last word on it"
        latest = max(latest, opened)
        newest = opened - 1 if newest is None else newest
        if not one.is_closed:
            continue
        if one.recovered is bool(one.received_ns):
            yield f"that of {opened} is {'' if one.recovered else 'not '}marked as read back"
        if opened not in closed:
            yield f"that of {opened} is told as closed, and is not"
        elif (said := _numbers_told(one)) != (last := _numbers_of(closed[opened], one)):
            yield f"that of {opened} is {last}, and was told as {said}"
        if not is_marked and (missing := [at for at in order if newest < at < opened]):
            yield f"{len(missing)} are missing, and no Gap says so: {missing[:5]}"
        newest = max(newest, opened)
        if not one.recovered:
            is_marked = False


def _numbers_told(one: Kline) -> tuple[object, ...]:
    return (
        one.close_time_ms, one.open, one.high, one.low, one.close, one.volume, one.quote_volume, one.trades,
        one.taker_buy_volume, one.taker_buy_quote_volume,
    )  # fmt: skip


def _numbers_of(candle: Candle, told: Kline) -> tuple[object, ...]:
    """In as many decimals as the venue tells them, and without what it does not tell."""
    prices = (candle.open, candle.high, candle.low, candle.close)
    bought = (candle.taker_buy_volume, _cut(candle.taker_buy_turnover))
    counted: tuple[object, ...] = (None, None, None) if told.trades is None else (candle.trades, *bought)
    return (candle.close_ms, *prices, candle.volume, _cut(candle.turnover), *counted)


def _cut(money: Decimal) -> Decimal:
    return money.quantize(Decimal("1e-8"), rounding=ROUND_DOWN)

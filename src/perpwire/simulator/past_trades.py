"""The last trades before the start, made up to fit the last candle of the past: a tape that is never empty."""

from __future__ import annotations

from random import Random

from perpwire.simulator.candles import Candles
from perpwire.simulator.events import Traded
from perpwire.simulator.intervals import MINUTE_MS
from perpwire.simulator.specs import SymbolSpec

COUNT = 500
"""At most so many."""


def past_trades(
    spec: SymbolSpec, candles: Candles, rng: Random, *, start_ms: int, first_trade_id: int, first_seq: int
) -> list[Traded]:
    """Oldest first. They lie in the last minute before the start, within its prices, and their ids and sequence
    numbers run up to those that the exchange begins with."""
    minute = candles.at("last", "1m", start_ms // MINUTE_MS * MINUTE_MS - MINUTE_MS)
    assert minute is not None  # the past is years long
    tick, step = spec.instrument.tick_size, spec.instrument.quantity_step
    count = min(COUNT, minute.trades)
    low, high, price = int(minute.low / tick), int(minute.high / tick), int(minute.close / tick)
    if not count:
        return []  # a quiet minute
    mean_steps = float(minute.volume / step) / minute.trades
    fewest = max(1, int(spec.instrument.min_quantity / step))
    times = sorted(rng.randrange(minute.open_ms, minute.close_ms + 1) for _ in range(count))
    is_sale = rng.random() < 0.5
    trades: list[Traded] = []
    for number in range(count):
        # Backward from the close: several in a row on one side, and a price that wanders between low and high.
        if rng.random() < 0.4:
            is_sale = not is_sale
        trades.append(
            Traded(
                symbol=spec.instrument.symbol,
                trade_id=first_trade_id - 1 - number,
                price=tick * price,
                quantity=step * max(fewest, round(mean_steps * rng.lognormvariate(-0.72, 1.2))),
                buyer_is_maker=is_sale,
                time_ms=times[count - 1 - number],
                seq=first_seq - 1 - number,
            )
        )
        moved = rng.choice((-1, 0, 0, 1)) * max(1, (high - low) // 25)
        price = min(high, max(low, price + moved))
    return trades[::-1]

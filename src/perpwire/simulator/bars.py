"""Candles as whole numbers: joined into longer ones, and split into shorter ones that add up to them exactly."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

_RANGE_OF_A_WALK = 1.6  # mean of (high - low), in standard deviations of (close - open)
_ATTEMPTS = 20
_UNEVEN = 0.5  # of the trading in the parts; standard deviation of its logarithm


class Bar(NamedTuple):
    """One candle. Prices count ticks, volumes quantity steps, turnovers tick x step. Buys are those of takers.

    `first_id` and `last_id` are of live trades; -1 where there are none.
    """

    open: int
    high: int
    low: int
    close: int
    buys: int = 0
    sells: int = 0
    buy_turnover: int = 0
    sell_turnover: int = 0
    trades: int = 0
    first_id: int = -1
    last_id: int = -1


def joined(bars: Iterable[Bar]) -> Bar:
    """The one candle that these consecutive ones make; there is at least one."""
    columns = list(zip(*bars, strict=True))
    opens, highs, lows, closes, buys, sells, bought, sold, trades, first_ids, last_ids = columns
    return Bar(
        opens[0],
        max(highs),
        min(lows),
        closes[-1],
        sum(buys),
        sum(sells),
        sum(bought),
        sum(sold),
        sum(trades),
        next((one for one in first_ids if one >= 0), -1),
        max(last_ids),
    )


def flat(price: int) -> Bar:
    """Nothing was traded."""
    return Bar(price, price, price, price)


def reach(start: int, end: int, deviation: float, rng: Random) -> tuple[int, int]:
    """How high and how low a random walk gets on its way: drawn from its true distributions, each for itself.

    Args:
        deviation: Standard deviation that its end would have if it were free.
    """
    gap = float(end - start) ** 2
    middle = (start + end) / 2
    up = math.sqrt(gap + 2 * deviation**2 * rng.expovariate(1.0)) / 2
    down = math.sqrt(gap + 2 * deviation**2 * rng.expovariate(1.0)) / 2
    return max(start, end, round(middle + up)), min(start, end, round(middle - down))


def split(bar: Bar, busy: Sequence[float], rng: Random) -> list[Bar]:
    """Shorter candles that `joined` makes `bar` of again, each opening where the one before closed.

    Args:
        busy: How much is traded in each part, in proportion; what is really drawn varies around it. More trading goes
            with more movement.
    """
    shares = _shares([one * rng.lognormvariate(0.0, _UNEVEN) for one in busy])
    closes, deviation = _path(bar, shares, rng)
    opens = [bar.open, *closes[:-1]]
    reaches = [
        reach(start, end, deviation * math.sqrt(share), rng)
        for start, end, share in zip(opens, closes, shares, strict=True)
    ]
    highs = [min(bar.high, high) for high, _ in reaches]
    lows = [max(bar.low, low) for _, low in reaches]
    highs[highs.index(max(highs))] = bar.high
    lows[lows.index(min(lows))] = bar.low
    if not bar.trades:
        return [Bar(*prices) for prices in zip(opens, highs, lows, closes, strict=True)]
    # Takers bought more where the price rose.
    leans = [
        0.3 * math.tanh((end - start) / (deviation + 1)) + rng.gauss(0.0, 0.1)
        for start, end in zip(opens, closes, strict=True)
    ]
    buys = _parts(bar.buys, [share * (1 + max(-0.9, lean)) for share, lean in zip(shares, leans, strict=True)])
    sells = _parts(bar.sells, [share * (1 - min(0.9, lean)) for share, lean in zip(shares, leans, strict=True)])
    prices = list(zip(opens, highs, lows, closes, strict=True))
    bought = _turnovers(bar.buy_turnover, buys, prices)
    sold = _turnovers(bar.sell_turnover, sells, prices)
    trades = _counts(bar.trades, [buy + sell for buy, sell in zip(buys, sells, strict=True)])
    columns = zip(prices, buys, sells, bought, sold, trades, strict=True)
    return [Bar(*four, *rest) for four, *rest in columns]


def _path(bar: Bar, shares: Sequence[float], rng: Random) -> tuple[list[int], float]:
    """The closes of the parts: a random walk from open to close within low and high, whose mean is the bar's own
    average price; and the walk's standard deviation."""
    deviation = (bar.high - bar.low) / _RANGE_OF_A_WALK
    volume = bar.buys + bar.sells
    average = (bar.buy_turnover + bar.sell_turnover) / volume if volume else (bar.open + bar.close) / 2
    walk = [0.0]
    for share in shares:
        walk.append(walk[-1] + deviation * math.sqrt(share) * rng.gauss(0.0, 1.0))
    pull = bar.close - bar.open - walk[-1]
    path: list[float] = []
    bumps: list[float] = []
    done = 0.0
    for height, share in zip(walk, (*shares, 0.0), strict=True):
        path.append(bar.open + height + pull * done)
        bumps.append(done * (1 - done))
        done += share
    mean = sum(share * (path[i] + path[i + 1]) for i, share in enumerate(shares)) / 2
    weight = sum(share * (bumps[i] + bumps[i + 1]) for i, share in enumerate(shares)) / 2
    shift = (mean - average) / weight if weight > 1e-9 else 0.0
    closes = [
        min(bar.high, max(bar.low, round(point - shift * bump)))
        for point, bump in zip(path[1:], bumps[1:], strict=True)
    ]
    closes[-1] = bar.close
    return closes, deviation


def _turnovers(total: int, volumes: list[int], prices: Sequence[tuple[int, int, int, int]]) -> list[int]:
    """What each part turned over: near the mean of its prices, and within its high and low. For that, some of the
    volumes are moved from dear parts to cheap ones, or the other way.

    Args:
        prices: Open, high, low and close of each part.
    """
    fourfold = [sum(four) for four in prices]
    for attempt in range(_ATTEMPTS):
        amounts = [volume * price // 4 for volume, price in zip(volumes, fourfold, strict=True)]
        missing = total - sum(amounts)
        sign = 1 if missing > 0 else -1
        ends = [high if missing > 0 else low for _, high, low, _ in prices]
        room = [sign * (volume * end - amount) for volume, end, amount in zip(volumes, ends, amounts, strict=True)]
        if abs(missing) <= sum(room) // 2 or attempt == _ATTEMPTS - 1:
            break
        best = max(range(len(volumes)), key=lambda i: sign * fourfold[i])
        gains = [sign * (fourfold[best] - price) for price in fourfold]
        giver = max(range(len(volumes)), key=lambda i: gains[i] * volumes[i])
        moved = min(volumes[giver] // 2, 4 * abs(missing) // max(1, gains[giver]) + 1)
        volumes[giver] -= moved
        volumes[best] += moved
    spread = min(abs(missing), sum(room))
    if spread:
        amounts = [amount + sign * part for amount, part in zip(amounts, _parts(spread, room), strict=True)]
    rest = total - sum(amounts)
    if rest:
        amounts[volumes.index(max(volumes))] += rest
    return amounts


def _counts(total: int, volumes: Sequence[int]) -> list[int]:
    """Trades in proportion to volume, at least one where there is any as far as the total lets them."""
    counts = _parts(total, volumes)
    for i, volume in enumerate(volumes):
        most = max(range(len(counts)), key=counts.__getitem__)
        if volume and not counts[i] and counts[most] > 1:
            counts[i] += 1
            counts[most] -= 1
    return counts


def _shares(weights: Sequence[float]) -> list[float]:
    total = sum(weights)
    return [weight / total for weight in weights]


def _parts(total: int, weights: Sequence[float]) -> list[int]:
    """Whole numbers in proportion to the weights that add up to `total`."""
    whole = float(sum(weights)) or 1.0
    parts: list[int] = []
    before, seen = 0, 0.0
    for weight in weights:
        seen += weight
        upto = min(total, round(total * (seen / whole)))
        parts.append(upto - before)
        before = upto
    if before != total:
        parts[max(range(len(parts)), key=lambda i: weights[i])] += total - before
    return parts

"""What an event costs does not grow: counted in byte codes executed between the frame and the handler, not in time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from tests.sizes import size
from tests.speaker import Speaker

from perpwire.api_connector.frame_path import FramePath
from perpwire.clock import ManualClock
from perpwire.model.incident import Incident
from perpwire.model.market import BookTicker, Trade
from perpwire.venues import load

VENUES = ("binance", "bybit")


def trade(venue: str, symbol: str, n: int) -> bytes:
    if venue == "binance":
        data = (
            f'"e":"aggTrade","E":{n},"s":"{symbol}","a":{n},"p":"61800.30","q":"0.006","f":{n},"l":{n},"T":{n},"m":true'
        )
        return f'{{"stream":"{symbol.lower()}@aggTrade","data":{{{data}}}}}'.encode()
    row = f'{{"T":{n},"s":"{symbol}","S":"Buy","v":"0.006","p":"61800.30","L":"PlusTick","i":"i-{n}","BT":false}}'
    return f'{{"topic":"publicTrade.{symbol}","type":"snapshot","ts":{n},"data":[{row}]}}'.encode()


class Market:
    """One connection's frames, and a handler for the trades and the best prices of each symbol."""

    def __init__(self, venue: str, symbols: int) -> None:
        self._venue = venue
        self.heard = 0
        told: list[Incident] = []
        self._path = FramePath(ManualClock(), told.append)
        self._speaker = Speaker(self._path, load(venue).session("public"), f"{venue}/public")
        self.symbols = [f"COIN{number:03}USDT" for number in range(symbols)]
        for symbol in self.symbols:
            self._path.on(Trade, self._hear, symbol)
            self._path.on(BookTicker, self._hear, symbol)

    def _hear(self, event: object) -> None:
        self.heard += 1

    def say(self, symbol: str, n: int) -> None:
        self._speaker.say(trade(self._venue, symbol, n))


def byte_codes(work: Callable[[], None]) -> int:
    """How many byte codes `work` executes, in all functions it calls."""
    done = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal done
        frame.f_trace_opcodes = True
        done += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return done


def cost_of_one(market: Market, symbol: str, n: int) -> int:
    heard = market.heard
    cost = byte_codes(lambda: market.say(symbol, n))
    assert market.heard == heard + 1
    assert cost > 0
    return cost


@pytest.mark.parametrize("venue", VENUES)
def test_an_event_costs_the_same_among_1_10_and_500_symbols(venue: str) -> None:
    costs = set()
    for symbols in (1, 10, 500):
        market = Market(venue, symbols)
        for n, symbol in enumerate(market.symbols, 1_000_000):
            market.say(symbol, n)
        costs |= {cost_of_one(market, symbol, 1_001_000) for symbol in (market.symbols[0], market.symbols[-1])}
    assert len(costs) == 1


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_an_event_costs_the_same_after_a_thousand_and_after_a_million(venue: str) -> None:
    """In part after a hundred thousand."""
    market = Market(venue, 10)
    costs = []
    for said in (1_600, size(1_000_000, 100_000)):  # both are frames whose latency is counted
        for n in range(market.heard, said):
            market.say(market.symbols[n % 10], 1_000_000 + n)
        costs.append(cost_of_one(market, market.symbols[0], 1_000_000 + said))
    assert costs[0] == costs[1]
    assert market.heard == size(1_000_000, 100_000) + 1

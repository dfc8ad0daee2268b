"""The simulated venue's streams of candles and of 24-hour figures."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.venues.binance_futures.simulated import SimulatedVenue, in_virtual_time, pass_s

KLINE_KEYS = ["t", "T", "s", "i", "f", "L", "o", "c", "h", "l", "v", "n", "x", "q", "V", "Q", "B"]


async def to_the_minute(venue: SimulatedVenue) -> None:
    """Let time pass until a minute begins."""
    await pass_s((60_000 - venue.exchange.now_ms() % 60_000) / 1000 + 0.001)


def test_a_candle_is_told_four_times_a_second_while_there_are_trades_and_when_it_closes() -> None:
    async def main(venue: SimulatedVenue) -> None:
        venue.quote(quantity="10")
        await to_the_minute(venue)
        peer = venue.socket("/market/ws/btcusdt@kline_1m")
        for _ in range(10):
            venue.market()
            await pass_s(0.1)
        await pass_s(2)
        assert len(peer.data) == 4  # at a quarter, a half, three quarters, and the whole second
        assert all(one["E"] % 250 == 0 for one in peer.data)
        last = peer.data[-1]
        assert list(last) == ["e", "E", "s", "k"]
        kline = last["k"]
        assert list(kline) == KLINE_KEYS
        assert (kline["v"], kline["n"], kline["x"], kline["i"]) == ("0.100", 10, False, "1m")
        assert (kline["o"], kline["q"], kline["V"]) == ("64000.00", "6400.01000", "0.100")
        assert kline["L"] - kline["f"] == 9
        assert kline["T"] - kline["t"] == 59_999
        venue.market(side="SELL")
        await to_the_minute(venue)
        closed = peer.data[-1]
        assert closed["k"] == closed["k"] | {"t": kline["t"], "x": True, "n": 11, "c": "63999.90", "l": "63999.90"}
        assert closed["E"] >= closed["k"]["T"]
        count = len(peer.data)
        await pass_s(30)
        assert len(peer.data) == count

    in_virtual_time(main)


def test_a_candle_without_trades_closes_too() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/market/ws/ethusdt@kline_1m")
        await pass_s(185)
        assert len(peer.data) == 3
        assert all(one["k"]["x"] for one in peer.data)
        assert all(
            after["k"]["t"] == before["k"]["T"] + 1 for before, after in zip(peer.data, peer.data[1:], strict=False)
        )
        quiet = peer.data[-1]["k"]
        assert (quiet["n"], quiet["f"], quiet["L"], quiet["v"]) == (0, -1, -1, "0.000")
        assert quiet["o"] == quiet["c"] == quiet["h"] == quiet["l"]

    in_virtual_time(main)


def test_the_stream_and_the_call_tell_of_the_same_candle() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/market/ws/btcusdt@kline_1m")
        await pass_s(125)
        closed = [one["k"] for one in peer.data if one["k"]["x"]]
        assert len(closed) == 2
        rows = venue.exchange.candles("BTCUSDT", "last", "1m", limit=4)
        by_open = {row.open_ms: row for row in rows}
        for kline in closed:
            row = by_open[kline["t"]]
            assert [Decimal(kline[name]) for name in "ohlcvqVQ"] == [
                row.open,
                row.high,
                row.low,
                row.close,
                row.volume,
                row.turnover,
                row.taker_buy_volume,
                row.taker_buy_turnover,
            ]

    in_virtual_time(main, rate=3.0)


def test_candles_of_a_kind_of_contract_say_pair_and_kind() -> None:
    async def main(venue: SimulatedVenue) -> None:
        venue.quote()
        peer = venue.socket("/market/stream", "streams=btcusdt_perpetual@continuousKline_1M")
        venue.market()
        await pass_s(0.3)
        (frame,) = peer.data
        assert frame["stream"] == "btcusdt_perpetual@continuousKline_1M"
        data = frame["data"]
        assert list(data) == ["e", "E", "ps", "ct", "k"]
        assert (data["e"], data["ps"], data["ct"], data["k"]["i"]) == ("continuous_kline", "BTCUSDT", "PERPETUAL", "1M")
        assert list(data["k"]) == [name for name in KLINE_KEYS if name != "s"]

    in_virtual_time(main)


def test_one_symbols_day_comes_every_two_seconds() -> None:
    async def main(venue: SimulatedVenue) -> None:
        venue.quote()
        full = venue.socket("/market/ws/btcusdt@ticker")
        short = venue.socket("/market/ws/btcusdt@miniTicker")
        venue.market()
        await pass_s(6.01)
        assert len(full.data) == len(short.data) == 3
        day = full.data[-1]
        assert list(day) == [*list("eEspPwcQohlvqOCFLn"), "ps", "st"]
        assert (day["c"], day["Q"], day["s"], day["ps"], day["st"]) == ("64000.10", "0.010", "BTCUSDT", "BTCUSDT", 1)
        assert Decimal(day["p"]) == Decimal(day["c"]) - Decimal(day["o"])
        assert Decimal(day["l"]) <= Decimal(day["w"]) <= Decimal(day["h"])
        assert day["L"] - day["F"] + 1 == day["n"]
        assert day["C"] - day["O"] == 24 * 3600 * 1000
        mini = short.data[-1]
        assert list(mini) == [*list("eEscohlvq"), "ps", "st"]
        assert {name: mini[name] for name in "Ecohlvq"} == {name: day[name] for name in "Ecohlvq"}

    in_virtual_time(main)


def symbols(frame: Any) -> list[tuple[str, int]]:
    return [(row["s"], row["st"]) for row in frame]


def test_the_days_of_those_that_have_traded_come_every_second() -> None:
    async def main(venue: SimulatedVenue) -> None:
        venue.quote()
        full = venue.socket("/market/ws/!ticker@arr")
        short = venue.socket("/market/ws/!miniTicker@arr")
        await pass_s(1.5)
        assert full.data == short.data == []
        venue.market()
        await pass_s(3)
        assert len(full.data) == len(short.data) == 1
        assert symbols(full.data[0]) == symbols(short.data[0]) == [("BTCUSDT", 1), ("BTCUSD_PERP", 2)]
        own, sibling = full.data[0]
        # Contracts of a hundred dollars, and bitcoin.
        assert Decimal(sibling["v"]) == round(Decimal(own["q"]) / 100)
        assert (sibling["q"], sibling["ps"]) == (own["v"], "BTCUSD")

    in_virtual_time(main)

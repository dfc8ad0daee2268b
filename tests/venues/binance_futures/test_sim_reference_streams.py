"""The simulated venue's streams of indices and sessions."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from tests.venues.binance_futures.simulated import SimulatedVenue, in_virtual_time, pass_s

from perpwire.venues.binance_futures.sim import default_specs
from perpwire.venues.binance_futures.sim.trading_sessions import MARKETS, schedule, session_at


def ms(text: str) -> int:
    """Unix milliseconds of a time in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


BY_NAME = {market.name: market for market in MARKETS}


@pytest.mark.parametrize(
    ("market", "time", "start", "end", "kind"),
    [
        # The example of the venue's own page.
        ("EQUITY", "2025-12-09T01:35:43", "2025-12-09T01:00", "2025-12-09T09:00", "OVERNIGHT"),
        ("EQUITY", "2026-07-01T13:29:59", "2026-07-01T08:00", "2026-07-01T13:30", "PRE_MARKET"),
        ("EQUITY", "2026-07-01T13:30:00", "2026-07-01T13:30", "2026-07-01T20:00", "REGULAR"),
        ("EQUITY", "2026-07-01T23:00", "2026-07-01T20:00", "2026-07-02T00:00", "AFTER_MARKET"),
        # From Friday evening to Sunday evening; the last weekend of summer time is an hour longer.
        ("EQUITY", "2026-07-04T12:00", "2026-07-04T00:00", "2026-07-06T00:00", "NO_TRADING"),
        ("EQUITY", "2026-10-31T12:00", "2026-10-31T00:00", "2026-11-02T01:00", "NO_TRADING"),
        ("COMMODITY", "2026-07-01T21:30", "2026-07-01T21:00", "2026-07-01T22:00", "NO_TRADING"),
        ("COMMODITY", "2026-07-05T23:00", "2026-07-05T22:00", "2026-07-06T21:00", "REGULAR"),
        ("KR_EQUITY", "2026-07-01T00:00", "2026-07-01T00:00", "2026-07-01T06:30", "REGULAR"),
        ("HK_EQUITY", "2026-07-01T04:30", "2026-07-01T04:00", "2026-07-01T05:00", "NO_TRADING"),
        ("CN_EQUITY", "2026-07-03T07:00", "2026-07-03T07:00", "2026-07-06T01:30", "NO_TRADING"),
    ],
)
def test_a_market_is_in_the_session_of_its_own_clock(market: str, time: str, start: str, end: str, kind: str) -> None:
    assert session_at(BY_NAME[market], ms(time)) == (ms(start), ms(end), kind)


def test_a_schedule_has_no_gaps() -> None:
    start_ms, end_ms = ms("2026-02-25T12:00"), ms("2026-03-20T12:00")
    for market in MARKETS:
        sessions = schedule(market, start_ms, end_ms)
        assert sessions[0].start_ms <= start_ms
        assert sessions[-1].end_ms >= end_ms
        assert all(before.end_ms == after.start_ms for before, after in pairwise(sessions))


def test_every_second_each_market_tells_its_session() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/market/ws/tradingSession")
        await pass_s(3.01)
        assert [one["e"] for one in peer.data] == 3 * [
            "EquityUpdate",
            "CommodityUpdate",
            "KR_EquityUpdate",
            "HK_EquityUpdate",
            "CN_EquityUpdate",
        ]
        assert all(one["t"] <= one["E"] < one["T"] for one in peer.data)

    in_virtual_time(main)


def test_asset_indices_come_every_second_alone_or_together() -> None:
    async def main(venue: SimulatedVenue) -> None:
        together = venue.socket("/market/ws/!assetIndex@arr")
        alone = venue.socket("/market/ws/btcusd@assetIndex")
        silent = venue.socket("/market/ws/BTCUSD@assetIndex/dogeusd@assetIndex")
        await pass_s(2.01)
        assert len(together.data) == len(alone.data) == 2
        rows = {row["s"]: row for row in together.data[0]}
        assert set(rows) == {"USDTUSD", "BTCUSD", "ETHUSD", "SOLUSD"}
        assert alone.data[0] == rows["BTCUSD"]
        index, buffer = Decimal(rows["SOLUSD"]["i"]), Decimal(rows["SOLUSD"]["b"])
        assert abs(Decimal(rows["SOLUSD"]["B"]) - index * (1 - buffer)) <= Decimal("1e-8")
        assert rows["USDTUSD"]["B"] == "0.99990000"
        assert silent.data == []

    in_virtual_time(main)


def test_a_contract_on_a_basket_tells_what_is_in_it() -> None:
    instrument = msgspec.structs.replace(default_specs()[0].instrument, symbol="DEFIUSDT", base="DEFI")
    spec = msgspec.structs.replace(default_specs()[0], instrument=instrument, start_price=Decimal(1500))

    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/market/ws/defiusdt@compositeIndex")
        other = venue.socket("/market/ws/btcusdt@compositeIndex")
        await pass_s(1.01)
        (frame,) = peer.data
        assert (frame["s"], frame["C"]) == ("DEFIUSDT", "baseAsset")
        parts = [{name: Decimal(part[name]) for name in "wWi"} for part in frame["c"]]
        assert sum(part["W"] for part in parts) == 1
        value = sum(part["w"] * part["i"] for part in parts)
        assert abs(value - Decimal(frame["p"])) < Decimal("0.001")
        assert other.data == []

    in_virtual_time(main, symbols=(*default_specs(), spec))


def test_a_contract_that_is_closed_or_opened_is_told_of() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/market/ws/!contractInfo")
        venue.exchange.set_trading("ETHUSDT", False)
        venue.exchange.set_trading("ETHUSDT", True)
        closed, opened = peer.data
        assert (closed["e"], closed["s"], closed["ps"], closed["ct"]) == (
            "contractInfo",
            "ETHUSDT",
            "ETHUSDT",
            "PERPETUAL",
        )
        assert closed["cs"] != "TRADING"
        assert "bks" not in closed
        assert opened["cs"] == "TRADING"
        brackets = opened["bks"]
        told = venue.signed("GET", "/fapi/v1/leverageBracket", symbol="ETHUSDT").json[0]["brackets"]
        assert [one["ma"] for one in brackets] == [one["initialLeverage"] for one in told]
        assert [(one["bnf"], one["bnc"]) for one in brackets] == [
            (one["notionalFloor"], one["notionalCap"]) for one in told
        ]
        assert brackets[-1]["mi"] == 1
        assert all(before["mi"] == after["ma"] + 1 for before, after in pairwise(brackets))

    in_virtual_time(main)


def test_a_closed_contract_takes_no_orders() -> None:
    async def main(venue: SimulatedVenue) -> None:
        venue.exchange.set_trading("BTCUSDT", False)
        assert venue.place().code == -4141
        venue.exchange.set_trading("BTCUSDT", True)
        assert venue.place().status == 200

    in_virtual_time(main)

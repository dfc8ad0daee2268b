"""ccxt (asynchronous, REST): market data and the account, held against the exchange's own state."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from tests.real_clients.clients import SYMBOL, UNIFIED, as_floats, ccxt_client, eventually, load, top

from perpwire.pytest_plugin import ExchangeFactory
from perpwire.threaded import VenueDoor

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("venue", ["binance", "bybit"], indirect=True)]

errors = load("ccxt.base.errors")


@pytest.fixture
def venue(request: pytest.FixtureRequest) -> VenueDoor:
    door: VenueDoor = request.getfixturevalue(request.param)
    return door


async def test_markets_have_the_venues_rules(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        assert client.symbols == ["BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"]
        for spec in venue.exchange.specs():
            instrument = spec.instrument
            market = client.market(instrument.symbol)
            assert market["precision"]["price"] == float(instrument.tick_size)
            assert market["precision"]["amount"] == float(instrument.quantity_step)
            assert market["limits"]["amount"]["min"] == float(instrument.min_quantity)
            assert market["limits"]["cost"]["min"] == float(instrument.min_notional)
            assert (market["linear"], market["swap"], market["active"]) == (True, True, True)
            assert (market["contractSize"], market["settle"]) == (1, "USDT")


async def test_the_book_is_the_exchanges_own(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        book = await client.fetch_order_book(UNIFIED, 50)
        assert (as_floats(book["bids"])[:10], as_floats(book["asks"])[:10]) == top(venue)
        assert 30 < min(len(book["bids"]), len(book["asks"])) <= 50
        best = (await client.fetch_bids_asks([UNIFIED]))[UNIFIED]
        assert (best["bid"], best["ask"]) == (book["bids"][0][0], book["asks"][0][0])


async def test_the_ticker_and_the_times_are_the_exchanges_own(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        await client.create_order(UNIFIED, "market", "buy", 0.01)

        async def traded() -> Any:
            return venue.exchange.position("main", SYMBOL).quantity

        await eventually(traded)
        ticker = await client.fetch_ticker(UNIFIED)
        assert ticker["last"] == float(venue.exchange.last_price(SYMBOL))
        assert ticker["low"] <= ticker["last"] <= ticker["high"]
        assert set(await client.fetch_tickers()) == set(client.symbols)
        assert abs(await client.fetch_time() - venue.exchange.now_ms()) < 1000
        assert (await client.fetch_status())["status"] == "ok"


async def test_candles_end_with_the_present_one_and_go_back(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        candles = await client.fetch_ohlcv(UNIFIED, "1m", None, 30)
        assert len(candles) == 30
        times = [candle[0] for candle in candles]
        assert times == list(range(times[0], times[0] + 30 * 60_000, 60_000))
        assert times[-1] <= venue.exchange.now_ms() < times[-1] + 61_000
        assert all(
            low <= min(opened, closed) <= max(opened, closed) <= high for _, opened, high, low, closed, _ in candles
        )
        earlier = await client.fetch_ohlcv(UNIFIED, "1m", times[0], 5)
        assert [candle[:5] for candle in earlier] == [candle[:5] for candle in candles[:5]]
        hours = await client.fetch_ohlcv(UNIFIED, "1h", None, 3)
        assert hours[1][0] - hours[0][0] == 3_600_000
        marks = await client.fetch_mark_ohlcv(UNIFIED, "1m", None, 3)
        indexes = await client.fetch_index_ohlcv(UNIFIED, "1m", None, 3)
        assert len(marks) == len(indexes) == 3


async def test_trades_and_funding(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        placed = await client.create_order(UNIFIED, "market", "sell", 0.01)
        assert placed["id"]

        async def mine() -> Any:
            trades = await client.fetch_trades(UNIFIED, None, 10)
            return [one for one in trades if one["side"] == "sell" and one["amount"] == 0.01]

        assert await eventually(mine)
        rate = await client.fetch_funding_rate(UNIFIED)
        core_rate, next_ms = venue.exchange.funding(SYMBOL)
        assert rate["fundingRate"] == pytest.approx(float(core_rate), abs=1e-4)
        assert rate["fundingTimestamp"] == next_ms
        assert rate["markPrice"] == pytest.approx(float(venue.exchange.mark_price(SYMBOL)), rel=1e-3)
        history = await client.fetch_funding_rate_history(UNIFIED, None, 5)
        times = [one["timestamp"] for one in history]
        assert len(history) == 5
        assert [later - earlier for earlier, later in pairwise(times)] == [8 * 3_600_000] * 4
        interest = await client.fetch_open_interest(UNIFIED)
        assert interest["openInterestAmount"] > 0


async def test_the_balance_is_the_exchanges_own(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        balance = await client.fetch_balance()
        assert (balance["USDT"]["total"], balance["USDT"]["free"]) == (100000, 100000)
        await client.create_order(UNIFIED, "market", "buy", 0.5)
        await client.create_order(UNIFIED, "limit", "buy", 0.5, 63500)

        async def resting() -> Any:
            return await client.fetch_open_orders(UNIFIED)

        await eventually(resting)
        balance = await client.fetch_balance()
        assert balance["USDT"]["total"] < 100000
        assert balance["USDT"]["used"] > 0
        fee = await client.fetch_trading_fee(UNIFIED)
        (spec,) = [one for one in venue.exchange.specs() if one.instrument.symbol == SYMBOL]
        assert (fee["taker"], fee["maker"]) == (float(spec.taker_fee), float(spec.maker_fee))


async def test_leverage_is_set_and_read_back(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        await client.set_leverage(7, UNIFIED)
        assert venue.exchange.leverage("main", SYMBOL) == 7
        read = await client.fetch_leverage(UNIFIED)
        assert (read["longLeverage"], read["shortLeverage"]) == (7, 7)
        await client.create_order(UNIFIED, "market", "buy", 0.05)

        async def margin() -> Any:
            (position,) = await client.fetch_positions([UNIFIED])
            return position["initialMargin"]

        value = 0.05 * float(venue.exchange.mark_price(SYMBOL))
        assert await eventually(margin) == pytest.approx(value / 7, rel=0.01)
        with pytest.raises(errors.ExchangeError):
            await client.set_leverage(1000, UNIFIED)


async def test_the_margin_mode_is_set_and_read_back(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        assert (await client.fetch_margin_mode(UNIFIED))["marginMode"] == "cross"
        await client.set_margin_mode("isolated", UNIFIED)
        assert venue.exchange.is_isolated("main", SYMBOL) is True
        assert (await client.fetch_margin_mode(UNIFIED))["marginMode"] == "isolated"
        await client.create_order(UNIFIED, "market", "buy", 0.05)

        async def isolated() -> Any:
            (position,) = await client.fetch_positions([UNIFIED])
            return position["contracts"] == 0.05 and position

        position = await eventually(isolated)
        assert position["liquidationPrice"] > 50_000
        if client.id != "bybit":
            assert position["marginMode"] == "isolated"
            assert (await client.add_margin(UNIFIED, 100))["amount"] == 100
            (after,) = await client.fetch_positions([UNIFIED])
            assert after["liquidationPrice"] < position["liquidationPrice"] - 1500
        with pytest.raises(errors.ExchangeError):  # while there is a position, or as nothing would change
            await client.set_margin_mode("isolated" if client.id != "bybit" else "nonsense", UNIFIED)


async def test_hedge_mode_holds_a_long_and_a_short(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        await client.set_position_mode(True, UNIFIED)
        assert venue.exchange.is_hedge("main", SYMBOL) is True
        if client.id != "bybit":
            assert (await client.fetch_position_mode(UNIFIED))["hedged"] is True
        await client.create_order(UNIFIED, "market", "buy", 0.03, None, {"hedged": True})
        await client.create_order(UNIFIED, "market", "sell", 0.02, None, {"hedged": True})

        async def both() -> Any:
            rows = [one for one in await client.fetch_positions([UNIFIED]) if one["contracts"]]
            return {one["side"]: one["contracts"] for one in rows} == {"long": 0.03, "short": 0.02}

        assert await eventually(both)
        with pytest.raises(errors.ExchangeError):  # there are positions
            await client.set_position_mode(False, UNIFIED)


async def test_the_ledger_tells_of_fees_and_profits(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        await client.create_order(UNIFIED, "market", "buy", 0.02)
        await client.create_order(UNIFIED, "market", "sell", 0.02)

        async def booked() -> Any:
            return venue.exchange.position("main", SYMBOL).quantity == 0

        await eventually(booked)
        entries = await client.fetch_ledger("USDT")
        assert len(entries) >= 2
        change = venue.exchange.wallet("main")["USDT"] - 100000
        signed = [one["amount"] * (1 if one["direction"] == "in" else -1) for one in entries]
        assert sum(signed) == pytest.approx(float(change))
        closed = (
            await client.fetch_position_history(UNIFIED) if client.has.get("fetchPositionHistory") is True else None
        )
        assert closed is None or closed[0]["symbol"] == UNIFIED


async def test_leverage_tiers_rise(venue: VenueDoor) -> None:
    async with ccxt_client(venue) as client:
        tiers = await client.fetch_market_leverage_tiers(UNIFIED)
        assert len(tiers) > 1
        rates = [tier["maintenanceMarginRate"] for tier in tiers]
        assert rates == sorted(rates)
        caps = [tier["maxNotional"] for tier in tiers]
        assert caps == sorted(caps)
        leverages = [tier["maxLeverage"] for tier in tiers]
        assert leverages == sorted(leverages, reverse=True)


async def test_contracts_and_accounts_of_a_users_own(
    venue: VenueDoor, perpwire_exchange_factory: ExchangeFactory
) -> None:
    """Symbols of other scripts sign right; accounts do not see each other.

    ccxt puts such a symbol into Bybit's addresses as bare bytes, which are no valid HTTP: there it gets another one.
    """
    symbol = "币安人生" if venue.name == "binance" else "1000PEPE"
    unified = f"{symbol}/USDT:USDT"
    accounts = [{"name": "one", "cash": "5000"}, {"name": "two", "api_key": "key-2", "secret_key": "secret-2"}]
    symbols = [{"symbol": f"{symbol}USDT", "start_price": "0.1234"}]
    with perpwire_exchange_factory(venues=[venue.name], latency_s=0, accounts=accounts, symbols=symbols) as exchange:
        async with (
            ccxt_client(exchange[venue.name]) as one,
            ccxt_client(exchange[venue.name], apiKey="key-2", secret="secret-2") as two,
        ):
            assert unified in one.symbols
            await one.create_order(unified, "limit", "buy", 100, 0.123)

            async def resting() -> Any:
                return await one.fetch_open_orders(unified)

            (order,) = await eventually(resting)
            assert (order["symbol"], order["price"], order["amount"]) == (unified, 0.123, 100)
            assert await two.fetch_open_orders(unified) == []
            assert (await one.fetch_balance())["USDT"]["total"] == 5000
            assert (await two.fetch_balance())["USDT"]["total"] == 100000
            (core,) = exchange[venue.name].exchange.open_orders("one", None)
            assert core.price == Decimal("0.123")

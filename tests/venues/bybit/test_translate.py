"""Between the venue's words and the model's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from perpwire.venues.bybit import translate_account, translate_market, wire

D = Decimal


def coin(**fields: Any) -> wire.CoinRow:
    return wire.CoinRow(**{"coin": "USDT", "walletBalance": "100", **fields})


def test_the_account_is_what_the_venue_states_in_usd() -> None:
    wallet = wire.Wallet(
        coin=[coin()],
        totalEquity="105.5",
        totalWalletBalance="100.0",
        totalPerpUPL="5.5",
        totalAvailableBalance="80",
        totalInitialMargin="20",
        totalMaintenanceMargin="2",
    )
    account = translate_account.account(wire.Wallets([wallet]))
    assert (account.wallet_balance, account.unrealized_pnl, account.equity) == (D(100), D("5.5"), D("105.5"))
    assert (account.available_balance, account.initial_margin, account.maintenance_margin) == (D(80), D(20), D(2))
    balance = account.balance("USDT")
    assert balance is not None
    assert balance.wallet == 100


def test_in_isolated_mode_the_sums_are_made_from_the_coins() -> None:
    wallet = wire.Wallet(
        coin=[
            coin(equity="200", usdValue="100", walletBalance="200", totalPositionIM="20", totalOrderIM="10", bonus="2"),
            coin(coin="BTC", equity="1", usdValue="50", walletBalance="1", locked="0.5", totalPositionMM="0.1"),
            coin(coin="DUST", equity="0", usdValue="0", walletBalance="0"),
        ],
        totalEquity="150",
        totalWalletBalance="150",
        totalPerpUPL="0",
    )
    account = translate_account.account(wire.Wallets([wallet]))
    assert account.available_balance == D(168) / 2 + D("0.5") * 50
    assert account.initial_margin == 15
    assert account.maintenance_margin == 5


def test_an_account_that_is_not_there_and_a_balance_without_an_amount_are_loud() -> None:
    with pytest.raises(ValueError, match="no unified account"):
        translate_account.account(wire.Wallets([]))
    with pytest.raises(ValueError, match="not a number"):
        translate_account.balance(coin(walletBalance=""))


def test_sizes_with_more_digits_than_decimals_context_stay_exact() -> None:
    digits = "0.1234567890123456789012345678901"
    position = translate_account.position(wire.PositionRow(symbol="X", side="Sell", size=digits, avgPrice="1"))
    assert str(position.quantity) == f"-{digits}"


def test_dated_futures_are_no_perpetuals() -> None:
    def instrument(**fields: Any) -> wire.InstrumentRow:
        prices, lots = wire.PriceFilter(tickSize="0.10"), wire.LotSizeFilter(minOrderQty="0.001", qtyStep="0.001")
        return wire.InstrumentRow(symbol="BTCUSDT", priceFilter=prices, lotSizeFilter=lots, **fields)

    rows = [instrument(), instrument(contractType="LinearFutures"), instrument(status="PreLaunch")]
    kept = translate_market.instruments(wire.Page(rows))
    assert [one.is_trading for one in kept] == [True, False]
    assert (str(kept[0].tick_size), kept[0].funding_interval_s) == ("0.10", 28800)
    assert (kept[0].max_price, kept[0].min_notional) == (None, None)
    assert translate_market.instruments(wire.Page(None)) == ()

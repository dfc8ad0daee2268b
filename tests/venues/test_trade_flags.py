"""What is told of a trade that was not made in the visible book, over REST."""

from __future__ import annotations

import msgspec
import pytest

from perpwire.venues.binance_futures import translate_market as binance, wire as binance_wire
from perpwire.venues.bybit import translate_market as bybit, wire as bybit_wire


@pytest.mark.parametrize(("is_block", "is_rpi"), [(False, False), (True, False), (False, True)])
def test_recent_trades_of_bybit_say_what_is_a_block_trade_and_what_met_an_rpi_order(
    is_block: bool, is_rpi: bool
) -> None:
    row = {"execId": "a", "symbol": "BTCUSDT", "price": "1.5", "size": "2", "side": "Sell", "time": "5"}
    flagged = {**row, "isBlockTrade": is_block, "isRPITrade": is_rpi}
    page = msgspec.convert({"list": [flagged, row]}, bybit_wire.Page[bybit_wire.RecentTradeRow])
    old, new = bybit.trades(page)
    assert (new.is_block, new.is_rpi) == (is_block, is_rpi)
    assert (old.is_block, old.is_rpi) == (False, False)


@pytest.mark.parametrize("is_rpi", [True, False])
def test_recent_trades_of_binance_say_what_met_an_rpi_order(is_rpi: bool) -> None:
    row = {"id": 1, "price": "1.5", "qty": "2", "quoteQty": "3.0", "time": 5, "isBuyerMaker": True}
    rows = msgspec.convert([{**row, "isRPITrade": is_rpi}, row], list[binance_wire.RecentTrade])
    new, old = binance.recent_trades("BTCUSDT", rows)
    assert (new.is_block, new.is_rpi) == (False, is_rpi)
    assert not old.is_rpi

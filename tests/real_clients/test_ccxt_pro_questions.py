"""ccxt.pro asks over Binance's trading socket. (Bybit's takes orders only.)"""

from __future__ import annotations

import pytest
from tests.real_clients.clients import UNIFIED, ccxt_client

from perpwire.threaded import VenueDoor

pytestmark = pytest.mark.slow


async def test_binances_trading_socket_answers_questions(binance: VenueDoor) -> None:
    async with ccxt_client(binance, "ccxt.pro") as client:
        assert (await client.fetch_balance_ws())["USDT"]["total"] == 100000
        book = await client.fetch_order_book_ws(UNIFIED, 10)
        assert len(book["bids"]) == 10
        ticker = await client.fetch_ticker_ws(UNIFIED, {"method": "ticker.price"})
        assert ticker["last"] > 0
        await client.create_order_ws(UNIFIED, "market", "buy", 0.01)
        (position,) = [one for one in await client.fetch_positions_ws([UNIFIED]) if one["contracts"]]
        assert (position["side"], position["contracts"]) == ("long", 0.01)

"""A user's own test with a client of another house: ccxt sees an order filled, and an answer lost."""

from decimal import Decimal
from typing import Any

import ccxt
import pytest

from perpwire.threaded import ThreadedExchange


def bot(url: str, api_key: str, secret_key: str) -> Any:
    client: Any = ccxt.binanceusdm({"apiKey": api_key, "secret": secret_key, "options": {"fetchCurrencies": False}})
    names = [name for name, address in client.urls["api"].items() if isinstance(address, str)]
    for name in names:
        client.urls["api"][name] = client.urls["api"][name].replace("https://fapi.binance.com", url)
    return client


@pytest.mark.perpwire(venues=["binance"], seed=3)
def test_an_order_is_filled_though_its_answer_is_lost(perpwire_exchange: ThreadedExchange) -> None:
    client = bot(perpwire_exchange.binance_url, perpwire_exchange.api_key, perpwire_exchange.secret_key)
    client.load_markets()
    perpwire_exchange.faults.add({"kind": "lose_answer", "method": "POST", "path": "/fapi/v1/order"})
    with pytest.raises(ccxt.NetworkError):
        client.create_order("BTC/USDT:USDT", "market", "buy", 0.01)
    position = perpwire_exchange.exchange["binance"].position("main", "BTCUSDT")
    assert position.quantity == Decimal("0.01")

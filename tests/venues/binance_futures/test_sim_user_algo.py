"""What the simulated venue's private stream tells of conditional orders."""

from __future__ import annotations

from typing import Any

from tests.venues.binance_futures.hearing import events, only, with_user_stream
from tests.venues.binance_futures.simulated import MAIN, OTHER, FakePeer, SimulatedVenue, pass_s


def algo(venue: SimulatedVenue, **params: Any) -> Any:
    order: dict[str, Any] = {
        "algoType": "CONDITIONAL",
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "STOP_MARKET",
        "quantity": "0.010",
        "triggerPrice": "63000",
        "clientAlgoId": "stop-1",
    } | params
    answer = venue.signed("POST", "/fapi/v1/algoOrder", **{k: v for k, v in order.items() if v is not None})
    assert answer.status == 200, answer.json
    return answer.json


def algo_told(peer: FakePeer) -> list[str]:
    return [one["o"]["X"] for one in only(peer, "ALGO_UPDATE")]


def test_a_conditional_order_is_told_from_its_placing_to_its_end() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.quote(quantity="5")
        venue.market()
        placed = algo(venue, reduceOnly="true")
        (new,) = only(peer, "ALGO_UPDATE")
        assert list(new) == ["e", "T", "E", "o"]
        assert new["o"] == {
            "caid": "stop-1",
            "aid": placed["algoId"],
            "at": "CONDITIONAL",
            "o": "STOP_MARKET",
            "s": "BTCUSDT",
            "S": "SELL",
            "ps": "BOTH",
            "f": placed["timeInForce"],
            "q": "0.01",
            "X": "NEW",
            "ai": "",
            "tp": "63000",
            "p": "0",
            "V": "EXPIRE_MAKER",
            "wt": "CONTRACT_PRICE",
            "pm": "NONE",
            "cp": False,
            "pP": False,
            "R": True,
            "tt": 0,
            "gtd": 0,
            "ia": False,
        }
        venue.signed("DELETE", "/fapi/v1/allOpenOrders", account=OTHER, symbol="BTCUSDT")
        venue.quote(bid="62990", ask="63000", quantity="5")
        peer.clear()
        venue.place(price="63000", quantity="0.002")  # so the last price is at the trigger
        await pass_s(0.5)
        assert algo_told(peer) == ["TRIGGERING", "TRIGGERED", "FINISHED"]
        triggering, triggered, finished = (one["o"] for one in only(peer, "ALGO_UPDATE"))
        assert triggering["tt"] > 0
        assert (triggering["ai"], "act" in triggering) == ("", False)
        fill = only(peer, "ORDER_TRADE_UPDATE")[-1]["o"]
        assert (fill["c"], fill["o"], fill["X"]) == ("stop-1", "MARKET", "FILLED")
        assert triggered["ai"] == finished["ai"] == str(fill["i"])
        assert (triggered["act"], triggered["aq"], triggered["ap"]) == ("MARKET", "0", "0")
        assert (finished["act"], finished["aq"], finished["ap"]) == ("MARKET", "0.01", fill["ap"])
        assert events(peer)[-7:] == [
            "ALGO_UPDATE",
            "ALGO_UPDATE",
            "TRADE_LITE",
            "ORDER_TRADE_UPDATE NEW NEW",
            "ACCOUNT_UPDATE",
            "ORDER_TRADE_UPDATE TRADE FILLED",
            "ALGO_UPDATE",
        ]

    with_user_stream(test)


def test_a_conditional_order_that_is_cancelled_is_told() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        placed = algo(venue, type="TAKE_PROFIT", side="SELL", triggerPrice="70000", price="69000", timeInForce="GTC")
        venue.signed("DELETE", "/fapi/v1/algoOrder", algoId=placed["algoId"])
        assert algo_told(peer) == ["NEW", "CANCELED"]
        last = peer.data[-1]["o"]
        assert (last["o"], last["tp"], last["p"], last["ai"]) == ("TAKE_PROFIT", "70000", "69000", "")

    with_user_stream(test)


def test_a_conditional_order_whose_order_is_refused_says_why() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.quote(quantity="5")
        venue.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=1)
        algo(venue, side="BUY", triggerPrice="64500", quantity="3")
        venue.signed("DELETE", "/fapi/v1/allOpenOrders", account=OTHER, symbol="BTCUSDT")
        venue.quote(bid="64400", ask="64500", quantity="5")
        venue.market(account=MAIN, quantity="0.002")
        await pass_s(0.5)
        assert algo_told(peer) == ["NEW", "TRIGGERING", "REJECTED"]
        rejected = only(peer, "ALGO_UPDATE")[-1]["o"]
        assert rejected["rm"] == "Margin is insufficient."

    with_user_stream(test)


def test_a_trailing_order_is_new_twice() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.quote(quantity="5")
        algo(
            venue,
            type="TRAILING_STOP_MARKET",
            triggerPrice=None,
            callbackRate="1",
            activatePrice="65000",
        )
        assert [one["o"]["ia"] for one in only(peer, "ALGO_UPDATE")] == [False]
        venue.signed("DELETE", "/fapi/v1/allOpenOrders", account=OTHER, symbol="BTCUSDT")
        venue.quote(bid="64900", ask="65000", quantity="5")
        venue.market(account=OTHER, side="SELL", quantity="0.002", selfTradePreventionMode="NONE")
        venue.place(price="65000", quantity="0.002")
        await pass_s(0.5)
        told = [(one["o"]["X"], one["o"]["ia"]) for one in only(peer, "ALGO_UPDATE")]
        assert told == [("NEW", False), ("NEW", True)]

    with_user_stream(test)

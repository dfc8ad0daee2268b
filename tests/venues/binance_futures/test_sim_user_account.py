"""What the simulated venue's private stream tells of an account: cash, settings, liquidation."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.venues.binance_futures.hearing import events, only, with_user_stream
from tests.venues.binance_futures.simulated import FakePeer, SimulatedVenue, in_virtual_time, pass_s

from perpwire.model.order import PositionSide

FUNDING_NS = 1_790_006_400_000_000_000
"""A time of funding."""


def test_cash_that_comes_or_goes_is_told_with_its_reason() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.exchange.deposit("main", "USDT", Decimal(500))
        venue.exchange.deposit("main", "USDT", Decimal("-0.5"))
        paid_in, paid_out = (one["a"] for one in only(peer, "ACCOUNT_UPDATE"))
        assert paid_in == {"m": "DEPOSIT", "B": [{"a": "USDT", "wb": "100500", "cw": "100500", "bc": "500"}], "P": []}
        assert (paid_out["m"], paid_out["B"][0]["bc"], paid_out["B"][0]["wb"]) == ("WITHDRAW", "-0.5", "100499.5")

    with_user_stream(test)


def test_cash_of_another_asset_is_told_as_what_it_is() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.exchange.deposit("main", "BNB", Decimal(5))
        (paid_in,) = (one["a"] for one in only(peer, "ACCOUNT_UPDATE"))
        assert paid_in == {"m": "DEPOSIT", "B": [{"a": "BNB", "wb": "5", "cw": "5", "bc": "5"}], "P": []}

    with_user_stream(test)


@pytest.mark.parametrize("isolated", [False, True])
def test_funding_names_its_symbol_and_positions_with_margin_of_their_own(isolated: bool) -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.exchange.set_isolated("main", "BTCUSDT", isolated)
        venue.quote()
        venue.market()
        await pass_s(40)
        (funded,) = (one["a"] for one in only(peer, "ACCOUNT_UPDATE") if one["a"]["m"] == "FUNDING_FEE")
        assert funded["S"] == "BTCUSDT"
        assert [row["a"] for row in funded["B"]] == ["USDT"]
        assert Decimal(funded["B"][0]["bc"])
        assert [(row["s"], row["mt"]) for row in funded["P"]] == ([("BTCUSDT", "isolated")] if isolated else [])

    with_user_stream(test, start_ns=FUNDING_NS - 30_000_000_000)


def test_margin_of_its_own_is_told_when_it_is_chosen_and_when_it_is_added_to() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.signed("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
        (chosen,) = (one["a"] for one in only(peer, "ACCOUNT_UPDATE"))
        assert (chosen["m"], chosen["B"]) == ("MARGIN_TYPE_CHANGE", [])
        assert [(row["s"], row["mt"], row["pa"]) for row in chosen["P"]] == [("BTCUSDT", "isolated", "0")]
        venue.quote()
        venue.market()
        bought = only(peer, "ACCOUNT_UPDATE")[-1]["a"]
        (row,) = bought["P"]
        assert row["mt"] == "isolated"
        assert Decimal(row["iw"]) > 0
        (cash,) = bought["B"]
        assert Decimal(cash["cw"]) == Decimal(cash["wb"]) - Decimal(row["iw"])
        venue.signed("POST", "/fapi/v1/positionMargin", symbol="BTCUSDT", amount="10", type=1)
        added = only(peer, "ACCOUNT_UPDATE")[-1]["a"]
        assert added["m"] == "MARGIN_TRANSFER"
        assert Decimal(added["P"][0]["iw"]) == Decimal(row["iw"]) + 10

    with_user_stream(test)


def test_the_multi_assets_mode_is_told_when_it_changes() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.signed("POST", "/fapi/v1/feeBurn", feeBurn="false")
        assert peer.data == []
        for value in ("true", "false"):
            venue.signed("POST", "/fapi/v1/multiAssetsMargin", multiAssetsMargin=value)
        assert [(one["e"], one["ai"]) for one in peer.data] == [
            ("ACCOUNT_CONFIG_UPDATE", {"j": True}),
            ("ACCOUNT_CONFIG_UPDATE", {"j": False}),
        ]

    with_user_stream(test)


def test_in_hedge_mode_each_side_is_told_by_its_name() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.signed("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
        venue.quote()
        venue.market(positionSide="LONG")
        venue.market(side="SELL", positionSide="SHORT")
        rows = [one["a"]["P"] for one in only(peer, "ACCOUNT_UPDATE")]
        assert [[(row["ps"], row["pa"]) for row in told] for told in rows] == [[("LONG", "0.01")], [("SHORT", "-0.01")]]
        assert {one["o"]["ps"] for one in only(peer, "ORDER_TRADE_UPDATE")} == {"LONG", "SHORT"}

    with_user_stream(test)


def test_a_liquidation_is_told_to_its_account_and_to_the_public() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        public = {name: venue.socket(f"/market/ws/{name}") for name in ("btcusdt@forceOrder", "!forceOrder@arr")}
        venue.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=100)
        venue.quote(quantity="20")
        assert venue.market(quantity="10").status == 200
        venue.place(price="50000", quantity="0.01")  # will be wiped
        await pass_s(0.001)
        peer.clear()
        venue.exchange.force_mark("BTCUSDT", Decimal(54200))
        await pass_s(3)
        wiped = [one["o"] for one in only(peer, "ORDER_TRADE_UPDATE") if one["o"]["er"] == "5"]
        assert [(one["q"], one["z"], one["x"], one["X"]) for one in wiped] == [("0.01", "0", "EXPIRED", "EXPIRED")]
        rest = venue.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=wiped[0]["i"]).json
        assert rest["status"] == "EXPIRED"
        forced = [one["o"] for one in only(peer, "ORDER_TRADE_UPDATE") if one["o"]["c"].startswith("autoclose-")]
        assert forced
        assert {one["x"] for one in forced} <= {"NEW", "CALCULATED", "EXPIRED"}
        by_order: dict[int, list[str]] = {}
        for one in forced:
            by_order.setdefault(one["i"], []).append(one["x"])
        assert all(steps[0] == "NEW" for steps in by_order.values())
        assert any("CALCULATED" in steps for steps in by_order.values())
        assert all(one["S"] == "SELL" and one["R"] for one in forced)
        assert {(one["o"], one["ot"], one["f"]) for one in forced} == {("LIQUIDATION", "LIMIT", "IOC")}
        assert not any(one["c"].startswith("autoclose-") for one in only(peer, "TRADE_LITE"))
        assert 0 <= venue.position() < 10
        assert "INSURANCE_CLEAR" in [one["a"]["m"] for one in only(peer, "ACCOUNT_UPDATE")]
        (alone,) = public["btcusdt@forceOrder"].data
        (together,) = public["!forceOrder@arr"].data
        assert list(alone) == ["e", "E", "o"]
        assert list(alone["o"]) == [*list("sSofqp"), "ap", "X", "l", "z", "T"]
        assert {name: together[name] for name in ("ps", "st")} == {"ps": "BTCUSDT", "st": 1}
        assert alone["o"] == together["o"]
        assert (alone["o"]["S"], alone["o"]["o"], alone["o"]["f"]) == ("SELL", "LIMIT", "IOC")

    with_user_stream(test)


def test_a_position_that_is_deleveraged_is_told_by_its_mark() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.quote()
        venue.market()
        await pass_s(0.001)
        peer.clear()
        venue.exchange.force_adl("main", "BTCUSDT", PositionSide.BOTH, Decimal("0.004"))
        assert events(peer) == ["ORDER_TRADE_UPDATE NEW NEW", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE CALCULATED FILLED"]
        assert {one["o"]["c"] for one in only(peer, "ORDER_TRADE_UPDATE")} == {"adl_autoclose"}
        assert peer.data[1]["a"]["P"][0]["pa"] == "0.006"

    with_user_stream(test)


def test_only_the_largest_liquidation_of_a_second_is_public() -> None:
    async def main(venue: SimulatedVenue) -> None:
        peer = venue.socket("/market/ws/!forceOrder@arr")
        venue.quote(quantity="5")
        venue.market(quantity="1")
        await pass_s(0.001)
        second = (1000 - venue.exchange.now_ms() % 1000) / 1000
        await pass_s(second + 0.01)
        for _ in range(2):
            venue.market(quantity="0.5")
            venue.exchange.force_liquidation("main", "BTCUSDT", PositionSide.BOTH)
        await pass_s(1.5)
        quantities = [Decimal(one["o"]["q"]) for one in peer.data]
        assert len(quantities) == 1
        assert quantities == [max(one.quantity for one in venue.exchange.liquidations("BTCUSDT"))]

    in_virtual_time(main)


def test_an_account_near_its_end_is_warned() -> None:
    async def test(venue: SimulatedVenue, peer: FakePeer) -> None:
        venue.signed("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=100)
        venue.quote(quantity="20")
        venue.market(quantity="10")
        for price in range(54600, 54200, -20):
            venue.exchange.force_mark("BTCUSDT", Decimal(price))
            await pass_s(1)
            if only(peer, "MARGIN_CALL"):
                break
        (call,) = only(peer, "MARGIN_CALL")
        assert list(call) == ["e", "E", "cw", "p"]
        (row,) = call["p"]
        assert (row["s"], row["ps"], row["pa"], row["mt"], row["iw"]) == ("BTCUSDT", "BOTH", "10", "CROSSED", "0")
        assert Decimal(row["mm"]) > 0 > Decimal(row["up"])

    with_user_stream(test)

"""What a journal says was sent, read without the client's decoders."""

from __future__ import annotations

import json

from perpwire.cli.journal_check import sent


def execution(kind: str) -> dict[str, str]:
    numbers = {"execPrice": "100.0", "execQty": "0.1", "execFee": "0.01"}
    return {"symbol": "BTCUSDT", "execType": kind, "execId": kind, "orderId": "o", "orderLinkId": "", **numbers}


def test_a_funding_that_bybit_tells_as_an_execution_is_no_fill() -> None:
    rows = [execution(kind) for kind in ("Trade", "Funding", "AdlTrade", "Settle", "BustTrade")]
    frame = json.dumps({"topic": "execution.linear", "data": rows})
    fills = sent("bybit", [("1", frame)])["Fill", "BTCUSDT"]
    assert [fill[0] for fill in fills] == ["Trade", "AdlTrade", "BustTrade"]

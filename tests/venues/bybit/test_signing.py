"""The venue's own and other projects' signature vectors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perpwire.credentials import Credentials
from perpwire.venues.bybit.signing import sign_login, sign_request

KEY, SECRET = "DOCKEY0000000000AA", "docsecret0000000000000000000000BB"


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        (
            "category=linear&symbol=BTCUSDT&limit=50",
            "88550dad4066cdb30868d2a9b23117e72fa3821839ed96e4458e20053b6d235a",
        ),
        (
            '{"category":"linear","symbol":"BTCUSDT","side":"Buy","orderType":"Limit","qty":"0.001","price":"60000",'
            '"timeInForce":"PostOnly","orderLinkId":"ref-0001"}',
            "41c92fec7065c25333869d6fba370d5ba993527a4eeaa0327910d47ce1e33ba1",
        ),
    ],
)
def test_a_request_is_signed_over_its_query_or_body_as_sent(text: str, signature: str) -> None:
    assert sign_request(Credentials(KEY, SECRET), 1790000000000, 5000, text) == signature


def test_a_login_is_signed_over_its_expiry() -> None:
    assert (
        sign_login(Credentials(KEY, SECRET), 1790000010000)
        == "7cc5b47be92cae193bc70ac21eaa1c588b8ed9a8f28b1571106a24361297fa0a"
    )


@pytest.mark.fixtures
def test_other_projects_vectors_give_the_same_signatures(fixtures: Path) -> None:
    folder = fixtures / "bybit" / "signing"
    login = json.loads((folder / "HMAC_SHA256_of_a_websocket_auth.json").read_text())
    assert sign_login(Credentials("key", login["secret"]), login["expires"]) == login["signature"]
    request = json.loads((folder / "HMAC_SHA256_of_timestamp_key_window_payload.json").read_text())
    keys = Credentials(request["api_key"], request["secret"])
    signed = sign_request(keys, request["timestamp"], request["recv_window"], request["payload"])
    assert signed == request["signature"]

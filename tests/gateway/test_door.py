"""Who may read the page."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from perpwire.errors import BadInput
from perpwire.gateway.door import HEADERS, Door, is_loopback

TOKEN = "a token of some length"


def test_a_page_that_other_machines_can_reach_needs_a_token() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "gateway.example.com"):
        with pytest.raises(BadInput) as caught:
            Door(host)
        assert caught.value.code == "NO_TOKEN"
        Door(host, TOKEN)


def test_loopback_needs_none() -> None:
    for host in ("127.0.0.1", "127.0.0.53", "::1", "localhost"):
        assert is_loopback(host)
        Door(host)


def test_a_token_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        Door("127.0.0.1", "secret")
    assert caught.value.code == "BAD_TOKEN"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1:8787", True),
        ("localhost", True),
        ("LOCALHOST:9999", True),  # through a tunnel: any port
        ("[::1]:8787", True),
        ("10.0.0.7:8787", True),  # nobody's name can be an address
        ("evil.example.com:8787", False),
        ("localhost.evil.example.com", False),
        ("127.0.0.1.evil.example.com", False),
        ("", False),
    ],
)
def test_a_name_from_elsewhere_that_points_here_is_no_name_of_ours(host: str, is_ours: bool) -> None:
    assert Door("127.0.0.1").is_called_rightly(host) is is_ours


def test_the_name_it_listens_on_is_its_own() -> None:
    assert Door("gateway.example.com", TOKEN).is_called_rightly("gateway.example.com:8787")


def test_the_token_opens_as_a_bearer_and_only_the_right_one_does() -> None:
    door = Door("127.0.0.1", TOKEN)
    for scheme in ("Bearer", "bearer"):
        assert door.may_read(make_mocked_request("GET", "/", headers={"Authorization": f"{scheme} {TOKEN}"}))
    for wrong in (f"Bearer {TOKEN}x", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer \xff"):
        assert not door.may_read(make_mocked_request("GET", "/", headers={"Authorization": wrong}))
    assert not door.may_read(make_mocked_request("GET", "/"))


def test_without_a_token_everybody_here_may_read_but_nobody_is_known() -> None:
    door = Door("127.0.0.1")
    request = make_mocked_request("GET", "/", headers={"Authorization": "Bearer "})
    assert door.may_read(request)
    assert not door.knows(request)
    assert not door.is_token("")


def test_browsers_are_told_to_take_nothing_from_elsewhere_and_to_make_no_markup_of_texts() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy

"""The login of a private stream or a trade socket. Source: docs/v5/ws/connect, as of 2026-07-24."""

from __future__ import annotations

from typing import Any

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit.sim.numbers import whole
from perpwire.venues.bybit.sim.refusal import CallRefused
from perpwire.venues.bybit.sim.signatures import is_signed_by


def check_login(exchange: Exchange, args: Any) -> AccountSpec:
    """The account that `args` (key, expiry in ms as number or text, signature) prove.

    Raises:
        CallRefused: 10001: not such arguments, or expired; 10003: unknown key; 10004: wrong signature.
    """
    if not isinstance(args, list) or len(args) != 3:
        raise CallRefused(10001, "Params Error")
    key, expires, signature = args
    if not isinstance(key, str) or not isinstance(signature, str):
        raise CallRefused(10001, "Params Error")
    if isinstance(expires, bool) or not isinstance(expires, int | str):
        raise CallRefused(10001, "Params Error")
    account = exchange.account_by_key(key)
    if account is None:
        raise CallRefused(10003, "API key is invalid.")
    until_ms = whole(str(expires))
    if until_ms is None or until_ms <= exchange.now_ms():
        raise CallRefused(10001, "Params Error: expires is not in the future")
    if not is_signed_by(account, f"GET/realtime{expires}", signature):
        raise CallRefused(10004, "Params Error: error sign!")
    return account

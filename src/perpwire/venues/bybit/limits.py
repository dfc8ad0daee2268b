"""Published limits, and which reply headers report them.

Source: docs/v5/rate-limit, as of 2026-07-24. The account limits are the default tier's; accounts of a higher tier
have more, which the reply headers show.
"""

from __future__ import annotations

from collections.abc import Mapping

from perpwire.venues.base import Costs, Limit

SOURCE = "docs/v5/rate-limit, as of 2026-07-24"

IP_5S = "ip_5s"
IP_LIMIT = Limit(name=IP_5S, limit=600, period_s=5.0, fixed=False, source=SOURCE, scope="ip")
"""Every HTTP call of one IP address. A breach is answered by HTTP 403 for at least ten minutes."""

IP_BAN_S = 600.0


def _each_second(name: str, limit: int) -> Limit:
    return Limit(name=name, limit=limit, period_s=1.0, fixed=False, source=SOURCE)


ACCOUNT_LIMITS: Mapping[str, Limit] = {
    "/v5/order/create": _each_second("place_1s", 10),
    "/v5/order/amend": _each_second("amend_1s", 10),
    "/v5/order/cancel": _each_second("cancel_1s", 10),
    "/v5/order/cancel-all": _each_second("cancel_all_1s", 10),
    "/v5/order/realtime": _each_second("realtime_1s", 50),
    "/v5/order/history": _each_second("history_1s", 50),
    "/v5/execution/list": _each_second("executions_1s", 50),
    "/v5/position/list": _each_second("positions_1s", 50),
    "/v5/position/set-leverage": _each_second("leverage_1s", 10),
    "/v5/account/wallet-balance": _each_second("wallet_1s", 50),
    "/v5/account/info": _each_second("account_info_1s", 50),
    "/v5/account/fee-rate": _each_second("fee_rate_1s", 5),
    "/v5/user/query-api": _each_second("api_key_1s", 10),
}
"""Path -> its limit per account and rolling second; a breach is answered by retCode 10006."""

LIMITS = (IP_LIMIT, *ACCOUNT_LIMITS.values())


def costs(path: str) -> Costs:
    """What one call of this path uses."""
    account = ACCOUNT_LIMITS.get(path)
    return {IP_5S: 1} if account is None else {IP_5S: 1, account.name: 1}


def reported_usage(path: str, headers: Mapping[str, str]) -> Costs:
    """How much of the endpoint's window is used: its cap, as the venue reports it, less what remains."""
    account = ACCOUNT_LIMITS.get(path)
    cap, remaining = headers.get("x-bapi-limit", ""), headers.get("x-bapi-limit-status", "")
    if account is None or not (cap.isdecimal() and remaining.isdecimal()):
        return {}
    return {account.name: max(0, int(cap) - int(remaining))}


def reported_limits(path: str, headers: Mapping[str, str]) -> Costs:
    """The cap that the account really has for this endpoint."""
    account, cap = ACCOUNT_LIMITS.get(path), headers.get("x-bapi-limit", "")
    return {account.name: int(cap)} if account is not None and cap.isdecimal() and int(cap) else {}

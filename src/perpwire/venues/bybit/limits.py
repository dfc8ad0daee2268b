"""Published limits, and which reply headers report them.

Source: docs/v5/rate-limit, as of 2026-07-24. The account limits are the default tier's; accounts of a higher tier
have more, which the reply headers show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from perpwire.http_message import whole_number
from perpwire.venues.base import Costs, Limit, Params

SOURCE = "docs/v5/rate-limit, as of 2026-07-24"

IP_5S = "ip_5s"
IP_LIMIT = Limit(name=IP_5S, limit=600, period_s=5.0, fixed=False, source=SOURCE, scope="ip", rest_only=True)
"""Every HTTP call of one IP address. A breach is answered by HTTP 403 for at least ten minutes."""

IP_BAN_S = 600.0


def _each_second(name: str, limit: int) -> Limit:
    return Limit(name=name, limit=limit, period_s=1.0, fixed=False, source=SOURCE)


ACCOUNT_LIMITS: Mapping[str, Limit] = {
    "/v5/order/create": _each_second("place_1s", 10),
    "/v5/order/amend": _each_second("amend_1s", 10),
    "/v5/order/cancel": _each_second("cancel_1s", 10),
    "/v5/order/cancel-all": _each_second("cancel_all_1s", 10),
    "/v5/order/create-batch": _each_second("place_batch_1s", 10),
    "/v5/order/amend-batch": _each_second("amend_batch_1s", 10),
    "/v5/order/cancel-batch": _each_second("cancel_batch_1s", 10),
    "/v5/order/pre-check": _each_second("pre_check_1s", 10),
    "/v5/order/disconnected-cancel-all": _each_second("countdown_1s", 5),
    "/v5/order/realtime": _each_second("realtime_1s", 50),
    "/v5/order/history": _each_second("history_1s", 50),
    "/v5/execution/list": _each_second("executions_1s", 50),
    "/v5/position/list": _each_second("positions_1s", 50),
    "/v5/position/closed-pnl": _each_second("closed_pnl_1s", 50),
    "/v5/position/move-history": _each_second("move_history_1s", 10),
    "/v5/position/set-leverage": _each_second("leverage_1s", 10),
    "/v5/position/switch-mode": _each_second("position_mode_1s", 10),
    "/v5/position/trading-stop": _each_second("position_stops_1s", 10),
    "/v5/position/set-auto-add-margin": _each_second("auto_margin_1s", 10),
    "/v5/position/add-margin": _each_second("margin_1s", 10),
    "/v5/position/confirm-pending-mmr": _each_second("confirm_mmr_1s", 10),
    "/v5/position/move-positions": _each_second("move_positions_1s", 10),
    "/v5/account/wallet-balance": _each_second("wallet_1s", 50),
    "/v5/account/withdrawal": _each_second("withdrawal_1s", 50),
    "/v5/account/info": _each_second("account_info_1s", 50),
    "/v5/account/collateral-info": _each_second("collateral_1s", 50),
    "/v5/account/user-setting-config": _each_second("user_settings_1s", 50),
    "/v5/account/set-margin-mode": _each_second("margin_mode_1s", 5),
    "/v5/account/set-limit-px-action": _each_second("limit_price_action_1s", 10),
    "/v5/account/transaction-log": _each_second("transactions_1s", 25),
    "/v5/account/fee-rate": _each_second("fee_rate_1s", 5),
    "/v5/account/instruments-info": _each_second("account_instruments_1s", 10),
    "/v5/account/query-dcp-info": _each_second("countdown_info_1s", 5),
    "/v5/account/smp-group": _each_second("smp_group_1s", 5),
    "/v5/user/query-api": _each_second("api_key_1s", 10),
    "/v5/user/agreement": _each_second("agreement_1s", 20),
}
"""Path -> its limit per account and rolling second; a breach is answered by retCode 10006."""

LIMITS = (IP_LIMIT, *ACCOUNT_LIMITS.values())


def costs(path: str) -> Costs:
    """What one call of this path uses."""
    account = ACCOUNT_LIMITS.get(path)
    return {IP_5S: 1} if account is None else {IP_5S: 1, account.name: 1}


def batch_costs(path: str) -> Callable[[Params], Costs]:
    """What a batch uses: as much as it has orders."""
    account = ACCOUNT_LIMITS[path].name

    def costs_of(params: Params) -> Costs:
        items = params.get("request")
        return {IP_5S: 1, account: len(items) if isinstance(items, list | tuple) and items else 1}

    return costs_of


def reported_usage(path: str, headers: Mapping[str, str]) -> Costs:
    """How much of the endpoint's window is used: its cap, as the venue reports it, less what remains."""
    account = ACCOUNT_LIMITS.get(path)
    cap, remaining = whole_number(headers, "x-bapi-limit"), whole_number(headers, "x-bapi-limit-status")
    if account is None or cap is None or remaining is None:
        return {}
    return {account.name: max(0, cap - remaining)}


def reported_limits(path: str, headers: Mapping[str, str]) -> Costs:
    """The cap that the account really has for this endpoint."""
    account, cap = ACCOUNT_LIMITS.get(path), whole_number(headers, "x-bapi-limit")
    return {account.name: cap} if account is not None and cap else {}

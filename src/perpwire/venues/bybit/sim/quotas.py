"""How often an account may ask: each path's calls a second. This table is the simulator's own, so that it can prove the
client's wrong.

Source: docs/v5/rate-limit, as of 2026-07-24; the transaction log's is 25 since 2026-05-21.
"""

from __future__ import annotations

from collections.abc import Mapping

IP_CALLS = 600
"""Of one address, in IP_PERIOD_S, whatever they ask."""
IP_PERIOD_S = 5.0
IP_BAN_S = 600.0
"""What the first breach costs; each further one within a day costs twice as much as the one before."""
LONGEST_IP_BAN_S = 24 * 3600.0

_BY_UNITS = {
    5: (
        *("order/disconnected-cancel-all", "account/fee-rate", "account/query-dcp-info", "account/smp-group"),
        *("account/set-margin-mode",),
    ),
    10: (
        *("order/create", "order/amend", "order/cancel", "order/cancel-all", "order/pre-check"),
        *("order/create-batch", "order/amend-batch", "order/cancel-batch"),
        *("account/instruments-info", "user/query-api", "account/set-limit-px-action", "position/move-history"),
        *("position/set-leverage", "position/switch-mode", "position/trading-stop", "position/set-auto-add-margin"),
        *("position/add-margin", "position/confirm-pending-mmr", "position/move-positions"),
        *("position/set-risk-limit", "position/set-tpsl-mode", "position/switch-isolated", "account/set-delta-mode"),
    ),
    20: ("user/agreement",),
    25: ("account/transaction-log",),
    50: (
        *("order/realtime", "order/history", "execution/list", "position/list", "position/closed-pnl"),
        *("position/symbol-info", "account/wallet-balance", "account/withdrawal", "account/info"),
        *("account/collateral-info", "account/user-setting-config"),
    ),
}

UNITS: Mapping[str, int] = {f"/v5/{path}": units for units, paths in _BY_UNITS.items() for path in paths}
"""Path -> units of one rolling second. A call costs one, a batch one for each of its orders."""

UPGRADABLE = frozenset(
    f"/v5/order/{name}"
    for name in ("create", "amend", "cancel", "cancel-all", "create-batch", "amend-batch", "cancel-batch", "pre-check")
)
"""What /v5/apilimit/set changes."""

MOST_A_SECOND = 1200
"""The most that one account can be given (tier PRO6)."""

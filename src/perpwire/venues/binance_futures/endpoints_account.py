"""One row per call about the account: what the venue's page says of it."""

from __future__ import annotations

from perpwire.venues.base import Endpoint, Lane, Security
from perpwire.venues.binance_futures import pages, wire, wire_account
from perpwire.venues.binance_futures.limits import A_WALLET_CALL, weight

ACCOUNT = Endpoint(
    name="account",
    http="GET /fapi/v3/account",
    security=Security.SIGNED,
    reply=wire.Account,
    costs=weight(5),
    source=pages.account("Account-Information-V3"),
)
POSITIONS = Endpoint(
    name="positions",
    http="GET /fapi/v3/positionRisk",
    security=Security.SIGNED,
    reply=list[wire.PositionRisk],
    costs=weight(5),
    source=pages.trade("Position-Information-V3"),
)
SYMBOL_SETTINGS = Endpoint(
    name="symbol_settings",
    http="GET /fapi/v1/symbolConfig",
    security=Security.SIGNED,
    reply=list[wire.SymbolConfig],
    costs=weight(5),
    source=pages.account("Symbol-Config"),
)
ACCOUNT_CONFIG = Endpoint(
    name="account_settings",
    http="GET /fapi/v1/accountConfig",
    security=Security.SIGNED,
    reply=wire.AccountConfig,
    costs=weight(5),
    source=pages.account("Account-Config"),
)
SET_LEVERAGE = Endpoint(
    name="set_leverage",
    http="POST /fapi/v1/leverage",
    security=Security.SIGNED,
    reply=wire.Leverage,
    costs=weight(1),
    source=pages.trade("Change-Initial-Leverage"),
)
SET_MARGIN_MODE = Endpoint(
    name="set_margin_mode",
    http="POST /fapi/v1/marginType",
    security=Security.SIGNED,
    reply=wire.Done,
    costs=weight(1),
    source=pages.trade("Change-Margin-Type"),
)
POSITION_MODE = Endpoint(
    name="position_mode",
    http="GET /fapi/v1/positionSide/dual",
    security=Security.SIGNED,
    reply=wire.PositionMode,
    costs=weight(30),
    source=pages.account("Get-Current-Position-Mode"),
)
SET_POSITION_MODE = Endpoint(
    name="set_position_mode",
    http="POST /fapi/v1/positionSide/dual",
    security=Security.SIGNED,
    reply=wire.Done,
    costs=weight(1),
    source=pages.trade("Change-Position-Mode"),
)
# Twice would move twice as much.
ADJUST_MARGIN = Endpoint(
    name="adjust_margin",
    http="POST /fapi/v1/positionMargin",
    security=Security.SIGNED,
    reply=wire_account.MarginChange,
    costs=weight(1),
    source=pages.trade("Modify-Isolated-Position-Margin"),
    repeatable=False,
)
FEE_RATES = Endpoint(
    name="fee_rates",
    http="GET /fapi/v1/commissionRate",
    security=Security.SIGNED,
    reply=wire.CommissionRate,
    costs=weight(20),
    source=pages.account("User-Commission-Rate"),
)
BRACKETS = Endpoint(
    name="brackets",
    http="GET /fapi/v1/leverageBracket",
    security=Security.SIGNED,
    reply=wire.SymbolBrackets | list[wire.SymbolBrackets],
    costs=weight(1),
    source=pages.account("Notional-and-Leverage-Brackets"),
)
INCOME = Endpoint(
    name="income",
    http="GET /fapi/v1/income",
    security=Security.SIGNED,
    reply=list[wire_account.Income],
    costs=weight(30),
    source=pages.account("Get-Income-History"),
)
# --- the key ---

# Of the wallet service: another host, with limits of its own.
KEY_INFO = Endpoint(
    name="key_info",
    http="GET /sapi/v1/account/apiRestrictions",
    security=Security.SIGNED,
    reply=wire_account.KeyPermissions,
    costs=A_WALLET_CALL,
    source="wallet/account/api-key-permission, as of 2026-10",
    host="wallet",
)

# --- user stream ---

# Asking again while a key is alive gives the same key and 60 more minutes.
CREATE_LISTEN_KEY = Endpoint(
    name="create_listen_key",
    http="POST /fapi/v1/listenKey",
    security=Security.KEY,
    reply=wire.ListenKey,
    costs=weight(1),
    source=pages.streams("Start-User-Data-Stream"),
    lane=Lane.ACCOUNT,
)
KEEP_LISTEN_KEY = Endpoint(
    name="keep_listen_key",
    http="PUT /fapi/v1/listenKey",
    security=Security.KEY,
    reply=wire.Empty,
    costs=weight(1),
    source=pages.streams("Keepalive-User-Data-Stream"),
    lane=Lane.ACCOUNT,
)

"""REST rows that only the simulator writes, spelled as Bybit spells them; see wire.py. The client reads none of them.

Source: docs/v5, as of 2026-07-24.
"""

from __future__ import annotations

from typing import Any

import msgspec

from perpwire.venues.bybit.wire import InstrumentRow


class AccountInstrumentRow(InstrumentRow):
    """One row of GET /v5/account/instruments-info."""

    myRpiPermission: bool = False


class AccountRatioRow(msgspec.Struct):
    symbol: str
    buyRatio: str
    sellRatio: str
    timestamp: str


class InsuranceRow(msgspec.Struct, kw_only=True):
    """A pool; `symbols` are those that it is of alone, "" for the one that the others share. `value` in USD."""

    coin: str
    symbols: str
    balance: str
    value: str


class AdlAlertRow(msgspec.Struct, kw_only=True):
    coin: str
    symbol: str
    balance: str
    insurancePnlRatio: str
    pnlRatio: str
    adlTriggerThreshold: str
    adlStopRatio: str
    maxBalance: str = ""


class ClosedPnlRow(msgspec.Struct, kw_only=True):
    """One row of GET /v5/position/closed-pnl: what one order closed. closedPnl is after both fees."""

    symbol: str
    orderId: str
    side: str
    qty: str
    orderPrice: str
    orderType: str
    execType: str
    closedSize: str
    cumEntryValue: str
    avgEntryPrice: str
    cumExitValue: str
    avgExitPrice: str
    closedPnl: str
    fillCount: str
    leverage: str
    openFee: str
    closeFee: str
    createdTime: str
    updatedTime: str


class PreCheckReply(msgspec.Struct, kw_only=True):
    """POST /v5/order/pre-check: margin rates times ten thousand, before and after."""

    orderId: str
    orderLinkId: str
    preImrE4: int
    preMmrE4: int
    postImrE4: int
    postMmrE4: int


class CollateralRow(msgspec.Struct, kw_only=True):
    """One coin of GET /v5/account/collateral-info."""

    currency: str
    hourlyBorrowRate: str = "0.00000147"
    maxBorrowingAmount: str = "8000000"
    freeBorrowingLimit: str = "0"
    freeBorrowAmount: str = ""
    borrowAmount: str = "0"
    otherBorrowAmount: str = "0"
    availableToBorrow: str = ""
    borrowable: bool = True
    borrowUsageRate: str = "0"
    usdBorrow: str = "0"
    marginCollateral: bool = True
    collateralSwitch: bool = True
    collateralRatio: str = "1"


class AssetRow(msgspec.Struct, kw_only=True):
    """One coin of GET /v5/asset/coin/query-info; it moves on no chain here."""

    name: str
    coin: str
    remainAmount: str = "10000000"
    chains: list[Any] = msgspec.field(default_factory=list)

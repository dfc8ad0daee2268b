"""The rows of the private topics: which fields each has, in the order in which the venue sends them.

Source: docs/v5/websocket/private (each topic's page), as of 2026-07-24, and frames captured in 2025-12 and 2026-03.
"""

from __future__ import annotations

from typing import Any

from perpwire.venues.bybit import wire

Row = dict[str, Any]

ORDER = (
    *("category", "symbol", "orderId", "orderLinkId", "blockTradeId", "side", "positionIdx", "orderStatus"),
    *("cancelType", "rejectReason", "timeInForce", "isLeverage", "price", "qty", "avgPrice", "leavesQty"),
    *("leavesValue", "cumExecQty", "cumExecValue", "cumExecFee", "orderType", "stopOrderType", "orderIv"),
    *("triggerPrice", "takeProfit", "stopLoss", "triggerBy", "tpTriggerBy", "slTriggerBy", "triggerDirection"),
    *("placeType", "lastPriceOnCreated", "closeOnTrigger", "reduceOnly", "smpGroup", "smpType", "smpOrderId"),
    *("slLimitPrice", "tpLimitPrice", "tpslMode", "createType", "marketUnit", "createdTime", "updatedTime"),
    *("feeCurrency", "closedPnl", "slippageTolerance", "slippageToleranceType", "cumFeeDetail", "extraFees"),
    *("brokerOrderPrice", "parentOrderLinkId", "ocoTriggerBy", "rpiTakerAccess", "rpiMatchedQty"),
)
EXECUTION = (
    *("category", "symbol", "closedSize", "execFee", "execId", "execPrice", "execQty", "execType", "execValue"),
    *("feeRate", "tradeIv", "markIv", "blockTradeId", "markPrice", "indexPrice", "underlyingPrice", "leavesQty"),
    *("orderId", "orderLinkId", "orderPrice", "orderQty", "orderType", "stopOrderType", "side", "execTime"),
    *("isLeverage", "isMaker", "seq", "marketUnit", "execPnl", "createType", "extraFees", "feeCurrency", "execFeeV2"),
)
FAST_EXECUTION = (
    *("category", "symbol", "execId", "execPrice", "execQty", "orderId", "isMaker", "orderLinkId", "side", "execTime"),
    "seq",
)
POSITION = (
    *("positionIdx", "tradeMode", "riskId", "riskLimitValue", "symbol", "side", "size", "entryPrice"),
    *("sessionAvgPrice", "leverage", "positionValue", "positionBalance", "markPrice", "positionIM", "positionMM"),
    *("positionIMByMp", "positionMMByMp", "takeProfit", "stopLoss", "trailingStop", "unrealisedPnl"),
    *("cumRealisedPnl", "curRealisedPnl", "createdTime", "updatedTime", "tpslMode", "liqPrice", "bustPrice"),
    *("category", "positionStatus", "adlRankIndicator", "autoAddMargin", "leverageSysUpdatedTime"),
    *("mmrSysUpdatedTime", "seq", "isReduceOnly", "breakEvenPrice", "openTime"),
)
"""Without the greeks, which only options have."""
WALLET = (
    *("accountIMRate", "accountIMRateByMp", "accountMMRate", "accountMMRateByMp", "totalEquity"),
    *("totalWalletBalance", "totalMarginBalance", "totalAvailableBalance", "totalPerpUPL", "totalInitialMargin"),
    *("totalInitialMarginByMp", "totalMaintenanceMargin", "totalMaintenanceMarginByMp", "coin", "accountLTV"),
    "accountType",
)
COIN = (
    *("coin", "equity", "usdValue", "walletBalance", "availableToWithdraw", "availableToBorrow", "borrowAmount"),
    *("accruedInterest", "totalOrderIM", "totalPositionIM", "totalPositionMM", "unrealisedPnl", "cumRealisedPnl"),
    *("bonus", "collateralSwitch", "marginCollateral", "locked", "spotHedgingQty", "spotBorrow", "colRes"),
)
"""Without `free`, which only old spot wallets have."""


def order_row(row: wire.OrderPush) -> Row:
    return _in_order(row, ORDER)


def execution_row(row: wire.ExecutionPush) -> Row:
    return _in_order(row, EXECUTION)


def funding_row(row: wire.ExecutionRow) -> Row:
    """A payment of funding: an execution without an order."""
    fields = {name: getattr(row, name) for name in row.__struct_fields__}
    return execution_row(wire.ExecutionPush(**fields, execPnl="0"))


def fast_row(row: wire.FastExecution) -> Row:
    return _in_order(row, FAST_EXECUTION)


def position_row(row: wire.PositionPush) -> Row:
    return _in_order(row, POSITION)


def wallet_row(row: wire.Wallet) -> Row:
    whole = _in_order(row, WALLET)
    whole["coin"] = [_in_order(coin, COIN) for coin in row.coin or ()]
    return whole


def _in_order(row: Any, names: tuple[str, ...]) -> Row:
    return {name: getattr(row, name) for name in names}

"""Rows have exactly the fields that the reference lists for them: none is missing, and none is made up."""

from __future__ import annotations

import pytest

from .test_sim_fixtures import answer_of

ROWS = {
    "GET /v5/order/realtime": (
        "orderId orderLinkId parentOrderLinkId blockTradeId symbol price qty side isLeverage positionIdx "
        "orderStatus createType cancelType rejectReason avgPrice leavesQty leavesValue cumExecQty "
        "cumExecValue cumExecFee cumFeeDetail timeInForce orderType stopOrderType orderIv marketUnit "
        "slippageToleranceType slippageTolerance triggerPrice takeProfit stopLoss tpslMode tpLimitPrice "
        "slLimitPrice tpTriggerBy slTriggerBy triggerDirection triggerBy lastPriceOnCreated reduceOnly "
        "closeOnTrigger placeType smpType smpGroup smpOrderId createdTime updatedTime extraFees "
        "rpiTakerAccess rpiMatchedQty ocoTriggerBy"
    ),
    "GET /v5/execution/list": (
        "symbol orderId orderLinkId side orderPrice orderQty leavesQty createType orderType stopOrderType "
        "execFee execFeeV2 execId execPrice execQty execType execValue execTime feeCurrency isMaker feeRate "
        "tradeIv markIv markPrice indexPrice underlyingPrice blockTradeId closedSize seq extraFees"
    ),
    "GET /v5/position/list": (
        "positionIdx riskId riskLimitValue symbol side size avgPrice positionValue autoAddMargin "
        "positionStatus leverage breakEvenPrice markPrice liqPrice positionIM positionIMByMp positionMM "
        "positionMMByMp takeProfit stopLoss trailingStop sessionAvgPrice delta gamma vega theta unrealisedPnl "
        "curRealisedPnl cumRealisedPnl adlRankIndicator createdTime updatedTime openTime seq isReduceOnly "
        "mmrSysUpdatedTime leverageSysUpdatedTime tpslMode bustPrice positionBalance tradeMode"
    ),
    "GET /v5/market/tickers": (
        "symbol lastPrice indexPrice markPrice prevPrice24h price24hPcnt highPrice24h lowPrice24h prevPrice1h "
        "openInterest openInterestValue singleOpenInterest singleOpenInterestValue turnover24h volume24h "
        "fundingRate nextFundingTime fundingIntervalHour fundingCap bid1Price bid1Size ask1Price ask1Size "
        "basis basisRate basisRateYear deliveryFeeRate deliveryTime predictedDeliveryPrice preOpenPrice "
        "preQty curPreListingPhase"
    ),
    "GET /v5/market/instruments-info": (
        "symbol symbolId contractType status baseCoin quoteCoin settleCoin symbolType launchTime deliveryTime "
        "deliveryFeeRate priceScale leverageFilter priceFilter lotSizeFilter unifiedMarginTrade "
        "fundingInterval upperFundingRate lowerFundingRate copyTrading isPreListing preListingInfo "
        "riskParameters displayName forbidUplWithdrawal isPublicRpi"
    ),
    "GET /v5/account/transaction-log": (
        "id symbol category side transactionTime type transSubType qty size currency tradePrice funding fee "
        "cashFlow change cashBalance feeRate bonusChange tradeId orderId orderLinkId extraFees"
    ),
    "GET /v5/position/closed-pnl": (
        "symbol orderId side qty orderPrice orderType execType closedSize cumEntryValue avgEntryPrice "
        "cumExitValue avgExitPrice closedPnl fillCount leverage openFee closeFee createdTime updatedTime"
    ),
    "GET /v5/account/wallet-balance": (
        "accountType totalEquity totalWalletBalance totalMarginBalance totalAvailableBalance totalPerpUPL "
        "totalInitialMargin totalMaintenanceMargin accountIMRate accountMMRate accountLTV coin "
        "totalInitialMarginByMp totalMaintenanceMarginByMp accountIMRateByMp accountMMRateByMp"
    ),
}
COIN = (
    "coin equity usdValue walletBalance locked borrowAmount accruedInterest totalOrderIM totalPositionIM "
    "totalPositionMM unrealisedPnl cumRealisedPnl bonus spotHedgingQty spotBorrow colRes marginCollateral "
    "collateralSwitch free availableToBorrow availableToWithdraw"
)
# Everything else is text.
INTEGERS = (
    "positionIdx triggerDirection smpGroup riskId autoAddMargin adlRankIndicator openTime seq tradeMode symbolId "
    "fundingInterval"
)
FLAGS = (
    "reduceOnly closeOnTrigger rpiTakerAccess isMaker isReduceOnly unifiedMarginTrade isPreListing "
    "forbidUplWithdrawal isPublicRpi marginCollateral collateralSwitch"
)
OBJECTS = "cumFeeDetail leverageFilter priceFilter lotSizeFilter riskParameters"
TYPES: dict[str, type] = {
    name: kind for names, kind in ((INTEGERS, int), (FLAGS, bool), (OBJECTS, dict)) for name in names.split()
}


@pytest.mark.parametrize("endpoint", ROWS)
def test_a_row_has_the_references_fields_and_types(endpoint: str) -> None:
    row = answer_of(endpoint)["result"]["list"][0]
    assert set(row) == set(ROWS[endpoint].split())
    if "coin" in row:
        (coin,) = row.pop("coin")
        assert set(coin) == set(COIN.split())
        row |= coin
    for name, value in row.items():
        assert type(value) is TYPES.get(name, str) or (name, value) == ("preListingInfo", None), (name, value)

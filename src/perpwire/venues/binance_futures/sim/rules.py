"""The venue's rules that are the same for every symbol here, and how exchangeInfo states them."""

from __future__ import annotations

from decimal import Decimal

from perpwire.model.numbers import plain
from perpwire.venues.binance_futures import limits, wire
from perpwire.venues.binance_futures.sim.baskets import is_basket
from perpwire.venues.binance_futures.sim.words import TIMES_IN_FORCE, SymbolWords, padded

PERCENT_UP, PERCENT_DOWN = Decimal("1.0500"), Decimal("0.9500")
"""How far from the mark price a limit price may be to the bad."""

MAX_OPEN_ORDERS = 200
"""Per symbol."""

MAX_CONDITIONAL_ORDERS = 200
"""Per account, of all symbols."""

MAX_AMENDMENTS = 10_000
"""Of one order."""

TRIGGER_PROTECT = Decimal("0.0500")
"""How far the last and the mark price may be apart where a protected conditional order triggers (share)."""

MARKET_TAKE_BOUND = Decimal("0.05")
"""How far from the mark price a market order may reach (share)."""

_DELIVERY_MS = 4_133_404_800_000  # of perpetuals: never
ONBOARD_MS = 1_569_398_400_000
"""When the contracts were listed."""

_ORDER_TYPES = [
    "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET",
]  # fmt: skip

_SUB_TYPES = {"BTC": ["PoW"], "DEFI": ["INDEX"], "BTCDOM": ["INDEX"]}

_ASSET_EXCHANGE = {"USDT": "-10000", "USDC": "-10000"}
"""How negative a balance may be before the asset is bought for others, in multi-assets mode."""


def rate_limits() -> list[wire.RateLimit]:
    kinds = {limits.WEIGHT: "REQUEST_WEIGHT", limits.ORDERS_10S: "ORDERS", limits.ORDERS_1M: "ORDERS"}
    return [
        wire.RateLimit(
            rate_limit_type=kinds[limit.name],
            interval="SECOND" if limit.period_s < 60 else "MINUTE",
            interval_num=round(limit.period_s if limit.period_s < 60 else limit.period_s / 60),
            limit=limit.limit,
        )
        for limit in limits.LIMITS
        if limit.name in kinds
    ]


def asset_info(asset: str) -> wire.AssetInfo:
    return wire.AssetInfo(
        asset=asset, margin_available=True, auto_asset_exchange=_ASSET_EXCHANGE.get(asset, "-0.00100000")
    )


def symbol_info(words: SymbolWords) -> wire.SymbolInfo:
    instrument = words.spec.instrument
    return wire.SymbolInfo(
        symbol=instrument.symbol,
        pair=instrument.symbol,
        contract_type="PERPETUAL",
        delivery_date=_DELIVERY_MS,
        onboard_date=ONBOARD_MS,
        status="TRADING" if instrument.is_trading else "SETTLING",
        maint_margin_percent="2.5000",
        required_margin_percent="5.0000",
        base_asset=instrument.base,
        quote_asset=instrument.quote,
        margin_asset=instrument.settle,
        price_precision=words.price_places,
        quantity_precision=words.quantity_places,
        base_asset_precision=8,
        quote_precision=8,
        underlying_type="INDEX" if is_basket(words) else "COIN",
        underlying_sub_type=_SUB_TYPES.get(instrument.base, ["Layer-1"]),
        settle_plan=0,
        trigger_protect=plain(TRIGGER_PROTECT),
        liquidation_fee=padded(words.spec.liquidation_fee, 6),
        market_take_bound=plain(MARKET_TAKE_BOUND),
        max_move_order_limit=MAX_AMENDMENTS,
        filters=_filters(words),
        order_types=_ORDER_TYPES,
        time_in_force=list(TIMES_IN_FORCE),
    )


def _filters(words: SymbolWords) -> list[wire.Filter]:
    """A bound that there is none of is written as 0, which switches it off."""
    instrument = words.spec.instrument

    def bound(number: Decimal | None) -> str:
        return "0" if number is None else plain(number)

    def lot(kind: str, greatest: Decimal | None) -> wire.Filter:
        return wire.Filter(
            filter_type=kind,
            min_qty=plain(instrument.min_quantity),
            max_qty=bound(greatest),
            step_size=plain(instrument.quantity_step),
        )

    return [
        wire.Filter(
            filter_type="PRICE_FILTER",
            min_price=bound(instrument.min_price),
            max_price=bound(instrument.max_price),
            tick_size=plain(instrument.tick_size),
        ),
        lot("LOT_SIZE", instrument.max_quantity),
        lot("MARKET_LOT_SIZE", instrument.max_market_quantity),
        wire.Filter(filter_type="MAX_NUM_ORDERS", limit=MAX_OPEN_ORDERS),
        wire.Filter(filter_type="MIN_NOTIONAL", notional=bound(instrument.min_notional)),
        wire.Filter(
            filter_type="PERCENT_PRICE",
            multiplier_up=plain(PERCENT_UP),
            multiplier_down=plain(PERCENT_DOWN),
            multiplier_decimal="4",
        ),
        wire.Filter(filter_type="POSITION_RISK_CONTROL", position_control_side="NONE"),
    ]

"""What the simulator's tests build their exchanges from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

from perpwire.clock import ManualClock
from perpwire.model.instrument import Instrument
from perpwire.model.market import Level
from perpwire.model.order import OrderType, Side, TimeInForce
from perpwire.simulator.events import OrderChanged, SimEvent
from perpwire.simulator.exchange import AccountSpec, Exchange, SymbolSpec
from perpwire.simulator.intents import OrderIntent
from perpwire.simulator.replay import ReplayFeed
from perpwire.simulator.vocabulary import SelfTrade

SYMBOL = "BTCUSDT"
E = TypeVar("E", bound=msgspec.Struct)


def instrument(symbol: str = SYMBOL, tick_size: str = "0.10", min_notional: str | None = None) -> Instrument:
    return Instrument(
        venue="echo",
        symbol=symbol,
        base=symbol.removesuffix("USDT"),
        quote="USDT",
        settle="USDT",
        is_trading=True,
        tick_size=Decimal(tick_size),
        min_price=Decimal("0.1"),
        max_price=Decimal(1_000_000),
        quantity_step=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        max_quantity=Decimal(1000),
        max_market_quantity=Decimal(500),
        min_notional=None if min_notional is None else Decimal(min_notional),
    )


def spec(symbol: str = SYMBOL, start_price: str = "64000", min_notional: str | None = None) -> SymbolSpec:
    return SymbolSpec(
        instrument=instrument(symbol, min_notional=min_notional),
        start_price=Decimal(start_price),
        taker_fee=Decimal("0.0005"),
        maker_fee=Decimal("0.0002"),
    )


ACCOUNTS = (
    AccountSpec(name="a", api_key="key-a"),
    AccountSpec(name="b", api_key="key-b"),
)


def exchange(
    clock: ManualClock,
    *,
    seed: int = 7,
    rate: float = 0.0,
    symbols: Sequence[SymbolSpec] = (spec(),),
    accounts: Sequence[AccountSpec] = ACCOUNTS,
    replay: ReplayFeed | None = None,
) -> Exchange:
    """By default without a background market: books hold only what a test puts there."""
    return Exchange(clock=clock, seed=seed, symbols=symbols, accounts=accounts, rate=rate, replay=replay)


def intent(
    side: Side,
    quantity: str,
    price: str | None = None,
    tif: TimeInForce = TimeInForce.GTC,
    *,
    symbol: str = SYMBOL,
    client_order_id: str = "",
    reduce_only: bool = False,
    refuse_post_only: bool = True,
    refuse_fok: bool = True,
    refuse_oversized_reduce: bool = True,
    self_trade: SelfTrade = "taker",
) -> OrderIntent:
    """A limit order, or a market order where no price is given."""
    return OrderIntent(
        symbol=symbol,
        side=side,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        time_in_force=tif,
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
        client_order_id=client_order_id,
        reduce_only=reduce_only,
        refuse_post_only=refuse_post_only,
        refuse_fok=refuse_fok,
        refuse_oversized_reduce=refuse_oversized_reduce,
        self_trade=self_trade,
    )


def levels(*pairs: tuple[str | int, str | int]) -> list[Level]:
    """Prices and quantities as a book has them."""
    return [(Decimal(price), Decimal(quantity)) for price, quantity in pairs]


class Heard:
    """Every event an exchange has emitted since this was made."""

    def __init__(self, source: Exchange) -> None:
        self.events: list[SimEvent] = []
        self.stop: Callable[[], None] = source.subscribe(self.events.append)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def clear(self) -> None:
        self.events.clear()

    def names(self) -> list[str]:
        """What happened, in short: "new", "trade", "AccountChanged" ..."""
        return [event.what if isinstance(event, OrderChanged) else type(event).__name__ for event in self.events]

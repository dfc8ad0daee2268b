"""The calls that both venues have under one name. A venue overrides those it has; the rest raise NotOffered.

Each gives a Call (endpoint.py): nothing is sent here. The arguments are checked and exact already.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NoReturn

from perpwire.errors import APIError, NotOffered
from perpwire.model.account import (
    AccountInfo,
    AccountSettings,
    CountDown,
    FeeRates,
    Income,
    KeyInfo,
    MarginMode,
    Position,
    PositionMode,
    RiskBracket,
    Setting,
    SymbolSettings,
)
from perpwire.model.instrument import Instrument
from perpwire.model.market import (
    BookSnapshot,
    BookTicker,
    FundingRate,
    Kline,
    MarkPrice,
    OpenInterest,
    PriceKind,
    Ticker,
    Trade,
    VenueStatus,
)
from perpwire.model.order import Fill, Order, OrderRequest, PositionSide, TriggerBy
from perpwire.venues.endpoint import Call


class _Offers:
    name: str
    """The venue's, such as "binance"."""

    def lacks(self, call: str, why: str = "") -> NoReturn:
        """Say that the venue has no such call.

        Raises:
            NotOffered: Always.
        """
        raise NotOffered(why or f"{self.name} has no such call", venue=self.name, call=call, code="NOT_OFFERED")


class MarketCalls(_Offers, ABC):
    """Of the market; no key is needed. Times are Unix milliseconds of the venue's clock, both ends included; None
    leaves that end open: the venue's default span then counts. Rows come oldest first, but for pages of venues that go
    backwards (see each venue)."""

    @abstractmethod
    def server_time(self) -> Call[int]:
        """Unix milliseconds."""

    @abstractmethod
    def instruments(self) -> Call[tuple[Instrument, ...]]: ...

    def instruments_completed(self, instruments: tuple[Instrument, ...]) -> Call[tuple[Instrument, ...]] | None:
        """The same with what the venue says of them elsewhere; None where that is nothing. It must not be needed: where
        it can't be had, `instruments` serve without it."""
        return None

    @abstractmethod
    def book_snapshot(self, symbol: str, depth: int) -> Call[BookSnapshot]: ...

    def status(self) -> Call[VenueStatus]:
        self.lacks("status")

    def recent_trades(self, symbol: str, limit: int) -> Call[tuple[Trade, ...]]:
        """The newest, oldest first."""
        self.lacks("recent_trades")

    def trades(self, symbol: str, start_ms: int | None, end_ms: int | None) -> Call[tuple[Trade, ...]]:
        self.lacks("trades")

    trades_page = 1000
    """How many trades_from gives at most; where it gives so many, there may be more behind them."""

    numbers_trades = False
    """Each trade of a symbol has the id after that of the one before it; aggregated ones are counted by themselves."""

    def trades_from(self, symbol: str, last: Trade) -> Call[tuple[Trade, ...]]:
        """What was traded from `last` on, oldest first, as far as one question reaches: `last` itself is the first of
        them, unless there were so many that it is not among them any more; then only what is later. Nothing, where
        the venue does not know `last` yet."""
        self.lacks("trades_from")

    def klines(
        self, symbol: str, interval: str, start_ms: int | None, end_ms: int | None, price_kind: PriceKind
    ) -> Call[tuple[Kline, ...]]:
        self.lacks("klines")

    def tickers(self, symbol: str | None) -> Call[tuple[Ticker, ...]]:
        self.lacks("tickers")

    def book_tickers(self, symbol: str | None) -> Call[tuple[BookTicker, ...]]:
        self.lacks("book_tickers")

    def mark_prices(self, symbol: str | None) -> Call[tuple[MarkPrice, ...]]:
        self.lacks("mark_prices")

    def open_interest(self, symbol: str) -> Call[OpenInterest]:
        self.lacks("open_interest")

    def open_interest_history(
        self, symbol: str, interval: str, start_ms: int | None, end_ms: int | None
    ) -> Call[tuple[OpenInterest, ...]]:
        self.lacks("open_interest_history")

    def funding_rates(self, symbol: str, start_ms: int | None, end_ms: int | None) -> Call[tuple[FundingRate, ...]]:
        self.lacks("funding_rates")


class AccountCalls(_Offers, ABC):
    """Of the account behind the key."""

    @abstractmethod
    def account(self) -> Call[AccountInfo]: ...

    @abstractmethod
    def positions(self, symbol: str | None) -> Call[tuple[Position, ...]]:
        """Open positions only where symbol is None."""

    def key_info(self) -> Call[KeyInfo]:
        self.lacks("key_info")

    def symbol_settings(self, symbol: str) -> Call[SymbolSettings]:
        self.lacks("symbol_settings")

    def account_settings(self) -> Call[AccountSettings]:
        """What can be told of all symbols together, beside what positions state."""
        self.lacks("account_settings")

    def set_leverage(self, symbol: str, leverage: Decimal) -> Call[Setting]:
        """What is set already ends in NoChange at some venues; the connector makes `changed=False` of it."""
        self.lacks("set_leverage")

    def set_margin_mode(self, symbol: str | None, mode: MarginMode) -> Call[Setting]:
        """Of a symbol, or, with None, of the account; a venue has one of the two."""
        self.lacks("set_margin_mode")

    def position_mode(self, symbol: str | None) -> Call[PositionMode]:
        """Of the account, or of a symbol where a venue sets it by symbol."""
        self.lacks("position_mode")

    position_mode_by_symbol: bool = False
    """A symbol's positions show its mode then: BOTH is one-way, LONG and SHORT are hedge mode."""

    def set_position_mode(self, symbol: str | None, mode: PositionMode) -> Call[Setting]:
        self.lacks("set_position_mode")

    def adjust_margin(self, symbol: str, amount: Decimal, position_side: PositionSide) -> Call[Setting]:
        """Add (above 0) or take away (below 0) margin of an isolated position, settle asset."""
        self.lacks("adjust_margin")

    def fee_rates(self, symbol: str) -> Call[FeeRates]:
        self.lacks("fee_rates")

    def brackets(self, symbol: str) -> Call[tuple[RiskBracket, ...]]:
        self.lacks("brackets")

    def income(
        self, symbol: str | None, kind: str | None, start_ms: int | None, end_ms: int | None
    ) -> Call[tuple[Income, ...]]:
        """`kind`: one of Income.kind, or None for all."""
        self.lacks("income")


class OrderCalls(_Offers, ABC):
    """Of orders. Order ids are the unified ones of model.order.Order."""

    batch_size: int = 1
    """Most orders in one place_orders; 1 where the venue has no batches."""

    batch_needs_one_symbol: bool = False
    """All orders of one cancel_orders must be of one symbol."""

    cancel_all_needs_symbol: bool = False

    splits_oversized_closes: bool = False
    """Reduce-only orders of any size are taken: the venue splits them itself."""

    @abstractmethod
    def place_order(self, request: OrderRequest) -> Call[Order]: ...

    @abstractmethod
    def amend_order(
        self, order: Order, price: Decimal | None, quantity: Decimal | None, trigger_price: Decimal | None = None
    ) -> Call[Order]:
        """Change price or (total) quantity of a resting limit order, or the trigger of a conditional one."""

    @abstractmethod
    def cancel_order(
        self, symbol: str, order_id: str | None, client_order_id: str | None, conditional: bool | None = None
    ) -> Call[Order]:
        """By client order id alone, conditional orders are meant too: a venue that keeps them apart tries both, unless
        the caller knows which it is.

        Args:
            conditional: The order is known to be conditional, or not to be; None: not known. Counts where only the
                client order id is given.
        """

    @abstractmethod
    def get_order(
        self, symbol: str, order_id: str | None, client_order_id: str | None, conditional: bool | None = None
    ) -> Call[Order]:
        """As cancel_order finds it. UnknownOrder only after every place was asked."""

    @abstractmethod
    def open_orders(self, symbol: str | None) -> Call[tuple[Order, ...]]:
        """Conditional ones too, each once."""

    def place_orders(self, requests: Sequence[OrderRequest]) -> Call[tuple[Order | APIError, ...]]:
        """At most batch_size ordinary orders in one call; one result a request, in order."""
        self.lacks("place_orders")

    def cancel_orders(self, orders: Sequence[tuple[str, str]]) -> Call[tuple[Order | APIError, ...]]:
        """Symbol and order id of at most batch_size ordinary orders; one result each, in order."""
        self.lacks("cancel_orders")

    def cancel_all(self, symbol: str | None) -> Sequence[Call[Any]]:
        """The calls that together cancel every open order, conditional ones too; results are of no use. Nothing to
        cancel is no error. With None, all symbols: where a venue needs one (cancel_all_needs_symbol), the connector
        asks symbol by symbol."""
        self.lacks("cancel_all")

    def order_history(self, symbol: str | None, start_ms: int | None, end_ms: int | None) -> Call[tuple[Order, ...]]:
        """Orders of any state by creation time."""
        self.lacks("order_history")

    def orders_since(self, start_ms: int, symbols: Sequence[str]) -> Sequence[Call[tuple[Order, ...]]]:
        """The calls that together list all orders that were placed since then (Unix milliseconds) and have ended; where
        past_conditional_need_symbol, conditional ones of `symbols` alone."""
        return [self.order_history(None, start_ms, None)]

    past_conditional_need_symbol: bool = False
    """It lists conditional orders that have ended symbol by symbol."""

    triggers_make_orders: bool = False
    """What the trigger of a conditional order makes has an id of its own, and the same client order id: both are told
    as one order."""

    ended_orders_kept_ms: int = 0
    """For so long the venue lists orders that ended without a fill."""

    def fills(
        self, symbol: str | None, start_ms: int | None, end_ms: int | None, order_id: str | None = None
    ) -> Call[tuple[Fill, ...]]:
        """Executions, oldest first. With symbol None those of all symbols, unless fills_need_symbol."""
        self.lacks("fills")

    fills_need_symbol: bool = False

    def set_position_stops(
        self,
        symbol: str,
        position_side: PositionSide,
        take_profit: Decimal | None,
        stop_loss: Decimal | None,
        trigger_by: TriggerBy,
    ) -> Call[Setting]:
        """Take-profit and stop-loss of the whole position, at the market; 0 takes one away, None leaves it. NotOffered
        where the venue has only orders for that (the connector places closing conditional orders then)."""
        self.lacks("set_position_stops")

    countdown_by_symbol: bool = True
    """False: one for the whole account, which the venue holds against the account's stream; nothing is renewed."""

    def arm_countdown(self, symbol: str | None, seconds: float) -> Call[CountDown]:
        """A dead man's switch: orders are cancelled unless armed again in time; 0 disarms."""
        self.lacks("arm_countdown")

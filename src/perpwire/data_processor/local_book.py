"""A book that can be read only while it is proven, and tells how far it is known."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

from perpwire.data_processor.order_book import OrderBook
from perpwire.errors import BadInput, BeyondHorizon, BookNotInSync
from perpwire.model.market import Level
from perpwire.model.order import Side
from perpwire.raised import RAISED

log = logging.getLogger(__name__)


class LocalBook:
    """A symbol's order book, kept in step with the venue. Every read raises BookNotInSync while that is not proven.

    Prices and quantities are exactly as the venue sent them. Binance tells at most 1,000 levels a side to begin with,
    and of what lies behind them only what changes: reads end at that horizon, and what can't be known without looking
    beyond it raises BeyondHorizon.

    Attributes:
        symbol: The venue's symbol.
        update_id: The venue's counter of the last applied update.
        sequence: Of the venue's matching engine (Bybit seq); 0 where it has none.
        venue_time_ms: Of the last applied update: Unix milliseconds, the venue's clock.
        deltas_applied: Since it was last built.
        rebuilds: How often it had to be built again.
    """

    def __init__(self, symbol: str, failed: Callable[[ChangeHandler, BaseException], None] | None = None) -> None:
        self.symbol = symbol
        self.update_id = 0
        self.sequence = 0
        self.venue_time_ms = 0
        self.deltas_applied = 0
        self.rebuilds = 0
        self._book = OrderBook()
        self._why_not: str | None = "no snapshot yet"
        self._handlers: tuple[ChangeHandler, ...] = ()
        self._failed = failed
        self._closed = False

    @property
    def is_in_sync(self) -> bool:
        return self._why_not is None

    @property
    def why_not(self) -> str:
        """Why it can't be read; "" while it can."""
        return self._why_not or ""

    @property
    def is_closed(self) -> bool:
        """Nobody keeps it any more: it never comes in sync again."""
        return self._closed

    @property
    def was_in_sync(self) -> bool:
        """It has been in sync at least once."""
        return self.is_in_sync or self.rebuilds > 0

    def on_change(self, handler: ChangeHandler) -> Callable[[], None]:
        """Call `handler(book)` after each update, and when the book is in sync or no longer (ask `is_in_sync`); from
        within the read callback: it must be quick. Returns a function that ends it."""
        self._handlers = (*self._handlers, handler)

        def off() -> None:
            self._handlers = tuple(one for one in self._handlers if one is not handler)

        return off

    def _tell(self) -> None:
        for handler in self._handlers:
            try:
                handler(self)
            except RAISED as error:
                if self._failed is not None:
                    self._failed(handler, error)
                else:
                    log.exception("a handler of the book of %s failed", self.symbol)

    def _proven(self) -> OrderBook:
        if self._why_not is not None:
            raise BookNotInSync(f"the book of {self.symbol} is not in sync: {self._why_not}")
        return self._book

    # --- levels ---------------------------------------------------------------------------------------------------

    @property
    def best_bid(self) -> Level | None:
        """(price, quantity), or None for an empty side."""
        return self._proven().best_bid

    @property
    def best_ask(self) -> Level | None:
        return self._proven().best_ask

    def bids(self, depth: int | None = None, *, beyond: bool = False) -> list[Level]:
        """The best `depth` levels (all where None), best first, up to the horizon.

        Args:
            beyond: Also what is known beyond the horizon: what has changed there since the book was built, with
                unknown levels in between.
        """
        return self._proven().bids(depth, beyond)

    def asks(self, depth: int | None = None, *, beyond: bool = False) -> list[Level]:
        """See `bids`."""
        return self._proven().asks(depth, beyond)

    @property
    def horizon(self) -> tuple[Decimal | None, Decimal | None]:
        """Lowest bid and highest ask price up to which every level is known; None: the whole side is."""
        return self._proven().horizon

    @property
    def levels(self) -> tuple[int, int]:
        """How many bid and ask levels are known, those beyond the horizon counted too."""
        return self._proven().levels

    # --- what can be said of them ---------------------------------------------------------------------------------

    @property
    def spread(self) -> Decimal | None:
        """Best ask less best bid; None while a side is empty."""
        top = self._top()
        return None if top is None else top[1][0] - top[0][0]

    @property
    def mid(self) -> Decimal | None:
        """Halfway between best bid and best ask; None while a side is empty."""
        top = self._top()
        return None if top is None else (top[0][0] + top[1][0]) / 2

    @property
    def microprice(self) -> Decimal | None:
        """Between best bid and best ask, nearer to the side with the smaller quantity; None while a side is empty."""
        top = self._top()
        if top is None:
            return None
        (bid, bid_quantity), (ask, ask_quantity) = top
        return (bid * ask_quantity + ask * bid_quantity) / (bid_quantity + ask_quantity)

    def imbalance(self, depth: int = 1) -> Decimal | None:
        """Of the best `depth` levels: (bid quantity - ask quantity) / both, from -1 to 1; None where there are none.

        Raises:
            BeyondHorizon: Fewer are known, and there may be more behind them.
        """
        book = self._proven()
        sides = book.bids(depth), book.asks(depth)
        for side, horizon in zip(sides, book.horizon, strict=True):
            if len(side) < depth and horizon is not None:
                raise BeyondHorizon(f"of the book of {self.symbol} {len(side)} levels are known, not {depth}")
        bids, asks = (sum((one[1] for one in side), Decimal(0)) for side in sides)
        return (bids - asks) / (bids + asks) if bids + asks else None

    def depth_to(self, price: Decimal | int | str) -> Decimal:
        """Quantity that a taker finds up to and including `price`: of the asks for a price at or above the best one,
        else of the bids; 0 within the spread.

        Raises:
            BeyondHorizon: Not every level up to there is known.
        """
        limit = Decimal(price)
        book = self._proven()
        ask = book.best_ask
        is_ask = limit >= ask[0] if ask is not None else (bid := book.best_bid) is not None and limit > bid[0]
        horizon = book.horizon[1 if is_ask else 0]
        if horizon is not None and (limit > horizon if is_ask else limit < horizon):
            raise BeyondHorizon(f"the book of {self.symbol} is known up to {horizon:f} only, not to {limit:f}")
        side = book.asks() if is_ask else book.bids()
        within = (one[1] for one in side if (one[0] <= limit if is_ask else one[0] >= limit))
        return sum(within, Decimal(0))

    def price_for(self, side: Side | str, quantity: Decimal | int | str) -> Decimal | None:
        """The worst price that an order of `quantity` at the market reaches; None where the whole book holds less.

        Args:
            side: Of the order: "BUY" takes asks.

        Raises:
            BeyondHorizon: The known levels hold less, and there may be more behind them.
        """
        taken = self._taken(side, quantity)
        return None if taken is None else taken[-1][0]

    def vwap(self, side: Side | str, quantity: Decimal | int | str) -> Decimal | None:
        """The average price of an order of `quantity` at the market, as the book stands; see price_for."""
        taken = self._taken(side, quantity)
        if taken is None:
            return None
        return sum((price * part for price, part in taken), Decimal(0)) / sum((part for _, part in taken), Decimal(0))

    def _taken(self, side: Side | str, quantity: Decimal | int | str) -> list[Level] | None:
        """Price and quantity of each level that such an order takes."""
        wanted = left = Decimal(quantity)
        name = str(side).upper()
        if name not in ("BUY", "SELL") or not wanted.is_finite() or wanted <= 0:
            raise BadInput(f"{side} {quantity}: a side is BUY or SELL, and a quantity above 0", code="BAD_QUANTITY")
        book = self._proven()
        is_buy = name == "BUY"
        taken: list[Level] = []
        for price, there in book.asks() if is_buy else book.bids():
            part = min(there, left)
            taken.append((price, part))
            left -= part
            if not left:
                return taken
        if book.horizon[1 if is_buy else 0] is not None:
            raise BeyondHorizon(
                f"the known levels of the book of {self.symbol} hold {wanted - left:f} for a {name} of {wanted:f}"
            )
        return None

    def _top(self) -> tuple[Level, Level] | None:
        book = self._proven()
        bid, ask = book.best_bid, book.best_ask
        return None if bid is None or ask is None else (bid, ask)


ChangeHandler: TypeAlias = Callable[[LocalBook], None]

"""The REST calls: which path is whose, and what a query may ask. Source: docs/v5, as of 2026-07-24."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote

import msgspec

from perpwire.simulator.events import Refused, SimOrder
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import AccountSpec, SymbolSpec
from perpwire.venues.bybit import wire
from perpwire.venues.bybit.sim.memory import Memory
from perpwire.venues.bybit.sim.numbers import ORDER, TAKER_EXECUTION, cut, fit, id_text, number_of, whole
from perpwire.venues.bybit.sim.orders import Orders
from perpwire.venues.bybit.sim.prices import Prices
from perpwire.venues.bybit.sim.public import PublicStreams, side_text
from perpwire.venues.bybit.sim.refusal import CallRefused, bad_param, of_exchange
from perpwire.venues.bybit.sim.rows import Rows, user_id
from perpwire.venues.bybit.sim.rules import rules_of
from perpwire.venues.bybit.sim.tickers import FUTURES_ONLY, ticker

Asked = dict[str, Any]
"""A query's parameters as texts, or a body's members."""

Handler = Callable[[Asked], Any]
AccountHandler = Callable[[AccountSpec, Asked], Any]

T = TypeVar("T")

_LEVERAGE = re.compile(r"\d{1,4}(\.\d{1,2})?", re.ASCII)

DAY_MS = 24 * 3600 * 1000
RECENTLY_CLOSED = 500
OPEN_STATUSES = ("New", "PartiallyFilled", "Untriggered")
CATEGORIES = ("linear", "inverse", "spot", "option")


class Rest:
    """Routes. A handler gives the reply's `result`, or raises CallRefused."""

    def __init__(
        self,
        exchange: Exchange,
        memory: Memory,
        prices: Prices,
        rows: Rows,
        orders: Orders,
        public: PublicStreams,
    ) -> None:
        self._exchange = exchange
        self._memory = memory
        self._prices = prices
        self._rows = rows
        self._orders = orders
        self._streams = public
        self.public: dict[str, tuple[str, Handler]] = {
            "/v5/market/time": ("GET", self._time),
            "/v5/market/instruments-info": ("GET", self._instruments),
            "/v5/market/orderbook": ("GET", self._book),
            "/v5/market/tickers": ("GET", self._tickers),
            "/v5/market/recent-trade": ("GET", self._recent_trades),
            "/v5/market/price-limit": ("GET", self._price_limit),
        }
        self.private: dict[str, tuple[str, AccountHandler]] = {
            "/v5/order/create": ("POST", lambda account, body: orders.create(account.name, body)),
            "/v5/order/amend": ("POST", lambda account, body: orders.amend(account.name, body)),
            "/v5/order/cancel": ("POST", lambda account, body: orders.cancel(account.name, body)),
            "/v5/order/cancel-all": ("POST", lambda account, body: orders.cancel_all(account.name, body)),
            "/v5/order/realtime": ("GET", self._realtime),
            "/v5/order/history": ("GET", self._history),
            "/v5/execution/list": ("GET", self._executions),
            "/v5/position/list": ("GET", self._positions),
            "/v5/position/set-leverage": ("POST", self._set_leverage),
            "/v5/account/wallet-balance": ("GET", self._wallet),
            "/v5/account/info": ("GET", self._account_info),
            "/v5/account/fee-rate": ("GET", self._fee_rate),
            "/v5/user/query-api": ("GET", self._api_key),
        }

    # --- market -------------------------------------------------------------------------------------------------------

    def _time(self, asked: Asked) -> wire.ServerTime:
        now_ns = self._exchange.clock.time_ns()
        return wire.ServerTime(str(now_ns // 10**9), str(now_ns))

    def _instruments(self, asked: Asked) -> Any:
        if not _is_linear(asked):
            return wire.Page([], "", asked["category"])
        specs = list(self._exchange.specs())
        symbol = asked.get("symbol")
        if symbol:
            specs = [self._spec(asked)]
        if asked.get("status", "Trading") != "Trading":
            specs = []
        if coin := asked.get("baseCoin"):
            specs = [spec for spec in specs if spec.instrument.base == coin]
        keyed = [(len(specs) - index, spec) for index, spec in enumerate(specs)]
        page, cursor = paged(keyed, asked, default=500, most=1000)
        return wire.Page([self._instrument(spec) for spec in page], cursor)

    def _instrument(self, spec: SymbolSpec) -> wire.InstrumentRow:
        one, rules = spec.instrument, rules_of(spec.instrument.symbol)
        step = one.quantity_step
        most = "" if one.max_quantity is None else fit(one.max_quantity, step)
        return wire.InstrumentRow(
            symbol=one.symbol,
            baseCoin=one.base,
            quoteCoin=one.quote,
            settleCoin=one.settle,
            status="Trading" if one.is_trading else "Closed",
            priceScale=str(-int(one.tick_size.normalize().as_tuple().exponent)),
            fundingInterval=(one.funding_interval_s or 8 * 3600) // 60,
            upperFundingRate=cut(rules.funding_cap),
            lowerFundingRate=cut(-rules.funding_cap),
            displayName=one.symbol,
            priceFilter=wire.PriceFilter(
                tickSize=fit(one.tick_size, one.tick_size),
                minPrice="" if one.min_price is None else fit(one.min_price, one.tick_size),
                maxPrice="" if one.max_price is None else fit(one.max_price, one.tick_size),
            ),
            lotSizeFilter=wire.LotSizeFilter(
                minOrderQty=fit(one.min_quantity, step),
                qtyStep=fit(step, step),
                maxOrderQty=most,
                maxMktOrderQty="" if one.max_market_quantity is None else fit(one.max_market_quantity, step),
                minNotionalValue="" if one.min_notional is None else cut(one.min_notional),
                postOnlyMaxOrderQty=most,
            ),
            leverageFilter=wire.LeverageFilter(maxLeverage=fit(rules.max_leverage, Decimal("0.01"))),
            riskParameters=wire.RiskParameters(cut(rules.price_limit_x), cut(rules.price_limit_y)),
        )

    def _book(self, asked: Asked) -> wire.BookReply[str]:
        spec = self._spec(asked)
        symbol = spec.instrument.symbol
        feed = self._streams.book_feed(symbol)
        feed.publish()  # brings the 1000-level stream up to now: its count is the reply's
        limit = _limit(asked, 25, 1000)
        bids, asks, _, changed_ms = self._exchange.book(symbol, limit)
        return wire.BookReply(
            s=symbol,
            b=side_text(bids, spec.instrument),
            a=side_text(asks, spec.instrument),
            u=feed.update_id,
            ts=self._exchange.now_ms(),
            seq=self._memory.seq(symbol),
            cts=changed_ms,
        )

    def _tickers(self, asked: Asked) -> Any:
        if not _is_linear(asked):
            return {"category": asked["category"], "list": []}
        specs = [self._spec(asked)] if asked.get("symbol") else self._exchange.specs()
        rows = []
        for spec in specs:
            symbol = spec.instrument.symbol
            fields = ticker(self._exchange, self._memory, self._prices, symbol)
            del fields["tickDirection"]
            rows.append({"symbol": symbol, **fields, **FUTURES_ONLY})
        return {"category": "linear", "list": rows}

    def _recent_trades(self, asked: Asked) -> Any:
        spec = self._spec(asked)
        instrument = spec.instrument
        trades = self._exchange.recent_trades(instrument.symbol, _limit(asked, 500, 1000))
        rows = [
            wire.RecentTradeRow(
                execId=id_text(TAKER_EXECUTION, trade.trade_id),
                symbol=trade.symbol,
                price=fit(trade.price, instrument.tick_size),
                size=fit(trade.quantity, instrument.quantity_step),
                side="Sell" if trade.buyer_is_maker else "Buy",
                time=str(trade.time_ms),
                seq=str(trade.trade_id),
            )
            for trade in reversed(trades)
        ]
        return {"category": "linear", "list": rows}

    def _price_limit(self, asked: Asked) -> Any:
        spec = self._spec({"category": "linear", **asked})
        symbol, tick = spec.instrument.symbol, spec.instrument.tick_size
        highest, lowest = self._prices.limits(symbol)
        now = str(self._exchange.now_ms())
        return {"symbol": symbol, "buyLmt": fit(highest, tick), "sellLmt": fit(lowest, tick), "ts": now}

    # --- orders and executions ----------------------------------------------------------------------------------------

    def _realtime(self, account: AccountSpec, asked: Asked) -> Any:
        if not _is_linear(asked):
            return wire.Page([], "", asked["category"])
        if asked.get("orderId") or asked.get("orderLinkId"):
            found = self._orders.named(account.name, asked)
            return wire.Page([self._rows.order(order) for order in found])
        if asked.get("openOnly", "0") == "1":
            closed = [order for order in self._all_orders(account.name) if order.status.is_final]
            chosen = self._orders.matching(account.name, closed[-RECENTLY_CLOSED:], asked)
        else:
            chosen = self._orders.matching(account.name, self._exchange.open_orders(account.name, None), asked)
        if asked.get("orderFilter") == "StopOrder":
            chosen = []
        return self._order_page(chosen, asked)

    def _history(self, account: AccountSpec, asked: Asked) -> Any:
        if not _is_linear(asked):
            return wire.Page([], "", asked["category"])
        status = asked.get("orderStatus")
        if status in OPEN_STATUSES:
            raise CallRefused(181017, "OrderStatus must be final status")
        if asked.get("orderId") or asked.get("orderLinkId"):
            chosen = [order for order in self._orders.named(account.name, asked) if order.status.is_final]
        else:
            start, end = self._period(asked)
            chosen = [
                order
                for order in self._all_orders(account.name)
                if order.status.is_final and start <= order.created_ms <= end
            ]
            if asked.get("symbol") or asked.get("baseCoin") or asked.get("settleCoin"):
                chosen = self._orders.matching(account.name, chosen, asked)
        # What ended without a fill is kept for a day.
        oldest = self._exchange.now_ms() - DAY_MS
        kept = [order for order in chosen if order.filled_quantity or order.updated_ms >= oldest]
        return self._order_page(
            [order for order in kept if not status or self._rows.order(order).orderStatus == status], asked
        )

    def _all_orders(self, account: str) -> list[SimOrder]:
        orders = [*self._exchange.orders(account, None), *self._orders.rejected(account)]
        return sorted(orders, key=lambda order: order.order_id)

    def _order_page(self, orders: list[SimOrder], asked: Asked) -> Any:
        newest_first = sorted(((order.order_id, order) for order in orders), key=lambda one: -one[0])
        page, cursor = paged(newest_first, asked, default=20, most=50)
        return wire.Page([self._rows.order(order) for order in page], cursor)

    def _executions(self, account: AccountSpec, asked: Asked) -> Any:
        if not _is_linear(asked):
            return wire.Page([], "", asked["category"])
        fills = self._exchange.fills(account.name, None)
        if asked.get("orderId") or asked.get("orderLinkId"):
            # With an order's id, all other filters are passed over.
            fills = [one for one in fills if _is_of(one[0], asked)]
        else:
            start, end = self._period(asked)
            fills = [one for one in fills if start <= one[1].time_ms <= end and self._is_asked(one[0], asked)]
            if asked.get("execType") not in (None, "", "Trade"):
                fills = []
        numbered = list(enumerate(fills, start=1))[::-1]
        page, cursor = paged(numbered, asked, default=50, most=100)
        return wire.Page([self._rows.execution(order, fill) for order, fill in page], cursor)

    def _is_asked(self, order: SimOrder, asked: Asked) -> bool:
        instrument = self._exchange.spec(order.symbol).instrument
        wanted = (asked.get("symbol"), asked.get("baseCoin"), asked.get("settleCoin"))
        has = (order.symbol, instrument.base, instrument.settle)
        return all(want in (None, "", own) for want, own in zip(wanted, has, strict=True))

    def _period(self, asked: Asked) -> tuple[int, int]:
        """Nothing given: the last seven days; one bound: seven days from it; both: at most seven days.

        Raises:
            CallRefused: 10001.
        """
        week = 7 * DAY_MS
        start, end = (_optional_ms(asked, name) for name in ("startTime", "endTime"))
        if start is None and end is None:
            end = self._exchange.now_ms()
        if start is None:
            assert end is not None  # one of them is set by now
            start = end - week
        if end is None:
            end = start + week
        if end < start or end - start > week:
            raise CallRefused(10001, "The time range between startTime and endTime cannot exceed 7 days.")
        return start, end

    # --- positions and account ----------------------------------------------------------------------------------------

    def _positions(self, account: AccountSpec, asked: Asked) -> Any:
        if not _is_linear(asked):
            return wire.Page([], "", asked["category"])
        name = account.name
        if asked.get("symbol"):
            positions = [self._exchange.position(name, self._spec(asked).instrument.symbol)]
        elif coin := asked.get("settleCoin"):
            positions = [
                one
                for one in self._exchange.positions(name)
                if self._exchange.spec(one.symbol).instrument.settle == coin
            ]
        else:
            raise CallRefused(10001, "Missing some parameters that must be filled in, symbol or settleCoin")
        numbered = [(len(positions) - index, one) for index, one in enumerate(positions)]
        page, cursor = paged(numbered, asked, default=20, most=200)
        return wire.Page([self._rows.position(name, one) for one in page], cursor)

    def _set_leverage(self, account: AccountSpec, body: Asked) -> Any:
        symbol = self._spec(body).instrument.symbol
        buy, sell = (_leverage(body, name) for name in ("buyLeverage", "sellLeverage"))
        if buy != sell:
            raise CallRefused(10001, "buy leverage must equal sell leverage")
        if buy > rules_of(symbol).max_leverage:
            raise CallRefused(110013, "cannot set leverage gt maxLeverage by risk limit")
        if buy == self._exchange.leverage(account.name, symbol):
            raise CallRefused(110043, "leverage not modified")
        try:
            self._exchange.set_leverage(account.name, symbol, buy)
        except Refused as refused:
            raise of_exchange(refused) from None
        return {}

    def _wallet(self, account: AccountSpec, asked: Asked) -> wire.Wallets:
        if asked.get("accountType") != "UNIFIED":
            raise CallRefused(10001, "accountType only support UNIFIED.")
        coins = frozenset(asked["coin"].split(",")) if asked.get("coin") else None
        return wire.Wallets([self._rows.wallet(account.name, coins)])

    def _account_info(self, account: AccountSpec, asked: Asked) -> wire.AccountInfoReply:
        return wire.AccountInfoReply()

    def _fee_rate(self, account: AccountSpec, asked: Asked) -> Any:
        if not _is_linear(asked):
            return {"list": []}
        specs: Sequence[SymbolSpec] = [self._spec(asked)] if asked.get("symbol") else self._exchange.specs()
        return {
            "list": [
                wire.FeeRateRow(spec.instrument.symbol, cut(spec.taker_fee), cut(spec.maker_fee)) for spec in specs
            ]
        }

    def _api_key(self, account: AccountSpec, asked: Asked) -> Any:
        return {
            "id": str(user_id(account.name)),
            "note": account.name,
            "apiKey": account.api_key,
            "readOnly": 0,
            "secret": "",
            "permissions": {"ContractTrade": ["Order", "Position"], "Derivatives": ["DerivativesTrade"]},
            "ips": ["*"],
            "type": 1,
            "deadlineDay": -2,
            "expiredAt": "1970-01-01T00:00:00Z",
            "createdAt": "2026-01-01T00:00:00Z",
            "unified": 0,
            "uta": 1,
            "userID": user_id(account.name),
            "inviterID": 0,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "affiliateID": 0,
            "rsaPublicKey": "",
            "isMaster": True,
            "parentUid": "0",
            "kycLevel": "LEVEL_1",
            "kycRegion": "",
        }

    def _spec(self, asked: Asked) -> SymbolSpec:
        if asked.get("category") != "linear":
            raise bad_param("category invalid")
        try:
            return self._exchange.spec(str(asked.get("symbol") or ""))
        except Refused as refused:
            raise of_exchange(refused) from None


# --- parameters -----------------------------------------------------------------------------------------------------


def read_query(query: str) -> Asked:
    return dict(parse_qsl(query, keep_blank_values=True))


def read_body(body: bytes) -> Asked:
    """
    Raises:
        CallRefused: Not a JSON object.
    """
    try:
        read = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise CallRefused(10001, "Request parameter error.")
    return read


def paged(keyed: list[tuple[int, T]], asked: Asked, *, default: int, most: int) -> tuple[list[T], str]:
    """One page of rows whose keys fall, and the token for the next: it names the last key, so that rows that come in
    meanwhile move nothing. The token is percent-encoded already, as the venue's are.

    Raises:
        CallRefused: A token that is none of ours.
    """
    limit = _limit(asked, default, most)
    if cursor := asked.get("cursor"):
        name, _, key = str(cursor).rstrip("&").partition("=")
        last = whole(key)
        if name != "page_token" or last is None:
            raise CallRefused(10001, "cursor error")
        keyed = [one for one in keyed if one[0] < last]
    page, rest = keyed[:limit], keyed[limit:]
    token = quote(f"page_token={page[-1][0]}&", safe="") if rest else ""
    return [row for _, row in page], token


def _limit(asked: Asked, default: int, most: int) -> int:
    limit = whole(str(asked.get("limit") or default))
    if limit is None or not 1 <= limit <= most:
        raise bad_param("limit invalid")
    return limit


def _optional_ms(asked: Asked, name: str) -> int | None:
    text = asked.get(name)
    if not text:
        return None
    time_ms = whole(str(text))
    if time_ms is None:
        raise bad_param(f"{name} invalid")
    return time_ms


def _is_linear(asked: Asked) -> bool:
    """True for linear; False for a category that exists and has nothing here.

    Raises:
        CallRefused: No such category.
    """
    category = asked.get("category")
    if category not in CATEGORIES:
        raise bad_param("category invalid")
    return bool(category == "linear")


def _is_of(order: SimOrder, asked: Asked) -> bool:
    if text := asked.get("orderId"):
        return number_of(ORDER, str(text)) == order.order_id
    return bool(order.client_order_id == asked["orderLinkId"])


def _leverage(body: Asked, name: str) -> Decimal:
    text = body.get(name)
    if isinstance(text, str) and _LEVERAGE.fullmatch(text) and Decimal(text) >= 1:
        return Decimal(text)
    raise bad_param(f"{name} invalid")

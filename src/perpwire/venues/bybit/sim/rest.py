"""The REST calls: which path is whose. Source: docs/v5, as of 2026-07-24."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from perpwire.simulator.exchange import Exchange
from perpwire.simulator.specs import AccountSpec
from perpwire.venues.bybit.sim import notices
from perpwire.venues.bybit.sim.account import AccountCalls
from perpwire.venues.bybit.sim.amendments import Amendments
from perpwire.venues.bybit.sim.answer import Answer, answer
from perpwire.venues.bybit.sim.asked import Asked
from perpwire.venues.bybit.sim.batch import batch_size, run_batch
from perpwire.venues.bybit.sim.closed_pnl import ClosedPnl
from perpwire.venues.bybit.sim.entries import Entries
from perpwire.venues.bybit.sim.gate import Gate
from perpwire.venues.bybit.sim.instruments import Instruments
from perpwire.venues.bybit.sim.key_rules import KeyRules
from perpwire.venues.bybit.sim.klines import Klines
from perpwire.venues.bybit.sim.margin_mode import MarginMode
from perpwire.venues.bybit.sim.market_data import MarketData
from perpwire.venues.bybit.sim.order_queries import OrderQueries
from perpwire.venues.bybit.sim.orders import Orders
from perpwire.venues.bybit.sim.positions import Positions
from perpwire.venues.bybit.sim.pre_check import PreCheck
from perpwire.venues.bybit.sim.prices import Prices
from perpwire.venues.bybit.sim.public import PublicStreams
from perpwire.venues.bybit.sim.quota_calls import QuotaCalls
from perpwire.venues.bybit.sim.rows import Rows
from perpwire.venues.bybit.sim.settings import Settings
from perpwire.venues.bybit.sim.statistics import MarketStatistics
from perpwire.venues.bybit.sim.status import StatusBoard
from perpwire.venues.bybit.sim.tpsl import PositionStops
from perpwire.venues.bybit.sim.trading_stop import TradingStop
from perpwire.venues.bybit.sim.transaction_log import TransactionLog

Handler = Callable[[Asked], Any]
AccountHandler = Callable[[AccountSpec, Asked], Any]


class PublicCall(NamedTuple):
    method: str
    handler: Handler
    words: str = "OK"


class AccountCall(NamedTuple):
    method: str
    handler: AccountHandler
    words: str = "OK"


class Rest:
    """Routes. A handler gives the reply's `result` or an Answer, or raises CallRefused."""

    def __init__(
        self,
        exchange: Exchange,
        prices: Prices,
        rows: Rows,
        entries: Entries,
        orders: Orders,
        amendments: Amendments,
        stops: PositionStops,
        streams: PublicStreams,
        gate: Gate,
        settings: Settings,
        board: StatusBoard,
        trades_lag_s: float,
    ) -> None:
        self._exchange = exchange
        self._gate = gate
        self._orders = orders
        self._amendments = amendments
        self._keys = KeyRules(exchange)
        instruments = Instruments(exchange)
        account_calls = AccountCalls(exchange, rows, settings, self._keys)
        self.public = {
            **_market(MarketData(exchange, prices, streams), instruments),
            **_series(Klines(exchange), MarketStatistics(exchange, prices)),
            "/v5/system/status": PublicCall("GET", board.answer, ""),
        }
        self.private = {
            **_trade(orders, amendments, PreCheck(exchange, orders, rows)),
            **_orders_read(OrderQueries(exchange, rows, entries, trades_lag_s), ClosedPnl(exchange)),
            **_position(Positions(exchange, rows), TradingStop(exchange, stops)),
            **_account(account_calls, instruments),
            **_money(account_calls, MarginMode(exchange, rows), TransactionLog(exchange)),
            **_quota(QuotaCalls(exchange, settings)),
        }
        self._batches = {
            "/v5/order/create-batch": self._create_batch,
            "/v5/order/amend-batch": self._amend_batch,
            "/v5/order/cancel-batch": self._cancel_batch,
        }

    def method_of(self, path: str) -> str | None:
        """GET or POST; None where there is no such path."""
        if path in self._batches:
            return "POST"
        found = self.public.get(path) or self.private.get(path)
        return None if found is None else found.method

    def ask(self, path: str, asked: Asked) -> Answer:
        """A public call.

        Raises:
            CallRefused: By retCode.
        """
        call = self.public[path]
        return answer(call.handler(asked), call.words)

    def call(self, account: AccountSpec, path: str, asked: Asked, headers: dict[str, str], address: str = "") -> Answer:
        """A call of an account's, over REST or over the trade socket: both draw on the same units.

        Args:
            headers: Gets what is left of the account's units.
            address: Where it comes from; "" where a key bound to addresses need not care.

        Raises:
            CallRefused: By retCode.
        """
        self._keys.check(account, self.method_of(path) or "", path, asked, address)
        if path in self._batches:
            spent = self._gate.spend(account.name, path, batch_size(asked))
            headers |= spent.headers
            return self._batches[path](account.name, asked, spent.granted)
        headers |= self._gate.spend(account.name, path).headers
        call = self.private[path]
        return answer(call.handler(account, asked), call.words)

    def _create_batch(self, account: str, asked: Asked, granted: int) -> Answer:
        return run_batch(account, asked, self._orders.create, granted=granted, created_ms=self._exchange.now_ms())

    def _amend_batch(self, account: str, asked: Asked, granted: int) -> Answer:
        return run_batch(
            account, asked, self._amendments.amend_active, granted=granted, refused="triggerPrice triggerBy"
        )

    def _cancel_batch(self, account: str, asked: Asked, granted: int) -> Answer:
        return run_batch(account, asked, self._orders.cancel, granted=granted)


def _market(market: MarketData, instruments: Instruments) -> dict[str, PublicCall]:
    get = {
        "/v5/market/time": market.time,
        "/v5/market/instruments-info": instruments.market,
        "/v5/market/risk-limit": instruments.risk_limits,
        "/v5/market/orderbook": market.book,
        "/v5/market/rpi_orderbook": market.rpi_book,
        "/v5/market/full_orderbook": market.full_book,
        "/v5/market/tickers": market.tickers,
        "/v5/market/recent-trade": market.recent_trades,
        "/v5/market/fee-group-info": notices.fee_groups,
        "/v5/announcements/index": notices.announcements,
    }
    calls = {path: PublicCall("GET", handler) for path, handler in get.items()}
    calls["/v5/market/price-limit"] = PublicCall("GET", market.price_limit, "")
    return calls


def _series(klines: Klines, figures: MarketStatistics) -> dict[str, PublicCall]:
    get = {
        "/v5/market/kline": klines.last,
        "/v5/market/mark-price-kline": klines.mark,
        "/v5/market/index-price-kline": klines.index,
        "/v5/market/premium-index-price-kline": klines.premium,
        "/v5/market/funding/history": figures.funding_history,
        "/v5/market/open-interest": figures.open_interest,
        "/v5/market/account-ratio": figures.account_ratio,
        "/v5/market/insurance": figures.insurance,
        "/v5/market/adlAlert": figures.adl_alerts,
        "/v5/market/index-price-components": figures.index_components,
    }
    return {path: PublicCall("GET", handler) for path, handler in get.items()}


def _trade(orders: Orders, amendments: Amendments, pre_check: PreCheck) -> dict[str, AccountCall]:
    def by_name(one: Callable[[str, Asked], Any]) -> AccountHandler:
        return lambda account, asked: one(account.name, asked)

    return {
        "/v5/order/create": AccountCall("POST", by_name(orders.create)),
        "/v5/order/amend": AccountCall("POST", by_name(amendments.amend)),
        "/v5/order/cancel": AccountCall("POST", by_name(orders.cancel)),
        "/v5/order/cancel-all": AccountCall("POST", by_name(orders.cancel_all)),
        "/v5/order/pre-check": AccountCall("POST", by_name(pre_check.check)),
    }


def _orders_read(queries: OrderQueries, closed_pnl: ClosedPnl) -> dict[str, AccountCall]:
    return {
        "/v5/order/realtime": AccountCall("GET", queries.realtime),
        "/v5/order/history": AccountCall("GET", queries.history),
        "/v5/execution/list": AccountCall("GET", queries.executions),
        "/v5/position/closed-pnl": AccountCall("GET", closed_pnl.listed),
    }


def _position(positions: Positions, trading_stop: TradingStop) -> dict[str, AccountCall]:
    return {
        "/v5/position/list": AccountCall("GET", positions.listed),
        "/v5/position/symbol-info": AccountCall("GET", positions.symbol_info),
        "/v5/position/set-leverage": AccountCall("POST", positions.set_leverage),
        "/v5/position/switch-mode": AccountCall("POST", positions.switch_mode),
        "/v5/position/trading-stop": AccountCall("POST", trading_stop.set),
        "/v5/position/add-margin": AccountCall("POST", positions.add_margin),
        "/v5/position/set-auto-add-margin": AccountCall("POST", positions.set_auto_add_margin),
        "/v5/position/confirm-pending-mmr": AccountCall("POST", positions.confirm_pending_mmr),
        "/v5/position/set-risk-limit": AccountCall("POST", positions.set_risk_limit),
        "/v5/position/set-tpsl-mode": AccountCall("POST", positions.set_tpsl_mode),
        "/v5/position/switch-isolated": AccountCall("POST", positions.switch_isolated),
        "/v5/position/move-positions": AccountCall("POST", positions.move),
        "/v5/position/move-history": AccountCall("GET", positions.moved),
    }


def _money(calls: AccountCalls, margin_mode: MarginMode, log: TransactionLog) -> dict[str, AccountCall]:
    return {
        "/v5/account/wallet-balance": AccountCall("GET", calls.wallet),
        "/v5/account/withdrawal": AccountCall("GET", calls.withdrawal),
        "/v5/account/info": AccountCall("GET", margin_mode.info),
        "/v5/account/set-margin-mode": AccountCall("POST", margin_mode.set, "Request accepted"),
        "/v5/account/demo-apply-money": AccountCall("POST", margin_mode.demo_money, ""),
        "/v5/account/transaction-log": AccountCall("GET", log.listed),
    }


def _account(calls: AccountCalls, instruments: Instruments) -> dict[str, AccountCall]:
    return {
        "/v5/account/fee-rate": AccountCall("GET", calls.fee_rate),
        "/v5/account/collateral-info": AccountCall("GET", calls.collateral),
        "/v5/account/user-setting-config": AccountCall("GET", calls.settings),
        "/v5/account/set-limit-px-action": AccountCall("POST", calls.set_limit_action, "success"),
        "/v5/account/set-delta-mode": AccountCall("POST", calls.set_delta_mode, "success"),
        "/v5/account/smp-group": AccountCall("GET", calls.smp_group),
        "/v5/account/instruments-info": AccountCall("GET", instruments.account),
        "/v5/account/query-dcp-info": AccountCall("GET", calls.disconnect, "success"),
        "/v5/order/disconnected-cancel-all": AccountCall("POST", calls.set_disconnect, "success"),
        "/v5/user/query-api": AccountCall("GET", calls.api_key, ""),
        "/v5/user/agreement": AccountCall("POST", calls.agree, ""),
        "/v5/asset/coin/query-info": AccountCall("GET", calls.coins, ""),
        "/v5/asset/settlement-record": AccountCall("GET", calls.settlements),
    }


def _quota(calls: QuotaCalls) -> dict[str, AccountCall]:
    return {
        "/v5/apilimit/set": AccountCall("POST", calls.set, "success"),
        "/v5/apilimit/query": AccountCall("GET", calls.query, "success"),
        "/v5/apilimit/query-all": AccountCall("GET", calls.query_all, "success"),
        "/v5/apilimit/query-cap": AccountCall("GET", calls.query_cap, "success"),
    }

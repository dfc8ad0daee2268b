"""Every REST call, put together in one table. The trading socket answers by the same handlers."""

from __future__ import annotations

from collections.abc import Mapping

from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures.sim.account import AccountCalls
from perpwire.venues.binance_futures.sim.account_limits import AccountLimitCalls
from perpwire.venues.binance_futures.sim.agg_trades import AggTrades
from perpwire.venues.binance_futures.sim.algo_orders import AlgoCalls
from perpwire.venues.binance_futures.sim.amendments import AmendmentCalls
from perpwire.venues.binance_futures.sim.batch_orders import BatchCalls
from perpwire.venues.binance_futures.sim.conversions import ConversionCalls
from perpwire.venues.binance_futures.sim.downloads import DownloadCalls
from perpwire.venues.binance_futures.sim.flags import Flags
from perpwire.venues.binance_futures.sim.funding import FundingCalls
from perpwire.venues.binance_futures.sim.gateway import Rows
from perpwire.venues.binance_futures.sim.income import IncomeCalls
from perpwire.venues.binance_futures.sim.key_calls import KeyCalls
from perpwire.venues.binance_futures.sim.klines import KlineCalls
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.margin_changes import MarginChangeCalls
from perpwire.venues.binance_futures.sim.market_data import MarketDataCalls
from perpwire.venues.binance_futures.sim.order_history import OrderHistoryCalls
from perpwire.venues.binance_futures.sim.order_trials import OrderTrials
from perpwire.venues.binance_futures.sim.orders import OrderCalls
from perpwire.venues.binance_futures.sim.positions import PositionCalls
from perpwire.venues.binance_futures.sim.references import ReferenceCalls
from perpwire.venues.binance_futures.sim.settings import SettingCalls
from perpwire.venues.binance_futures.sim.start_up import StartUpCalls
from perpwire.venues.binance_futures.sim.statistics import StatisticsCalls
from perpwire.venues.binance_futures.sim.tickers import TickerCalls
from perpwire.venues.binance_futures.sim.users import UserStreams


def rest_rows(
    exchange: Exchange,
    listing: Listing,
    agg_trades: Mapping[str, AggTrades],
    users: UserStreams,
    trades_lag_s: float = 0.0,
) -> Rows:
    orders = OrderCalls(exchange, listing)
    positions, flags = PositionCalls(exchange, listing), Flags(exchange)
    return {
        **StartUpCalls(exchange).rows(),
        **KeyCalls(exchange).rows(),
        **MarketDataCalls(exchange, listing, agg_trades).rows(),
        **TickerCalls(exchange, listing).rows(),
        **KlineCalls(exchange, listing).rows(),
        **FundingCalls(exchange, listing).rows(),
        **StatisticsCalls(exchange, listing).rows(),
        **ReferenceCalls(exchange, listing).rows(),
        **orders.rows(),
        **OrderTrials(exchange, listing, orders).rows(),
        **BatchCalls(orders, listing).rows(),
        **OrderHistoryCalls(exchange, listing, trades_lag_s).rows(),
        **AmendmentCalls(exchange, listing).rows(),
        **AlgoCalls(exchange, listing).rows(),
        **positions.rows(),
        **AccountCalls(exchange, listing, positions, flags).rows(),
        **SettingCalls(exchange, listing, flags).rows(),
        **MarginChangeCalls(exchange, listing).rows(),
        **AccountLimitCalls(exchange, listing).rows(),
        **IncomeCalls(exchange, listing, trades_lag_s).rows(),
        **ConversionCalls(exchange).rows(),
        **DownloadCalls(exchange, listing).rows(),
        **users.rows(),
    }

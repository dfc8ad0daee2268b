"""Every REST call, put together in one table. The trading socket answers by the same handlers."""

from __future__ import annotations

from collections.abc import Mapping

from perpwire.simulator.exchange import Exchange
from perpwire.venues.binance_futures.sim.account import AccountCalls
from perpwire.venues.binance_futures.sim.agg_trades import AggTrades
from perpwire.venues.binance_futures.sim.batch_orders import BatchCalls
from perpwire.venues.binance_futures.sim.gateway import Rows
from perpwire.venues.binance_futures.sim.listing import Listing
from perpwire.venues.binance_futures.sim.market import MarketCalls
from perpwire.venues.binance_futures.sim.order_history import OrderHistoryCalls
from perpwire.venues.binance_futures.sim.orders import OrderCalls
from perpwire.venues.binance_futures.sim.start_up import StartUpCalls
from perpwire.venues.binance_futures.sim.users import UserStreams


def rest_rows(exchange: Exchange, listing: Listing, agg_trades: Mapping[str, AggTrades], users: UserStreams) -> Rows:
    orders = OrderCalls(exchange, listing)
    return {
        **StartUpCalls(exchange).rows(),
        **MarketCalls(exchange, listing, agg_trades).rows(),
        **orders.rows(),
        **BatchCalls(orders, listing).rows(),
        **OrderHistoryCalls(exchange, listing).rows(),
        **AccountCalls(exchange, listing, users.leverage_changed).rows(),
        **users.rows(),
    }

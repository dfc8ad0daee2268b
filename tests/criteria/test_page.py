"""Criterion PAGE: lists come whole, each row once, also while rows are added; and never in part."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.errors import APIError, BadInput
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.model.order import OrderType, Side, TimeInForce
from perpwire.simulator.exchange import AccountSpec, Exchange
from perpwire.simulator.intents import OrderIntent
from perpwire.simulator.listing import Listing
from perpwire.simulator.matching import Resting
from perpwire.testing import World, offline
from perpwire.transport.base import TransportFailed

VENUES = ["binance", "bybit"]
ROWS = 1237
CASH = Decimal(10_000_000)
ACCOUNTS = (
    AccountSpec(cash=CASH),
    AccountSpec(name="other", api_key="other-key", secret_key="other-secret", cash=CASH),
)
MAIN, OTHER = (one.name for one in ACCOUNTS)

NAMES = [f"C{number:03d}USDT" for number in range(240)]


def symbols_of(venue: str) -> tuple[Listing, ...]:
    """More contracts than any page has rows."""
    return tuple(Listing(symbol=name, start_price=Decimal(100), venues=(venue,)) for name in NAMES)


LISTS: dict[str, dict[str, tuple[str, ...]]] = {
    "open_orders": {"binance": ("/fapi/v1/openOrders",), "bybit": ("/v5/order/realtime",)},
    "history": {"binance": ("/fapi/v1/allOrders",), "bybit": ("/v5/order/history", "/v5/order/realtime")},
    "fills": {"binance": ("/fapi/v1/userTrades",), "bybit": ("/v5/execution/list",)},
    "positions": {"binance": ("/fapi/v3/positionRisk",), "bybit": ("/v5/position/list",)},
}


class Scene:
    """One venue, and what happens each time after a page was answered."""

    def __init__(self, world: World, venue: str) -> None:
        self.world = world
        self.venue = venue
        self.clock = world.clock
        self.exchange: Exchange = world.simulation.exchanges[venue]
        self.connector: VenueConnector = world.connectors[venue]
        self.pages = 0
        self._made = 0
        self._listed: tuple[str, ...] = ()
        self._after: Callable[[], None] | None = None
        self._fails_from: int | None = None
        self._exchange_http = world.network.exchange
        world.network.exchange = self._answer  # type: ignore[method-assign]

    def watch(self, what: str, after: Callable[[], None] | None = None, *, fails_from: int | None = None) -> None:
        """From now on count the pages of a list, call `after` after each, and cut the line at this one and later."""
        self.pages, self._listed = 0, LISTS[what][self.venue]
        self._after, self._fails_from = after, fails_from

    async def _answer(self, base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
        if request.method != "GET" or request.target.partition("?")[0] not in self._listed:
            return await self._exchange_http(base_url, request, timeout_s)
        self.pages += 1
        if self._fails_from is not None and self.pages >= self._fails_from:
            raise TransportFailed("the line was cut", may_have_been_sent=True)
        reply = await self._exchange_http(base_url, request, timeout_s)
        if self._after is not None:
            self._after()
        return reply

    def place(
        self, side: Side, price: str | None, quantity: str = "0.002", *, account: str = MAIN, symbol: str = "BTCUSDT"
    ) -> str:
        """Straight into the exchange; gives the order's client id."""
        self._made += 1
        name = f"page-{self._made}"
        self.exchange.place(
            account,
            OrderIntent(
                symbol=symbol,
                side=side,
                type=OrderType.MARKET if price is None else OrderType.LIMIT,
                time_in_force=TimeInForce.IOC if price is None else TimeInForce.GTC,
                quantity=Decimal(quantity),
                price=None if price is None else Decimal(price),
                client_order_id=name,
            ),
        )
        return name

    async def rest_many(self) -> list[str]:
        names = []
        for number in range(ROWS):
            names.append(self.place(Side.BUY, f"{50000 + number}"))
            if number % 50 == 0:
                await self.clock.sleep(0.01)
        await self.clock.sleep(2.0)
        return names

    async def trade_many(self, rows: int = ROWS) -> None:
        """One order of the account is filled in so many parts."""
        market = self.exchange._markets["BTCUSDT"]
        with market.step:
            for _ in range(rows):
                market.book.add(Resting(Side.SELL, Decimal(64000), Decimal("0.002")))
        self.place(Side.BUY, "64000", str(Decimal("0.002") * rows))
        await self.clock.sleep(2.0)

    def open_position(self, symbol: str) -> None:
        self.place(Side.SELL, "100", "1", account=OTHER, symbol=symbol)
        self.place(Side.BUY, "100", "1", symbol=symbol)

    def trade_once(self) -> None:
        self.place(Side.SELL, "64000", account=OTHER)
        self.place(Side.BUY, "64000")


def play(venue: str, scenario: Callable[[Scene], Awaitable[None]], symbols: tuple[Listing, ...] = ()) -> None:
    clock = ManualClock()

    async def run() -> None:
        async with offline(clock=clock, venues=[venue], rate=0, accounts=ACCOUNTS, symbols=symbols) as world:
            await world.connectors[venue].get_instruments()
            await scenario(Scene(world, venue))

    clock.run(run())


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_page_1_all_orders_open_and_past_come_each_once_while_orders_are_added(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        names = set(await scene.rest_many())

        def add() -> None:
            scene.place(Side.BUY, "51000.5")

        scene.watch("open_orders", add)
        still_open = [order.client_order_id for order in await scene.connector.get_open_orders()]
        scene.watch("history", add)
        past = [order.client_order_id for order in await scene.connector.get_order_history("BTCUSDT").all()]
        assert scene.pages > 1
        for told in (still_open, past):
            assert len(told) == len(set(told))
            assert names <= set(told)

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_page_1_all_executions_come_each_once_while_there_is_trade(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.trade_many()
        fills = await scene.connector.get_fills("BTCUSDT").first(100)
        assert (len(fills), fills.truncated) == (100, True)
        fills = await scene.connector.get_fills("BTCUSDT").first(ROWS)
        assert (len(fills), fills.truncated) == (ROWS, False)
        scene.watch("fills", scene.trade_once)
        fills = await scene.connector.get_fills("BTCUSDT").all()
        assert scene.pages > 1
        ids = [fill.trade_id for fill in fills]
        assert len(ids) == len(set(ids))
        assert len([fill for fill in fills if fill.order_id == fills[0].order_id]) == ROWS

        # And where a page can't be had, nothing is given.
        scene.watch("fills", fails_from=2)
        for ask in (scene.connector.get_fills("BTCUSDT").all, lambda: scene.connector.get_fills("BTCUSDT").first(ROWS)):
            with pytest.raises(APIError):
                await ask()
        assert scene.pages > 2

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_page_1_all_bookings_come_each_once_also_those_at_the_time_where_a_page_ends(venue: str) -> None:
    """Hundreds bear the same millisecond, and a page ends among them."""

    async def scenario(scene: Scene) -> None:
        for _ in range(4):
            await scene.trade_many(700)
        for kind in ("COMMISSION", None):
            rows = await scene.connector.get_income("BTCUSDT", kind=kind).all()
            booked = [row.trade_id for row in rows if row.kind == "COMMISSION"]
            assert len(booked) == len(set(booked)) == 4 * 700
            assert list(rows) == sorted(rows, key=lambda row: row.time_ms)

    play(venue, scenario)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_page_1_all_positions_come_each_once_while_positions_are_opened(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        later = iter(NAMES[220:])
        for name in NAMES[:220]:
            scene.open_position(name)
        await scene.clock.sleep(2.0)
        scene.watch("positions", lambda: scene.open_position(next(later)))
        told = [position.symbol for position in await scene.connector.get_positions()]
        assert len(told) == len(set(told))
        assert set(NAMES[:220]) <= set(told)

    play(venue, scenario, symbols_of(venue))


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_page_2_a_list_of_which_a_page_fails_fails_as_a_whole(venue: str) -> None:
    async def scenario(scene: Scene) -> None:
        for name in NAMES[:220]:
            scene.open_position(name)
        await scene.clock.sleep(2.0)
        scene.watch("positions", fails_from=2 if venue == "bybit" else 1)
        with pytest.raises(APIError):
            await scene.connector.get_positions()
        assert scene.pages > 1

    play(venue, scenario, symbols_of(venue))


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_page_1_what_is_wanted_from_the_beginning_of_time_is_asked_for_as_far_back_as_it_is_kept(venue: str) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock, venues=(venue,)) as world:
            connector = world.connectors[venue]
            journal = world.simulation.hosts[venue].journal
            await connector.place_order("BTCUSDT", "BUY", "0.01")
            await clock.sleep(5.0)
            for wanted in (connector.get_fills, connector.get_order_history, connector.get_income):
                before = len(journal.entries(kind="request"))
                rows = await wanted("BTCUSDT", start_ms=0).all()
                assert len(rows) == 1
                assert len(journal.entries(kind="request")) - before < 120
                # What ended before that is said to be too old, whether the venue would refuse it or give an empty list.
                too_old = wanted("BTCUSDT", start_ms=0, end_ms=1_500_000_000_000)
                with pytest.raises(BadInput) as caught:
                    await too_old.all()
                assert caught.value.code == "TOO_OLD"

    clock.run(main())

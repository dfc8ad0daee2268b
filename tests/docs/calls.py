"""The tables of docs/calls.md: each unified call is made against the embedded exchange, and what it asks is noted.

`python -m tests.docs.calls` writes the page anew; tests/docs/test_calls.py fails while it is out of date.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from perpwire import NewOrder, NotOffered, Order, UnknownOrder
from perpwire.api_connector.history import History
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import ManualClock
from perpwire.testing import offline
from perpwire.venues import VENUES, load
from perpwire.venues.base import Endpoint, Lane, Limit, Params, Venue

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "calls.md"
BEGIN, END = "<!-- calls: written by tests/docs/calls.py -->", "<!-- end of calls -->"

TITLES = {"binance": "Binance", "bybit": "Bybit"}

B, E, S = "BTCUSDT", "ETHUSDT", "SOLUSDT"
LOW, HIGH = "60000", "70000"
"""Prices of BTCUSDT well below and above the market of the embedded exchange."""

HOUR_MS = 3_600_000


class Held(NamedTuple):
    """What there is before a call.

    Attributes:
        order: A resting order.
        stop: A conditional order that waits.
        now_ms: The venue's time.
    """

    order: Order
    stop: Order
    now_ms: int


Step = Callable[[VenueConnector, Held], Any]


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        group: The file of the connector's methods that it stands in, such as "market".
        method: Of the connector.
        note: Which of its ways this is.
        step: Gives what is to be awaited, or the list that is to be walked.
    """

    group: str
    method: str
    note: str
    step: Step


def _row(group: str, method: str, *arguments: Any, note: str = "", **options: Any) -> Row:
    return Row(group, method, note, lambda c, held: getattr(c, method)(*arguments, **options))


def _is_binance(c: VenueConnector) -> bool:
    return c.venue.name == "binance"


def _margin_mode(c: VenueConnector, held: Held) -> Any:
    return c.set_margin_mode("ISOLATED", S if _is_binance(c) else None)


async def _add_margin(c: VenueConnector, held: Held) -> None:
    await c.adjust_margin(S, "5")


def _dead_man(c: VenueConnector, held: Held) -> Any:
    return c.arm_dead_man(60, [B] if _is_binance(c) else [])


async def _of_another(c: VenueConnector, held: Held) -> None:
    with suppress(UnknownOrder):
        await c.get_order(B, client_order_id="of-another")


NEW = NewOrder(symbol=B, side="BUY", quantity="0.01", order_type="LIMIT", price=LOW)

ROWS: Sequence[Row] = (
    _row("market", "get_server_time"),
    _row("market", "get_venue_status"),
    _row("market", "get_instruments", refresh=True),
    _row("market", "get_order_book", B),
    _row("market", "get_recent_trades", B),
    Row("market", "get_trades", "", lambda c, held: c.get_trades(B, held.now_ms - HOUR_MS)),
    _row("market", "get_klines", B, "1h"),
    _row("market", "get_klines", B, "1h", note="price_kind MARK", price_kind="MARK"),
    _row("market", "get_klines", B, "1h", note="price_kind INDEX", price_kind="INDEX"),
    _row("market", "get_klines", B, "1h", note="price_kind PREMIUM", price_kind="PREMIUM"),
    _row("market", "get_ticker", B),
    _row("market", "get_tickers"),
    _row("market", "get_book_tickers"),
    _row("market", "get_mark_price", B),
    _row("market", "get_mark_prices"),
    _row("market", "get_open_interest", B),
    Row(
        "market",
        "get_open_interest_history",
        "",
        lambda c, held: c.get_open_interest_history(B, "5m", held.now_ms - HOUR_MS),
    ),
    _row("market", "get_funding_rates", B),
    _row("account", "get_account_info"),
    _row("account", "get_positions"),
    _row("account", "get_key_info"),
    _row("account", "get_symbol_settings", B),
    _row("account", "set_leverage", S, 7),
    Row("account", "set_margin_mode", "", _margin_mode),
    _row("account", "get_position_mode", B),
    _row("account", "set_position_mode", "ONE_WAY", E),
    Row("account", "adjust_margin", "", _add_margin),
    _row("account", "get_fee_rates", B),
    _row("account", "get_brackets", B),
    _row("account", "get_income"),
    _row("account", "get_funding_payments"),
    _row("order", "place_order", B, "BUY", "0.01"),
    _row("order", "place_order", B, "BUY", "0.01", "STOP_MARKET", note="conditional", trigger_price=HIGH),
    _row("order", "place_order", B, "SELL", "0.01", "TRAILING_STOP_MARKET", note="trailing stop", callback_rate="1"),
    Row("order", "amend_order", "", lambda c, held: c.amend_order(B, held.order.order_id, price="60100")),
    Row("order", "amend_order", "conditional", lambda c, held: c.amend_order(B, held.stop.order_id, quantity="0.02")),
    Row("order", "cancel_order", "", lambda c, held: c.cancel_order(B, held.order.order_id)),
    Row("order", "cancel_order", "conditional", lambda c, held: c.cancel_order(B, held.stop.order_id)),
    Row("order", "get_order", "", lambda c, held: c.get_order(B, held.order.order_id)),
    Row("order", "get_order", "conditional", lambda c, held: c.get_order(B, held.stop.order_id)),
    Row("order", "get_order", "by the client order id of an unknown one", _of_another),
    _row("order", "get_open_orders", B, note="of a symbol"),
    _row("order", "get_open_orders", note="of all"),
    _row("order", "cancel_all", B, note="of a symbol"),
    _row("order", "cancel_all", note="of all"),
    _row("order", "get_order_history", B),
    _row("order", "get_fills", B),
    _row("batch", "place_orders", [NEW, NEW]),
    Row("batch", "cancel_orders", "", lambda c, held: c.cancel_orders([held.order])),
    Row("batch", "replace_order", "", lambda c, held: c.replace_order(B, held.order.order_id, new=NEW)),
    _row("position", "close_position", E),
    _row("position", "set_position_stops", B, stop_loss=LOW, take_profit=HIGH),
    _row("safety", "kill"),
    Row("safety", "arm_dead_man", "", _dead_man),
    _row("safety", "disarm_dead_man"),
    _row("stream", "open_book", B),
    _row("stream", "open_books", [B]),
    _row("stream", "watch_book", B),
    _row("stream", "open_account_stream"),
)

ASKS_NOTHING = frozenset(
    {
        "close_book",
        "ask_over_account_stream",
        "call",  # whatever the caller says
        "check_order",  # what the guards must know
        "get_instrument",  # see get_instruments
        "lag_ms",
        "on",
        "on_incident",
        "tell",
        "resume",
        "start",
        "close",
        "subscribe",
        "watch",
        "unsubscribe",
        "watch_trades",
        "watch_agg_trades",
        "watch_depth",
        "watch_book_ticker",
        "watch_klines",
        "watch_candles",
        "watch_continuous_klines",
        "watch_mark_prices",
        "watch_tickers",
        "watch_mini_tickers",
        "watch_open_interest",
        "watch_liquidations",
        "watch_orders",
        "watch_fills",
        "watch_fast_fills",
        "watch_positions",
        "watch_balances",
        "watch_account",
    }
)
"""Public methods that have no row: they ask nothing of REST, or nothing that is always the same."""


class Asked(NamedTuple):
    endpoint: Endpoint
    params: Params


class Told(NamedTuple):
    """What a venue was asked for a row; `lacks`: why it was not."""

    asked: tuple[Asked, ...]
    lacks: str = ""


_noting: ContextVar[list[Asked] | None] = ContextVar("noting", default=None)


def _noted(venue: Venue) -> Venue:
    """The venue, which notes what is encoded on behalf of a call."""
    noted, encode = copy.copy(venue), venue.encode

    def note(endpoint: Endpoint, params: Params, *rest: Any) -> Any:
        asked = _noting.get()
        if asked is not None and all(one.endpoint.http != endpoint.http for one in asked):
            asked.append(Asked(endpoint, dict(params)))
        return encode(endpoint, params, *rest)

    noted.encode = note  # type: ignore[method-assign, assignment]
    return noted


def told(name: str) -> list[Told]:
    """What one venue is asked for each row, in virtual time."""
    clock = ManualClock()
    return clock.run(_told(clock, name))


async def _told(clock: ManualClock, name: str) -> list[Told]:
    done = []
    async with offline(clock=clock, venues=[name], rate=1.0) as world:
        for row in ROWS:
            connector = VenueConnector(
                _noted(load(name)), "sim-key", "sim-secret", url=world.simulation.urls[name],
                clock=clock, rng=random.Random(f"{row.method} {row.note}"), http=world.network, sockets=world.network,
            )  # fmt: skip
            async with connector:
                held = await _before(connector, clock, row)
                done.append(await _one(connector, clock, row, held))
                connector.resume()
                await connector.cancel_all()
                await clock.sleep(5)
    return done


async def _before(c: VenueConnector, clock: ManualClock, row: Row) -> Held:
    await c.get_instruments()
    for symbol in (B, E) if row.group == "position" else ():
        if not [one for one in await c.get_positions(symbol) if one.quantity]:
            await c.place_order(symbol, "BUY", "0.1")
    if row.method == "adjust_margin":
        await c.place_order(S, "BUY", "10")
    if row.method == "disarm_dead_man":
        await _dead_man(c, None)  # type: ignore[arg-type]
    order = await c.place_order(B, "BUY", "0.01", "LIMIT", price=LOW)
    stop = await c.place_order(B, "BUY", "0.01", "STOP_MARKET", trigger_price=HIGH)
    await clock.sleep(20)
    return Held(order, stop, await c.get_server_time())


async def _one(c: VenueConnector, clock: ManualClock, row: Row, held: Held) -> Told:
    asked: list[Asked] = []
    token = _noting.set(asked)
    try:
        result = row.step(c, held)
        if isinstance(result, History):
            await result.first(1)
        else:
            await result
        if row.group in ("stream", "safety"):
            await clock.sleep(5)  # what a stream reads when it is there
    except NotOffered as error:
        return Told((), error.reason)
    finally:
        _noting.reset(token)
    assert asked or row.group == "stream", f"{row.method} asks {c.venue.name} for nothing"
    return Told(tuple(asked))


# --- the page ---------------------------------------------------------------------------------------------------------

Everything = Mapping[str, list[Told]]
"""Venue -> what it is asked for each row."""


def everything() -> Everything:
    return {name: told(name) for name in VENUES}


def page_of(endpoint: Endpoint) -> str:
    """The page of the venue's documentation, as docstrings name it."""
    page = endpoint.source.split(",", 1)[0]
    return re.sub(r"^usds-margined-futures/[a-z-]+/rest-api/|^docs/v5/", "", page)


def pages(method: str, found: Everything) -> dict[str, list[str]]:
    """Venue -> the pages of what a method asks there: of what it changes, or else of all that it reads. The time is
    asked on behalf of many."""
    named = {}
    for name, tolds in found.items():
        asked = [
            one.endpoint for row, told in zip(ROWS, tolds, strict=True) if row.method == method for one in told.asked
        ]
        asked = [one for one in asked if one.method != "GET"] or asked
        beside_the_time = [one for one in asked if one.name != "server_time"]
        named[TITLES[name]] = list(dict.fromkeys(map(page_of, beside_the_time or asked)))
    return named


def part(found: Everything) -> str:
    """What stands between BEGIN and END."""
    lines = ["| call | lane | " + " | ".join(TITLES[name] for name in found) + " |", "|---" * (len(found) + 2) + "|"]
    for n, row in enumerate(ROWS):
        tolds = [tolds[n] for tolds in found.values()]
        call = f"`{row.method}`" + (f", {row.note}" if row.note else "")
        lines.append(" | ".join(["| " + call, _lanes(tolds), *map(_cell, tolds)]) + " |")
    for name, tolds in found.items():
        lines += ["", f"### {TITLES[name]}", "", *_costs_table(load(name), tolds)]
    return "\n".join(lines)


def _lanes(tolds: Sequence[Told]) -> str:
    """Of what changes something, or else of everything."""
    asked = [asked for one in tolds for asked in one.asked]
    counted = [one for one in asked if one.endpoint.writes] or asked
    beside_the_time = [one for one in counted if one.endpoint.name != "server_time"]
    return ", ".join(sorted({_lane(one) for one in beside_the_time or counted}))


def _lane(asked: Asked) -> str:
    if callable(asked.endpoint.lane):
        return f"{Lane.ORDER.name.lower()} ({Lane.REDUCE.name.lower()} where it only reduces)"
    return asked.endpoint.lane_of(asked.params).name.lower()


def _cell(one: Told) -> str:
    if one.lacks:
        return f"**not offered:** {one.lacks}"
    return "<br>".join(map(_sent, (asked.endpoint for asked in one.asked))) or "the stream alone"


def _sent(endpoint: Endpoint) -> str:
    return f"`{endpoint.http}`" + (f" or `{endpoint.socket_op}`" if endpoint.socket_op else "")


def _costs_table(venue: Venue, tolds: Sequence[Told]) -> list[str]:
    asked = [asked for one in tolds for asked in one.asked]
    costs: dict[str, list[str]] = {}
    pages: dict[str, str] = {}
    for one in asked:
        text = ", ".join(f"`{name}` {cost}" for name, cost in one.endpoint.costs_of(one.params).items() if cost) or "-"
        known = costs.setdefault(one.endpoint.http, [])
        if text not in known:
            known.append(text)
        pages[one.endpoint.http] = page_of(one.endpoint)
    used = {name for one in asked for name in one.endpoint.costs_of(one.params)}
    lines = ["| request | costs | page |", "|---|---|---|"]
    lines += [f"| `{http}` | {'; '.join(costs[http])} | {pages[http]} |" for http in sorted(costs, key=_by_path)]
    lines += ["", "| limit | size | of |", "|---|---|---|"]
    lines += [
        f"| `{limit.name}` | {limit.limit} in {limit.period_s:g} s | {_scope(limit)} |"
        for limit in venue.limits
        if limit.name in used
    ]
    return lines


def _by_path(http: str) -> tuple[str, str]:
    method, path = http.split(" ")
    return path, method


def _scope(limit: Limit) -> str:
    return "the address" if limit.scope == "ip" else "the account"


def written(page: str, part: str) -> str:
    """The page with this part."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{part}\n\n{END}{after}"


def main() -> None:
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), part(everything())), encoding="utf-8")


if __name__ == "__main__":
    main()

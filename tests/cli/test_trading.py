"""Trading by hand: orders placed, changed, cancelled and closed by the command line stand so at the exchange."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from perpwire.api_connector.guards import CAUTIOUS, Guards
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli import asking
from perpwire.cli.asking import Hand, guard_words
from perpwire.cli.connecting import SIM_KEY, Plan, Target, plan
from perpwire.cli.main import app
from perpwire.simulator.faults import LoseAnswer
from perpwire.threaded import ThreadedExchange
from perpwire.venues import load

pytestmark = pytest.mark.slow

by_venue = pytest.mark.parametrize("venue", ["binance", "bybit"])


@pytest.fixture(scope="module")
def exchange() -> Iterator[ThreadedExchange]:
    with ThreadedExchange(latency_s=0.001, rate=10.0) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_left(exchange: ThreadedExchange, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Each test begins flat; and no configuration of this machine's is found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    yield
    exchange.faults.clear()
    for venue in exchange.venues:
        if exchange[venue].exchange.open_orders("main", None):
            assert run(exchange, venue, "order", "cancel", "--all", "--yes").code == 0
        if any(position.quantity for position in exchange[venue].exchange.positions("main")):
            assert run(exchange, venue, "close", "--all", "--yes").code == 0


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def object(self) -> dict[str, Any]:
        (one,) = self.objects
        return one


def run(exchange: ThreadedExchange, venue: str | None, *words: str) -> Done:
    where = [f"--url={name}={url}" for name, url in exchange.urls.items() if venue in (None, name)]
    if venue is not None:
        where.append(f"--venue={venue}")
    done = CliRunner().invoke(app, [*words, *where], catch_exceptions=False)
    assert "Traceback" not in done.output
    return Done(done.exit_code, done.stdout, done.stderr)


@by_venue
def test_a_limit_order_is_placed_shown_amended_and_cancelled(exchange: ThreadedExchange, venue: str) -> None:
    placed = run(exchange, venue, "order", "place", "BTC/USDT:USDT", "Buy", "0.01", "--price", "60000", "--json")
    assert placed.code == 0, placed.err
    order = placed.object
    assert (order["type"], order["status"], Decimal(order["price"]), order["env"]) == (
        "LIMIT",
        "NEW",
        Decimal(60000),
        "sim",
    )
    (resting,) = exchange[venue].exchange.open_orders("main", None)
    assert (str(resting.client_order_id), resting.quantity) == (order["client_order_id"], Decimal("0.01"))

    shown = run(exchange, venue, "order", "show", "BTCUSDT", "--client-order-id", order["client_order_id"], "--json")
    assert shown.object["order_id"] == order["order_id"]
    assert "60000" in run(exchange, venue, "orders").out

    amended = run(exchange, venue, "order", "amend", "BTCUSDT", order["order_id"], "--price=60001", "--json")
    assert Decimal(amended.object["price"]) == 60001
    (resting,) = exchange[venue].exchange.open_orders("main", None)
    assert resting.price == 60001

    cancelled = run(exchange, venue, "order", "cancel", "BTCUSDT", order["order_id"], "--json")
    assert (cancelled.code, cancelled.object["status"]) == (0, "CANCELED")
    assert exchange[venue].exchange.open_orders("main", None) == []
    assert run(exchange, venue, "orders").out == f"no open orders ({venue} sim)\n"


@by_venue
def test_a_market_order_is_told_as_it_was_filled_and_its_position_is_closed(
    exchange: ThreadedExchange, venue: str
) -> None:
    order = run(exchange, venue, "order", "place", "BTCUSDT", "sell", "0.01", "--json").object
    assert (order["type"], order["status"], Decimal(order["filled_quantity"])) == ("MARKET", "FILLED", Decimal("0.01"))
    position = run(exchange, venue, "positions", "--json").object
    assert (position["symbol"], Decimal(position["quantity"])) == ("BTCUSDT", Decimal("-0.01"))
    assert Decimal(order["average_price"]) == Decimal(position["entry_price"])
    assert Decimal(position["notional"]) == Decimal("0.01") * Decimal(position["mark_price"])
    closed = run(exchange, venue, "close", "BTCUSDT", "--json").object
    assert (closed["side"], closed["reduce_only"], closed["status"]) == ("BUY", True, "FILLED")
    assert Decimal(closed["average_price"]) > 0
    assert exchange[venue].exchange.position("main", "BTCUSDT").quantity == 0


@by_venue
def test_a_limit_order_that_is_filled_at_once_tells_its_average_price(exchange: ThreadedExchange, venue: str) -> None:
    order = run(exchange, venue, "order", "place", "BTCUSDT", "buy", "0.01", "--price", "66000", "--json").object
    assert 0 < Decimal(order["average_price"]) <= 66000


def test_all_positions_of_both_venues_are_closed_and_their_orders_cancelled(exchange: ThreadedExchange) -> None:
    for venue in exchange.venues:
        for symbol, quantity in (("BTCUSDT", "0.01"), ("ETHUSDT", "0.1")):
            assert run(exchange, venue, "order", "place", symbol, "buy", quantity).code == 0
        assert run(exchange, venue, "order", "place", "BTCUSDT", "buy", "0.01", "--price", "60000").code == 0
    done = run(exchange, None, "close", "--all", "--cancel-orders", "--json")
    assert done.code == 0, done.err
    assert sorted((one["venue"], one["symbol"]) for one in done.objects) == [
        (venue, symbol) for venue in ("binance", "bybit") for symbol in ("BTCUSDT", "ETHUSDT")
    ]
    for venue in exchange.venues:
        assert exchange[venue].exchange.open_orders("main", None) == []
    assert run(exchange, None, "positions").out == "no open positions (binance sim, bybit sim)\n"
    assert run(exchange, None, "close", "--all").out == "no open positions (binance sim, bybit sim)\n"


@pytest.mark.parametrize(
    ("words", "of_one"),
    [
        (("positions",), "no open positions (bybit sim)\n"),
        (("orders",), "no open orders (bybit sim)\n"),
        (("close", "--all"), "no open positions (bybit sim)\n"),
        (("close", "--all", "--dry-run"), "no open positions (bybit sim)\n"),
    ],
)
def test_of_a_venue_that_does_not_answer_nobody_is_told_that_there_is_nothing(
    exchange: ThreadedExchange, words: tuple[str, ...], of_one: str
) -> None:
    away = "--url=binance=http://127.0.0.1:9"
    alone = CliRunner().invoke(app, [*words, "--venue=binance", away], catch_exceptions=False)
    assert (alone.exit_code, alone.stdout) == (1, "")
    both = CliRunner().invoke(app, [*words, away, f"--url=bybit={exchange.urls['bybit']}"], catch_exceptions=False)
    assert (both.exit_code, both.stdout) == (1, of_one)
    for done in (alone, both):
        assert "binance server_time: NotSent" in done.stderr


async def set_mode(exchange: ThreadedExchange, venue: str, mode: str) -> None:
    async with VenueConnector(load(venue), credentials=SIM_KEY, url=exchange.urls[venue]) as connector:
        await connector.set_position_mode(mode)


@by_venue
def test_of_an_account_in_hedge_mode_the_side_that_is_named_is_closed(exchange: ThreadedExchange, venue: str) -> None:
    symbol = "SOLUSDT"
    asyncio.run(set_mode(exchange, venue, "HEDGE"))
    try:
        for side, of in (("buy", "long"), ("sell", "short")):
            done = run(exchange, venue, "order", "place", symbol, side, "1", "--position-side", of)
            assert done.code == 0, done.err
        told = run(exchange, venue, "order", "place", symbol, "sell", "1", "--dry-run", "--json").object
        assert told["order"]["position_side"] == "SHORT"  # the account's mode was asked for
        closed = run(exchange, venue, "close", symbol, "--position-side", "long", "--json").object
        assert (closed["position_side"], closed["side"]) == ("LONG", "SELL")
        (left,) = run(exchange, venue, "positions", symbol, "--json").objects
        assert (left["position_side"], Decimal(left["quantity"])) == ("SHORT", Decimal(-1))
        assert run(exchange, venue, "close", "--all").code == 0
    finally:
        asyncio.run(set_mode(exchange, venue, "ONE_WAY"))


@by_venue
def test_a_conditional_order_keeps_one_id_from_its_placing_to_its_end(exchange: ThreadedExchange, venue: str) -> None:
    run(exchange, venue, "order", "place", "BTCUSDT", "buy", "0.01")
    words = ("--type", "stop_market", "--trigger-price", "60000", "--trigger-by", "mark", "--reduce-only")
    order = run(exchange, venue, "order", "place", "BTCUSDT", "sell", "0.01", *words, "--json").object
    assert (order["status"], Decimal(order["trigger_price"]), order["trigger_by"]) == (
        "UNTRIGGERED",
        Decimal(60000),
        "MARK",
    )
    (listed,) = run(exchange, venue, "orders", "--json").objects
    assert listed["order_id"] == order["order_id"]
    (cancelled,) = run(exchange, venue, "order", "cancel", "--all", "--json").objects
    assert cancelled["order_id"] == order["order_id"]


@by_venue
def test_the_past_is_listed_as_far_back_as_is_asked_for(exchange: ThreadedExchange, venue: str) -> None:
    order = run(exchange, venue, "order", "place", "ETHUSDT", "buy", "0.1", "--json").object
    listed = run(exchange, venue, "orders", "ETHUSDT", "--history")
    assert (listed.code, listed.err, order["order_id"] in listed.out) == (0, "", True)
    past = run(exchange, venue, "orders", "ETHUSDT", "--history", "--since", "10m", "--json").objects
    assert order["order_id"] in [one["order_id"] for one in past]
    assert all(one["symbol"] == "ETHUSDT" for one in past)
    wrong = run(exchange, venue, "orders", "--history", "--since", "a while")
    assert wrong.code == 2


# --- looking first ----------------------------------------------------------------------------------------------------


@by_venue
def test_a_dry_run_shows_the_exact_call_and_sends_nothing(exchange: ThreadedExchange, venue: str) -> None:
    before = len(exchange[venue].exchange.orders("main", None))
    words = ("order", "place", "BTCUSDT", "buy", "0.0100", "--price", "60000.0", "--tif", "post_only", "--dry-run")
    told = run(exchange, venue, *words, "--json").object
    assert told["call"] == {"binance": "POST /fapi/v1/order", "bybit": "POST /v5/order/create"}[venue]
    names = {"binance": ("quantity", "timeInForce", "GTX"), "bybit": ("qty", "timeInForce", "PostOnly")}[venue]
    assert told["params"][names[1]] == names[2]
    assert Decimal(told["params"][names[0]]) == Decimal("0.01")
    assert "E" not in told["params"][names[0]]
    assert (Decimal(told["notional"]), told["dry_run"], told["env"]) == (Decimal(600), True, "sim")
    assert told["guards"]["max_order_notional"] == "100000"
    assert "signature" not in json.dumps(told).lower().replace("signed", "")
    text = run(exchange, venue, *words)
    for part in (venue, "SIM", "BUY 0.0100 BTCUSDT LIMIT at 60000.0 POST_ONLY", "600", "equity", "nothing was sent"):
        assert part in text.out, text
    assert len(exchange[venue].exchange.orders("main", None)) == before
    requests = [one.text for one in exchange[venue].journal.entries(kind="request")]
    assert not any("order/create" in one or "POST /fapi/v1/order" in one for one in requests[-20:] if "60000.0" in one)


@by_venue
def test_a_dry_run_of_a_change_a_cancel_and_a_close_changes_nothing(exchange: ThreadedExchange, venue: str) -> None:
    run(exchange, venue, "order", "place", "ETHUSDT", "buy", "0.1")
    order = run(exchange, venue, "order", "place", "BTCUSDT", "buy", "0.01", "--price", "60000", "--json").object
    one = ("BTCUSDT", order["order_id"])
    change = run(exchange, venue, "order", "amend", *one, "--price", "60100", "--dry-run", "--json").object
    assert (change["order"]["order_id"], "60100" in json.dumps(change["params"])) == (order["order_id"], True)
    assert "60100" in run(exchange, venue, "order", "amend", *one, "--price", "60100", "--dry-run").out
    assert run(exchange, venue, "order", "cancel", *one, "--dry-run", "--json").object["dry_run"] is True
    assert order["order_id"] in run(exchange, venue, "order", "cancel", "--all", "--dry-run").out
    assert "ETHUSDT" in run(exchange, venue, "close", "--all", "--dry-run").out
    (resting,) = exchange[venue].exchange.open_orders("main", None)
    assert resting.price == 60000
    assert exchange[venue].exchange.position("main", "ETHUSDT").quantity == Decimal("0.1")


def test_where_it_is_live_nothing_is_sent_without_a_yes(
    exchange: ThreadedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange plays the live venue: the plan says live, and its address is the exchange's."""

    def live(venues: Any, env: Any, urls: Any, config: Any = None) -> Plan:
        made = plan(venues, None, urls, config)
        return made._replace(targets=tuple(Target(one.venue, "live", one.url) for one in made.targets))

    monkeypatch.setattr(asking, "plan", live)
    monkeypatch.setenv("BYBIT_API_KEY", "sim-key")
    monkeypatch.setenv("BYBIT_API_SECRET", "sim-secret")
    order = ("order", "place", "BTCUSDT", "buy", "0.01", "--price", "60000")
    for words in (order, ("order", "cancel", "--all"), ("close", "--all"), ("order", "amend", "BTCUSDT", "1")):
        refused = run(exchange, "bybit", *words)
        assert refused.code == 2, refused
        assert "NO_TERMINAL" in refused.err
        assert "--yes" in refused.err
    assert exchange.bybit.exchange.open_orders("main", None) == []
    looked = run(exchange, "bybit", *order, "--dry-run")
    assert (looked.code, "bybit, LIVE" in looked.out, "key: environment" in looked.out) == (0, True, True)
    agreed = run(exchange, "bybit", *order, "--yes", "--json")
    assert (agreed.code, agreed.object["env"], agreed.object["status"]) == (0, "live", "NEW")


def test_no_environment_but_live_asks_by_itself() -> None:
    targets = {env: [Target("bybit", env, None)] for env in ("live", "testnet", "demo", "sim")}
    hand = Hand(None, None, None, None, dry_run=True)
    assert {env: hand.must_ask(where) for env, where in targets.items()} == {
        "live": True, "testnet": False, "demo": False, "sim": False,
    }  # fmt: skip
    assert hand._replace(ask=True).must_ask(targets["sim"])
    assert not hand._replace(yes=True).must_ask(targets["live"])
    assert hand.must_ask([*targets["sim"], *targets["live"]])


# --- what is refused --------------------------------------------------------------------------------------------------


def test_the_guards_hold_and_those_of_the_file_hold_instead_where_they_are_set(
    exchange: ThreadedExchange, tmp_path: Path
) -> None:
    far = ("order", "place", "BTCUSDT", "buy", "0.01", "--price", "69000")
    refused = run(exchange, "bybit", *far)
    assert (refused.code, "PRICE_COLLAR" in refused.err) == (1, True)
    large = run(exchange, "binance", "order", "place", "BTCUSDT", "buy", "2", "--dry-run")
    assert (large.code, "MAX_ORDER_NOTIONAL" in large.err) == (1, True)
    file = tmp_path / "own.toml"
    file.write_text("[guards]\nprice_collar = 0.2\nmax_order_notional = 500\n")
    refused = run(exchange, "bybit", "order", "place", "BTCUSDT", "buy", "0.01", "--price", "60000", f"--config={file}")
    assert (refused.code, "500" in refused.err) == (1, True)
    file.write_text("[guards]\nprice_collar = 0.2\n")
    passed = run(exchange, "bybit", *far, f"--config={file}", "--json")
    assert (passed.code, passed.object["status"]) == (0, "FILLED")


def test_guards_are_told_in_words() -> None:
    assert guard_words(CAUTIOUS) == (
        "an order up to 100000, a position up to 500000, a price up to 5 % beyond the mark price, 20 orders in 1 s"
    )
    assert guard_words(Guards()) == "none"


def without_notes(text: str) -> list[str]:
    """A busy machine may have the connector tell of a loop that stood still."""
    return [line for line in text.splitlines() if not line.startswith("note: ")]


@by_venue
@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        (("order", "place", "BTCUSDT", "buy", "0.00001"), 2, ["QUANTITY_OFF_STEP", "nearest is 0.001"]),
        (("order", "place", "BTCUSDT", "buy", "0.01", "--price", "60000.01"), 2, ["PRICE_OFF_TICK", "nearest"]),
        (("order", "place", "NOPEUSDT", "buy", "1"), 2, ["UNKNOWN_SYMBOL", "NOPEUSDT"]),
        (("order", "place", "BTCUSDT", "buy", "much"), 2, ["NOT_A_NUMBER", "much"]),
        (("order", "place", "BTCUSDT", "buy"), 2, ["BAD_QUANTITY", "needed"]),
        (("order", "amend", "BTCUSDT", "1"), 2, ["NO_CHANGE"]),
        (("order", "cancel", "BTCUSDT", "12345"), 1, ["UnknownOrder"]),
        (("order", "show", "BTCUSDT"), 2, ["NO_ID"]),
    ],
)
def test_what_is_refused_is_told_in_one_line_with_advice(
    exchange: ThreadedExchange, venue: str, words: tuple[str, ...], code: int, parts: list[str]
) -> None:
    done = run(exchange, venue, *words)
    assert (done.code, done.out) == (code, "")
    (line,) = without_notes(done.err)
    for part in (venue, "->", *parts):
        assert part in line
    told = json.loads("".join(without_notes(run(exchange, venue, *words, "--json").err)))
    assert told["venue"] == venue
    assert told["advice"] in line
    assert told["code"] is None or f"[{told['code']}]" in line


def test_a_venue_must_be_named_where_there_are_two(exchange: ThreadedExchange) -> None:
    done = run(exchange, None, "order", "place", "BTCUSDT", "buy", "0.01")
    assert (done.code, "WHICH_VENUE" in done.err, "binance, bybit" in done.err) == (2, True, True)


def test_an_address_of_an_exchange_takes_no_key_of_another_environment(exchange: ThreadedExchange) -> None:
    done = run(exchange, "bybit", "account", "--env", "live")
    assert (done.code, "BAD_URL" in done.err) == (2, True)


# --- trouble ----------------------------------------------------------------------------------------------------------


@by_venue
def test_an_order_whose_answer_is_lost_is_found_and_not_repeated(exchange: ThreadedExchange, venue: str) -> None:
    exchange[venue].faults.add(LoseAnswer(method="POST", path="*/order*"))
    done = run(exchange, venue, "order", "place", "BTCUSDT", "buy", "0.01", "--price", "60000", "--json")
    assert (done.code, done.object["status"]) == (0, "NEW"), done
    (resting,) = exchange[venue].exchange.open_orders("main", None)
    assert resting.client_order_id == done.object["client_order_id"]


def test_an_order_whose_fate_can_not_be_asked_ends_with_its_own_code_and_the_way_to_look(
    exchange: ThreadedExchange, tmp_path: Path
) -> None:
    file = tmp_path / "impatient.toml"
    file.write_text("[orders]\nsettle_patience_s = 1\ntimeout_s = 0.5\n")
    exchange.bybit.faults.add(LoseAnswer(method="POST", path="*/order/create", how="silence"))
    exchange.bybit.faults.add(LoseAnswer(method="GET", contains="mine-1", count=None))
    words = ("order", "place", "BTCUSDT", "buy", "0.01", "--price", "60000", "--client-order-id", "mine-1")
    done = run(exchange, "bybit", *words, f"--config={file}", "--json")
    assert done.code == 3, done
    told = json.loads(done.err.splitlines()[-1])
    assert (told["error"], told["client_order_id"]) == ("OutcomeUnknown", "mine-1"), told


def test_a_lost_answer_to_a_question_leaves_nothing_open(exchange: ThreadedExchange) -> None:
    exchange.binance.faults.add(LoseAnswer(method="GET", path="/fapi/v3/account", count=10))
    done = run(exchange, "binance", "account", "--json")
    assert (done.code, json.loads(done.err)["call"]) == (1, "account")


def test_one_venue_in_trouble_does_not_hide_the_other(exchange: ThreadedExchange) -> None:
    exchange.bybit.faults.add({"kind": "answer", "status": 503, "count": None, "for_s": 30})
    done = run(exchange, None, "account", "--json")
    assert [one["venue"] for one in done.objects] == ["binance"]
    assert (done.code, json.loads(done.err)["venue"]) == (1, "bybit")


def test_a_venue_without_a_key_is_left_out_where_none_was_named(
    exchange: ThreadedExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BYBIT_SIM_API_KEY", "only-a-key")
    done = run(exchange, None, "account", "--json")
    assert (done.code, [one["venue"] for one in done.objects]) == (0, ["binance"])
    assert "bybit is left out" in done.err
    named = run(exchange, "bybit", "account")
    assert (named.code, "BYBIT_SIM_API_SECRET" in named.err) == (2, True)

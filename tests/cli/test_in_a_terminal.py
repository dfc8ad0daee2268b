"""Each verb in a pseudo-terminal, as a user sees it: tables, questions, the whole screen, Ctrl-C."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from tests.cli.terminal import ALTERNATE, BACK, CTRL_C, Terminal

from perpwire.simulator.faults import Delay
from perpwire.threaded import ThreadedExchange

pytestmark = pytest.mark.slow

COLOUR = re.compile(r"\x1b\[[0-9;]*3[1-7]m")


@pytest.fixture(scope="module")
def exchange() -> Iterator[ThreadedExchange]:
    with ThreadedExchange(latency_s=0.001, rate=15.0) as running:
        yield running


@pytest.fixture(autouse=True)
def _nowhere_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def at(exchange: ThreadedExchange, *venues: str) -> tuple[str, ...]:
    """The options that lead to these venues, or to both."""
    named = tuple(f"--venue={venue}" for venue in venues)
    return named + tuple(f"--url={venue}={exchange.urls[venue]}" for venue in venues or exchange.venues)


def test_account_positions_and_orders_are_tables(exchange: ThreadedExchange) -> None:
    for words in (("buy", "0.02"), ("buy", "0.01", "--price", "60000")):
        with Terminal("order", "place", "BTCUSDT", *words, *at(exchange, "bybit"), columns=180) as placing:
            assert placing.finish() == 0
            assert "BUY" in placing.text
    shown = {}
    for verb in ("account", "positions", "orders"):
        with Terminal(verb, *at(exchange), columns=180) as terminal:
            assert terminal.finish() == 0
            assert COLOUR.search(terminal.raw) or verb != "orders"
            shown[verb] = terminal.text
    for part in ("account: binance sim, bybit sim", "wallet balance", "100000", "USDT", "balances"):
        assert part in shown["account"]
    for part in ("BTCUSDT", "0.02", "notional", "unrealized pnl"):
        assert part in shown["positions"]
    for part in ("LIMIT", "60000", "NEW", "order id"):
        assert part in shown["orders"]
    with Terminal("orders", "BTCUSDT", "--history", *at(exchange, "bybit"), columns=180) as terminal:
        assert terminal.finish() == 0
        assert "FILLED" in terminal.text


def test_colours_are_left_out_where_they_are_not_wanted(exchange: ThreadedExchange) -> None:
    with Terminal("orders", *at(exchange, "bybit"), NO_COLOR="1") as plain:
        assert plain.finish() == 0
        assert not COLOUR.search(plain.raw)


def test_a_question_is_asked_and_only_a_yes_sends(exchange: ThreadedExchange) -> None:
    orders = exchange.binance.exchange
    words = ("order", "place", "ETHUSDT", "buy", "0.1", "--price", "2900", "--ask", *at(exchange, "binance"))
    for answer, code in (("n\r", 1), ("\r", 1), (CTRL_C, 130)):
        with Terminal(*words, columns=200) as terminal:
            terminal.until("Send it? [y/N]")
            for part in (
                "binance, SIM (http://127.0.0.1",
                "equity 1000",
                "BUY 0.1 ETHUSDT LIMIT at 2900 GTC",
                "290.0",
                "an order up to 100000",
                "POST /fapi/v1/order",
            ):
                assert part in terminal.text
            terminal.type(answer)
            assert terminal.finish() == code
        assert orders.open_orders("main", None) == []
    with Terminal(*words) as terminal:
        terminal.until("Send it? [y/N]")
        terminal.type("y\r")
        assert terminal.finish() == 0
        assert "NEW" in terminal.text
    (resting,) = orders.open_orders("main", None)
    identity = ("ETHUSDT", str(resting.order_id), "--ask", *at(exchange, "binance"))
    for verb, question in (("amend", "Change it?"), ("cancel", "Cancel it?")):
        change = ("--price", "2890") if verb == "amend" else ()
        for answer, code in (("n\r", 1), ("y\r", 0)):
            with Terminal("order", verb, *identity, *change) as terminal:
                terminal.until(question)
                terminal.type(answer)
                assert terminal.finish() == code
    assert orders.open_orders("main", None) == []
    for price in ("2900", "2901"):
        with Terminal(
            "order", "place", "ETHUSDT", "buy", "0.1", "--price", price, *at(exchange, "binance")
        ) as terminal:
            assert terminal.finish() == 0
    for answer, left in (("n\r", 2), ("y\r", 0)):
        with Terminal("order", "cancel", "--all", "--ask", *at(exchange, "binance"), columns=180) as terminal:
            terminal.until("Cancel these 2 orders? [y/N]")
            assert "binance, SIM" in terminal.text
            terminal.type(answer)
            assert terminal.finish() == (1 if left else 0)
        assert len(orders.open_orders("main", None)) == left


def test_closing_all_asks_once_for_all(exchange: ThreadedExchange) -> None:
    for venue in exchange.venues:
        with Terminal("order", "place", "SOLUSDT", "sell", "1", *at(exchange, venue)) as terminal:
            assert terminal.finish() == 0
    with Terminal("close", "--all", "--ask", *at(exchange), columns=180) as terminal:
        terminal.until("positions? [y/N]")
        for venue in exchange.venues:
            assert f"{venue}, SIM; key: the embedded exchange's own" in terminal.text
        assert exchange.binance.exchange.position("main", "SOLUSDT").quantity == Decimal(-1)
        terminal.type("y\r")
        assert terminal.finish() == 0
        assert "FILLED" in terminal.text
    for venue in exchange.venues:
        assert exchange[venue].exchange.position("main", "SOLUSDT").quantity == 0


def test_ctrl_c_while_an_order_is_under_way_says_that_it_is_not_known_and_how_to_look(
    exchange: ThreadedExchange,
) -> None:
    before = exchange.bybit.journal.last
    exchange.bybit.faults.add(Delay(path="/v5/order/create", seconds=5))
    words = ("order", "place", "BTCUSDT", "buy", "0.01", "--price", "60000", "--client-order-id", "mine-7")
    with Terminal(*words, *at(exchange, "bybit"), columns=300) as terminal:
        exchange.bybit.journal.wait_for(lambda entry: "order/create" in entry.text, after=before, timeout_s=20)
        began = time.monotonic()
        terminal.type(CTRL_C)
        assert terminal.finish() == 130
        assert time.monotonic() - began < 10
        for part in ("interrupted", "left as they are", "not known", "order show BTCUSDT --client-order-id mine-7"):
            assert part in terminal.text
    (resting,) = [one for one in exchange.bybit.exchange.open_orders("main", None) if one.client_order_id == "mine-7"]
    with Terminal("order", "show", "BTCUSDT", "--client-order-id", "mine-7", *at(exchange, "bybit")) as terminal:
        assert terminal.finish() == 0
        assert "NEW" in terminal.text
    with Terminal("order", "cancel", "--all", *at(exchange, "bybit")) as terminal:
        assert terminal.finish() == 0
    assert resting.quantity == Decimal("0.01")


def test_watch_takes_the_whole_screen_follows_its_size_and_gives_it_back(exchange: ThreadedExchange) -> None:
    with Terminal("watch", "BTCUSDT", "ETHUSDT", *at(exchange), columns=200, lines=50) as terminal:
        for part in (
            "edge bp",
            "p95 ms",
            "mark",
            "funding rate",
            "binance BTCUSDT",
            "bybit ETHUSDT",
            "trades",
            "quality bars",
        ):
            terminal.until(part)
        assert ALTERNATE in terminal.raw
        assert BACK not in terminal.raw
        assert max(len(line) for line in terminal.text.splitlines()) > 120
        terminal.resize(80, 20)
        terminal.signal(signal.SIGWINCH)
        for _ in range(4):  # whole screens of the new size follow
            seen = len(terminal.text)
            terminal.until("perpwire watch", after=seen)
            terminal.until("perpwire watch", after=terminal.text.index("perpwire watch", seen) + 1)
        # A screen begins where the last one's cursor stood: its first line may be joined to another's last.
        screen = terminal.text[seen:].split("perpwire watch")[1].splitlines()[:-1]
        assert max(len(line) for line in screen) <= 80
        assert len(screen) <= 20
        assert "p95 ms" not in "".join(screen)
        began = time.monotonic()
        terminal.type(CTRL_C)
        assert terminal.finish() == 130
        assert time.monotonic() - began < 10
        assert terminal.raw.rindex(BACK) > terminal.raw.rindex(ALTERNATE)


def test_watch_ends_by_itself_after_the_seconds_asked_for(exchange: ThreadedExchange) -> None:
    with Terminal("watch", "BTCUSDT", "--seconds", "1", *at(exchange, "bybit")) as terminal:
        assert terminal.finish() == 0
        assert BACK in terminal.raw


def test_the_doctor_prints_a_line_for_each_check(exchange: ThreadedExchange) -> None:
    with Terminal("doctor", *at(exchange, "binance"), columns=160) as terminal:
        assert terminal.finish(60) == 0
        for part in ("binance, environment SIM", "ok           clock", "key accepted", "account stream", "14 ok"):
            assert part in terminal.text


def test_the_demo_shows_its_steps_and_ends_with_the_bars() -> None:
    with Terminal("demo", "--venue", "bybit", "--seconds", "1", columns=140, lines=50) as terminal:
        terminal.until("quality bars", 90)
        assert terminal.finish() in (0, 1)  # a bar of time depends on what else this machine does
        for part in ("perpwire demo", "every order", "delivered equals journal", "position closed"):
            assert part in terminal.text or part == "every order"


def test_sim_prints_its_addresses_and_ends_cleanly_by_ctrl_c() -> None:
    with Terminal("sim", "--seed", "3", columns=200) as terminal:
        terminal.until('"bybit"')
        assert set(json.loads(terminal.text.strip().splitlines()[0])) == {"binance", "bybit"}
        terminal.type(CTRL_C)
        assert terminal.finish(10) == 0


def test_an_exchange_that_lasts_as_long_as_the_command_is_told_as_such() -> None:
    with Terminal("order", "place", "BTCUSDT", "buy", "0.01", "--venue", "bybit", columns=200) as terminal:
        assert terminal.finish() == 0
        assert "this embedded exchange ends with the command" in terminal.text
        assert "FILLED" in terminal.text

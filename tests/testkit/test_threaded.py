"""An exchange in a thread of its own, asked from others."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from perpwire.simulator.events import SimEvent
from perpwire.simulator.faults import Answer
from perpwire.simulator.simulation import Simulation
from perpwire.threaded import ThreadedExchange


@pytest.fixture(scope="module")
def shared() -> Iterator[ThreadedExchange]:
    with ThreadedExchange(seed=5, latency_s=0.0, rate=50) as exchange:
        yield exchange


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as reply:
        return json.load(reply)


def test_both_venues_answer_a_client_that_blocks(shared: ThreadedExchange) -> None:
    assert get(f"{shared.binance_url}/fapi/v1/ping") == {}
    assert get(f"{shared.bybit_url}/v5/market/time")["retCode"] == 0
    assert (shared.api_key, shared.secret_key) == ("sim-key", "sim-secret")
    assert shared.binance.ws_url == shared.binance_url.replace("http://", "ws://")
    assert shared.venues == ("binance", "bybit")


def test_faults_are_put_on_order_for_one_venue_or_all(shared: ThreadedExchange) -> None:
    shared.bybit.faults.add(Answer(status=503, path="/v5/market/time"))
    shared.faults["binance"].add({"kind": "answer", "status": 418})
    for url, status in ((f"{shared.bybit_url}/v5/market/time", 503), (f"{shared.binance_url}/fapi/v1/time", 418)):
        with pytest.raises(urllib.error.HTTPError, match=str(status)):
            get(url)
        assert get(url)
    shared.faults.add('{"kind": "answer", "status": 500, "after_s": 60}')
    assert len(shared.faults.active()) == 2
    shared.faults.clear()
    assert shared.faults.active() == []
    shared.faults["bybit"].add("brutal")
    assert len(shared.faults.active()) > 20
    shared.faults.clear()


def test_the_journal_is_read_and_waited_for(shared: ThreadedExchange) -> None:
    journal = shared.bybit.journal
    after = journal.last
    asking = threading.Timer(0.05, get, [f"{shared.bybit_url}/v5/market/time?mine=1"])
    asking.start()
    entry = journal.wait_for(lambda one: "mine=1" in one.text, after=after, kind="request")
    asking.join()
    assert entry.n > after
    assert entry in journal.entries(after=after)
    assert entry in list(shared.journal["bybit"])
    with pytest.raises(TimeoutError):
        journal.wait_for(lambda one: False, timeout_s=0.02)


def test_the_core_is_asked_in_its_own_thread_and_gives_copies(shared: ThreadedExchange) -> None:
    core = shared.exchange["binance"]
    assert core.wallet("main") == {"USDT": Decimal(100000)}
    core.wallet("main").clear()
    assert core.wallet("main") == {"USDT": Decimal(100000)}
    assert core.clock is not None
    threads = shared.call(lambda _: threading.current_thread().name)
    assert threads == "perpwire-exchange"
    with pytest.raises(AttributeError):
        core.no_such_thing()
    with pytest.raises(KeyError):
        core.wallet("nobody")


def test_a_listener_may_ask_back_from_the_exchanges_thread(shared: ThreadedExchange) -> None:
    heard = threading.Event()

    def listener(_: SimEvent) -> None:
        assert shared.binance.exchange.wallet("main")
        heard.set()

    end = shared.binance.exchange.subscribe(listener)
    assert heard.wait(5)
    shared.call(lambda _: end())


def test_many_threads_may_ask_at_once(shared: ThreadedExchange) -> None:
    found: list[Any] = []

    def ask() -> None:
        found.extend(shared.bybit.exchange.book("BTCUSDT", 5) for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 200
    assert all(bids[0][0] < asks[0][0] for bids, asks, *_ in found)


def test_waiting_for_a_state(shared: ThreadedExchange) -> None:
    start = shared.binance.journal.last

    def moved(simulation: Simulation) -> int | None:
        last = simulation.journal["binance"].last
        return last if last > start else None

    assert shared.wait(moved) > start


def test_what_can_not_start_says_so_and_a_closed_one_is_closed() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            ThreadedExchange(ports={"bybit": taken.getsockname()[1]})
    with pytest.raises(ValueError, match="rate"):
        ThreadedExchange(rate=-1)
    exchange = ThreadedExchange(venues=["bybit"], rate=0)
    url = exchange.bybit_url
    with pytest.raises(KeyError):
        exchange["binance"]
    exchange.close()
    exchange.close()
    with pytest.raises(urllib.error.URLError):
        get(f"{url}/v5/market/time")
    with pytest.raises(RuntimeError, match="closed"):
        exchange.bybit.exchange.wallet("main")
    assert "perpwire-exchange" not in {thread.name for thread in threading.enumerate() if thread is exchange._thread}

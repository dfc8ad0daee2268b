"""Whatever comes and whenever it is taken: numbers without holes, each stream in order, and every loss told."""

from __future__ import annotations

import re
from collections import Counter

from hypothesis import given, strategies as st
from tests.fanout.hearing import fill, trade

from perpwire.fanout.backlog import Backlog, Source
from perpwire.model.market import Event, Gap, Trade
from perpwire.model.order import Fill
from perpwire.model.written import read

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from(["Trade", "Fill"]), st.sampled_from(["BTCUSDT", "ETHUSDT"])),
        st.tuples(st.just("take"), st.integers(1, 12), st.just("")),
    ),
    max_size=120,
)


@given(STEPS, st.integers(1, 9), st.integers(1, 9))
def test_no_event_is_lost_in_silence_and_none_overtakes_another(
    steps: list[tuple[str, str | int, str]], market: int, account: int
) -> None:
    backlog = Backlog({"account": account, "market": market})
    puts = {
        "Trade": backlog.putter("market", Source("p:v", Trade)),
        "Fill": backlog.putter("account", Source("p:v", Fill)),
    }
    said: dict[str, list[Event]] = {}
    written: dict[str, list[Event]] = {}
    numbers: dict[str, list[int]] = {}

    def take(most: int) -> int:
        entries = backlog.take(most)
        for entry in entries:
            told = read(entry.text)
            assert isinstance(told, Event)
            written.setdefault(entry.stream, []).append(told)
            numbers.setdefault(entry.stream, []).append(entry.number)
        return len(entries)

    for what, which, symbol in steps:
        if what == "take":
            assert isinstance(which, int)
            take(which)
            continue
        key = f"p:v:{which}:{symbol}"
        number = len(said.get(key, ())) + 1
        event = trade(number, symbol) if which == "Trade" else fill(number, symbol)
        said.setdefault(key, []).append(event)
        puts[str(which)](event)
        assert len(backlog.lanes["market"].waiting) <= market
        assert len(backlog.lanes["account"].waiting) <= account
    while take(50):
        pass
    assert said.keys() == written.keys()
    lost = Counter[str]()
    for key, told in written.items():
        assert numbers[key] == list(range(1, len(told) + 1))
        at = 0
        for one in told:
            if isinstance(one, Gap):
                match = re.match(r"(\d+) events were dropped", one.why)
                assert match is not None
                missing = said[key][at : at + int(match[1])]
                assert (one.since_ns, one.until_ns) == (missing[0].received_ns, missing[-1].received_ns)
                at += len(missing)
                lost[key.split(":")[2]] += len(missing)
            else:
                assert one == said[key][at]
                at += 1
        assert at == len(said[key])
    assert (lost["Trade"], lost["Fill"]) == (backlog.lanes["market"].dropped, backlog.lanes["account"].dropped)


def test_a_hole_in_every_symbol_is_told_in_each_also_in_one_that_speaks_later() -> None:
    backlog = Backlog({"market": 10})
    put = backlog.putter("market", Source("p:v", Trade))
    gap = Gap(venue="bybit", kind="Trade", since_ns=1, until_ns=2)
    for told in (trade(1), gap, trade(2), trade(1, "ETHUSDT")):
        put(told)
    found = [(entry.stream.rpartition(":")[2], entry.number, read(entry.text)) for entry in backlog.take(10)]
    assert found == [
        ("BTCUSDT", 1, trade(1)), ("BTCUSDT", 2, gap), ("BTCUSDT", 3, trade(2)), ("ETHUSDT", 1, gap),
        ("ETHUSDT", 2, trade(1, "ETHUSDT")),
    ]  # fmt: skip


def test_what_can_not_be_written_is_told_as_lost_and_holds_up_nothing() -> None:
    class _Broken(Trade, frozen=True, kw_only=True):
        pass

    backlog = Backlog({"market": 10})
    put = backlog.putter("market", Source("p:v", Trade))
    broken = _Broken(symbol="BTCUSDT", trade_id=2, price=object(), quantity=None, buyer_is_maker=False)  # type: ignore[arg-type]
    for told in (trade(1), broken, trade(3)):
        put(told)
    assert [read(entry.text) for entry in backlog.take(10)] == [trade(1), trade(3)]
    (entry,) = backlog.take(10)
    gap = read(entry.text)
    assert isinstance(gap, Gap)
    assert (entry.number, gap.kind, backlog.dropped) == (3, "Trade", 1)

"""Which fills are known, and for how long."""

from __future__ import annotations

from hypothesis import given, strategies as st

from perpwire.data_processor.fill_log import FillLog
from perpwire.model.order import Side


def key(number: int, symbol: str = "BTCUSDT", side: Side = Side.BUY) -> tuple[str, str, Side]:
    return symbol, str(number), side


def test_a_fill_is_new_once() -> None:
    log = FillLog(0)
    assert log.add(key(1), 10)
    assert not log.add(key(1), 10)
    assert not log.add(key(1), 11)


def test_the_same_trade_id_of_another_symbol_or_of_the_other_side_is_another_fill() -> None:
    log = FillLog(0)
    assert log.add(key(1), 10)
    assert log.add(key(1, "ETHUSDT"), 10)
    assert log.add(key(1, side=Side.SELL), 10), "a trade with ourselves is two fills"


def test_no_more_is_remembered_than_is_kept_and_can_be_read_again() -> None:
    log = FillLog(0, keep=100)
    for number in range(1000):
        log.add(key(number), number)
        log.read_until(number - 300)
    assert 300 <= len(log) <= 305
    assert not log.add(key(999), 999)
    assert not log.add(key(700), 700), "not older than the point: a reading over REST may bring it"


def test_the_point_never_moves_back() -> None:
    log = FillLog(500)
    log.read_until(400)
    assert log.read_ms == 500
    log.read_until(600)
    assert log.read_ms == 600


@st.composite
def days(draw: st.DrawFn) -> list[tuple[int, int]]:
    """(number, venue's time) of fills as stream and readings bring them: late, doubled, several in one millisecond."""
    times = sorted(draw(st.lists(st.integers(0, 300), min_size=1, max_size=60)))
    fills = list(enumerate(times))
    told = [fill for fill in fills for _ in range(draw(st.integers(1, 3)))]
    return sorted(told, key=lambda fill: fill[1] + draw(st.integers(0, 40)))


@given(days(), st.integers(1, 20))
def test_each_fill_is_new_once_as_long_as_nothing_older_than_the_point_is_brought_again(
    told: list[tuple[int, int]], keep: int
) -> None:
    log = FillLog(0, keep=keep)
    new = []
    for number, time_ms in told:
        if time_ms < log.read_ms:
            continue  # a reading begins at the point
        if log.add(key(number), time_ms):
            new.append(number)
        log.read_until(time_ms - 40)
    assert len(new) == len(set(new))
    assert set(new) == {number for number, _ in told}, "and none is taken for known that is not"

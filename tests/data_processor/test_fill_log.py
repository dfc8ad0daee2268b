"""Which fills are known, and for how long."""

from __future__ import annotations

from hypothesis import given, strategies as st

from perpwire.data_processor.fill_log import FillLog
from perpwire.model.order import Side


def key(number: int, symbol: str = "BTCUSDT", side: Side = Side.BUY) -> tuple[str, str, Side]:
    return symbol, str(number), side


def test_a_fill_is_new_once() -> None:
    log = FillLog()
    assert log.add(key(1), 10)
    assert not log.add(key(1), 10)
    assert not log.add(key(1), 11)


def test_the_same_trade_id_of_another_symbol_or_of_the_other_side_is_another_fill() -> None:
    log = FillLog()
    assert log.add(key(1), 10)
    assert log.add(key(1, "ETHUSDT"), 10)
    assert log.add(key(1, side=Side.SELL), 10), "a trade with ourselves is two fills"


def test_no_more_is_remembered_than_is_kept_and_can_be_read_again() -> None:
    log = FillLog(keep=100)
    for number in range(1000):
        log.add(key(number), number)
        log.read_from(number - 300)
    assert 300 <= len(log) <= 305
    assert not log.add(key(999), 999)
    assert not log.add(key(700), 700), "not older than the point: a reading over REST may bring it"


def test_it_says_how_far_back_it_knows_all() -> None:
    log = FillLog(keep=10)
    for number in range(100):
        log.add(key(number), number)
        log.read_from(number - 20)
    assert log.known_ms == 78
    log.read_from(0)
    for number in range(100, 200):
        log.add(key(number), number - 100)
    assert log.known_ms == 78, "the venue's clock was put back, and what may be read then stays"
    assert not any(log.add(key(number), number) for number in range(78, 100))
    assert not any(log.add(key(number), number - 100) for number in range(100, 200))


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
    log = FillLog(keep=keep)
    new, begins_ms = [], 0
    for number, time_ms in told:
        if time_ms < begins_ms:
            continue  # a reading begins there
        if log.add(key(number), time_ms):
            new.append(number)
        begins_ms = max(begins_ms, time_ms - 40)
        log.read_from(begins_ms)
    assert log.known_ms <= begins_ms
    assert len(new) == len(set(new))
    assert set(new) == {number for number, _ in told}, "and none is taken for known that is not"

"""Sockets that answer every ping and say nothing, or are half-open, or mute in part, or end in the middle of a ping."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from perpwire.model.incident import StreamStale
from perpwire.scenarios.hearing import DEPTH, DEPTHS, PUBLIC, PUBLIC_NAME, TOP, Hearing
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import Close, Silence
from perpwire.simulator.listing import Listing

SYMBOL = "BTCUSDT"
NORMAL_S = 30.0


@scenario(options={"rate": 20.0})
async def pong_alive_silence(run: Run) -> None:
    """A socket goes mute while it answers pings, or half-open, or in part, or again and again, or is closed."""
    await run.follow(SYMBOL, books=(SYMBOL,))
    hearing = Hearing(run)
    await run.clock.sleep(NORMAL_S + run.random.uniform(0, 1))
    play = run.random.choice((_mute, _half_open, _one_topic, _mute_again_and_again, _closed_inside_a_ping))
    await play(run, hearing)


async def _mute(run: Run, hearing: Hearing) -> None:
    await _dead(run, hearing, Silence(what="data", route=PUBLIC[run.venue]))


async def _half_open(run: Run, hearing: Hearing) -> None:
    await _dead(run, hearing, Silence(what="all", route=PUBLIC[run.venue]))


async def _dead(run: Run, hearing: Hearing, fault: Silence) -> None:
    """Noticed within 10 s, delivering within 15 s, the book within 17 s, the old socket gone within 20 s; once."""
    name = PUBLIC_NAME[run.venue]
    before = {number for number, one in run.host.connections.items() if PUBLIC[run.venue] in one.path}
    snapshots = _snapshots(run)
    mute_s = run.now_s
    run.fault(fault)
    await run.clock.sleep(20)
    slack_s = run.slack_s
    first_s = hearing.first((*TOP, *DEPTHS), mute_s + 0.5)
    lost = hearing.lost(name)
    run.check(len(lost) == 1, f"{name} was lost {len(lost)} times")
    run.check(bool(lost) and lost[0] <= mute_s + 10 + slack_s, f"noticed after {_after(lost, mute_s)} s")
    run.check(first_s <= mute_s + 15 + slack_s, f"the first frame came {first_s - mute_s:.1f} s later")
    gone = hearing.gone(SYMBOL)
    run.check(bool(gone) and gone[0] <= mute_s + 10 + slack_s, f"the book was read for {_after(gone, mute_s)} s")
    run.check(
        bool(gone) and gone[-1] <= mute_s + 17 + slack_s and run.books[SYMBOL].is_in_sync,
        "the book was not live again in time",
    )
    run.check(run.connector.streams.reconnects[name] == 1, f"{run.connector.streams.reconnects[name]} reconnects")
    run.check(_snapshots(run) - snapshots <= 1, f"{_snapshots(run) - snapshots} snapshots were asked for")
    run.check(not before & set(run.host.connections), "the old socket is still there")
    told = [alert.title for _, alert in hearing.alerts()]
    run.check(len(told) == 1, f"alerts: {told}")


async def _one_topic(run: Run, hearing: Hearing) -> None:
    """Depth is there again within 17 s; the others lose nothing (what was sent is compared with what came)."""
    mute_s = run.now_s
    run.fault(Silence(what="data", route=PUBLIC[run.venue], topic=DEPTH[run.venue]))
    await run.clock.sleep(20)
    slack_s = run.slack_s
    run.check(not hearing.lost(PUBLIC_NAME[run.venue]), "the whole socket was given up")
    first_s = hearing.first(DEPTHS, mute_s + 0.5)
    run.check(first_s <= mute_s + 17 + slack_s, f"depth came again {first_s - mute_s:.1f} s later")
    stale = [hearing.at_s(one) for one in hearing.incidents(StreamStale)]
    gone = hearing.gone(SYMBOL)
    # In a lull of this market nothing may change within 50 levels for a while: the first to be seen is an older one.
    run.check(bool(stale) and stale[0] <= mute_s + 13 + slack_s, f"told to be stale after {_after(stale, mute_s)} s")
    run.check(bool(gone) and gone[0] <= mute_s + 13 + slack_s, f"the book was read for {_after(gone, mute_s)} s")
    run.check(
        bool(gone) and gone[-1] <= mute_s + 17 + slack_s and run.books[SYMBOL].is_in_sync,
        "the book was not live again in time",
    )
    run.check(len(hearing.alerts()) <= 1, f"alerts: {[alert.title for _, alert in hearing.alerts()]}")


async def _mute_again_and_again(run: Run, hearing: Hearing) -> None:
    """The socket and the next three are mute: live within 10 s of the first good one, an alert a minute and cause."""
    mute_s = run.now_s
    run.fault(Silence(what="data", route=PUBLIC[run.venue], also_next=3))
    await run.clock.sleep(90)
    opened = hearing.opened(PUBLIC[run.venue], mute_s)
    run.check(len(opened) >= 4, f"only {len(opened)} sockets were opened")
    if len(opened) >= 4:
        first_s = hearing.first((*TOP, *DEPTHS), mute_s + 0.5)
        run.check(
            first_s <= opened[3][0] + 10 + run.slack_s, f"live {first_s - opened[3][0]:.1f} s after a good socket"
        )
        run.check(run.books[SYMBOL].is_in_sync, "the book is not in sync")
    per_minute = Counter((alert.key, int((time_s - mute_s) // 60)) for time_s, alert in hearing.alerts())
    run.check(all(count <= 1 for count in per_minute.values()), f"alerts: {per_minute}")


async def _closed_inside_a_ping(run: Run, hearing: Hearing) -> None:
    """It is closed with 1011: a new one is begun within a second, and delivers within ten."""
    closed_s = run.now_s
    run.fault(Close(code=1011, route=PUBLIC[run.venue]))
    await run.clock.sleep(12)
    opened = hearing.opened(PUBLIC[run.venue], closed_s)
    run.check(
        bool(opened) and opened[0][0] <= closed_s + 1 + run.slack_s,
        f"opened after {_after([one[0] for one in opened], closed_s)} s",
    )
    first_s = hearing.first((*TOP, *DEPTHS), closed_s + 0.1)
    run.check(first_s <= closed_s + 10 + run.slack_s, f"the first frame came {first_s - closed_s:.1f} s later")


@scenario(
    options={
        "rate": 1.0,
        "symbols": (Listing(symbol="DULLUSDT", start_price=Decimal(3)),),
        "journal_capacity": 500_000,
    },
    one_in=20,
)
async def quiet_market(run: Run) -> None:
    """An hour in which the account has no event and one contract a frame every ten minutes: nothing is reconnected."""
    await stay_quiet(run, 6)


async def stay_quiet(run: Run, times: int) -> None:
    """As quiet_market, for so many times ten minutes."""
    await run.follow("BTCUSDT", "DULLUSDT")
    hearing = Hearing(run)
    # Its mark price goes on, as that of every contract; and Bybit repeats the top of its book.
    dull = ("dullusdt@bookTicker", "dullusdt@aggTrade") if run.venue == "binance" else ("publicTrade.DULLUSDT",)
    for _ in range(times):
        for topic in dull:
            run.fault(Silence(what="data", topic=topic, seconds=595.0, then="heal"))
        await run.clock.sleep(600)
    run.check(not any(run.connector.streams.reconnects.values()), f"reconnects: {run.connector.streams.reconnects}")
    run.check(not hearing.alerts(), f"alerts: {[alert.title for _, alert in hearing.alerts()]}")


def _snapshots(run: Run) -> int:
    entries = run.host.journal.entries(kind=("request",))
    return sum("/fapi/v1/depth" in entry.text for entry in entries)


def _after(times: list[float], since_s: float) -> str:
    return f"{times[0] - since_s:.1f}" if times else "ever so many"

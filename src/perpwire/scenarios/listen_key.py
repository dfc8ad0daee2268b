"""The account's stream dies, with its key or without, and with a word or without; what was filled is known anyhow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from itertools import pairwise

from perpwire.model.incident import StreamStale
from perpwire.model.order import Fill
from perpwire.scenarios.hearing import Hearing
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import KEY, Run
from perpwire.simulator.faults import (
    Act,
    Answer,
    Close,
    DelayMessage,
    FillOrder,
    LoseRequest,
    MovePrice,
    Silence,
)

SYMBOL = "BTCUSDT"
NAME = {"binance": "binance/private", "bybit": "bybit/private"}
PATH = {"binance": "/private/ws", "bybit": "/v5/private"}
LISTEN_KEY = "/fapi/v1/listenKey"
KEEP_ALIVE_S = 1800.0
LAG_S = 2.5
"""How late the venue's lists are, and some."""


class Account:
    """The order of 1.0, the position and its stop; and what was heard of their fills, and when."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.hearing = Hearing(run)
        self.heard_s: dict[int, float] = {}
        run.connector.on(Fill, self._on_fill)

    def _on_fill(self, fill: Fill) -> None:
        # Bybit's ids are UUIDs, whose second half is the exchange's number.
        name = fill.trade_id
        number = int(name) if name.isdecimal() else int(name.replace("-", "")[16:], 16)
        self.heard_s[number] = self.run.now_s

    async def open(self) -> None:
        run = self.run
        await run.follow()
        mark = run.host.exchange.mark_price(SYMBOL)
        await run.place(SYMBOL, "BUY", "0.5")
        await run.place(
            SYMBOL, "SELL", "0.5", order_type="STOP_MARKET", trigger_price=mark * Decimal("0.97"), round="nearest",
            reduce_only=True,
        )  # fmt: skip
        await run.place(SYMBOL, "BUY", "1", order_type="LIMIT", price=mark * Decimal("0.5"), round="nearest")
        await run.clock.sleep(1 if run.is_real else 10)

    def fill(self, at_s: float) -> list[float]:
        """The order is filled in two parts from `at_s` (of the run) on, and the stop after them; when."""
        run = self.run
        times = [at_s, at_s + run.random.uniform(2, 10), at_s + run.random.uniform(12, 20)]
        after_s = [time - run.now_s for time in times]
        run.fault(
            FillOrder(symbol=SYMBOL, quantity=Decimal("0.4"), after_s=after_s[0]),
            FillOrder(symbol=SYMBOL, after_s=after_s[1]),
            MovePrice(symbol=SYMBOL, share=Decimal("-0.05"), after_s=after_s[2]),
        )
        return times

    def check_fills(self, latest_s: Callable[[float], float]) -> None:
        """Each fill of the exchange was heard by its latest moment, which is told from when it happened."""
        run = self.run
        for _, fill in run.host.exchange.fills(KEY.name, None):
            happened_s = run.now_s - (run.host.exchange.now_ms() - fill.time_ms) / 1000
            heard_s = self.heard_s.get(fill.trade_id, float("inf"))
            latest = latest_s(happened_s)
            run.check(
                heard_s <= latest + run.slack_s,
                f"the fill of {happened_s:.1f} s was heard at {heard_s:.1f} s, not by {latest:.1f} s",
            )

    def live_after(self, since_s: float) -> float:
        """When the stream was live again."""
        return min((at for at in self.hearing.recovered(NAME[self.run.venue]) if at > since_s), default=float("inf"))

    def check_alerts(self, most: int = 1) -> None:
        told = {alert.title for _, alert in self.hearing.alerts()}
        self.run.check(len(told) <= most, f"alerts: {sorted(told)}")


@scenario(options={"rate": 0.05}, settle_s=20.0)
async def listen_key(run: Run) -> None:
    """The key that the account's stream goes by dies, or the stream falls mute: noticed, replaced, and read back."""
    account = Account(run)
    await account.open()
    # Only these do not take half an hour.
    play = (_told_to_expire if run.venue == "binance" else _late_login) if run.is_real else None
    await (play or run.random.choice(PLAYS[run.venue]))(run, account)
    await run.clock.sleep(1 if run.is_real else 10)


async def _not_kept_alive(run: Run, account: Account) -> None:
    """(a) For a minute the keep-alive is reset, for a minute answered with 500, and then the key is unknown."""
    due_s = run.now_s - 10 + KEEP_ALIVE_S
    at_s = due_s - run.now_s - 60
    gone_s = due_s + 120
    run.fault(
        LoseRequest(method="PUT", path=LISTEN_KEY, after_s=at_s, for_s=120, count=None),
        Answer(method="PUT", path=LISTEN_KEY, status=500, after_s=at_s + 120, for_s=60, count=None),
        Act(do="expire_listen_key", args={"told": "false"}, after_s=at_s + 180),
    )
    account.fill(gone_s + run.random.uniform(0, 20))
    await run.until(due_s - 1)
    calls = len(calls_at(run, "PUT"))
    await run.until(gone_s + 100)
    times = [time for time in calls_at(run, "PUT")[calls:] if time <= gone_s + 35]
    pauses = [later - sooner for sooner, later in pairwise(times)]
    run.check(bool(pauses) and max(pauses) <= 30.5, f"keep-alives {[round(one, 1) for one in pauses]} s apart")
    live_s = account.live_after(gone_s)
    run.check(live_s <= gone_s + 35, f"live {live_s - gone_s:.1f} s after the key was gone")
    account.check_fills(lambda happened_s: max(happened_s, live_s) + 5)
    account.check_alerts()


async def _told_to_expire(run: Run, account: Account) -> None:
    """(b) The venue says that the key has expired."""
    await run.clock.sleep(1 if run.is_real else run.random.uniform(10, 3600))
    expired_s = run.now_s
    account.fill(expired_s + 0.5)
    run.fault(Act(do="expire_listen_key", args={"told": "true"}))
    await run.clock.sleep(10 if run.is_real else 40)
    live_s = account.live_after(expired_s)
    run.check(live_s <= expired_s + 5, f"live after {live_s - expired_s:.1f} s")
    account.check_fills(lambda happened_s: max(happened_s, live_s) + 5)
    account.check_alerts()


async def _same_key_again(run: Run, account: Account) -> None:
    """(c) The keep-alive says that the key is unknown, and the venue gives the same one anew."""
    run.fault(Answer(method="PUT", path=LISTEN_KEY, canned="listen_key_unknown"))
    due_s = run.now_s - 10 + KEEP_ALIVE_S
    await run.until(due_s - 1)
    account.fill(due_s + 1)
    await run.until(due_s + 40)
    live_s = account.live_after(due_s - 1)
    run.check(live_s <= due_s + 5, f"live after {live_s - due_s:.1f} s")
    account.check_fills(lambda happened_s: max(happened_s, live_s) + 5)
    account.check_alerts()


async def _no_key_to_be_had(run: Run, account: Account) -> None:
    """(d) The key expires, and for ten minutes the venue makes no other."""
    await run.clock.sleep(run.random.uniform(10, 600))
    expired_s = run.now_s
    calls = len(calls_at(run, "POST"))
    run.fault(
        Answer(method="POST", path=LISTEN_KEY, status=503, for_s=600, count=None),
        Act(do="expire_listen_key", args={"told": "true"}),
    )
    account.fill(expired_s + run.random.uniform(5, 560))
    await run.clock.sleep(10)
    run.check(not run.connector.is_account_stream_live, "the stream is said to be live ten seconds later")
    await run.until(expired_s + 600)
    made = len(calls_at(run, "POST")) - calls
    run.check(5 <= made <= 25, f"{made} keys were asked for within ten minutes")
    await run.clock.sleep(40)
    account.check_fills(lambda happened_s: happened_s + 35)
    run.check(run.connector.is_account_stream_live, "the stream did not come back")
    account.check_alerts(2)  # lost, and then: can't be made


async def _mute(run: Run, account: Account) -> None:
    """(e) Pings are answered, keys kept alive, and nothing is told any more."""
    await run.clock.sleep(run.random.uniform(60, 3000))
    run.fault(Silence(what="data", route=PATH[run.venue]))
    await run.clock.sleep(run.random.uniform(0, 120))
    run.check(not account.hearing.lost(NAME[run.venue]), "a stream that has nothing to tell was given up")
    await _replaced(run, account, account.fill(run.now_s + 1)[0])


async def _mute_while_nothing_moves(run: Run, account: Account) -> None:
    """As (e), and what is filled leaves the position as it was: another program buys, and sells back at once."""
    await run.clock.sleep(run.random.uniform(60, 600))
    async with run.world.connector(run.venue) as by_hand:
        run.fault(Silence(what="data", route=PATH[run.venue]))
        await run.clock.sleep(run.random.uniform(0, 60))
        begins_s = run.now_s
        for side in ("BUY", "SELL"):
            await by_hand.place_order(SYMBOL, side, "0.05")
        await _replaced(run, account, begins_s)


async def _replaced(run: Run, account: Account, begins_s: float) -> None:
    """The mute stream, within a minute of the first fill that it did not tell."""
    await run.until(begins_s + 70)
    live_s = account.live_after(begins_s)
    run.check(live_s <= begins_s + 60, f"replaced {live_s - begins_s:.1f} s after the first fill")
    account.check_fills(lambda happened_s: max(happened_s, min(live_s, happened_s + 60)) + 5)
    run.check(bool(account.hearing.incidents(StreamStale)), "nothing was told of its silence")
    account.check_alerts()


async def _late_login(run: Run, account: Account) -> None:
    """The socket is closed, and logins are answered late."""
    await run.clock.sleep(1 if run.is_real else run.random.uniform(10, 60))
    lost_s = run.now_s
    run.fault(
        DelayMessage(route=PATH[run.venue], topic="", contains='"auth"', seconds=3.0, count=2),
        Close(route=PATH[run.venue]),
    )
    account.fill(lost_s + run.random.uniform(0.1, 3))
    await run.clock.sleep(40)
    live_s = account.live_after(lost_s)
    run.check(live_s <= lost_s + 10, f"live after {live_s - lost_s:.1f} s")
    account.check_fills(lambda happened_s: max(happened_s, live_s) + 5)
    account.check_alerts()


async def _refused(run: Run, account: Account) -> None:
    """For ten minutes there is no connection to be had."""
    await run.clock.sleep(run.random.uniform(10, 60))
    lost_s = run.now_s
    away_s = run.random.uniform(60, 600)
    run.fault(
        Close(route=PATH[run.venue]), Answer(method="WS", path="/v5/private", status=503, for_s=away_s, count=None)
    )
    account.fill(lost_s + run.random.uniform(1, away_s - 25))
    await run.clock.sleep(10)
    run.check(not run.connector.is_account_stream_live, "the stream is said to be live ten seconds later")
    await run.until(lost_s + away_s + 40)
    account.check_fills(lambda happened_s: happened_s + 35)
    run.check(run.connector.is_account_stream_live, "the stream did not come back")
    account.check_alerts(2)  # lost, and then: can't be made


def calls_at(run: Run, method: str) -> list[float]:
    """When the key was asked for, or kept alive."""
    now_ns = run.clock.time_ns()
    entries = run.host.journal.entries(kind=("request",))
    return [
        run.now_s - (now_ns - entry.time_ns) / 1e9
        for entry in entries
        if entry.text.startswith(f"{method} {LISTEN_KEY}")
    ]


Part = Callable[[Run, Account], Awaitable[None]]

PLAYS: dict[str, tuple[Part, ...]] = {
    "binance": (_not_kept_alive, _told_to_expire, _same_key_again, _no_key_to_be_had, _mute, _mute_while_nothing_moves),
    "bybit": (_late_login, _refused, _mute, _mute_while_nothing_moves),
}

"""The venue's clock is stepped and drifts away."""

from __future__ import annotations

import asyncio
from collections import Counter

from perpwire.api_connector.clock_sync import AT_ONCE
from perpwire.errors import APIError, NotSent
from perpwire.model.order import Order
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.scenarios.tapping import Sent
from perpwire.simulator.faults import Answer, AnyFault, Delay, Drift, Skew

TIME = {"binance": "/fapi/v1/time", "bybit": "/v5/market/time"}
PLACE = {"binance": "/fapi/v1/order", "bybit": "/v5/order/create"}

STEPS = ((60.0, 1.3), (120.0, -4.0))
"""At which second the venue's clock is stepped, and by how much."""

ASKED_S = 85.0
"""When the connector asks for the time anew."""


@scenario()
async def clock_wanders(run: Run) -> None:
    """Trading while the venue's clock steps by seconds, drifts, and answers to the question of the time come late."""
    await run.follow("BTCUSDT")
    for _ in range(8):
        run.fault(_move(run))
        await run.trade(3, pause_s=run.random.choice((0.1, 3.0, 20.0)))


def _move(run: Run) -> AnyFault:
    match run.random.randrange(4):
        case 0:
            return Drift(ppm=run.random.uniform(-200, 200))
        case 1:
            return Delay(path=TIME[run.venue], seconds=run.random.uniform(0.5, 4))
        case _:
            return Skew(seconds=run.random.choice((-1, 1)) * run.random.uniform(0.5, 8), is_step=True)


@scenario(options={"rate": 0.5, "latency_s": 0.045, "order_latency_s": 0.045})
async def clock_moves(run: Run) -> None:
    """Two steps of the venue's clock, drift, slow answers to the question of the time, and orders that have to wait."""
    began_s = run.now_s
    run.fault(Drift(ppm=50))
    for after_s, seconds in STEPS:
        run.fault(Skew(seconds=seconds, is_step=True, after_s=after_s + run.random.uniform(0, 0.05)))
    await run.follow()
    watch = _Watch(run)
    watching = asyncio.create_task(watch.run())
    trading = asyncio.create_task(_trade(run, began_s + 145))
    # Where a step made no time stamp wrong enough to be refused, it is found when the time is asked for the next time:
    # within five minutes, here within half a minute.
    await run.until(began_s + ASKED_S)
    await run.connector._path.measure_clock()
    await run.until(began_s + 90)
    await _slow_answers(run, watch)
    await trading
    await run.until(began_s + 150)
    await _an_order_that_waits(run)
    await run.until(began_s + 170)
    await _an_order_that_can_not_wait(run)
    await run.until(began_s + 200)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    watch.judge(began_s)


async def _trade(run: Run, until_s: float) -> None:
    """An order every second or so; some with a window so short that they are refused as soon as they seem old."""
    while run.now_s < until_s:
        window = {"recvWindow": 1000} if run.venue == "binance" and run.random.random() < 0.5 else {}
        await run.place("BTCUSDT", run.random.choice(("BUY", "SELL")), "0.01", **window)
        await run.clock.sleep(run.random.uniform(0.5, 1.5))


async def _slow_answers(run: Run, watch: _Watch) -> None:
    """The time is asked for, and the answers take four seconds."""
    before_ms = watch.offset_ms
    run.fault(Delay(path=TIME[run.venue], seconds=4.0, count=AT_ONCE, where=run.random.choice(("request", "answer"))))
    await run.connector._path.measure_clock()
    await run.clock.sleep(5)
    # The wall clock does not move here; the venue's drifts by a quarter of a millisecond.
    moved_ms = abs(watch.offset_ms - before_ms)
    run.check(moved_ms < 10, f"slow answers moved the offset by {moved_ms:.1f} ms")


def _no_more_orders(run: Run, seconds: float) -> None:
    """The venue takes no orders for so long."""
    if run.venue == "binance":
        reply = Answer(method="POST", path=PLACE[run.venue], status=429, headers={"Retry-After": f"{seconds:g}"},
                       body='{"code":-1015,"msg":"Too many new orders."}')  # fmt: skip
    else:
        now_ms = run.host.exchange.now_ms()
        reset = {"X-Bapi-Limit-Reset-Timestamp": str(now_ms + round(seconds * 1000))}
        body = f'{{"retCode":10006,"retMsg":"Too many visits.","result":{{}},"time":{now_ms}}}'
        reply = Answer(method="POST", path=PLACE[run.venue], status=200, headers=reset, body=body)
    run.fault(reply)


async def _an_order_that_waits(run: Run) -> None:
    _no_more_orders(run, 8)
    first = asyncio.create_task(run.place("BTCUSDT", "BUY", "0.01"))
    await run.clock.sleep(0.4)
    began_s = run.now_s
    waits = await run.place("BTCUSDT", "BUY", "0.01")
    run.check(waits is not None, "the order that waited was not placed")
    run.check(7 < run.now_s - began_s < 9, f"the order waited for {run.now_s - began_s:.1f} s")
    run.check(await first is not None, "the order that was refused for the limit was not placed afterwards")


async def _an_order_that_can_not_wait(run: Run) -> None:
    _no_more_orders(run, 8)
    first = asyncio.create_task(run.place("BTCUSDT", "BUY", "0.01"))
    await run.clock.sleep(0.4)
    began_s, before = run.now_s, len(run.attempts)
    await run.place("BTCUSDT", "BUY", "0.01", deadline_s=1.0)
    told = run.attempts[before].told
    is_told = isinstance(told, NotSent) and told.code == "DEADLINE"
    run.check(is_told and run.now_s <= began_s + 1, f"told at +{run.now_s - began_s:.2f} s: {told!r}")
    await first


class _Watch:
    """Looks at the clock every so often, and judges what was sent in the end."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._errors: list[tuple[float, float]] = []

    @property
    def offset_ms(self) -> float:
        return self._run.connector._sync.offset_ms

    async def run(self) -> None:
        run = self._run
        while True:
            known_ms = run.connector._sync.venue_ms() + 0.5
            self._errors.append((run.now_s, abs(known_ms - run.host.venue_clock.time_ns() / 1e6)))
            await run.clock.sleep(0.05)

    def judge(self, began_s: float) -> None:
        run = self._run
        refused = [one for one in run.tap.sent if b'"code":-1021' in one.answer or b'"retCode":10002' in one.answer]
        steps = [began_s + step_s for step_s, _ in STEPS]
        for step_s, end_s in zip(steps, (*steps[1:], run.now_s), strict=True):
            of_step = [one for one in refused if step_s < (one.answered_s or 0) < end_s]
            run.check(len(of_step) <= 1, f"{len(of_step)} requests were refused after the step at {step_s:.0f} s")
        run.check(
            all((one.answered_s or 0) > steps[0] for one in refused), "a request was refused before the first step"
        )
        run.check(
            any((one.answered_s or 0) > steps[1] for one in refused), "no request was refused after the second step"
        )
        cured_s = {step_s: self._cured_s(step_s, refused) for step_s in steps}
        for one in refused:
            told_s = one.answered_s or one.at_s
            late = [error_ms for at_s, error_ms in self._errors if told_s + 0.3 < at_s < told_s + 2]
            worst_ms = max(late, default=0.0)
            run.check(worst_ms < 150, f"{worst_ms:.0f} ms off 0.3 s after the refusal at {told_s:.1f} s")
        for at_s, error_ms in self._errors:
            if at_s < began_s + 5 or any(step_s < at_s < cured_s[step_s] for step_s in steps):
                continue
            if error_ms >= 50:
                run.check(False, f"the clock was {error_ms:.0f} ms off at {at_s - began_s:.1f} s")
                break
        self._judge_orders(refused)
        self._judge_stamps()

    def _cured_s(self, step_s: float, refused: list[Sent]) -> float:
        """A few seconds after the first refusal that follows a step, or after the time was asked for."""
        asked_s = step_s + ASKED_S - STEPS[0][0]
        return min([asked_s, *(told_s for one in refused if (told_s := one.answered_s or 0) > step_s)]) + 4

    def _judge_orders(self, refused: list[Sent]) -> None:
        """Each order left once, or twice where the first was refused for its time or for the rate."""
        run = self._run
        names = ("newClientOrderId", "orderLinkId")
        orders = [one for one in run.tap.sent if one.call == ("POST", PLACE[run.venue])]
        counts = Counter(next(one.params[name] for name in names if name in one.params) for one in orders)
        limited = sum(one.status == 429 or b'"retCode":10006' in one.answer for one in orders)
        again = sum(count - 1 for count in counts.values())
        clock = sum(one in refused for one in orders)
        run.check(max(counts.values()) <= 2, f"an order was sent {max(counts.values())} times")
        run.check(again == clock + limited, f"{again} orders were sent again, {clock} + {limited} had been refused")
        for attempt in run.attempts:
            told = attempt.told
            fine = isinstance(told, Order) or (isinstance(told, APIError) and told.code == "DEADLINE")
            run.check(fine, f"order {attempt.client_order_id} ended in {told!r}")

    def _judge_stamps(self) -> None:
        """Signed as the last thing before it is written, and the window is what the caller said."""
        run = self._run
        for one in run.tap.sent:
            if one.timestamp_ms is not None:
                age_ms = one.written_ms - one.timestamp_ms
                run.check(0 <= age_ms <= 5, f"{one.path} was signed {age_ms} ms before it was written")
                run.check(one.window_ms in (None, "5000", "1000"), f"a receive window of {one.window_ms} ms")

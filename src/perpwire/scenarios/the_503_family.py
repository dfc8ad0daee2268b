"""Orders that are answered with 408, 502, 503, or half an answer: some were placed, some were not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from perpwire.errors import NotSent
from perpwire.model.order import OrderStatus
from perpwire.scenarios.lost_response import FIRST_READ, PLACE, RESTING, Trial
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import Answer, TruncateAnswer

HTML = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n</body>\r\n</html>\r\n"

UNKNOWN = {"binance": "unknown_503", "bybit": "server_error"}
"""What leaves open whether the order was placed."""

LATE = {"binance": "timeout", "bybit": "timeout"}

HOW_LONG_IT_SHOWS_LATE_S = 2.0


def _answered(trial: Trial, canned: str = "", *, executed: bool, **more: Any) -> None:
    run = trial.run
    run.fault(
        Answer(method="POST", path=PLACE[run.venue], contains=trial.name, canned=canned, executed=executed, **more)
    )


async def _1_unknown_and_placed(trial: Trial) -> None:
    _answered(trial, UNKNOWN[trial.run.venue], executed=True)
    _veil(trial)
    await trial.place()
    trial.check_found(4.0, *RESTING)


async def _2_unknown_and_not_placed(trial: Trial) -> None:
    _answered(trial, UNKNOWN[trial.run.venue], executed=False)
    told = await trial.place()
    trial.check(isinstance(told, NotSent), "not told that it does not exist")
    trial.check(10.0 <= trial.told_s <= 13.0 + trial.run.slack_s, "told at another time")
    trial.check_counts(0)
    trial.check_words("NOT_PLACED")


async def _3_unavailable(trial: Trial) -> None:
    """Refused for certain."""
    _answered(trial, "unavailable", executed=False)
    told = await trial.place()
    trial.check(isinstance(told, NotSent), "not told that it does not exist")
    trial.check(trial.told_s <= 0.05 + trial.run.slack_s, "told late")
    trial.check_counts(0)
    trial.check(not trial.sent("GET", FIRST_READ[trial.run.venue]), "looked for")


async def _4_overloaded(trial: Trial) -> None:
    _answered(trial, "overloaded_anyway", executed=False)
    told = await trial.place()
    trial.check(isinstance(told, NotSent) and told.code == -1008, "not told that it does not exist")
    trial.check(3.0 <= trial.told_s <= 3.5 + trial.run.slack_s, "told at another time")
    trial.check_counts(0)
    trial.check(len(trial.sent("GET", FIRST_READ[trial.run.venue])) == 3, "not looked for three times")
    trial.check_words("NOT_PLACED")


async def _5_overloaded_and_placed(trial: Trial) -> None:
    _answered(trial, "overloaded_anyway", executed=True)
    trial.mute(6.0)
    trial.hide(trial.run.random.uniform(0.0, HOW_LONG_IT_SHOWS_LATE_S))
    await trial.place()
    trial.check_found(3.5, *RESTING)


async def _6_overloaded_and_closing(trial: Trial) -> None:
    """What only makes a position smaller is exempt, and is sent again at once."""
    run = trial.run
    await run.connector.place_order("BTCUSDT", "BUY", "0.02", client_order_id=f"{trial.name}-first")
    await run.clock.sleep(1.0)
    _answered(trial, "overloaded_anyway", executed=False)
    order = await run.connector.place_order("BTCUSDT", "SELL", "0.02", client_order_id=trial.name, reduce_only=True)
    first, second = trial.sent("POST", PLACE[run.venue])
    trial.check(second.at_s - first.at_s <= 0.2 + run.slack_s, f"sent again after {second.at_s - first.at_s:.3f} s")
    trial.check(order.status is OrderStatus.FILLED, f"it is {order.status}")
    trial.check(trial.placed == 1, f"{trial.placed} orders at the exchange")


async def _7_timeout_and_placed(trial: Trial) -> None:
    """The stream tells before the question that is due next."""
    run = trial.run
    _answered(trial, LATE[run.venue], executed=True)
    trial.late_event(0.8)
    trial.hide(5.0)
    await trial.place()
    trial.check_found(0.9, *RESTING)
    asked = len(trial.sent("GET", FIRST_READ[run.venue]))
    await run.clock.sleep(12.0)
    trial.check(len(trial.sent("GET", FIRST_READ[run.venue])) == asked, "asked after the stream's word")


async def _8_a_page_of_a_gateway(trial: Trial) -> None:
    _answered(trial, status=502, body=HTML, headers={"content-type": "text/html"}, executed=True)
    _veil(trial)
    await trial.place()
    trial.check_found(4.0, *RESTING)


async def _9_half_an_answer(trial: Trial) -> None:
    run = trial.run
    keep = run.random.uniform(0.0, 0.9)
    run.fault(TruncateAnswer(method="POST", path=PLACE[run.venue], contains=trial.name, keep=keep))
    _veil(trial)
    await trial.place()
    trial.check_found(4.0, *RESTING)


def _veil(trial: Trial) -> None:
    """Sometimes neither stream nor questions tell of it at first."""
    if trial.run.random.random() < 0.5:
        trial.mute(5.0)
        trial.hide(trial.run.random.uniform(0.0, 2.5))


ALL: tuple[Callable[[Trial], Awaitable[None]], ...] = (
    _1_unknown_and_placed,
    _2_unknown_and_not_placed,
    _3_unavailable,
    _4_overloaded,
    _5_overloaded_and_placed,
    _6_overloaded_and_closing,
    _7_timeout_and_placed,
    _8_a_page_of_a_gateway,
    _9_half_an_answer,
)

ONLY_BINANCE = (_3_unavailable, _4_overloaded, _5_overloaded_and_placed, _6_overloaded_and_closing)
"""Bybit has no words for "surely not placed", nor for an overload that spares what closes: all its failures of this
kind leave the outcome open, as the first two do."""


@scenario(options={"rate": 0.5, "latency_s": 0.01, "order_latency_s": 0.005})
async def the_503_family(run: Run) -> None:
    """Nine orders that a venue in trouble answers badly: each outcome is known in time, and none is placed twice."""
    await run.follow()
    await run.connector.get_instruments()
    chosen = [one for one in ALL if run.venue == "binance" or one not in ONLY_BINANCE]
    await run.in_turn(one(Trial(run, f"bad-{one.__name__[1]}")) for one in chosen)
    await run.clock.sleep(1 if run.is_real else 8)
    for order in run.connector.account_state.open_orders:
        await run.connector.cancel_order(order.symbol, order.order_id)

"""Orders whose answers are lost, late, unreadable or untrue."""

from __future__ import annotations

from typing import Literal

from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import Answer, AnyFault, Delay, How, LoseAnswer, LoseRequest, TruncateAnswer

_HOWS: tuple[How, ...] = ("reset", "silence")
_WHERES: tuple[Literal["request", "answer"], ...] = ("request", "answer")


@scenario()
async def lost_answers(run: Run) -> None:
    """Thirty orders, most of them with an answer that is lost, late, cut short or untrue: none is placed twice."""
    await run.follow("BTCUSDT")
    for _ in range(30):
        if run.random.random() < 0.7:
            run.fault(_trouble(run))
        await run.trade(1, pause_s=run.random.choice((0.0, 0.5)))


def _trouble(run: Run) -> AnyFault:
    how = run.random.choice(_HOWS)
    method = run.random.choice(("POST", "POST", ""))
    executed = run.random.random() < 0.5
    match run.random.randrange(7):
        case 0:
            return LoseAnswer(method=method, how=how)
        case 1:
            return LoseRequest(method=method, how=how)
        case 2:
            return Answer(method=method, canned="doubtful", executed=executed)
        case 3:
            return Answer(method=method, status=502, body="<html>Bad Gateway</html>", executed=executed)
        case 4:
            return Delay(
                method=method, where=run.random.choice(_WHERES), seconds=run.random.choice((0.2, 3.0, 9.0, 15.0))
            )
        case 5:
            return TruncateAnswer(method=method, keep=0.5, how=run.random.choice(("body", "connection")))
        case _:
            return Answer(method=method, canned="busy")

"""What happens to the account while nobody listens, and what is known of it afterwards."""

from __future__ import annotations

from decimal import Decimal

from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.simulator.faults import Act, AnyFault, Cut, Deleverage, FillOrder, Liquidate, MovePrice, Refuse, Silence


@scenario()
async def while_away(run: Run) -> None:
    """The account stream is down while orders fill, the price jumps, and positions are liquidated or deleveraged."""
    await run.follow("BTCUSDT", books=("BTCUSDT",))
    for _ in range(3):
        await run.trade(4, pause_s=0.2)
        away_s = run.random.uniform(2, 40)
        if run.random.random() < 0.5:
            run.fault(Silence(seconds=away_s))
        else:
            run.fault(Cut(), Refuse(seconds=away_s))
        for _ in range(run.random.randint(1, 4)):
            run.fault(_blow(run, away_s))
        await run.clock.sleep(away_s + 10)


def _blow(run: Run, away_s: float) -> AnyFault:
    after_s = run.random.uniform(0, away_s)
    match run.random.randrange(5):
        case 0 | 1:
            part = run.random.choice((None, Decimal("0.001")))
            return FillOrder(symbol="BTCUSDT", quantity=part, after_s=after_s)
        case 2:
            return MovePrice(
                symbol="BTCUSDT", share=Decimal(run.random.choice(("-0.03", "-0.01", "0.01", "0.03"))), after_s=after_s
            )
        case 3:
            return Deleverage(symbol="BTCUSDT", quantity=Decimal("0.001"), after_s=after_s)
        case _:
            return Liquidate(symbol="BTCUSDT", after_s=after_s)


@scenario(venues=("binance",), options={"rate": 0.2}, settle_s=2400.0, one_in=4)
async def dead_listen_key(run: Run) -> None:
    """The listen key dies, with a word or without: the account is known again by the next keep-alive."""
    await run.follow("BTCUSDT")
    await run.trade(4, pause_s=1.0)
    run.fault(Act(do="expire_listen_key", args={"told": run.random.choice(("true", "false"))}))
    await run.trade(8, pause_s=10.0)

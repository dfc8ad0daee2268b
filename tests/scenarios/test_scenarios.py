"""A sample of the scenarios; `make chaos` plays them for hundreds of seeds. And: what is wrong is found."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from tests.sizes import FULL, size

from perpwire.errors import NotSent
from perpwire.model.market import Gap, Kline, Trade
from perpwire.model.order import OrderStatus, OrderType, Side, TimeInForce
from perpwire.scenarios import candles_heard, fills_heard, kill, marks_heard, orders_heard, quotes_heard, trades_heard
from perpwire.scenarios.registry import Scenario, scenarios
from perpwire.scenarios.run import KEY, Attempt, Run, play
from perpwire.scenarios.runner import main, play_twice
from perpwire.scenarios.standard_hour import trade_under
from perpwire.scenarios.states_heard import GapTold, Told
from perpwire.simulator.faults import AnyFault, CorruptMessage, DropMessage
from perpwire.simulator.intents import OrderIntent

ALL = scenarios()
SHORT = [
    (name, venue)
    for number, (name, one) in enumerate((name, one) for name, one in ALL.items() if one.one_in == 1)
    for venue in (one.venues if FULL else one.venues[number % len(one.venues) :][:1])
]
"""In part each is played on one venue, by turns."""
VENUES = ["binance", "bybit"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "venue"), SHORT)
def test_a_scenario_holds(name: str, venue: str) -> None:
    outcome = play(ALL[name], venue, 1000)
    assert outcome.problems == [], outcome.again
    assert outcome.facts["faults"] > 0 or name == "acknowledged_no_data"  # there the paths are the trouble


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_a_thousand_orders_on_a_brutal_day_are_all_accounted_for(venue: str) -> None:
    outcome = play(ALL["brutal_orders"], venue, 0)
    assert outcome.problems == [], outcome.again
    assert outcome.facts["orders"] == 1000
    # Whatever a later answer of the venue can settle is settled: here it always can.
    assert outcome.facts["settled"] == outcome.facts["doubted"] > 20


@pytest.mark.slow
def test_a_trading_process_that_is_killed_again_and_again_forgets_and_doubles_nothing() -> None:
    assert kill.main(["--kills", str(size(20, 10)), "--seed", "7"]) == 0


@pytest.mark.slow
def test_the_standard_hour_holds() -> None:
    """In part seven minutes of it."""
    hour = ALL["standard_hour"]
    part = msgspec.structs.replace(hour, play=lambda run: trade_under(run, "standard", 420.0))
    outcome = play(hour if FULL else part, "binance", 0)
    assert outcome.problems == [], outcome.again
    assert outcome.facts["orders"] > size(100, 11)
    assert outcome.virtual_s > size(3600, 420)


@pytest.mark.slow
def test_a_scenario_is_the_same_again() -> None:
    outcome = play_twice(("clock_moves", "bybit", 3))
    assert outcome.problems == []


# --- what is wrong is found -------------------------------------------------------------------------------------------


def problems(play_it: Callable[[Run], Awaitable[None]], venue: str = "binance") -> list[str]:
    one = Scenario(name="trial", about="", play=play_it, venues=(venue,), options={"rate": 2.0}, one_in=1, settle_s=2.0)
    return play(one, venue, 1).problems


def test_a_healthy_run_has_no_problems() -> None:
    async def trial(run: Run) -> None:
        await run.follow("BTCUSDT", books=("BTCUSDT",))
        await run.trade(3)

    assert problems(trial) == []


def test_an_order_that_was_placed_although_its_caller_was_told_otherwise() -> None:
    async def trial(run: Run) -> None:
        order = await run.place("BTCUSDT", "BUY", "0.01")
        assert order is not None
        run.attempts.append(Attempt("run-1", NotSent("it was not")))

    (found,) = problems(trial)
    assert found.startswith("order run-1 was placed, and its caller told that it was not: NotSent it was not")


class Forgetful(dict[Any, Any]):
    def __setitem__(self, key: Any, value: Any) -> None:
        pass


def test_an_order_that_the_connector_does_not_know_of() -> None:
    async def trial(run: Run) -> None:
        await run.follow()
        order = await run.place("BTCUSDT", "BUY", "0.01", order_type="LIMIT", price="60000")
        assert order is not None
        await run.clock.sleep(1)
        run.connector.account_state.orders._orders = Forgetful()  # else it is read back within a second

    found = problems(trial)
    assert any(one.startswith("open orders: the exchange has {'run-1': Decimal('0") for one in found)


def test_a_position_that_the_connector_has_wrong_and_a_balance() -> None:
    async def trial(run: Run) -> None:
        await run.follow()
        await run.place("BTCUSDT", "BUY", "0.01")
        await run.clock.sleep(1)
        state = run.connector.account_state
        for key, position in state.positions.items():
            state.positions[key] = msgspec.structs.replace(position, quantity=Decimal(5))
        for asset, balance in state.balances.items():
            state.balances[asset] = msgspec.structs.replace(balance, wallet=Decimal(1))

    first, second = problems(trial)
    assert first.startswith("positions: the exchange has")
    assert second.endswith("the connector knows 1")


@pytest.mark.parametrize("how", ["lost", "doubled", "altered", "swapped", "made up"])
@pytest.mark.parametrize("venue", VENUES)
def test_an_event_that_was_not_delivered_as_it_was_sent(how: str, venue: str) -> None:
    async def trial(run: Run) -> None:
        await run.follow("BTCUSDT")
        await run.clock.sleep(20)
        trades = run.delivered.by_stream["Trade", "BTCUSDT"]
        assert len(trades) > 3
        match how:
            case "lost":
                del trades[1]
            case "doubled":
                trades.insert(1, trades[1])
            case "altered":
                trades[1] = (*trades[1][:1], "1.00", *trades[1][2:])
            case "swapped":
                trades[1], trades[2] = trades[2], trades[1]
            case _:
                run.delivered.by_stream["Trade", "DOGEUSDT"].append(("1", "1", "1", True))

    (found,) = problems(trial, venue)
    assert found.startswith("Trade DOGEUSDT: delivered but never sent" if how == "made up" else "Trade BTCUSDT: ")


@pytest.mark.parametrize(
    ("fault", "is_known"), [(CorruptMessage(topic="publicTrade.*"), True), (DropMessage(topic="publicTrade.*"), False)]
)
def test_a_trade_is_hidden_where_nobody_could_know_that_it_was_lost_and_not_where_its_frame_was_unreadable(
    fault: AnyFault, is_known: bool
) -> None:
    async def trial(run: Run) -> None:
        await run.follow("BTCUSDT")
        await run.clock.sleep(20)
        run.fault(fault)
        await run.clock.sleep(20)
        heard = run.trades.heard["BTCUSDT"]
        heard[:] = [one for one in heard if isinstance(one, trades_heard.Told) and not one.is_recovered]

    found = problems(trial, "bybit")
    assert [" are missing, and no Gap says so" in one for one in found] == [True] * is_known


@pytest.mark.parametrize("how", ["lost", "doubled", "swapped", "told no more"])
@pytest.mark.parametrize("venue", VENUES)
def test_a_trade_that_was_made_and_not_told_once_in_its_turn(how: str, venue: str) -> None:
    async def trial(run: Run) -> None:
        await run.follow("BTCUSDT")
        await run.clock.sleep(60)
        heard = run.trades.heard["BTCUSDT"]
        assert len(heard) > 10
        match how:
            case "lost":
                del heard[3]
            case "doubled":
                heard.insert(3, heard[2])
            case "swapped":
                heard[2], heard[3] = heard[3], heard[2]
            case _:
                del heard[5:]

    found = problems(trial, venue)
    assert found
    assert all(" of BTCUSDT " in one for one in found)


@pytest.mark.parametrize("venue", VENUES)
def test_a_hole_among_trades_is_well_where_a_gap_says_so_and_only_where_it_is_not_said_to_be_repaired(
    venue: str,
) -> None:
    def hole(*, repaired: bool) -> list[str]:
        async def trial(run: Run) -> None:
            await run.follow("BTCUSDT")
            await run.clock.sleep(20)
            heard = run.trades.heard["BTCUSDT"]
            heard[3:5] = [Gap(kind="Trade", symbol="BTCUSDT", since_ns=0, until_ns=0, repaired=repaired)]

        return problems(trial, venue)

    assert hole(repaired=False) == []
    (found,) = hole(repaired=True)
    assert "are missing, and no Gap says so" in found


def spoilt(heard: list[Any], spoil: Callable[[list[Any]], Any], check: Callable[[], Iterable[str]]) -> str:
    """What a check says of what was heard, were it so."""
    kept = list(heard)
    spoil(heard)
    problems = list(check())
    heard[:] = kept
    return "; ".join(problems)


def swap(heard: list[Any], one: int, other: int) -> None:
    heard[one], heard[other] = heard[other], heard[one]


def make_up(heard: list[Any]) -> None:
    """One more state, which was never one."""
    heard.insert(5, Told(heard[4].time_ms, tuple(number + 1 for number in heard[4].state)))


@pytest.mark.parametrize("venue", VENUES)
def test_a_price_that_was_left_out_or_made_up_or_told_after_a_newer_one_is_found(venue: str) -> None:
    async def trial(run: Run) -> None:
        await run.follow("BTCUSDT")
        await run.clock.sleep(25)
        for states, unsaid in ((run.quotes.states, quotes_heard.unsaid), (run.marks.states, marks_heard.unsaid)):
            heard = states.heard["BTCUSDT"]
            assert len(heard) > 15

            def told(
                spoil: Callable[[list[Any]], Any], heard: list[Any] = heard, unsaid: Callable[..., Any] = unsaid
            ) -> str:
                return spoilt(heard, spoil, lambda: unsaid(run, ()))

            def leave_out(heard: list[Any], instead: Sequence[Any] = ()) -> None:
                heard[5:9] = instead

            assert told(lambda heard: None) == ""
            assert "are missing, and no Gap says so" in told(leave_out)
            assert told(lambda heard: leave_out(heard, [GapTold(at_ns=0)])) == ""
            assert "are missing, and no Gap says so" in told(lambda heard: heard.__delitem__(slice(6, None)))
            assert "which is newer" in told(lambda heard: heard.insert(12, heard[4]))
            assert "which is newer" in told(lambda heard: heard.append(heard[4]))
            assert "which the exchange never had" in told(make_up)

    assert problems(trial, venue) == []


@pytest.mark.parametrize("venue", VENUES)
def test_a_candle_that_was_left_out_or_told_otherwise_is_found(venue: str) -> None:
    async def trial(run: Run) -> None:
        await run.connector.subscribe(Kline, "BTCUSDT", interval="1m")
        await run.clock.sleep(270)
        heard = run.candles.heard["BTCUSDT", "1m"]
        first, second, third, *_ = [
            place for place, one in enumerate(heard) if isinstance(one, Kline) and one.is_closed
        ]

        def told(spoil: Callable[[list[Any]], Any]) -> str:
            return spoilt(heard, spoil, lambda: candles_heard.unsaid(run))

        def put(**instead: Any) -> Callable[[list[Any]], None]:
            def spoil(heard: list[Any]) -> None:
                heard[second] = msgspec.structs.replace(heard[second], **instead)

            return spoil

        def gap(*, repaired: bool) -> Gap:
            return Gap(kind="Kline", symbol="BTCUSDT", interval="1m", since_ns=0, until_ns=0, repaired=repaired)

        assert told(lambda heard: None) == ""
        assert "are missing, and no Gap says so" in told(lambda heard: heard.pop(second))
        assert "are missing, and no Gap says so" in told(lambda heard: heard.pop(first))
        assert told(lambda heard: heard.__setitem__(second, gap(repaired=False))) == ""
        assert "are missing, and no Gap says so" in told(lambda heard: heard.__setitem__(second, gap(repaired=True)))
        assert "is told again" in told(lambda heard: heard.insert(second, heard[second]))
        assert "is told after that of" in told(lambda heard: swap(heard, first, third))
        assert "and was told as" in told(put(close=Decimal(1)))
        assert "is marked as read back" in told(put(recovered=True))
        assert "is not marked as read back" in told(put(received_ns=0))
        assert "none is told any more" in told(lambda heard: heard.__delitem__(slice(second, None)))

    assert problems(trial, venue) == []


@pytest.mark.parametrize("venue", VENUES)
def test_a_fill_or_an_order_that_was_left_out_or_told_otherwise_is_found(venue: str) -> None:
    async def trial(run: Run) -> None:
        await run.follow()
        for _ in range(3):
            await run.place("BTCUSDT", "BUY", "0.01")
        await run.clock.sleep(2)

        def told(spoil: Callable[[list[Any]], Any]) -> str:
            return spoilt(run.fills, spoil, lambda: fills_heard.unsaid(run))

        assert told(lambda fills: None) == ""
        assert "that were not told" in told(lambda fills: fills.pop(1))
        assert "was told again" in told(lambda fills: fills.append(fills[1]))
        assert "was told after a later one" in told(lambda fills: swap(fills, 0, 1))
        dearer = msgspec.structs.replace(run.fills[1], price=Decimal(1))
        assert "and told as" in told(lambda fills: fills.__setitem__(1, dearer))
        unheard_of = msgspec.structs.replace(run.fills[1], trade_id="77")
        assert "and never booked" in told(lambda fills: fills.append(unheard_of))

        order_id = next(iter(run.orders.heard))
        heard = run.orders.heard[order_id]

        def told_of_order(spoil: Callable[[list[Any]], Any]) -> str:
            return spoilt(heard, spoil, lambda: orders_heard.unsaid(run))

        less = msgspec.structs.replace(heard[-1], status=OrderStatus.PARTIALLY_FILLED, filled_quantity=Decimal("0.001"))
        assert told_of_order(lambda heard: None) == ""
        assert "after it was FILLED" in told_of_order(lambda heard: heard.append(heard[-1]))
        assert "and was told with 0.001" in told_of_order(lambda heard: heard.append(less))
        assert "was last told as" in told_of_order(lambda heard: heard.__setitem__(-1, less))
        kept = run.orders.heard.pop(order_id)
        assert "was never told" in "".join(orders_heard.unsaid(run))
        run.orders.heard[order_id] = kept

    assert problems(trial, venue) == []


def test_a_task_that_is_left_and_an_exception_that_nobody_retrieved() -> None:
    async def trial(run: Run) -> None:
        async def fail() -> None:
            raise RuntimeError("unheard")

        run.failing = asyncio.create_task(fail())  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        del run.failing  # type: ignore[attr-defined]
        run.left = asyncio.create_task(asyncio.sleep(1e6), name="left over")  # type: ignore[attr-defined]

    found = problems(trial)
    assert "a task is left: left over" in found
    assert any("unheard" in one for one in found)


def test_a_secret_in_the_log() -> None:
    async def trial(run: Run) -> None:
        logging.getLogger("perpwire.trial").warning("signed with %s", KEY.secret_key)

    (found,) = problems(trial)
    assert found == "a key or secret is in the log: ...signed with "


def test_a_secret_in_the_journal() -> None:
    async def trial(run: Run) -> None:
        run.host.journal.write("request", f"GET /?key={KEY.api_key}")

    (found,) = problems(trial)
    assert found.startswith("a key or secret is in the journal")


def test_an_error_in_the_log_and_a_scenario_that_fails() -> None:
    async def trial(run: Run) -> None:
        logging.getLogger("perpwire.trial").error("broken")
        raise ValueError("by itself")

    assert problems(trial) == ["the scenario itself failed: ValueError: by itself", "logged as an error: broken"]


def test_cash_that_comes_from_nowhere() -> None:
    async def trial(run: Run) -> None:
        await run.follow()
        run.host.exchange._accounts["main"].state.wallet["USDT"] += 1

    found = problems(trial)
    assert any("cash and bookings are 100000, the wallet holds 100001" in one for one in found)


def test_a_handler_that_is_not_asked_has_no_say() -> None:
    """Trades of a symbol nobody follows are no breach."""

    async def trial(run: Run) -> None:
        await run.follow("ETHUSDT")
        run.connector.on(Trade, lambda _: None)
        run.host.exchange.place(
            "main",
            OrderIntent(
                symbol="BTCUSDT",
                side=Side.BUY,
                type=OrderType.LIMIT,
                time_in_force=TimeInForce.GTC,
                quantity=Decimal("0.01"),
                price=Decimal(60000),
                client_order_id="mine",
            ),
        )
        await run.clock.sleep(1)

    assert problems(trial) == []


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_plays_seeds_and_tells_how_many(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["lost_answers", "--venue", "bybit", "--seeds", "2", "--jobs", "1", "-v"]) == 0
    out = capfd.readouterr().out
    assert "ok    lost_answers bybit 0" in out
    assert "2 of 2 in" in out
    assert ", 0 failed" in out


def test_the_command_names_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["lost_ansers"])
    assert "there is no scenario lost_ansers" in capsys.readouterr().err

"""The answer to an order is lost in every way there is: what became of it is known in time, and it is sent once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from perpwire.errors import APIError, NotSent
from perpwire.model.incident import OrderDoubtful, OrderFailed, OrderResolved
from perpwire.model.order import Order, OrderStatus
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Attempt, Run
from perpwire.scenarios.tapping import Sent
from perpwire.simulator.faults import Answer, Delay as DelayCall, DelayMessage, DropMessage, LoseAnswer, LoseRequest

PLACE = {"binance": "/fapi/v1/order", "bybit": "/v5/order/create"}
READ = {"binance": "/fapi/v1/order", "bybit": "/v5/order/*"}
FIRST_READ = {"binance": "/fapi/v1/order", "bybit": "/v5/order/realtime"}
"""Where a question about an order begins; at Bybit it goes on to the history where it finds nothing."""

MOST_QUESTIONS = 6


class Trial:
    """One order whose answer is lost."""

    def __init__(self, run: Run, name: str) -> None:
        self.run = run
        self.name = name
        self.began_s = run.now_s
        self.told: Order | APIError | None = None
        self.told_s = 0.0
        self._incidents = len(run.incidents)

    def lose(self, *, executed: bool) -> None:
        kind = LoseAnswer if executed else LoseRequest
        self.run.fault(kind(method="POST", path=PLACE[self.run.venue], contains=self.name, how="reset"))

    def hide(self, seconds: float) -> None:
        """Questions about it find nothing for so long."""
        path = READ[self.run.venue]
        self.run.fault(
            Answer(method="GET", path=path, contains=self.name, canned="order_unknown", count=None, for_s=seconds)
        )

    def mute(self, seconds: float) -> None:
        """The account's stream says nothing of it for so long."""
        self.run.fault(DropMessage(of="private", contains=self.name, count=None, for_s=seconds))

    def late_event(self, seconds: float) -> None:
        self.run.fault(DelayMessage(of="private", contains=self.name, seconds=seconds, overtaken=True))

    async def place(self, order_type: str = "LIMIT") -> Order | APIError:
        run = self.run
        price = run.host.exchange.mark_price("BTCUSDT") * Decimal("0.8")
        more: dict[str, Any] = {"price": price, "round": "nearest"} if order_type == "LIMIT" else {}
        self.began_s = run.now_s
        try:
            self.told = await run.connector.place_order(
                "BTCUSDT", "BUY", "0.01", order_type, client_order_id=self.name, **more
            )
        except APIError as error:
            self.told = error
        self.told_s = run.now_s - self.began_s
        run.attempts.append(Attempt(self.name, self.told))
        return self.told

    @property
    def order(self) -> Order | None:
        return self.told if isinstance(self.told, Order) else None

    @property
    def placed(self) -> int:
        return sum(one.client_order_id == self.name for one in self.run.host.exchange.orders("main", None))

    def sent(self, method: str, path: str) -> list[Sent]:
        return [one for one in self.run.tap.sent if one.call == (method, path) and self.name in one.params.values()]

    def check(self, holds: bool, what: str) -> None:
        self.run.check(holds, f"{self.name}: {what} (told {self.told!r:.300} after {self.told_s:.3f} s)")

    def check_counts(self, placed: int) -> None:
        venue = self.run.venue
        questions = len(self.sent("GET", FIRST_READ[venue]))
        self.check(self.placed == placed, f"{self.placed} orders at the exchange, not {placed}")
        self.check(len(self.sent("POST", PLACE[venue])) == 1, "sent more than once")
        self.check(questions <= MOST_QUESTIONS, f"{questions} questions")

    def check_words(self, outcome: str) -> None:
        """It was in doubt, and then one thing."""
        said = [
            one.outcome if isinstance(one, OrderResolved) else "DOUBT" if isinstance(one, OrderDoubtful) else "FAILED"
            for one in self.run.incidents[self._incidents :]
            if isinstance(one, OrderResolved | OrderFailed) and one.client_order_id == self.name
        ]
        self.check(said == ["DOUBT", outcome], f"its caller heard {said}")

    def check_found(self, within_s: float, *statuses: OrderStatus) -> None:
        self.check(self.order is not None, "not found")
        self.check(self.told_s <= within_s + self.run.slack_s, f"found after more than {within_s} s")
        self.check(self.order is not None and self.order.status in statuses, "in another state")
        self.check_counts(1)
        self.check_words("ACCEPTED")


RESTING = (OrderStatus.NEW, OrderStatus.PENDING_NEW)


async def _a_stream_tells(trial: Trial) -> None:
    """(a) Accepted, the connection reset, the stream's word late."""
    trial.lose(executed=True)
    trial.late_event(0.25)
    if trial.run.random.random() < 0.5:
        trial.hide(5.0)
    await trial.place()
    trial.check_found(0.5, *RESTING)


async def _b_only_questions_and_late(trial: Trial) -> None:
    """(b) As (a), the stream mute, and questions find nothing at first."""
    trial.lose(executed=True)
    trial.mute(6.0)
    trial.hide(trial.run.random.uniform(0.0, 2.5))
    await trial.place()
    trial.check_found(4.0, *RESTING)


async def _c_never_placed(trial: Trial) -> None:
    """(c) The request was not read."""
    trial.lose(executed=False)
    told = await trial.place()
    trial.check(isinstance(told, NotSent), "not told that it does not exist")
    trial.check(10.0 <= trial.told_s <= 13.0 + trial.run.slack_s, "told at another time")
    trial.check_counts(0)
    trial.check_words("NOT_PLACED")
    trial.check(len(trial.sent("GET", FIRST_READ[trial.run.venue])) >= 3, "asked fewer than three times")


async def _d_filled_at_the_market(trial: Trial) -> None:
    """(d) A market order that is filled; a second one of the same id would be, too."""
    trial.lose(executed=True)
    trial.mute(6.0)
    trial.hide(trial.run.random.uniform(0.0, 4.0))
    await trial.place("MARKET")
    trial.check_found(6.0, OrderStatus.FILLED)
    trial.check(trial.order is not None and trial.order.filled_quantity == Decimal("0.01"), "another quantity")


async def _e_answer_after_the_timeout(trial: Trial) -> None:
    """(e) The answer comes at fifteen seconds, the connector waits for ten."""
    run = trial.run
    run.fault(DelayCall(method="POST", path=PLACE[run.venue], contains=trial.name, seconds=15))
    if run.random.random() < 0.5:
        trial.mute(12.0)
    await trial.place()
    trial.check_found(15.0, *RESTING)


async def _f_interrupted(trial: Trial) -> None:
    """(f) As (a), and the program is told to end."""
    run = trial.run
    run.fault(LoseAnswer(method="POST", path=PLACE[run.venue], contains=trial.name, how="silence"))
    connector = run.world.connector(run.venue)
    await connector.start()
    connector.on_incident(run.incidents.append)
    price = (run.host.exchange.mark_price("BTCUSDT") * Decimal("0.8")).quantize(Decimal(1))
    await connector.get_instruments()
    placing = asyncio.create_task(
        connector.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price=price, client_order_id=trial.name)
    )
    await run.clock.sleep(0.1)
    placing.cancel()
    await asyncio.wait((placing,))
    began_s = run.now_s
    trial.check([one.client_order_id for one in connector.unresolved_orders] == [trial.name], "not told as unresolved")
    await connector.close()
    trial.check(run.now_s - began_s < 3.0 + run.slack_s, "the end took more than three seconds")
    trial.check_words("UNRESOLVED")
    trial.check_counts(1)


async def _g_told_before_a_question(trial: Trial) -> None:
    """(g) The stream's word comes just before a question is due: it is not asked any more."""
    run = trial.run
    trial.lose(executed=True)
    trial.hide(5.0)
    trial.late_event(run.random.uniform(0.3, 0.95))
    await trial.place()
    trial.check_found(1.0, *RESTING)
    asked = len(trial.sent("GET", FIRST_READ[run.venue]))
    await run.clock.sleep(12)
    trial.check(len(trial.sent("GET", FIRST_READ[run.venue])) == asked, "asked after the stream's word")


VARIANTS: tuple[Callable[[Trial], Awaitable[None]], ...] = (
    _a_stream_tells,
    _b_only_questions_and_late,
    _c_never_placed,
    _d_filled_at_the_market,
    _e_answer_after_the_timeout,
    _f_interrupted,
    _g_told_before_a_question,
)


@scenario(settle_s=330.0, options={"rate": 0.5, "latency_s": 0.01, "order_latency_s": 0.005})
async def lost_response(run: Run) -> None:
    """Orders whose answers are lost, one after the other in every way: known in time, and sent once."""
    await run.follow()
    await run.connector.get_instruments()
    chosen = run.random.sample(VARIANTS, len(VARIANTS))
    await run.in_turn(variant(Trial(run, f"lost-{variant.__name__[1]}")) for variant in chosen)
    await run.clock.sleep(1 if run.is_real else 10)
    for order in run.connector.account_state.open_orders:
        await run.connector.cancel_order(order.symbol, order.order_id)

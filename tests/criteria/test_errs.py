"""ERRS: every code has one meaning for each kind of call, and an error says all that is known of it.

The tables are those of the venues' pages (usds-margined-futures/error-code as of 2026-10-23, docs/v5/error and
docs/v5/ws/trade as of 2026-07-24), grouped by what a caller may do, apart from the ones that the connector goes by.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Awaitable, Callable

import pytest

from perpwire.api_connector.retry import is_safe
from perpwire.clock import ManualClock
from perpwire.errors import APIError, NotSent, OutcomeUnknown, VenueRefused, Verdict
from perpwire.http_message import HttpReply
from perpwire.model.incident import Incident, UnknownCode
from perpwire.simulator.faults import Answer, LoseRequest
from perpwire.testing import World, offline
from perpwire.venues import binance_futures, bybit, load
from perpwire.venues.base import Endpoint
from perpwire.venues.binance_futures import endpoints_account, endpoints_orders
from perpwire.venues.bybit import endpoints as of_bybit

assert binance_futures
assert bybit


def each(*parts: int | range) -> tuple[int, ...]:
    return tuple(code for part in parts for code in (part if isinstance(part, range) else (part,)))


BINANCE: dict[Verdict, tuple[int, ...]] = {
    Verdict.UNKNOWN_OUTCOME: (-1000, -1006, -1007, -4083),
    Verdict.VENUE_DOWN: (-1001, -1016, -5043),
    Verdict.THROTTLED: (-1003, -1015),
    Verdict.CLOCK: (-1021, -5028),
    Verdict.AUTH: (-1002, -1022, -1099, -2014, -2015, -2017, -4056, -4057),
    Verdict.OK: (-4046, -4052, -4059, -4171, -5027),
    Verdict.CALLER_BUG: each(
        -1004, -1005, -1013, -1014, -1020, -1023, range(-1106, -1099), range(-1111, -1107), range(-1122, -1112), -1126,
        -1127, -1128, -1130, -1136, -2016, -2026, range(-4021, -3999), range(-4033, -4022), -4044, -4055, -4058, -4060,
        range(-4066, -4061), range(-4082, -4068), -4084, -4085, -4086, -4104, -4114, -4115, -4120, -4135, -4137, -4138,
        -4139, -4144, -4164, -4165, -4183, -4184, -4210, -4211, -5025, -5029, range(-5040, -5036), -5047,
    ),
    Verdict.REJECTED: each(
        -1011, -1112, -1125, range(-2013, -2009), -2018, -2019, -2020, -2021, range(-2025, -2021), -2027, -2028, -4022,
        -4045, -4047, -4048, -4049, -4050, -4051, -4053, -4054, -4061, -4067, -4068, -4087, -4088, -4105, -4106, -4107,
        -4109, -4116, -4117, -4118, -4131, -4140, -4141, -4142, -4161, range(-4170, -4166), -4172, -4189, -4192, -4202,
        -4203, -4205, -4206, -4208, -4209, range(-4403, -4399), -5021, -5022, -5024, -5026, -5041,
    ),
}  # fmt: skip

BYBIT: dict[Verdict, tuple[int, ...]] = {
    Verdict.UNKNOWN_OUTCOME: (
        429, 10000, 10016, 10019, 10429, 500000, 170001, 170007, 170032, 170146, 170147,
    ),
    Verdict.VENUE_DOWN: (110063, 110066, 110079, 3400214),
    Verdict.THROTTLED: (10006, 10018, 10403, 20003),
    Verdict.CLOCK: (-1, 10002),
    Verdict.AUTH: (10003, 10004, 10005, 10007, 10010, 33004, -2015),
    Verdict.OK: (34040, 110025, 110026, 110027, 110043, 20001),
    Verdict.CALLER_BUG: each(
        10001, 10017, 181017, 110003, 110011, 110046, 110039, 110040, 110013, 110047, 110048, 110031, 110089, 110018,
        110019, 110032, 110037, 110041, 110049, 110050, range(110054, 110062), 110078, 110086, 110090, 110094, 110108,
        110109, range(110110, 110118), 110135, 110136, 110137, 3100181, 3400139, 10404, 170346, 170360,
    ),
    Verdict.REJECTED: each(
        10014, 40004, 110005, 110009, 110017, 110020, 110021, 110024, 110028, 110033, 110034, 110035, 110064, 110073,
        110082, 110083, 110085, 110092, 110093, 110118, 3400045, 10008, 10009, 10024, 10027, 110124, 110132, 10028,
        100028, 10029, range(30133, 30137), 30228, 110015, 110036, 110038, 110076, 110077, 110022, 110023, 110042,
        110029, range(110067, 110072), 110074, 110080, 110087, range(110104, 110108), 110131, range(110095, 110101),
        110103, 110119, 3200403, 3200419, 3200425, 3200320, 3200641, 3400052, 3400053, 3400054,
        range(3400208, 3400214), 30208, 30209, 110120, 110121, 110001, 110008, 110010, 170213, 110004, 110006, 110007,
        110012, 110014, 110044, 110045, 110051, 110052, 110053, 110072, 110123, 110125, 3100197, 20006,
    ),
}  # fmt: skip

TABLES = {"binance": BINANCE, "bybit": BYBIT}

CALLS: dict[str, dict[str, Endpoint]] = {
    "binance": {
        "place": endpoints_orders.PLACE_ORDER,
        "cancel": endpoints_orders.CANCEL_ORDER,
        "read": endpoints_account.ACCOUNT,
    },
    "bybit": {"place": of_bybit.PLACE_ORDER, "cancel": of_bybit.CANCEL_ORDER, "read": of_bybit.ACCOUNT},
}

STATUS = {-1008: 503, -1003: 429, -1015: 429, -1001: 503, -1016: 503, -1007: 408, -2014: 401, -2015: 401}
"""Binance's HTTP status where it is not 400."""


def answered(venue: str, endpoint: Endpoint, code: int) -> APIError:
    if venue == "binance":
        reply = HttpReply(
            status=STATUS.get(code, 400), headers={}, body=json.dumps({"code": code, "msg": "the words"}).encode()
        )
    else:
        body = {"retCode": code, "retMsg": "the words", "result": {}, "retExtInfo": {}, "time": 1_790_000_000_000}
        reply = HttpReply(status=200, headers={}, body=json.dumps(body).encode())
    with pytest.raises(APIError) as caught:
        load(venue).decode(endpoint, reply)
    return caught.value


def test_errs_1_the_tables_hold_what_the_venues_document() -> None:
    assert len(BINANCE[Verdict.CALLER_BUG]) > 100
    for table in TABLES.values():
        codes = [code for codes in table.values() for code in codes]
        assert len(codes) == len(set(codes)) >= 150


@pytest.mark.parametrize("call", ["place", "cancel", "read"])
@pytest.mark.parametrize("venue", TABLES)
def test_errs_1_a_code_has_its_verdict_for_each_kind_of_call(venue: str, call: str) -> None:
    endpoint = CALLS[venue][call]
    for verdict, codes in TABLES[venue].items():
        # Nothing can have been done by a call that reads.
        is_of_no_harm = verdict is Verdict.UNKNOWN_OUTCOME and call == "read"
        expected = Verdict.VENUE_DOWN if is_of_no_harm else verdict
        may_pass_later = expected in (Verdict.THROTTLED, Verdict.CLOCK, Verdict.VENUE_DOWN)
        asked_again = expected is Verdict.UNKNOWN_OUTCOME and call == "cancel"
        for code in codes:
            error = answered(venue, endpoint, code)
            assert error.verdict is expected, code
            assert error.is_listed, code
            assert is_safe(error, endpoint) is (may_pass_later or asked_again), code


@pytest.mark.parametrize(
    ("call", "kind"), [("place", OutcomeUnknown), ("cancel", OutcomeUnknown), ("read", VenueRefused)]
)
@pytest.mark.parametrize(("venue", "code"), [("binance", -9876), ("bybit", 987654)])
def test_errs_1_an_unlisted_code_leaves_a_write_in_doubt_and_refuses_a_read(
    venue: str, code: int, call: str, kind: type[APIError]
) -> None:
    error = answered(venue, CALLS[venue][call], code)
    assert type(error) is kind
    assert not error.is_listed


def play(scene: Callable[[World], Awaitable[None]]) -> None:
    clock = ManualClock()

    async def main() -> None:
        async with offline(clock=clock) as world:
            await scene(world)

    clock.run(main())


REPLIES = {
    "binance": '{"code":-9876,"msg":"Something new."}',
    "bybit": '{"retCode":987654,"retMsg":"Something new.","result":{},"retExtInfo":{},"time":1790000000000}',
}


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_errs_1_an_unlisted_code_is_told_and_counted(venue: str) -> None:
    async def scene(world: World) -> None:
        connector = world.connectors[venue]
        incidents: list[Incident] = []
        connector.on_incident(incidents.append)
        status = 400 if venue == "binance" else 200
        world.simulation.faults[venue].add(Answer(method="GET", status=status, body=REPLIES[venue]))
        with pytest.raises(VenueRefused):
            await connector.get_account_info()
        (told,) = [one for one in incidents if isinstance(one, UnknownCode)]
        assert told.call == "account"
        assert connector.metrics.unknown_codes == {str(told.code): 1}

    play(scene)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_errs_3_an_error_carries_all_that_is_known_of_it(venue: str) -> None:
    async def scene(world: World) -> None:
        connector = world.connectors[venue]
        await connector.get_instruments()
        header = connector.venue.request_id_header
        status = 400 if venue == "binance" else 200
        world.simulation.faults[venue].add(LoseRequest(method="GET", how="reset"))
        world.simulation.faults[venue].add(
            Answer(method="GET", status=status, body=REPLIES[venue], headers={header: "req-77"})
        )
        began_ns = world.clock.monotonic_ns()
        with pytest.raises(VenueRefused) as caught:
            await connector.get_account_info()
        error = caught.value
        assert error.http_status == status
        assert error.code in (-9876, 987654)
        assert error.reason == "Something new."
        assert error.request_id == "req-77"
        assert error.attempts == 2
        assert error.elapsed_ms == pytest.approx((world.clock.monotonic_ns() - began_ns) / 1e6, abs=0.1)
        assert error.safe_to_retry is False
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.attempts) == (type(error), str(error), 2)

    play(scene)


# --- overload: Binance's -1008 ----------------------------------------------------------------------------------------

OVERLOAD = (
    '{"code":-1008,"msg":"Server is currently overloaded with other requests. Please try again in a few minutes."}'
)


def overload(*, executed: bool = False, count: int = 1) -> Answer:
    return Answer(method="POST", path="/fapi/v1/order", status=503, body=OVERLOAD, executed=executed, count=count)


def placings(world: World) -> list[float]:
    """When an order was sent, in seconds."""
    entries = world.simulation.journal["binance"].entries(kind="request")
    return [entry.time_ns / 1e9 for entry in entries if entry.text.startswith("POST /fapi/v1/order?")]


def questions(world: World, client_order_id: str) -> list[float]:
    entries = world.simulation.journal["binance"].entries(kind="request")
    asked = f"origClientOrderId={client_order_id}"
    return [
        entry.time_ns / 1e9 for entry in entries if entry.text.startswith("GET /fapi/v1/order?") and asked in entry.text
    ]


@pytest.mark.parametrize("closing", ["reduce-only", "hedge mode"])
def test_errs_2_an_order_that_only_reduces_goes_out_again_at_once(closing: str) -> None:
    """The venue exempts it."""

    async def scene(world: World) -> None:
        connector = world.binance
        if closing == "hedge mode":
            await connector.set_position_mode("HEDGE")
        await connector.place_order("BTCUSDT", "BUY", "0.02")
        before = len(placings(world))
        world.simulation.faults["binance"].add(overload())
        order = await connector.place_order("BTCUSDT", "SELL", "0.01", reduce_only=True)
        assert order.filled_quantity == order.quantity
        first, second = placings(world)[before:]
        assert second - first < 0.2

    play(scene)


def test_errs_2_any_other_order_is_looked_for_three_times_in_three_seconds_and_not_sent_again() -> None:
    """It ends as throttled, and whether to send it again is the caller's to say."""

    async def scene(world: World) -> None:
        world.simulation.faults["binance"].add(overload(count=10))
        began = world.clock.monotonic_ns()
        with pytest.raises(NotSent) as caught:
            await world.binance.place_order("BTCUSDT", "BUY", "0.01", "LIMIT", price="60000", client_order_id="busy-1")
        assert caught.value.code == -1008
        assert (world.clock.monotonic_ns() - began) / 1e9 == pytest.approx(3.0, abs=0.3)
        assert len(placings(world)) == 1
        assert len(questions(world, "busy-1")) == 3
        assert world.simulation.exchanges["binance"].open_orders("main", None) == []

    play(scene)


def test_errs_2_one_that_was_placed_all_the_same_is_found() -> None:
    async def scene(world: World) -> None:
        world.simulation.faults["binance"].add(overload(executed=True))
        order = await world.binance.place_order(
            "BTCUSDT", "BUY", "0.01", "LIMIT", price="60000", client_order_id="busy-2"
        )
        assert order.client_order_id == "busy-2"
        assert len(placings(world)) == 1
        assert len(world.simulation.exchanges["binance"].open_orders("main", None)) == 1

    play(scene)


def test_errs_2_the_code_is_throttled_and_not_safe_to_repeat_for_an_order() -> None:
    """For a read it is."""
    verdicts = {}
    for call in ("place", "read"):
        endpoint = CALLS["binance"][call]
        error = answered("binance", endpoint, -1008)
        verdicts[call] = (error.verdict, is_safe(error, endpoint), error.is_listed)
    assert verdicts == {"place": (Verdict.THROTTLED, False, True), "read": (Verdict.THROTTLED, True, True)}

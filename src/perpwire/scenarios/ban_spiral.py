"""Calls as fast as they are let through, others behind the same address, a 429, a storm of snapshots, and a ban.

Twelve books stand for two hundred here: the calls that go on beside them keep the budget used up, so that each
snapshot waits for its turn as it would then, at a tenth of the time that playing it takes.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from decimal import Decimal

from perpwire.errors import APIError, BookNotInSync, RateLimited
from perpwire.model.incident import ConnectionLost, RateLimitHit
from perpwire.scenarios.registry import scenario
from perpwire.scenarios.run import Run
from perpwire.scenarios.tapping import Sent
from perpwire.simulator.dialect import IncomingRequest
from perpwire.simulator.faults import Act, Answer, Cut
from perpwire.simulator.listing import Listing

BOOKS = 12
CALLERS = 24
MOST = 2160
"""Nine tenths of what the address may use in a minute at Binance."""

FOREIGN = 400

SYMBOLS = tuple(Listing(symbol=f"COIN{number}USDT", start_price=Decimal(100)) for number in range(BOOKS - 3))


@scenario(options={"rate": 0.6, "symbols": SYMBOLS, "latency_s": 0.02})
async def ban_spiral(run: Run) -> None:
    """Two dozen callers use up the budget while the venue says 429, sockets are lost, and the address is banned."""
    await run.follow()
    await run.place("BTCUSDT", "BUY", "0.1")
    names = list(await run.connector.get_instruments())
    await asyncio.gather(*(_open(run, name) for name in names))
    await run.clock.sleep(60)  # what the start has used is forgotten
    callers = [asyncio.create_task(_call(run)) for _ in range(CALLERS)]
    try:
        await (_binance(run) if run.venue == "binance" else _bybit(run))
    finally:
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)


async def _open(run: Run, symbol: str) -> None:
    """A quiet market may take its time until its book is proven."""
    while symbol not in run.books:
        with suppress(BookNotInSync):
            run.books[symbol] = await run.connector.open_book(symbol, levels=500)


async def _call(run: Run) -> None:
    """Books, one after another, as fast as they may be read; nothing but RateLimited is ever raised."""
    while True:
        try:
            await run.connector.get_order_book("BTCUSDT", run.random.choice((5, 100, 500, 1000)))
        except RateLimited:
            await run.clock.sleep(1)
        except APIError as error:
            run.check(False, f"a call ended in {error!r}")
            return


# --- Binance ----------------------------------------------------------------------------------------------------------


async def _binance(run: Run) -> None:
    began_s = run.now_s
    await run.until(began_s + 10)
    foreign_s = run.now_s
    for _ in range(FOREIGN // 20):
        await run.host.handle_http(
            IncomingRequest(
                method="GET", path="/fapi/v1/depth", query="symbol=BTCUSDT&limit=1000", headers={}, body=b""
            )
        )
    await run.until(began_s + 20)
    await _too_many(run)
    await run.until(began_s + 70)
    run.fault(Cut(route="/public"), Cut(route="/market"))
    reducing = asyncio.create_task(_reduce(run, began_s + 72))
    await run.clock.sleep(1)
    await _until_all_live(run, began_s + 190)
    await reducing
    run.check(418 not in {one.status for one in run.tap.sent}, "the address was banned")
    await run.until(began_s + 200)
    run.fault(Act(do="ban", args={"seconds": "120"}))
    await _banned(run, 120)
    _check_weights(run, began_s, foreign_s)


async def _too_many(run: Run) -> None:
    """One call is told 429; whoever calls in the seven seconds that it states is told 418."""
    run.fault(
        Answer(path="/fapi/v3/account", status=429, headers={"Retry-After": "7"},
               body='{"code":-1003,"msg":"Too many requests."}'),
        Answer(canned="banned", after_s=0.3, for_s=6.7, count=None),
    )  # fmt: skip
    asked = asyncio.create_task(run.connector.get_account_info())
    hits = _hits(run)
    while _hits(run) == hits:
        await run.clock.sleep(0.005)
    told_s = next(one.answered_s for one in run.tap.sent if one.status == 429) or 0.0
    await asked
    run.check(run.now_s >= told_s + 7, "the call that was refused came back too early")
    held = run.tap.between(told_s, told_s + 7)
    run.check(not held, f"{len(held)} requests left after the 429")
    run.check(_hits(run) == hits + 1, f"{_hits(run) - hits} incidents of one 429")


async def _reduce(run: Run, at_s: float) -> None:
    await run.until(at_s)
    submitted_s = run.now_s
    await run.place("BTCUSDT", "SELL", "0.1", reduce_only=True)
    left = [one.at_s for one in run.tap.between(submitted_s - 1e-3, run.now_s) if one.method == "POST"]
    run.check(bool(left) and left[0] - submitted_s <= 0.05, "the reducing order did not leave at once")


async def _until_all_live(run: Run, until_s: float) -> None:
    while (missing := [name for name, book in run.books.items() if not book.is_in_sync]) and run.now_s < until_s:
        await run.clock.sleep(0.5)
    run.check(not missing, f"{len(missing)} books are not live by t=190: {missing[:3]}")


async def _banned(run: Run, seconds: float) -> None:
    """Nothing leaves until the ban is over, sockets stay, and it is told of once."""
    ends_ms = run.host.exchange.now_ms() + seconds * 1000
    before = _hits(run)
    while _hits(run) == before:
        await run.clock.sleep(0.005)
    if run.venue == "bybit":
        ends_ms = run.host.exchange.now_ms() + seconds * 1000
    told_s, until_ms = run.now_s, run.connector.banned_until_ms
    run.check(until_ms is not None and abs(until_ms - ends_ms) <= 1000, f"banned until {until_ms}, not {ends_ms}")
    await run.clock.sleep((ends_ms - run.host.exchange.now_ms()) / 1000 - 0.01)
    # (One may be replaced before it goes: in so quiet a market even a busy contract's book may rest for long.)
    lost = [
        one for one in run.incidents if isinstance(one, ConnectionLost) and one.time_ns / 1e6 > ends_ms - seconds * 1000
    ]
    run.check(not lost, "a socket was lost during the ban")
    held = run.tap.between(told_s, run.now_s)
    run.check(not held, f"{len(held)} requests left during the ban")
    run.check(_hits(run) == before + 1, f"{_hits(run) - before} incidents of one ban")
    ended = len(run.tap.sent)
    await run.clock.sleep(5)
    run.check(len(run.tap.sent) > ended and run.connector.banned_until_ms is None, "calls do not go on after the ban")


def _hits(run: Run) -> int:
    return sum(isinstance(one, RateLimitHit) for one in run.incidents)


def _check_weights(run: Run, began_s: float, foreign_s: float) -> None:
    """What we and others have used in any rolling minute."""
    used = [(one.at_s, _weight(one)) for one in run.tap.sent if one.at_s >= began_s]
    used = sorted([*used, (foreign_s, FOREIGN)])
    first = total = most = 0
    for at_s, weight in used:
        total += weight
        while used[first][0] <= at_s - 60:
            total -= used[first][1]
            first += 1
        most = max(most, total)
    run.check(1500 < most <= MOST, f"{most} units of weight in one minute")


def _weight(sent: Sent) -> int:
    match sent.path:
        case "/fapi/v1/depth":
            limit = int(sent.params["limit"])
            return 2 if limit <= 50 else 5 if limit <= 100 else 10 if limit <= 500 else 20
        case "/fapi/v3/account" | "/fapi/v3/positionRisk":
            return 5
        case "/fapi/v1/order":
            return 1 if sent.method != "POST" else 0
        case "/fapi/v1/openOrders" if "symbol" not in sent.params:
            return 40
    return 1


# --- Bybit ------------------------------------------------------------------------------------------------------------

PLACE = "/v5/order/create"


async def _bybit(run: Run) -> None:
    """The limit of an endpoint, told in three ways, and that of the address."""
    for reset_in_ms, wait_s in ((700, 0.7), (None, 2.0), (-1000, 0.0)):
        await run.clock.sleep(3)
        await _endpoint_limit(run, reset_in_ms, wait_s)
    own = [one for one in run.tap.sent if b'"retCode":10006' in one.answer]
    run.check(len(own) == 3, f"the venue said 10006 {len(own)} times, 3 of them were made up")
    await _reduce(run, run.now_s)
    ban = Act(do="ban", args={"seconds": "600"})
    run.fault(ban)
    await _banned(run, 600)  # the venue says no end: ten minutes from the first refusal


async def _endpoint_limit(run: Run, reset_in_ms: int | None, wait_s: float) -> None:
    now_ms = run.host.exchange.now_ms()
    headers = {} if reset_in_ms is None else {"X-Bapi-Limit-Reset-Timestamp": str(now_ms + reset_in_ms)}
    body = f'{{"retCode":10006,"retMsg":"Too many visits.","result":{{}},"time":{now_ms}}}'
    run.fault(Answer(method="POST", path=PLACE, status=200, headers=headers, body=body))
    start = len(run.tap.sent)
    hits = _hits(run)
    placing = asyncio.create_task(run.place("BTCUSDT", "BUY", "0.001"))
    while _hits(run) == hits:
        await run.clock.sleep(0.001)
    if wait_s:
        ledger, now_ns = run.connector.ledger, run.clock.monotonic_ns()
        run.check(ledger.is_stopped({"ip_5s": 1, "place_1s": 1}, now_ns), "orders are not held back")
        run.check(not ledger.is_stopped({"ip_5s": 1, "cancel_1s": 1}, now_ns), "cancels are held back")
    order = await placing
    run.check(order is not None, "the order was not placed in the end")
    first, again = [one for one in run.tap.sent[start:] if one.path == PLACE]
    waited_s = again.at_s - (first.answered_s or 0.0)
    run.check(abs(waited_s - wait_s) < 0.05, f"waited {waited_s:.2f} s, not {wait_s:g}")

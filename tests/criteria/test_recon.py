"""RECON: every connection comes back by itself, with all that was subscribed."""

from __future__ import annotations

import asyncio
from socket import EAI_AGAIN, gaierror

import pytest
from tests.criteria.streamed import VENUES, played
from tests.sizes import FULL, size

from perpwire.api_connector.websocket_manager import StreamSettings
from perpwire.model.market import BookTicker, MarkPrice, Trade
from perpwire.scenarios.hearing import PUBLIC, TOP, Hearing
from perpwire.scenarios.registry import scenarios
from perpwire.scenarios.run import Run, play
from perpwire.scenarios.streaming import Doors, Streaming
from perpwire.simulator.faults import (
    Answer,
    AnyFault,
    BreakMessage,
    Close,
    Cut,
    Refuse,
    Reset,
    Silence,
)
from perpwire.transport.base import Socket, SocketListener, TransportFailed

ENDS: list[AnyFault] = [
    Close(code=1000),
    Close(code=1001),
    Cut(),
    Close(code=1008, reason="Too many requests"),
    Close(code=1011),
    Reset(),
    Silence(what="all"),
]


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("end", ENDS, ids=repr)
@pytest.mark.parametrize("away_s", [4.0, 0.0] if FULL else [4.0])
def test_recon_1_after_any_end_all_that_was_subscribed_delivers_within_ten_seconds(
    end: AnyFault, away_s: float, venue: str
) -> None:
    """And nothing is doubled or lost beyond the outage: what was delivered is compared with what was sent."""

    async def scenario(run: Run) -> None:
        await run.follow("BTCUSDT")
        hearing = Hearing(run)
        await run.clock.sleep(30)
        run.fault(end)
        noticed_s = 10.0 if isinstance(end, Silence) else 0.0
        if away_s:
            run.fault(Refuse(seconds=away_s + noticed_s))
        back_s = run.now_s + away_s + noticed_s
        await run.clock.sleep(away_s + noticed_s + 25)  # half-open, the account's socket is noticed by its pings
        for kinds in ((BookTicker,), (Trade,), (MarkPrice,)):
            late_s = hearing.first(kinds, back_s) - back_s
            run.check(late_s <= 10, f"{kinds[0].__name__} came {late_s:.1f} s after the way was free")

    assert played(scenario, venue).problems == []


class NoNames(Doors):
    """The host's name can't be resolved for a while."""

    until_s = 0.0

    async def connect(self, url: str, listener: SocketListener, timeout_s: float) -> Socket:
        self.tried_s.append(self._run.now_s)
        if self._run.now_s < self.until_s:
            error = gaierror(EAI_AGAIN, "Temporary failure in name resolution")
            raise TransportFailed(str(error), may_have_been_sent=False) from error
        return await self._sockets.connect(url, listener, timeout_s)


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("away_s", [3.0, 60.0])
def test_recon_1_after_a_while_without_name_resolution_all_that_was_subscribed_is_back(
    away_s: float, venue: str
) -> None:
    async def scenario(run: Run) -> None:
        doors = NoNames(run)
        client = Streaming(run, StreamSettings(), doors)
        names = {
            "binance": ["btcusdt@bookTicker", "btcusdt@aggTrade", "btcusdt@markPrice@1s"],
            "bybit": ["orderbook.1.BTCUSDT", "publicTrade.BTCUSDT", "tickers.BTCUSDT"],
        }[venue]
        async with client.manager:
            await client.connect(names)
            await run.clock.sleep(5)
            before = len(doors.tried_s)
            back_s = doors.until_s = run.now_s + away_s
            run.fault(Cut())
            await run.clock.sleep(away_s + 45)
            tried = [one for one in doors.tried_s[before:] if one < back_s]
            run.check(len(tried) >= 2, f"only {len(tried)} tries without a name")
            for name in names:
                first_s = min(one for one in client.heard_s[name] if one > back_s)
                run.check(first_s - back_s <= max(10.0, away_s / 2), f"{name}: {first_s - back_s:.1f} s")
            told = [one for one in client.incidents if "name resolution" in one.detail]
            run.check(bool(told), "nobody was told why")

    assert played(scenario, venue).problems == []


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("status", [429, 502, 503])
def test_recon_1_refused_handshakes_are_tried_again_until_one_is_taken(status: int, venue: str) -> None:
    async def scenario(run: Run) -> None:
        await run.follow("BTCUSDT")
        hearing = Hearing(run)
        await run.clock.sleep(5)
        run.fault(Answer(method="WS", path=f"{PUBLIC[run.venue]}*", status=status, count=12))
        run.fault(Cut(route=PUBLIC[run.venue]))
        cut_s = run.now_s
        await run.clock.sleep(400)
        run.check(hearing.first(TOP, cut_s + 1) < cut_s + 400, "it never came back")
        opened = hearing.opened(PUBLIC[run.venue], cut_s)
        run.check(len(opened) == 1, f"{len(opened)} sockets were let through")

    assert played(scenario, venue, rate=2.0).problems == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, size(5, 2)))
def test_recon_2_an_amend_while_the_account_is_not_logged_in_is_sent_once_or_not_at_all(seed: int) -> None:
    """Bybit; its trading socket and the account's are cut, and the login's answer comes late."""
    assert play(scenarios()["amend_before_login"], "bybit", seed).problems == []


@pytest.mark.slow
@pytest.mark.parametrize("venue", VENUES)
def test_recon_3_after_five_resets_in_the_resubscribe_step_the_sixth_try_is_made(venue: str) -> None:
    async def scenario(run: Run) -> None:
        await run.follow("BTCUSDT")
        hearing = Hearing(run)
        await run.clock.sleep(5)
        answer = '"result"' if run.venue == "binance" else '"subscribe"'
        run.fault(BreakMessage(topic="", route=PUBLIC[run.venue], contains=answer, count=5))
        run.fault(Cut(route=PUBLIC[run.venue]))
        cut_s = run.now_s
        await run.clock.sleep(120)
        run.check(len(hearing.opened(PUBLIC[run.venue], cut_s)) == 6, f"{hearing.opened(PUBLIC[run.venue], cut_s)}")
        run.check(hearing.first(TOP, cut_s + 1) < cut_s + 120, "it never came back")
        await asyncio.sleep(0)

    assert played(scenario, venue, rate=2.0).problems == []

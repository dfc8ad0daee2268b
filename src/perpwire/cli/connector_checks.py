"""What a connector can find out of a venue, its clock, a key and the streams, by using them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from perpwire.api_connector.stream_methods import OF_THE_ACCOUNT
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.checks import Check, Checks, Mark, ok, refused, skipped, warning, wrong
from perpwire.cli.printing import moment
from perpwire.clock import Clock
from perpwire.credentials import Credentials
from perpwire.errors import APIError, AuthenticationFailed, BadInput, NotOffered, PerpwireError, RateLimited
from perpwire.model.account import KeyInfo
from perpwire.model.incident import Incident, LoginRefused
from perpwire.model.market import BookTicker, Event, MarkPrice, Trade

ASKED = 5
"""So often the time is asked for: the quickest answer tells most of the clock, the middle one of the way."""

CLOCK_GOOD_MS = 250.0
CLOCK_BAD_MS = 1000.0
"""Binance refuses what is stamped more than a second ahead."""

SLOW_MS = 500.0
DAY_MS = 86_400_000
NEAR_EXPIRY_DAYS = 14

BUDGET_HIGH, BUDGET_FULL = 0.5, 0.9
"""Shares of a limit."""

MUST_SPEAK: tuple[type[Event], ...] = (BookTicker, MarkPrice)
MAY_BE_QUIET: tuple[type[Event], ...] = (Trade,)

QUIET_S = 2.0
"""For so long the account's stream is held against the venue's lists."""

LATE_S = 1.5

_FOLLOWED = "Orders are still followed by calls, twice a minute."

PLACEHOLDERS = ("your", "xxx", "changeme", "<", ">", "api_key", "apikey")

SYNC = "Set this machine's clock by NTP (Linux: `timedatectl set-ntp true`)."


async def connector_checks(
    connector: VenueConnector, clock: Clock, keys: Credentials | None, no_keys: str, *, symbol: str, patience_s: float
) -> Checks:
    """
    Args:
        connector: Not started, made with check_key=False and warm=False.
        keys: Those of the connector; None: there are none.
        no_keys: Why not.
        symbol: Whose streams are looked at.
        patience_s: For each thing that is waited for.
    """
    refusals: list[LoginRefused] = []

    def on_incident(incident: Incident) -> None:
        if isinstance(incident, LoginRefused):
            refusals.append(incident)

    connector.on_incident(on_incident)
    format_of_key = _key_format(keys, no_keys)
    if format_of_key.mark is not Mark.OK:
        yield format_of_key
    try:
        try:
            await connector.start()
        except BadInput as error:
            yield wrong("start", f"{error.code}: {error.reason}", error.advice)
            return
        except APIError as error:
            yield _ban(connector, error) or refused("answer", error)
            return
        # First, as what is asked next waits while the budget is used up.
        yield budget_check(connector, clock)
        answered = False
        async for check in _public_checks(connector, clock):
            answered = answered or check.name == "clock"
            yield check
        if format_of_key.mark is Mark.OK:
            yield format_of_key
        accepted = False
        if format_of_key.mark is Mark.WRONG or keys is None:
            yield skipped("key accepted", "there is no key that can be used")
        elif answered:
            check = await _accepted(connector)
            accepted = check.mark is Mark.OK
            yield check
            async for check in _rights(connector, accepted):
                yield check
        async for check in _stream_checks(connector, clock, symbol, patience_s):
            yield check
        if accepted:
            yield await _account_stream(connector, clock, refusals, patience_s)
        else:
            yield skipped("account stream", "it needs a key that is accepted")
    finally:
        await connector.close()


# --- the venue --------------------------------------------------------------------------------------------------------


async def _public_checks(connector: VenueConnector, clock: Clock) -> Checks:
    """Nothing after an error: what follows would only say it again."""
    samples: list[tuple[float, float]] = []
    try:
        for _ in range(ASKED):
            began_ns, asked_ms = clock.monotonic_ns(), clock.time_ns() / 1e6
            venue_ms = await connector.get_server_time()
            took_ms = (clock.monotonic_ns() - began_ns) / 1e6
            # The venue cuts its time to whole milliseconds.
            samples.append((took_ms, venue_ms + 0.5 - asked_ms - took_ms / 2))
        status = await connector.get_venue_status()
        contracts = len(await connector.get_instruments())
    except APIError as error:
        yield _ban(connector, error) or refused("answer", error)
        return
    took = sorted(took_ms for took_ms, _ in samples)
    middle_ms = took[len(took) // 2]
    facts = {"round trip ms": round(middle_ms, 1)}
    if middle_ms > SLOW_MS:
        yield warning(
            "answer", f"a call takes {middle_ms:.0f} ms ({took[0]:.0f} to {took[-1]:.0f})",
            "Trade from a machine nearer to the venue, or look for what slows this network down.", **facts,
        )  # fmt: skip
    else:
        yield ok("answer", f"a call takes {middle_ms:.0f} ms ({took[0]:.0f} to {took[-1]:.0f})", **facts)
    took_ms, offset_ms = min(samples)
    yield _clock_check(offset_ms, took_ms / 2)
    words = f"it works; {contracts} contracts"
    about = {"is up": status.is_up, "contracts": contracts}
    if not status.is_up:
        yield wrong("venue", "it is down, as it says itself", "Wait until its maintenance is over.", **about)
    elif status.notices:
        yield warning("venue", f"{words}; notices: {'; '.join(status.notices)}", "Read the venue's site.", **about)
    else:
        yield ok("venue", words, **about)


def _ban(connector: VenueConnector, error: APIError) -> Check | None:
    """What is held back for being too fast is told as such."""
    if not isinstance(error, RateLimited):
        return None
    until_ms = connector.banned_until_ms
    until = f" until {moment(until_ms)} UTC" if until_ms else ""
    return wrong(
        "address",
        f"the venue takes no calls from this address{until}: {error.reason}",
        "Stop every program here that calls the venue and wait: calls made meanwhile make the ban longer. Then let all "
        "of them share one budget, or use streams in place of calls.",
        code=error.code,
        retry_after_s=error.retry_after_s,
    )


def _clock_check(offset_ms: float, error_ms: float) -> Check:
    """
    Args:
        offset_ms: How far the venue's clock is ahead of this machine's.
        error_ms: It is right to so much: half of the way there and back.
    """
    direction = "behind" if offset_ms > 0 else "ahead of"
    found = f"this machine's clock is {abs(offset_ms):.0f} ms (± {error_ms:.0f}) {direction} the venue's"
    facts = {"venue ahead of this machine ms": round(offset_ms, 1)}
    surely_ms = abs(offset_ms) - error_ms
    if surely_ms <= CLOCK_GOOD_MS:
        return ok("clock", found, **facts)
    means = "perpwire corrects for it; times in logs, and requests of other programs here, are off by as much"
    if surely_ms <= CLOCK_BAD_MS:
        return warning("clock", f"{found}: {means}", SYNC, **facts)
    return wrong("clock", f"{found}: {means}, and such requests are refused", SYNC, **facts)


# --- the key ----------------------------------------------------------------------------------------------------------


def _key_format(keys: Credentials | None, no_keys: str) -> Check:
    """What can be seen of a key without asking; nothing of it is shown."""
    name = "key format"
    if keys is None:
        return warning(name, f"no key: {no_keys}", "Only public data can be had without. See docs/keys-and-hosts.md.")
    key = keys.api_key
    mend = "Copy the key anew from the venue's site."
    if not key.isascii() or not key.isprintable() or any(sign in key for sign in " '\""):
        return wrong(name, "the key has characters that no key has, such as a blank or a quotation mark", mend)
    if any(word in key.lower() for word in PLACEHOLDERS):
        return wrong(name, "the key looks like the placeholder of an example", mend)
    try:
        keys.check()
    except BadInput as error:
        return wrong(name, error.reason, error.advice)
    return ok(name, f"it can be read; kind {keys.kind.name}", **{"kind of key": keys.kind.name})


async def _accepted(connector: VenueConnector) -> Check:
    name = "key accepted"
    try:
        await connector.get_account_info()
    except AuthenticationFailed as error:
        return refused(name, error)
    except APIError as error:
        return _ban(connector, error) or refused(name, error)
    return ok(name, "the venue takes it; the account can be read", **{"account can be read": True})


async def _rights(connector: VenueConnector, accepted: bool) -> Checks:
    try:
        info = await connector.get_key_info()
    except NotOffered:
        yield skipped("key rights", "this environment has nobody to ask what the key may do")
        return
    except APIError as error:
        if accepted:  # otherwise it would only say the same again
            yield warning("key rights", f"could not be asked: {error.reason}", error.advice)
        return
    server_ms = await connector.get_server_time()
    yield _trading_right(info)
    if info.ip_bound is False:
        yield warning(
            "key's addresses",
            "the key is bound to no address: whoever learns it can use it from anywhere",
            "Bind it to this machine's address on the venue's site.",
        )
    elif info.ip_bound:
        yield ok("key's addresses", "the key is bound to addresses, and taken from this one")
    yield _expiry(info, server_ms)


def _trading_right(info: KeyInfo) -> Check:
    name = "key rights"
    facts = {"rights": info}
    if info.can_trade is False:
        return wrong(
            name, "the key may read, and not trade derivatives: orders will be refused",
            "Give it that right on the venue's site (Binance: Enable Futures; Bybit: Contract, Orders and Positions, "
            "read-write).", **facts,
        )  # fmt: skip
    if info.can_withdraw:
        return wrong(
            name, "the key may withdraw funds: perpwire refuses such a key",
            "Make a key without that right; or allow it by name: allow_withdrawal_key=True.", **facts,
        )  # fmt: skip
    return ok(name, f"it may trade, and not withdraw ({', '.join(info.permissions) or 'as the venue says'})", **facts)


def _expiry(info: KeyInfo, now_ms: int) -> Check:
    name = "key's expiry"
    if info.expires_time_ms is None:
        return ok(name, "it does not expire")
    days = (info.expires_time_ms - now_ms) // DAY_MS
    when = moment(info.expires_time_ms)
    mend = "Renew it on the venue's site; bound to addresses it lasts."
    if days < 0:
        return wrong(name, f"it expired on {when} UTC", mend)
    if days < NEAR_EXPIRY_DAYS:
        return warning(name, f"it expires in {days} days, on {when} UTC", mend)
    return ok(name, f"it expires in {days} days, on {when} UTC")


# --- budget and streams -----------------------------------------------------------------------------------------------


def budget_check(connector: VenueConnector, clock: Clock) -> Check:
    name = "rate budget"
    now_ns = clock.monotonic_ns()
    if (until_ms := connector.banned_until_ms) is not None:
        return wrong(name, f"calls are held back until {moment(until_ms)} UTC", "Wait; other programs here must too.")
    used = {
        one.name: (connector.ledger.used(one.name, now_ns), connector.ledger.limit(one.name))
        for one in connector.venue.limits
    }
    fullest = max(used, key=lambda window: used[window][0] / used[window][1])
    units, limit = used[fullest]
    found = f"{units} of {limit} used of the fullest window ({fullest})"
    facts = {"used": {window: spent for window, (spent, _) in used.items() if spent}}
    mend = (
        "Calls wait until there is room again. Others at this address or with this account use it too: let them share "
        "one budget, or call less."
    )
    if units > limit * BUDGET_FULL:
        return wrong(name, found, mend, **facts)
    if units > limit * BUDGET_HIGH:
        return warning(name, found, mend, **facts)
    return ok(name, found, **facts)


async def _stream_checks(connector: VenueConnector, clock: Clock, symbol: str, patience_s: float) -> Checks:
    began_ns = clock.monotonic_ns()
    heard: dict[str, float] = {}
    lags: list[float] = []
    news = asyncio.Event()

    def on_event(event: Event) -> None:
        kind = next((one.__name__ for one in (*MUST_SPEAK, *MAY_BE_QUIET) if isinstance(event, one)), "")
        heard.setdefault(kind, (clock.monotonic_ns() - began_ns) / 1e6)
        if (lag_ms := connector.lag_ms(event)) is not None:
            lags.append(lag_ms)
        news.set()

    kinds = (*MUST_SPEAK, *MAY_BE_QUIET)
    offs = [connector.on(kind, on_event, symbol) for kind in kinds]
    name = "public streams"
    try:
        async with asyncio.timeout(patience_s):
            await connector.subscribe(kinds, [symbol])
            while len(heard) < len(kinds):
                news.clear()
                await news.wait()
    except TimeoutError:
        pass
    except APIError as error:
        yield refused(name, error)
        return
    finally:
        for off in offs:
            off()
    yield _streams_check(connector, symbol, heard, patience_s)
    if lags:
        lag_ms = sorted(lags)[len(lags) // 2]
        words = f"what streams tell is {lag_ms:.0f} ms old when it is here"
        if lag_ms > SLOW_MS:
            yield warning(
                "stream latency", words, "Look at the network, or trade from a machine nearer to the venue.",
                **{"lag ms": round(lag_ms, 1)},
            )  # fmt: skip
        else:
            yield ok("stream latency", words, **{"lag ms": round(lag_ms, 1)})


def _streams_check(connector: VenueConnector, symbol: str, heard: dict[str, float], patience_s: float) -> Check:
    name = "public streams"
    facts = {"first data ms": {kind: round(ms, 1) for kind, ms in heard.items()}}
    times = ", ".join(f"{kind} after {ms:.0f} ms" for kind, ms in heard.items())
    mute = [kind.__name__ for kind in MUST_SPEAK if kind.__name__ not in heard]
    if mute:
        states = {state.value for state in connector.streams.states.values()}
        how = "subscribed, and mute" if states == {"live"} else f"not live ({', '.join(sorted(states)) or 'no socket'})"
        return wrong(
            name,
            f"no {' and no '.join(mute)} of {symbol} within {patience_s:g} s: {how}" + (f"; {times}" if times else ""),
            "Where calls are answered and streams are mute, something on the way (a proxy, a firewall) holds "
            "WebSockets back, or the venue has moved the stream to another route: look for a newer perpwire.",
            **facts,
        )
    quiet = [kind.__name__ for kind in MAY_BE_QUIET if kind.__name__ not in heard]
    if quiet:
        found = f"{times}; no {', '.join(quiet)} of {symbol} within {patience_s:g} s"
        return warning(name, found, "Nothing, where the market is that quiet: try --symbol with a busier one.", **facts)
    return ok(name, f"first {times}", **facts)


async def _account_stream(
    connector: VenueConnector, clock: Clock, refusals: Sequence[LoginRefused], patience_s: float
) -> Check:
    """Nothing is changed at the venue: it is opened, asked something, and what it tells is held against calls."""
    name = "account stream"
    began_ns = clock.monotonic_ns()
    events = 0

    def on_event(event: Event) -> None:
        nonlocal events
        events += event.received_ns > 0  # what we have read ourselves bears no time of arrival

    for kind in OF_THE_ACCOUNT:
        connector.on(kind, on_event)
    why = ""
    try:
        async with asyncio.timeout(patience_s):
            await connector.open_account_stream()
    except TimeoutError:
        why = f"not logged in within {patience_s:g} s"
    except PerpwireError as error:
        why = error.reason if isinstance(error, APIError) else str(error)
    if why or not connector.is_account_stream_live:
        said = f": {refusals[-1].detail}" if refusals else ""
        return wrong(
            name,
            f"{why or 'it was lost at once'}{said}",
            f"{_FOLLOWED} Check the key's rights, and that nothing on the way holds WebSockets back.",
        )
    opened_ms = (clock.monotonic_ns() - began_ns) / 1e6
    facts = {"ms": round(opened_ms, 1)}
    opened = f"logged in and subscribed after {opened_ms:.0f} ms"
    answered_s = await connector.ask_over_account_stream(patience_s)
    if answered_s is None:
        return wrong(
            name,
            f"{opened}, and then mute: a harmless question over it was not answered within {patience_s:g} s",
            f"{_FOLLOWED} Look for a proxy or firewall that lets WebSockets begin and then holds them back.",
            **facts,
        )
    facts["answered ms"] = round(answered_s * 1000, 1)
    answered = f"{opened}; a question over it was answered by the venue's service after {answered_s * 1000:.0f} ms"
    unsaid = await _unsaid(connector, clock, lambda: events > 0)
    facts["events"] = events
    if events:
        return ok(name, f"{answered}; proven alive: it told of the account {events} times meanwhile", **facts)
    if unsaid:
        return wrong(
            name,
            f"{answered}, but it is mute: {unsaid} meanwhile, by the venue's lists, and it did not tell",
            f"{_FOLLOWED} Run this again; where it comes again, tell the venue, with the time.",
            **facts,
        )
    return ok(
        name,
        f"{answered}. That it brings events is not proven: nothing happened to the account meanwhile. Only an event "
        "proves it, such as that of an order of yours",
        **facts,
    )


async def _unsaid(connector: VenueConnector, clock: Clock, is_proven: Callable[[], bool]) -> str:
    """What has changed by the venue's lists in a few seconds, in words, where no event has told of it."""
    try:
        before = await _orders_and_positions(connector)
        await clock.sleep(QUIET_S)
        if is_proven():
            return ""
        after = await _orders_and_positions(connector)
        if before == after:
            return ""
        await clock.sleep(LATE_S)  # for the event to come after the list
    except APIError:
        return ""  # the lists are the next check of whoever trades
    if is_proven():
        return ""
    return " and ".join(f"{what} changed" for what in ("orders", "positions") if before[what] != after[what])


async def _orders_and_positions(connector: VenueConnector) -> dict[str, object]:
    orders, positions = await asyncio.gather(connector.get_open_orders(), connector.get_positions())
    return {
        "orders": {(one.order_id, one.price, one.quantity, one.filled_quantity) for one in orders},
        "positions": {(one.symbol, one.position_side, one.quantity) for one in positions if one.quantity},
    }

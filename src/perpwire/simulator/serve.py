"""The simulation as a service: what `perpwire sim` runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import msgspec

from perpwire.simulator.dialect import DialectOptions
from perpwire.simulator.exchange import AccountSpec
from perpwire.simulator.faults import AnyFault, read_script
from perpwire.simulator.server import running
from perpwire.venues import VENUES

_UNREADABLE = (msgspec.DecodeError, RecursionError, ValueError)


async def serve(
    *,
    on_ready: Callable[[dict[str, str]], None],
    ports: Mapping[str, int] | None = None,
    seed: int = 7,
    speed: float = 1.0,
    replay: Path | str | None = None,
    faults: Path | str | None = None,
    accounts: Path | str | None = None,
    latency_s: float = 0.005,
    lenient_routes: bool = False,
    rate: float = 30.0,
) -> NoReturn:
    """Serve every venue until cancelled, then end within two seconds with all sockets closed. Prints nothing.

    Args:
        on_ready: Called once with venue -> address, when connections are taken.
        ports: Venue -> port on 127.0.0.1; 0, or a venue left out, for a free one.
        replay: A recording to play (see replay.py), at `speed` times its own pace.
        faults: JSON, see faults.read_script.
        accounts: JSON list of accounts with the fields of AccountSpec; cash is a string.
        latency_s: Mean seconds that what comes in takes to be acted on.
        lenient_routes: Binance: serve every stream on every route.
        rate: Background events a second for each symbol.

    Raises:
        OSError: A file can't be read, or a port is taken.
        ValueError: A file does not hold what it should; the message names it.
    """
    venues = tuple(VENUES)
    async with running(
        venues=venues,
        ports=ports,
        seed=seed,
        speed=speed,
        replay=replay,
        latency_s=latency_s,
        rate=rate,
        options=DialectOptions(lenient_routes=lenient_routes),
        accounts=(AccountSpec(),) if accounts is None else read_accounts(accounts),
        faults={} if faults is None else {venue: read_faults(faults, venue) for venue in venues},
    ) as simulation:
        on_ready(dict(simulation.urls))
        while True:
            await asyncio.Event().wait()


def read_accounts(path: Path | str) -> tuple[AccountSpec, ...]:
    """
    Raises:
        OSError: The file can't be read.
        ValueError: It is not a list of accounts (see AccountSpec for what they may hold), or two of them share a name
            or key; the message names the file.
    """
    try:
        accounts = msgspec.json.decode(Path(path).read_bytes(), type=tuple[AccountSpec, ...])
    except _UNREADABLE as error:
        raise ValueError(f"{path}: {error}") from None
    if not accounts:
        raise ValueError(f"{path}: no account in it")
    for what in ("name", "api_key"):
        if len({getattr(account, what) for account in accounts}) < len(accounts):
            raise ValueError(f"{path}: two accounts have the same {what}")
    return accounts


def read_faults(path: Path | str, venue: str) -> list[AnyFault]:
    """
    Raises:
        OSError: The file can't be read.
        ValueError: It is no script of faults, or has some for a venue that there is not; the message names the file.
    """
    try:
        return read_script(Path(path).read_bytes(), venue)
    except _UNREADABLE as error:
        raise ValueError(f"{path}: {error}") from None

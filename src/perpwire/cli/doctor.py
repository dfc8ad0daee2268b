"""`perpwire doctor`: what is wrong with network, clock, key, permission or streams, line by line, and how to mend it;
and a report to send along, which holds no key, secret, signature or address of the user's."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

import msgspec

from perpwire import __version__
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.checks import Check, Mark
from perpwire.cli.connecting import Plan, Target, addresses, connector_to
from perpwire.cli.connector_checks import connector_checks
from perpwire.cli.network_checks import network_checks
from perpwire.clock import Clock, SystemClock
from perpwire.credentials import Credentials
from perpwire.errors import BadInput
from perpwire.model.facts import facts

PACKAGES = ("aiohttp", "cryptography", "httptools", "msgspec", "picows", "python-socks", "rich", "typer", "uvloop")

SUMMARY = frozenset(
    {
        "account can be read", "contracts", "first data ms", "is up", "kind of key", "lag ms", "rights",
        "round trip ms",
        "venue ahead of this machine ms",
    }
)  # fmt: skip
"""Facts of checks that stand at the head of a venue's report, too."""

PATIENCE_S = 10.0
"""For the first data of a stream, and for a login."""

SYMBOL = "BTCUSDT"

Tell = Callable[[Target, str, Check], None]
"""Called with each check when it is done: where, at which address, and what came of it."""

_ADDRESS = re.compile(r"\b(?!127\.)\d{1,3}(?:\.\d{1,3}){3}\b")


async def doctor(
    made: Plan, tell: Tell = lambda *_: None, *, symbol: str = SYMBOL, patience_s: float = PATIENCE_S
) -> tuple[dict[str, Any], bool]:
    """The report, and whether nothing is wrong.

    A key of the environment goes to the venue's own hosts alone, and is shown by its kind and rights.
    """
    reports: list[dict[str, Any]] = []
    used: list[Credentials] = []
    is_well = True
    async with addresses(made.targets) as where:
        for target in made.targets:
            keys, no_keys = key_of(made, target)
            if keys is not None:
                used.append(keys)
            connector = connector_to(made, target, where[target.venue], private=keys is not None, examines=True)
            address = connector.streams.hosts(connector.venue).rest
            found: list[Check] = []

            def told(check: Check, target: Target = target, address: str = address) -> None:
                found.append(check)  # noqa: B023 - called before the next round
                tell(target, address, check)

            await examine(connector, keys, no_keys, told, symbol=symbol, patience_s=patience_s)
            is_well = is_well and all(check.mark is not Mark.WRONG for check in found)
            reports.append(
                {"venue": target.venue, "env": target.env, "address": address, "key": no_keys or "given"}
                | {name: value for check in found for name, value in check.facts.items() if name in SUMMARY}
                | {"checks": found}
            )
    said = {
        "perpwire": __version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "proxy variables": sorted(name for name in os.environ if name.lower().endswith("_proxy")),
        "venues": reports,
    }
    return redacted(said, used), is_well


def key_of(made: Plan, target: Target) -> tuple[Credentials | None, str]:
    """The key, or None and why there is none."""
    try:
        return made.keys(target), ""
    except BadInput as error:
        return None, error.reason


async def examine(
    connector: VenueConnector,
    keys: Credentials | None,
    no_keys: str,
    tell: Callable[[Check], None],
    *,
    symbol: str = SYMBOL,
    patience_s: float = PATIENCE_S,
    clock: Clock | None = None,
) -> None:
    """Every check of one venue. `tell` is called with each when it is done; what it says shows nothing of the key."""
    clock = clock or SystemClock()

    def shown(check: Check) -> None:
        if keys is not None:
            check = msgspec.structs.replace(check, found=keys.redact(check.found), mend=keys.redact(check.mend))
        tell(check)

    reached = 0
    async for check in network_checks(connector.streams.hosts(connector.venue), clock):
        shown(check)
        reached += check.mark is Mark.OK and check.name.startswith(("TCP", "TLS"))
    if not reached:
        return
    async for check in connector_checks(connector, clock, keys, no_keys, symbol=symbol, patience_s=patience_s):
        shown(check)


def redacted(said: dict[str, Any], used: Sequence[Credentials]) -> dict[str, Any]:
    """The report as it may be given to others."""
    text = msgspec.json.encode(facts(said)).decode()
    for keys in used:
        text = keys.redact(text)  # nothing of it is in there: this is the net below
    made: dict[str, Any] = msgspec.json.decode(_ADDRESS.sub("<address>", text))
    return made


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"

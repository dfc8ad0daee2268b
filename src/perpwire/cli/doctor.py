"""`perpwire doctor`: what whoever helps has to know of this machine, its way to the venues, and the key; no secret."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import msgspec

from perpwire import __version__
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.connecting import SIM_KEY, addresses
from perpwire.clock import SystemClock
from perpwire.credentials import Credentials
from perpwire.errors import BadInput, PerpwireError
from perpwire.venues import load

PACKAGES = ("aiohttp", "cryptography", "httptools", "msgspec", "picows", "python-socks", "uvloop")


async def doctor(venues: Sequence[str], env: str, urls: Sequence[str]) -> tuple[str, bool]:
    """The report as JSON, and whether all that was asked was answered.

    A key of the environment goes to the venue's own hosts alone, and is shown by its kind and rights.
    """
    reports: list[dict[str, Any]] = []
    used: list[Credentials] = []
    async with addresses(venues, env, urls) as where:
        for name, url in where.items():
            keys, missing = (SIM_KEY, "") if env == "sim" else (None, "not used with --url")
            if url is None:
                try:
                    keys, missing = Credentials.from_environment(name, env), ""
                except BadInput as error:
                    missing = error.reason
            if keys is not None:
                used.append(keys)
            connector = VenueConnector(load(name), credentials=keys, env=env, url=url, clock=SystemClock())
            reports.append({"venue": name, "env": env, "key": missing or "given"} | await examined(connector, keys))
    said = {
        "perpwire": __version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "proxy variables": sorted(name for name in os.environ if name.lower().endswith("_proxy")),
        "venues": reports,
    }
    text = msgspec.json.format(msgspec.json.encode(said), indent=2).decode()
    for keys in used:
        text = keys.redact(text)  # nothing of it is in there: this is the net below
    return text, all("error" not in one for one in reports)


async def examined(connector: VenueConnector, keys: Credentials | None) -> dict[str, Any]:
    """What a connector finds out by itself; with "error" where something could not be asked."""
    found: dict[str, Any] = {}
    clock = SystemClock()
    try:
        if keys is not None:
            found["kind of key"] = keys.kind.name
        async with connector:
            began_ns, asked_ms = clock.monotonic_ns(), clock.time_ns() / 1e6
            venue_ms = await connector.get_server_time()
            round_trip_ms = (clock.monotonic_ns() - began_ns) / 1e6
            found["round trip ms"] = round(round_trip_ms, 1)
            found["venue ahead of this machine ms"] = round(venue_ms - asked_ms - round_trip_ms / 2, 1)
            status = await connector.get_venue_status()
            found["is up"] = status.is_up
            found["contracts"] = len(await connector.get_instruments())
            if connector.key_info is not None:
                found["rights"] = msgspec.to_builtins(connector.key_info)
            if keys is not None:
                await connector.get_account_info()
                found["account can be read"] = True
    except (PerpwireError, OSError, ValueError) as error:
        words = f"{type(error).__name__}: {error}"
        found["error"] = words if keys is None else keys.redact(words)
    return found


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"

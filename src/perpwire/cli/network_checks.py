"""The way to a venue's hosts, step by step: name, TCP, TLS. No key goes along, and nothing is asked."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from perpwire.cli.checks import Check, Checks, ok, warning, wrong
from perpwire.clock import Clock
from perpwire.transport.certificates import default_context
from perpwire.transport.dialling import Dialler, let_go
from perpwire.venues.base import Hosts

PATIENCE_S = 5.0

PROXIES = ("http_proxy", "https_proxy", "all_proxy")

Resolve = Callable[[str, int], Awaitable[Sequence[object]]]


class Door(NamedTuple):
    """A host's port."""

    host: str
    port: int
    is_secure: bool


def doors(hosts: Hosts) -> tuple[Door, ...]:
    """Every one that a connector may knock at, each once."""
    found: dict[Door, None] = {}
    for base in (hosts.rest, hosts.streams, hosts.private_streams, hosts.trade):
        if base is not None:
            parts = urlsplit(base)
            is_secure = parts.scheme in ("https", "wss")
            found[Door(parts.hostname or "", parts.port or (443 if is_secure else 80), is_secure)] = None
    return tuple(found)


async def resolve(host: str, port: int) -> Sequence[object]:
    return await Dialler().look_up(host, port)


async def network_checks(hosts: Hosts, clock: Clock, *, resolved_by: Resolve = resolve) -> Checks:
    """Names first, then connections; it ends after the first step that fails for all hosts."""
    yield _proxy_check(os.environ)
    there = doors(hosts)
    names = list(dict.fromkeys(door.host for door in there if not _is_address(door.host)))
    if names:
        found = [await _name_check(name, clock, resolved_by) for name in names]
        for check in found:
            yield check
        if all(check.mend for check in found):
            return
    for door in there:
        yield await _door_check(door, clock)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _proxy_check(variables: Iterable[str]) -> Check:
    used = sorted(name for name in variables if name.lower() in PROXIES)
    if not used:
        return ok("proxy", "none is set; connections go straight to the venue")
    return warning(
        "proxy",
        f"{' and '.join(used)} is set, and perpwire does not go by it",
        "Where the venue is reached only by a proxy, give the connector its address: proxy=...",
        variables=used,
    )


async def _name_check(host: str, clock: Clock, resolved_by: Resolve) -> Check:
    name = f"name {host}"
    began_ns = clock.monotonic_ns()
    try:
        async with asyncio.timeout(PATIENCE_S):
            found = await resolved_by(host, 443)
    except (OSError, TimeoutError) as error:
        why = str(error.strerror or error) if isinstance(error, OSError) and error.args else "no answer in time"
        return wrong(
            name,
            f"this name can't be looked up: {why}",
            "Check the spelling of the address, the network, and the name server of this machine (/etc/resolv.conf); "
            "some networks and countries block a venue's name.",
        )
    took_ms = (clock.monotonic_ns() - began_ns) / 1e6
    return ok(name, f"looked up in {took_ms:.0f} ms, {len(found)} addresses", ms=round(took_ms, 1))


async def _opened(door: Door, context: ssl.SSLContext | None) -> asyncio.StreamWriter:
    dialled = await Dialler().dial(door.host, door.port)
    name = None if context is None else door.host
    try:
        _, writer = await asyncio.open_connection(sock=dialled, ssl=context, server_hostname=name)
    except BaseException:
        let_go(dialled)
        raise
    return writer


async def _door_check(door: Door, clock: Clock) -> Check:
    what = "TLS" if door.is_secure else "TCP"
    name = f"{what} to {door.host}:{door.port}"
    context = default_context() if door.is_secure else None
    began_ns = clock.monotonic_ns()
    try:
        async with asyncio.timeout(PATIENCE_S):
            writer = await _opened(door, context)
    except ssl.SSLCertVerificationError as error:
        return wrong(
            name,
            f"the certificate is not trusted: {error.verify_message}",
            "Somebody stands between this machine and the venue (a proxy, an antivirus), this machine's clock is far "
            "off, or its certificates are old: install ca-certificates. Do not switch the check off.",
        )
    except ssl.SSLError as error:
        return wrong(name, f"no TLS: {error.reason}", "Something else answers there: check address and proxy.")
    except TimeoutError:
        return wrong(
            name,
            f"no answer within {PATIENCE_S:g} s: packets are lost or dropped on the way",
            "Check the firewall and the route; some networks and countries block a venue.",
        )
    except (OSError, ValueError, OverflowError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return wrong(
            name,
            f"no connection: {words}",
            "Refused: nothing listens there; check address and port. Unreachable: check network and firewall.",
        )
    took_ms = (clock.monotonic_ns() - began_ns) / 1e6
    version = ""
    if (tls := writer.get_extra_info("ssl_object")) is not None:
        version = f", {tls.version()}"
    writer.close()
    return ok(name, f"connected in {took_ms:.0f} ms{version}", ms=round(took_ms, 1))

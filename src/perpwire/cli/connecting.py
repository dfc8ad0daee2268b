"""From the words of a command line to connectors: which venues, which environment, whose keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from perpwire.api_connector.guards import CAUTIOUS
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.clock import SystemClock
from perpwire.credentials import Credentials
from perpwire.errors import BadInput
from perpwire.venues import VENUES, load

SIM_KEY = Credentials("sim-key", "sim-secret")
"""The default account of an embedded exchange."""


@asynccontextmanager
async def addresses(venues: Sequence[str], env: str, urls: Sequence[str]) -> AsyncIterator[dict[str, str | None]]:
    """Venue name -> base URL, or None for the venue's own hosts. For env "sim" without a URL an embedded exchange is
    started for as long as the context lasts.

    Args:
        urls: "http://..." for one venue, or "binance=http://..." for each.

    Raises:
        BadInput: An unknown venue, or a URL for none of the venues.
    """
    for name in venues:
        if name not in VENUES:
            raise BadInput(f"no venue {name!r}; there are {', '.join(VENUES)}", code="NO_SUCH_VENUE")
    given = dict(_pair(text, venues) for text in urls)
    missing = [name for name in venues if name not in given]
    if env != "sim" or not missing:
        yield {name: given.get(name) for name in venues}
        return
    from perpwire.simulator.server import running

    async with running(venues=tuple(missing)) as simulation:
        yield {name: given.get(name) or simulation.urls[name] for name in venues}


def _pair(text: str, venues: Sequence[str]) -> tuple[str, str]:
    name, found, url = text.partition("=")
    if not found:
        if len(venues) != 1:
            raise BadInput("several venues need --url VENUE=URL for each", code="BAD_URL")
        name, url = venues[0], text
    if name not in venues or not url.startswith(("http://", "https://")):
        raise BadInput(f"--url {text!r} is not VENUE=http://HOST:PORT of a venue asked for", code="BAD_URL")
    return name, url


@asynccontextmanager
async def connectors(
    venues: Sequence[str], env: str, urls: Sequence[str], *, private: bool
) -> AsyncIterator[dict[str, VenueConnector]]:
    """Started connectors by venue name; with keys from the environment where `private`."""
    async with AsyncExitStack() as stack:
        where = await stack.enter_async_context(addresses(venues, env, urls))
        started: dict[str, VenueConnector] = {}
        for name, url in where.items():
            keys: Credentials | None = None
            if private:
                keys = SIM_KEY if url is not None else Credentials.from_environment(name, env)
            started[name] = await stack.enter_async_context(
                VenueConnector(
                    load(name),
                    credentials=keys,
                    env=env,
                    url=url,
                    clock=SystemClock(),
                    guards=CAUTIOUS,  # what is typed by hand is held to more than what a program does
                )
            )
        yield started

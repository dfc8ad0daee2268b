"""From the words of a command line to connectors: which venues and environment, at which address, with whose key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from perpwire.api_connector.guards import CAUTIOUS, Guards
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.running import TELLABLE
from perpwire.clock import SystemClock
from perpwire.config.keys import SIM_KEY as SIM_KEY, credentials
from perpwire.config.loading import load as load_settings
from perpwire.config.settings import KeySettings, Settings
from perpwire.credentials import Credentials
from perpwire.errors import BadInput
from perpwire.model.incident import Incident
from perpwire.venues import VENUES, load

T = TypeVar("T")


class Target(NamedTuple):
    """Where a verb goes.

    Attributes:
        env: "sim" where `url` is set: that is an embedded exchange's, and no key of another environment goes there.
        url: None: the venue's own hosts; with "sim", an embedded exchange that lasts as long as the verb.
    """

    venue: str
    env: str
    url: str | None

    @property
    def is_fleeting(self) -> bool:
        """There is no such exchange before the verb, nor after it."""
        return self.env == "sim" and self.url is None


class Plan(NamedTuple):
    """What a command line and the configuration come to."""

    targets: tuple[Target, ...]
    settings: Settings

    @property
    def guards(self) -> Guards:
        """What is typed by hand is held to more than what a program does, unless the configuration says otherwise."""
        set_ = msgspec.structs.asdict(self.settings.guards)
        usual = msgspec.structs.asdict(CAUTIOUS)
        return Guards(**{name: usual[name] if value is None else value for name, value in set_.items()})

    def keys(self, target: Target) -> Credentials:
        """
        Raises:
            BadInput: There is none; the message says where it was looked for.
        """
        return credentials(target.venue, target.env, self.settings.keys)

    def keys_from(self, target: Target) -> str:
        return whence(target.venue, target.env, self.settings.keys)


def whence(venue: str, env: str, settings: KeySettings) -> str:
    """Where a key comes from, in words."""
    if env == "sim":
        return f"the embedded exchange's own, or that of {venue.upper()}_SIM_API_KEY"
    return {"environment": "environment", "file": f"file {settings.file}", "keyring": "keyring"}[settings.source]


def plan(venues: Sequence[str] | None, env: str | None, urls: Sequence[str] | None, config: Path | None = None) -> Plan:
    """
    Args:
        venues: Empty: those of the configuration, or else all.
        env: None: that of the configuration, or else "sim"; never live by itself.
        urls: "http://..." for one venue, or "binance=http://..." for each.

    Raises:
        BadInput: A mistaken configuration, an unknown venue, or a URL for none of the venues.
    """
    settings = load_settings(config).settings
    names = tuple(dict.fromkeys(venues or settings.names()))
    for name in names:
        if name not in VENUES:
            raise BadInput(f"no venue {name!r}; there are {', '.join(VENUES)}", code="NO_SUCH_VENUE")
    given = dict(_pair(text, names) for text in urls or ())
    if given and env not in (None, "sim"):
        raise BadInput(
            f"--url is the address of an embedded exchange, and --env says {env}", code="BAD_URL",
            advice="Leave one of the two out.",
        )  # fmt: skip
    made = Plan(tuple(_target(name, env, given.get(name), settings) for name in names), settings)
    _import_ahead(made.targets)
    return made


def _import_ahead(targets: Sequence[Target]) -> None:
    """What would keep the event loop, and whoever ends the verb meanwhile, waiting for half a second."""
    for target in targets:
        load(target.venue)
        if target.is_fleeting:
            import_module("perpwire.simulator.server")
            import_module(f"{VENUES[target.venue]}.sim")


def one_target(made: Plan) -> Target:
    """
    Raises:
        BadInput: There are several.
    """
    if len(made.targets) != 1:
        names = ", ".join(target.venue for target in made.targets)
        raise BadInput(f"which venue: {names}?", code="WHICH_VENUE", advice="Say --venue.")
    return made.targets[0]


def _target(name: str, env: str | None, url: str | None, settings: Settings) -> Target:
    where = env or ("sim" if url else settings.env_of(name))
    set_url = settings.venue(name).url or None
    if url is None and set_url is not None and env in (None, "sim"):
        url, where = set_url, "sim"
    return Target(name, where, url)


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
async def addresses(targets: Sequence[Target]) -> AsyncIterator[Mapping[str, str | None]]:
    """Venue name -> base URL, or None for the venue's own hosts. Where there is no embedded exchange yet, one is
    started for as long as the context lasts."""
    missing = tuple(target.venue for target in targets if target.is_fleeting)
    urls: dict[str, str | None] = {target.venue: target.url for target in targets}
    if not missing:
        yield urls
        return
    from perpwire.simulator.server import running

    async with running(venues=missing) as simulation:
        yield urls | simulation.urls


def connector_to(
    made: Plan,
    target: Target,
    url: str | None,
    *,
    private: bool,
    examines: bool = False,
) -> VenueConnector:
    """A connector, not started; with the key where `private`.

    Args:
        examines: For the doctor, which asks everything by itself, and sends no order.

    Raises:
        BadInput: There is no key, or no such environment.
    """
    orders = made.settings.orders
    return VenueConnector(
        load(target.venue),
        credentials=made.keys(target) if private else None,
        env=target.env,
        url=url,
        check_key=not examines,
        road=orders.road,
        timeout_s=orders.timeout_s,
        settle_patience_s=orders.settle_patience_s,
        guards=None if examines else made.guards,
        warm=False,  # what a verb does not need is not waited for
        stream_settings=made.settings.streams,
        clock=SystemClock(),
    )


@asynccontextmanager
async def connectors(
    made: Plan, *, private: bool, on_incident: Callable[[Incident], None] | None = None
) -> AsyncIterator[dict[str, VenueConnector]]:
    """Started connectors by venue name; with keys where `private`."""
    async with AsyncExitStack() as stack:
        where = await stack.enter_async_context(addresses(made.targets))
        started: dict[str, VenueConnector] = {}
        for target in made.targets:
            connector = connector_to(made, target, where[target.venue], private=private)
            if on_incident is not None:
                connector.on_incident(on_incident)
            started[target.venue] = await stack.enter_async_context(connector)
        yield started


async def ask_each(
    made: Plan, ask: Callable[[VenueConnector, Target], Awaitable[T]], on_incident: Callable[[Incident], None]
) -> dict[str, T | Exception]:
    """Venue name -> what `ask` gives for it, or the error: one venue's trouble is not another's."""

    async def one(target: Target, url: str | None) -> T | Exception:
        try:
            connector = connector_to(made, target, url, private=True)
            connector.on_incident(on_incident)
            async with connector:
                return await ask(connector, target)
        except TELLABLE as error:
            return error

    async with addresses(made.targets) as where:
        answers = await asyncio.gather(*(one(target, where[target.venue]) for target in made.targets))
    return {target.venue: answer for target, answer in zip(made.targets, answers, strict=True)}

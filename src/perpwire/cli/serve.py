"""`perpwire serve`: the long-running gateway, with its page, metrics and alerts."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from perpwire.cli.interrupts import hurry
from perpwire.cli.running import console, run, say_error, telling
from perpwire.cli.words import Config, Env, JsonDocument, Urls, Venues

if TYPE_CHECKING:
    from perpwire.cli.connecting import Plan

_EPILOG = "\n\n".join(
    (
        "[bold]It answers[/] / (the page), /metrics (Prometheus), /health/live, /health/ready (503 while anything that "
        "is wanted is missing, and what), /api/snapshot, /api/incidents, /api/history, /events. Nothing can be traded "
        "or changed there.",
        "[bold]What is followed[/], the token of the page, alerts and logs stand in the configuration: "
        "[cyan]perpwire config init[/]. A page that other machines can reach must have a token, by "
        "PERPWIRE_PAGE_TOKEN or page.token.",
        "[bold]Exit codes:[/] 0 ended by Ctrl-C or SIGTERM, 2 mistaken words, 1 what the machine refuses, such as a "
        "port in use.",
    )
)


def add_to(app: typer.Typer) -> None:
    app.command(epilog=_EPILOG)(serve)


def serve(
    venue: Venues = None,
    env: Env = None,
    url: Urls = None,
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="Address of the page, in place of page.host.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the page, in place of page.port; 0: any free one.")
    ] = None,
    as_json: JsonDocument = False,
) -> None:
    """Follow venues for as long as it runs: a status page, metrics, health, alerts, and Redis. Trades nothing.

    Prints where the page is when it is there: a line of words, or with --json one object: {"page": ...}.
    """
    # Before the loop, that whoever ends the verb meanwhile does not wait for it.
    import perpwire.gateway.gateway  # noqa: F401
    from perpwire.cli.connecting import plan

    with telling(as_json=as_json):
        made = plan(venue, env, url, config)
    run(_serve(made, host=host, port=port, as_json=as_json), ended_by_signal=0, as_json=as_json)


async def _serve(made: Plan, *, host: str | None, port: int | None, as_json: bool) -> None:
    from perpwire import logs
    from perpwire.cli.connecting import addresses, connector_to
    from perpwire.errors import BadInput
    from perpwire.gateway.gateway import Gateway

    page = {"host": host, "port": port}
    settings = msgspec.structs.replace(
        made.settings,
        page=msgspec.structs.replace(
            made.settings.page, **{name: value for name, value in page.items() if value is not None}
        ),
    )
    keys, without_key = [], []
    for target in made.targets:
        try:
            keys.append(made.keys(target))
        except BadInput as error:
            if error.code != "NO_CREDENTIALS":
                raise
            without_key.append(target.venue)
            if settings.venue(target.venue).account:
                say_error(f"{error}; {target.venue} is followed without its account")
    redis, fanout = settings.redis, None
    if redis.url:
        from perpwire.fanout.producer import Fanout

        fanout = Fanout(
            redis.url.reveal(), prefix=redis.prefix, most_kept=redis.most_kept, market=redis.market_waiting,
            account=redis.account_waiting,
        )  # fmt: skip
    notifier = None
    undo = logs.set_up(
        level=settings.logs.level, format=settings.logs.format, file=settings.logs.file,
        megabytes=settings.logs.megabytes, secrets=[*keys, *([fanout] if fanout is not None else [])],
    )  # fmt: skip
    try:
        async with AsyncExitStack() as stack:
            where = await stack.enter_async_context(addresses(made.targets))
            connectors = {
                target.venue: connector_to(made, target, where[target.venue], private=target.venue not in without_key)
                for target in made.targets
            }
            if settings.alerts:
                from perpwire.cli.hand_alerts import SPOOL as BY_HAND
                from perpwire.notification.setting_up import notifier_from

                notifier = notifier_from(
                    settings.alerts, spool=settings.state_file("alerts.spool"), inbox=settings.state_file(BY_HAND),
                    secrets=keys,
                )  # fmt: skip
            gateway = await stack.enter_async_context(
                Gateway(settings, connectors, without_key=without_key, notifier=notifier, fanout=fanout)
            )
            if as_json:
                told = {"page": gateway.address, "exchanges": {name: at for name, at in where.items() if at}}
                print(msgspec.json.encode(told).decode(), flush=True)
            else:
                followed = ", ".join(f"{target.venue} ({target.env})" for target in made.targets)
                console.print(f"[bold]{gateway.address}/[/] shows {followed}. Ctrl-C ends it.", highlight=False)
            await asyncio.Event().wait()
    finally:
        undo()
        if notifier is not None and any(one.kept or one.dropped for one in notifier.stats().sinks):
            hurry()

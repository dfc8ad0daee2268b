"""The verbs that read an account: `perpwire account`, `positions` and `orders`."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from perpwire.cli.running import run
from perpwire.cli.words import Config, Env, JsonLines, Urls, Venues

_SPAN = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

Symbol = Annotated[
    str | None, typer.Argument(help="One contract only, such as BTCUSDT or BTC/USDT:USDT.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    for verb in (account, positions, orders):
        app.command()(verb)


def seconds_of(text: str) -> int:
    """ "90m" -> 5400."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no span of time, such as 90m, 12h or 7d")
    return int(found[1]) * _SECONDS[found[2]]


def account(
    venue: Venues = None, env: Env = None, url: Urls = None, config: Config = None, as_json: JsonLines = False
) -> None:
    """Equity, margin and balances, of each venue's account. JSON: an object for each venue."""
    from perpwire.cli import account_tables

    raise typer.Exit(run(account_tables.account(venue, env, url, config, as_json=as_json), as_json=as_json))


def positions(
    symbol: Symbol = None,
    venue: Venues = None,
    env: Env = None,
    url: Urls = None,
    config: Config = None,
    as_json: JsonLines = False,
) -> None:
    """Open positions, with value, unrealised profit and liquidation price. JSON: an object for each position."""
    from perpwire.cli import account_tables

    raise typer.Exit(run(account_tables.positions(symbol, venue, env, url, config, as_json=as_json), as_json=as_json))


def orders(
    symbol: Symbol = None,
    history: Annotated[
        bool, typer.Option("--history", help="Orders of any state, oldest first, in place of the open ones.")
    ] = False,
    since: Annotated[
        int,
        typer.Option(
            parser=seconds_of,
            metavar="SPAN",
            help="With --history: how far back, such as 90m, 12h or 7d. Venues forget what ended without a fill after "
            "one to three days.",
        ),
    ] = "24h",  # type: ignore[assignment] # the parser makes an int of it
    venue: Venues = None,
    env: Env = None,
    url: Urls = None,
    config: Config = None,
    as_json: JsonLines = False,
) -> None:
    """Open orders, conditional ones too; or those of the past. JSON: an object for each order."""
    from perpwire.cli import account_tables

    back_s = since if history else None
    raise typer.Exit(
        run(account_tables.orders(symbol, back_s, venue, env, url, config, as_json=as_json), as_json=as_json)
    )

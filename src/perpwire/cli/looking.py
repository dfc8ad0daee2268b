"""The verbs that look, and touch nothing: `perpwire watch` and `perpwire doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from perpwire.cli.running import console, run, telling
from perpwire.cli.words import Config, Env, JsonDocument, JsonLines, Urls, Venues


def add_to(app: typer.Typer) -> None:
    app.command()(watch)
    app.command()(doctor)


def watch(
    symbols: Annotated[list[str], typer.Argument(help="Such as BTCUSDT or BTC/USDT:USDT.", show_default=False)],
    venue: Venues = None,
    env: Env = None,
    url: Urls = None,
    config: Config = None,
    levels: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=50,
            metavar="N",
            help="Levels of each local book, a side; 0: no books. 5 where a terminal is there, else 0.",
        ),
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so long.")] = None,
    as_json: JsonLines = False,
) -> None:
    """Quotes, trades, books, spreads across venues, mark prices and lags, live. On a terminal it fills the screen;
    elsewhere it prints a line for each symbol and venue once a second. Ctrl-C ends it.

    "edge bp": what it would bring to sell at this venue's bid and buy at the lowest ask elsewhere, before fees.
    """
    from perpwire.cli.connecting import plan
    from perpwire.cli.watch import watch as run_watch

    with telling(as_json=as_json):
        made = plan(venue, env, url, config)
    run(run_watch(symbols, made, levels=levels, seconds=seconds, as_json=as_json, console=console), as_json=as_json)


def doctor(
    venue: Venues = None,
    env: Env = None,
    url: Urls = None,
    config: Config = None,
    symbol: Annotated[str, typer.Option(help="Whose public streams are looked at.")] = "BTCUSDT",
    patience: Annotated[
        float, typer.Option(min=0.5, max=120, metavar="SECONDS", help="For the first data of streams, and for a login.")
    ] = 10.0,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the report there, too, as JSON: to send along.")
    ] = None,
    as_json: JsonDocument = False,
) -> None:
    """What is wrong with network, clock, key, permission or streams, and how to mend it: a line for each check. It
    changes nothing, and places no order. The report holds no key, secret, signature or address of yours.

    Exit code 0 where nothing is wrong (warnings are not), else 1. Without --env it looks at an embedded exchange: say
    --env testnet, demo or live for a venue's own.
    """
    from perpwire.cli.connecting import plan
    from perpwire.cli.doctor import doctor as run_doctor
    from perpwire.cli.doctor_lines import Lines
    from perpwire.cli.printing import json_line

    with telling(as_json=as_json):
        made = plan(venue, env, url, config)
        if out is not None:
            out.open("ab").close()  # what can't be written is told before the checks, not behind them
    with Lines(console, is_silent=as_json) as lines:
        report, is_well = run(run_doctor(made, lines.tell, symbol=symbol, patience_s=patience), as_json=as_json)
    if as_json:
        json_line(report)
    if out is not None:
        with telling(as_json=as_json):
            out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    raise typer.Exit(0 if is_well else 1)

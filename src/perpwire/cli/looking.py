"""The verbs that look, and touch nothing: `perpwire watch` and `perpwire doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perpwire.cli.running import console, run
from perpwire.cli.words import Env, JsonLines, Urls, Venues


def add_to(app: typer.Typer) -> None:
    app.command()(watch)
    app.command()(doctor)


def watch(
    symbols: Annotated[list[str], typer.Argument(help="Such as BTCUSDT or BTC/USDT:USDT.")],
    venue: Venues = None,
    env: Env = None,
    url: Urls = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so long.")] = None,
    as_json: JsonLines = False,
) -> None:
    """A live table of quotes, trades, mark prices and lags. Ctrl-C ends it."""
    from perpwire.cli.watch import watch as run_watch

    run(
        run_watch(
            symbols,
            venue or ["binance", "bybit"],
            env or "sim",
            url or [],
            seconds=seconds,
            as_json=as_json,
            console=console,
        )
    )


def doctor(
    venue: Venues = None,
    env: Env = None,
    url: Urls = None,
    out: Annotated[Path | None, typer.Option(dir_okay=False, help="Write it there, too.")] = None,
) -> None:
    """What to send along when something is wrong, as JSON: versions, the way to each venue, the clock, what the key of
    the environment may do. It holds no key, secret, signature or address of yours. Exit code 0 if all was answered."""
    from perpwire.cli.doctor import doctor as run_doctor

    text, is_well = run(run_doctor(venue or ["binance", "bybit"], env or "sim", url or []))
    print(text)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    raise typer.Exit(0 if is_well else 1)

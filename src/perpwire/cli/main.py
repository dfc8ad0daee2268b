"""The command line: `perpwire VERB`. Each group of verbs is a file of this folder with a function `add_to(app)`."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from perpwire import __version__
from perpwire.cli.words import EXIT_CODES

GROUPS = (
    "offline",  # demo, sim
    "looking",  # watch, doctor
    "accounts",  # account, positions, orders
    "trading",  # order place, amend, cancel, show; close
    "serve",
    "recordings",  # record, replay, export
    "config",  # config, keys
    "alerts",  # alerts test
)
"""In the order of the help page. They load only words and types: what a verb does is imported when it is called."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Trading connector for Binance USD-M futures and Bybit v5 linear, with an embedded exchange.",
    epilog=EXIT_CODES,
)


@app.callback(invoke_without_command=True)
def perpwire(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


for group in GROUPS:
    import_module(f"perpwire.cli.{group}").add_to(app)

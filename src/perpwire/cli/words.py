"""What verbs have in common: options that mean the same everywhere, and the exit codes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from perpwire.venues import VENUES

ENVIRONMENTS = ("live", "testnet", "demo", "sim")

EXIT_CODES = (
    "[bold]Exit codes:[/] 0 done · 1 it failed · 2 mistaken words: nothing was sent, and it would never pass · "
    "3 what became of an order is not known · 130 interrupted"
)


def _known(values: Sequence[str] | None) -> Sequence[str] | None:
    for name in values or ():
        if name not in VENUES:
            raise typer.BadParameter(f"no venue {name!r}; there are {', '.join(VENUES)}")
    return values


def _known_one(value: str | None) -> str | None:
    _known([value] if value is not None else None)
    return value


def _known_env(value: str | None) -> str | None:
    if value is not None and value not in ENVIRONMENTS:
        raise typer.BadParameter(f"no environment {value!r}; there are {', '.join(ENVIRONMENTS)}")
    return value


def _venues() -> list[str]:
    return list(VENUES)


def _environments() -> list[str]:
    return list(ENVIRONMENTS)


Venues = Annotated[
    list[str] | None,
    typer.Option(
        "--venue",
        metavar="VENUE",
        callback=_known,
        autocompletion=_venues,
        help="binance or bybit; may be given several times. Both when not given.",
    ),
]
OneVenue = Annotated[
    str | None,
    typer.Option(
        "--venue",
        metavar="VENUE",
        callback=_known_one,
        autocompletion=_venues,
        help="binance or bybit; may be left out where the configuration file has one venue only.",
    ),
]
Env = Annotated[
    str | None,
    typer.Option(
        metavar="live|testnet|demo|sim",
        callback=_known_env,
        autocompletion=_environments,
        help="Where; sim is an embedded exchange. Without it the configuration file counts, or else sim.",
    ),
]
Urls = Annotated[
    list[str] | None,
    typer.Option(
        "--url",
        metavar="[VENUE=]URL",
        help="Of a running embedded exchange, such as http://127.0.0.1:9001; VENUE= where there are several venues.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Configuration file, in place of the one that is found by itself."),
]
JsonLines = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
JsonDocument = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

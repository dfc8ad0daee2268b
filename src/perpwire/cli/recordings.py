"""The verbs of recordings: `perpwire record`, `replay` and `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from perpwire.cli.interrupts import raising
from perpwire.cli.running import console, run, telling
from perpwire.cli.words import Config, Env, JsonDocument, Urls, Venues

STREAMS = ("trades", "quotes", "depth", "mark_price", "klines", "ticker", "liquidations")
PACKINGS = ("zst", "gz", "none")
FORMS = ("csv", "parquet", "hftbacktest")

Files = Annotated[
    list[Path], typer.Argument(exists=True, dir_okay=False, help="Recordings, in their order.", show_default=False)
]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND", help="Only events of this kind, such as Trade; may be given several times."),
]
Symbol = Annotated[str | None, typer.Option(help="Only events of this symbol.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    app.command()(record)
    app.command()(replay)
    app.command()(export)


def _one_of(words: tuple[str, ...], given: str, name: str) -> str:
    if given not in words:
        raise typer.BadParameter(f"no {given!r}; there are {', '.join(words)}", param_hint=name)
    return given


def record(
    symbols: Annotated[list[str], typer.Argument(help="Such as BTCUSDT or BTC/USDT:USDT.", show_default=False)],
    venue: Venues = None,
    env: Env = None,
    url: Urls = None,
    config: Config = None,
    stream: Annotated[
        list[str] | None,
        typer.Option(
            "--stream", metavar="KIND", help=f"{', '.join(STREAMS)}; may be given several times. The first four if not."
        ),
    ] = None,
    account: Annotated[
        bool, typer.Option("--account", help="The account's stream too: orders, fills, positions, balances.")
    ] = False,
    out: Annotated[Path, typer.Option(file_okay=False, help="The folder; made closed to others.")] = Path("recordings"),
    packing: Annotated[str, typer.Option(metavar="zst|gz|none", help="How files are packed.")] = "zst",
    rotate: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="A new file at each multiple of it, UTC.")
    ] = 3600.0,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so long.", show_default=False)] = None,
    as_json: JsonDocument = False,
) -> None:
    """Write what streams say to disk, frame by frame, as it came. Losses of connections and holes are written, too.

    A killed recording lacks its last second at most. Ctrl-C ends it properly, and is its usual end: exit code 0.
    """
    from perpwire.cli.connecting import plan
    from perpwire.cli.recording import record as run_record

    kinds = [_one_of(STREAMS, one, "--stream") for one in stream or STREAMS[:4]]
    packed = _one_of(PACKINGS, packing, "--packing")
    with telling(as_json=as_json):
        made = plan(venue, env, url, config)
    run(
        run_record(
            symbols, made, kinds=kinds, account=account, folder=out, packing="" if packed == "none" else packed,
            rotate_s=rotate, seconds=seconds, as_json=as_json, console=console,
        ),
        as_json=as_json, ended_by_signal=0,
    )  # fmt: skip


def replay(
    files: Files,
    kind: Kinds = None,
    symbol: Symbol = None,
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, help="At so many times its own pace; as fast as can be if not.", show_default=False),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The frames as they came, in place of what they mean.")] = False,
) -> None:
    """Print a recording's events as JSON, one object a line, through the decoders that read them live.

    `perpwire sim --replay FILE` serves one of Binance's to a program that connects to it.
    """
    from perpwire.cli.replaying import replay as run_replay

    run(run_replay(files, kinds=kind or [], symbol=symbol, speed=speed, raw=raw))


def export(
    files: Files,
    to: Annotated[str, typer.Option(metavar="csv|parquet|hftbacktest", help="Which form.")] = "csv",
    out: Annotated[Path, typer.Option(file_okay=False, help="The folder.")] = Path("export"),
    kind: Kinds = None,
    symbol: Symbol = None,
    as_json: JsonDocument = False,
) -> None:
    """Make tables of recordings: a file for each kind of event (csv, parquet), or one for each symbol (hftbacktest).

    Numbers stay exact in csv (text) and parquet (decimal128 of 18 places); hftbacktest has floats.
    """
    from perpwire.cli.exporting import export as run_export

    form = _one_of(FORMS, to, "--to")
    with telling(as_json=as_json), raising():
        run_export(files, form=form, folder=out, kinds=kind or [], symbol=symbol, as_json=as_json, console=console)

"""The command line: `perpwire demo | sim | watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from perpwire import __version__
from perpwire.cli.running import console, run
from perpwire.venues import VENUES

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Trading connector for Binance USD-M futures and Bybit v5 linear, with an embedded exchange.",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Seed = Annotated[int, typer.Option(help="Seed of the exchange's market: the same seed, the same market.")]
Replay = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Serve a recording of raw Binance frames (plain or .gz)."),
]


@app.callback(invoke_without_command=True)
def perpwire(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        console.print(__version__)
        raise typer.Exit


@app.command()
def demo(
    venue: Annotated[list[str] | None, typer.Option(help="binance or bybit; both when not given.")] = None,
    seed: Seed = 7,
    replay: Replay = None,
    expect: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Expected books of the recording; found beside it by itself."),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, help="Replay speed: 10 plays ten seconds in one.")] = 5.0,
    seconds: Annotated[float, typer.Option(min=0, help="Run at least so long.")] = 12.0,
    alert: Annotated[
        list[str] | None, typer.Option(help="Send alerts there too: an apprise address, such as tgram://TOKEN/CHAT.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The main job, offline: both venues stream and trade against the embedded exchange, trouble is made on purpose,
    and a report tells whether the quality bars hold. Exit code 0 only if all do."""
    from perpwire.cli.demo import demo as run_demo

    for name in venue or ():
        if name not in VENUES:
            raise typer.BadParameter(f"no venue {name!r}; there are {', '.join(VENUES)}", param_hint="--venue")
    holds = run(
        run_demo(
            venues=venue or ["binance", "bybit"],
            seed=seed,
            replay=replay,
            expect=expect,
            speed=speed,
            seconds=seconds,
            alert_urls=alert or [],
            as_json=as_json,
            console=console,
        )
    )
    raise typer.Exit(0 if holds else 1)


@app.command()
def sim(
    binance_port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 0,
    bybit_port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 0,
    seed: Seed = 7,
    speed: Annotated[float, typer.Option(min=0.1, help="Replay speed.")] = 1.0,
    replay: Replay = None,
    rate: Annotated[float, typer.Option(min=0.1, help="Market events a second of each symbol.")] = 30.0,
    faults: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="JSON list of faults to begin with.")
    ] = None,
    accounts: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="JSON list of accounts.")] = None,
    latency_ms: Annotated[float, typer.Option(min=0, help="Mean time a request takes to be looked at.")] = 10.0,
    routes: Annotated[str, typer.Option(help="strict: streams on the right route only; lenient: on all.")] = "strict",
) -> None:
    """The embedded exchange as a server on 127.0.0.1. Prints one line of JSON with its addresses when ready."""
    from perpwire.simulator.serve import serve

    if routes not in ("strict", "lenient"):
        raise typer.BadParameter("strict or lenient", param_hint="--routes")

    def ready(urls: dict[str, str]) -> None:
        # Not by rich: the line is for programs.
        print(msgspec.json.encode(urls).decode(), flush=True)

    run(
        serve(
            ports={"binance": binance_port, "bybit": bybit_port},
            seed=seed,
            speed=speed,
            replay=replay,
            rate=rate,
            faults=faults,
            accounts=accounts,
            latency_s=latency_ms / 1000,
            lenient_routes=routes == "lenient",
            on_ready=ready,
        ),
        ended_by_signal=0,
    )


@app.command()
def watch(
    symbols: Annotated[list[str], typer.Argument(help="Such as BTCUSDT or BTC/USDT:USDT.")],
    venue: Annotated[list[str] | None, typer.Option(help="binance or bybit; both when not given.")] = None,
    env: Annotated[str, typer.Option(help="live, testnet, demo, or sim: an embedded exchange.")] = "sim",
    url: Annotated[list[str] | None, typer.Option(help="VENUE=http://HOST:PORT of a running exchange.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so long.")] = None,
    as_json: Json = False,
) -> None:
    """A live table of quotes, trades, mark prices and lags. Ctrl-C ends it."""
    from perpwire.cli.watch import watch as run_watch

    run(
        run_watch(
            symbols, venue or ["binance", "bybit"], env, url or [], seconds=seconds, as_json=as_json, console=console
        )
    )

"""The verbs that need no venue at all: `perpwire demo` and `perpwire sim`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from perpwire.cli.running import MISTAKEN, console, fail, run
from perpwire.cli.words import JsonDocument, Venues
from perpwire.venues import VENUES

Seed = Annotated[int, typer.Option(help="Seed of the exchange's market: the same seed, the same market.")]
Replay = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Serve a recording of raw Binance frames (plain or .gz)."),
]


def add_to(app: typer.Typer) -> None:
    app.command()(demo)
    app.command(epilog=_SIM_EPILOG)(sim)


def demo(
    venue: Venues = None,
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
    as_json: JsonDocument = False,
) -> None:
    """The main job, offline: both venues stream and trade against the embedded exchange, trouble is made on purpose,
    and a report tells whether the quality bars hold. Exit code 0 only if all do."""
    from perpwire.cli.demo import demo as run_demo

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


_SIM_EPILOG = "\n\n".join(
    (
        "[bold]Point a client at it:[/] REST and WebSockets of a venue live on its one port, under the venue's own "
        "paths. Key [cyan]sim-key[/], secret [cyan]sim-secret[/], 100000 USDT, unless --accounts says otherwise. "
        "docs/embedded-exchange.md has the lines for ccxt, python-binance, pybit and Binance's SDK.",
        "[bold]Control it while it runs[/] (at each venue's port, from this machine): GET, POST, DELETE "
        "[cyan]/sim/faults[/] · GET [cyan]/sim/state[/] · GET [cyan]/sim/journal[/] · GET, POST [cyan]/sim/clock[/]",
        '[bold]Accounts file:[/] \\[{"name": "main", "api_key": "k", "secret_key": "s", "cash": "5000"}], or with '
        'contracts: {"accounts": \\[...], "symbols": \\[{"symbol": "DOGEUSDT", "start_price": "0.08"}]}',
        "[bold]Example:[/] perpwire sim --binance-port 9001 --bybit-port 9002 --seed 3 --rate 50 --faults mild",
    )
)


def sim(
    binance_port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 0,
    bybit_port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port.")] = 0,
    seed: Seed = 7,
    rate: Annotated[
        float, typer.Option(min=0, max=100_000, help="Market events a second of each symbol; 0: books start empty.")
    ] = 30.0,
    latency_ms: Annotated[
        float,
        typer.Option(
            "--latency",
            "--latency-ms",
            min=0,
            max=60_000,
            help="Milliseconds, on average and with spread, until an HTTP call is acted on; sockets and orders take "
            "four times that.",
        ),
    ] = 5.0,
    accounts: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Accounts, and contracts if wished, in JSON: see below."),
    ] = None,
    symbols: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="More contracts: a JSON list of them.")
    ] = None,
    faults: Annotated[
        str | None,
        typer.Option(metavar="FILE|PROFILE", help="Trouble on order: a scenario file, or mild, standard or brutal."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="Keep accounts, orders and positions in this file (SQLite) over restarts; made where it is absent.",
        ),
    ] = None,
    routes: Annotated[
        str,
        typer.Option(help="Binance's streams: strict: on the right route only, as at the venue; lenient: on all."),
    ] = "strict",
    replay: Replay = None,
    speed: Annotated[float, typer.Option(min=0.1, help="How many times its own pace the recording plays at.")] = 1.0,
) -> None:
    """The embedded exchange as a server on 127.0.0.1, until SIGTERM or Ctrl-C.

    Prints one line of JSON when it takes connections: {"binance": "http://127.0.0.1:PORT", "bybit": ...}. Exit code 0
    after a signal, 2 for a mistaken flag or file, 1 for what the machine refuses, such as a port in use.
    """
    from perpwire.simulator.options import ROUTES, setup_options
    from perpwire.simulator.serve import serve

    if routes not in ROUTES:
        raise typer.BadParameter("strict or lenient", param_hint="--routes")
    if state is not None and not state.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder for {state}", param_hint="--state")
    said = {
        "venues": tuple(VENUES),
        "seed": seed,
        "rate": rate,
        "latency_ms": latency_ms,
        "accounts": accounts,
        "symbols": symbols,
        "faults": faults,
        "state": state,
        "routes": routes,
        "replay": replay,
        "speed": speed,
    }
    try:
        options = setup_options({name: value for name, value in said.items() if value is not None})
    except (OSError, ValueError) as error:
        fail(str(error), MISTAKEN)

    def ready(urls: dict[str, str]) -> None:
        # Not by rich: the line is for programs.
        print(msgspec.json.encode(urls).decode(), flush=True)

    ports = {"binance": binance_port, "bybit": bybit_port}
    run(serve(on_ready=ready, ports=ports, **options), ended_by_signal=0, on_bad_value=MISTAKEN)

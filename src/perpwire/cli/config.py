"""`perpwire config` and `perpwire keys`: what is set, what it means, and where keys are kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from perpwire.cli.questions import ask, unseen
from perpwire.cli.running import MISTAKEN, console, fail, say
from perpwire.config import keys as key_store
from perpwire.config.example import example
from perpwire.config.loading import DEFAULT, FILE, Loaded, Tables, explained, load
from perpwire.errors import BadInput
from perpwire.venues import VENUES

config = typer.Typer(no_args_is_help=True, help="The configuration: what is set, and what each setting means.")
keys = typer.Typer(no_args_is_help=True, help="API keys in the operating system's keyring.")

Config = Annotated[
    Path | None,
    typer.Option("--config", dir_okay=False, help="The file; else PERPWIRE_CONFIG, ./perpwire.toml, or your own."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Venue = Annotated[str, typer.Option(help="binance or bybit.")]
TABLE_FROM = 110
"""Columns of a terminal from which settings are a table: on fewer its words are in pieces."""
Env = Annotated[str, typer.Option(help="live, testnet or demo.")]


@config.command()
def check(
    config: Config = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only what is not at its default.")] = False,
    as_json: Json = False,
) -> None:
    """Every setting: its value and default, where it comes from, what it means and the variable that sets it. Exit
    code 2 where something is wrong with it, or `perpwire serve` would refuse it, and then what."""
    try:
        found = load(config)
        _try_out(found)
    except BadInput as error:
        if as_json:
            say(error, as_json=True)
            raise typer.Exit(MISTAKEN) from None
        fail(f"{error.reason} ({error.advice})" if error.advice != error.default_advice else error.reason, MISTAKEN)
    rows = [row for row in explained(found, _tables()) if not changed or row.value != row.default]
    if as_json:
        for row in rows:
            console.out(msgspec.json.encode(row._asdict()).decode(), highlight=False)
        return
    if not console.is_terminal or console.width < TABLE_FROM:
        for row in rows:
            instead = "" if row.value == row.default else f"; else {row.default or '-'}"
            setting, meaning = f"{row.name} = {row.value or '-'}", f"({row.origin}{instead}): {row.words}"
            if console.is_terminal:
                heading = Text(setting, style="" if row.origin == DEFAULT else "bold")
                console.print(heading, Text(meaning), sep="\n", highlight=False)
            else:
                console.out(setting, meaning, highlight=False)
        return
    table = Table(title=str(found.file or "no file: defaults and the environment"), show_lines=False)
    for column in ("setting", "value", "default", "from", "what it means"):
        table.add_column(column, overflow="fold")
    for row in rows:
        style = None if row.origin == DEFAULT else "bold"
        table.add_row(row.name, row.value or "-", row.default or "-", row.origin, row.words, style=style)
    console.print(table)


def _tables() -> Tables:
    """What stands in the tables that configuration hands through."""
    from perpwire.notification.rules_file import AlertSettings

    return {"alerts": AlertSettings}


def _try_out(found: Loaded) -> None:
    """Page, alerts and Redis as `perpwire serve` takes them, so that no restart at night is the first to tell of it."""
    from perpwire.fanout.link import check_url
    from perpwire.gateway.door import Door
    from perpwire.notification.rules_file import settings_of
    from perpwire.notification.setting_up import outlets_from

    page, alerts, redis = found.settings.page, found.settings.alerts, found.settings.redis
    try:
        Door(page.host, page.token.reveal())
        outlets_from(settings_of(alerts))
        if redis.url:
            check_url(redis.url.reveal())
    except BadInput as error:
        where = "" if found.file is None else f"{found.file.name}: "
        raise BadInput(f"{where}{error.reason}", code=error.code, advice=error.advice) from None


@config.command()
def init(
    path: Annotated[Path, typer.Argument(dir_okay=False, help="Where to write it.")] = Path(FILE),
    force: Annotated[bool, typer.Option("--force", help="In place of one that is there.")] = False,
) -> None:
    """Write an example of the file, with every setting explained; closed to others, as it may come to hold secrets."""
    if path.exists() and not force:
        fail(f"{path} is there already (--force writes it anew)", MISTAKEN)
    try:
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(example(_tables()))
    except OSError as error:
        fail(f"{path} can't be written: {error.strerror}", MISTAKEN)
    console.print(f"{path} written; `perpwire config check` explains it", highlight=False)


@keys.command()
def store(
    venue: Venue,
    env: Env = "testnet",
    private_key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A private key (PEM) in place of a secret.")
    ] = None,
) -> None:
    """Put a key into the keyring; key and secret are asked for, and not shown."""
    _known(venue, env)
    with unseen():
        api_key = ask("API key: ", hidden=True)
        if private_key is None:
            api_secret = ask("API secret: ", hidden=True)
        else:
            api_secret = private_key.read_text(encoding="utf-8")
    if not api_key.strip() or not api_secret.strip():
        fail("an empty line is no key; nothing was stored", 1)
    try:
        key_store.store(venue, env, api_key.strip(), api_secret.strip())
    except BadInput as error:
        fail(f"{error.reason}: {error.advice}", 1)
    console.print(f'stored as {key_store.service(venue, env)}; set keys.source = "keyring" to use it', highlight=False)


@keys.command()
def forget(venue: Venue, env: Env = "testnet") -> None:
    """Take a key out of the keyring. Exit code 1 where there was none."""
    _known(venue, env)
    try:
        was_there = key_store.forget(venue, env)
    except BadInput as error:
        fail(f"{error.reason}: {error.advice}", 1)
    if not was_there:
        fail(f"the keyring has no key {key_store.service(venue, env)}", 1)
    console.print(f"{key_store.service(venue, env)} forgotten", highlight=False)


def _known(venue: str, env: str) -> None:
    if venue not in VENUES:
        raise typer.BadParameter(f"no venue {venue!r}; there are {', '.join(VENUES)}", param_hint="--venue")
    if env not in ("live", "testnet", "demo"):
        raise typer.BadParameter("live, testnet or demo", param_hint="--env")


def add_to(app: typer.Typer) -> None:
    app.add_typer(config, name="config")
    app.add_typer(keys, name="keys")

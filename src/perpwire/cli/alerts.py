"""`perpwire alerts test`: whether alerts arrive, before they are needed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import typer
from rich.markup import escape

from perpwire.cli.running import FAILED, console, run
from perpwire.cli.words import Config, JsonLines

if TYPE_CHECKING:
    from perpwire.notification.outlet import Outlet

PATIENCE_S = 30.0
"""A sink has so long for one alert."""

alerts = typer.Typer(no_args_is_help=True, help="Alerts: who hears of what, and whether it arrives.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(alerts, name="alerts")


@alerts.callback()
def _group() -> None:
    """Keeps `test` a verb of its own."""


@alerts.command(name="test")
def send_test(
    config: Config = None,
    lang: Annotated[
        Literal["en", "ko"] | None, typer.Option(help="Language of the texts, in place of what the rules say.")
    ] = None,
    one: Annotated[
        bool, typer.Option("--one", help="One alert to each sink, in place of one of each severity.")
    ] = False,
    as_json: JsonLines = False,
) -> None:
    """Send a test alert of each severity to each sink that the configuration names, and say whether it was taken.

    Quiet hours and least severities do not hold for it. Exit code 1 where a sink did not take one.
    """
    taken = run(_test(config, lang, one=one, as_json=as_json), as_json=as_json)
    if not taken:
        raise typer.Exit(FAILED)


async def _test(config: Any, lang: Literal["en", "ko"] | None, *, one: bool, as_json: bool) -> bool:
    from perpwire.config.loading import load
    from perpwire.errors import BadInput
    from perpwire.notification.alert import Severity
    from perpwire.notification.rules_file import settings_of
    from perpwire.notification.setting_up import outlets_from

    loaded = load(config)
    where = "alerts" if loaded.file is None else f"{loaded.file.name}: alerts"
    outlets = outlets_from(settings_of(loaded.settings.alerts, where), language=lang)
    if not outlets:
        raise BadInput(
            "no sink is named",
            code="NO_SINKS",
            advice="Name one in the configuration: [alerts.sinks.phone], url_variable (docs/alerts.md).",
        )
    severities = [Severity.CRITICAL] if one else list(Severity)
    results = await asyncio.gather(*(_send(outlet, severities) for outlet in outlets))
    told = [row for rows in results for row in rows]
    for row in told:
        if as_json:
            console.out(msgspec.json.encode(row).decode(), highlight=False)
        else:
            verdict = "[green]taken[/]" if row["taken"] else f"[red]not taken[/]: {escape(str(row['reason']))}"
            console.print(
                f"{escape(str(row['sink']))}  {row['severity']}  {verdict}  ({row['seconds']} s)", highlight=False
            )
    return all(row["taken"] for row in told)


async def _send(outlet: Outlet, severities: list[Any]) -> list[dict[str, object]]:
    from perpwire.notification.setting_up import test_alert
    from perpwire.notification.sinks import SinkFailed

    rows: list[dict[str, object]] = []
    for severity in severities:
        began = time.monotonic()
        reason = ""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await outlet.sink.deliver(test_alert(severity, time.time_ns()))
        except TimeoutError:
            reason = f"no answer within {PATIENCE_S:g} s"
        except SinkFailed as error:
            reason = str(error)
        rows.append(
            {
                "sink": outlet.name,
                "severity": severity.value,
                "taken": not reason,
                "reason": reason,
                "seconds": round(time.monotonic() - began, 2),
            }
        )
    await outlet.sink.close()
    return rows

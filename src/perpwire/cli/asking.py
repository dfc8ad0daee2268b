"""Before anything is sent: what would be, to whom, what it is worth, and what holds; then the question."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from perpwire.api_connector.guards import Guards
from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.connecting import Plan, Target, plan
from perpwire.cli.interrupts import INTERRUPTED
from perpwire.cli.questions import ask
from perpwire.cli.running import FAILED, errors, telling
from perpwire.errors import BadInput
from perpwire.model.facts import facts
from perpwire.model.numbers import plain
from perpwire.venues.base import Call


class Hand(NamedTuple):
    """What every trading verb is told besides its own words."""

    venues: Sequence[str] | None
    env: str | None
    urls: Sequence[str] | None
    config: Path | None
    dry_run: bool = False
    yes: bool = False
    ask: bool = False
    as_json: bool = False

    def plan(self) -> Plan:
        """
        Raises:
            typer.Exit: A word can't be followed; it has been said.
        """
        with telling(as_json=self.as_json):
            return plan(self.venues, self.env, self.urls, self.config)

    def must_ask(self, targets: Sequence[Target]) -> bool:
        """Whether the user has to agree first.

        Raises:
            typer.Exit: So it is, and nobody is there to be asked.
        """
        if not (self.ask or (not self.yes and any(target.env == "live" for target in targets))):
            return False
        if not self.dry_run and not sys.stdin.isatty():
            with telling(as_json=self.as_json):
                raise BadInput(
                    "this is to be confirmed, and there is no terminal to ask at", code="NO_TERMINAL",
                    advice="Nothing was sent. Say --yes, or look first with --dry-run.",
                )  # fmt: skip
        return True


def show(lines: Sequence[tuple[str, str]], screen: Console = errors) -> None:
    """Name and text of each line. What is asked about goes to the standard error, what was asked for to `console`."""
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        screen.print(Text.assemble((name.ljust(width), "bold"), "  ", text), highlight=False, soft_wrap=True)


def confirm(question: str) -> None:
    """
    Raises:
        typer.Exit: The answer is anything but a yes, or Ctrl-C; nothing was sent.
    """
    try:
        agreed, code = ask(f"{question} [y/N]: ").strip().lower() in ("y", "yes"), FAILED
    except typer.Abort:
        agreed, code = False, INTERRUPTED
    if not agreed:
        errors.print("nothing was sent", highlight=False)
        raise typer.Exit(code)


def address(connector: VenueConnector) -> str:
    return connector.streams.hosts(connector.venue).rest


def place_line(made: Plan, target: Target, connector: VenueConnector) -> tuple[str, str]:
    return "venue", f"{target.venue}, {target.env.upper()} ({address(connector)}); key: {made.keys_from(target)}"


def target_line(made: Plan, target: Target) -> tuple[str, str]:
    """The same of several, where no connection is there any more."""
    return "venue", f"{target.venue}, {target.env.upper()}; key: {made.keys_from(target)}"


def guard_words(guards: Guards) -> str:
    """The guards that hold, in one line."""
    words = []
    if guards.max_order_notional is not None:
        words.append(f"an order up to {plain(guards.max_order_notional)}")
    if guards.max_position_notional is not None:
        words.append(f"a position up to {plain(guards.max_position_notional)}")
    if guards.price_collar is not None:
        words.append(f"a price up to {plain((guards.price_collar * 100).normalize())} % beyond the mark price")
    if guards.max_orders is not None:
        words.append(f"{guards.max_orders} orders in {guards.per_s:g} s")
    return ", ".join(words) or "none"


def call_facts(call: Call[Any]) -> dict[str, Any]:
    """What would be sent, without the time stamp, the receive window and the signature that go along."""
    params = {name: value for name, value in call.params.items() if value is not None}
    return {"call": call.endpoint.http, "params": params}


def call_words(call: Call[Any]) -> str:
    """The same in one line."""
    params = call_facts(call)["params"]
    return f"{call.endpoint.http}  " + " ".join(f"{name}={_text(value)}" for name, value in params.items())


def guard_facts(guards: Guards) -> dict[str, Any]:
    return msgspec.structs.asdict(guards)


def _text(value: Any) -> str:
    plain_value = facts(value)
    return plain_value if isinstance(plain_value, str) else msgspec.json.encode(plain_value).decode()

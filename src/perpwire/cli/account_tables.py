"""What `perpwire account`, `positions` and `orders` ask, and how it is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from rich.progress import Progress, SpinnerColumn, TextColumn

from perpwire.api_connector.venue_connector import VenueConnector
from perpwire.cli.connecting import Plan, Target, ask_each, plan
from perpwire.cli.printing import Facts, moment, note, rows, tell_incident
from perpwire.cli.running import code_of, errors, say
from perpwire.errors import BadInput
from perpwire.model.account import AccountInfo, Position
from perpwire.model.incident import Incident
from perpwire.model.order import Order

T = TypeVar("T")

ACCOUNT = ("venue", "env", "equity", "wallet_balance", "unrealized_pnl", "available_balance", "initial_margin",
           "maintenance_margin")  # fmt: skip
BALANCES = ("venue", "asset", "wallet", "available", "unrealized_pnl")
POSITIONS = ("venue", "symbol", "position_side", "quantity", "entry_price", "mark_price", "notional",
             "unrealized_pnl", "liquidation_price", "leverage", "margin_mode")  # fmt: skip
ORDERS = ("venue", "symbol", "side", "type", "status", "price", "quantity", "filled_quantity", "average_price",
          "trigger_price", "reduce_only", "created", "order_id", "client_order_id")  # fmt: skip

Words = Sequence[str] | None


async def account(venue: Words, env: str | None, url: Words, config: Path | None, *, as_json: bool) -> int:
    """
    Returns:
        The exit code, as of all three.
    """
    made = plan(venue, env, url, config)

    async def ask(connector: VenueConnector, target: Target) -> AccountInfo:
        return await connector.get_account_info()

    found, code = await asked(made, ask, is_named=bool(venue), as_json=as_json)
    accounts = [{"env": env_of(made, name)} | msgspec.structs.asdict(info) for name, info in found.items()]
    rows(title("account", answered(made, found)), ACCOUNT, accounts, as_json=as_json, empty="")
    if not as_json and accounts:
        balances = [balance_row(name, one) for name, info in found.items() for one in info.balances if one.wallet]
        rows("balances", BALANCES, balances, as_json=False, empty="no balances")
    return code


async def positions(
    symbol: str | None, venue: Words, env: str | None, url: Words, config: Path | None, *, as_json: bool
) -> int:
    made = plan(venue, env, url, config)

    async def ask(connector: VenueConnector, target: Target) -> tuple[Position, ...]:
        return await connector.get_positions(symbol)

    found, code = await asked(made, ask, is_named=bool(venue), as_json=as_json)
    held = [position_row(one) for several in found.values() for one in several if one.quantity]
    heard = answered(made, found)
    rows(title("positions", heard), POSITIONS, held, as_json=as_json, empty=none("open positions", heard))
    return code


async def orders(
    symbol: str | None,
    back_s: int | None,
    venue: Words,
    env: str | None,
    url: Words,
    config: Path | None,
    *,
    as_json: bool,
) -> int:
    """
    Args:
        back_s: Of the past, so many seconds back; None: those that are open.
    """
    made = plan(venue, env, url, config)
    hidden = as_json or not errors.is_terminal
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=errors, transient=True, disable=hidden) as progress:

        async def ask(connector: VenueConnector, target: Target) -> Sequence[Order]:
            if back_s is None:
                return await connector.get_open_orders(symbol)
            start_ms = await connector.get_server_time() - back_s * 1000
            task = progress.add_task(f"{target.venue}: orders of the past")
            past: list[Order] = []
            async for order in connector.get_order_history(symbol, start_ms=start_ms):
                past.append(order)
                progress.update(task, description=f"{target.venue}: {len(past)} orders of the past")
            return past

        found, code = await asked(made, ask, is_named=bool(venue), as_json=as_json)
    listed = [order_row(order) for several in found.values() for order in several]
    heard = answered(made, found)
    empty = none("open orders" if back_s is None else "orders in that time", heard)
    rows(title("orders", heard), ORDERS, listed, as_json=as_json, empty=empty)
    return code


async def asked(
    made: Plan,
    ask: Callable[[VenueConnector, Target], Awaitable[T]],
    *,
    is_named: bool,
    as_json: bool,
    on_incident: Callable[[Incident], None] = tell_incident,
) -> tuple[dict[str, T], int]:
    """What each venue says, and the exit code: that of the first error. Where the user named no venue and has a key of
    one only, that is none."""
    answers = await ask_each(made, ask, on_incident)
    found: dict[str, T] = {}
    failed: dict[str, Exception] = {}
    for name, answer in answers.items():
        if isinstance(answer, Exception):
            failed[name] = answer
        else:
            found[name] = answer
    code = 0
    for name, error in failed.items():
        if found and not is_named and isinstance(error, BadInput) and error.code == "NO_CREDENTIALS":
            note(f"note: {name} is left out: {error.reason}")
            continue
        say(error, as_json=as_json)
        code = code or code_of(error)
    return found, code


# --- rows -------------------------------------------------------------------------------------------------------------


def position_row(position: Position) -> Facts:
    return msgspec.structs.asdict(position) | {"notional": position.notional}


def order_row(order: Order) -> Facts:
    created = order.created_time_ms
    return msgspec.structs.asdict(order) | {"created": "" if created is None else moment(created)}


def balance_row(venue: str, balance: Any) -> Facts:
    return msgspec.structs.asdict(balance) | {"venue": venue}


def env_of(made: Plan, venue: str) -> str:
    return next(target.env for target in made.targets if target.venue == venue)


def where(made: Plan) -> str:
    return ", ".join(f"{target.venue} {target.env}" for target in made.targets)


def answered(made: Plan, found: Collection[str]) -> Plan:
    """Of the plan what has answered: of the rest nothing may be said, least of all that there is nothing."""
    return made._replace(targets=tuple(target for target in made.targets if target.venue in found))


def none(what: str, heard: Plan) -> str:
    """That there is none; "" where nobody has answered."""
    return f"no {what} ({where(heard)})" if heard.targets else ""


def title(what: str, made: Plan) -> str:
    return f"{what}: {where(made)}"

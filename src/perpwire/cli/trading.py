"""The verbs that trade by hand: `perpwire order place | amend | cancel | show` and `perpwire close`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from perpwire.cli.words import Config, Env, JsonLines, OneVenue, Urls, Venues
from perpwire.model.order import AT_MARKET, CONDITIONAL, OrderType, PositionSide, Side, TimeInForce, TriggerBy

_ASKING = (
    "[bold]Before anything is sent live[/] the order, its value, the account and the guards that hold are shown, and "
    "you are asked. Guards: those of the configuration file, or else an order of at most 100,000 and a position of at "
    "most 500,000 (quote currency), a limit price at most 5 % beyond the mark price, 20 orders a second; what only "
    "closes always passes them.\n\n"
    "[bold]Ctrl-C[/] leaves orders and positions as they are, and says so. Exit code 3: what became of the order is "
    "not known; the message says how to look."
)

order = typer.Typer(no_args_is_help=True, help="Place, amend, cancel or show one order by hand.")

TYPES = (OrderType.LIMIT, OrderType.MARKET, *sorted(CONDITIONAL))


def add_to(app: typer.Typer) -> None:
    app.add_typer(order, name="order")
    order.command(epilog=_ASKING)(place)
    order.command(epilog=_ASKING)(amend)
    order.command(epilog=_ASKING)(cancel)
    order.command()(show)
    app.command(epilog=_ASKING)(close)


def _word(*words: str) -> Any:
    """Makes a check of a word, in any case."""

    def check(value: str | None) -> str | None:
        if value is None or value.upper() in words:
            return None if value is None else value.upper()
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(words)}")

    return check


def _listed(*words: str) -> Any:
    """Completes a word, in the case in which it was begun."""

    def complete(incomplete: str) -> list[str]:
        return list(words) if incomplete.isupper() else [word.lower() for word in words]

    return complete


Symbol = Annotated[str, typer.Argument(help="The contract, such as BTCUSDT or BTC/USDT:USDT.", show_default=False)]
OrderId = Annotated[str | None, typer.Argument(help="The venue's id of the order.", show_default=False)]
ClientId = Annotated[str | None, typer.Option("--client-order-id", metavar="ID", help="Your own id of the order.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, also where it is live.")]
Ask = Annotated[bool, typer.Option("--ask", help="Ask in every environment, not only where it is live.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, exactly, and send nothing.")]
WhichSide = Annotated[
    str | None,
    typer.Option(
        "--position-side",
        metavar="LONG|SHORT",
        callback=_word(*PositionSide),
        autocompletion=_listed("LONG", "SHORT"),
        help="Of an account in hedge mode. Otherwise it follows from the account's mode.",
    ),
]
Road = Annotated[
    str | None,
    typer.Option(metavar="rest|websocket", help="How the order travels; without it as the configuration says."),
]


def place(
    symbol: Symbol,
    side: Annotated[
        str,
        typer.Argument(
            metavar="buy|sell",
            callback=_word(*Side),
            autocompletion=_listed(*Side),
            help="Buy or sell.",
            show_default=False,
        ),
    ],
    quantity: Annotated[
        str | None,
        typer.Argument(
            help="In the base currency, such as 0.01 (BTC). Left out with --close-position.", show_default=False
        ),
    ] = None,
    price: Annotated[
        str | None, typer.Option(help="Limit price, quote per base. With it the order is a LIMIT.")
    ] = None,
    type_: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            callback=_word(*TYPES),
            autocompletion=_listed(*TYPES),
            help=f"{', '.join(TYPES)}. Without it: LIMIT with a price, MARKET without.",
        ),
    ] = None,
    time_in_force: Annotated[
        str | None,
        typer.Option(
            "--time-in-force",
            "--tif",
            metavar="TIF",
            callback=_word(*TimeInForce),
            autocompletion=_listed("GTC", "IOC", "FOK", "POST_ONLY", "GTD"),
            help="GTC (rests until cancelled; the usual), IOC, FOK, POST_ONLY, GTD or RPI.",
        ),
    ] = None,
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="It may only make a position smaller.")] = False,
    position_side: WhichSide = None,
    trigger_price: Annotated[
        str | None, typer.Option("--trigger-price", metavar="PRICE", help="Of a conditional type: where it is set off.")
    ] = None,
    trigger_by: Annotated[
        str | None,
        typer.Option(
            "--trigger-by",
            metavar="PRICE",
            callback=_word(*TriggerBy),
            autocompletion=_listed(*TriggerBy),
            help="The price that the trigger watches: LAST (the usual), MARK or INDEX.",
        ),
    ] = None,
    callback_rate: Annotated[
        str | None, typer.Option("--callback-rate", metavar="PERCENT", help="Of a trailing stop: 1 is 1 %.")
    ] = None,
    activation_price: Annotated[
        str | None, typer.Option("--activation-price", metavar="PRICE", help="Of a trailing stop: where it begins.")
    ] = None,
    close_position: Annotated[
        bool, typer.Option("--close-position", help="A conditional order that closes the whole position.")
    ] = False,
    take_profit: Annotated[
        str | None, typer.Option("--take-profit", metavar="PRICE", help="Trigger of an attached exit (Bybit).")
    ] = None,
    stop_loss: Annotated[
        str | None, typer.Option("--stop-loss", metavar="PRICE", help="Trigger of an attached exit (Bybit).")
    ] = None,
    round_: Annotated[
        str | None,
        typer.Option(
            "--round",
            metavar="WAY",
            autocompletion=_listed("DOWN", "UP", "NEAREST", "PASSIVE"),
            help="down, up, nearest or passive: round price and quantity to the contract's steps. Without it what is "
            "off the steps is refused.",
        ),
    ] = None,
    client_order_id: Annotated[
        str | None, typer.Option("--client-order-id", metavar="ID", help="An id of your own; one is made without it.")
    ] = None,
    road: Road = None,
    venue: OneVenue = None,
    env: Env = None,
    url: Urls = None,
    config: Config = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    ask: Ask = False,
    as_json: JsonLines = False,
) -> None:
    """Place one order. It is sent once, whatever happens, and what became of it is told."""
    from perpwire.cli.asking import Hand
    from perpwire.cli.hand_orders import place as place_order

    said = {
        "symbol": symbol,
        "side": side,
        "quantity": quantity,
        "order_type": type_ or (OrderType.MARKET if price is None else OrderType.LIMIT),
        "price": price,
        "time_in_force": time_in_force,
        "reduce_only": reduce_only or None,
        "position_side": position_side,
        "trigger_price": trigger_price,
        "trigger_by": trigger_by,
        "callback_rate": callback_rate,
        "activation_price": activation_price,
        "close_position": close_position or None,
        "take_profit": take_profit,
        "stop_loss": stop_loss,
        "round": None if round_ is None else round_.lower(),
        "client_order_id": client_order_id,
    }
    if price is not None and said["order_type"] in AT_MARKET:
        raise typer.BadParameter(f"an order of type {said['order_type']} has no price", param_hint="--price")
    hand = Hand([venue] if venue else None, env, url, config, dry_run=dry_run, yes=yes, ask=ask, as_json=as_json)
    place_order(hand, said, road)


def amend(
    symbol: Symbol,
    order_id: OrderId = None,
    client_order_id: ClientId = None,
    price: Annotated[str | None, typer.Option(help="The new limit price.")] = None,
    quantity: Annotated[str | None, typer.Option(help="The new quantity in all, what is filled included.")] = None,
    trigger_price: Annotated[
        str | None, typer.Option("--trigger-price", metavar="PRICE", help="The new trigger (Bybit).")
    ] = None,
    road: Road = None,
    venue: OneVenue = None,
    env: Env = None,
    url: Urls = None,
    config: Config = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    ask: Ask = False,
    as_json: JsonLines = False,
) -> None:
    """Change the price or quantity of a resting order, or the trigger of a conditional one (Bybit)."""
    from perpwire.cli.asking import Hand
    from perpwire.cli.hand_orders import amend as amend_order

    hand = Hand([venue] if venue else None, env, url, config, dry_run=dry_run, yes=yes, ask=ask, as_json=as_json)
    changes = {"price": price, "quantity": quantity, "trigger_price": trigger_price}
    amend_order(hand, symbol, order_id, client_order_id, changes, road)


def cancel(
    symbol: Annotated[
        str | None,
        typer.Argument(help="The contract, such as BTCUSDT; may be left out with --all.", show_default=False),
    ] = None,
    order_id: OrderId = None,
    client_order_id: ClientId = None,
    all_: Annotated[bool, typer.Option("--all", help="Every open order, of the contract or of all of them.")] = False,
    road: Road = None,
    venue: OneVenue = None,
    env: Env = None,
    url: Urls = None,
    config: Config = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    ask: Ask = False,
    as_json: JsonLines = False,
) -> None:
    """Cancel one open order, or all of them; conditional ones too. It tells how each ended: it may have been filled."""
    from perpwire.cli.asking import Hand
    from perpwire.cli.hand_orders import cancel as cancel_order, cancel_all

    hand = Hand([venue] if venue else None, env, url, config, dry_run=dry_run, yes=yes, ask=ask, as_json=as_json)
    if all_:
        if order_id is not None or client_order_id is not None:
            raise typer.BadParameter("with --all no order is named", param_hint="--all")
        cancel_all(hand, symbol)
    elif symbol is None:
        raise typer.BadParameter("which one? A contract and an id, or --all", param_hint="SYMBOL")
    else:
        cancel_order(hand, symbol, order_id, client_order_id, road)


def show(
    symbol: Symbol,
    order_id: OrderId = None,
    client_order_id: ClientId = None,
    venue: OneVenue = None,
    env: Env = None,
    url: Urls = None,
    config: Config = None,
    as_json: JsonLines = False,
) -> None:
    """One order as it stands; also to find out what became of one, by the id of your own."""
    from perpwire.cli.asking import Hand
    from perpwire.cli.hand_orders import show as show_order

    hand = Hand([venue] if venue else None, env, url, config, as_json=as_json)
    show_order(hand, symbol, order_id, client_order_id)


def close(
    symbol: Annotated[
        str | None, typer.Argument(help="The contract, such as BTCUSDT; left out with --all.", show_default=False)
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every open position, of every venue that is meant.")] = False,
    cancel_orders: Annotated[
        bool, typer.Option("--cancel-orders", help="Cancel the open orders of what is closed first.")
    ] = False,
    position_side: WhichSide = None,
    venue: Venues = None,
    env: Env = None,
    url: Urls = None,
    config: Config = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    ask: Ask = False,
    as_json: JsonLines = False,
) -> None:
    """Close positions by market orders that can only make them smaller."""
    from perpwire.cli.asking import Hand
    from perpwire.cli.hand_closing import close as close_positions

    if all_ == (symbol is not None):
        raise typer.BadParameter("either a contract, or --all", param_hint="SYMBOL")
    hand = Hand(venue, env, url, config, dry_run=dry_run, yes=yes, ask=ask, as_json=as_json)
    close_positions(hand, symbol, position_side, cancel_orders=cancel_orders)

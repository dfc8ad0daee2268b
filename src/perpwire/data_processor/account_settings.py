"""What the account is set to, as far as it was heard of: leverage and modes. Pure.

A setting stands here as the event that would tell of it. What is heard for the first time is what holds; what is heard
otherwise later is a change.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from perpwire.model.account import (
    AccountEvent,
    AccountSettings,
    AssetModeChanged,
    LeverageChanged,
    MarginMode,
    MarginModeChanged,
    Position,
    PositionMode,
    PositionModeChanged,
)
from perpwire.model.order import PositionSide

_MARGIN_MODES = {"cross": MarginMode.CROSS, "isolated": MarginMode.ISOLATED}


def setting_of(event: AccountEvent) -> tuple[Hashable, object] | None:
    """What is set, and to what; None where the event tells of no setting."""
    match event:
        case LeverageChanged():
            return ("leverage", event.symbol, event.position_side), event.leverage
        case MarginModeChanged():
            return ("margin mode", event.symbol), event.margin_mode
        case PositionModeChanged():
            return ("position mode", event.symbol), event.position_mode
        case AssetModeChanged():
            return ("asset mode",), event.multi_assets
    return None


def settings_of_position(position: Position, *, mode_by_symbol: bool) -> list[AccountEvent]:
    """What a position tells of settings.

    Args:
        mode_by_symbol: Each symbol has a position mode of its own, and its positions show it.
    """
    venue, symbol, side = position.venue, position.symbol, position.position_side
    time_ms, received_ns = position.venue_time_ms, position.received_ns
    told: list[AccountEvent] = []
    if position.leverage is not None:
        told.append(
            LeverageChanged(
                venue=venue,
                symbol=symbol,
                venue_time_ms=time_ms,
                received_ns=received_ns,
                leverage=position.leverage,
                position_side=side,
            )
        )
    # The margin mode of a position that was read may be inferred (Binance): what is read says it better.
    mode = _MARGIN_MODES.get(position.margin_mode or "") if received_ns else None
    if mode is not None:
        told.append(
            MarginModeChanged(
                venue=venue, symbol=symbol, venue_time_ms=time_ms, received_ns=received_ns, margin_mode=mode
            )
        )
    if mode_by_symbol:
        told.append(
            PositionModeChanged(
                venue=venue,
                symbol=symbol,
                venue_time_ms=time_ms,
                received_ns=received_ns,
                position_mode=PositionMode.ONE_WAY if side is PositionSide.BOTH else PositionMode.HEDGE,
            )
        )
    return told


def settings_of_reading(venue: str, read: AccountSettings) -> list[AccountEvent]:
    """What a reading tells of them."""
    told: list[AccountEvent] = [
        LeverageChanged(venue=venue, symbol=symbol, leverage=leverage) for symbol, leverage in read.leverages.items()
    ]
    told += (
        MarginModeChanged(venue=venue, symbol=symbol, margin_mode=mode) for symbol, mode in read.margin_modes.items()
    )
    if read.position_mode is not None:
        told.append(PositionModeChanged(venue=venue, position_mode=read.position_mode))
    if read.multi_assets is not None:
        told.append(AssetModeChanged(venue=venue, multi_assets=read.multi_assets))
    return told


class KnownSettings:
    """Of one account."""

    def __init__(self) -> None:
        self._known: dict[Hashable, object] = {}

    def on_event(self, event: AccountEvent) -> None:
        """It is told, and holds from now on."""
        setting = setting_of(event)
        if setting is not None:
            self._known[setting[0]] = setting[1]

    def changed(self, heard: Iterable[AccountEvent]) -> list[AccountEvent]:
        """Of what is heard, that which was known otherwise. It is known when `on_event` is told of it; what is heard
        for the first time is known at once."""
        found = []
        for event in heard:
            setting = setting_of(event)
            if setting is not None and self._known.setdefault(*setting) != setting[1]:
                found.append(event)
        return found

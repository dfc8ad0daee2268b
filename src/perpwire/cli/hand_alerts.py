"""Who else hears of an order by hand that failed or is in doubt: whom the configuration names (`[alerts]`).

Whoever typed it is told on the terminal, and waits no longer than SEND_S for the others: what a sink has not taken by
then stays on disk, and is told by `perpwire serve`, within half a minute where it runs, or by the next such order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from perpwire.cli.connecting import Plan
from perpwire.cli.interrupts import hurry
from perpwire.cli.printing import note, tell_incident
from perpwire.model.incident import ChangeUnresolved, Incident, OrderDoubtful, OrderFailed, OrderResolved

SEND_S = 3.0

SPOOL = "alerts-by-hand.spool"
"""In state_dir; not that of `perpwire serve`, which has its own open."""

ABOUT_ORDERS = (ChangeUnresolved, OrderFailed, OrderResolved)
"""What an order by hand came to. The rest (a key that ends soon, a limit that is pressed) is told of by what runs all
day: here it would be told anew with each order."""


@asynccontextmanager
async def alerting(made: Plan) -> AsyncIterator[Callable[[Incident], None]]:
    """Gives what takes the incidents of a connector that ends before this does; it tells them on the terminal."""
    heard: list[Incident] = []

    def take(incident: Incident) -> None:
        tell_incident(incident)
        if isinstance(incident, ABOUT_ORDERS):
            heard.append(incident)

    try:
        yield take
    finally:
        if heard and made.settings.alerts:
            try:
                await _send(made, heard)
            except Exception as error:  # the order's own outcome is what has to be told
                note(f"note: nobody was alerted of it: {error}")


async def _send(made: Plan, heard: Sequence[Incident]) -> None:
    # Imported where something has gone wrong: what delivers alerts is large.
    from perpwire.notification.setting_up import notifier_from

    spool = made.settings.state_file(SPOOL)
    notifier = notifier_from(made.settings.alerts, spool=spool, secrets=[made.keys(target) for target in made.targets])
    if notifier is None:
        return
    await notifier.start()
    settled = {one.client_order_id for one in heard if isinstance(one, OrderResolved)}
    for incident in heard:
        if not (isinstance(incident, OrderDoubtful) and incident.client_order_id in settled):
            notifier.on_incident(incident)  # of a doubt that has come to an end, well or not, the end is told
    await notifier.close(SEND_S)
    sinks = notifier.stats().sinks
    if any(one.kept or one.dropped for one in sinks):
        hurry()
    if waiting := [one.name for one in sinks if one.kept]:
        note(f"note: {', '.join(waiting)} could not be alerted yet: `perpwire serve` or the next order will")
    elif lost := [one.name for one in sinks if one.dropped or one.refused]:
        note(f"note: {', '.join(lost)} could not be alerted of it")

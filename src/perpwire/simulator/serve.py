"""The simulation as a service: what `perpwire sim` runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import NoReturn, Unpack

from perpwire.simulator.server import running
from perpwire.simulator.simulation import SetupOptions


async def serve(
    *,
    on_ready: Callable[[dict[str, str]], None],
    ports: Mapping[str, int] | None = None,
    **options: Unpack[SetupOptions],
) -> NoReturn:
    """Serve the venues until cancelled, then end within two seconds with all sockets closed. Prints nothing.

    Args:
        on_ready: Called once with venue -> address, when connections are taken.
        ports: Venue -> port on 127.0.0.1; 0, or a venue left out, for a free one.
        options: Those of simulation.Setup; options.setup_options makes them of files and words.

    Raises:
        OSError: A file can't be read, or a port is taken; or, later, the state can't be saved any more.
        ValueError: An option is out of bounds, or a file does not hold what it should; the message names it.
    """
    async with running(ports=ports, **options) as simulation:
        failed: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()

        def fail(error: OSError) -> None:
            if not failed.done():
                failed.set_exception(error)

        for exchange in simulation.exchanges.values():
            exchange.on_failure = fail
        on_ready(dict(simulation.urls))
        await failed

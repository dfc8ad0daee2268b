"""Pictures of `perpwire demo` and `perpwire watch` for the documentation: `python -m tests.docs.screenshots`.

Both run against the embedded exchange; what they show last on a terminal of this size becomes an SVG.
"""

from __future__ import annotations

import asyncio
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME

from perpwire.cli.connecting import connectors, plan
from perpwire.cli.demo import demo
from perpwire.cli.market_rows import SHOWN, Row
from perpwire.cli.watch_screen import Screen
from perpwire.clock import SystemClock
from perpwire.monitoring.observer import Observer

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SEED = 7


def console(width: int, height: int) -> Console:
    """No terminal, so that nothing moves: what is printed is kept with its colours all the same."""
    return Console(
        record=True, file=StringIO(), width=width, height=height, force_terminal=False, color_system="truecolor"
    )


def save(shown: Console, name: str, title: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    svg = shown.export_svg(title=title, theme=SVG_EXPORT_THEME, unique_id=f"perpwire-{name}")
    (IMAGES / f"{name}.svg").write_text(svg + "\n", encoding="utf-8")


async def watch() -> None:
    """Two symbols on both venues, after some seconds."""
    screen, shown = Screen(levels=6), console(166, 40)
    symbols = ("BTCUSDT", "ETHUSDT")
    async with connectors(plan(None, "sim", None), private=False) as started:
        rows: list[Row] = []
        for connector in started.values():
            mine = [Row(connector, symbol) for symbol in symbols]
            await connector.subscribe(SHOWN, symbols)
            for row, book in zip(mine, await connector.open_books(symbols), strict=True):
                row.book = book
            rows += mine
        observer = Observer(SystemClock())
        for connector in started.values():
            observer.add(connector)
        observer.start()
        await asyncio.sleep(3)
        for row in rows:
            row.tick(3)
        await asyncio.sleep(1)
        for row in rows:
            row.tick(1)
        screen.bars = observer.snapshot().bars
        observer.close()
        shown.print(screen.shown(rows, shown.size))
    save(shown, "watch", "perpwire watch BTCUSDT ETHUSDT")


async def demonstration() -> None:
    """The report at its end."""
    shown = console(132, 60)
    await demo(
        venues=["binance", "bybit"], seed=SEED, replay=None, expect=None, speed=1, seconds=6, alert_urls=[],
        as_json=False, console=shown,
    )  # fmt: skip
    save(shown, "demo", "perpwire demo")


if __name__ == "__main__":
    asyncio.run(watch())
    asyncio.run(demonstration())

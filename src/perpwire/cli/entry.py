"""Where the `perpwire` command begins: Ctrl-C ends it quietly also while it is still being imported."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    from perpwire.cli.main import app

    # From here on asyncio.Runner turns Ctrl-C into the cancellation of what runs.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    app()

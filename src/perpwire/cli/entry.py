"""Where the `perpwire` command begins: Ctrl-C ends it quietly also while it is still being imported, and a mistaken
flag, or that what it needs is not installed, is told in one line."""

from __future__ import annotations

import sys

from perpwire.cli.interrupts import INTERRUPTED, leave, leave_at_once
from perpwire.cli.whole_writes import write_whole


def main() -> None:
    leave_at_once()
    write_whole()
    try:
        import typer

        from perpwire.cli.main import app
        from perpwire.cli.running import MISTAKEN, say_as_object, say_error
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit(f"error: {error.name} is not installed; the command line needs it: pip install 'perpwire[cli]'")

    try:
        code = app(standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):  # Ctrl-C, also at a question, or the end of its input
        code = INTERRUPTED
    except Exception as error:
        # typer's mistakes of usage share no public class over its versions; this is what they have in common.
        words, context = getattr(error, "format_message", None), getattr(error, "ctx", None)
        if words is None:
            raise
        help_page = f"see {context.command_path} --help" if context else "see perpwire --help"
        # With no arguments at all the message is the help page itself, and has been printed.
        text = words().strip().rstrip(".")
        if text and "--json" in sys.argv:
            say_as_object({"error": type(error).__name__, "reason": text, "advice": help_page})
        elif text:
            say_error(f"{text}; {help_page}")
        code = MISTAKEN
    leave(code)

"""`python -m perpwire` is the `perpwire` command."""

from perpwire.cli.main import app

app()

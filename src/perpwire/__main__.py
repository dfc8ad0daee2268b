"""`python -m perpwire` is the `perpwire` command."""

from perpwire.cli.entry import main

main()

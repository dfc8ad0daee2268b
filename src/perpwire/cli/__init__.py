"""The `perpwire` command; one file a verb."""

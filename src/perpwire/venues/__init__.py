"""The venues perpwire speaks to, by name. A third venue is one more folder and one more line here."""

VENUES = {
    "binance": "perpwire.venues.binance_futures",
    "bybit": "perpwire.venues.bybit",
}
"""Name -> the venue's package: `<package>.venue` holds VENUE (the tables), `<package>.sim` the server shell."""

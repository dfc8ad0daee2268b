"""`perpwire serve`: connectors of all venues, watched, with a status page, metrics and alerts; nothing is traded here."""

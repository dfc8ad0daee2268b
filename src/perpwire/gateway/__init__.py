"""`perpwire serve`: connectors of all venues, watched; a status page, metrics and alerts. It trades nothing."""

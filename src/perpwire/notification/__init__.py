"""From incidents to people: rules decide what is worth telling, the notifier tells it once, sinks carry it away."""

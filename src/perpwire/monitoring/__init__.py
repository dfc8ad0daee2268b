"""What is true now, and has been: one Observer over any number of connectors, from which page, metrics and command
line read the same figures."""

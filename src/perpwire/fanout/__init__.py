"""Fan-out: what connectors hear, for other machines, by Redis Streams; and the reader that proves it lost nothing."""

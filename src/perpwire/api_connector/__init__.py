"""The connector: from a method call to the wire and back, and from a frame to a handler."""

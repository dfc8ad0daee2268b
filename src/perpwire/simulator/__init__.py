"""An exchange in a box. It knows venue tables and never the client."""

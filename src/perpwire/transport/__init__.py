"""The only place where the client opens a socket. Bytes and times: no venue's name appears here."""

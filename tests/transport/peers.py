"""Peers on loopback for the tests of the transports: a plain HTTP server in a thread, a self-signed certificate."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class ThreadedServer:
    """Answers each request, in a thread of its own, so that it goes on while the client's loop stands still.

    Attributes:
        connections: How many have been opened.
        requests: How many have been read.
        heads: The first line of each.
        closes_after: Requests on one connection, after whose answer it is closed. 0: never.
        unasked: Sent after each answer.
        idle_closed: Set when a connection has been closed after its last answer.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.connections = 0
        self.requests = 0
        self.heads: list[str] = []
        self.closes_after = 0
        self.unasked = b""
        self.idle_closed = threading.Event()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(peer)
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = peer if self._tls is None else self._tls.wrap_socket(peer, server_side=True)
            with stream:
                answered = 0
                while self._read(stream):
                    self.requests += 1
                    answered += 1
                    stream.sendall(ANSWER)
                    if self.unasked:
                        stream.sendall(self.unasked)
                        self.idle_closed.set()
                    if answered == self.closes_after:
                        stream.shutdown(socket.SHUT_RDWR)
                        self.idle_closed.set()
                        return
        except OSError:
            return

    def _read(self, stream: socket.socket) -> bool:
        text = b""
        while not text.endswith(b"\r\n\r\n"):
            more = stream.recv(4096)
            if not more:
                return False
            text += more
        self.heads.append(text.decode("latin-1").partition("\r\n")[0])
        return True

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for peer in self._open:
            try:
                peer.close()
            except OSError:
                pass
        self._thread.join(5)


@contextmanager
def threaded_server(tls: ssl.SSLContext | None = None) -> Iterator[ThreadedServer]:
    server = ThreadedServer(tls)
    try:
        yield server
    finally:
        server.close()


def certified(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS settings with a certificate of its own for localhost, and a client's that trust it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "certificate.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, private)
    return server, ssl.create_default_context(cafile=str(chain))

"""One proxy for everything: parsed once, its password never shown, SOCKS spoken here, HTTP left to the clients."""

from __future__ import annotations

import socket
from urllib.parse import unquote, urlsplit

from perpwire.errors import BadInput
from perpwire.transport.base import TransportFailed

PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class Proxy:
    """Where connections go through.

    http:// and https:// tunnel by CONNECT (https: the way to the proxy is encrypted too); plain http:// REST goes as
    absolute URLs, as proxies expect it. socks5:// looks host names up here, socks5h:// leaves that to the proxy.

    Args:
        url: http, https, socks5 or socks5h ://user:password@host:port; user and password percent-encoded.

    Raises:
        BadInput: Not such a URL. The message does not repeat it, as it may hold a password.
    """

    __slots__ = ("_password", "_url", "_username", "host", "port", "scheme")

    def __init__(self, url: str) -> None:
        self.scheme, self.host, self.port = "", "", 0
        parts = _parts(url)
        if parts is None:
            del url
            raise BadInput(
                f"the proxy is no URL of the kind {'|'.join(PORTS)}://user:password@host:port",
                code="BAD_PROXY",
                advice="Percent-encode what is special in user and password.",
            )
        self.scheme, self.host, self.port, self._username, self._password = parts
        self._url = url

    @property
    def url(self) -> str:
        """The whole of it, with the password: for the clients that speak HTTP to proxies by themselves."""
        return self._url

    @property
    def way_out(self) -> str:
        """It without user and password: by which address the venue sees us."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def is_socks(self) -> bool:
        return self.scheme.startswith("socks")

    @property
    def resolves_names(self) -> bool:
        """Host names are sent to the proxy and not looked up here."""
        return self.scheme != "socks5"

    def __repr__(self) -> str:
        return f"<Proxy {self.scheme}://{self.host}:{self.port}>"

    def __reduce__(self) -> str:
        raise TypeError("a proxy is not pickled: it may hold a password")

    def redact(self, text: str) -> str:
        """`text` without user and password."""
        for secret in (self._password, self._username):
            if secret:
                text = text.replace(secret, "***")
        return text

    async def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """A connected socket to `host`, through a SOCKS proxy.

        Raises:
            TransportFailed: No connection; nothing reached the host.
        """
        from python_socks import ProxyError, ProxyType
        from python_socks.async_.asyncio import Proxy as Socks

        socks = Socks(
            ProxyType.SOCKS5, self.host, self.port, self._username or None, self._password or None,
            rdns=self.resolves_names,
        )  # fmt: skip
        try:
            return await socks.connect(host, port, timeout=timeout_s)
        except (ProxyError, OSError, TimeoutError, ValueError) as error:
            words = self.redact(f"{type(error).__name__}: {error}")
        raise TransportFailed(f"{self!r}: {words}", may_have_been_sent=False)


def _parts(url: str) -> tuple[str, str, int, str, str] | None:
    """It must not raise: its frame sees the password."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
        host, name, password = parts.hostname or "", unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        return None
    if parts.scheme not in PORTS or not host or parts.path not in ("", "/") or parts.query or parts.fragment:
        return None
    if parts.scheme.startswith("socks") and not (name + password).isascii():
        return None  # python-socks can't write them
    return parts.scheme, host, port, name, password

"""Who may come in: by which name the page is called, and who knows the token; and what every answer tells browsers."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress

from aiohttp import web

from perpwire.errors import BadInput

LEAST_TOKEN = 16
"""Characters; fewer can be guessed."""

OPEN = ("/assets/", "/health/")
"""Answered without the token: they tell nothing of the account (/health/ready tells less to whom it does not know)."""

HEADERS = {
    # Nothing from elsewhere, nothing inline, and no text ever becomes markup: Chromium itself refuses innerHTML.
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens there."""
    if host == "localhost":
        return True
    address = _address(host)
    return address is not None and address.is_loopback


class Door:
    """Lets requests in.

    Args:
        host: Where the server listens.
        token: What a visitor must know; "": nothing.

    Raises:
        BadInput: Other machines could come in, and there is no token; or it is too short.
    """

    def __init__(self, host: str, token: str = "") -> None:
        if not token and not is_loopback(host):
            raise BadInput(
                f"a page on {host} can be read by other machines, and there is no token", code="NO_TOKEN",
                advice="Set PERPWIRE_PAGE_TOKEN to 16 characters or more, or listen on 127.0.0.1.",
            )  # fmt: skip
        if token and len(token) < LEAST_TOKEN:
            raise BadInput(f"the page's token must have {LEAST_TOKEN} characters or more", code="BAD_TOKEN")
        self._host = host.lower()
        self._token = token.encode()
        # The cookie is made of the token, so that it outlives a restart, and can't be turned back into it.
        self._pass = hashlib.sha256(b"perpwire page " + self._token).hexdigest()

    def is_called_rightly(self, host: str) -> bool:
        """Whether a Host header is one of ours: else a page from elsewhere has its own name point at us (DNS
        rebinding), and a browser would let it read all. An address is never such a name."""
        name = _name(host)
        return name in ("localhost", self._host) or _address(name) is not None

    def knows(self, request: web.BaseRequest) -> bool:
        """Whether the visitor has shown the token; False where there is none to be shown."""
        if not self._token:
            return False
        scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(shown.strip()):
            return True
        return _is_same(request.cookies.get(self._cookie(request), ""), self._pass.encode())

    def is_token(self, shown: str) -> bool:
        return bool(self._token) and _is_same(shown, self._token)

    def may_read(self, request: web.BaseRequest) -> bool:
        """Whether the visitor may see data."""
        return not self._token or self.knows(request)

    def give_pass(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """A cookie in the token's place."""
        is_tls = request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
        response.set_cookie(
            self._cookie(request), self._pass, httponly=True, samesite="Strict", secure=is_tls or None, path="/"
        )

    def _cookie(self, request: web.BaseRequest) -> str:
        """Cookies do not know ports: two pages on one machine keep theirs apart."""
        return f"perpwire-{_port(request.headers.get('Host', '')) or 'page'}"


def _is_same(shown: str, secret: bytes) -> bool:
    """In the same time whatever is shown; bytes of a header that are no text are none of ours, and no error."""
    return hmac.compare_digest(shown.encode(errors="surrogateescape"), secret)


def _name(host: str) -> str:
    """Of a Host header: without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _port(host: str) -> str:
    port = host.rpartition(":")[2] if ":" in host.rpartition("]")[2] else ""
    return port if port.isdecimal() else ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None

"""HTTP by aiohttp: a pool of kept-alive connections, for what http1.py does not speak: HTTP proxies."""

from __future__ import annotations

import asyncio
import select
import ssl
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from perpwire.errors import NotSent
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.transport.base import TransportFailed
from perpwire.transport.certificates import default_context, failure_words
from perpwire.transport.proxy import Proxy

KEPT_FOR_S = 55.0
"""An idle connection is given up after this: just before the minute at which the usual balancers drop it."""


class AiohttpTransport:
    """See transport.base.HttpTransport.

    An idle connection is looked at before it is used again: what has been closed meanwhile, or has anything to read,
    is dropped and replaced before a byte is written, so a server that closes idle connections is never noticed. What
    fails after that may have been sent: bytes given to the system count as sent.

    Args:
        proxy: See transport.proxy.Proxy.
        ssl_context: Own TLS settings, or None for the system's.
        connect_timeout_s: Seconds a new connection may take.
    """

    def __init__(
        self,
        *,
        proxy: Proxy | str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        connect_timeout_s: float = 5.0,
    ) -> None:
        self._proxy = Proxy(proxy) if isinstance(proxy, str) else proxy
        self._ssl = ssl_context
        self._connect_timeout_s = connect_timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False
        self._http_proxy = None if self._proxy is None or self._proxy.is_socks else self._proxy

    def _open(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise TransportFailed("the transport is closed", may_have_been_sent=False)
        if self._session is None:
            settings: dict[str, Any] = {
                "limit": 100,
                "keepalive_timeout": KEPT_FOR_S,
                "ssl": self._ssl or default_context(),
            }
            connector = (
                _SocksConnector(self._proxy, self._connect_timeout_s, **settings)
                if self._proxy is not None and self._proxy.is_socks
                else _Connector(**settings)
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                request_class=_Request,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Content-Type"),
            )
            # aiohttp repeats PUT, DELETE and GET by itself when a kept-alive connection turns out dead. Whether
            # anything is repeated is decided in retry.py alone.
            self._session._retry_connection = False
        return self._session

    async def exchange(self, base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
        given = _SENDING.set((base_url, request))
        try:
            async with self._open().request(
                request.method,
                URL(base_url + request.target, encoded=True),
                headers=request.headers,
                data=request.body or None,
                allow_redirects=False,
                proxy=None if self._http_proxy is None else self._http_proxy.url,
                timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=self._connect_timeout_s),
            ) as reply:
                body = await reply.read()
                return HttpReply(
                    status=reply.status,
                    headers={name.lower(): value for name, value in reply.headers.items()},
                    body=body,
                )
        except asyncio.CancelledError as error:
            # Without aiohttp's frames, whose variables are the address with its signature, and the headers.
            raise error.with_traceback(None) from None
        except NotSent as error:  # it may not be sent any more
            raise error.with_traceback(None) from None
        except TransportFailed as error:  # the SOCKS proxy's, or ours
            failure = TransportFailed(error.reason, may_have_been_sent=error.may_have_been_sent)
        except _NEVER_LEFT as error:
            failure = TransportFailed(self._words(error), may_have_been_sent=False)
        except TimeoutError:
            failure = TransportFailed(f"no answer within {timeout_s:g} s", may_have_been_sent=True)
        except (aiohttp.ClientError, OSError) as error:
            failure = TransportFailed(self._words(error), may_have_been_sent=True)
        finally:
            _SENDING.reset(given)
        # Raised here, so that it has no context: see above.
        raise failure

    async def close(self) -> None:
        self._is_closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _words(self, error: Exception) -> str:
        # A connector error's own text ends in the ssl setting's repr; the OS error inside says it better.
        cause = getattr(error, "os_error", None) or error
        if isinstance(cause, aiohttp.ClientHttpProxyError):
            return f"the proxy answered {cause.status} {cause.message}"
        if isinstance(cause, aiohttp.ClientResponseError | aiohttp.InvalidURL):
            # Their text repeats the whole URL, and with it the signature.
            return type(cause).__name__
        words = failure_words(cause, self._ssl)
        return words if self._proxy is None else self._proxy.redact(words)


_NEVER_LEFT = (
    aiohttp.ClientConnectorError,  # no connection, also none to the proxy
    aiohttp.ClientHttpProxyError,  # the proxy made no tunnel
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    ValueError,
)
"""What aiohttp raises before it has written anything of the request itself."""


FRESH_S = 0.001
"""A request that has waited for longer for its connection is signed anew."""

_SENDING: ContextVar[tuple[str, HttpRequest]] = ContextVar("sending")
"""Base address and request of the exchange that goes on in this task."""


class _Request(aiohttp.ClientRequest):
    """Signed anew, or not written at all, where its connection was long in coming."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._made_s = self.loop.time()

    async def send(self, conn: Any) -> Any:
        base_url, request = _SENDING.get()
        # What aiohttp sends to a proxy to make a tunnel is none of ours.
        if request.renew is not None and self.method == request.method and self.loop.time() - self._made_s > FRESH_S:
            renewed = request.renew()
            self.url = URL(base_url + renewed.target, encoded=True)
            self.headers.update(renewed.headers)
            if renewed.body != request.body:
                self.headers.pop("Content-Length", None)
                self.update_body_from_data(renewed.body or None)
        return await super().send(conn)


class _Connector(aiohttp.TCPConnector):
    """Looks at a kept-alive connection before it gives it out."""

    async def _get(self, *args: Any, **kwargs: Any) -> Any:
        while (kept := await super()._get(*args, **kwargs)) is not None:
            if not _is_spent(kept):
                return kept
            kept.close()
        return None


def _is_spent(kept: Any) -> bool:
    """The peer has closed an idle connection, or has said something unasked on it, which must not be taken for the
    answer to what is asked next. The loop need not have seen it yet: the system is asked."""
    protocol = kept.protocol
    if protocol is None or protocol.should_close or protocol.transport is None:
        return True
    socket = protocol.transport.get_extra_info("socket")
    return socket is None or _is_readable(socket.fileno())


if hasattr(select, "poll"):

    def _is_readable(descriptor: int) -> bool:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))

else:  # Windows

    def _is_readable(descriptor: int) -> bool:
        return bool(select.select([descriptor], [], [], 0)[0])


class _SocksConnector(_Connector):
    """Connections through a SOCKS proxy."""

    def __init__(self, proxy: Proxy, timeout_s: float, **settings: Any) -> None:
        if not hasattr(aiohttp.TCPConnector, "_wrap_create_connection"):
            # What is overridden below is no public part of aiohttp; nothing may ever go past the proxy.
            raise TransportFailed("this version of aiohttp can't be led through SOCKS", may_have_been_sent=False)
        super().__init__(resolver=_Unresolved(), **settings)
        self._through = proxy
        self._timeout_s = timeout_s

    async def _wrap_create_connection(self, *args: Any, addr_infos: Any, req: Any, **kwargs: Any) -> Any:
        socket = await self._through.connect(req.url.raw_host, req.port, self._timeout_s)
        return await self._wrap_existing_connection(*args, req=req, sock=socket, **kwargs)


class _Unresolved(AbstractResolver):
    """Looks nothing up, as that is the proxy's business, and gives an address that leads nowhere."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="0.0.0.0", port=0, family=2, proto=0, flags=0)]  # noqa: S104

    async def close(self) -> None:
        pass

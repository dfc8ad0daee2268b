"""HTTP by aiohttp: a pool of kept-alive connections. The leaner client that may replace it has the same two methods."""

from __future__ import annotations

import ssl

import aiohttp
from yarl import URL

from perpwire.http_message import HttpReply, HttpRequest
from perpwire.transport.base import TransportFailed


class AiohttpTransport:
    """See transport.base.HttpTransport.

    Args:
        proxy: http:// proxy URL, or None.
        ssl_context: Own TLS settings, or None for the system's.
        connect_timeout_s: Seconds a new connection may take.
    """

    def __init__(
        self,
        *,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        connect_timeout_s: float = 5.0,
    ) -> None:
        self._proxy = proxy
        self._ssl: ssl.SSLContext | bool = ssl_context if ssl_context is not None else True
        self._connect_timeout_s = connect_timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    def _open(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise TransportFailed("the transport is closed", may_have_been_sent=False)
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=100, keepalive_timeout=15, ssl=self._ssl),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Content-Type"),
            )
            # aiohttp repeats PUT, DELETE and GET by itself when a kept-alive connection turns out dead. Whether
            # anything is repeated is decided in retry.py alone.
            self._session._retry_connection = False
        return self._session

    async def exchange(self, base_url: str, request: HttpRequest, timeout_s: float) -> HttpReply:
        try:
            async with self._open().request(
                request.method,
                URL(base_url + request.target, encoded=True),
                headers=request.headers,
                data=request.body or None,
                allow_redirects=False,
                proxy=self._proxy,
                timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=self._connect_timeout_s),
            ) as reply:
                body = await reply.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, ValueError) as error:
            raise TransportFailed(_words(error), may_have_been_sent=False) from error
        except TimeoutError as error:
            raise TransportFailed(f"no answer within {timeout_s:g} s", may_have_been_sent=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransportFailed(_words(error), may_have_been_sent=True) from error
        return HttpReply(
            status=reply.status, headers={name.lower(): value for name, value in reply.headers.items()}, body=body
        )

    async def close(self) -> None:
        self._is_closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None


def _words(error: Exception) -> str:
    # A connector error's own text ends in the ssl setting's repr; the OS error inside says it better.
    cause = getattr(error, "os_error", None) or error
    if isinstance(cause, aiohttp.ClientResponseError | aiohttp.InvalidURL):
        # Their text repeats the whole URL, and with it the signature.
        return type(cause).__name__
    return f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__

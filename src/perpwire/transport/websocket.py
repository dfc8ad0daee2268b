"""WebSocket by picows: frames go to a plain callback, straight from the read callback, with their arrival time."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl

import picows
from python_socks import ProxyError

from perpwire.clock import Clock
from perpwire.transport.base import Socket, SocketListener, TransportFailed
from perpwire.transport.certificates import default_context, failure_words
from perpwire.transport.dialling import Dialler, let_go, numeric
from perpwire.transport.proxy import Proxy


class _Quiet(logging.LoggerAdapter[logging.Logger]):
    """picows logs addresses, headers and frames at levels of debugging: listen keys, key and signature; and each coming
    and going, which we tell ourselves."""

    def isEnabledFor(self, level: int) -> bool:
        return level >= logging.WARNING and super().isEnabledFor(level)


_QUIET = _Quiet(logging.getLogger("picows.perpwire"))

TEXT = picows.WSMsgType.TEXT

LONGEST_CONTROL = 125
"""Bytes. What is longer is data (RFC 6455, 5.5)."""


class _Listener(picows.WSListener):
    """Turns picows' callbacks into ours: puts fragments together, and hands on as one what was read as one."""

    __slots__ = ("_fragments", "_now_ns", "_read", "_read_ns", "_reason", "_to")

    def __init__(self, listener: SocketListener, clock: Clock) -> None:
        super().__init__()
        self._to = listener
        self._now_ns = clock.time_ns
        self._fragments: list[bytes] = []
        self._reason = "connection lost"
        self._read: list[bytes] = []
        """Messages of what is being read, while there is more of it, and when that was there: frames that are read
        together were readable together; what waits behind others has waited."""
        self._read_ns = 0

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        # Of the type picows makes an enum each time that it is asked for: a tenth of all that a tick costs.
        is_message = len(payload) > LONGEST_CONTROL and frame.fin and not self._fragments
        message = payload if is_message else self._ended_by(transport, frame, payload)
        if message is not None:
            if not self._read:
                self._read_ns = self._now_ns()
            self._read.append(message)
        if frame.last_in_buffer:
            self._hand_on()

    def _ended_by(self, transport: picows.WSTransport, frame: picows.WSFrame, payload: bytes) -> bytes | None:
        """The message that ends with a frame, if one does."""
        kind = frame.msg_type
        if kind is TEXT or kind is picows.WSMsgType.BINARY or kind is picows.WSMsgType.CONTINUATION:
            if kind is not picows.WSMsgType.CONTINUATION:
                self._fragments.clear()
            self._fragments.append(payload)
            if frame.fin:
                message, self._fragments = b"".join(self._fragments), []
                return message
        elif kind is picows.WSMsgType.PING:
            transport.send_pong(payload)
        elif kind is picows.WSMsgType.PONG:
            self._to.on_pong()
        elif kind is picows.WSMsgType.CLOSE:
            self._hand_on()
            code, words = frame.get_close_code(), frame.get_close_reason()
            self._reason = f"closed by the server ({code}{f': {words}' if words else ''})"
            transport.send_close(code)
            transport.disconnect()
        return None

    def _hand_on(self) -> None:
        read, self._read = self._read, []
        if read:
            self._to.on_frames(read, self._read_ns)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._hand_on()
        self._to.on_closed(self._reason)


class _PicowsSocket:
    def __init__(self, transport: picows.WSTransport) -> None:
        self._transport = transport

    def send(self, text: bytes) -> bool:
        if self._transport.is_disconnected:
            return False
        self._transport.send(TEXT, text)
        return True

    def ping(self) -> None:
        if not self._transport.is_disconnected:
            self._transport.send_ping()

    def close(self) -> None:
        self._transport.send_close(picows.WSCloseCode.OK)
        # A half-open peer would keep a graceful end waiting for an acknowledgement that never comes.
        self._transport.disconnect(False)

    def abort(self) -> None:
        self._transport.disconnect(False)


class PicowsTransport:
    """See transport.base.SocketTransport.

    Args:
        proxy: See transport.proxy.Proxy.
        ssl_context: Own TLS settings, or None for the system's.
    """

    def __init__(
        self, clock: Clock, *, proxy: Proxy | str | None = None, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._clock = clock
        self._proxy = Proxy(proxy) if isinstance(proxy, str) else proxy
        self._dialler = Dialler()
        self._ssl = ssl_context
        self._trusted: ssl.SSLContext | None = None
        self._open: set[picows.WSTransport] = set()

    async def connect(self, url: str, listener: SocketListener, timeout_s: float) -> Socket:
        proxy = self._proxy
        dialled: list[socket.socket] = []

        async def dial(to: picows.WSParsedURL) -> socket.socket | None:
            """To the host itself or an HTTP proxy; what is a number is left to picows."""
            if numeric(to.host, to.port) is not None:
                return None
            dialled.append(await self._dialler.dial(to.host, to.port))
            return dialled[-1]

        try:
            async with asyncio.timeout(timeout_s):
                transport, heard = await picows.ws_connect(
                    lambda: _Listener(listener, self._clock),
                    url,
                    ssl_context=self._secured() if url.startswith("wss") else None,
                    websocket_handshake_timeout=timeout_s,
                    max_redirects=0,
                    proxy=None if proxy is None or proxy.is_socks else proxy.url,
                    proxy_ssl_context=self._secured() if proxy is not None and proxy.scheme == "https" else None,
                    socket_factory=dial
                    if proxy is None or not proxy.is_socks
                    else lambda to: proxy.connect(to.host, to.port, timeout_s),
                    # Else the last frame of a read might never come here, where it is a ping.
                    enable_auto_pong=False,
                    logger_name=_QUIET,
                )
        except asyncio.CancelledError as error:
            for one in dialled:
                let_go(one)
            # Without picows' frames, whose variables are the address with its listen key, and the proxy's.
            raise error.with_traceback(None) from None
        except TransportFailed as error:
            failure = TransportFailed(error.reason, may_have_been_sent=False)
        except TimeoutError:
            failure = TransportFailed(f"not open within {timeout_s:g} s", may_have_been_sent=False)
        except (picows.WSError, ProxyError, OSError, ValueError) as error:
            words = failure_words(error, self._ssl).replace(url, url.partition("?")[0].rpartition("/")[0])
            failure = TransportFailed(words if proxy is None else proxy.redact(words), may_have_been_sent=False)
        else:
            return self._opened(transport, heard)
        for one in dialled:
            let_go(one)
        # Raised here, so that it has no context: see above.
        raise failure

    def _secured(self) -> ssl.SSLContext:
        if self._trusted is None:
            self._trusted = self._ssl or default_context()
        return self._trusted

    def _opened(self, transport: picows.WSTransport, heard: picows.WSListener) -> Socket:
        if transport.is_disconnected:
            # Lost between the handshake and now: no callback will ever say so.
            reason = heard._reason if isinstance(heard, _Listener) else "connection lost"
            raise TransportFailed(f"{reason}, right after the handshake", may_have_been_sent=False)
        self._open = {one for one in self._open if not one.is_disconnected}
        self._open.add(transport)
        return _PicowsSocket(transport)

    async def close(self) -> None:
        still_open = [one for one in self._open if not one.is_disconnected]
        for transport in still_open:
            transport.disconnect(False)
        for transport in still_open:
            await transport.wait_disconnected()
        self._open.clear()

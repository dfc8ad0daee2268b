"""WebSocket by picows: frames go to a plain callback, straight from the read callback, with their arrival time."""

from __future__ import annotations

import ssl

import picows

from perpwire.clock import Clock
from perpwire.transport.base import Socket, SocketListener, TransportFailed


class _Listener(picows.WSListener):
    """Turns picows' callbacks into ours; puts fragments together."""

    def __init__(self, listener: SocketListener, clock: Clock) -> None:
        super().__init__()
        self._to = listener
        self._now_ns = clock.time_ns
        self._fragments: list[bytes] = []
        self._reason = "connection lost"

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        kind = frame.msg_type
        if kind is picows.WSMsgType.TEXT or kind is picows.WSMsgType.BINARY:
            if frame.fin:
                self._to.on_frame(frame.get_payload_as_bytes(), self._now_ns())
            else:
                self._fragments = [frame.get_payload_as_bytes()]
        elif kind is picows.WSMsgType.CONTINUATION:
            self._fragments.append(frame.get_payload_as_bytes())
            if frame.fin:
                whole, self._fragments = b"".join(self._fragments), []
                self._to.on_frame(whole, self._now_ns())
        elif kind is picows.WSMsgType.PONG:
            self._to.on_pong()
        elif kind is picows.WSMsgType.CLOSE:
            code, words = frame.get_close_code(), frame.get_close_reason()
            self._reason = f"closed by the server ({code}{f': {words}' if words else ''})"
            transport.send_close(code)
            transport.disconnect()

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._to.on_closed(self._reason)


class _PicowsSocket:
    def __init__(self, transport: picows.WSTransport) -> None:
        self._transport = transport

    def send(self, text: bytes) -> bool:
        if self._transport.is_disconnected:
            return False
        self._transport.send(picows.WSMsgType.TEXT, text)
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
        proxy: http://, https://, socks4:// or socks5:// proxy URL, or None.
        ssl_context: Own TLS settings, or None for the system's.
    """

    def __init__(self, clock: Clock, *, proxy: str | None = None, ssl_context: ssl.SSLContext | None = None) -> None:
        self._clock = clock
        self._proxy = proxy
        self._ssl = ssl_context
        self._open: set[picows.WSTransport] = set()

    async def connect(self, url: str, listener: SocketListener, timeout_s: float) -> Socket:
        try:
            transport, heard = await picows.ws_connect(
                lambda: _Listener(listener, self._clock),
                url,
                ssl_context=self._ssl if url.startswith("wss") else None,
                websocket_handshake_timeout=timeout_s,
                max_redirects=0,
                proxy=self._proxy,
                logger_name="perpwire",
            )
        except (picows.WSError, OSError, TimeoutError, ValueError) as error:
            raise TransportFailed(f"{type(error).__name__}: {error}", may_have_been_sent=False) from error
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

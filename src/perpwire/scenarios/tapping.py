"""What a connector sends, noted down as it leaves, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

import msgspec

from perpwire.clock import Clock
from perpwire.http_message import HttpReply, HttpRequest
from perpwire.transport.memory import MemoryNetwork


class Sent:
    """One request at the moment in which it was written.

    Attributes:
        at_s: Seconds of the true clock since the run began.
        params: Of the query and of the body.
        written_ms: What the connector took the venue's time to be then; see Tap.
        answered_s: When its answer was there; None: it is not.
    """

    def __init__(self, at_s: float, request: HttpRequest) -> None:
        self.at_s = at_s
        self.method = request.method
        self.path, _, query = request.target.partition("?")
        body = request.body.decode()
        self.params: dict[str, str] = dict(parse_qsl(query))
        if body.startswith("{"):
            self.params |= {name: str(value) for name, value in msgspec.json.decode(body).items()}
        else:
            self.params |= dict(parse_qsl(body))
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.written_ms = 0
        self.answered_s: float | None = None
        self.status = 0
        self.answer = b""

    @property
    def call(self) -> tuple[str, str]:
        return self.method, self.path

    @property
    def timestamp_ms(self) -> int | None:
        """When it was signed, by the venue's clock as the connector believes it to be; None where it is not signed."""
        stamp = self.params.get("timestamp") or self.headers.get("x-bapi-timestamp")
        return None if stamp is None else int(stamp)

    @property
    def window_ms(self) -> str | None:
        return self.params.get("recvWindow") or self.headers.get("x-bapi-recv-window")


class Tap:
    """Hears what leaves for one venue.

    Args:
        venue_ms: What the connector takes the venue's time to be.
    """

    def __init__(self, network: MemoryNetwork, clock: Clock, base_url: str, venue_ms: Callable[[], int]) -> None:
        self._clock = clock
        self._base_url = base_url
        self._venue_ms = venue_ms
        self.sent: list[Sent] = []
        network.watch = self._watch

    @property
    def now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9

    def _watch(self, base_url: str, request: HttpRequest) -> Callable[[HttpReply], None]:
        sent = Sent(self.now_s, request)
        if base_url == self._base_url:
            sent.written_ms = self._venue_ms()
            self.sent.append(sent)

        def answered(reply: HttpReply) -> None:
            sent.answered_s, sent.status, sent.answer = self.now_s, reply.status, reply.body

        return answered

    def between(self, start_s: float, end_s: float) -> list[Sent]:
        """Those that left after `start_s` and before `end_s`."""
        return [one for one in self.sent if start_s < one.at_s < end_s]

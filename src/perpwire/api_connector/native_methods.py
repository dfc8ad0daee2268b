"""The way to every call of the venue that has no name of ours: same budgets, signing, errors and retries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar, overload

import msgspec

from perpwire.api_connector.connector_core import ConnectorCore
from perpwire.api_connector.order_methods import as_road
from perpwire.errors import BadInput
from perpwire.venues.base import Call, Endpoint, Lane, Road

T = TypeVar("T")


class NativeMethods(ConnectorCore):
    """For calls in the venue's own words."""

    @overload
    async def call(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        reply: type[T],
        signed: bool | None = None,
        weight: int | None = None,
        road: Road | str | None = None,
        deadline_s: float | None = None,
    ) -> T: ...

    @overload
    async def call(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        signed: bool | None = None,
        weight: int | None = None,
        road: Road | str | None = None,
        deadline_s: float | None = None,
    ) -> Any: ...

    async def call(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        reply: Any = Any,
        signed: bool | None = None,
        weight: int | None = None,
        road: Road | str | None = None,
        deadline_s: float | None = None,
    ) -> Any:
        """Make any call of the venue: `await binance.call("GET", "/fapi/v1/constituents", {"symbol": "BTCUSDT"})`.

        Args:
            method: GET, POST, PUT or DELETE.
            path: Without host and query. It says which host serves the call: at Binance /fapi and /futures/data, and
                /sapi of the wallet service; at Bybit /v5.
            params: In the venue's names; Decimals and floats are written in plain notation, None is left out.
            reply: What the answer is decoded into: a msgspec.Struct, list[...], dict ... Without it: plain dicts, lists
                and texts; numbers with a point are Decimals. At Bybit it is the `result` of the answer.
            signed: Whether it is signed; None: as our table has it, or else whether there is a key.
            weight: What it costs at Binance; needed only where our table does not have the path. The venue's headers
                correct it. Elsewhere it has no meaning.
            road: "rest" or "websocket"; None: as the connector is set. By the trading socket go only calls that our
                table knows it to serve.
            deadline_s: Seconds from now; what is not sent by then never is.

        A call that writes is sent once: after a lost answer it raises OutcomeUnknown, and what became of it is the
        caller's to find out. Only GET is repeated by itself.

        Of the brakes, the kill switch alone holds for it: what may open a position is refused.

        Raises:
            GuardRefused: See above.
            BadInput: No method, path, weight, parameters or type; or a path of another product's or host.
            NotOffered: This environment has no such service.
            APIError: See errors.py.
        """
        endpoint = self._native(str(method).upper(), str(path), reply, signed, weight)
        given = {} if params is None else params
        if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
            raise self._bad_call("params are no mapping of names to values", "BAD_PARAMETER")

        def check(venue_ms: int) -> None:
            if endpoint.writes and endpoint.lane_of(given) is Lane.ORDER:
                self.guard.check_call(endpoint.name)

        return await self._path.run(
            Call(endpoint, dict(given), _as_it_is),
            road=as_road(road),
            deadline_ns=self._deadline_ns(deadline_s),
            before_send=check,
        )

    def _native(self, method: str, path: str, reply: Any, signed: bool | None, weight: int | None) -> Endpoint:
        if method not in ("GET", "POST", "PUT", "DELETE"):
            raise self._bad_call(f"{method!r} is no method", "BAD_METHOD")
        if not _PATH(path) or ".." in path:
            raise self._bad_call(f"{path!r} is no path such as /fapi/v1/time", "BAD_PATH")
        if weight is not None and (not isinstance(weight, int) or weight < 0):
            raise self._bad_call(f"weight {weight!r} is no whole number from 0 on", "BAD_WEIGHT")
        try:
            msgspec.json.Decoder(reply)
            hash(reply)
        except (TypeError, ValueError, NameError) as error:
            raise self._bad_call(f"no answer can be decoded into {reply!r}: {error}", "BAD_REPLY_TYPE") from None
        if signed is None and self._credentials is None:
            signed = False
        return self.venue.native_endpoint(method, path, reply, signed, weight)

    def _bad_call(self, reason: str, code: str) -> BadInput:
        return BadInput(reason, venue=self.venue.name, call="call", code=code)


_PATH = re.compile(r"(/[A-Za-z0-9_.~-]+)+").fullmatch


def _as_it_is(reply: Any) -> Any:
    return reply

"""The way to every call of the venue that has no name of ours: same budgets, signing, errors and retries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, overload

from perpwire.api_connector.connector_core import ConnectorCore
from perpwire.errors import BadInput
from perpwire.venues.base import Call, Endpoint

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
        deadline_s: float | None = None,
    ) -> Any:
        """Make any REST call of the venue: `await binance.call("GET", "/fapi/v1/constituents", {"symbol": "BTCUSDT"})`.

        Args:
            method: GET, POST, PUT or DELETE.
            path: Without host and query.
            params: In the venue's names; Decimals and floats are written in plain notation, None is left out.
            reply: What the answer is decoded into: a msgspec.Struct, list[...], dict ... Without it: plain dicts, lists
                and texts. At Bybit it is the `result` of the answer.
            signed: Whether it is signed; None: as our table has it, or else whether there is a key.
            weight: What it costs at Binance; needed only where our table does not have the path. The venue's headers
                correct it. Elsewhere it has no meaning.
            deadline_s: Seconds from now; what is not sent by then never is.

        A call that writes is sent once: after a lost answer it raises OutcomeUnknown, and what became of it is the
        caller's to find out. Only GET is repeated by itself.

        Raises:
            BadInput: No method or path.
            APIError: See errors.py.
        """
        endpoint = self._native(method.upper(), path, reply, signed, weight)
        deadline_ns = self._deadline_ns(deadline_s)
        return await self._path.run(Call(endpoint, dict(params or {}), _as_it_is), deadline_ns=deadline_ns)

    def _native(self, method: str, path: str, reply: Any, signed: bool | None, weight: int | None) -> Endpoint:
        if method not in ("GET", "POST", "PUT", "DELETE"):
            raise BadInput(f"{method!r} is no method", venue=self.venue.name, call="call", code="BAD_METHOD")
        if not path.startswith("/") or not path.isascii() or not path.isprintable() or set(path) & set("?# "):
            raise BadInput(
                f"{path!r} is no path such as /fapi/v1/time", venue=self.venue.name, call="call", code="BAD_PATH"
            )
        if signed is None and self._credentials is None:
            signed = False
        return self.venue.native_endpoint(method, path, reply, signed, weight)


def _as_it_is(reply: Any) -> Any:
    return reply

"""What is served beside the venue's own paths, to loopback only: faults, state, journal and clock of the simulation.

| path | does |
|---|---|
| GET /sim/faults | those that may still act |
| POST /sim/faults | add one (JSON, see faults.py), a list of them, or a scenario file; answers their numbers |
| DELETE /sim/faults | drop all |
| GET /sim/state | sockets, accounts, markets, journal counters |
| GET /sim/journal?after=&limit=&topic=&kind=&account=&connection=&wait_s=&format= | entries above a number |
| GET /sim/clock | the venue's time, skew and drift |
| POST /sim/clock | {"skew_s": 1.5} sets the skew, {"step_s": -0.3} adds to it, {"drift_ppm": 50} sets the drift |

It takes no part in latency, faults and journal. Over sockets, though, it lives at the venue's port: while connections
are refused it is reached only over one that is open already.

Only this machine may ask: the client's address must be a loopback one, and so must the names in `Host` and `Origin`, as
a web page that the user looks at could otherwise send requests here under a name of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from perpwire.http_message import HttpReply
from perpwire.simulator.dialect import IncomingRequest
from perpwire.simulator.journal import KINDS, Entry
from perpwire.simulator.scripts import read_script

if TYPE_CHECKING:
    from perpwire.simulator.host import Host

DEFAULT_LIMIT = 1000
LARGEST_LIMIT = 100_000
LONGEST_WAIT_S = 60.0
_LOOK_EVERY_S = 0.02


class _ClockOrder(msgspec.Struct, forbid_unknown_fields=True):
    skew_s: float | None = None
    step_s: float | None = None
    drift_ppm: float | None = None


async def handle(host: Host, request: IncomingRequest) -> HttpReply:
    """Answer a request to a path under /sim/."""
    if not (is_loopback(request.peer) and _is_meant_for_us(request.headers)):
        return _json(403, {"error": "the simulation is controlled from this machine only"})
    try:
        match request.method, request.path:
            case "GET", "/sim/faults":
                return _json(200, host.faults.active())
            case "POST", "/sim/faults":
                return _json(200, {"numbers": _add(host, request.body)})
            case "DELETE", "/sim/faults":
                host.faults.clear()
                return _json(200, {})
            case "GET", "/sim/state":
                return _json(200, _state(host))
            case "GET", "/sim/journal":
                return await _journal(host, dict(parse_qsl(request.query, keep_blank_values=True)))
            case "POST", "/sim/clock":
                _set_clock(host, msgspec.json.decode(request.body, type=_ClockOrder))
                return _json(200, _clock(host))
            case "GET", "/sim/clock":
                return _json(200, _clock(host))
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        return _json(400, {"error": str(error)})
    return _json(404, {"error": f"{request.method} {request.path} is not served"})


def is_loopback(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False


def _is_meant_for_us(headers: Mapping[str, str]) -> bool:
    """Whether every name that the request says of its ends is this machine's; those without any are no browser's."""
    names = []
    try:
        if "host" in headers:
            names.append(urlsplit(f"//{headers['host']}").hostname)
        if "origin" in headers:
            names.append(urlsplit(headers["origin"]).hostname)
    except ValueError:  # brackets that hold no address
        return False
    return all(name is not None and (name == "localhost" or is_loopback(name)) for name in names)


def _json(status: int, content: object) -> HttpReply:
    return HttpReply(status=status, headers={"content-type": "application/json"}, body=msgspec.json.encode(content))


def _add(host: Host, body: bytes) -> list[int]:
    """All of it is taken, or nothing."""
    faults = read_script(body, host.venue)
    for fault in faults:
        host.faults.check(fault)
    return [host.faults.add(fault) for fault in faults]


def _set_clock(host: Host, order: _ClockOrder) -> None:
    if order.skew_s is not None:
        host.skew(order.skew_s)
    if order.step_s is not None:
        host.skew(host.venue_clock.skew_s + order.step_s)
    if order.drift_ppm is not None:
        host.venue_clock.drift_ppm = order.drift_ppm


def _clock(host: Host) -> dict[str, Any]:
    clock = host.venue_clock
    return {"time_ms": host.exchange.now_ms(), "skew_s": clock.skew_s, "drift_ppm": clock.drift_ppm}


async def _journal(host: Host, query: dict[str, str]) -> HttpReply:
    """One page. `wait_s` waits for a first entry; `format=lines` is one entry a line, for programs that follow it."""
    unknown = sorted(set(query) - {"after", "limit", "topic", "kind", "account", "connection", "wait_s", "format"})
    if unknown:
        raise ValueError(f"the journal is not asked for by {', '.join(unknown)}")
    kinds = query["kind"].split(",") if "kind" in query else None
    for kind in kinds or ():
        if kind not in KINDS:
            raise ValueError(f"no entries are of kind {kind!r}; there are {', '.join(KINDS)}")
    form = query.get("format", "json")
    if form not in ("json", "lines"):
        raise ValueError(f"format {form!r} is not json or lines")
    until_ns = host.clock.monotonic_ns() + round(_number(query, "wait_s", 0.0, LONGEST_WAIT_S) * 1e9)

    def page() -> list[Entry]:
        return host.journal.entries(
            after=int(_number(query, "after", 0)),
            limit=int(_number(query, "limit", DEFAULT_LIMIT, LARGEST_LIMIT)),
            topic=query.get("topic"),
            kind=kinds,
            account=query.get("account"),
            connection=int(_number(query, "connection", 0)) if "connection" in query else None,
        )

    entries = page()
    while not entries and host.clock.monotonic_ns() < until_ns:
        await host.clock.sleep(_LOOK_EVERY_S)
        entries = page()
    if form == "lines":
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        return HttpReply(status=200, headers={"content-type": "application/x-ndjson"}, body=lines)
    return _json(200, {"last": host.journal.last, "dropped": host.journal.dropped, "entries": entries})


def _number(query: Mapping[str, str], name: str, default: float, most: float = 2.0**53) -> float:
    text = query.get(name)
    if text is None:
        return default
    number = float(text)
    if not 0 <= number <= most:
        raise ValueError(f"{name} {text} is not from 0 to {most:g}")
    return number


def _state(host: Host) -> dict[str, Any]:
    exchange = host.exchange
    return {
        "venue": host.venue,
        **_clock(host),
        "is_refusing": host.is_refusing,
        "is_down": host.is_down,
        "journal": {"last": host.journal.last, "dropped": host.journal.dropped},
        "sockets": [
            {
                "connection": one.number,
                "path": one.path,
                "address": one.address,
                "is_silent": one.is_silent,
                "is_mute": one.is_mute,
            }
            for one in host.connections.values()
        ],
        "faults": len(host.faults.active()),
        "limits": host.limits(),
        "accounts": {spec.name: _account(host, spec.name) for spec in exchange.account_specs()},
        "markets": {spec.instrument.symbol: _market(host, spec.instrument.symbol) for spec in exchange.specs()},
    }


def _account(host: Host, name: str) -> dict[str, Any]:
    exchange = host.exchange
    view = exchange.view(name)
    return {
        "wallet": exchange.wallet(name),
        "equity": view.equity,
        "available": view.available,
        "positions": exchange.positions(name),
        "open_orders": exchange.open_orders(name, None),
    }


def _market(host: Host, symbol: str) -> dict[str, Any]:
    bids, asks, update_id, changed_ms = host.exchange.book(symbol, 1)
    return {
        "best_bid": bids[0] if bids else None,
        "best_ask": asks[0] if asks else None,
        "update_id": update_id,
        "changed_ms": changed_ms,
        "last_price": host.exchange.last_price(symbol),
        "mark_price": host.exchange.mark_price(symbol),
    }

"""What is served beside the venue's own paths, to loopback only: faults, state, journal and clock of the simulation.

| path | does |
|---|---|
| GET /sim/faults | those that may still act |
| POST /sim/faults | add one (JSON, see faults.py), or a list of them; answers their numbers |
| DELETE /sim/faults | drop all |
| GET /sim/state | sockets, accounts, markets, journal counters |
| GET /sim/journal?after=&limit=&topic=&kind= | entries above a number, oldest first |
| GET /sim/clock | the venue's time and skew |
| POST /sim/clock | {"skew_s": 1.5} sets the skew |

It takes no part in latency, faults and journal. Over sockets, though, it lives at the venue's port: while connections
are refused it is reached only over one that is open already.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from perpwire.http_message import HttpReply
from perpwire.simulator.dialect import IncomingRequest
from perpwire.simulator.faults import read_fault, read_script

if TYPE_CHECKING:
    from perpwire.simulator.host import Host

DEFAULT_LIMIT = 1000


class _SkewOrder(msgspec.Struct, forbid_unknown_fields=True):
    skew_s: float


def handle(host: Host, request: IncomingRequest) -> HttpReply:
    """Answer a request to a path under /sim/."""
    if not is_loopback(request.peer):
        return _json(403, {"error": "the simulation is controlled from this machine only"})
    try:
        match request.method, request.path:
            case "GET", "/sim/faults":
                return _json(200, host.faults.active())
            case "POST", "/sim/faults":
                is_list = request.body.lstrip().startswith(b"[")
                faults = read_script(request.body, host.venue) if is_list else [read_fault(request.body)]
                return _json(200, {"numbers": [host.faults.add(fault) for fault in faults]})
            case "DELETE", "/sim/faults":
                host.faults.clear()
                return _json(200, {})
            case "GET", "/sim/state":
                return _json(200, _state(host))
            case "GET", "/sim/journal":
                return _json(200, _journal(host, dict(parse_qsl(request.query))))
            case "POST", "/sim/clock":
                host.skew(msgspec.json.decode(request.body, type=_SkewOrder).skew_s)
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


def _json(status: int, content: object) -> HttpReply:
    return HttpReply(status=status, headers={"content-type": "application/json"}, body=msgspec.json.encode(content))


def _clock(host: Host) -> dict[str, Any]:
    return {"time_ms": host.exchange.now_ms(), "skew_s": host.venue_clock.skew_s}


def _journal(host: Host, query: dict[str, str]) -> dict[str, Any]:
    kind: Any = query.get("kind")
    entries = host.journal.entries(
        after=int(query.get("after", "0")),
        limit=int(query.get("limit", DEFAULT_LIMIT)),
        topic=query.get("topic"),
        kind=kind,
    )
    return {"last": host.journal.last, "dropped": host.journal.dropped, "entries": entries}


def _state(host: Host) -> dict[str, Any]:
    exchange = host.exchange
    return {
        "venue": host.venue,
        **_clock(host),
        "is_refusing": host.is_refusing,
        "journal": {"last": host.journal.last, "dropped": host.journal.dropped},
        "sockets": [
            {"connection": one.number, "path": one.path, "is_silent": one.is_silent}
            for one in host.connections.values()
        ],
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

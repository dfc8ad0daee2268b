"""Budgets that connectors of one program share: of an address all that go out by it, of an account all with its key.

See shared.py. Other processes behind the same address are known by what the venue's headers tell of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from perpwire.api_connector.ledger import Pool
from perpwire.api_connector.shared import Shared, place
from perpwire.clock import Clock
from perpwire.transport.base import HttpTransport
from perpwire.venues.base import Limit

_shared: Shared[Pool] = Shared()
"""They are kept while somebody draws on them, or anything of them is used."""


def shared_pools(
    venue: str,
    limits: Sequence[Limit],
    *,
    host: str,
    way_out: str,
    api_key: str,
    clock: Clock,
    network: HttpTransport | None,
) -> tuple[Pool, Pool]:
    """The budgets of the address, and of the account, that a connector in this thread draws on, until it gives them up
    (Pool.give_up).

    Args:
        host: Base address of the venue's REST host: each environment counts by itself.
        way_out: What makes the address that the venue sees, such as a proxy; "" for this machine's own.
        api_key: Of the account; accounts with several keys have budgets by key here.
        network: See Shared.among.
    """
    at, now_ns = place(venue, host), clock.monotonic_ns()

    def of(known: dict[Hashable, Pool], key: Hashable, scope: str) -> Pool:
        pool = known.setdefault(key, Pool([one for one in limits if one.scope == scope]))
        pool.users += 1
        return pool

    with _shared.among(clock, network) as known:
        for key in [key for key, pool in known.items() if not pool.users and pool.is_idle(now_ns)]:
            del known[key]
        return of(known, (*at, "address", way_out), "ip"), of(known, (*at, "account", api_key), "account")

"""Budgets that connectors of one program share: of an address all that go out by it, of an account all with its key.

The venue counts so, and it goes on counting when a connector is closed and another one opened. What is counted together
runs by one clock and in one thread, so that nobody who draws on it needs a lock. Other processes behind the
same address are known by what the venue's headers tell of them.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from weakref import WeakKeyDictionary

from perpwire.api_connector.ledger import Pool
from perpwire.clock import Clock, SystemClock
from perpwire.transport.base import HttpTransport
from perpwire.venues.base import Limit


class _Pools:
    """Those of one network. They are kept while somebody draws on them, or anything of them is used."""

    def __init__(self) -> None:
        self._pools: dict[Hashable, Pool] = {}

    def get(self, key: Hashable, limits: Sequence[Limit], now_ns: int) -> Pool:
        self._pools = {key: pool for key, pool in self._pools.items() if pool.users or not pool.is_idle(now_ns)}
        pool = self._pools.setdefault(key, Pool(limits))
        pool.users += 1
        return pool


_lock = threading.Lock()
_of_machine = _Pools()
_of_others: WeakKeyDictionary[object, _Pools] = WeakKeyDictionary()


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
        network: Where it is not the machine's: connectors with the same one share.
    """
    apart: object = network if network is not None else clock if not isinstance(clock, SystemClock) else None
    place = (threading.get_ident(), venue, host)
    now_ns = clock.monotonic_ns()
    of_address = [one for one in limits if one.scope == "ip"]
    of_account = [one for one in limits if one.scope == "account"]
    with _lock:
        pools = _of_machine if apart is None else _of_others.setdefault(apart, _Pools())
        return (
            pools.get((*place, "address", way_out), of_address, now_ns),
            pools.get((*place, "account", api_key), of_account, now_ns),
        )

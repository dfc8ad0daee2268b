"""Where our orders stand, from replies and events in whatever order they come and however often.

What is known of an order is the meeting of all that was ever said of it: a final state is never taken back, the filled
quantity never falls, of two equal states the one of the newer venue time holds, and what the stream says stands above a
reply. So any order and any doubling of the same messages ends in the same place.

The venue's clock may be put back, and then what is newer bears an older time. So times do not count where more is
known: an answer to a change of our own is newer than all that was told before we asked for it; what the stream says
much too late was stamped by another clock, as one socket keeps the order; and an answer is newer than what was told
long before.

Whoever hears orders as events is told the same way: never what is older than what it was told, and nothing twice. What
only answers and readings say of an order, the account's stream is to tell; where it did not, `untold` has it.

A conditional order and what its trigger made are one order, also where the venue gives the latter an id of its own:
known by the venue's word (child_order_id) alone. Where that was not heard yet, a client order id that both have makes
it possible: whoever reads the account asks then, and keeps back what the stream says. Whoever was told of the latter
before it was known whose it is, hears it under that id to its end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from perpwire.data_processor.order_states import (
    NEWS,
    STEP_MS,
    TOLD,
    differ,
    folded,
    may_have_made,
    merged,
    was_heard,
)
from perpwire.model.order import FastFill, Fill, Order, OrderStatus, with_child

KEPT = 10_000
"""So many orders are kept that have ended, or that only replies told of; open ones stay as long as they are open."""

SETTLED_S = 30.0
"""So old an answer may be when it comes, with the lag of the venue's lists: what was told before that it has seen."""

Key = tuple[str, str]
"""Symbol and order id: a venue may count by symbol."""

Evidence = Order | Fill

AnyFill = TypeVar("AnyFill", Fill, FastFill)

Watcher = Callable[[Evidence], None]


def _age_ms(order: Order) -> int:
    return order.created_time_ms or order.updated_time_ms or 0


class Tracked:
    """One order.

    Attributes:
        order: As it was told of itself; `OrderTracker.find` gives it with its child folded in.
        first_ns, told_ns: When it was first and last told of, monotonic.
        by_stream: The account's stream has told of it, or the venue listed it as open: its end will be told too.
        heard: As handlers were told of it last, a conditional order with its child folded in; None: they were not.
    """

    __slots__ = ("by_stream", "first_ns", "heard", "order", "told_ns")

    def __init__(self, order: Order, told_ns: int, by_stream: bool) -> None:
        self.order = order
        self.heard: Order | None = None
        self.first_ns = self.told_ns = told_ns
        self.by_stream = by_stream


class OrderTracker:
    """All our orders.

    Args:
        now_ns: Monotonic time.
        triggers_make_orders: See OrderCalls.

    Attributes:
        late: Events of the stream that were not handed on: what they say had been told, or what came after it.
    """

    def __init__(self, now_ns: Callable[[], int], *, triggers_make_orders: bool = False) -> None:
        self.late = 0
        self._triggers_make_orders = triggers_make_orders
        self._now_ns = now_ns
        self._orders: dict[Key, Tracked] = {}
        self._by_client: dict[Key, Key] = {}
        """Symbol and client order id -> the newest order that has it."""
        self._parents: dict[Key, Key] = {}
        """Child -> the conditional order that made it."""
        self._fading: dict[Key, None] = {}
        """What nothing more will be said of, or perhaps nothing: the oldest goes first."""
        self._watchers: dict[str | Key, list[Watcher]] = {}
        self._unheard: dict[Key, None] = {}
        """What handlers may have to be told of."""
        self._held: set[Key] = set()
        """What they will be told of by `hear`, once it is known whose it is."""

    # --- what is said -------------------------------------------------------------------------------------------------

    def on_answer(self, order: Order, *, since_ns: int | None = None) -> Order:
        """A reply of the venue told of it; gives what is known now.

        Args:
            since_ns: It came to be so after this time, monotonic: it is later than all that was told until then.
        """
        return self._take(order, False, since_ns)

    def on_event(self, order: Order) -> Order:
        """The account's stream, or a list of the venue's, told of it; gives what is known now."""
        return self._take(order, True)

    def hear(self, order: Order) -> Order | None:
        """The account's stream told of it: gives what handlers are to be told, or None where they were told that, or
        what is newer. What a trigger has made is told as the conditional order, where that is known."""
        self._take(order, True)
        key = (order.symbol, order.order_id)
        self._held.discard(key)
        root = self._root(key)
        tracked = self._orders.get(root)
        if tracked is None:
            return order  # the oldest of very many that have ended
        is_made = key in self._parents
        if key != root:
            order = with_child(tracked.order, order) if is_made else self._as_child(root, folded(order, tracked.order))
        elif not is_made:
            order = self._told(key, order)
        heard = tracked.heard
        if heard is not None and was_heard(heard, order):
            self.late += 1
            return None
        tracked.heard = order
        if not differ(self._known(root), order, TOLD):
            self._unheard.pop(root, None)
        return order

    def hold(self, order: Order) -> None:
        """The account's stream told of it, and handlers hear that later."""
        self._take(order, True)
        self._held.add((order.symbol, order.order_id))

    def learn(self, order: Order) -> None:
        """It was read to know whose fill it is: handlers need not be told of it for that."""
        before = set(self._unheard)
        self._take(order, False)
        for key in self._unheard.keys() - before:
            del self._unheard[key]

    def on_fill(self, fill: Fill) -> None:
        """It shows that its order exists; the order's own message says how much of it is filled."""
        if self._watchers:
            self._show(fill.client_order_id, fill)

    def _take(self, order: Order, by_stream: bool, since_ns: int | None = None) -> Order:
        key = (order.symbol, order.order_id)
        tracked = self._orders.get(key)
        if tracked is None:
            tracked = self._orders[key] = Tracked(order, self._now_ns(), by_stream)
            now = order
        else:
            is_later = self._is_later(tracked, order, since_ns)
            before = tracked.order
            now = tracked.order = merged(before, order, is_later=is_later)
            tracked.told_ns = self._now_ns()
            tracked.by_stream = tracked.by_stream or by_stream
        if now.child_order_id is not None:
            self._parents[order.symbol, now.child_order_id] = key
        self._name(tracked, key)
        told = self._told(key, tracked.order)
        self._unheard[self._root(key)] = None
        self._keep_or_fade(key, tracked, told)
        if self._watchers:
            for name in (now.client_order_id, key, self._parents.get(key)):
                self._show(name, told)
        return told

    def _is_later(self, tracked: Tracked, said: Order, since_ns: int | None = None) -> bool:
        """Whether `said` is sure to be the later state, though its time be older."""
        if since_ns is not None:
            return tracked.told_ns <= since_ns
        known_ms, said_ms = tracked.order.updated_time_ms, said.updated_time_ms
        if not known_ms or not said_ms or known_ms - said_ms <= STEP_MS:
            return False
        if said.received_ns and tracked.order.received_ns:
            return True
        return tracked.told_ns < self._now_ns() - round(SETTLED_S * 1e9)

    def _keep_or_fade(self, key: Key, tracked: Tracked, told: Order) -> None:
        """What is over, and what nothing may ever end, is let go of when it is among the oldest of its kind."""
        if tracked.by_stream and not told.status.is_final:
            self._fading.pop(key, None)
            return
        fading = self._fading
        if key not in fading:
            fading[key] = None
        if self._parents:
            parent = self._parents.get(key)
            if parent is not None and parent in self._orders and parent not in fading:
                fading[parent] = None
        while len(fading) > KEPT:
            self._forget(next(iter(fading)))

    def _root(self, key: Key) -> Key:
        """Under which handlers are told of it. Of a conditional order and what it made that is the former, unless they
        have heard of the latter by itself: then it is told to its end by itself, and if they have not heard of the
        former, that is not told besides."""
        parent_key = self._parents.get(key, key) if self._parents else key
        parent = self._orders.get(parent_key)
        if parent is None:
            return key
        child_key = (parent_key[0], parent.order.child_order_id or "")
        child = self._orders.get(child_key)
        if child is None or child.heard is None or (key == parent_key and parent.heard is not None):
            return parent_key
        return child_key

    def _as_child(self, key: Key, parent: Order) -> Order:
        """The state of a conditional order as that of what it made, which handlers know by itself."""
        return replace(with_child(self._orders[key].order, parent), child_order_id=None)

    def _known(self, root: Key) -> Order:
        """What is known of it, as handlers are told."""
        order = self._told(root, self._orders[root].order)
        return self._as_child(root, order) if order.order_id != root[1] else order

    def _name(self, tracked: Tracked, key: Key) -> None:
        """Note its client order id. It may be used again once an order has ended: the newer order has it then. A
        conditional order that waits has it whoever else bears it; what it made does not take it."""
        order = tracked.order
        if not order.client_order_id or key in self._parents:
            return
        name = (order.symbol, order.client_order_id)
        holder_key = self._by_client.get(name)
        holder = None if holder_key is None else self._orders.get(holder_key)
        if holder is None or holder_key is None or holder_key in self._parents:
            self._by_client[name] = key
        elif holder_key != key and not self._is_waiting(holder_key, holder):
            is_newer = _age_ms(order) >= _age_ms(holder.order)
            if is_newer or self._is_waiting(key, tracked):
                self._by_client[name] = key

    def _is_waiting(self, key: Key, tracked: Tracked) -> bool:
        return tracked.order.is_conditional and not self._told(key, tracked.order).status.is_final

    def _forget(self, key: Key) -> None:
        del self._fading[key]
        self._unheard.pop(key, None)
        self._held.discard(key)
        order = self._orders.pop(key).order
        name = (order.symbol, order.client_order_id)
        if self._by_client.get(name) == key:
            del self._by_client[name]
        if order.child_order_id is not None:
            self._parents.pop((order.symbol, order.child_order_id), None)

    # --- what handlers are told -------------------------------------------------------------------------------------

    def untold(self, before_ms: int | None = None) -> list[Order]:
        """What is known and the stream has not told, in the order in which it came to be so. It counts as told now.
        What was only acknowledged (PENDING_NEW) waits for a better word.

        Args:
            before_ms: Only what came to be so before that, by the venue's clock (Unix milliseconds): of what is newer
                the stream is yet to tell.
        """
        found: list[Order] = []
        for key in tuple(self._unheard):
            root = self._root(key)
            if key in self._held:
                continue
            if root != key:
                del self._unheard[key]
                self._unheard[root] = None
            tracked, known = self._orders[root], self._known(root)
            if known.status is OrderStatus.PENDING_NEW:
                continue
            if before_ms is not None and (known.updated_time_ms or known.created_time_ms or 0) >= before_ms:
                continue
            self._unheard.pop(root, None)
            if tracked.heard is None or differ(tracked.heard, known, TOLD):
                tracked.heard = known
                found.append(known)
        return sorted(found, key=lambda order: order.updated_time_ms or order.created_time_ms or 0)

    # --- whose it is --------------------------------------------------------------------------------------------------

    def is_clear(self, order: Order) -> bool:
        """Whether it is known under which id it is to be told: the venue has said which conditional order made it, or
        none did, or handlers have heard of it."""
        key = (order.symbol, order.order_id)
        if not self._triggers_make_orders or order.is_conditional or key in self._parents:
            return True
        if self.possible_parent(order) is not None:
            return False
        tracked = self._orders.get(key)
        return tracked is not None and (tracked.heard is not None or not tracked.by_stream)

    def possible_parent(self, order: Order) -> Order | None:
        """The conditional order that we know and that may have made it: the venue has not said so, and handlers have
        not heard of it."""
        key = (order.symbol, order.order_id)
        if not self._triggers_make_orders or not order.client_order_id or key in self._parents:
            return None
        tracked = self._orders.get(key)
        if tracked is not None and tracked.heard is not None:
            return None
        parent = self._orders.get(self._by_client.get((order.symbol, order.client_order_id), key))
        return parent.order if parent is not None and may_have_made(parent.order, order) else None

    def as_heard(self, order: Order) -> list[Order]:
        """An open order as handlers were told of it last, if they were yet; also what it made, where they know that by
        itself."""
        ids = (order.order_id, order.child_order_id or "")
        tracked = (self._orders.get((order.symbol, order_id)) for order_id in ids)
        heard = [one.heard for one in tracked if one is not None and one.heard is not None]
        return [one for one in heard if not one.status.is_final]

    def unclear(self) -> list[Order]:
        """What handlers may have to be told of, and is not clear."""
        return [order for key in self._unheard if not self.is_clear(order := self._orders[key].order)]

    def is_named(self, fill: Fill) -> bool:
        """Whether `named` knows its order."""
        key = (fill.symbol, fill.order_id)
        tracked = self._orders.get(key)
        return key in self._parents if tracked is None else self.is_clear(tracked.order)

    def named(self, fill: AnyFill) -> AnyFill:
        """The fill under the ids of its order, as handlers know it."""
        key = (fill.symbol, fill.order_id)
        tracked = self._orders.get(self._root(key))
        if tracked is None:
            return fill
        order = tracked.order
        name = order.client_order_id or fill.client_order_id
        if (order.order_id, name) == (fill.order_id, fill.client_order_id):
            return fill
        return replace(fill, order_id=order.order_id, client_order_id=name)

    # --- what is known ------------------------------------------------------------------------------------------------

    def find(self, symbol: str, order_id: str | None, client_order_id: str | None) -> Order | None:
        """What is known of it; a child's id gives its parent."""
        tracked = self.tracked(symbol, order_id, client_order_id)
        return None if tracked is None else self._told((symbol, tracked.order.order_id), tracked.order)

    def is_conditional(self, symbol: str, order_id: str | None, client_order_id: str | None) -> bool | None:
        """None where nothing is known of it."""
        known = self.find(symbol, order_id, client_order_id)
        return None if known is None else known.is_conditional

    def tracked(self, symbol: str, order_id: str | None, client_order_id: str | None) -> Tracked | None:
        """See Tracked."""
        key = (symbol, order_id) if order_id else self._by_client.get((symbol, client_order_id or ""))
        if key is None or key[0] != symbol:
            return None
        return self._orders.get(self._parents.get(key, key))

    def _told(self, key: Key, order: Order) -> Order:
        """As the user is told of it."""
        parent_key = self._parents.get(key) if self._parents else None
        if parent_key is not None:
            parent = self._orders.get(parent_key)
            return order if parent is None else folded(parent.order, order)
        if order.child_order_id is not None:
            child = self._orders.get((order.symbol, order.child_order_id))
            if child is not None:
                return folded(order, child.order)
        return order

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """Oldest first; a conditional order and what it made are one."""
        told = (
            self._told(key, one.order)
            for key, one in self._orders.items()
            # Of thousands that have ended few had a child.
            if not (one.order.status.is_final and one.order.child_order_id is None) and key not in self._parents
        )
        return tuple(order for order in told if not order.status.is_final)

    def open_of_late(self, within_s: float) -> tuple[Order, ...]:
        """Of open_orders those that were told of within so many seconds: the venue's own list may not show them yet."""
        since_ns = self._now_ns() - round(within_s * 1e9)
        return tuple(
            order
            for order in self.open_orders
            if (known := self._orders.get((order.symbol, order.order_id))) is not None and known.told_ns >= since_ns
        )

    def forget_replies(self, older_s: float) -> None:
        """Let go of open orders that only replies told of, that long ago: nothing may ever end them here."""
        before_ns = self._now_ns() - round(older_s * 1e9)
        for key in tuple(self._fading):
            tracked = self._orders[key]
            if not tracked.order.status.is_final and tracked.told_ns < before_ns:
                self._forget(key)

    def is_news(self, order: Order) -> bool:
        """Whether it would change what is known."""
        known = self.find(order.symbol, order.order_id, None)
        if known is None:
            return True
        tracked = self._orders.get((order.symbol, order.order_id))
        now = merged(known, order, is_later=tracked is not None and self._is_later(tracked, order))
        return differ(now, known, NEWS)

    def let_go(self, symbol: str, order_id: str, older_s: float) -> None:
        """Forget an order that is open as far as we know, if nothing was said of it for so long."""
        key = (symbol, order_id)
        tracked = self._orders.get(key)
        if tracked is not None and tracked.told_ns < self._now_ns() - round(older_s * 1e9):
            self._fading[key] = None
            self._forget(key)

    # --- who waits ----------------------------------------------------------------------------------------------------

    def watch(self, name: str | Key, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` with all that is said of the order of this client order id, or of this symbol and order id,
        until the function given back is called."""
        watchers = self._watchers.setdefault(name, [])
        watchers.append(watcher)

        def off() -> None:
            if watcher in watchers:
                watchers.remove(watcher)
                if not watchers:
                    self._watchers.pop(name, None)

        return off

    def _show(self, name: str | Key | None, evidence: Evidence) -> None:
        for watcher in tuple(self._watchers.get(name, ())) if name else ():
            watcher(evidence)

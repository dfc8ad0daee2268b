"""Conditional orders, and commands that are acknowledged first and carried out later."""

from __future__ import annotations

import copy
from decimal import Decimal
from heapq import heappop, heappush
from typing import assert_never

from perpwire.simulator.accounts import PendingCommand
from perpwire.simulator.commands import (
    AmendOrder,
    AmendTrigger,
    CancelOrder,
    CancelTrigger,
    Command,
    PlaceOrder,
    PlaceTrigger,
)
from perpwire.simulator.events import CommandAccepted, CommandDone
from perpwire.simulator.intents import TriggerIntent
from perpwire.simulator.order_desk import OrderDesk
from perpwire.simulator.records import SimTrigger
from perpwire.simulator.refusals import Refused, Why
from perpwire.simulator.triggers import Fit
from perpwire.simulator.vocabulary import TriggerBy


class TriggerDesk(OrderDesk):
    _due: list[tuple[int, int, PendingCommand]]

    # --- conditional orders -------------------------------------------------------------------------------------------

    def fit_triggered(self, fit: Fit) -> None:
        """What the venue does to every order that a conditional one becomes, by the prices of that moment."""
        self._triggers.fit = fit

    def check_trigger(self, account: str, intent: TriggerIntent) -> None:
        """Whether `place_trigger` would take it in now; nothing changes.

        Raises:
            Refused: As `place_trigger`.
        """
        self._market(intent.symbol)
        self._triggers.check(account, intent)

    def place_trigger(self, account: str, intent: TriggerIntent, trigger_id: int | None = None) -> SimTrigger:
        """Take a conditional order in. Its margin is looked at only when it triggers.

        Raises:
            Refused: UNKNOWN_SYMBOL, a broken rule of price or quantity, POSITION_SIDE, DUPLICATE_CLIENT_ID,
                WOULD_TRIGGER or BAD_ACTIVATION.
        """
        self._market(intent.symbol)
        with self._outbox:
            return self._triggers.place(account, intent, trigger_id)

    def amend_trigger(
        self,
        account: str,
        trigger_id: int,
        *,
        trigger_price: Decimal | None = None,
        price: Decimal | None = None,
        quantity: Decimal | None = None,
        trigger_by: TriggerBy | None = None,
        note: dict[str, str] | None = None,
    ) -> SimTrigger:
        """
        Raises:
            Refused: UNKNOWN_TRIGGER, TRIGGER_FINISHED, AMEND_NO_CHANGE, or as `place_trigger`; it stays as it was.
        """
        with self._outbox:
            trigger = self._open_trigger(account, trigger_id, None)
            return self._triggers.amend(trigger, trigger_price, price, quantity, note, trigger_by)

    def cancel_trigger(
        self, account: str, *, trigger_id: int | None = None, client_id: str | None = None, reason: str = "user"
    ) -> SimTrigger:
        """
        Raises:
            Refused: UNKNOWN_TRIGGER or TRIGGER_FINISHED.
        """
        with self._outbox:
            return self._triggers.end(self._open_trigger(account, trigger_id, client_id), reason)

    def cancel_triggers(self, account: str, symbol: str | None, reason: str = "user") -> list[SimTrigger]:
        """Cancel all that wait, of one symbol or of all; gives them as they ended."""
        with self._outbox:
            return [self._triggers.end(one, reason) for one in self._triggers.of(account, symbol)]

    def find_trigger(self, account: str, *, trigger_id: int | None = None, client_id: str | None = None) -> SimTrigger:
        """
        Raises:
            Refused: UNKNOWN_TRIGGER.
        """
        found = self._accounts[account].find_trigger(trigger_id, client_id)
        if found is None:
            raise Refused(Why.UNKNOWN_TRIGGER)
        return copy.copy(found)

    def open_triggers(self, account: str, symbol: str | None) -> list[SimTrigger]:
        """Those that wait, oldest first."""
        return [copy.copy(one) for one in self._triggers.of(account, symbol)]

    def triggers(self, account: str, symbol: str | None) -> list[SimTrigger]:
        """All that are remembered, oldest first."""
        return [copy.copy(one) for one in self._accounts[account].all_triggers() if symbol in (None, one.symbol)]

    def _open_trigger(self, account: str, trigger_id: int | None, client_id: str | None) -> SimTrigger:
        found = self._accounts[account].find_trigger(trigger_id, client_id)
        if found is None:
            raise Refused(Why.UNKNOWN_TRIGGER)
        if not found.is_open:
            raise Refused(Why.TRIGGER_FINISHED)
        return found

    # --- commands -----------------------------------------------------------------------------------------------------

    def submit(self, account: str, command: Command, delay_s: float) -> None:
        """Acknowledge a command: it is saved, and carried out later, also after a restart in between. CommandDone tells
        what came of it; an order that could not be placed is then "rejected"."""
        number = self._house.next_command()
        now_ms = self.now_ms()
        pending = PendingCommand(number=number, account=account, command=command, due_ms=now_ms + round(delay_s * 1000))
        self._accounts[account].pending[number] = pending
        self._emit(
            CommandAccepted(account=account, number=number, command=command, due_ms=pending.due_ms, time_ms=now_ms)
        )
        self._wait_for(pending, delay_s)

    def _wait_for(self, pending: PendingCommand, delay_s: float) -> None:
        # Timers of one instant come in any order; commands are carried out in theirs.
        heappush(self._due, (pending.due_ms, pending.number, pending))
        self._later(delay_s, lambda: self._carry_out(heappop(self._due)[2]))

    def pending(self, account: str) -> list[Command]:
        """Acknowledged and not carried out yet, oldest first."""
        return [one.command for one in self._accounts[account].pending.values()]

    def _resume_commands(self) -> None:
        """Those from before a restart."""
        for account in self._accounts.values():
            for pending in account.pending.values():
                self._wait_for(pending, max(0, pending.due_ms - self.now_ms()) / 1000)

    def _carry_out(self, pending: PendingCommand) -> None:
        account, command = pending.account, pending.command
        del self._accounts[account].pending[pending.number]
        why, detail = None, ""
        try:
            self._do(account, command)
        except Refused as refused:
            why, detail = refused.why, str(refused)
            if isinstance(command, PlaceOrder):
                self._record_rejected(account, command.intent, command.order_id, refused.why)
            elif isinstance(command, PlaceTrigger):
                self._triggers.record_rejected(account, command.intent, command.trigger_id, refused.why)
        self._emit(
            CommandDone(
                account=account,
                number=pending.number,
                command=command,
                why=why,
                detail=detail,
                time_ms=self.now_ms(),
            )
        )

    def _do(self, account: str, command: Command) -> None:
        match command:
            case PlaceOrder():
                self.place(account, command.intent, command.order_id)
            case AmendOrder():
                self.amend(
                    account,
                    command.symbol,
                    order_id=command.order_id,
                    client_order_id=None,
                    price=command.price,
                    quantity=command.quantity,
                    note=command.note,
                )
            case CancelOrder():
                self.cancel(
                    account,
                    command.symbol,
                    order_id=command.order_id,
                    client_order_id=None,
                    reason=command.reason,
                )
            case PlaceTrigger():
                self.place_trigger(account, command.intent, command.trigger_id)
            case AmendTrigger():
                self.amend_trigger(
                    account,
                    command.trigger_id,
                    trigger_price=command.trigger_price,
                    price=command.price,
                    quantity=command.quantity,
                    trigger_by=command.trigger_by,
                    note=command.note,
                )
            case CancelTrigger():
                self.cancel_trigger(account, trigger_id=command.trigger_id, reason=command.reason)
            case _:
                assert_never(command)

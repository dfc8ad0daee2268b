"""The connector's brakes: a kill switch, and a dead man's switch at the venue."""

from __future__ import annotations

from collections.abc import Sequence

from perpwire.api_connector.order_methods import OrderMethods
from perpwire.api_connector.status_methods import StatusMethods
from perpwire.errors import BadInput
from perpwire.model.order import Order


class SafetyMethods(OrderMethods, StatusMethods):
    """See guards.py for what else can hold an order back."""

    async def kill(self, reason: str = "by hand") -> tuple[Order, ...]:
        """Throw the kill switch: refuse every new order but those that only close, and cancel all that is open, also
        what was still on its way. `resume` lifts it.

        Raises:
            APIError: Not all could be cancelled; orders stay refused.

        Source: Binance Cancel-All-Open-Orders, Cancel-All-Algo-Open-Orders; Bybit order/cancel-all.
        """
        self.guard.throw(reason)
        cancelled: tuple[Order, ...] = ()
        pause_s = 0.2
        while True:
            # Also those whose callers wait no more. What is placed while the orders are cancelled may be missed once.
            were_on_their_way = self._placing or self.unresolved_orders
            cancelled += await self.cancel_all()
            if not were_on_their_way:
                return cancelled
            await self._clock.sleep(pause_s)
            pause_s = min(2.0, pause_s * 1.5)

    def resume(self) -> None:
        """Take orders again after `kill`. Raises nothing, sends nothing."""
        self.guard.lift()

    async def arm_dead_man(self, seconds: float, symbols: Sequence[str] = ()) -> None:
        """Have the venue cancel open orders when it does not hear from us for so long; renewed by itself meanwhile.

        Binance: a countdown for each symbol named, renewed at a third of the time (weight 10 each). It fires when this
        program dies, hangs, or is cut off. Conditional orders are not cancelled.

        Bybit: for the whole account (name no symbols), from 3 to 300 whole seconds, for institutional accounts that the
        venue has enabled it for. The venue acts when the account's stream, which is opened for it, has been gone for so
        long; a program that hangs with its sockets open is not noticed. It takes effect ten seconds after it is set.
        Orders that wait for a trigger stay.

        Raises:
            BadInput: No symbols where the venue needs them, or seconds that it does not take.
            APIError: The venue did not confirm it.

        Source: Binance Auto-Cancel-All-Open-Orders; Bybit order/dcp.
        """
        if self.venue.countdown_by_symbol and not symbols:
            raise BadInput("name the symbols", venue=self.venue.name, call="arm_dead_man", code="NO_SYMBOLS")
        if self._seconds(seconds, "seconds") <= 0:
            raise BadInput(f"{seconds} s is no time", venue=self.venue.name, call="arm_dead_man", code="BAD_SECONDS")
        names = [(await self.get_instrument(symbol)).symbol for symbol in symbols]
        await self._running.private.watch_countdown()
        await self._running.dead_man.arm(seconds, names)

    async def disarm_dead_man(self) -> None:
        """Orders stay whatever becomes of us.

        Raises:
            APIError: The venue did not confirm it: it may still fire. Disarm it again.
            NotOffered: Bybit has no call that switches it off; it watches for as long as the account's stream is open.

        Source: Binance Auto-Cancel-All-Open-Orders.
        """
        await self._running.dead_man.disarm()

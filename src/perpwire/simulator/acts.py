"""What a fault does when its time has come: to sockets, to the venue and its clock, to an account."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from perpwire.simulator import force
from perpwire.simulator.connection import Connection
from perpwire.simulator.dialect import IncomingRequest
from perpwire.simulator.faulting import OldAnswers
from perpwire.simulator.faults import (
    Act,
    Answer,
    AnswerMessage,
    AnyFault,
    AnySocketFault,
    AnyVenueFault,
    Close,
    CloseIdle,
    Cut,
    Deleverage,
    Drift,
    FillOrder,
    LagLists,
    Liquidate,
    Maintenance,
    MovePrice,
    Refuse,
    Reset,
    Restart,
    Silence,
    Skew,
    SocketFault,
    StaleAnswer,
    Throttle,
    check_times,
)
from perpwire.simulator.venue_clock import LARGEST_SKEW_S

if TYPE_CHECKING:
    from perpwire.simulator.host import Host

NEVER_SENT = (1005, 1006, 1015)
"""Close codes that stand for the lack of a close frame (RFC 6455, 7.4.1)."""


class Acts:
    """See faulting.FaultTarget."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def check(self, fault: AnyFault) -> None:
        """
        Raises:
            ValueError: The fault names something that this venue does not have, or times that never come.
        """
        check_times(fault)
        host, venue = self._host, self._host.venue_faults
        symbols = [spec.instrument.symbol for spec in host.exchange.specs()]
        match fault:
            case Answer(canned=name) | AnswerMessage(canned=name) if name and name not in venue.canned:
                known = ", ".join(sorted(venue.canned)) or "none"
                raise ValueError(f"{host.venue} has no canned reply {name!r}; known are {known}")
            case Act(do=name) if name not in venue.acts:
                known = ", ".join(sorted(venue.acts)) or "none"
                raise ValueError(f"{host.venue} can't {name!r}; it knows {known}")
            case (
                MovePrice(symbol=symbol)
                | Liquidate(symbol=symbol)
                | Deleverage(symbol=symbol)
                | FillOrder(symbol=symbol)
            ) if symbol and symbol not in symbols:
                raise ValueError(f"{host.venue} has no symbol {symbol!r}; known are {', '.join(symbols)}")
            case FillOrder() | Liquidate() | Deleverage() if fault.account not in {
                spec.name for spec in host.exchange.account_specs()
            }:
                raise ValueError(f"there is no account {fault.account!r}")

    def act(self, fault: AnySocketFault | AnyVenueFault, rng: Random) -> str:
        """Carry out a fault that is due; says what was done."""
        host = self._host
        match fault:
            case SocketFault():
                return self._act_on_sockets(fault, rng)
            case CloseIdle():
                return f"closed {host.close_idle()} idle HTTP connections"
            case Refuse():
                host.refuse(fault.seconds)
                return f"refusing connections for {fault.seconds:g} s"
            case LagLists():
                host.lag_lists(fault)
                return f"lists are up to {fault.behind_s:g} s behind for {fault.seconds:g} s"
            case Skew():
                wanted = fault.seconds + (host.venue_clock.skew_s if fault.is_step else 0.0)
                host.skew(max(-LARGEST_SKEW_S, min(LARGEST_SKEW_S, wanted)))
                return f"clock skew is {host.venue_clock.skew_s:g} s"
            case Drift():
                host.venue_clock.drift_ppm = fault.ppm
                return f"clock drifts by {fault.ppm:g} ppm"
            case Maintenance():
                told = self._tell("maintenance_notice", {"seconds": f"{fault.seconds:g}"})
                self._go_down(fault.seconds)
                return f"maintenance for {fault.seconds:g} s{told}"
            case Restart():
                return self._restart(fault)
            case Act():
                try:
                    return host.venue_faults.acts[fault.do](fault.args)
                except (ValueError, OverflowError) as error:
                    return f"could not {fault.do}: {error}"
            case FillOrder() | MovePrice() | Liquidate() | Deleverage():
                return force.carry_out(host.exchange, fault)

    def _act_on_sockets(self, fault: AnySocketFault, rng: Random) -> str:
        chosen = [
            one
            for one in self._host.connections.values()
            if fault.route in one.path and fault.connection in (0, one.number)
        ]
        if fault.which == "one" and chosen:
            chosen = [rng.choice(chosen)]
        for one in chosen:
            _act_on_socket(one, fault)
        return f"{_done(fault)} {len(chosen)} sockets {fault.route}".rstrip()

    def _go_down(self, seconds: float) -> None:
        self._host.go_down(seconds, lambda: self._tell("maintenance_over", {}))
        for one in tuple(self._host.connections.values()):
            one.close(1001, "maintenance")

    def _tell(self, notice: str, args: dict[str, str]) -> str:
        """Have the venue say what it says then, where it says anything."""
        act = self._host.venue_faults.acts.get(notice)
        return "" if act is None else f"; {act(args)}"

    def _restart(self, fault: Restart) -> str:
        told = self._tell("restart_notice", {"seconds": f"{fault.notice_s + fault.seconds:g}"})

        def end() -> None:
            for one in tuple(self._host.connections.values()):
                one.close(1001, "service restart")
            self._host.refuse(fault.seconds)
            self._host.exchange.restart_books()
            self._tell("restart", {})

        if fault.notice_s:
            self._host.later(fault.notice_s, end)
        else:
            end()
        return f"restart in {fault.notice_s:g} s, back {fault.seconds:g} s later{told}"

    def old_answers(self, fault: StaleAnswer) -> OldAnswers:
        """See faulting.FaultTarget. What is to be taken down is asked for here, as by nobody."""
        if not fault.query:
            remembered = self._host.old_answers()
            return lambda path, query: remembered.get((path, query))
        asked = IncomingRequest(method="GET", path=fault.path, query=fault.query, headers={}, body=b"", peer="::1")
        reply = self._host.dialect.http(asked)
        return lambda path, query: reply


def _act_on_socket(one: Connection, fault: AnySocketFault) -> None:
    match fault:
        case Cut():
            one.cut()
        case Reset():
            one.reset()
        case Close() if fault.code in NEVER_SENT:
            one.cut()
        case Close():
            one.close(fault.code, fault.reason)
        case Silence():
            one.silence(fault)
        case Throttle():
            one.throttle(fault.bytes_per_s, fault.seconds)


def _done(fault: AnySocketFault) -> str:
    match fault:
        case Cut():
            return "cut"
        case Reset():
            return "reset"
        case Close():
            return f"closed with {fault.code}"
        case Silence():
            return "silenced" if fault.what == "all" else f"muted {fault.topic} on"
        case Throttle():
            return f"throttled to {fault.bytes_per_s:g} bytes/s"

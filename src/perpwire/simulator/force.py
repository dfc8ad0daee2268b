"""What befalls an account and its market by force: fills, jumps of the price, liquidation, deleveraging."""

from __future__ import annotations

from perpwire.model.order import PositionSide
from perpwire.simulator.exchange import Exchange
from perpwire.simulator.faults import Deleverage, FillOrder, Liquidate, MovePrice
from perpwire.simulator.refusals import Refused


def carry_out(exchange: Exchange, fault: FillOrder | MovePrice | Liquidate | Deleverage) -> str:
    """Do it now; says what was done, or why it could not be."""
    try:
        match fault:
            case FillOrder():
                exchange.force_fill(
                    fault.account,
                    order_id=fault.order_id or None,
                    symbol=fault.symbol or None,
                    quantity=fault.quantity,
                )
                return f"filled an order of {fault.account} by force"
            case MovePrice():
                exchange.shock_price(fault.symbol, share=fault.share)
                return f"{fault.symbol} jumped by {fault.share}"
            case Liquidate():
                exchange.force_liquidation(fault.account, fault.symbol, PositionSide(fault.side))
                return f"liquidated {fault.account} in {fault.symbol}"
            case Deleverage():
                exchange.force_adl(fault.account, fault.symbol, PositionSide(fault.side), fault.quantity)
                return f"deleveraged {fault.account} in {fault.symbol}"
    except (Refused, ValueError) as error:
        return f"could not {type(fault).__name__}: {error}"

"""ExchangeConnector: the abstract class that trading programs are written against."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from perpwire.model.account import AccountInfo, Position
from perpwire.model.numbers import Number
from perpwire.model.order import Order, Side


class ExchangeConnector(ABC):
    """What every venue's connector can do. Methods raise perpwire.errors.APIError; see there for what to do next."""

    @abstractmethod
    async def get_account_info(self) -> AccountInfo:
        """Balances and margin of the account."""

    @abstractmethod
    async def place_order(self, symbol: str, side: Side | str, quantity: Number, **kwargs: Any) -> Order:
        """Place one order; `quantity` in base currency, `side` in any case."""

    @abstractmethod
    async def get_positions(self) -> Sequence[Position]:
        """Open positions."""

    @abstractmethod
    async def cancel_order(self, symbol: str, order_id: str | int) -> Order:
        """Cancel one open order."""

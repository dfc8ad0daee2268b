"""perpwire: trading connector for Binance USD-M futures and Bybit v5 linear perpetuals.

The public names; each is imported when it is first used, so that `import perpwire` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "ExchangeConnector": "perpwire.api_connector.exchange_connector",
    "BinanceFuturesConnector": "perpwire.venues.binance_futures.connector",
    "BybitConnector": "perpwire.venues.bybit.connector",
    "WebSocketManager": "perpwire.api_connector.websocket_manager",
    "RateLimiter": "perpwire.api_connector.rate_limiter",
    "APIMetrics": "perpwire.api_connector.metrics",
    "ConsumerTooSlow": "perpwire.api_connector.event_queue",
    "LocalBook": "perpwire.data_processor.book_sync",
    "Alert": "perpwire.notification.alert",
    "Notifier": "perpwire.notification.notifier",
    "AppriseSink": "perpwire.notification.sinks",
    "CallableSink": "perpwire.notification.sinks",
    "LogSink": "perpwire.notification.sinks",
    "Credentials": "perpwire.credentials",
    **dict.fromkeys(
        (
            "APIError", "AuthenticationFailed", "BadInput", "BadRequest", "BookNotInSync", "Busy", "ClockSkewed",
            "DuplicateOrder", "Garbled", "InsufficientBalance", "NoChange", "NotAllowed", "NotSent", "OrderRejected",
            "OutcomeUnknown", "PerpwireError", "RateLimited", "StreamRefused", "UnknownOrder", "VenueRefused",
        ),
        "perpwire.errors",
    ),
    **dict.fromkeys(("AccountInfo", "Balance", "Position"), "perpwire.model.account"),
    **dict.fromkeys(("Instrument",), "perpwire.model.instrument"),
    **dict.fromkeys(
        ("BookDelta", "BookSnapshot", "BookTicker", "Event", "MarkPrice", "Trade"), "perpwire.model.market"
    ),
    **dict.fromkeys(
        ("Fill", "Order", "OrderStatus", "OrderType", "PositionSide", "Side", "TimeInForce"), "perpwire.model.order"
    ),
    **dict.fromkeys(
        (
            "BalanceInsufficient", "BookGap", "BookRecovered", "ClockStepped", "ConnectionFailing", "ConnectionLost",
            "ConnectionRecovered", "FrameGarbled", "HandlerFailed", "Incident", "OrderDoubtful", "OrderFailed",
            "RateLimitHit", "SubscriptionRefused",
        ),
        "perpwire.model.incident",
    ),
}  # fmt: skip

if TYPE_CHECKING:
    from perpwire.api_connector.event_queue import ConsumerTooSlow as ConsumerTooSlow
    from perpwire.api_connector.exchange_connector import ExchangeConnector as ExchangeConnector
    from perpwire.api_connector.metrics import APIMetrics as APIMetrics
    from perpwire.api_connector.rate_limiter import RateLimiter as RateLimiter
    from perpwire.api_connector.websocket_manager import WebSocketManager as WebSocketManager
    from perpwire.credentials import Credentials as Credentials
    from perpwire.data_processor.book_sync import LocalBook as LocalBook
    from perpwire.errors import (
        APIError as APIError,
        AuthenticationFailed as AuthenticationFailed,
        BadInput as BadInput,
        BadRequest as BadRequest,
        BookNotInSync as BookNotInSync,
        Busy as Busy,
        ClockSkewed as ClockSkewed,
        DuplicateOrder as DuplicateOrder,
        Garbled as Garbled,
        InsufficientBalance as InsufficientBalance,
        NoChange as NoChange,
        NotAllowed as NotAllowed,
        NotSent as NotSent,
        OrderRejected as OrderRejected,
        OutcomeUnknown as OutcomeUnknown,
        PerpwireError as PerpwireError,
        RateLimited as RateLimited,
        StreamRefused as StreamRefused,
        UnknownOrder as UnknownOrder,
        VenueRefused as VenueRefused,
    )
    from perpwire.model.account import AccountInfo as AccountInfo, Balance as Balance, Position as Position
    from perpwire.model.incident import (
        BalanceInsufficient as BalanceInsufficient,
        BookGap as BookGap,
        BookRecovered as BookRecovered,
        ClockStepped as ClockStepped,
        ConnectionFailing as ConnectionFailing,
        ConnectionLost as ConnectionLost,
        ConnectionRecovered as ConnectionRecovered,
        FrameGarbled as FrameGarbled,
        HandlerFailed as HandlerFailed,
        Incident as Incident,
        OrderDoubtful as OrderDoubtful,
        OrderFailed as OrderFailed,
        RateLimitHit as RateLimitHit,
        SubscriptionRefused as SubscriptionRefused,
    )
    from perpwire.model.instrument import Instrument as Instrument
    from perpwire.model.market import (
        BookDelta as BookDelta,
        BookSnapshot as BookSnapshot,
        BookTicker as BookTicker,
        Event as Event,
        MarkPrice as MarkPrice,
        Trade as Trade,
    )
    from perpwire.model.order import (
        Fill as Fill,
        Order as Order,
        OrderStatus as OrderStatus,
        OrderType as OrderType,
        PositionSide as PositionSide,
        Side as Side,
        TimeInForce as TimeInForce,
    )
    from perpwire.notification.alert import Alert as Alert
    from perpwire.notification.notifier import Notifier as Notifier
    from perpwire.notification.sinks import AppriseSink as AppriseSink, CallableSink as CallableSink, LogSink as LogSink
    from perpwire.venues.binance_futures.connector import BinanceFuturesConnector as BinanceFuturesConnector
    from perpwire.venues.bybit.connector import BybitConnector as BybitConnector

__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'perpwire' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)

"""perpwire: trading connector for Binance USD-M futures and Bybit v5 linear perpetuals.

The public names; each is imported when it is first used, so that `import perpwire` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_NAMES = {
    "perpwire.api_connector.batch_methods": ("NewOrder",),
    "perpwire.api_connector.event_queue": ("ConsumerTooSlow", "EventQueue", "Overflow"),
    "perpwire.api_connector.exchange_connector": ("ExchangeConnector",),
    "perpwire.api_connector.guards": ("CAUTIOUS", "Guards"),
    "perpwire.api_connector.history": ("History", "Rows"),
    "perpwire.api_connector.lifecycle": ("State", "TopicState"),
    "perpwire.api_connector.listener": ("HandlerStats",),
    "perpwire.api_connector.loop_watch": ("LoopWatch",),
    "perpwire.api_connector.metrics": ("APIMetrics", "CallStats", "RequestStats"),
    "perpwire.api_connector.order_journal": ("JournalEntry", "JournalFile", "OrderJournal"),
    "perpwire.api_connector.rate_limiter": ("RateLimiter",),
    "perpwire.api_connector.reconcile": ("Resolution",),
    "perpwire.api_connector.retry": ("RetryPolicy",),
    "perpwire.api_connector.start_up": ("StartUpReport",),
    "perpwire.api_connector.stream_connection": ("StreamConnection",),
    "perpwire.api_connector.trade_route": ("TradeRoute",),
    "perpwire.api_connector.venue_connector": ("VenueConnector",),
    "perpwire.api_connector.topic_uses": ("Use",),
    "perpwire.api_connector.websocket_manager": ("StreamSettings", "WebSocketManager"),
    "perpwire.clock": ("Clock", "ManualClock", "SystemClock"),
    "perpwire.credentials": ("Credentials",),
    "perpwire.data_processor.account_state": ("AccountState",),
    "perpwire.api_connector.book_watch": ("BookWatch",),
    "perpwire.api_connector.candle_watch": ("CandleWatch",),
    "perpwire.data_processor.candles": ("CandleMaker",),
    "perpwire.data_processor.local_book": ("LocalBook",),
    "perpwire.errors": (
        "APIError", "AuthenticationFailed", "BadInput", "BadRequest", "BeyondHorizon", "BookNotInSync", "Busy",
        "ClockSkewed", "DuplicateOrder", "Garbled", "GuardRefused", "InsufficientBalance", "NoChange", "NotAllowed",
        "NotOffered", "NotSent", "OrderRejected", "OutcomeUnknown", "Overloaded", "PerpwireError",
        "PositionModeMismatch", "RateLimited", "StreamRefused", "UnknownOrder", "UnknownSymbol",
        "VenueRefused", "Verdict",
    ),
    "perpwire.fanout.link": ("RedisFailed",),
    "perpwire.fanout.producer": ("Fanout",),
    "perpwire.fanout.reader": ("FanoutReader",),
    "perpwire.logs": ("Redacts",),
    "perpwire.model.account": (
        "AccountEvent", "AccountInfo", "AccountSettings", "AssetModeChanged", "Balance", "CountDown", "FeeRates",
        "Income", "KeyInfo", "LeverageChanged", "MarginCall", "MarginMode", "MarginModeChanged", "Position",
        "PositionMode", "PositionModeChanged", "RiskBracket", "Setting", "SymbolSettings",
    ),
    "perpwire.model.incident": (
        "AccountReadAgain", "AccountUnread", "BalanceInsufficient", "BookGap", "BookRecovered", "BudgetEased",
        "BudgetPressed", "ChangeUnresolved", "ClockStepped", "ConnectionFailing",
        "ConnectionLost", "ConnectionRecovered", "ConsumerBehind", "DeadManFailed", "FanoutFailing", "FanoutRecovered",
        "FillsRecovered",
        "FrameGarbled", "GuardTripped", "HandlerFailed", "TaskFailed", "Incident", "InstrumentChanged",
        "InstrumentEnding", "KeyWarning", "LoginRefused",
        "LoopStalled", "MarginCalled", "ModeChanged", "OrderDoubtful", "OrderFailed", "OrderResolved",
        "PositionLiquidated", "PositionMismatch",
        "RateLimitHit", "RateLimitLifted", "RouteFound", "SetUpDone", "SetUpFailing",
        "StreamGap", "StreamLagging", "StreamSilent", "StreamStale",
        "SubscriptionRefused", "UnknownCode", "UnknownSeen",
    ),
    "perpwire.model.instrument": ("Instrument", "Rounding"),
    "perpwire.model.market": (
        "AdlWarning", "AggTrade", "AssetIndex", "Bar", "BookDelta", "BookLevels", "BookSnapshot", "BookTicker",
        "CompositeIndex", "ContinuousKline", "ContractChanged", "Event", "FundingRate", "Gap", "InsuranceFund",
        "Kline", "Level", "Liquidation", "MarkPrice", "MiniTicker", "OpenInterest", "PriceKind", "PriceLimits",
        "Recovered", "RpiBook", "Stale", "SystemNotice", "Ticker", "Trade", "TradingSession", "Unknown", "VenueStatus",
    ),
    "perpwire.model.numbers": ("Number",),
    "perpwire.model.order": (
        "FastFill", "Fill", "Order", "OrderRequest", "OrderStatus", "OrderType", "PositionSide", "Replaced",
        "Side", "TimeInForce", "TriggerBy",
    ),
    "perpwire.notification.alert": ("Alert", "Severity"),
    "perpwire.notification.delivery": ("Pacing", "SinkStats"),
    "perpwire.notification.escalation": ("Escalation",),
    "perpwire.notification.notifier": ("Notifier", "NotifierStats"),
    "perpwire.notification.outlet": ("Outlet",),
    "perpwire.notification.quiet": ("QuietHours",),
    "perpwire.notification.rules": ("Rules",),
    "perpwire.notification.setting_up": ("notifier_from",),
    "perpwire.notification.sinks": ("AppriseSink", "CallableSink", "LogSink", "Sink", "SinkFailed"),
    "perpwire.notification.spool": ("Spool",),
    "perpwire.notification.words": ("Wording",),
    "perpwire.transport.base": ("HttpTransport", "SocketTransport"),
    "perpwire.transport.proxy": ("Proxy",),
    "perpwire.venues.base": ("Hosts", "StreamKeywords", "Topic", "Venue"),
    "perpwire.venues.endpoint": ("Road",),
    "perpwire.venues.binance_futures.connector": ("BinanceFuturesConnector",),
    "perpwire.venues.bybit.connector": ("BybitConnector",),
}  # fmt: skip

_HOME = {name: home for home, names in _NAMES.items() for name in names}

if TYPE_CHECKING:
    from perpwire.api_connector.batch_methods import NewOrder as NewOrder
    from perpwire.api_connector.book_watch import BookWatch as BookWatch
    from perpwire.api_connector.candle_watch import CandleWatch as CandleWatch
    from perpwire.api_connector.event_queue import (
        ConsumerTooSlow as ConsumerTooSlow,
        EventQueue as EventQueue,
        Overflow as Overflow,
    )
    from perpwire.api_connector.exchange_connector import ExchangeConnector as ExchangeConnector
    from perpwire.api_connector.guards import CAUTIOUS as CAUTIOUS, Guards as Guards
    from perpwire.api_connector.history import History as History, Rows as Rows
    from perpwire.api_connector.lifecycle import State as State, TopicState as TopicState
    from perpwire.api_connector.listener import HandlerStats as HandlerStats
    from perpwire.api_connector.loop_watch import LoopWatch as LoopWatch
    from perpwire.api_connector.metrics import (
        APIMetrics as APIMetrics,
        CallStats as CallStats,
        RequestStats as RequestStats,
    )
    from perpwire.api_connector.order_journal import (
        JournalEntry as JournalEntry,
        JournalFile as JournalFile,
        OrderJournal as OrderJournal,
    )
    from perpwire.api_connector.rate_limiter import RateLimiter as RateLimiter
    from perpwire.api_connector.reconcile import Resolution as Resolution
    from perpwire.api_connector.retry import RetryPolicy as RetryPolicy
    from perpwire.api_connector.start_up import StartUpReport as StartUpReport
    from perpwire.api_connector.stream_connection import StreamConnection as StreamConnection
    from perpwire.api_connector.topic_uses import Use as Use
    from perpwire.api_connector.trade_route import TradeRoute as TradeRoute
    from perpwire.api_connector.venue_connector import VenueConnector as VenueConnector
    from perpwire.api_connector.websocket_manager import (
        StreamSettings as StreamSettings,
        WebSocketManager as WebSocketManager,
    )
    from perpwire.clock import Clock as Clock, ManualClock as ManualClock, SystemClock as SystemClock
    from perpwire.credentials import Credentials as Credentials
    from perpwire.data_processor.account_state import AccountState as AccountState
    from perpwire.data_processor.candles import CandleMaker as CandleMaker
    from perpwire.data_processor.local_book import LocalBook as LocalBook
    from perpwire.errors import (
        APIError as APIError,
        AuthenticationFailed as AuthenticationFailed,
        BadInput as BadInput,
        BadRequest as BadRequest,
        BeyondHorizon as BeyondHorizon,
        BookNotInSync as BookNotInSync,
        Busy as Busy,
        ClockSkewed as ClockSkewed,
        DuplicateOrder as DuplicateOrder,
        Garbled as Garbled,
        GuardRefused as GuardRefused,
        InsufficientBalance as InsufficientBalance,
        NoChange as NoChange,
        NotAllowed as NotAllowed,
        NotOffered as NotOffered,
        NotSent as NotSent,
        OrderRejected as OrderRejected,
        OutcomeUnknown as OutcomeUnknown,
        Overloaded as Overloaded,
        PerpwireError as PerpwireError,
        PositionModeMismatch as PositionModeMismatch,
        RateLimited as RateLimited,
        StreamRefused as StreamRefused,
        UnknownOrder as UnknownOrder,
        UnknownSymbol as UnknownSymbol,
        VenueRefused as VenueRefused,
        Verdict as Verdict,
    )
    from perpwire.fanout.link import RedisFailed as RedisFailed
    from perpwire.fanout.producer import Fanout as Fanout
    from perpwire.fanout.reader import FanoutReader as FanoutReader
    from perpwire.logs import Redacts as Redacts
    from perpwire.model.account import (
        AccountEvent as AccountEvent,
        AccountInfo as AccountInfo,
        AccountSettings as AccountSettings,
        AssetModeChanged as AssetModeChanged,
        Balance as Balance,
        CountDown as CountDown,
        FeeRates as FeeRates,
        Income as Income,
        KeyInfo as KeyInfo,
        LeverageChanged as LeverageChanged,
        MarginCall as MarginCall,
        MarginMode as MarginMode,
        MarginModeChanged as MarginModeChanged,
        Position as Position,
        PositionMode as PositionMode,
        PositionModeChanged as PositionModeChanged,
        RiskBracket as RiskBracket,
        Setting as Setting,
        SymbolSettings as SymbolSettings,
    )
    from perpwire.model.incident import (
        AccountReadAgain as AccountReadAgain,
        AccountUnread as AccountUnread,
        BalanceInsufficient as BalanceInsufficient,
        BookGap as BookGap,
        BookRecovered as BookRecovered,
        BudgetEased as BudgetEased,
        BudgetPressed as BudgetPressed,
        ChangeUnresolved as ChangeUnresolved,
        ClockStepped as ClockStepped,
        ConnectionFailing as ConnectionFailing,
        ConnectionLost as ConnectionLost,
        ConnectionRecovered as ConnectionRecovered,
        ConsumerBehind as ConsumerBehind,
        DeadManFailed as DeadManFailed,
        FanoutFailing as FanoutFailing,
        FanoutRecovered as FanoutRecovered,
        FillsRecovered as FillsRecovered,
        FrameGarbled as FrameGarbled,
        GuardTripped as GuardTripped,
        HandlerFailed as HandlerFailed,
        Incident as Incident,
        InstrumentChanged as InstrumentChanged,
        InstrumentEnding as InstrumentEnding,
        KeyWarning as KeyWarning,
        LoginRefused as LoginRefused,
        LoopStalled as LoopStalled,
        MarginCalled as MarginCalled,
        ModeChanged as ModeChanged,
        OrderDoubtful as OrderDoubtful,
        OrderFailed as OrderFailed,
        OrderResolved as OrderResolved,
        PositionLiquidated as PositionLiquidated,
        PositionMismatch as PositionMismatch,
        RateLimitHit as RateLimitHit,
        RateLimitLifted as RateLimitLifted,
        RouteFound as RouteFound,
        SetUpDone as SetUpDone,
        SetUpFailing as SetUpFailing,
        StreamGap as StreamGap,
        StreamLagging as StreamLagging,
        StreamSilent as StreamSilent,
        StreamStale as StreamStale,
        SubscriptionRefused as SubscriptionRefused,
        TaskFailed as TaskFailed,
        UnknownCode as UnknownCode,
        UnknownSeen as UnknownSeen,
    )
    from perpwire.model.instrument import Instrument as Instrument, Rounding as Rounding
    from perpwire.model.market import (
        AdlWarning as AdlWarning,
        AggTrade as AggTrade,
        AssetIndex as AssetIndex,
        Bar as Bar,
        BookDelta as BookDelta,
        BookLevels as BookLevels,
        BookSnapshot as BookSnapshot,
        BookTicker as BookTicker,
        CompositeIndex as CompositeIndex,
        ContinuousKline as ContinuousKline,
        ContractChanged as ContractChanged,
        Event as Event,
        FundingRate as FundingRate,
        Gap as Gap,
        InsuranceFund as InsuranceFund,
        Kline as Kline,
        Level as Level,
        Liquidation as Liquidation,
        MarkPrice as MarkPrice,
        MiniTicker as MiniTicker,
        OpenInterest as OpenInterest,
        PriceKind as PriceKind,
        PriceLimits as PriceLimits,
        Recovered as Recovered,
        RpiBook as RpiBook,
        Stale as Stale,
        SystemNotice as SystemNotice,
        Ticker as Ticker,
        Trade as Trade,
        TradingSession as TradingSession,
        Unknown as Unknown,
        VenueStatus as VenueStatus,
    )
    from perpwire.model.numbers import Number as Number
    from perpwire.model.order import (
        FastFill as FastFill,
        Fill as Fill,
        Order as Order,
        OrderRequest as OrderRequest,
        OrderStatus as OrderStatus,
        OrderType as OrderType,
        PositionSide as PositionSide,
        Replaced as Replaced,
        Side as Side,
        TimeInForce as TimeInForce,
        TriggerBy as TriggerBy,
    )
    from perpwire.notification.alert import Alert as Alert, Severity as Severity
    from perpwire.notification.delivery import Pacing as Pacing, SinkStats as SinkStats
    from perpwire.notification.escalation import Escalation as Escalation
    from perpwire.notification.notifier import Notifier as Notifier, NotifierStats as NotifierStats
    from perpwire.notification.outlet import Outlet as Outlet
    from perpwire.notification.quiet import QuietHours as QuietHours
    from perpwire.notification.rules import Rules as Rules
    from perpwire.notification.setting_up import notifier_from as notifier_from
    from perpwire.notification.sinks import (
        AppriseSink as AppriseSink,
        CallableSink as CallableSink,
        LogSink as LogSink,
        Sink as Sink,
        SinkFailed as SinkFailed,
    )
    from perpwire.notification.spool import Spool as Spool
    from perpwire.notification.words import Wording as Wording
    from perpwire.transport.base import HttpTransport as HttpTransport, SocketTransport as SocketTransport
    from perpwire.transport.proxy import Proxy as Proxy
    from perpwire.venues.base import (
        Hosts as Hosts,
        StreamKeywords as StreamKeywords,
        Topic as Topic,
        Venue as Venue,
    )
    from perpwire.venues.binance_futures.connector import BinanceFuturesConnector as BinanceFuturesConnector
    from perpwire.venues.bybit.connector import BybitConnector as BybitConnector
    from perpwire.venues.endpoint import Road as Road

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

"""The table of streams in docs/streams.md, made from the code: python -m tests.docs.streams."""

from __future__ import annotations

from pathlib import Path

from perpwire import venues
from perpwire.errors import NotOffered
from perpwire.model import market
from perpwire.model.market import Event
from perpwire.venues.base import StreamOptions

PAGE = Path(__file__).parents[2] / "docs" / "streams.md"
BEGIN, END = "<!-- streams: begin -->", "<!-- streams: end -->"
KINDS = [
    "Trade",
    "AggTrade",
    "BookTicker",
    "BookSnapshot",
    "BookDelta",
    "RpiBook",
    "Kline",
    "ContinuousKline",
    "MarkPrice",
    "Ticker",
    "MiniTicker",
    "OpenInterest",
    "Liquidation",
    "ContractChanged",
    "PriceLimits",
    "AdlWarning",
    "InsuranceFund",
    "CompositeIndex",
    "AssetIndex",
    "TradingSession",
    "SystemNotice",
]
OPTIONS = {"Kline": StreamOptions(interval="1m"), "ContinuousKline": StreamOptions(interval="1m")}
BY_ITSELF = [
    ("Order", "ORDER_TRADE_UPDATE, ALGO_UPDATE", "order.linear"),
    ("Fill", "ORDER_TRADE_UPDATE", "execution.linear"),
    ("FastFill", "TRADE_LITE", "execution.fast.linear"),
    ("Position, Balance", "ACCOUNT_UPDATE", "position.linear, wallet"),
    ("LeverageChanged", "ACCOUNT_CONFIG_UPDATE", "position.linear"),
    ("AssetModeChanged", "ACCOUNT_CONFIG_UPDATE", "-"),
    ("MarginModeChanged", "ACCOUNT_UPDATE", "by reading"),
    ("PositionModeChanged", "by reading", "position.linear"),
    ("MarginCall", "MARGIN_CALL", "-"),
    ("Gap", "in place of what is missing", "the same"),
    ("Unknown", "any other event, whole", "any other topic, whole"),
]


def name(venue: str, kind: type[Event], symbol: str) -> str:
    try:
        return f"`{venues.load(venue).topic(kind, symbol, OPTIONS.get(kind.__name__, StreamOptions())).name}`"
    except NotOffered:
        return "-"


def table() -> str:
    lines = ["| event | Binance | Binance, whole market | Bybit |", "|---|---|---|---|"]
    for one in KINDS:
        kind = getattr(market, one)
        whole = name("binance", kind, "")
        lines.append(f"| {one} | {name('binance', kind, 'BTCUSDT')} | {whole} | {name('bybit', kind, 'BTCUSDT')} |")
    lines += [f"| {event} | {binance} | | {bybit} |" for event, binance, bybit in BY_ITSELF]
    return "\n".join(lines)


def written(page: str) -> str:
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))

"""What the simulated venue pushes and answers on sockets has the shape of what was recorded: same keys, same types."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.venues.binance_futures.tour import MARKET, PUBLIC, Frames, tour

from perpwire.venues.binance_futures.venue import VENUE

pytestmark = pytest.mark.slow

NOT_SERVED = {
    "CONDITIONAL_ORDER_TRIGGER_REJECT": "retired by the venue on 2025-12-15; ALGO_UPDATE has the reason",
    "STRATEGY_UPDATE": "of the venue's own trading bots, which no call of the API starts",
    "GRID_UPDATE": "likewise",
}

RECORDED_ONLY = {
    # (event or method, path) -> why it is not sent.
    ("ORDER_TRADE_UPDATE", "o.AP"): "of trailing orders, which are conditional orders (ALGO_UPDATE) since 2025-12-09",
    ("ORDER_TRADE_UPDATE", "o.cr"): "likewise",
    ("ORDER_TRADE_UPDATE", "o.W"): "not in the venue's documentation; its recordings are an adapter's own",
    ("order.place", "result.avgPrice"): "gone since 2026-06-30",
    ("order.place", "result.cumQuote"): "gone since 2026-06-30",
    ("order.modify", "result.avgPrice"): "gone since 2026-06-30",
    ("order.modify", "result.cumQuote"): "gone since 2026-06-30",
    ("order.cancel", "result.cumQuote"): "gone since 2026-06-30",
    ("order.cancel", "result.activatePrice"): "of trailing orders, which are conditional orders since 2025-12-09",
    ("order.cancel", "result.priceRate"): "likewise",
    ("order.status", "result.activatePrice"): "likewise",
    ("order.status", "result.priceRate"): "likewise",
}
ALGO_CANCEL = "the recording is of 2025; the venue's client library and reference have algoId, clientAlgoId, code, msg"

SENT_ONLY = {
    # (event or method, path) -> since when, or by which source, it is sent.
    ("aggTrade", "nq"): "2025-12-31",
    ("trade", "E"): "in one recording, absent from the other",
    ("forceOrder", "ps"): "2026-06-30, on the stream of all symbols",
    ("forceOrder", "st"): "2026-06-30, on the stream of all symbols",
    ("contractInfo", "st"): "2026-06-30",
    ("ORDER_TRADE_UPDATE", "o.er"): "2025-10-23",
    ("ORDER_TRADE_UPDATE", "o.M"): "2026-07-30, after an amendment with a modifyId",
    ("ACCOUNT_UPDATE", "a.S"): "2026-08-07, for funding",
    ("ACCOUNT_UPDATE", "a.P.ma"): "seen live in 2026-09",
    ("ALGO_UPDATE", "o.ia"): "2026-08-07",
    ("account.status", "result.feeBurn"): "in REST's answer of the same version",
    ("account.status", "result.positions.notional"): "in REST's answer of the same version",
    ("account.status", "result.positions.isolatedWallet"): "in REST's answer of the same version",
    ("v2/account.position", "result.unRealizedProfit"): "the venue's client library has it; the recording's page not",
    ("algoOrder.place", "result.activatePrice"): "in REST's recorded answer",
    ("algoOrder.place", "result.callbackRate"): "in REST's recorded answer",
    ("order.modify", "result.pair"): "in REST's answer, by the reference",
    ("order.status", "result.priceMatch"): "2023, younger than the recording",
    ("order.status", "result.selfTradePreventionMode"): "2023, younger than the recording",
    ("order.status", "result.goodTillDate"): "2023, younger than the recording",
    ("order.status", "rateLimits"): "the recording leaves it out",
}


@pytest.fixture(scope="module")
def toured() -> tuple[Frames, Frames, Frames]:
    return tour()


def kind_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case _:
            return "object"


def shape(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every path in it with its type; what stands in lists has the list's path."""
    yield path, kind_of(value)
    if isinstance(value, dict):
        for key, one in value.items():
            yield from shape(one, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, dict):
                yield from shape(one, path)
            else:
                yield f"{path}[]", kind_of(one)


def shapes(samples: list[Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for sample in samples:
        for path, kind in shape(sample):
            found[path].add(kind)
    return found


def differences(name: str, recorded: dict[str, set[str]], sent: dict[str, set[str]]) -> list[str]:
    told = []
    for path, kinds in recorded.items():
        if path not in sent:
            if (name, path) not in RECORDED_ONLY:
                told.append(f"{path} is recorded and not sent")
        elif not kinds - {"null"} <= sent[path] | {"object" if "list" in sent[path] else "list"} & kinds:
            told.append(f"{path} is recorded as {kinds} and sent as {sent[path]}")
    return told


def samples_by_event(public: Frames, private: Frames) -> Frames:
    found: Frames = defaultdict(list)
    for frames in (public, private):
        for many in frames.values():
            for frame in many:
                for row in frame if isinstance(frame, list) else [frame]:
                    found[row["e"]].append(row)
    return found


def recordings(folder: Path) -> dict[str, list[tuple[str, Any]]]:
    """Event or method -> files and what is in them."""
    found: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        found[path.stem.partition("--")[0]].append((path.name, json.loads(path.read_text())))
    return found


@pytest.mark.fixtures
def test_every_recorded_event_is_sent_in_its_shape(fixtures: Path, toured: tuple[Frames, Frames, Frames]) -> None:
    sent = samples_by_event(*toured[:2])
    problems = []
    checked = 0
    for name, files in recordings(fixtures / "binance" / "ws").items():
        if name in NOT_SERVED:
            continue
        live = shapes(sent[name])
        for file, content in files:
            checked += 1
            data = content.get("data", content)
            recorded = shapes(data if isinstance(data, list) else [data])
            problems += [f"{file}: {one}" for one in differences(name, recorded, live)]
        known = {path for _, content in files for path in shapes(_rows(content))}
        problems += [
            f"{name}: {path} is sent and in no recording"
            for path in live
            if path not in known and (name, path) not in SENT_ONLY
        ]
    assert problems == [], "\n".join(problems)
    assert checked >= 50


def _rows(content: Any) -> list[Any]:
    data = content.get("data", content)
    return data if isinstance(data, list) else [data]


@pytest.mark.fixtures
def test_every_recorded_answer_is_given_in_its_shape(fixtures: Path, toured: tuple[Frames, Frames, Frames]) -> None:
    problems = []
    checked = 0
    for stem, files in recordings(fixtures / "binance" / "wsapi").items():
        method = stem.replace("v2_", "v2/")
        live = shapes(toured[2][method])
        for file, content in files:
            checked += 1
            if method == "algoOrder.cancel":
                assert set(toured[2][method][0]["result"]) == {"algoId", "clientAlgoId", "code", "msg"}, ALGO_CANCEL
                continue
            recorded = shapes([content])
            problems += [f"{file}: {one}" for one in differences(method, recorded, live)]
            problems += [
                f"{file}: {path} is sent and not recorded"
                for path in live
                if path not in recorded and not _is_allowed(method, path)
            ]
    assert problems == [], "\n".join(problems)
    assert checked == 20


def _is_allowed(method: str, path: str) -> bool:
    return any(method == name and (path == known or path.startswith(f"{known}.")) for name, known in SENT_ONLY)


MODELS = {
    # Stream, or kind of private event -> the struct that the venue's own client library reads it into.
    "btcusdt@bookTicker": "IndividualSymbolBookTickerStreamsResponse",
    "!bookTicker": "AllBookTickersStreamResponse",
    "btcusdt@depth@100ms": "DiffBookDepthStreamsResponse",
    "btcusdt@depth10@100ms": "PartialBookDepthStreamsResponse",
    "btcusdt@rpiDepth@500ms": "RpiDiffBookDepthStreamsResponse",
    "btcusdt@aggTrade": "AggregateTradeStreamsResponse",
    "btcusdt@markPrice": "MarkPriceStreamResponse",
    "!markPrice@arr": "MarkPriceStreamForAllMarketResponseInner",
    "btcusdt@kline_1m": "KlineCandlestickStreamsResponse",
    "btcusdt_perpetual@continuousKline_1m": "ContinuousContractKlineCandlestickStreamsResponse",
    "btcusdt@ticker": "IndividualSymbolTickerStreamsResponse",
    "!ticker@arr": "AllMarketTickersStreamsResponseInner",
    "btcusdt@miniTicker": "IndividualSymbolMiniTickerStreamResponse",
    "!miniTicker@arr": "AllMarketMiniTickersStreamResponseInner",
    "btcusdt@forceOrder": "LiquidationOrderStreamsResponse",
    "!forceOrder@arr": "AllMarketLiquidationOrderStreamsResponse",
    "defiusdt@compositeIndex": "CompositeIndexSymbolInformationStreamsResponse",
    "!contractInfo": "ContractInfoStreamResponse",
    "!assetIndex@arr": "AssetIndexResponseInner",
    "tradingSession": "TradingSessionStreamResponse",
    "ORDER_TRADE_UPDATE": "OrderTradeUpdate",
    "ACCOUNT_UPDATE": "AccountUpdate",
    "TRADE_LITE": "TradeLite",
    "ACCOUNT_CONFIG_UPDATE": "AccountConfigUpdate",
    "MARGIN_CALL": "MarginCall",
    "ALGO_UPDATE": "AlgoUpdate",
    "listenKeyExpired": "ListenKeyExpired",
}

NOT_IN_THE_MODELS = {
    ("ACCOUNT_UPDATE", "a.P"): {"ma"},
    ("!contractInfo", ""): {"ps"},
}
NOT_SENT_OF_THE_MODELS = {("ORDER_TRADE_UPDATE", "o"): {"AP", "cr"}}
"""See RECORDED_ONLY."""


@pytest.mark.parametrize("name", MODELS)
def test_the_venues_own_client_library_knows_every_key_and_gets_every_key(
    toured: tuple[Frames, Frames, Frames], name: str
) -> None:
    models = pytest.importorskip("binance_sdk_derivatives_trading_usds_futures.websocket_streams.models")
    model = getattr(models, MODELS[name])
    frames = toured[0].get(name) or toured[1][name]
    rows = [row for frame in frames for row in (frame if isinstance(frame, list) else [frame])]
    read = [model.from_dict(row) for row in rows]  # strict: a number in place of a text raises
    assert read
    compared: dict[str, tuple[set[str], set[str]]] = {}
    for one, row in zip(read, rows, strict=True):
        _compare(one, row, "", compared)
    for path, (known, sent) in compared.items():
        extra = NOT_IN_THE_MODELS.get((name, path), set()) | ({"e"} if not path else set())
        assert sent - known <= extra, path
        assert known - sent == NOT_SENT_OF_THE_MODELS.get((name, path), set()), path


def _compare(read: Any, row: dict[str, Any], path: str, found: dict[str, tuple[set[str], set[str]]]) -> None:
    """For each object in a row: which keys the model knows, and which were sent in any row."""
    fields = {field.alias or name: name for name, field in type(read).model_fields.items()}
    fields.pop("additional_properties", None)
    found.setdefault(path, (set(fields), set()))[1].update(row)
    for key, value in row.items():
        if key not in fields:
            continue
        inner = getattr(read, fields[key])
        below = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            _compare(inner, value, below, found)
        elif isinstance(value, list):
            for one, part in zip(inner, value, strict=True):
                if isinstance(part, dict):
                    _compare(one, part, below, found)


def test_our_own_client_reads_every_frame_of_it(toured: tuple[Frames, Frames, Frames]) -> None:
    read = 0
    for frames in toured[:2]:
        session = VENUE.session("market")
        for name, many in frames.items():
            for frame in many:
                text = json.dumps({"stream": name, "data": frame}, separators=(",", ":")).encode()
                events = session.on_frame(text, 1)
                if events is None:
                    assert name == "listenKeyExpired"
                    continue
                read += len(events)
                # Rows of the other family are passed over.
                assert not any("_PERP" in getattr(event, "symbol", "") for event in events)
    assert read > 500


def test_every_stream_has_sent_something(toured: tuple[Frames, Frames, Frames]) -> None:
    assert [name for name in (*PUBLIC, *MARKET) if not toured[0][name]] == []


def test_every_stated_difference_is_one(toured: tuple[Frames, Frames, Frames]) -> None:
    """A table that says more than is so would hide what is to come."""
    public, private, answers = toured
    live = {name: shapes(samples) for name, samples in samples_by_event(public, private).items()}
    live |= {method: shapes(samples) for method, samples in answers.items()}
    assert [one for one in RECORDED_ONLY if one[1] in live[one[0]]] == []
    assert [one for one in SENT_ONLY if one[1] not in live[one[0]]] == []

"""What users say of an exchange becomes its options; contracts of their own."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.simulator.making import spec

from perpwire.simulator.faults import Answer, Cut
from perpwire.simulator.listing import Listing, listed
from perpwire.simulator.options import read_accounts_and_symbols, read_symbols, setup_options
from perpwire.simulator.specs import AccountSpec

D = Decimal


def listing(**fields: Any) -> Listing:
    return msgspec.convert({"symbol": "DOGEUSDT", "start_price": "0.08", **fields}, Listing)


def test_a_contract_gets_rules_that_suit_its_price() -> None:
    made = listing().spec(spec("BTCUSDT"))
    instrument = made.instrument
    assert (instrument.symbol, instrument.base, instrument.quote) == ("DOGEUSDT", "DOGE", "USDT")
    assert (instrument.tick_size, instrument.quantity_step, instrument.min_quantity) == (D("1E-7"), D(1), D(1))
    assert (instrument.max_quantity, instrument.max_market_quantity) == (D("1E+9"), D("2E+8"))
    assert (instrument.min_price, instrument.max_price, instrument.min_notional) == (D("1E-7"), D(8), D(5))
    dear = listing(symbol="XAUUSDT", start_price="4000").spec(spec("BTCUSDT")).instrument
    assert (dear.tick_size, dear.quantity_step, dear.max_quantity) == (D("0.01"), D("0.001"), D(10000))


def test_what_is_given_is_taken() -> None:
    habit = spec("BTCUSDT")
    made = listing(
        base="DOG", tick_size="0.0001", quantity_step="0.5", taker_fee="0.001", maker_fee="-0.0001", leverage="3"
    ).spec(habit)
    assert (made.instrument.base, made.instrument.tick_size) == ("DOG", D("0.0001"))
    assert (made.instrument.quantity_step, made.instrument.min_quantity) == (D("0.5"), D("0.5"))
    assert (made.taker_fee, made.maker_fee, made.leverage) == (D("0.001"), D("-0.0001"), D(3))
    plain = listing().spec(habit)
    assert (plain.taker_fee, plain.maker_fee, plain.leverage) == (habit.taker_fee, habit.maker_fee, habit.leverage)
    assert listing(funding_interval_h=4).spec(habit).instrument.funding_interval_s == 4 * 3600


def test_a_contract_is_added_or_takes_the_place_of_the_venues_own() -> None:
    defaults = (spec("BTCUSDT"), spec("ETHUSDT"))
    listings = [listing(), listing(symbol="BTCUSDT", start_price="50"), listing(symbol="ONLYUSDT", venues=["bybit"])]
    specs = listed(defaults, listings, "binance")
    assert [one.instrument.symbol for one in specs] == ["BTCUSDT", "ETHUSDT", "DOGEUSDT"]
    assert specs[0].start_price == 50
    assert [one.instrument.symbol for one in listed(defaults, listings, "bybit")][-1] == "ONLYUSDT"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"symbol": "dogeusdt"}, "capitals"),
        ({"symbol": "DOGE USDT"}, "letters and digits"),
        ({"symbol": "USDT"}, "letters and digits"),
        ({"symbol": "DOGEBTC"}, "end in USDT"),
        ({"symbol": "X" * 37 + "USDT"}, "40 at most"),
        ({"start_price": "-1"}, "start_price"),
        ({"start_price": "NaN"}, "start_price"),
        ({"tick_size": "0.03"}, "multiple of its tick_size"),
        ({"tick_size": "0.01"}, "200 of it at least"),
        ({"quantity_step": "0"}, "quantity_step 0"),
        ({"taker_fee": "5"}, "fraction"),
        ({"funding_interval_h": 3}, "funding_interval_h"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_contract_that_can_not_be_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        listing(**fields)


def test_words_become_options() -> None:
    options = setup_options(
        {
            "venues": ["bybit"],
            "seed": 3,
            "latency_ms": 5,
            "routes": "lenient",
            "accounts": [AccountSpec(name="a", api_key="1"), {"name": "b", "api_key": "2", "cash": "5"}],
            "symbols": [{"symbol": "DOGEUSDT", "start_price": "0.08"}, listing(symbol="币安人生USDT")],
            "faults": [Cut(after_s=1), {"kind": "answer", "status": 500}],
        }
    )
    assert (options["seed"], options["latency_s"], options["options"].lenient_routes) == (3, 0.005, True)
    assert [one.cash for one in options["accounts"]] == [100000, 5]
    assert [one.symbol for one in options["symbols"]] == ["DOGEUSDT", "币安人生USDT"]
    assert options["faults"] == {"bybit": [Cut(after_s=1), Answer(status=500)]}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"routes": "wide"}, "strict or lenient"),
        ({"accounts": [{"name": "a"}, {"name": "a", "api_key": "2"}]}, "same name"),
        ({"accounts": []}, "no account"),
        ({"symbols": [{"symbol": "DOGEUSDT", "start_price": "1"}] * 2}, "twice"),
        ({"symbols": [{"symbol": "DOGEUSDT", "start_price": "1", "venues": ["kraken"]}]}, "kraken"),
        ({"faults": {"kraken": []}}, "kraken"),
    ],
)
def test_words_that_make_no_sense_are_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        setup_options(said)


def test_an_unknown_option_names_those_that_there_are() -> None:
    with pytest.raises(TypeError, match=r"no option latancy.*latency_ms"):
        setup_options({"latancy": 3})


def test_accounts_and_symbols_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    symbols = [{"symbol": "币安人生USDT", "start_price": "0.1"}]
    path.write_text(json.dumps({"symbols": symbols}))
    accounts, (own,) = read_accounts_and_symbols(path)
    assert (accounts, own.symbol) == ((AccountSpec(),), "币安人生USDT")
    path.write_text(json.dumps({"accounts": [{"name": "a"}], "symbols": symbols}))
    more = tmp_path / "symbols.json"
    more.write_text(json.dumps([{"symbol": "DOGEUSDT", "start_price": "0.08"}]))
    options = setup_options({"accounts": path, "symbols": str(more)})
    assert [one.symbol for one in options["symbols"]] == ["币安人生USDT", "DOGEUSDT"]
    assert [one.name for one in options["accounts"]] == ["a"]
    for text in ('{"accounts": [{"name": "a", "key": 1}]}', '{"account": []}', "{", '{"symbols": [{}]}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"world\.json"):
            read_accounts_and_symbols(path)
    for text in (
        "{}",
        "[{}]",
        '[{"symbol": "DOGEUSDT", "start_price": "1"}, {"symbol": "DOGEUSDT", "start_price": "2"}]',
    ):
        more.write_text(text)
        with pytest.raises(ValueError, match=r"symbols\.json"):
            read_symbols(more)

"""The book against the plainest one there can be, and its keys against exact numbers."""

from __future__ import annotations

import gzip
import json
import pickle
import random
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from perpwire.data_processor.order_book import DIGITS, OrderBook
from perpwire.model.market import BookDelta, text_levels


@pytest.mark.parametrize("tick", ["0.1", "0.01", "0.00001", "0.0000001", "0.00000001", "0.5", "0.025", "1", "10"])
def test_a_float_tells_prices_of_a_contract_apart_and_sorts_them(tick: str) -> None:
    """Neighbouring ticks anywhere up to fifteen digits: one is below the other as a float, too."""
    chance = random.Random(tick)
    step = Decimal(tick)
    for digits in range(1, 16):
        for _ in range(200):
            ticks = chance.randrange(10 ** (digits - 1), 10**digits)
            price, following = ticks * step, (ticks + 1) * step
            if len(following.normalize().as_tuple().digits) > DIGITS:
                continue
            assert float(price) < float(following)
            assert float(f"{price:f}") == float(f"{price:f}0") if "." in f"{price:f}" else True


@pytest.mark.fixtures
def test_no_contract_has_prices_of_more_digits_than_a_float_can_tell_apart(fixtures: Path) -> None:
    """Largest price over tick size, of every contract that a recording lists."""
    path = fixtures / "binance/raw/exchangeInfo_2021.json.gz"
    listed = json.loads(gzip.decompress(path.read_bytes()))["symbols"]
    assert len(listed) > 100
    for one in listed:
        rule = next(rule for rule in one["filters"] if rule["filterType"] == "PRICE_FILTER")
        assert Decimal(rule["maxPrice"]) / Decimal(rule["tickSize"]) < 10**12


def test_prices_of_more_digits_than_a_float_has_are_kept_apart() -> None:
    book = OrderBook()
    prices = ("1.00000000000000001", "1.00000000000000002", "1")
    book.load([(price, "1") for price in prices], [])
    assert [price for price, _ in book.bids()] == sorted(map(Decimal, prices), reverse=True)
    book.apply([("1.000000000000000010", "0"), ("1.0000000000000000000000", "7")], [])
    assert book.bids() == [(Decimal("1.00000000000000002"), Decimal(1)), (Decimal(1), Decimal(7))]


def test_other_spellings_of_a_price_are_the_same_level() -> None:
    book = OrderBook()
    book.load([("50000.1", "1")], [("50000.2", "1")])
    for price in ("50000.10", "50000.1000000000000000", "5.00001e4", "050000.1"):
        book.apply([(price, "2.50")], [])
        assert book.bids() == [(Decimal("50000.1"), Decimal("2.50"))]
    book.apply([("50000.100", "0.000")], [])
    assert book.best_bid is None


@pytest.mark.parametrize("seed", range(5))
def test_whatever_comes_the_book_is_what_a_plain_one_is(seed: int) -> None:
    chance = random.Random(seed)
    book = OrderBook()
    book.load([], [])
    plain: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
    for _ in range(300):
        changes = [
            [
                (f"{chance.randint(1, 60) / 8}", chance.choice(("0", "0.0", "1", "2.5", "0.001")))
                for _ in range(chance.randint(0, 6))
            ]
            for _ in plain
        ]
        book.apply(changes[0], changes[1])
        for side, ours in zip(plain, changes, strict=True):
            for price, quantity in ours:
                side[Decimal(price)] = Decimal(quantity)
        bids = sorted(((p, q) for p, q in plain[0].items() if q), reverse=True)
        asks = sorted((p, q) for p, q in plain[1].items() if q)
        assert (book.bids(), book.asks(), book.levels) == (bids, asks, (len(bids), len(asks)))
        assert (book.bids(3), book.asks(0)) == (bids[:3], [])
        assert (book.best_bid, book.best_ask) == (bids[0] if bids else None, asks[0] if asks else None)


def test_an_event_of_a_book_is_like_any_other() -> None:
    """Equal, hashable, picklable, encodable; its numbers are made when they are read, and once."""
    levels = text_levels([(Decimal("1.50"), 2), ("1e-7", "0.10")])
    assert levels == (("1.50", "2"), ("0.0000001", "0.10"))
    one, other = (BookDelta(bid_text=levels, ask_text=(), first_update_id=1, update_id=2) for _ in range(2))
    assert one.bids is one.bids
    assert one.bids == ((Decimal("1.50"), Decimal(2)), (Decimal("0.0000001"), Decimal("0.10")))
    assert (one, hash(one)) == (other, hash(other))
    assert pickle.loads(pickle.dumps(one)) == one
    assert msgspec.json.decode(msgspec.json.encode(one), type=BookDelta) == one
    assert msgspec.structs.replace(one, bid_text=()).bids == ()
    assert "1.50" in repr(one)
    with pytest.raises(AttributeError):
        one.bids = ()

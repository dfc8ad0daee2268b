"""Which symbols are listed, and finding the one that a call names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from perpwire.simulator.refusals import Refused, Why
from perpwire.venues.binance_futures.sim.params import Args, needed
from perpwire.venues.binance_futures.sim.words import Refusal, SymbolWords


class Listing:
    def __init__(self, words: Mapping[str, SymbolWords]) -> None:
        self.words = words

    def words_of(self, args: Args) -> SymbolWords:
        """Small letters are taken too.

        Raises:
            Refusal: No symbol was sent.
            Refused: There is none of this name.
        """
        words = self.words.get(needed(args, "symbol").upper())
        if words is None:
            raise Refused(Why.UNKNOWN_SYMBOL)
        return words

    def chosen(self, args: Args) -> list[SymbolWords]:
        """The one that is named, or all where none is."""
        return [self.words_of(args)] if args.get("symbol") else list(self.words.values())

    def one_or_all(self, args: Args, answer: Callable[[SymbolWords], Any]) -> Any:
        """The answer for the symbol that is named, or a list of them."""
        if args.get("symbol"):
            return answer(self.words_of(args))
        return [answer(words) for words in self.words.values()]

    def pair_of(self, args: Args) -> SymbolWords:
        """The perpetual contract of a pair, which has the pair's name.

        Raises:
            Refusal: There is none.
        """
        words = self.words.get(needed(args, "pair").upper())
        if words is None:
            raise Refusal(-4144, "Invalid pair.")
        return words

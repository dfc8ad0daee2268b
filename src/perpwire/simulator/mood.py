"""The state of mind of a background market: calm or stressed, more or less volatile, deep or thin."""

from __future__ import annotations

import math
from random import Random

from perpwire.model.order import Side

_CALM_S, _STRESSED_S = 300.0, 45.0  # how long each lasts, on average
_TURN_S = 3.0  # how fast one becomes the other
_VOLATILITY_S = 90.0  # how long a change of volatility lasts
_VOLATILITY_SPREAD = 0.45  # standard deviation of its logarithm
_DEPTH_S = 25.0
_DEPTH_SPREAD = 0.35

_BUSIER = 2.0  # arrivals in stress, to those of calm
_SHARE_STRESSED = _STRESSED_S / (_CALM_S + _STRESSED_S)


class Mood:
    """Moved on by `advance`.

    Attributes:
        stress: From 0, calm, to 1.
        volatility: Of the fair price; 1 is usual.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.stress = 0.0
        self.volatility = 1.0
        self._is_stressed = False
        self._left_s = rng.expovariate(1 / _CALM_S)
        self._logarithm = rng.gauss(0.0, _VOLATILITY_SPREAD)
        self._depths = dict.fromkeys(Side, 0.0)

    @property
    def busyness(self) -> float:
        """How many arrivals there are now, to the long-run mean."""
        return (1 + (_BUSIER - 1) * self.stress) / (1 + (_BUSIER - 1) * _SHARE_STRESSED)

    def depth(self, side: Side) -> float:
        """How many orders makers want to have on this side, to the usual number."""
        return math.exp(self._depths[side]) * (1 - 0.5 * self.stress)

    def advance(self, seconds: float) -> None:
        self._left_s -= seconds
        if self._left_s <= 0:
            self._is_stressed = not self._is_stressed
            self._left_s = self._rng.expovariate(1 / (_STRESSED_S if self._is_stressed else _CALM_S))
        self.stress += (self._is_stressed - self.stress) * (1 - math.exp(-seconds / _TURN_S))
        self._logarithm = self._drawn_back(self._logarithm, seconds, _VOLATILITY_S, _VOLATILITY_SPREAD)
        self.volatility = math.exp(self._logarithm) * (1 + 2.5 * self.stress)
        for side in Side:
            self._depths[side] = self._drawn_back(self._depths[side], seconds, _DEPTH_S, _DEPTH_SPREAD)

    def _drawn_back(self, value: float, seconds: float, time_s: float, spread: float) -> float:
        """A random walk that is drawn back to 0 within `time_s` and keeps this standard deviation."""
        kept = math.exp(-seconds / time_s)
        return value * kept + self._rng.gauss(0.0, spread * math.sqrt(1 - kept * kept))

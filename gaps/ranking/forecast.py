"""People to expect next week, with an interval; pure. Uses scipy.stats for the quantiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import gamma

RECENT_WEEKS = 8
HALF_LIFE_WEEKS = 2.0
LEAST_GROWTH, MOST_GROWTH = 0.75, 1.5
WEAK_WEEKS = 0.5
"""Weight of the belief that a topic has hardly any tickets, in weeks."""
INTERVAL = 0.8


@dataclass(frozen=True, slots=True)
class Forecast:
    """A week's expected count."""

    mean: float
    low: float
    high: float
    growth: float
    """Factor of the last two weeks over the four before, within bounds."""


def forecast_weekly(counts: Sequence[float]) -> Forecast:
    """People a week to expect: recent weeks weigh more, growth counts within bounds.

    Exponentially weighted mean over eight weeks (half-life two), times the last two weeks' mean
    over that of the four before, kept within 0.75 and 1.5. The interval is the middle 80% of the
    gamma posterior of a Poisson rate seen with those weights, times the same growth; counts that
    scatter more than Poisson's widen it by their dispersion.

    Args:
        counts: Voices a week, oldest first.
    """
    recent = list(counts[-RECENT_WEEKS:])
    if not recent:
        return Forecast(0.0, 0.0, 0.0, 1.0)
    weights = [math.exp2(-age / HALF_LIFE_WEEKS) for age in range(len(recent))][::-1]
    total = sum(weights)
    mean = sum(w * c for w, c in zip(weights, recent, strict=True)) / total
    growth = _growth(recent)
    spread = _dispersion(recent, mean)
    shape, rate = (mean * total + WEAK_WEEKS) / spread, (total + WEAK_WEEKS) / spread
    tail = (1 - INTERVAL) / 2
    low, high = (float(gamma.ppf(q, shape, scale=1 / rate)) for q in (tail, 1 - tail))
    return Forecast(mean * growth, min(low, mean) * growth, max(high, mean) * growth, growth)


def _growth(recent: Sequence[float]) -> float:
    before = recent[-6:-2]
    if not before or not sum(before):
        return 1.0
    growth = (sum(recent[-2:]) / len(recent[-2:])) / (sum(before) / len(before))
    return min(MOST_GROWTH, max(LEAST_GROWTH, growth))


def _dispersion(recent: Sequence[float], mean: float) -> float:
    """Variance over mean, at least 1."""
    if len(recent) < 3 or mean <= 0:
        return 1.0
    middle = sum(recent) / len(recent)
    variance = sum((count - middle) ** 2 for count in recent) / (len(recent) - 1)
    return max(1.0, variance / max(middle, 1e-9))

"""How many weeks after publication a test is worth; pure, and from the weeks before alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm, t

from gaps.effect.weeks import Weeks

ALPHA = 0.05
"""One-sided, over all looks; of "worked" and of "worse" each."""
WANTED_POWER = 0.8
HALVING = math.log(0.5)
"""The effect that the plan is made for."""
FEWEST_WEEKS = 8
"""At 20 tickets a week four weeks miss every other halving, eight few (bench/README.md,
"Effect"); a topic is therefore given two months before no effect is said."""
MOST_WEEKS = 52
"""Beyond a year a topic is no longer the same topic."""
SEQUENTIAL_FACTOR = 1.15
"""More information that weekly looks need for the same power. Between 1.03 for late spending and
1.25 for Pocock's (Jennison & Turnbull 1999, tables 2.2 and 2.4, 80%, five to ten looks)."""
MOST_CORRELATION = 0.8


def plan_dispersion(series: Sequence[Weeks], totals: Weeks) -> float:
    """Variance over mean that sums of weeks will have, judged by the baseline weeks.

    Pearson's dispersion of weekly counts around each topic's share of all tickets, times
    (1 + r) / (1 - r) for residuals with a lag-one correlation of r: what the variance of a long
    sum of a first-order autoregression is multiplied by. At least 1.

    Args:
        series: The topic and its controls.
        totals: All tickets.
    """
    sums = np.array([sum(one.before) for one in series], dtype=float)
    everything = float(sum(totals.before))
    weeks = len(totals.before)
    if weeks < 2 or everything <= 0 or not sums.all():
        return 1.0
    expected = np.outer(sums, np.array(totals.before) / everything)
    counts = np.array([one.before for one in series], dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        residuals = np.where(expected > 0, (counts - expected) / np.sqrt(expected), 0.0)
    dispersion = float((residuals**2).sum() / (len(series) * (weeks - 1)))
    moved = float((residuals[:, 1:] * residuals[:, :-1]).sum())
    spread = float((residuals[:, 1:] ** 2).sum() + (residuals[:, :-1] ** 2).sum()) / 2
    # Residuals around a fitted mean correlate by -1/weeks even where weeks do not.
    found = (moved / spread if spread > 0 else 0.0) + 1.0 / weeks
    correlation = min(MOST_CORRELATION, max(0.0, found))
    return max(1.0, dispersion * (1 + correlation) / (1 - correlation))


def find_weeks_needed(weekly: float, before: int, dispersion: float, controls: int) -> int | None:
    """Weeks after publication until a halving is seen with 80% power; None beyond a year.

    Wald's test of a log rate ratio (Signorini, Biometrika 1991, with a dispersion): its variance is
    dispersion / weekly · (1/before + 1/(after · ½)), and as much over the number of controls.

    Args:
        weekly: Tickets a week in the baseline.
        before: Baseline weeks.
        dispersion: From `plan_dispersion`.
        controls: Number of control topics, two at least.
    """
    reach = float(t.ppf(1 - ALPHA, controls - 1) + norm.ppf(WANTED_POWER))
    wanted = reach**2 * SEQUENTIAL_FACTOR
    for after in range(FEWEST_WEEKS, MOST_WEEKS + 1):
        variance = dispersion / weekly * (1 / before + 1 / (after * 0.5))
        variance += dispersion / weekly / controls * (1 / before + 1 / after)
        if HALVING**2 / variance >= wanted:
            return after
    return None

"""Quasi-Poisson difference-in-differences; pure. The one file that fits with statsmodels."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm
from scipy.stats import norm, t
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
)
from statsmodels.tools.sm_exceptions import (
    PerfectSeparationWarning,
)

from kb.errors import InvalidInputError

INTERVAL = 0.95


@dataclass(frozen=True, slots=True)
class Difference:
    """A topic's rate after over before, divided by that of its controls."""

    ratio: float
    low: float
    """Lower bound of the 95% interval."""
    high: float
    z_score: float
    """Normal score with the tail the t-statistic has; below 0 where tickets became fewer."""
    dispersion: float
    """Variance over mean that the controls show, at least 1."""
    freedom: int
    """Degrees of freedom the dispersion rests on."""


def fit_difference(
    topic: tuple[int, int], controls: Sequence[tuple[int, int]], totals: tuple[int, int]
) -> Difference:
    """Fit log E[count] = topic + period + effect · (this topic after) + log(all tickets).

    Each topic is two cells, its sum before and its sum after: summing first keeps serial
    correlation from narrowing the interval (Bertrand, Duflo & Mullainathan, QJE 2004), and the
    Pearson dispersion (`scale="X2"`; McCullagh & Nelder 1989, §6.2) then counts how far whole
    periods of untouched topics scatter, shared shocks and lasting drift included. A zero of the
    topic's own becomes a half in both its cells (Haldane–Anscombe), for a logarithm to exist.

    Args:
        topic: Tickets before and after.
        controls: Of each control topic, none of them 0 in both.
        totals: All tickets of the weeks before and of those after; the offset.

    Raises:
        InvalidInputError: Fewer than two controls, or a total or all controls of a period are 0.
    """
    sums = [sum(control[side] for control in controls) for side in (0, 1)]
    if len(controls) < 2 or min(sums) <= 0 or min(totals) <= 0:
        raise InvalidInputError("two controls and tickets in both periods are needed")
    own: tuple[float, float] = topic
    if min(topic) == 0:
        own = (topic[0] + 0.5, topic[1] + 0.5)
    counts = np.array([own, *controls], dtype=float).ravel()
    size = len(controls) + 1
    design = np.zeros((2 * size, size + 2))
    design[np.arange(2 * size), np.arange(2 * size) // 2] = 1.0
    design[1::2, size] = 1.0
    design[1, size + 1] = 1.0
    offset = np.tile(np.log(np.array(totals, dtype=float)), size)
    with warnings.catch_warnings():
        # Controls that stayed exactly as they were are predicted perfectly, and rightly so.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        model = sm.GLM(counts, design, family=sm.families.Poisson(), offset=offset)
        fitted = model.fit(scale="X2")
    freedom = int(fitted.df_resid)
    effect = float(fitted.params[-1])
    # Less scatter than Poisson's is luck: the interval never profits from it.
    error = float(fitted.bse[-1]) / math.sqrt(min(1.0, float(fitted.scale)))
    reach = float(t.ppf((1 + INTERVAL) / 2, freedom)) * error
    tail = float(t.logsf(abs(effect) / error, freedom))
    return Difference(
        ratio=math.exp(effect),
        low=math.exp(effect - reach),
        high=math.exp(effect + reach),
        z_score=math.copysign(float(norm.isf(math.exp(tail))), effect),
        dispersion=max(1.0, float(fitted.scale)),
        freedom=freedom,
    )


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Benjamini–Hochberg (JRSS-B 1995) over the topics of one run, in the order given."""
    if not p_values:
        return []
    return [float(p) for p in multipletests(list(p_values), method="fdr_bh")[1]]


def share_difference(before: tuple[int, int], after: tuple[int, int]) -> tuple[float, float] | None:
    """95% interval of a share after minus before; Newcombe's score method (Stat. Med. 1998).

    Args:
        before: Hits and tries.
        after: Hits and tries.

    Returns:
        None where one side has no tries.
    """
    if before[1] == 0 or after[1] == 0:
        return None
    low, high = confint_proportions_2indep(
        after[0], after[1], before[0], before[1], method="newcomb", alpha=1 - INTERVAL
    )
    return float(low), float(high)

"""What weekly looks may spend of the error allowed; pure.

Alpha spending (Lan & DeMets, Biometrika 1983) over looks whose number and information are fixed
before the first: every week from the first look to the planned one. Error is spent in proportion
to the information (Kim & DeMets, Biometrika 1987, rho = 1), so that a strong effect shows after
four weeks already. Boundaries come from the recursive integration of Armitage, McPherson & Rowe
(JRSS-A 1969), which supposes independent increments (Jennison & Turnbull 1999, section 3.1).
Whether anybody really looked in a week changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

FIRST_LOOK = 4
"""Weeks after publication before the first look."""
GRID = 241
REACH = 8.0
"""Standard deviations the integration goes below zero."""
SMALLEST = 1e-6
LARGEST = 0.5
"""Above, a p-value is given as 1: nobody acts on which half it lies in."""
HALVINGS = 14
SQRT_TWO_PI = float(np.sqrt(2 * np.pi))


def information(before: int, looks: Sequence[int]) -> tuple[float, ...]:
    """Share of the last look's information that each has, by weeks alone.

    The variance of the log ratio goes with 1/before + 1/after, so its inverse, the information,
    with before · after / (before + after).
    """
    found = [before * look / (before + look) for look in looks]
    return tuple(value / found[-1] for value in found)


def spend_evenly(alpha: float, share: float) -> float:
    """Error that may be spent by the time a share of the information is in."""
    return alpha * share


def spend_late(alpha: float, share: float) -> float:
    """The O'Brien–Fleming kind, hardly anything early; kept to check the integration against
    published boundaries."""
    return float(2.0 * norm.sf(norm.isf(alpha / 2) / np.sqrt(share)))


Spending = Callable[[float, float], float]


@lru_cache(maxsize=4096)
def find_boundaries(
    shares: tuple[float, ...], alpha: float, spend: Spending = spend_evenly
) -> tuple[float, ...]:
    """One-sided boundaries for the normal scores, one a look.

    Args:
        shares: Information at each look, ascending, the last 1.
        alpha: Chance of crossing any of them where nothing changed; 0 < alpha < 1.
        spend: Error spent of alpha by a share of the information.
    """
    bounds: list[float] = []
    places, mass = np.zeros(1), np.ones(1)
    last_share = last_spent = 0.0
    for share in shares:
        step = float(np.sqrt(share - last_share))
        due = spend(alpha, share) - last_spent

        def crossing(
            bound: float, places: np.ndarray = places, mass: np.ndarray = mass, step: float = step
        ) -> float:
            return float(mass @ norm.sf((bound - places) / step))

        def excess(bound: float, due: float = due) -> float:
            return crossing(bound) - due

        top = REACH * np.sqrt(share) + 1.0
        bound = brentq(excess, -top, top, xtol=1e-7) if excess(top) < 0 else top
        bounds.append(float(bound / np.sqrt(share)))
        fresh = np.linspace(-REACH * np.sqrt(share), bound, GRID)
        weights = np.full(GRID, fresh[1] - fresh[0])
        weights[[0, -1]] /= 2
        steps = (fresh[:, None] - places[None, :]) / step
        density = np.exp(-0.5 * steps**2) @ mass / (step * SQRT_TWO_PI)
        places, mass = fresh, density * weights
        last_share, last_spent = share, spend(alpha, share)
    return tuple(bounds)


def repeated_p_value(scores: Sequence[float], shares: tuple[float, ...]) -> float:
    """Smallest error at which one of the looks so far crosses its boundary.

    Below any level with at most that chance, however many looks are taken (repeated significance;
    Jennison & Turnbull 1999, §9.4).

    Args:
        scores: Normal scores of the looks so far, large where there is an effect.
        shares: Of all looks planned.
    """

    def crosses(alpha: float) -> bool:
        bounds = find_boundaries(shares, alpha)
        return any(score >= bound for score, bound in zip(scores, bounds, strict=False))

    low, high = SMALLEST, LARGEST
    if not scores or not crosses(high):
        return 1.0
    if crosses(low):
        return low
    # Halving the logarithm: small values need as many digits as large ones.
    for _ in range(HALVINGS):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if crosses(middle) else (middle, high)
    return high

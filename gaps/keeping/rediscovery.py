"""When new tickets are put into known topics, and when all are grouped anew; pure.

The one user of scipy.stats here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import fisher_exact, mannwhitneyu

NEWER_SHARE = 0.25
"""Of the window's tickets: with a quarter of them newer than the topics, the topics are of another
time. In steady weeks of a 13-week window that is every third or fourth week."""
UNASSIGNED_RISE = 0.10
CLOSENESS_FALL = 0.03
SURE = 0.001
"""Chance of so large a change without one. Looked at weekly that is one false alarm in 19 years,
and a needless rediscovery costs seconds."""
FEWEST_COMPARED = 20


@dataclass(frozen=True, slots=True)
class Fit:
    """How well tickets fit the topics they were compared with."""

    assigned: tuple[float, ...]
    """Cosine to the centroid of each ticket that was taken into a topic."""
    unassigned: int

    @property
    def total(self) -> int:
        return len(self.assigned) + self.unassigned

    @property
    def unassigned_share(self) -> float:
        return self.unassigned / self.total if self.total else 0.0


def rediscovery_reason(at_discovery: Fit | None, since: Fit, window_count: int) -> str | None:
    """Why the topics have to be found anew, in words for the operator; None while they hold.

    Args:
        at_discovery: The fit of the tickets the topics were found in; None without topics.
        since: The fit of the tickets that came since, all of them.
        window_count: Tickets in the window now.
    """
    if at_discovery is None or not at_discovery.total:
        return "no topics are known yet"
    if since.total >= NEWER_SHARE * max(1, window_count):
        return f"{since.total} of {window_count} tickets are newer than the topics"
    if since.total < FEWEST_COMPARED:
        return None
    rise = since.unassigned_share - at_discovery.unassigned_share
    if rise >= UNASSIGNED_RISE and _unassigned_chance(at_discovery, since) < SURE:
        return (
            f"{since.unassigned_share:.0%} of the new tickets fit no topic, "
            f"{at_discovery.unassigned_share:.0%} did when the topics were found"
        )
    if _fell(at_discovery.assigned, since.assigned):
        return "new tickets fit their topics less well than those the topics were found in"
    return None


def _unassigned_chance(before: Fit, since: Fit) -> float:
    table = [
        [since.unassigned, len(since.assigned)],
        [before.unassigned, len(before.assigned)],
    ]
    return float(fisher_exact(table, alternative="greater").pvalue)


def _fell(before: Sequence[float], since: Sequence[float]) -> bool:
    if min(len(before), len(since)) < FEWEST_COMPARED:
        return False
    fall = float(np.median(before) - np.median(since))
    chance = mannwhitneyu(since, before, alternative="less").pvalue
    return fall >= CLOSENESS_FALL and float(chance) < SURE

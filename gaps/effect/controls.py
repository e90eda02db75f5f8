"""Control topics: alike before the publication, and touched by none themselves; pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from gaps.effect.weeks import Weeks

MOST_CONTROLS = 24
FEWEST_CONTROLS = 6
"""Below, the dispersion rests on fewer than five degrees of freedom and the interval says
nothing."""
FEWEST_TICKETS = 8
"""In the baseline weeks; a topic with fewer has no level to match by."""
LEVEL_FACTOR = 4.0
TREND_FACTOR = 3.0
"""How far a control's level and its growth within the baseline may be from the topic's. Judgement,
not measurement: wide enough that 200 topics leave two dozen, narrow enough that a topic that
doubles is not held against one that halves."""


def match_controls(
    topic: Weeks, others: Mapping[str, Weeks], *, excluded: Collection[str] = ()
) -> tuple[str, ...]:
    """Topics nearest in level and trend over the baseline weeks; at most two dozen.

    Only the weeks before are looked at, never what came after.

    Args:
        topic: The one with the publication.
        others: Series by topic id over the same weeks.
        excluded: Topics with a publication of their own in these weeks.

    Returns:
        Ids, nearest first; ties by id. Empty where the topic itself has no level.
    """
    if sum(topic.before) < FEWEST_TICKETS:
        return ()
    level, trend = _describe(topic.before)
    found = []
    for key in sorted(set(others) - set(excluded)):
        before = others[key].before
        if sum(before) < FEWEST_TICKETS:
            continue
        far_level, far_trend = (
            abs(a - b) for a, b in zip(_describe(before), (level, trend), strict=True)
        )
        if far_level <= math.log(LEVEL_FACTOR) and far_trend <= math.log(TREND_FACTOR):
            found.append((round(far_level + far_trend, 9), key))
    return tuple(key for _, key in sorted(found)[:MOST_CONTROLS])


def _describe(before: Sequence[int]) -> tuple[float, float]:
    """Log of the weekly level, and of the later half's over the earlier half's."""
    half = len(before) // 2
    early, late = before[:half], before[len(before) - half :]
    trend = math.log((sum(late) + 0.5) / (sum(early) + 0.5)) if half else 0.0
    return math.log(sum(before) / len(before)), trend

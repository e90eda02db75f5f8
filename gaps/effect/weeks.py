"""The weeks a publication is judged by, counted from its own instant; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WEEK = timedelta(weeks=1)
TRIGGER_WEEKS = 4
"""Weeks before a gap was picked that say nothing: it was picked because they were high. Kept in,
they turn 13.6% of null changes into a success, left out 1.3% (design/algorithms.md §8)."""
BASELINE_WEEKS = 26
"""At most so many weeks before those: a year-old level is no baseline."""
FEWEST_BASELINE_WEEKS = 4


@dataclass(frozen=True, slots=True)
class Span:
    """How many whole weeks before and after a publication count, and how many between do not."""

    published_at: datetime
    before: int
    """Baseline weeks, the last of which ends where the weeks left out begin."""
    left_out: int
    """Weeks right before publication: the trigger weeks and those the review took."""
    after: int
    """Whole weeks since publication."""

    @property
    def start(self) -> datetime:
        return self.published_at - (self.before + self.left_out) * WEEK

    @property
    def end(self) -> datetime:
        """Exclusive."""
        return self.published_at + self.after * WEEK


@dataclass(frozen=True, slots=True)
class Weeks:
    """Counts a week, oldest first, in the three parts of a span."""

    before: tuple[int, ...]
    left_out: tuple[int, ...]
    after: tuple[int, ...]

    def until(self, look: int) -> tuple[int, int]:
        """Sums before, and of the first `look` weeks after."""
        return sum(self.before), sum(self.after[:look])


def plan_span(
    published_at: datetime, *, picked_at: datetime, known_since: datetime, now: datetime
) -> Span:
    """Which weeks count.

    Args:
        published_at: When the text was served.
        picked_at: When the gap was found; the trigger weeks end here.
        known_since: Before this no ticket has a topic, so that its zeros mean nothing.
        now: Only weeks that are over by now count.
    """
    reviewing = max(0.0, (published_at - picked_at) / WEEK)
    left_out = TRIGGER_WEEKS + math.ceil(reviewing)
    known = math.floor((published_at - known_since) / WEEK) - left_out
    return Span(
        published_at=published_at,
        before=min(BASELINE_WEEKS, max(0, known)),
        left_out=left_out,
        after=max(0, math.floor((now - published_at) / WEEK)),
    )


def count_weeks(instants: Sequence[datetime], span: Span) -> Weeks:
    """Instants in each week of a span; those outside it are passed by."""
    counts = [0] * (span.before + span.left_out + span.after)
    for instant in instants:
        place = (instant - span.start) // WEEK
        if 0 <= place < len(counts):
            counts[place] += 1
    first, second = span.before, span.before + span.left_out
    return Weeks(tuple(counts[:first]), tuple(counts[first:second]), tuple(counts[second:]))

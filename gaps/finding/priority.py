"""What answering a topic would save; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from gaps.types import GapKind, Ticket

WEEK = timedelta(weeks=1)
RECENT_WEEKS = 8
HALF_LIFE_WEEKS = 2.0
LEAST_GROWTH, MOST_GROWTH = 0.75, 1.5
STRONG_IMPACT_PER_WEEK = 5.0
"""Impact at which the priority is 63 of 100."""
ANSWERED_BY_TEXT: dict[GapKind, float] = {
    GapKind.STALE: 0.8,
    GapKind.WRONG: 0.8,
    GapKind.MISSING: 0.7,
    GapKind.UNFINDABLE: 0.7,
    GapKind.CONFLICT: 0.6,
    GapKind.RESTRICTED: 0.3,
    GapKind.NEEDS_ACTION: 0.2,
    GapKind.DUPLICATE: 0.2,
}
"""Chance that a reader needs no person any more once the text is right. Judgement, not
measurement, until effects have been measured: only the order between the kinds is relied on."""


def start_of_week(instant: datetime) -> datetime:
    """Monday 00:00 UTC of the instant's ISO week."""
    day = instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def list_weeks(since: datetime, until: datetime) -> list[datetime]:
    """Mondays of every ISO week with an instant in `since` <= t < `until`."""
    weeks, week = [], start_of_week(since)
    while week < until:
        weeks.append(week)
        week += WEEK
    return weeks


def count_weekly(tickets: Sequence[Ticket], since: datetime, until: datetime) -> tuple[int, ...]:
    """Tickets in each ISO week of the window, zeros included, oldest first."""
    weeks = list_weeks(since, until)
    starts = [start_of_week(ticket.created_at) for ticket in tickets]
    return tuple(starts.count(week) for week in weeks)


def requesters_weekly(
    tickets: Sequence[Ticket], since: datetime, until: datetime
) -> tuple[int, ...]:
    """Distinct people in each ISO week; five messages of one person are one."""
    people: dict[datetime, set[str]] = {week: set() for week in list_weeks(since, until)}
    for ticket in tickets:
        week = start_of_week(ticket.created_at)
        if week in people:
            people[week].add(ticket.requester or ticket.ticket_id)
    return tuple(len(found) for found in people.values())


def forecast_weekly(counts: Sequence[int]) -> float:
    """People a week to expect: recent weeks weigh more, growth counts within bounds.

    Exponentially weighted mean over eight weeks (half-life two), times the last two weeks' mean
    over that of the four before, kept within 0.75 and 1.5.
    """
    recent = list(counts[-RECENT_WEEKS:])
    if not recent:
        return 0.0
    weights = [math.exp2(-age / HALF_LIFE_WEEKS) for age in range(len(recent))][::-1]
    mean = sum(w * c for w, c in zip(weights, recent, strict=True)) / sum(weights)
    before = recent[-6:-2]
    if not before or not sum(before):
        return mean
    growth = (sum(recent[-2:]) / len(recent[-2:])) / (sum(before) / len(before))
    return mean * min(MOST_GROWTH, max(LEAST_GROWTH, growth))


def impact_per_week(kind: GapKind, probability: float, counts: Sequence[int]) -> float:
    """Expected tickets saved a week.

    Args:
        kind: What is wrong.
        probability: That it is, 0 to 1.
        counts: Distinct requesters a week, oldest first.
    """
    return forecast_weekly(counts) * probability * ANSWERED_BY_TEXT[kind]


def priority_of(impact: float) -> float:
    """0 to 100, rising with the tickets saved a week, ever more slowly."""
    return round(100 * (1 - math.exp(-impact / STRONG_IMPACT_PER_WEEK)), 2)

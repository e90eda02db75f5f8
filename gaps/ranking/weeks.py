"""Tickets and people by ISO week; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from gaps.ranking.voices import requester_of
from gaps.types import Ticket

WEEK = timedelta(weeks=1)
RATE_WEEKS = 8
FEWEST_WEEKS = 2


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
    counts = dict.fromkeys(list_weeks(since, until), 0)
    for ticket in tickets:
        week = start_of_week(ticket.created_at)
        if week in counts:
            counts[week] += 1
    return tuple(counts.values())


def count_voices_weekly(
    tickets: Sequence[Ticket], weights: Mapping[str, float], since: datetime, until: datetime
) -> tuple[float, ...]:
    """Voices in each ISO week: each requester once a week, with the weight it has.

    Args:
        tickets: Of one topic.
        weights: Voice by requester.
        since: Start of the window.
        until: Its end, exclusive.
    """
    people: dict[datetime, set[str]] = {week: set() for week in list_weeks(since, until)}
    for ticket in tickets:
        week = start_of_week(ticket.created_at)
        if week in people:
            people[week].add(requester_of(ticket))
    return tuple(
        round(sum(weights.get(person, 1.0) for person in sorted(found)), 4)
        for found in people.values()
    )


def recent_counts(counts: Sequence[float]) -> list[float]:
    """The last eight weeks', or those since the first ticket.

    Args:
        counts: A week, oldest first.
    """
    first = next((place for place, count in enumerate(counts) if count), len(counts))
    return list(counts)[max(first, len(counts) - RATE_WEEKS) :]


def weekly_rate(counts: Sequence[float]) -> float:
    """Mean a week of the recent weeks, of two at least."""
    recent = recent_counts(counts)
    return sum(recent) / max(FEWEST_WEEKS, len(recent))

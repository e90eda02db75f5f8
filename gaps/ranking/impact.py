"""Expected tickets saved a week, the priority that follows, and the few that save most; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gaps.ranking.forecast import Forecast
from gaps.types import GapKind, Ticket

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
UNWORKED_SHARE = 0.4
"""What is left of that chance where nobody has solved a single ticket of the topic: there may be
nothing to write. Judgement; it also keeps floods nobody works on below what people are helped with.
"""
LEAST_EFFORT, MOST_EFFORT = 0.5, 2.0
PARETO_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Habit:
    """What a ticket of the whole window costs, to set one topic against."""

    solved_share: float
    replies: float
    """Mean replies of agents to a ticket."""


@dataclass(frozen=True, slots=True)
class Impact:
    """Tickets saved a week."""

    mean: float
    low: float
    high: float
    effort: float
    """Agents' replies a ticket, in those of a usual ticket, within 0.5 and 2."""
    severity: float
    """Share of tickets that were escalated or reopened."""

    @property
    def priority(self) -> float:
        """0 to 100, rising ever more slowly with the tickets saved, their effort and severity."""
        weight = self.mean * self.effort * (1 + self.severity)
        return round(100 * (1 - math.exp(-weight / STRONG_IMPACT_PER_WEEK)), 2)


def measure_habit(tickets: Sequence[Ticket]) -> Habit:
    """Of all tickets of a window."""
    if not tickets:
        return Habit(0.0, 0.0)
    solved = sum(ticket.is_solved for ticket in tickets)
    return Habit(solved / len(tickets), sum(map(count_replies, tickets)) / len(tickets))


def count_replies(ticket: Ticket) -> int:
    """Replies of people who work here or for them, the resolution being one."""
    said = sum(reply.author_role != "customer" for reply in ticket.replies)
    return max(said, 1 if ticket.resolution else 0)


def measure_impact(
    kind: GapKind,
    probability: float,
    forecast: Forecast,
    tickets: Sequence[Ticket],
    habit: Habit,
) -> Impact:
    """What a right text would save.

    Expected people a week, times the chance that the gap is real, times the chance that a text
    answers it. The interval is that of the forecast; the two chances are taken as they are.

    Args:
        kind: What is wrong.
        probability: That it is, 0 to 1.
        forecast: People next week.
        tickets: The topic's.
        habit: Of the window.
    """
    count = max(1, len(tickets))
    solved = sum(ticket.is_solved for ticket in tickets) / count
    worked = min(1.0, solved / habit.solved_share) if habit.solved_share else 1.0
    chance = probability * ANSWERED_BY_TEXT[kind]
    chance *= UNWORKED_SHARE + (1 - UNWORKED_SHARE) * worked
    replies = sum(map(count_replies, tickets)) / count
    effort = replies / habit.replies if habit.replies else 1.0
    return Impact(
        mean=forecast.mean * chance,
        low=forecast.low * chance,
        high=forecast.high * chance,
        effort=min(MOST_EFFORT, max(LEAST_EFFORT, effort)),
        severity=sum(ticket.escalated or ticket.reopened for ticket in tickets) / count,
    )


def pareto_count(impacts: Sequence[float], share: float = PARETO_SHARE) -> int:
    """How many of the strongest make up a share of the whole.

    Args:
        impacts: Any order.
        share: 0 to 1.
    """
    total, reached = sum(impacts), 0.0
    if total <= 0:
        return 0
    for place, impact in enumerate(sorted(impacts, reverse=True), start=1):
        reached += impact
        if reached >= share * total - 1e-9:
            return place
    return len(impacts)

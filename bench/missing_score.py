"""Whether hidden articles surface as topics; pure. Labels are looked at here and nowhere else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from missing_data import World

HELD_SHARE = 0.3
"""Of a hidden article's tickets, in one topic; and of the topic, those tickets."""


@dataclass(frozen=True, slots=True)
class Score:
    """Ranks (from 1) at which each found article's first topic stands, by slug."""

    strict: dict[str, int]
    """Shares over all tickets of the topic."""
    labelled: dict[str, int]
    """Shares over the topic's tickets with a grade-2 link: three tickets in four carry none."""


def score_topics(world: World, topics: Sequence[Collection[str]]) -> Score:
    """Which hidden articles are found.

    Args:
        world: What is hidden.
        topics: Ticket ids of each, strongest first.
    """
    strict: dict[str, int] = {}
    labelled: dict[str, int] = {}
    for rank, topic in enumerate(topics, start=1):
        members = set(topic)
        known = members & world.labelled
        for slug, tickets in world.hidden.items():
            held = len(members & tickets)
            if not held or held < HELD_SHARE * len(tickets):
                continue
            if held >= HELD_SHARE * len(members):
                strict.setdefault(slug, rank)
            if held >= HELD_SHARE * len(known):
                labelled.setdefault(slug, rank)
    return Score(strict, labelled)

"""Candidates to merge or to archive, for a person to decide; pure, never a doubt of truth."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from gaps.freshness.facts import ArticleFacts, Finding, World

WATCHED_DAYS = 90
"""For so long searches must have been recorded, and the article have been there."""


def find_redundancy(facts: ArticleFacts, world: World) -> Iterator[Finding]:
    """Near-duplicates of one authority, and what nobody has retrieved."""
    if facts.twins:
        text = "says much the same as " + ", ".join(facts.twins)
        yield Finding("near_duplicate", text, facts.twins, value=1.0)
    idle = not facts.shown.quarter and not facts.uses.linked and not facts.uses.named
    there = facts.document.updated_at <= world.now - timedelta(days=WATCHED_DAYS)
    if idle and there and world.searched_days >= WATCHED_DAYS:
        text = f"nobody was shown it in {WATCHED_DAYS} days"
        yield Finding("never_retrieved", text, value=1.0)

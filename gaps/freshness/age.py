"""Age against the interval that was promised; pure, and weak by itself.

On a real help centre the oldest-first calendar was seen to predict change no better than chance
(bench/README.md), so age is a reminder and hardly a doubt.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from gaps.freshness.facts import ArticleFacts, Finding, World
from kb.types import Governance

FARTHEST = 4.0
"""Intervals after which more age says nothing more."""
ENDING_DAYS = 30
ENDED_FLOOR, ENDING_FLOOR = 0.97, 0.30
"""By its own words it does not hold, or soon will not."""


def last_confirmed(facts: ArticleFacts) -> datetime:
    """When somebody last stood behind the text: verified, or revised."""
    document = facts.document
    if document.metadata.last_verified_at is not None:
        return document.metadata.last_verified_at
    logged = facts.activity.last_revised_at
    # A first version came with the first sync: its log knows better how old it is.
    return logged if document.version == 1 and logged is not None else document.updated_at


def find_age(facts: ArticleFacts, world: World) -> Iterator[Finding]:
    """Overdue, by how many intervals; compliance texts count double, for nobody may improvise."""
    age = max(0, (world.now - last_confirmed(facts)).days)
    interval = facts.interval_days
    if age > interval:
        strict = facts.document.metadata.governance is Governance.COMPLIANCE
        over = min(FARTHEST, age / interval) * (2.0 if strict else 1.0)
        text = f"last confirmed {age} days ago, due every {interval} days"
        yield Finding("age", text, value=over)


def find_ending(facts: ArticleFacts, world: World) -> Iterator[Finding]:
    """Whether it ended, or ends within 30 days."""
    ends = facts.document.metadata.effective_until
    if ends is None:
        return
    if ends <= world.now:
        yield Finding("ended", f"ended on {ends:%Y-%m-%d}", floor=ENDED_FLOOR, value=1.0)
    elif ends <= world.now + timedelta(days=ENDING_DAYS):
        yield Finding("ends_soon", f"ends on {ends:%Y-%m-%d}", floor=ENDING_FLOOR, value=1.0)

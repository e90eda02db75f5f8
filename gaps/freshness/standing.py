"""What other documents do to a version: replaced, or contradicted by a stronger one; pure."""

from __future__ import annotations

from collections.abc import Iterator

from gaps.freshness.facts import ArticleFacts, Finding

SUPERSEDED_FLOOR, CONFLICT_FLOOR, TIE_FLOOR = 0.97, 0.80, 0.45
"""A replacement is said by its author. Of conflicts found, bench/hierarchy.py says how many are
real; of a tie one side is wrong and nobody knows which."""


def find_standing(facts: ArticleFacts) -> Iterator[Finding]:
    """One finding for all replacements, one a stronger document, one a tie."""
    replaced = facts.superseded_by
    if replaced:
        text = "replaced by " + ", ".join(replaced)
        yield Finding("superseded", text, replaced, SUPERSEDED_FLOOR, 1.0)
    for lost in facts.lost:
        floor = TIE_FLOOR if lost.tie else CONFLICT_FLOOR
        text = f"{lost.winner} says: {lost.statement}"
        yield Finding("conflict", text, (lost.winner,), floor, 1.0)

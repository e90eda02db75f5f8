"""What the link checker said of a version's addresses; pure."""

from __future__ import annotations

from collections.abc import Iterator

from gaps.freshness.facts import ArticleFacts, Finding

SHOWN = 5
DEAD_FLOOR, ARCHIVED_FLOOR = 0.20, 0.15
"""A dead address is a defect of the page and seldom of its facts."""


def find_links(facts: ArticleFacts) -> Iterator[Finding]:
    """Dead addresses, those that point at archived articles, and those that moved."""
    for verdict, signal, floor, words in (
        ("dead", "dead_link", DEAD_FLOOR, "cannot be reached"),
        ("archived", "archived_link", ARCHIVED_FLOOR, "points at what is archived"),
        ("redirected", "moved_link", 0.0, "moved"),
    ):
        found = tuple(sorted(link.url for link in facts.links if link.verdict == verdict))
        if found:
            text = f"{', '.join(found[:2])} {words}"
            if len(found) > 2:
                text = f"{len(found)} addresses: {text}"
            yield Finding(signal, text, found[:SHOWN], floor, float(len(found)))

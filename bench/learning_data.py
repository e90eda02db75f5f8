"""Thunderbird tickets to learn from, as far as they are known on a day, and the questions asked.

Hardly any asker of the forum marks a question solved (36 of 997 with a link), while a help desk
closes what it answered: a helper's link counts as the solution, on the day it was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

from thunderbird_data import (
    LAST_SNAPSHOT,
    Article,
    Query,
    read_articles,
    read_grades,
    read_links,
    read_queries,
    read_tickets,
)

FIRST_TICKET = "2023-01-01"
TRAIN_UNTIL = "2024-03-15"
"""Nothing said on this day or later is known to the training tickets."""
LEARN_NOW = "2024-03-29"
"""`settle_days` after the training tickets' last day."""
TEST_SINCE = "2024-04-01"
"""A Monday."""
DAYS_A_WEEK = 7
QUERY_CHARACTERS = 20_000
Links = Literal["usual", "with routine", "grade 2"]
"""Which links teach: all that are not routine; those too; only those judged to answer."""


@dataclass(frozen=True, slots=True)
class Forum:
    """Everything that is read once."""

    folder: Path
    articles: list[Article]
    queries: list[Query]
    """All 1,267."""
    links: dict[str, list[tuple[str, str]]]
    grades: dict[tuple[str, str], tuple[int, bool]]

    @property
    def late(self) -> list[Query]:
        """The test questions."""
        return [query for query in self.queries if query.asked_on >= TEST_SINCE]

    def read_solved(self, until: str, links: Links = "usual") -> list[dict[str, Any]]:
        """Tickets with a link given before the day, as `kb tickets import` reads them."""
        known = {article.slug for article in self.articles}
        found = []
        for ticket in read_tickets(self.folder, FIRST_TICKET, until, known):
            given = [
                (day, slug)
                for day, slug in self.links[ticket["id"]]
                if day < until and slug in known and self._teaches(ticket["id"], slug, links)
            ]
            if given:
                found.append(_solve(ticket, given))
        return found

    def _teaches(self, ticket: str, slug: str, links: Links) -> bool:
        grade, routine = self.grades.get((ticket, slug), (1, False))
        if links == "with routine":
            return True
        return not routine and (links == "usual" or grade >= 2)


def _solve(ticket: dict[str, Any], given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Solved on the day of its last link, so that no link is learned before it has stood."""
    return ticket | {
        "status": "solved",
        "solved_at": f"{max(day for day, _ in given)}T23:59:00Z",
        "linked_articles": sorted({slug for _, slug in given}),
    }


def read_forum(folder: Path) -> Forum:
    articles = read_articles(folder, LAST_SNAPSHOT)
    queries = [
        Query(query.query_id, query.text[:QUERY_CHARACTERS], query.asked_on, query.relevant)
        for query in read_queries(folder, {article.slug for article in articles})
    ]
    return Forum(folder, articles, queries, read_links(folder), read_grades(folder))


def split_weeks(queries: Sequence[Query]) -> dict[str, list[Query]]:
    """The questions by the Monday of their week; weeks without questions are there too."""
    first = date.fromisoformat(TEST_SINCE)
    last = max(date.fromisoformat(query.asked_on) for query in queries)
    weeks: dict[str, list[Query]] = {}
    for start in range(0, (last - first).days + 1, DAYS_A_WEEK):
        weeks[(first + timedelta(days=start)).isoformat()] = []
    for query in queries:
        days = (date.fromisoformat(query.asked_on) - first).days
        monday = first + timedelta(days=days - days % DAYS_A_WEEK)
        weeks[monday.isoformat()].append(query)
    return weeks

"""What every system is given: the texts in each cut, the questions, and tickets to learn from."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thunderbird_data import (
    LAST_SNAPSHOT,
    Article,
    Query,
    read_articles,
    read_queries,
    read_tickets,
    write_knowledge_base,
    write_lines,
)

FIRST_TICKET = "2023-01-01"
TEST_SINCE = "2024-04-01"
LEARN_UNTIL = "2024-03-15"
"""Replies of this day and later are not known to what is learned; the gap keeps askers apart."""
QUERY_CHARACTERS = 20_000
WARM_UP_QUESTIONS = 8
WINDOW_WORDS = 180
WINDOW_STEP = 140


@dataclass(frozen=True, slots=True)
class Inputs:
    held: list[Article]
    queries: list[Query]
    """The test questions, judged and timed one by one."""
    load: list[str]
    """Other tickets' texts, for many callers: never asked before, so no cache knows them."""
    warm_up: list[str]
    units: dict[str, Path]
    tickets: Path

    @property
    def articles(self) -> int:
        return len(self.held)

    def write_config(self, folder: Path) -> Path:
        """kbops' own form of the texts: kb.toml and Markdown files; written once."""
        config = folder / "kb.toml"
        return config if config.is_file() else write_knowledge_base(self.held, folder)


def write_inputs(data: Path, work: Path, limit: int | None, load: int) -> Inputs:
    """Read the data and write what the workers read.

    Args:
        data: `sumo_thunderbird_dev`.
        work: Where it goes.
        limit: Only so many test questions, spread over the year.
        load: How many other questions.
    """
    articles = read_articles(data, LAST_SNAPSHOT)
    known = {article.slug for article in articles}
    asked = read_queries(data, known)
    queries = [_cut(query) for query in asked if query.asked_on >= TEST_SINCE]
    judged = {query.query_id for query in asked}
    earlier = read_tickets(data, FIRST_TICKET, TEST_SINCE, known)
    others = sorted(
        {
            f"{ticket['subject']}\n{ticket['body']}"[:QUERY_CHARACTERS]
            for ticket in earlier
            if ticket["id"] not in judged
        }
    )
    random.Random(20_261_121).shuffle(others)
    if limit is not None:
        queries = queries[:: max(len(queries) // max(limit, 1), 1)][:limit]
    tickets = work / "tickets.jsonl"
    write_lines(_solved_tickets(data, known), tickets)
    return Inputs(
        held=articles,
        queries=queries,
        load=others[WARM_UP_QUESTIONS : WARM_UP_QUESTIONS + load],
        warm_up=others[:WARM_UP_QUESTIONS],
        units=_write_units(articles, work),
        tickets=tickets,
    )


def _cut(query: Query) -> Query:
    return Query(query.query_id, query.text[:QUERY_CHARACTERS], query.asked_on, query.relevant)


def _write_units(articles: Sequence[Article], work: Path) -> dict[str, Path]:
    """`articles` whole, `windows` of words; `chunks` are written once kbops has made them."""
    units = {name: work / f"{name}.jsonl" for name in ("articles", "windows", "chunks")}
    write_lines([_unit(article, article.text) for article in articles], units["articles"])
    write_lines(
        [_unit(article, text) for article in articles for text in _windows(article.text)],
        units["windows"],
    )
    return units


def _unit(article: Article, text: str) -> dict[str, str]:
    return {"article": article.slug, "title": article.title, "text": text}


def _windows(text: str) -> Iterable[str]:
    """Overlapping windows of words: the bar of bench/fusion.py."""
    words = text.split()
    for start in range(0, max(len(words) - WINDOW_WORDS + WINDOW_STEP, 1), WINDOW_STEP):
        yield " ".join(words[start : start + WINDOW_WORDS])


def _solved_tickets(data: Path, known: set[str]) -> list[dict[str, Any]]:
    """Earlier tickets in which helpers pointed to an article, closed as a help desk closes them.

    Hardly any asker on the forum marks a question solved (36 of 997 with a link), while a help
    desk closes every ticket it answered: those not marked are taken as solved with the last reply
    of a helper.
    """
    tickets = read_tickets(data, FIRST_TICKET, LEARN_UNTIL, known)
    return [_close(ticket) for ticket in tickets if ticket.get("linked_articles")]


def _close(ticket: dict[str, Any]) -> dict[str, Any]:
    if ticket["status"] == "solved":
        return ticket
    helped = [r["created_at"] for r in ticket["replies"] if r["author_role"] == "agent"]
    last = max(helped or [r["created_at"] for r in ticket["replies"]])
    return ticket | {"status": "solved", "solved_at": last}

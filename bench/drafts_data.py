"""What the drafts benchmark reads: hidden articles, their tickets in two halves, their own text.

Decides what a writer would have known at the end of the first half. A forum marks few questions as
solved; a help desk closes a question that rests. So here a question is solved where its asker
accepted an answer, and closed where a helper had the last word two weeks before the day, or the
asker's last word was thanks. Nothing else is read from the replies' marks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from missing_data import HIDDEN_FILE, MASK, make_mention, read_lines
from thunderbird_data import LAST_SNAPSHOT, MIN_GRADE, Article, read_articles, read_tickets

from gaps.reading.ticket_line import parse_ticket_line
from gaps.types import Ticket
from kb.types import Audience

START, MIDDLE, END = "2023-01-01", "2024-01-01", "2025-01-01"
RESTS_DAYS = 14
_THANKS = re.compile(
    r"\b(?:thank(?:s| you)|solved|fixed|works? now|worked|that did it|perfect)\b", re.I
)
_NO_THANKS = re.compile(r"\b(?:but|still|not|unfortunately|however)\b|n['’]t\b", re.I)


@dataclass(frozen=True, slots=True)
class HiddenArticle:
    """An article that the knowledge base lacks, and who asked for it when."""

    slug: str
    article: Article
    learned_from: tuple[str, ...]
    """Ids of the tickets its draft is written from, oldest first."""
    measured_on: tuple[str, ...]
    """Ids of later tickets, never shown to the writer."""


def read_hidden(folder: Path, split: str) -> list[HiddenArticle]:
    """The fifteen, by slug.

    Args:
        folder: The data.
        split: "calendar" cuts the two years in the middle; "own" cuts each article's own tickets
            at the middle one, so that every article has some to learn from.
    """
    slugs = [row["slug"] for row in read_lines(folder / HIDDEN_FILE)]
    known = {article.slug: article for article in read_articles(folder, LAST_SNAPSHOT)}
    asked: dict[str, list[tuple[str, str]]] = {slug: [] for slug in slugs}
    for row in read_lines(folder / "tickets.jsonl.gz"):
        for slug, grade in row["kb"].items():
            if grade >= MIN_GRADE and slug in asked:
                asked[slug].append((row["created"], row["id"]))
    found = []
    for slug in sorted(slugs):
        ordered = sorted(asked[slug])
        cut = sum(day < MIDDLE for day, _ in ordered)
        if split == "own":
            cut = len(ordered) // 2
        ids = [key for _, key in ordered]
        found.append(HiddenArticle(slug, known[slug], tuple(ids[:cut]), tuple(ids[cut:])))
    return found


def read_known_tickets(
    folder: Path, hidden: Collection[HiddenArticle], ids: Collection[str], day: str
) -> list[Ticket]:
    """Tickets as they stood on a day, as the import of the product reads them, by id.

    Args:
        folder: The data.
        hidden: What the knowledge base lacks: address, slug and title are masked in every reply.
        ids: Which tickets.
        day: Nothing from it on is known.
    """
    mention = make_mention([one.article for one in hidden])
    remaining = {a.slug for a in read_articles(folder, LAST_SNAPSHOT)} - {h.slug for h in hidden}
    found = []
    for row in read_tickets(folder, START, day, remaining):
        if row["id"] in ids:
            line = json.dumps(_mask(_close(row, day), mention))
            found.append(parse_ticket_line(line, 1, lambda product: Audience.PUBLIC))
    return sorted(found, key=lambda ticket: ticket.ticket_id)


def _close(ticket: dict[str, Any], day: str) -> dict[str, Any]:
    replies = ticket.get("replies", ())
    if ticket["status"] == "solved" or not any(r["author_role"] == "agent" for r in replies):
        return ticket
    last = replies[-1]
    rested = last["created_at"][:10] <= str(date.fromisoformat(day) - timedelta(RESTS_DAYS))
    thanked = _THANKS.search(last["body"]) and not _NO_THANKS.search(last["body"])
    if rested and (last["author_role"] == "agent" or thanked):
        return ticket | {"status": "closed", "solved_at": last["created_at"]}
    return ticket


def _mask(ticket: dict[str, Any], mention: re.Pattern[str]) -> dict[str, Any]:
    masked = dict(ticket)
    if "resolution" in masked:
        masked["resolution"] = mention.sub(MASK, masked["resolution"])
    if "replies" in masked:
        masked["replies"] = [r | {"body": mention.sub(MASK, r["body"])} for r in masked["replies"]]
    return masked

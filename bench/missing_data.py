"""Worlds in which some help articles were never written, made of the Thunderbird support data.

Decides what of a hidden article must go for the world to be fair: the article, every link to it,
and its address, slug and exact title in what helpers and askers wrote later. What they explained
in their own words stays, and so do links to the articles that remain.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thunderbird_data import (
    LAST_SNAPSHOT,
    MIN_GRADE,
    Article,
    read_articles,
    read_grades,
    read_tickets,
    write_knowledge_base,
    write_lines,
)

HIDDEN_FILE = "hidden_articles.jsonl.gz"
DRAWN = 15
FEWEST_TICKETS = 10
"""Tickets of both years that a drawn article must have a grade-2 link from."""
FEWEST_IN_WINDOW = 5
"""The given set has five at least, too; fewer hardly make a topic."""
MASK = "[removed]"
_ADDRESS = r"(?:https?://)?support\.mozilla\.org/[^\s)\]>\"']*/{slug}\b[^\s)\]>\"']*"


@dataclass(frozen=True, slots=True)
class World:
    """Which articles are hidden, and from the tickets of which year they should be found."""

    name: str
    since: str
    until: str
    """The day after the last one."""
    hidden: Mapping[str, frozenset[str]]
    """By slug, the window's tickets with a grade-2 link to it: for scoring only."""
    labelled: frozenset[str]
    """The window's tickets with a grade-2 link to any article: for scoring only."""


def read_worlds(folder: Path) -> list[World]:
    """The given hidden set on 2024, fifteen other articles on 2024, and a draw for 2023.

    The second and third are drawn with fixed seeds from the articles of the last snapshot that
    are not routine; nothing was chosen by looking at them.
    """
    given = [row["slug"] for row in read_lines(folder / HIDDEN_FILE)]
    return [
        make_world(folder, "given, 2024", 2024, given),
        make_world(folder, "other 15, 2024", 2024, draw(folder, 2024, 20_240, given)),
        make_world(folder, "drawn, 2023", 2023, draw(folder, 2023, 20_230, ())),
    ]


def draw(folder: Path, year: int, seed: int, excluded: Collection[str]) -> list[str]:
    """Slugs of fifteen articles with enough tickets, drawn by the seed, in alphabetical order."""
    known = {article.slug for article in read_articles(folder, LAST_SNAPSHOT)}
    created = {row["id"]: row["created"] for row in read_lines(folder / "tickets.jsonl.gz")}
    linked: defaultdict[str, list[str]] = defaultdict(list)
    for (ticket, slug), (grade, generic) in read_grades(folder).items():
        if grade >= MIN_GRADE and not generic and slug in known and slug not in excluded:
            linked[slug].append(created[ticket])
    fit = [
        slug
        for slug, days in linked.items()
        if len(days) >= FEWEST_TICKETS
        and sum(day.startswith(str(year)) for day in days) >= FEWEST_IN_WINDOW
    ]
    return sorted(random.Random(seed).sample(sorted(fit), min(DRAWN, len(fit))))


def make_world(folder: Path, name: str, year: int, slugs: Collection[str]) -> World:
    """The world without these articles, and what to score it with."""
    hidden: defaultdict[str, set[str]] = defaultdict(set)
    labelled = set()
    for row in read_lines(folder / "tickets.jsonl.gz"):
        if not row["created"].startswith(str(year)):
            continue
        graded = {slug for slug, grade in row["kb"].items() if grade >= MIN_GRADE}
        if graded:
            labelled.add(row["id"])
        for slug in graded & set(slugs):
            hidden[slug].add(row["id"])
    return World(
        name,
        f"{year}-01-01",
        f"{year + 1}-01-01",
        {slug: frozenset(hidden[slug]) for slug in sorted(slugs)},
        frozenset(labelled),
    )


def write_world(data: Path, world: World, folder: Path) -> tuple[Path, Path]:
    """Write the knowledge base of the last snapshot without the hidden articles, and the tickets.

    Returns:
        Path of kb.toml and of the ticket file.
    """
    articles = read_articles(data, LAST_SNAPSHOT)
    kept = [article for article in articles if article.slug not in world.hidden]
    config = write_knowledge_base(kept, folder)
    lines = folder / "tickets.jsonl"
    write_lines(read_world_tickets(data, world), lines)
    return config, lines


def read_world_tickets(data: Path, world: World) -> list[dict[str, Any]]:
    """The window's tickets as `kb tickets import` reads them, as if the articles never were."""
    articles = {article.slug: article for article in read_articles(data, LAST_SNAPSHOT)}
    masks = make_mention([articles[slug] for slug in world.hidden if slug in articles])
    remaining = set(articles) - set(world.hidden)
    return [_mask(t, masks) for t in read_tickets(data, world.since, world.until, remaining)]


def _mask(ticket: dict[str, Any], mention: re.Pattern[str]) -> dict[str, Any]:
    masked = dict(ticket)
    if "resolution" in masked:
        masked["resolution"] = mention.sub(MASK, masked["resolution"])
    if "replies" in masked:
        masked["replies"] = [r | {"body": mention.sub(MASK, r["body"])} for r in masked["replies"]]
    return masked


def make_mention(articles: Collection[Article]) -> re.Pattern[str]:
    """An address, a slug of several words in any case, or the title letter by letter."""
    parts = []
    for article in sorted(articles, key=lambda a: (-len(a.slug), a.slug)):
        parts.append("(?i:" + _ADDRESS.format(slug=re.escape(article.slug)) + ")")
        if "-" in article.slug:
            parts.append(rf"(?i:(?<![\w-]){re.escape(article.slug)}(?![\w-]))")
        parts.append(rf"(?<!\w){re.escape(article.title)}(?!\w)")
    return re.compile("|".join(parts)) if parts else re.compile(r"(?!)")


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)

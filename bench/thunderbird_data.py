"""The Thunderbird support data as what a team would hold: Markdown files and tickets.

Decides what of the data was known on a day. Nothing later gets into an article or a ticket, as
far as the data is dated: votes and solution marks carry no date of their own and are taken to be
as old as the reply they stand on.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "sumo_thunderbird_dev"
LAST_SNAPSHOT = "2025-01-22"
PRODUCT = "thunderbird"
MIN_GRADE = 2

_FILES = ("kb_versions.jsonl.gz", "kb_revisions.csv.gz", "tickets.jsonl.gz", "qrels.csv.gz")
_MISSING_IMAGE = re.compile(r'[ ]?The image "[^"\n]*" does not exist\.(?=(\.?))\1?')
_RIGHT_CLICK = re.compile(
    r"[Rr]ight-click(?:Hold down|Press and hold) the [Cc](?:on)?tro?l key"
    r"(?: while you|, and|,)? click(?:ing)?"
)
_TABLE_GAP = re.compile(r"(^\|[^\n]*)\n\n(?=\|)", re.MULTILINE)

CONFIG = """\
[[owners]]
name = "thunderbird"
email = "owner@example.org"
topics = []

[[sources]]
name = "help"
kind = "markdown"
location = "articles"
authority = "help_article"
audience = "public"
owner = "thunderbird"

[gaps]
default_owner = "thunderbird"
publish_to = "help"
default_audience = "public"
"""


@dataclass(frozen=True, slots=True)
class Query:
    """A real question with the articles that helpers pointed to."""

    query_id: str
    text: str
    asked_on: str
    """Day, ISO."""
    relevant: dict[str, float]


@dataclass(frozen=True, slots=True)
class Article:
    slug: str
    title: str
    text: str
    url: str | None
    products: tuple[str, ...]
    topics: tuple[str, ...]


def find_data(data: Path | None) -> Path | str:
    """The folder with the data, or one line that says what is missing."""
    if data is None:
        return "name the folder that holds the data sets with --data DIR"
    folder = data / FOLDER
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        return f"{folder} lacks {', '.join(missing)}; it is read, never downloaded"
    return folder


def read_articles(folder: Path, day: str) -> list[Article]:
    """Articles as of a day, by slug.

    The last snapshot up to the day, brought forward by the revision log: the next snapshot's text
    was live already when nothing was approved between the day and that snapshot. An article that
    the log knows by the day and the last snapshot does not is taken from the next one, or the
    replay would miss what was there.
    """
    rows = list(_read_lines(folder / "kb_versions.jsonl.gz"))
    snapshots = sorted({snapshot for row in rows for snapshot in row["seen"]})
    last = max((s for s in snapshots if s <= day), default=snapshots[0])
    held = {row["slug"]: row for row in rows if last in row["seen"]}
    following = [s for s in snapshots if s > day]
    if last < day and following:
        approved = _read_approvals(folder)
        for row in (row for row in rows if following[0] in row["seen"]):
            before = [d for d in approved.get(row["slug"], ()) if d <= day]
            between = [d for d in approved.get(row["slug"], ()) if day < d <= following[0]]
            if before and (not between or row["slug"] not in held):
                held[row["slug"]] = row
    return [_to_article(held[slug]) for slug in sorted(held)]


def _read_approvals(folder: Path) -> dict[str, list[str]]:
    approved: dict[str, list[str]] = {}
    for row in _read_table(folder / "kb_revisions.csv.gz"):
        if row["status"] in ("approved", "current"):
            approved.setdefault(row["slug"], []).append(row["datetime"][:10])
    return approved


def _to_article(row: Mapping[str, Any]) -> Article:
    return Article(
        slug=row["slug"],
        title=" ".join(row["title"].split()),
        text=clean_text(row["text"]),
        url=row["url"],
        products=tuple(row["products"]),
        topics=tuple(row["topics"]),
    )


def clean_text(text: str) -> str:
    """Article text without what the page's rendering left in it.

    The texts are Markdown made from the pages' HTML: headings and lists are right; an image that
    was gone and the menu of both platforms glued together are not words of the article, and table
    rows stand apart.
    """
    text = _MISSING_IMAGE.sub("", text)
    text = _RIGHT_CLICK.sub("Right-click", text)
    text = _TABLE_GAP.sub(r"\1\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def write_knowledge_base(articles: Collection[Article], folder: Path) -> Path:
    """Write kb.toml and one Markdown file an article; returns kb.toml's path."""
    target = folder / "articles"
    target.mkdir(parents=True, exist_ok=True)
    for article in articles:
        (target / f"{article.slug}.md").write_text(_to_markdown(article), encoding="utf-8")
    config = folder / "kb.toml"
    config.write_text(CONFIG, encoding="utf-8")
    return config


def _to_markdown(article: Article) -> str:
    # A JSON text or list of texts is also YAML.
    fields = {
        "id": article.slug,
        "title": article.title,
        "url": article.url,
        "products": list(article.products),
        "labels": list(article.topics),
    }
    front = "\n".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items() if value
    )
    return f"---\n{front}\n---\n\n{article.text}"


def read_tickets(
    folder: Path, since: str, until: str, known_slugs: Collection[str]
) -> list[dict[str, Any]]:
    """Tickets created from `since` until the day before `until`, as `kb tickets import` reads them.

    Args:
        folder: The data.
        since: First day.
        until: The replay's day: nothing from it on is known.
        known_slugs: Links to other articles are left out.
    """
    rows = _read_lines(folder / "tickets.jsonl.gz")
    return [_to_ticket(row, until, known_slugs) for row in rows if since <= row["created"] < until]


def _to_ticket(row: Mapping[str, Any], until: str, known_slugs: Collection[str]) -> dict[str, Any]:
    replies = [
        reply for reply in row.get("replies", ()) if row["created"] <= reply["created"] < until
    ]
    answers = [reply for reply in replies if _answers(reply)]
    solved_on = _solved_on(row, replies)
    linked = {slug for reply in replies for slug in reply.get("kb", ())} & set(row["kb"])
    ticket: dict[str, Any] = {
        "id": row["id"],
        "created_at": f"{row['created']}T00:00:00Z",
        "subject": row["title"],
        "body": row["text"] or row["title"],
        "status": "solved" if solved_on else "open",
        "solved_at": f"{solved_on}T23:59:00Z" if solved_on else None,
        "resolution": "\n\n".join(reply["text"] for reply in answers) or None,
        "replies": [_to_reply(reply) for reply in replies],
        "linked_articles": sorted(linked & set(known_slugs)),
        "channel": "forum",
        "product": PRODUCT,
        "tags": sorted({row["topic"], *row["tags"]} - {"", None}),
    }
    return {key: value for key, value in ticket.items() if value not in (None, [])}


def _to_reply(reply: Mapping[str, Any]) -> dict[str, str]:
    role = "customer" if reply["role"] == "asker" else "agent"
    created_at = f"{reply['created']}T12:00:00Z"
    return {"author_role": role, "created_at": created_at, "body": reply["text"]}


def _answers(reply: Mapping[str, Any]) -> bool:
    """Whether the asker accepted it, or readers voted for a helper's reply."""
    return bool(reply.get("solution") or (reply["role"] != "asker" and reply.get("helpful")))


def _solved_on(row: Mapping[str, Any], replies: Collection[Mapping[str, Any]]) -> str | None:
    """The accepted reply's day; where none is marked, the day of the last reply known."""
    if not row["solved"] or not replies:
        return None
    accepted = [reply["created"] for reply in replies if reply.get("solution")]
    if accepted:
        return str(max(accepted))
    if any(reply.get("solution") for reply in row["replies"]) or len(replies) < len(row["replies"]):
        return None
    return str(max(reply["created"] for reply in replies))


def read_queries(folder: Path, known_slugs: Collection[str]) -> list[Query]:
    """Questions with a grade-2 link that is not routine, title and text, by id."""
    relevant: dict[str, dict[str, float]] = {}
    for row in _read_table(folder / "qrels.csv.gz"):
        if int(row["grade"]) < MIN_GRADE or row["generic"] == "1" or row["slug"] not in known_slugs:
            continue
        relevant.setdefault(row["query"], {})[row["slug"]] = 1.0
    rows = {row["id"]: row for row in _read_lines(folder / "tickets.jsonl.gz")}
    return [
        Query(
            key, f"{rows[key]['title']}\n{rows[key]['text']}".strip(), rows[key]["created"], found
        )
        for key, found in sorted(relevant.items())
    ]


def read_links(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Day and article of each link that somebody other than the asker gave, by ticket."""
    return {
        row["id"]: [
            (reply["created"], slug)
            for reply in row.get("replies", ())
            if reply["role"] != "asker" and reply["created"] >= row["created"]
            for slug in reply.get("kb", ())
            if slug in row["kb"]
        ]
        for row in _read_lines(folder / "tickets.jsonl.gz")
    }


def read_grades(folder: Path) -> dict[tuple[str, str], tuple[int, bool]]:
    """Grade of each judged link, and whether it is a routine one, by ticket and article."""
    return {
        (row["query"], row["slug"]): (int(row["grade"]), row["generic"] == "1")
        for row in _read_table(folder / "qrels.csv.gz")
    }


def write_lines(rows: Collection[Mapping[str, Any]], path: Path) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _read_table(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))

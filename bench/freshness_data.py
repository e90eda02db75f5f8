"""Dated help centres as a team would hold them, and what became of each article."""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import thunderbird_data
from thunderbird_data import Article, clean_text

CHANGED = ("minor", "major", "retired")
KEPT = ("unchanged", *CHANGED)
COMMERCE = "commerce_kb_dev"
MOST_ID = 190

CONFIG = (
    thunderbird_data.CONFIG
    + """
[freshness]
releases = "releases.csv"
activity = "activity.csv"

[encoder]
kind = "{encoder}"
"""
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The knowledge base on a day, and what the next one shows."""

    day: str
    until: str
    articles: tuple[Article, ...]
    changed: Mapping[str, bool]
    """By article: whether it was edited or retired by `until`; articles without a verdict are
    left out."""
    single: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Single signals, as the calendar and the analytics page would rank."""

    @property
    def days(self) -> int:
        return (date.fromisoformat(self.until) - date.fromisoformat(self.day)).days


@dataclass(frozen=True, slots=True)
class DatedBase:
    """One help centre over time."""

    name: str
    snapshots: tuple[Snapshot, ...]
    edits: tuple[tuple[str, str, str], ...]
    """Article, day, views (empty: an edit)."""
    releases: tuple[tuple[str, str, str], ...]
    """Name, version, day."""


def read_thunderbird(data: Path) -> DatedBase:
    """Five intervals between six snapshots of the Thunderbird help centre."""
    folder = data / thunderbird_data.FOLDER
    rows = list(_lines(folder / "kb_versions.jsonl.gz"))
    changes = list(_lines(folder / "kb_changes.jsonl.gz"))
    revisions = [
        (r["slug"], r["datetime"], r["status"]) for r in _table(folder / "kb_revisions.csv.gz")
    ]
    views = [(r["slug"], r["views_2023"]) for r in _table(folder / "kb_pageviews_2023.csv.gz")]
    tickets = list(_lines(folder / "tickets.jsonl.gz"))
    snapshots = []
    for since, until in sorted({(c["from"], c["to"]) for c in changes}):
        mine = [c for c in changes if (c["from"], c["to"]) == (since, until)]
        held = [row for row in rows if since in row["seen"]]
        snapshots.append(
            Snapshot(
                since,
                until,
                tuple(_to_article(row) for row in held),
                {c["slug"]: c["change"] in CHANGED for c in mine if c["change"] in KEPT},
                _single(since, revisions, dict(views), tickets),
            )
        )
    logged = [(slug, moment[:10], "") for slug, moment, _ in revisions]
    # The year's views are known when the year is over.
    viewed = [(slug, "2023-12-31", count) for slug, count in views]
    releases = [
        ("Thunderbird", r["version"], r["date"]) for r in _table(folder / "releases.csv.gz")
    ]
    return DatedBase("thunderbird", tuple(snapshots), (*logged, *viewed), tuple(releases))


def _single(
    day: str,
    revisions: Iterable[tuple[str, str, str]],
    views: Mapping[str, str],
    tickets: Iterable[Mapping[str, Any]],
) -> dict[str, dict[str, float]]:
    """What is compared with: the calendar, the analytics page, link counts, the edit log."""
    today = date.fromisoformat(day)
    year = (today - timedelta(days=365)).isoformat()
    found: dict[str, dict[str, float]] = {
        "oldest first": {}, "revisions in the year before": defaultdict(float),
        "linked tickets": defaultdict(float),
        "page views (2023)": {slug: float(count) for slug, count in views.items()},
    }  # fmt: skip
    for slug, moment, status in revisions:
        if moment[:10] >= day:
            continue
        if status in ("approved", "current"):
            age = float((today - date.fromisoformat(moment[:10])).days)
            found["oldest first"][slug] = min(age, found["oldest first"].get(slug, age))
        if moment[:10] >= year:
            found["revisions in the year before"][slug] += 1.0
    for ticket in tickets:
        for reply in ticket.get("replies", ()):
            if reply["role"] != "asker" and ticket["created"] <= reply["created"] < day:
                for slug in set(reply.get("kb", ())) & set(ticket["kb"]):
                    found["linked tickets"][slug] += 1.0
    return found


def _to_article(row: Mapping[str, Any]) -> Article:
    return Article(
        row["slug"], " ".join(row["title"].split()), clean_text(row["text"]), row["url"],
        tuple(row["products"]), tuple(row["topics"]),
    )  # fmt: skip


def read_commerce(data: Path) -> DatedBase:
    """Months of the commerce help centre; edits in bulk are no evidence and no label."""
    folder = data / COMMERCE
    versions = sorted(_lines(folder / "versions.jsonl.gz"), key=lambda r: (r["date"], r["doc_id"]))
    events = list(_lines(folder / "events.jsonl.gz"))
    gone = {r["doc_id"]: r["deleted"] for r in _lines(folder / "articles.jsonl.gz")}
    edited = [
        (to_slug(e["doc_id"]), e["date"])
        for e in events
        if e["event"] == "updated" and not e.get("bulk")
    ]
    snapshots = []
    for day, until in _months("2022-09-01", "2023-12-01"):
        last = {r["doc_id"]: r for r in versions if r["date"] <= day}
        alive = [r for key, r in sorted(last.items()) if not gone.get(key) or gone[key] > day]
        mine = {
            to_slug(e["doc_id"])
            for e in events
            if day < e["date"] <= until
            and e["event"] in ("updated", "retired")
            and not e.get("bulk")
        }
        moved = {
            to_slug(e["doc_id"])
            for e in events
            if day < e["date"] <= until and e.get("bulk") and e["event"] != "created"
        }
        articles = tuple(
            Article(to_slug(r["doc_id"]), " ".join(r["title"].split()) or "-", r["text"], None,
                    (), ())
            for r in alive
        )  # fmt: skip
        labels = {a.slug: a.slug in mine for a in articles if a.slug in mine or a.slug not in moved}
        today = date.fromisoformat(day)
        year = (today - timedelta(days=365)).isoformat()
        log = [(slug, at) for slug, at in edited if at <= day]
        age: dict[str, float] = {}
        revised: dict[str, float] = defaultdict(float)
        for r in alive:
            age[to_slug(r["doc_id"])] = float((today - date.fromisoformat(r["date"])).days)
        for slug, at in log:
            revised[slug] += at >= year
        snapshots.append(
            Snapshot(day, until, articles, labels,
                     {"oldest first": age, "revisions in the year before": revised})
        )  # fmt: skip
    logged = tuple((slug, at, "") for slug, at in edited)
    return DatedBase("commerce", tuple(snapshots), logged, ())


def to_slug(doc_id: str) -> str:
    return doc_id.partition(":")[2].replace("/", "--").removesuffix(".md")[-MOST_ID:]


def _months(first: str, last: str) -> Iterator[tuple[str, str]]:
    day = date.fromisoformat(first)
    while day.isoformat() < last:
        following = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield day.isoformat(), following.isoformat()
        day = following


def write_snapshot(base: DatedBase, snapshot: Snapshot, folder: Path, encoder: str) -> Path:
    """Articles of the day, kb.toml and both logs as known by then; returns kb.toml's path."""
    target = folder / "articles"
    target.mkdir(parents=True, exist_ok=True)
    for old in set(target.glob("*.md")) - {target / f"{a.slug}.md" for a in snapshot.articles}:
        old.unlink()
    thunderbird_data.write_knowledge_base(snapshot.articles, folder)
    with (folder / "activity.csv").open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(("document_id", "date", "views"))
        table.writerows(row for row in sorted(base.edits) if row[1] < snapshot.day)
    with (folder / "releases.csv").open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(("name", "version", "date"))
        table.writerows(row for row in base.releases if row[2] < snapshot.day)
    config = folder / "kb.toml"
    config.write_text(CONFIG.format(encoder=encoder), encoding="utf-8")
    return config


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _table(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))

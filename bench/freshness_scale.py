"""Processor seconds and memory of a freshness check as a knowledge base grows, and of the next run.

Everything is made up from a seed: articles with menus, codes and versions, tickets of which four in
ten are linked to an article. Each size runs in a process of its own, so that its peak is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from gaps.freshness.check import check_freshness
from gaps.tables import tickets
from kb.database import Database
from kb.tables import chunks, documents, embeddings, sources, versions

SIZES = ((5_000, 50_000), (15_000, 150_000), (50_000, 500_000))
NOW = datetime(2026, 11, 9, 6, tzinfo=UTC)
AUTHORITIES = ("policy", "help_article")
RECIPE, DIMENSIONS = "synthetic", 128
BATCH = 5_000
WORDS = (
    "the printer does not answer after an update of its driver and every job stays in the queue "
    "until somebody restarts the spooler which needs rights that a visitor lacks so we wait here "
    "again while nobody knows whether a cable or the network or the account behind it is at fault"
).split()
NEW_SHARE = 0.01


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", nargs=2, type=int, metavar=("ARTICLES", "TICKETS"))
    arguments = parser.parse_args()
    if arguments.size:
        print(json.dumps(measure(*arguments.size)))
        return 0
    for size in SIZES:
        command = [sys.executable, __file__, "--size", *(str(number) for number in size)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        print(done.stdout.strip(), flush=True)
    return 0


def measure(article_count: int, ticket_count: int) -> dict[str, Any]:
    """First run, a second one over the same, and one after one in a hundred tickets came."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'kb.db'}")
        database.migrate()
        write_articles(database, article_count)
        write_tickets(database, 0, ticket_count, article_count)
        before = _peak_megabytes()
        first, report = _run(database, NOW)
        peak = _peak_megabytes()
        second, again = _run(database, NOW)
        anew = int(ticket_count * NEW_SHARE)
        write_tickets(database, ticket_count, anew, article_count)
        third, later = _run(database, NOW + timedelta(days=7))
        database.close()
    return {
        "articles": article_count, "tickets": ticket_count, "read": report["read"],
        "first_cpu_seconds": round(first, 1), "second_cpu_seconds": round(second, 1),
        "second_share": round(second / first, 4), "second_read": again["read"],
        "second_changed": again["changed"],
        "week_later_cpu_seconds": round(third, 1), "week_later_read": later["read"],
        "peak_megabytes_before": before, "peak_megabytes": peak,
        "verdicts": report["verdicts"],
    }  # fmt: skip


def _run(database: Database, now: datetime) -> tuple[float, dict[str, Any]]:
    """Seconds of processor time, so that a busy machine does not change the figure."""
    started = time.process_time()
    report = check_freshness(database, now=now, authorities=AUTHORITIES, recipe=RECIPE)
    return time.process_time() - started, report


def _peak_megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def write_articles(database: Database, count: int) -> None:
    """Articles with a version, two passages and their vectors; one in fifty is a near copy."""
    generator = np.random.default_rng(7)
    with database.write() as connection:
        connection.execute(
            insert(sources).values(
                name="help", kind="markdown", location="x", authority="help_article",
                audience="public", owner="ana", review_every_days=180,
            )
        )  # fmt: skip
    vectors = generator.normal(size=(count, DIMENSIONS)).astype(np.float32)
    copies = np.arange(49, count, 50)
    vectors[copies] = vectors[copies - 1] + 0.05 * vectors[copies]
    for start in range(0, count, BATCH):
        places = range(start, min(count, start + BATCH))
        rows = [_article(place, generator) for place in places]
        with database.write() as connection:
            connection.execute(insert(documents), [row[0] for row in rows])
            connection.execute(insert(versions), [row[1] for row in rows])
            connection.execute(insert(chunks), [c for row in rows for c in row[2]])
            connection.execute(
                insert(embeddings),
                [
                    {"content_hash": f"h{n}-{p}", "recipe": RECIPE, "vector": vectors[n].tobytes()}
                    for n in places
                    for p in range(2)
                ],
            )


def _article(
    number: int, generator: np.random.Generator
) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    key, title = f"article-{number}", f"Article {number}"
    written = NOW - timedelta(days=int(generator.integers(20, 700)))
    text = (
        f"# {title}\n\nOpen **Panel {number % 997}** → Queue {number % 31} in Printwise "
        f"{100 + number % 20}. Error E-{100 + number % 800} means the job is older than "
        f"{1 + number % 30} days.\n\n{_words(generator, 150)}\n"
    )
    document = {
        "id": key, "number": number + 1, "source": "help", "path": f"{key}.md", "title": title,
        "audience": "public", "authority": "help_article", "owner": "ana",
        "confidence_state": "validated", "governance": "experience", "last_verified_at": written,
        "supersedes": [], "labels": [], "products": [], "regions": [], "plans": [], "version": 1,
        "content_hash": f"c{number}", "metadata_hash": "m", "created_at": written,
        "updated_at": written,
    }  # fmt: skip
    version = {
        "document_id": key, "version": 1, "title": title, "markdown": text,
        "content_hash": f"c{number}", "created_at": written, "author": "bench", "reason": "bench",
    }  # fmt: skip
    parts = [
        {
            "id": f"ch{number}-{place}", "document_id": key, "version": 1, "position": place,
            "heading_path": [], "text": text[:200], "content_hash": f"h{number}-{place}",
            "live": True, "index_seq": 1,
        }
        for place in range(2)
    ]  # fmt: skip
    return document, version, parts


def write_tickets(database: Database, first: int, count: int, article_count: int) -> None:
    generator = np.random.default_rng(11 + first)
    for rows in _batches(_tickets(first, count, article_count, generator)):
        with database.write() as connection:
            connection.execute(insert(tickets), rows)


def _tickets(
    first: int, count: int, article_count: int, generator: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Over a year; links follow Zipf's law, as on a help desk."""
    for number in range(first, first + count):
        article = min(article_count - 1, int(generator.pareto(0.7) * article_count / 500))
        age = generator.uniform(0.01, 365.0) if first == 0 else generator.uniform(-6.9, -0.1)
        at = NOW - timedelta(days=float(age))
        days = 1 + article % 30 if generator.random() < 0.8 else 45
        yield {
            "id": f"T-{number}", "content_hash": f"t{number}", "created_at": at,
            "subject": f"Printer {number % 5_000} fails",
            "body": f"E-{100 + article % 800} in Printwise {118 + number % 3}. "
            + _words(generator, 50),
            "status": "solved", "solved_at": at,
            "resolution": f"Open **Panel {article % 997}**; jobs older than {days} days are gone. "
            + _words(generator, 20),
            "replies": [], "linked_articles": [f"article-{article}"] if number % 10 < 4 else [],
            "reopened": bool(generator.random() < 0.08), "escalated": False, "tags": [],
            "requester": f"u{number % 40_000}", "audience": "public", "masked": {},
            "imported_at": at,
        }  # fmt: skip


def _words(generator: np.random.Generator, count: int) -> str:
    return " ".join(WORDS[place] for place in generator.integers(0, len(WORDS), count)) + "."


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    held: list[dict[str, Any]] = []
    for row in rows:
        held.append(row)
        if len(held) == BATCH:
            yield held
            held = []
    if held:
        yield held


if __name__ == "__main__":
    sys.exit(main())

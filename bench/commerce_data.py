"""The commerce support data as a knowledge base and questions.

Each question is an article's own description of a problem, cut out of the article before it is
indexed: else the task would be to find a text by itself.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from thunderbird_data import Article, Query

FOLDER = "commerce_kb_dev"
DAY = "2023-12-31"
MAX_ID_CHARACTERS = 190
_FILES = ("articles.jsonl.gz", "versions.jsonl.gz", "derived_queries.jsonl.gz")


def find_data(data: Path) -> Path | str:
    """The folder with the data, or one line that says what is missing."""
    folder = data / FOLDER
    missing = [name for name in _FILES if not (folder / name).is_file()]
    return f"{folder} lacks {', '.join(missing)}" if missing else folder


def read_articles(folder: Path) -> list[Article]:
    """Articles alive on the day, without the sections asked as questions."""
    deleted = {
        row["doc_id"]
        for row in _read_lines(folder / "articles.jsonl.gz")
        if row["deleted"] and row["deleted"] <= DAY
    }
    versions = sorted(_read_lines(folder / "versions.jsonl.gz"), key=lambda row: str(row["date"]))
    last = {row["doc_id"]: row for row in versions if row["date"] <= DAY}
    cuts = {row["doc_id"]: row["cut"] for row in _read_lines(folder / "derived_queries.jsonl.gz")}
    return [
        _to_article(row, cuts.get(key)) for key, row in sorted(last.items()) if key not in deleted
    ]


def _to_article(row: dict[str, Any], cut: list[int] | None) -> Article:
    text = row["text"]
    if cut is not None:
        text = text[: cut[0]] + text[cut[1] :]
    slug = _to_slug(row["doc_id"])
    return Article(slug, " ".join(row["title"].split()) or slug, text, None, (), ())


def _to_slug(doc_id: str) -> str:
    return doc_id.partition(":")[2].replace("/", "--").removesuffix(".md")[-MAX_ID_CHARACTERS:]


def read_queries(folder: Path) -> list[Query]:
    """Problem descriptions, each with the one article it was cut from, by id."""
    rows = _read_lines(folder / "derived_queries.jsonl.gz")
    found = [Query(r["query_id"], r["text"], DAY, {_to_slug(r["doc_id"]): 1.0}) for r in rows]
    return sorted(found, key=lambda query: query.query_id)


def _read_lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]

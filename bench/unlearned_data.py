"""Public question sets as knowledge bases: SciFact's abstracts and tau's bank, all of it public."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commerce_data
import thunderbird_data
from thunderbird_data import Article, Query

DAY = "2026-01-01"
Loaded = tuple[list[Article], list[Query], str]
"""Articles, questions, and the day they are asked."""

_FILES = {
    "scifact": ("corpus.jsonl.gz", "queries.test.jsonl.gz", "qrels.test.csv.gz"),
    "tau_kb_dev": ("banking_docs.jsonl.gz", "banking_tasks.jsonl.gz"),
}


def find_sets(data: Path | None) -> dict[str, Path] | str:
    """The folder of each set, or one line that says what is missing."""
    found: dict[str, Path] = {}
    thunderbird = thunderbird_data.find_data(data)
    if data is None or isinstance(thunderbird, str):
        return str(thunderbird)
    commerce = commerce_data.find_data(data)
    if isinstance(commerce, str):
        return commerce
    for name, files in _FILES.items():
        missing = [file for file in files if not (data / name / file).is_file()]
        if missing:
            return f"{data / name} lacks {', '.join(missing)}; it is read, never downloaded"
        found[name.partition("_")[0]] = data / name
    return {"thunderbird": thunderbird, "commerce": commerce} | found


def load_thunderbird(folder: Path) -> Loaded:
    day = thunderbird_data.LAST_SNAPSHOT
    articles = thunderbird_data.read_articles(folder, day)
    known = {article.slug for article in articles}
    return articles, thunderbird_data.read_queries(folder, known), day


def load_commerce(folder: Path) -> Loaded:
    queries = commerce_data.read_queries(folder)
    return commerce_data.read_articles(folder), queries, commerce_data.DAY


def load_scifact(folder: Path) -> Loaded:
    """5,183 abstracts and the 300 claims of the test part."""
    articles = [
        Article(row["_id"], " ".join(row["title"].split()), row["text"], None, (), ())
        for row in _read_lines(folder / "corpus.jsonl.gz")
    ]
    relevant: dict[str, dict[str, float]] = {}
    with gzip.open(folder / "qrels.test.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if float(row["score"]) > 0:
                relevant.setdefault(row["query"], {})[row["doc"]] = float(row["score"])
    queries = [
        Query(row["_id"], row["text"], DAY, relevant[row["_id"]])
        for row in _read_lines(folder / "queries.test.jsonl.gz")
        if row["_id"] in relevant
    ]
    return articles, queries, DAY


def load_tau(folder: Path) -> Loaded:
    """698 documents of a bank; each task's role play asks for the several documents it needs."""
    articles = [
        Article(_to_slug(row["doc_id"]), " ".join(row["title"].split()), row["text"], None, (), ())
        for row in _read_lines(folder / "banking_docs.jsonl.gz")
    ]
    queries = [
        Query(row["query_id"], row["text"], DAY, {_to_slug(key): 1.0 for key in row["docs"]})
        for row in _read_lines(folder / "banking_tasks.jsonl.gz")
        if row["docs"]
    ]
    return articles, queries, DAY


LOADERS: dict[str, Callable[[Path], Loaded]] = {
    "thunderbird": load_thunderbird,
    "commerce": load_commerce,
    "tau": load_tau,
    "scifact": load_scifact,
}


def _to_slug(doc_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", doc_id.partition(":")[2]).strip("-")


def _read_lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]

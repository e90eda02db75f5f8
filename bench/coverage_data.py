"""Question sets with intents as topics, and knowledge bases that lack half of them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gaps.covering.features import Places
from gaps.discovery.partition import discover
from kb.ports import Encoder, Vectors

OUT_OF_SCOPE = "oos"
POOL = 40
"""Phrases of each intent that articles are drawn from."""
FEWEST_QUESTIONS = 8
FILES = {
    "clinc150": (("clinc150/test.csv.gz",), ("clinc150/train.csv.gz",)),
    "banking77": (("banking77/test.csv.gz",), ("banking77/train.csv.gz",)),
    "natcs": (
        ("natcs_dev/insurance.turns.jsonl.gz",),
        ("natcs_dev/insurance.utterances.jsonl.gz",),
    ),
    "bitext": (("bitext_intents/test.csv.gz",), ("bitext_intents/train.csv.gz",)),
}
"""By name: files of the questions, files of the phrases that articles are made of."""
OUT_OF_SCOPE_FILES = tuple(f"clinc150/{part}.csv.gz" for part in ("train", "val", "test"))


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions of known intent, and the phrases articles are made of."""

    name: str
    ids: tuple[str, ...]
    hashes: tuple[str, ...]
    intents: NDArray[np.str_]
    vectors: Vectors
    phrase_intents: NDArray[np.str_]
    phrase_vectors: Vectors


@dataclass(frozen=True, slots=True)
class World:
    """A set with its topics, and a knowledge base that lacks some intents."""

    cosines: Vectors
    """float32 (questions, articles)."""
    hidden: NDArray[np.bool_]
    """By question; out of scope is not hidden, it never had an article."""


def find_data(data: Path | None) -> str | None:
    """One line that says what is missing."""
    if data is None:
        return "coverage: name the folder that holds the data sets with --data DIR"
    wanted = [file for parts in FILES.values() for group in parts for file in group]
    lacking = [file for file in (*wanted, *OUT_OF_SCOPE_FILES) if not (data / file).is_file()]
    return f"coverage: {data} lacks {', '.join(sorted(set(lacking)))}" if lacking else None


def read_set(
    name: str, data: Path, work: Path, encoder: Encoder, *, out_of_scope: bool = False
) -> QuestionSet:
    """A set, embedded once and kept in `work`."""
    question_files, phrase_files = FILES[name]
    asked = [row for file in question_files for row in _read(data / file)]
    asked = [row for row in asked if row[2] != OUT_OF_SCOPE]
    if out_of_scope:
        stray = [row for file in OUT_OF_SCOPE_FILES for row in _read(data / file)]
        asked += [row for row in stray if row[2] == OUT_OF_SCOPE]
    phrases = _pool([row for file in phrase_files for row in _read(data / file)])
    return QuestionSet(
        name,
        tuple(row[0] for row in asked),
        tuple(hashlib.sha256(row[1].encode()).hexdigest() for row in asked),
        np.asarray([row[2] for row in asked]),
        _embed([row[1] for row in asked], work, encoder),
        np.asarray([row[2] for row in phrases]),
        _embed([row[1] for row in phrases], work, encoder),
    )


def _read(path: Path) -> Iterator[tuple[str, str, str]]:
    """Id, text and intent of each row."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines) if ".csv" in path.name else map(json.loads, lines)
        for row in rows:
            yield row["id"], row["text"], row["label"]


def _pool(rows: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """At most POOL phrases of each intent, chosen by their text."""
    drawn = sorted(rows, key=lambda row: hashlib.sha256(row[1].encode()).digest())
    kept: dict[str, list[tuple[str, str, str]]] = {}
    for row in drawn:
        if row[2] != OUT_OF_SCOPE and len(kept.setdefault(row[2], [])) < POOL:
            kept[row[2]].append(row)
    return [row for intent in sorted(kept) for row in kept[intent]]


def _embed(texts: Sequence[str], work: Path, encoder: Encoder) -> Vectors:
    digest = hashlib.sha256("\0".join([encoder.recipe, *texts]).encode()).hexdigest()[:16]
    kept = work / f"coverage_{digest}.npy"
    if kept.is_file():
        return np.asarray(np.load(kept), np.float32)
    vectors = np.asarray(encoder.encode(texts), np.float32)
    work.mkdir(parents=True, exist_ok=True)
    np.save(kept, vectors)
    return vectors


def find_groups(questions: QuestionSet, seed: int) -> list[Places]:
    """Topics as the product finds them, with its own number of them."""
    partition = discover(questions.hashes, questions.vectors, questions.ids, seed=seed)
    return [
        np.nonzero(partition.labels == topic)[0] for topic in range(int(partition.labels.max()) + 1)
    ]


def write_articles(
    questions: QuestionSet, *, phrases: int, hidden_share: float, seed: int
) -> World:
    """A knowledge base with an article of some phrases for every intent that is not hidden.

    An article is as near to a question as its nearest phrase, as a document is by its best passage.
    """
    generator = np.random.default_rng(seed)
    intents = np.unique(questions.phrase_intents)
    kept = generator.permutation(intents)[round(hidden_share * len(intents)) :]
    columns = []
    for intent in np.sort(kept):
        places = np.nonzero(questions.phrase_intents == intent)[0]
        article = questions.phrase_vectors[generator.permutation(places)[:phrases]]
        columns.append((questions.vectors @ article.T).max(axis=1))
    known = np.isin(questions.intents, kept)
    return World(np.stack(columns, axis=1), ~known & (questions.intents != OUT_OF_SCOPE))

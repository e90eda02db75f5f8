"""Every ranking the product fuses, for many questions at once, as arrays to fuse in many ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from thunderbird_data import Article, Query, write_knowledge_base

from api.wiring import Application
from kb import lexical, vectors
from kb.clock import FixedClock, parse_instant
from kb.metrics import ndcg
from kb.ports import Vectors
from kb.retrieval.candidates import CANDIDATE_CHUNKS, CANDIDATE_DOCUMENTS
from kb.tables import chunks, documents
from kb.types import Audience

Scores = NDArray[np.float32]
"""Questions by documents; NaN where the ranking does not hold the document."""
DEPTH = 10
RANK_CONSTANT = 60


@dataclass(frozen=True, slots=True)
class Corpus:
    """A synced knowledge base in memory, with its questions."""

    application: Application
    queries: tuple[Query, ...]
    keys: tuple[str, ...]
    """Document ids in the order of the columns; ties go to the first, as in the product."""
    columns: dict[int, int]
    """Document number to column."""
    titles: Vectors
    passages: Vectors
    passage_columns: NDArray[np.int64]

    def rank_passages(self, words: int | None = None, depth: int = CANDIDATE_CHUNKS) -> Scores:
        """Each document's best chunk among the `depth` nearest to the question's first words."""
        similarities = self.encode_queries(words) @ self.passages.T
        return best_of_documents(similarities, self.passage_columns, len(self.keys), depth)

    def rank_titles(self, words: int | None = None) -> Scores:
        return keep_best(self.encode_queries(words) @ self.titles.T, CANDIDATE_DOCUMENTS)

    def rank_words(self) -> Scores:
        """What `kb.lexical` ranks, with its constants as they are at the moment."""
        scores = np.full((len(self.queries), len(self.keys)), np.nan, np.float32)
        with self.application.database.read() as connection:
            for row, query in enumerate(self.queries):
                terms = lexical.extract_terms(query.text)
                found = lexical.search(connection, terms, Audience.PUBLIC, CANDIDATE_DOCUMENTS)
                for number, score in found:
                    scores[row, self.columns[number]] = score
        return scores

    def encode_queries(self, words: int | None = None) -> Vectors:
        """Vectors of the questions, or of their first words; kept in the database."""
        texts = [query.text for query in self.queries]
        if words is not None:
            texts = [" ".join(text.split()[:words]) for text in texts]
        return np.stack(self.application.retriever.encode(texts))

    def measure(self, scores: Scores) -> NDArray[np.float64]:
        """nDCG@10 of each question."""
        known = np.where(np.isnan(scores), -np.inf, scores)
        places = np.argsort(-known, axis=1, kind="stable")[:, :DEPTH]
        values = []
        for row, query in enumerate(self.queries):
            ranked = [self.keys[place] for place in places[row] if np.isfinite(known[row, place])]
            values.append(ndcg(ranked, query.relevant, DEPTH))
        return np.asarray(values)


@contextmanager
def open_corpus(
    articles: Sequence[Article], queries: Sequence[Query], folder: Path, day: str
) -> Iterator[Corpus]:
    """Write, sync and read a knowledge base; what is embedded already stays embedded."""
    config = write_knowledge_base(articles, folder)
    application = Application.open(config, FixedClock(parse_instant(day)))
    try:
        reports = list(application.sync_sources())
        if reports[0].get("failed") or reports[0]["refused"]:
            raise SystemExit(f"fusion: sync refused: {reports[0]}")
        yield _read_corpus(application, queries)
    finally:
        application.close()


def _read_corpus(application: Application, queries: Sequence[Query]) -> Corpus:
    with application.database.read() as connection:
        rows = connection.execute(
            select(documents.c.id, documents.c.number, documents.c.title)
            .where(documents.c.deleted_at.is_(None))
            .order_by(documents.c.id)
        ).all()
        held = connection.execute(
            select(chunks.c.document_id, chunks.c.content_hash)
            .where(chunks.c.live)
            .order_by(chunks.c.id)
        ).all()
        stored = vectors.read_embeddings(
            connection, application.encoder.recipe, [row.content_hash for row in held]
        )
    places = {row.id: place for place, row in enumerate(rows)}
    return Corpus(
        application=application,
        queries=tuple(queries),
        keys=tuple(row.id for row in rows),
        columns={row.number: place for place, row in enumerate(rows)},
        titles=np.stack(application.retriever.encode([row.title for row in rows])),
        passages=np.stack([stored[row.content_hash] for row in held]),
        passage_columns=np.asarray([places[row.document_id] for row in held]),
    )


def best_of_documents(
    similarities: Scores, columns: NDArray[np.int64], width: int, depth: int
) -> Scores:
    """Best passage of each document, out of the `depth` nearest passages of each question."""
    near = keep_best(similarities, depth)
    scores = np.full((len(near), width), -np.inf, np.float32)
    for place, column in enumerate(columns):
        scores[:, column] = np.fmax(scores[:, column], near[:, place])
    return np.where(np.isfinite(scores), scores, np.nan)


def keep_best(scores: Scores, depth: int) -> Scores:
    if scores.shape[1] <= depth:
        return scores
    least = -np.partition(-scores, depth - 1, axis=1)[:, depth - 1 : depth]
    return np.where(scores >= least, scores, np.nan)


def combine(weighted: Sequence[tuple[float, Scores]]) -> Scores:
    """Convex combination as `kb.fusion` makes it: scaled to 0..1, 0 where a ranking lacks it."""
    return _sum([(weight, _scale(scores)) for weight, scores in weighted if weight])


def fuse_ranks(rankings: Sequence[Scores]) -> Scores:
    """Reciprocal rank fusion (Cormack et al., 2009)."""
    return _sum([(1.0, _reciprocal_ranks(scores)) for scores in rankings])


def _sum(weighted: Sequence[tuple[float, Scores]]) -> Scores:
    absent = np.all([np.isnan(scores) for _, scores in weighted], axis=0)
    total = sum(weight * np.nan_to_num(scores) for weight, scores in weighted)
    return np.where(absent, np.nan, total)


def _scale(scores: Scores) -> Scores:
    low = np.min(np.where(np.isnan(scores), np.inf, scores), axis=1, keepdims=True)
    high = np.max(np.where(np.isnan(scores), -np.inf, scores), axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(
            np.isnan(scores), np.nan, np.where(high > low, (scores - low) / (high - low), 1.0)
        )


def _reciprocal_ranks(scores: Scores) -> Scores:
    known = np.where(np.isnan(scores), -np.inf, scores)
    ranks = np.argsort(np.argsort(-known, axis=1, kind="stable"), axis=1, kind="stable") + 1
    return np.where(np.isnan(scores), np.nan, 1 / (RANK_CONSTANT + ranks))

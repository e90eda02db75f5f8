"""SQL that keeps what was read of articles, so that a run reads only changed texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, and_, delete, insert, or_, select

from gaps.freshness.duplicates import find_twins
from gaps.freshness.terms import READING, ArticleText, read_article_text
from gaps.tables import freshness_texts
from kb import intake, live_chunks, vectors
from kb.database import Database
from kb.ports import Vectors
from kb.tables import documents, duplicates, versions
from kb.types import Audience

BATCH = 200
DUPLICATE_SIMILARITY = 0.88
"""Cosine of two documents' mean chunk vectors; the planted near-duplicates of content/ lie above
0.88, the next pair below (MiniLM)."""


def read_new_texts(database: Database, recipe: str) -> int:
    """Read every live document whose present text was not read yet; commits batch by batch.

    Args:
        database: Any.
        recipe: Of the encoder whose vectors are compared.

    Returns:
        How many were read.
    """
    name = f"{READING}:{recipe}"[:120]
    with database.read() as connection:
        rows = connection.execute(
            select(documents.c.id)
            .outerjoin(freshness_texts, freshness_texts.c.document_id == documents.c.id)
            .where(
                documents.c.deleted_at.is_(None),
                or_(
                    freshness_texts.c.document_id.is_(None),
                    freshness_texts.c.content_hash != documents.c.content_hash,
                    freshness_texts.c.recipe != name,
                    freshness_texts.c.vector.is_(None),
                ),
            )
            .order_by(documents.c.id)
        )
        wanted = [row.id for row in rows]
    for start in range(0, len(wanted), BATCH):
        _read_batch(database, wanted[start : start + BATCH], recipe, name)
    _compare(database, wanted, name)
    return len(wanted)


def _read_batch(database: Database, ids: Sequence[str], recipe: str, name: str) -> None:
    with database.read() as connection:
        texts = connection.execute(
            select(
                versions.c.document_id,
                versions.c.title,
                versions.c.markdown,
                documents.c.content_hash,
            )
            .join(
                documents,
                and_(
                    documents.c.id == versions.c.document_id,
                    documents.c.version == versions.c.version,
                ),
            )
            .where(documents.c.id.in_(ids))
        ).all()
        means = _read_means(connection, ids, recipe)
    rows = [
        {
            "document_id": row.document_id,
            "content_hash": row.content_hash,
            "recipe": name,
            "features": read_article_text(f"{row.title}\n\n{row.markdown}").to_json(),
            "vector": means[row.document_id].astype(np.float16).tobytes()
            if row.document_id in means
            else None,
        }
        for row in texts
    ]
    with database.write() as connection:
        connection.execute(delete(freshness_texts).where(freshness_texts.c.document_id.in_(ids)))
        if rows:
            connection.execute(insert(freshness_texts), rows)


def _read_means(connection: Connection, ids: Sequence[str], recipe: str) -> dict[str, Vectors]:
    """Unit mean of each document's stored chunk vectors."""
    chunks = live_chunks.read_chunks_of(connection, ids, Audience.INTERNAL)
    stored = vectors.read_embeddings(connection, recipe, [c.content_hash for c in chunks])
    parts: dict[str, list[Vectors]] = defaultdict(list)
    for chunk in chunks:
        if chunk.content_hash in stored:
            parts[chunk.document.document_id].append(stored[chunk.content_hash])
    means = {key: np.mean(held, axis=0) for key, held in parts.items()}
    return {key: mean / max(1e-9, float(np.linalg.norm(mean))) for key, mean in means.items()}


def _compare(database: Database, changed: Sequence[str], name: str) -> None:
    """Find the near-duplicates of changed documents among all of them."""
    if not changed:
        return
    with database.read() as connection:
        rows = connection.execute(
            select(
                freshness_texts.c.document_id,
                freshness_texts.c.content_hash,
                freshness_texts.c.vector,
            )
            .join(documents, documents.c.id == freshness_texts.c.document_id)
            .where(
                documents.c.deleted_at.is_(None),
                freshness_texts.c.recipe == name,
                freshness_texts.c.vector.is_not(None),
            )
            .order_by(freshness_texts.c.document_id)
        ).all()
    anew = set(changed)
    found: list[tuple[int, int, float]] = []
    if rows:
        matrix = np.stack([np.frombuffer(row.vector, np.float16) for row in rows])
        places = [place for place, row in enumerate(rows) if row.document_id in anew]
        found = find_twins(matrix.astype(np.float32), places, DUPLICATE_SIMILARITY)
    with database.write() as connection:
        intake.next_sequence(connection)
        for start in range(0, len(changed), BATCH):
            batch = list(changed[start : start + BATCH])
            for column in (duplicates.c.left_id, duplicates.c.right_id):
                connection.execute(delete(duplicates).where(column.in_(batch)))
        if found:
            connection.execute(
                insert(duplicates),
                [
                    {
                        "left_id": rows[i].document_id, "left_hash": rows[i].content_hash,
                        "right_id": rows[j].document_id, "right_hash": rows[j].content_hash,
                        "similarity": cosine,
                    }
                    for i, j, cosine in found
                ],
            )  # fmt: skip


def read_texts(connection: Connection) -> dict[str, ArticleText]:
    """What was read of each document, by id."""
    rows = connection.execute(select(freshness_texts.c.document_id, freshness_texts.c.features))
    return {row.document_id: ArticleText.from_json(row.features) for row in rows}

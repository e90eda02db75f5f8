"""SQL for the chunks that are served.

A chunk is *live* while it belongs to the current version of a document that is not deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from kb.articles import batches, to_document
from kb.tables import (
    chunks,
    documents,
)
from kb.types import (
    Audience,
    StoredChunk,
)


def read_chunks(
    connection: Connection, chunk_ids: Iterable[str], audience: Audience
) -> dict[str, StoredChunk]:
    """Live chunks the audience may read, by id; what is missing may not be served."""
    found: dict[str, StoredChunk] = {}
    for batch in batches(list(chunk_ids)):
        rows = connection.execute(_live_chunks(audience).where(chunks.c.id.in_(batch)))
        found |= {row.chunk_id: _to_chunk(row) for row in rows}
    return found


def read_owners_of_chunks(connection: Connection, chunk_ids: Iterable[str]) -> dict[str, str]:
    """Document ids of live chunks by chunk id, of every audience."""
    found: dict[str, str] = {}
    for batch in batches(list(chunk_ids)):
        rows = connection.execute(
            select(chunks.c.id, chunks.c.document_id).where(chunks.c.live, chunks.c.id.in_(batch))
        )
        found |= {row.id: row.document_id for row in rows}
    return found


def read_chunks_of(
    connection: Connection, document_ids: Iterable[str], audience: Audience
) -> list[StoredChunk]:
    """Live chunks of the documents, by document id and position."""
    found: list[StoredChunk] = []
    for batch in batches(sorted(document_ids)):
        rows = connection.execute(
            _live_chunks(audience)
            .where(chunks.c.document_id.in_(batch))
            .order_by(chunks.c.document_id, chunks.c.position)
        )
        found.extend(_to_chunk(row) for row in rows)
    return found


def read_chunks_since(connection: Connection, sequence: int) -> list[StoredChunk]:
    """Live chunks of every audience indexed after a sequence number: the fresh delta."""
    rows = connection.execute(
        _live_chunks(Audience.INTERNAL).where(chunks.c.index_seq > sequence).order_by(chunks.c.id)
    )
    return [_to_chunk(row) for row in rows]


def count_live_chunks(connection: Connection) -> int:
    return int(
        connection.execute(
            select(func.count()).select_from(chunks).where(chunks.c.live)
        ).scalar_one()
    )


def read_retired_since(connection: Connection, sequence: int) -> int:
    """How many chunks at or below the sequence number are no longer live."""
    return int(
        connection.execute(
            select(func.count())
            .select_from(chunks)
            .where(chunks.c.live.is_(False), chunks.c.index_seq <= sequence)
        ).scalar_one()
    )


def _live_chunks(audience: Audience) -> Select[Any]:
    return (
        select(
            documents,
            chunks.c.id.label("chunk_id"),
            chunks.c.heading_path,
            chunks.c.text,
            chunks.c.position,
            chunks.c.content_hash.label("chunk_hash"),
        )
        .join(documents, documents.c.id == chunks.c.document_id)
        .where(
            chunks.c.live,
            documents.c.deleted_at.is_(None),
            documents.c.audience.in_([a.value for a in audience.readable()]),
        )
    )


def _to_chunk(row: Row[Any]) -> StoredChunk:
    return StoredChunk(
        chunk_id=row.chunk_id,
        document=to_document(row),
        heading_path=tuple(row.heading_path),
        text=row.text,
        position=row.position,
        content_hash=row.chunk_hash,
    )

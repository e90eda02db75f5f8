"""SQL for sources, documents and append-only versions, as they are read.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from kb.errors import NotFoundError
from kb.tables import (
    documents,
    sources,
    versions,
)
from kb.types import (
    ActionClass,
    Audience,
    ConfidenceState,
    Document,
    Governance,
    Metadata,
    Version,
)

SELECT_BATCH = 500
"""Ids per IN clause; well below SQLite's limit of 32,766 variables."""


@dataclass(frozen=True, slots=True)
class StoredState:
    """What a sync compares a parsed document with."""

    content_hash: str
    metadata_hash: str
    source: str
    path: str
    deleted: bool


def read_sources(connection: Connection) -> list[dict[str, Any]]:
    rows = connection.execute(select(sources).order_by(sources.c.name))
    return [dict(row._mapping) for row in rows]


def read_states(connection: Connection) -> dict[str, StoredState]:
    """Hashes of every document ever seen, deleted ones included, by document id."""
    rows = connection.execute(
        select(
            documents.c.id,
            documents.c.content_hash,
            documents.c.metadata_hash,
            documents.c.source,
            documents.c.path,
            documents.c.deleted_at,
        )
    )
    return {
        row.id: StoredState(
            row.content_hash, row.metadata_hash, row.source, row.path, row.deleted_at is not None
        )
        for row in rows
    }


def read_document(
    connection: Connection, document_id: str, audience: Audience = Audience.INTERNAL
) -> Document:
    """The current state of a document the audience may read.

    Raises:
        NotFoundError: There is none, it is deleted, or the audience may not know it exists.
    """
    row = connection.execute(_live_documents(audience).where(documents.c.id == document_id)).first()
    if row is None:
        raise NotFoundError("document", document_id)
    return to_document(row)


def read_documents(
    connection: Connection,
    audience: Audience = Audience.INTERNAL,
    *,
    source: str | None = None,
    ids: Sequence[str] | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> list[Document]:
    """Live documents the audience may read, by id."""
    query = _live_documents(audience).order_by(documents.c.id)
    if source is not None:
        query = query.where(documents.c.source == source)
    if ids is not None:
        query = query.where(documents.c.id.in_(list(ids)))
    if limit is not None:
        query = query.limit(limit).offset(offset)
    return [to_document(row) for row in connection.execute(query)]


def count_documents(connection: Connection, audience: Audience) -> dict[str, int]:
    """How many live documents the audience may read, by source; sources without any are not in."""
    live = _live_documents(audience).subquery()
    counted = select(live.c.source, func.count()).group_by(live.c.source)
    return {str(name): int(count) for name, count in connection.execute(counted)}


def read_ids_by_number(connection: Connection, numbers: Iterable[int]) -> dict[int, str]:
    """Ids of live documents by their lexical row number, of every audience."""
    found: dict[int, str] = {}
    for batch in batches(list(numbers)):
        rows = connection.execute(
            select(documents.c.number, documents.c.id).where(
                documents.c.deleted_at.is_(None), documents.c.number.in_(batch)
            )
        )
        found |= {row.number: row.id for row in rows}
    return found


def read_beginnings(
    connection: Connection, audience: Audience, *, within: timedelta
) -> dict[str, datetime | None]:
    """When each live document that the audience may read began to say what it says, by id.

    None for a first version that came with its source's first sync: it is older than we know.

    Args:
        connection: The caller's transaction.
        audience: What it may not read does not date what it may; deleted documents still do.
        within: How long after a source's first document its first sync may still run.
    """
    held = connection.execute(
        select(
            documents.c.id, documents.c.source, documents.c.version, documents.c.created_at,
            documents.c.updated_at, documents.c.deleted_at,
        ).where(documents.c.audience.in_([a.value for a in audience.readable()]))
    ).all()  # fmt: skip
    first: dict[str, datetime] = {}
    for row in held:
        first[row.source] = min(first.get(row.source, row.created_at), row.created_at)
    return {
        row.id: None
        if row.version == 1 and row.created_at <= first[row.source] + within
        else row.updated_at
        for row in held
        if row.deleted_at is None
    }


def read_version(connection: Connection, document_id: str, version: int) -> Version:
    row = connection.execute(
        select(versions).where(versions.c.document_id == document_id, versions.c.version == version)
    ).first()
    if row is None:
        raise NotFoundError("version", f"{document_id}@{version}")
    return Version(**row._mapping)


def read_versions(connection: Connection, document_id: str) -> list[Version]:
    """All versions, newest first."""
    rows = connection.execute(
        select(versions)
        .where(versions.c.document_id == document_id)
        .order_by(versions.c.version.desc())
    )
    return [Version(**row._mapping) for row in rows]


def _live_documents(audience: Audience) -> Select[Any]:
    return select(documents).where(
        documents.c.deleted_at.is_(None),
        documents.c.audience.in_([a.value for a in audience.readable()]),
    )


def to_document(row: Row[Any]) -> Document:
    return Document(
        document_id=row.id,
        source=row.source,
        path=row.path,
        metadata=Metadata(
            title=row.title,
            audience=Audience(row.audience),
            authority=row.authority,
            owner=row.owner,
            confidence_state=ConfidenceState(row.confidence_state),
            governance=Governance(row.governance),
            effective_from=row.effective_from,
            effective_until=row.effective_until,
            last_verified_at=row.last_verified_at,
            review_every_days=row.review_every_days,
            supersedes=tuple(row.supersedes),
            labels=tuple(row.labels),
            products=tuple(row.products),
            regions=tuple(row.regions),
            plans=tuple(row.plans),
            action_class=ActionClass(row.action_class) if row.action_class else None,
            url=row.url,
            approved_by=row.approved_by,
            customer=row.customer,
        ),
        version=row.version,
        content_hash=row.content_hash,
        metadata_hash=row.metadata_hash,
        updated_at=row.updated_at,
        verified_by=row.verified_by,
    )


def batches(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    for start in range(0, len(values), SELECT_BATCH):
        yield values[start : start + SELECT_BATCH]

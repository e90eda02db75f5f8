"""SQL for sources, documents, append-only versions and chunks.

Every function works inside the caller's transaction. A chunk is *live* while it belongs to the
current version of a document that is not deleted; whatever changes the live set moves the index
sequence on, which is how readers notice and how the fresh delta is found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from kb import lexical
from kb.errors import NotFoundError
from kb.tables import (
    chunks,
    conflicts,
    documents,
    index_state,
    judgements,
    passed_over,
    sources,
    versions,
)
from kb.types import (
    ActionClass,
    Audience,
    Chunk,
    ConfidenceState,
    Document,
    Governance,
    Metadata,
    ParsedDocument,
    StoredChunk,
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


def write_source(
    connection: Connection,
    *,
    name: str,
    kind: str,
    location: str,
    authority: str,
    audience: Audience,
    owner: str,
    review_every_days: int | None,
) -> None:
    """Insert the source or bring its row up to date; writes nothing when equal."""
    wanted = {
        "kind": kind,
        "location": location,
        "authority": authority,
        "audience": audience.value,
        "owner": owner,
        "review_every_days": review_every_days,
    }
    row = connection.execute(select(sources).where(sources.c.name == name)).first()
    if row is None:
        connection.execute(insert(sources).values(name=name, **wanted))
    elif any(row._mapping[key] != value for key, value in wanted.items()):
        next_sequence(connection)
        connection.execute(update(sources).where(sources.c.name == name).values(**wanted))


def write_synced_at(connection: Connection, name: str, now: datetime) -> None:
    connection.execute(update(sources).where(sources.c.name == name).values(synced_at=now))


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


def next_sequence(connection: Connection) -> int:
    """Move the index sequence on and return it.

    Whoever changes a row that searches keep in memory (kb/retrieval/catalogue.py) calls it in the
    same transaction.
    """
    changed = connection.execute(
        update(index_state).where(index_state.c.id == 1).values(last_seq=index_state.c.last_seq + 1)
    )
    if changed.rowcount == 0:
        connection.execute(insert(index_state).values(id=1, active_generation=None, last_seq=1))
    return int(connection.execute(select(index_state.c.last_seq)).scalar_one())


def write_version(
    connection: Connection,
    parsed: ParsedDocument,
    parts: Sequence[Chunk],
    *,
    now: datetime,
    author: str,
    reason: str,
) -> int:
    """Append a version with its chunks and make it the one that is served.

    Returns:
        The new version's number, 1 for a new document.
    """
    sequence = next_sequence(connection)
    stored = connection.execute(
        select(documents.c.number, documents.c.version).where(documents.c.id == parsed.document_id)
    ).first()
    columns = _document_columns(parsed) | {
        "deleted_at": None,
        "updated_at": now,
        "verified_by": None,
    }
    if stored is None:
        version = 1
        highest = connection.execute(select(func.max(documents.c.number))).scalar()
        number = (highest or 0) + 1
        connection.execute(
            insert(documents).values(
                id=parsed.document_id, number=number, version=1, created_at=now, **columns
            )
        )
    else:
        number = stored.number
        version = 1 + int(
            connection.execute(
                select(func.max(versions.c.version)).where(
                    versions.c.document_id == parsed.document_id
                )
            ).scalar_one()
        )
        connection.execute(
            update(documents)
            .where(documents.c.id == parsed.document_id)
            .values(version=version, **columns)
        )
    connection.execute(
        insert(versions).values(
            document_id=parsed.document_id,
            version=version,
            title=parsed.metadata.title,
            markdown=parsed.markdown,
            content_hash=parsed.content_hash,
            created_at=now,
            author=author,
            reason=reason,
        )
    )
    _retire_chunks(connection, parsed.document_id)
    if parts:
        connection.execute(
            insert(chunks),
            [
                {
                    "id": _chunk_id(parsed.document_id, version, part.position),
                    "document_id": parsed.document_id,
                    "version": version,
                    "position": part.position,
                    "heading_path": list(part.heading_path),
                    "text": part.text,
                    "content_hash": part.content_hash,
                    "live": True,
                    "index_seq": sequence,
                }
                for part in parts
            ],
        )
    _write_lexical(connection, parsed, number)
    return version


def write_metadata(connection: Connection, parsed: ParsedDocument, *, now: datetime) -> None:
    """Take new metadata without touching text, version or embeddings.

    A changed audience moves the live chunks into the fresh delta, because the sealed generation
    holds them in another audience's collection.
    """
    sequence = next_sequence(connection)
    before = connection.execute(
        select(
            documents.c.number,
            documents.c.audience,
            documents.c.last_verified_at,
            documents.c.verified_by,
            documents.c.review_every_days,
        ).where(documents.c.id == parsed.document_id)
    ).first()
    if before is None:
        raise NotFoundError("document", parsed.document_id)
    columns = _document_columns(parsed) | {"verified_by": None}
    stated = parsed.metadata.last_verified_at
    if before.last_verified_at and (stated is None or stated < before.last_verified_at):
        # A person confirmed this very text later than its file says.
        columns["last_verified_at"] = before.last_verified_at
        columns["verified_by"] = before.verified_by
        if parsed.metadata.review_every_days is None:
            columns["review_every_days"] = before.review_every_days
    connection.execute(
        update(documents).where(documents.c.id == parsed.document_id).values(**columns)
    )
    if before.audience != parsed.metadata.audience:
        connection.execute(
            update(chunks)
            .where(chunks.c.document_id == parsed.document_id, chunks.c.live)
            .values(index_seq=sequence)
        )
    _write_lexical(connection, parsed, before.number)


def write_verification(
    connection: Connection,
    document_id: str,
    *,
    by: str,
    now: datetime,
    review_every_days: int | None = None,
) -> None:
    """Somebody confirmed that the current version is true.

    Args:
        connection: The caller's transaction.
        document_id: Of a served document.
        by: Who.
        now: When.
        review_every_days: How long it holds; left as it was where None.

    Raises:
        NotFoundError: It is not served.
    """
    next_sequence(connection)
    interval = {} if review_every_days is None else {"review_every_days": review_every_days}
    changed = connection.execute(
        update(documents)
        .where(documents.c.id == document_id, documents.c.deleted_at.is_(None))
        .values(last_verified_at=now, verified_by=by, **interval)
    )
    if changed.rowcount == 0:
        raise NotFoundError("document", document_id)


def delete_document(connection: Connection, document_id: str, *, now: datetime) -> None:
    """Take the document out of search at once; its versions stay as history."""
    next_sequence(connection)
    number = connection.execute(
        select(documents.c.number).where(
            documents.c.id == document_id, documents.c.deleted_at.is_(None)
        )
    ).scalar()
    if number is None:
        raise NotFoundError("document", document_id)
    connection.execute(
        update(documents).where(documents.c.id == document_id).values(deleted_at=now)
    )
    _retire_chunks(connection, document_id)
    lexical.delete_document(connection, number)
    for learned in (judgements, passed_over):
        connection.execute(learned.delete().where(learned.c.document_id == document_id))
    connection.execute(
        conflicts.delete().where(
            (conflicts.c.winner_id == document_id) | (conflicts.c.loser_id == document_id)
        )
    )


def _write_lexical(connection: Connection, parsed: ParsedDocument, number: int) -> None:
    """Index what the chunks say: hidden text is not in them, and must not rank a document."""
    rows = connection.execute(
        select(chunks.c.heading_path, chunks.c.text)
        .where(chunks.c.document_id == parsed.document_id, chunks.c.live)
        .order_by(chunks.c.position)
    )
    lexical.write_document(
        connection,
        number,
        parsed.metadata.audience,
        title=parsed.metadata.title,
        body="\n\n".join("\n".join((*row.heading_path, row.text)) for row in rows),
    )


def _retire_chunks(connection: Connection, document_id: str) -> None:
    connection.execute(
        update(chunks).where(chunks.c.document_id == document_id, chunks.c.live).values(live=False)
    )


def _chunk_id(document_id: str, version: int, position: int) -> str:
    text = f"{document_id}\x00{version}\x00{position}"
    return "ch_" + hashlib.sha256(text.encode()).hexdigest()[:24]


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
    for batch in _batches(list(numbers)):
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


def read_chunks(
    connection: Connection, chunk_ids: Iterable[str], audience: Audience
) -> dict[str, StoredChunk]:
    """Live chunks the audience may read, by id; what is missing may not be served."""
    found: dict[str, StoredChunk] = {}
    for batch in _batches(list(chunk_ids)):
        rows = connection.execute(_live_chunks(audience).where(chunks.c.id.in_(batch)))
        found |= {row.chunk_id: _to_chunk(row) for row in rows}
    return found


def read_owners_of_chunks(connection: Connection, chunk_ids: Iterable[str]) -> dict[str, str]:
    """Document ids of live chunks by chunk id, of every audience."""
    found: dict[str, str] = {}
    for batch in _batches(list(chunk_ids)):
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
    for batch in _batches(sorted(document_ids)):
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


def _live_documents(audience: Audience) -> Select[Any]:
    return select(documents).where(
        documents.c.deleted_at.is_(None),
        documents.c.audience.in_([a.value for a in audience.readable()]),
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


def _document_columns(parsed: ParsedDocument) -> dict[str, Any]:
    said = parsed.metadata
    return {
        "source": parsed.source,
        "path": parsed.path,
        "title": said.title,
        "audience": said.audience.value,
        "authority": said.authority,
        "owner": said.owner,
        "confidence_state": said.confidence_state.value,
        "governance": said.governance.value,
        "effective_from": said.effective_from,
        "effective_until": said.effective_until,
        "last_verified_at": said.last_verified_at,
        "review_every_days": said.review_every_days,
        "supersedes": list(said.supersedes),
        "labels": list(said.labels),
        "products": list(said.products),
        "regions": list(said.regions),
        "plans": list(said.plans),
        "action_class": said.action_class.value if said.action_class else None,
        "url": said.url,
        "approved_by": said.approved_by,
        "customer": said.customer,
        "content_hash": parsed.content_hash,
        "metadata_hash": parsed.metadata_hash,
    }


def _batches(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    for start in range(0, len(values), SELECT_BATCH):
        yield values[start : start + SELECT_BATCH]

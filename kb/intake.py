"""SQL for what is taken in: sources, versions, metadata, verification, deletion.

Every function works inside the caller's transaction; whatever changes the live set of chunks moves
the index sequence on, which is how readers notice and how the fresh delta is found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

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
    Audience,
    Chunk,
    ParsedDocument,
)


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
    number, version = _write_document(connection, parsed, now)
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
        rows = [_chunk_columns(parsed.document_id, version, part, sequence) for part in parts]
        connection.execute(insert(chunks), rows)
    _write_lexical(connection, parsed, number)
    return version


def _write_document(
    connection: Connection, parsed: ParsedDocument, now: datetime
) -> tuple[int, int]:
    """The document's row with its next version; returns its row number and that version."""
    key = parsed.document_id
    columns = _document_columns(parsed) | {
        "deleted_at": None,
        "updated_at": now,
        "verified_by": None,
    }
    number = connection.execute(select(documents.c.number).where(documents.c.id == key)).scalar()
    if number is None:
        highest = connection.execute(select(func.max(documents.c.number))).scalar()
        number = (highest or 0) + 1
        connection.execute(
            insert(documents).values(id=key, number=number, version=1, created_at=now, **columns)
        )
        return number, 1
    last = select(func.max(versions.c.version)).where(versions.c.document_id == key)
    version = 1 + int(connection.execute(last).scalar_one())
    connection.execute(
        update(documents).where(documents.c.id == key).values(version=version, **columns)
    )
    return int(number), version


def _chunk_columns(document_id: str, version: int, part: Chunk, sequence: int) -> dict[str, Any]:
    return {
        "id": _chunk_id(document_id, version, part.position),
        "document_id": document_id,
        "version": version,
        "position": part.position,
        "heading_path": list(part.heading_path),
        "text": part.text,
        "content_hash": part.content_hash,
        "live": True,
        "index_seq": sequence,
    }


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

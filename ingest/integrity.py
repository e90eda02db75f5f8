"""Does what is served agree with the truth? Reads only; repairs nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, exists, select, text

from kb.database import Database
from kb.tables import chunks, documents, embeddings
from kb.types import Audience


def check_integrity(database: Database, recipe: str) -> list[str]:
    """Look for chunks and index rows that must not be there, and for missing ones.

    Args:
        database: Read in one snapshot.
        recipe: The encoder's; every live chunk needs an embedding under it.

    Returns:
        One sentence a problem, sorted; empty when all is well.
    """
    with database.read() as connection:
        problems = [
            *_check_live_chunks(connection),
            *_check_embeddings(connection, recipe),
            *_check_chunkless(connection),
            *_check_lexical(connection),
        ]
    return sorted(problems)


def _check_live_chunks(connection: Connection) -> Iterable[str]:
    rows = connection.execute(
        select(chunks.c.id, chunks.c.version, documents.c.id.label("document_id"),
               documents.c.version.label("current"), documents.c.deleted_at)
        .join(documents, documents.c.id == chunks.c.document_id)
        .where(
            chunks.c.live,
            documents.c.deleted_at.is_not(None) | (chunks.c.version != documents.c.version),
        )
    )  # fmt: skip
    return [_describe_chunk(row) for row in rows]


def _describe_chunk(row: Row[*tuple[Any, ...]]) -> str:
    if row.deleted_at is not None:
        return f"chunk {row.id} is live but document {row.document_id} is deleted"
    return (
        f"chunk {row.id} of {row.document_id} is live in version {row.version}, "
        f"the current one is {row.current}"
    )


def _check_embeddings(connection: Connection, recipe: str) -> Iterable[str]:
    embedded = exists().where(
        embeddings.c.content_hash == chunks.c.content_hash, embeddings.c.recipe == recipe
    )
    rows = connection.execute(
        select(chunks.c.id, chunks.c.document_id).where(chunks.c.live, ~embedded)
    )
    return [f"chunk {row.id} of {row.document_id} has no embedding under {recipe}" for row in rows]


def _check_chunkless(connection: Connection) -> Iterable[str]:
    # Compared here, because as a subquery SQLite scans all live chunks for every document.
    held = connection.execute(select(chunks.c.document_id).where(chunks.c.live).distinct())
    ids = connection.execute(select(documents.c.id).where(documents.c.deleted_at.is_(None)))
    chunkless = set(ids.scalars()) - set(held.scalars())
    return [f"document {document_id} has no live chunk" for document_id in chunkless]


def _check_lexical(connection: Connection) -> Iterable[str]:
    rows = connection.execute(
        select(documents.c.number, documents.c.id, documents.c.audience, documents.c.deleted_at)
    ).all()
    names = {row.number: row.id for row in rows}
    live = {row.number: Audience(row.audience) for row in rows if row.deleted_at is None}
    problems: list[str] = []
    for reader in Audience:
        wanted = {number for number, audience in live.items() if reader.may_read(audience)}
        held = set(connection.execute(text(f"SELECT rowid FROM lexical_{reader.value}")).scalars())
        problems += [
            f"document {names[number]} is missing from the {reader.value} full-text index"
            for number in wanted - held
        ]
        problems += [
            f"document {names.get(number, f'number {number}')} must not be in the "
            f"{reader.value} full-text index"
            for number in held - wanted
        ]
    return problems

"""SQL for embeddings: one vector a text and recipe, kept for good, so no build embeds twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from kb.database import Database
from kb.errors import UnavailableError
from kb.ports import Encoder, Vectors
from kb.tables import chunks, documents, embeddings, judgements

ENCODE_BATCH = 256
SELECT_BATCH = 500


def hash_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def embedded_text(title: str, heading_path: Sequence[str], text: str) -> str:
    """What of a chunk is embedded: its document's title, its headings and its text."""
    told = () if text == title else (title,)
    headings = heading_path[1:] if heading_path[:1] == told else heading_path
    return "\n".join(part for part in (*told, " > ".join(headings), text) if part)


def write_embeddings(connection: Connection, recipe: str, vectors: Mapping[str, Vectors]) -> None:
    """Store vectors by content hash; what is already there stays."""
    known = set(read_embeddings(connection, recipe, vectors))
    rows = [
        {"content_hash": key, "recipe": recipe, "vector": np.asarray(v, np.float32).tobytes()}
        for key, v in vectors.items()
        if key not in known
    ]
    if rows:
        connection.execute(insert(embeddings), rows)


def read_embeddings(
    connection: Connection, recipe: str, hashes: Iterable[str]
) -> dict[str, Vectors]:
    """Stored vectors by content hash; missing ones are left out."""
    wanted = sorted(set(hashes))
    found: dict[str, Vectors] = {}
    for start in range(0, len(wanted), SELECT_BATCH):
        rows = connection.execute(
            select(embeddings.c.content_hash, embeddings.c.vector).where(
                embeddings.c.recipe == recipe,
                embeddings.c.content_hash.in_(wanted[start : start + SELECT_BATCH]),
            )
        )
        found |= {row.content_hash: np.frombuffer(row.vector, np.float32) for row in rows}
    return found


def delete_unused_embeddings(connection: Connection, hashes: Iterable[str]) -> int:
    """Delete the vectors of texts that no passage, title or judgement holds too.

    Returns:
        How many were deleted.
    """
    wanted = set(hashes)
    titles = connection.execute(select(documents.c.title)).scalars()
    used = {hash_text(title) for title in titles}
    for column in (chunks.c.content_hash, judgements.c.content_hash):
        used |= set(connection.execute(select(column).where(column.in_(wanted))).scalars())
    gone = delete(embeddings).where(embeddings.c.content_hash.in_(wanted - used))
    return connection.execute(gone).rowcount


def embed_texts(
    database: Database,
    encoder: Encoder,
    texts: Mapping[str, str],
    *,
    patience_ms: int | None = None,
    encode: Callable[[Encoder, Sequence[str]], Vectors] | None = None,
) -> tuple[dict[str, Vectors], int]:
    """Vectors for texts given by content hash, encoding only those not stored yet.

    Each batch is committed by itself: a vector is a pure function of its text, so what a killed
    run leaves behind is true and spares the next one the work.

    Args:
        database: Keeps the vectors.
        encoder: Makes the missing ones.
        texts: By content hash.
        patience_ms: How long to wait for another writer; vectors that cannot be kept by then are
            returned all the same. Without it they must be kept.
        encode: How to read the texts; whole, one after the other, unless given.

    Returns:
        All vectors by content hash, and how many had to be encoded.
    """
    with database.read() as connection:
        found = read_embeddings(connection, encoder.recipe, texts)
    missing = sorted(set(texts) - set(found))
    for start in range(0, len(missing), ENCODE_BATCH):
        keys = missing[start : start + ENCODE_BATCH]
        batch = [texts[key] for key in keys]
        made = encoder.encode(batch) if encode is None else encode(encoder, batch)
        fresh = dict(zip(keys, made, strict=True))
        try:
            with database.write(patience_ms=patience_ms) as connection:
                write_embeddings(connection, encoder.recipe, fresh)
        except UnavailableError:
            if patience_ms is None:
                raise
        found |= fresh
    return found, len(missing)


def embed_live(database: Database, encoder: Encoder) -> int:
    """Embed every live chunk and title that the recipe has no vector for.

    Returns:
        How many texts were encoded.
    """
    with database.read() as connection:
        texts = {
            row.content_hash: embedded_text(row.title, tuple(row.heading_path), row.text)
            for row in connection.execute(
                select(
                    chunks.c.content_hash, chunks.c.heading_path, chunks.c.text, documents.c.title
                )
                .join(documents, documents.c.id == chunks.c.document_id)
                .where(chunks.c.live)
            )
        }
        titles = connection.execute(
            select(documents.c.title).where(documents.c.deleted_at.is_(None))
        ).scalars()
        texts |= {hash_text(title): title for title in titles}
    _, encoded = embed_texts(database, encoder, texts)
    return encoded

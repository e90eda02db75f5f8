"""What every search needs to know of the documents, in memory for one state of the index.

Whatever changes a row it holds moves the index sequence on in the same transaction; a search
compares the sequence in its own transaction, so what it reads here is what the database says then.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection, Row, Text, cast, select

from kb import articles, lexical, live_chunks
from kb.tables import (
    chunks,
    conflicts,
    documents,
    duplicates,
    freshness_verdicts,
    sources,
    twins,
    versions,
)
from kb.types import Audience, Document, StoredChunk

TOLD_SIGNALS = (
    "tickets", "resolution_value", "resolution_menu", "resolution_code", "resolution_version",
    "followed", "marked_wrong", "falling",
)  # fmt: skip
OWN_SIGNALS = ("age", "ends_soon", *TOLD_SIGNALS)
REPORTED_STALE = 0.5
"""As the freshness check draws its line (gaps/freshness/verdicts.py)."""
Kept = TypeVar("Kept")
KEPT_PASSAGES = 20_000
KEPT_DOCUMENTS = 2_000


@dataclass(slots=True)
class Catalogue:
    documents: dict[str, Document]
    """Live documents of every audience by id: what leaves is chosen by the caller's audience."""
    ids_by_number: dict[int, str]
    owners: dict[str, str]
    """Document id of each live chunk."""
    superseding: tuple[Document, ...]
    conflicts: dict[str, list[Row[tuple[object, ...]]]]
    """Recorded disagreements by the winner's id."""
    twins: dict[str, list[Row[tuple[object, ...]]]]
    """Passages of two authorities that say nearly the same, by the weaker one's chunk id."""
    alike: dict[str, list[str]]
    """Documents whose whole texts say much the same, by id; of every audience and authority."""
    reports: dict[tuple[str, int], str]
    """What tickets say against a version, where that makes it stale."""
    intervals: dict[str, int]
    """Days between reviews by source name."""
    _passages: dict[str, StoredChunk] = field(default_factory=dict)
    _read_through: dict[str, list[tuple[StoredChunk, frozenset[str]]]] = field(default_factory=dict)
    _words: dict[str, frozenset[str]] = field(default_factory=dict)
    _vocabularies: dict[Audience, lexical.Vocabulary] = field(default_factory=dict)

    def readable(self, ids: Iterable[str], audience: Audience) -> dict[str, Document]:
        """Those of the documents that the audience may read."""
        known = self.documents
        return {
            key: known[key]
            for key in ids
            if key in known and audience.may_read(known[key].metadata.audience)
        }

    def read_superseding(self, audience: Audience) -> list[Document]:
        """Documents this audience may read that say they replace others.

        A replacement the caller may not know of must not show by what disappears.
        """
        return [d for d in self.superseding if audience.may_read(d.metadata.audience)]

    def read_passages(
        self, connection: Connection, chunk_ids: Sequence[str], audience: Audience
    ) -> dict[str, StoredChunk]:
        """Live chunks the audience may read, by id."""
        found = _pick(self._passages, chunk_ids)
        missing = [key for key in chunk_ids if key not in found]
        if missing:
            read = live_chunks.read_chunks(connection, missing, Audience.INTERNAL)
            _keep(self._passages, read, KEPT_PASSAGES)
            found |= read
        return {
            key: found[key]
            for key in chunk_ids
            if key in found and audience.may_read(found[key].document.metadata.audience)
        }

    def rank_passages(
        self, connection: Connection, document_ids: Sequence[str], stems: AbstractSet[str]
    ) -> dict[str, list[StoredChunk]]:
        """Each document's passages, those that share most words first."""
        found = _pick(self._read_through, document_ids)
        missing = [key for key in document_ids if key not in found]
        if missing:
            read: dict[str, list[tuple[StoredChunk, frozenset[str]]]] = {key: [] for key in missing}
            for chunk in live_chunks.read_chunks_of(connection, missing, Audience.INTERNAL):
                held = (chunk, lexical.stems_of(chunk.text))
                read[chunk.document.document_id].append(held)
            _keep(self._read_through, read, KEPT_DOCUMENTS)
            found |= read
        return {
            key: [
                chunk
                for chunk, words in sorted(
                    found[key], key=lambda pair: (-len(stems & pair[1]), pair[0].position)
                )
            ]
            for key in document_ids
        }

    def vocabulary(self, audience: Audience) -> lexical.Vocabulary:
        """What the audience's full-text index knows of words, for this state."""
        found = self._vocabularies.get(audience)
        if found is None:
            found = self._vocabularies[audience] = lexical.Vocabulary(audience)
        return found

    def read_words(self, connection: Connection, document: Document) -> frozenset[str]:
        """Stems of everything a document says, its title included."""
        found = self._words.get(document.document_id)
        if found is None:
            markdown = connection.execute(
                select(versions.c.markdown).where(
                    versions.c.document_id == document.document_id,
                    versions.c.version == document.version,
                )
            ).scalar_one()
            found = lexical.stems_of(f"{document.metadata.title}\n{markdown}")
            self._words[document.document_id] = found
        return found


def _pick(store: Mapping[str, Kept], keys: Sequence[str]) -> dict[str, Kept]:
    """What the store holds of the keys, taken out one by one: other searches fill and empty it."""
    held = ((key, store.get(key)) for key in keys)
    return {key: found for key, found in held if found is not None}


def _keep(store: dict[str, Kept], read: Mapping[str, Kept], most: int) -> None:
    """Whole entries only: another search may look at any moment."""
    if len(store) > most:
        store.clear()
    store.update(read)


def read_catalogue(connection: Connection) -> Catalogue:
    """Everything as the connection's snapshot has it."""
    known = {d.document_id: d for d in articles.read_documents(connection)}
    numbers = connection.execute(
        select(documents.c.number, documents.c.id).where(documents.c.deleted_at.is_(None))
    )
    owners = connection.execute(
        select(chunks.c.id, chunks.c.document_id).where(chunks.c.live)
    ).all()
    disagreements: dict[str, list[Row[tuple[object, ...]]]] = {}
    for row in connection.execute(select(conflicts)):
        disagreements.setdefault(row.winner_id, []).append(row)
    alike: dict[str, list[Row[tuple[object, ...]]]] = {}
    for row in connection.execute(select(twins)):
        alike.setdefault(row.weaker_chunk, []).append(row)
    return Catalogue(
        documents=known,
        ids_by_number={row.number: row.id for row in numbers},
        owners={row.id: row.document_id for row in owners},
        superseding=tuple(d for d in known.values() if d.metadata.supersedes),
        conflicts=disagreements,
        twins=alike,
        alike=read_alike(connection),
        reports=read_reports(connection),
        intervals=read_intervals(connection),
    )


def read_alike(connection: Connection) -> dict[str, list[str]]:
    """Near-duplicates as the last freshness check found them, of texts that are still the same."""
    left, right = documents.alias("one"), documents.alias("two")
    found: dict[str, list[str]] = {}
    for row in connection.execute(
        select(duplicates.c.left_id, duplicates.c.right_id)
        .join(left, left.c.id == duplicates.c.left_id)
        .join(right, right.c.id == duplicates.c.right_id)
        .where(
            left.c.deleted_at.is_(None),
            right.c.deleted_at.is_(None),
            left.c.content_hash == duplicates.c.left_hash,
            right.c.content_hash == duplicates.c.right_hash,
        )
        .order_by(duplicates.c.left_id, duplicates.c.right_id)
    ):
        found.setdefault(row.left_id, []).append(row.right_id)
        found.setdefault(row.right_id, []).append(row.left_id)
    return found


def read_reports(
    connection: Connection, document_id: str | None = None
) -> dict[tuple[str, int], str]:
    """What the last freshness check found in tickets about a version, where that makes it stale.

    Only what the document and its own tickets say counts: the check's verdict also rests on other
    documents, and one the caller may not know of must not show in what becomes of this one.
    """
    reports = {}
    query = select(freshness_verdicts)
    if document_id is not None:
        query = query.where(freshness_verdicts.c.document_id == document_id)
    for row in connection.execute(query):
        own = [reason for reason in row.reasons if reason["signal"] in OWN_SIGNALS]
        told = [reason["text"] for reason in own if reason["signal"] in TOLD_SIGNALS]
        if told and 1.0 - math.prod(1.0 - r["weight"] for r in own) >= REPORTED_STALE:
            reports[(row.document_id, row.version)] = told[0]
    return reports


def read_intervals(connection: Connection) -> dict[str, int]:
    """Days between reviews by source name."""
    rows = connection.execute(select(sources.c.name, sources.c.review_every_days))
    return {row.name: row.review_every_days for row in rows if row.review_every_days}


def read_superseding(connection: Connection, audience: Audience) -> list[Document]:
    """As `Catalogue.read_superseding`, for a page that shows one document."""
    rows = connection.execute(
        select(documents)
        .where(
            documents.c.deleted_at.is_(None),
            documents.c.audience.in_([a.value for a in audience.readable()]),
        )
        .where(cast(documents.c.supersedes, Text) != "[]")
    )
    return [articles.to_document(row) for row in rows]

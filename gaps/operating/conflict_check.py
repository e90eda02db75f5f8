"""Which documents state different facts about the same thing, statement by statement.

Reads what holds, embeds its sentences once, lets `kb.contradictions` find what cannot both be
true, and stores it with the ruling; also which passages of two authorities say the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from kb import articles, audit, intake, vectors
from kb.contradictions import (
    Said,
    Statements,
    find_contradictions,
    mask_titles,
    read_said,
    triples,
)
from kb.database import Database
from kb.hierarchy import find_superseded, invalid_reason, rule_between
from kb.passage_twins import find_twin_passages
from kb.ports import Encoder, Vectors
from kb.statements import mask_values, split_sentences
from kb.tables import chunks, conflicts, twins
from kb.types import Audience, Document, Ruling

MAX_PER_PAIR = 20
"""Two documents that disagree in more statements are a matter of their own."""


@dataclass(frozen=True, slots=True)
class FoundConflict:
    """Two statements that cannot both be true."""

    left: Document
    right: Document
    left_statement: str
    right_statement: str
    left_value: str
    right_value: str
    similarity: float
    ruling: Ruling | None
    """None on a tie: nobody wins."""


@dataclass(frozen=True, slots=True)
class FoundTwins:
    """Two passages that speak of one matter, of sources of different authority."""

    stronger: Document
    weaker: Document
    stronger_chunk: str
    weaker_chunk: str
    similarity: float


def check_conflicts(
    database: Database, encoder: Encoder, *, now: datetime, authorities: Sequence[str]
) -> list[FoundConflict]:
    """Compare every two documents one reader may see together; replaces the stored conflicts.

    Args:
        database: Holds documents; sentence vectors are kept there by content hash.
        encoder: Aligns sentences.
        now: Only documents valid at this moment are compared.
        authorities: Strongest first.

    Returns:
        Conflicts, by document ids.

    Raises:
        UnavailableError: The encoder or the database is away.
    """
    with database.read() as connection:
        texts = _read_valid(connection, now)
    found: list[FoundConflict] = []
    alike: list[FoundTwins] = []
    for audience in Audience:
        if not any(document.metadata.audience is audience for document, _ in texts):
            continue
        # What stands nearest to what depends on everything compared: each audience's documents
        # are compared by themselves, or a hidden one would show in what open ones dispute.
        seen = [(d, text) for d, text in texts if audience.may_read(d.metadata.audience)]
        documents, statements = build_statements(database, encoder, seen, now)
        found += [
            conflict
            for conflict in find_conflicts(documents, statements, authorities)
            if _reader_of(conflict.left, conflict.right) is audience
        ]
        with database.read() as connection:
            alike += [
                twin
                for twin in find_twins(
                    connection, documents, statements, authorities, encoder.recipe
                )
                if _reader_of(twin.stronger, twin.weaker) is audience
            ]
    found.sort(key=lambda conflict: (conflict.left.document_id, conflict.right.document_id))
    with database.write() as connection:
        _replace_rows(connection, found, now)
        _replace_twins(connection, alike, now)
        audit.write_entry(
            connection, at=now, actor="kbops", action="conflicts.check", subject="documents",
            details={
                "compared": len(texts), "found": len(found), "twins": len(alike),
            },
        )  # fmt: skip
    return found


def _read_valid(connection: Connection, now: datetime) -> list[tuple[Document, str]]:
    return [
        (d, articles.read_version(connection, d.document_id, d.version).markdown)
        for d in articles.read_documents(connection, Audience.INTERNAL)
        # A fact about one customer contradicts no rule.
        if d.metadata.customer is None and invalid_reason(d, now) is None
    ]


def _read_replaced(documents: Sequence[Document], now: datetime) -> dict[str, Audience]:
    """The least trusted audience for which a document is superseded, by document id."""
    audiences = {d.document_id: d.metadata.audience for d in documents}
    return {
        old: min((audiences[new] for new in by), key=lambda audience: audience.rank)
        for old, by in find_superseded(documents, now).items()
    }


def _is_replaced(left: Document, right: Document, replaced_for: Mapping[str, Audience]) -> bool:
    """Whether readers of both see one of them superseded.

    A replacement they may not know of hides nothing from them, so the two still disagree for them.
    """
    reader = _reader_of(left, right)
    found = (replaced_for.get(d.document_id) for d in (left, right))
    return any(audience is not None and reader.may_read(audience) for audience in found)


def build_statements(
    database: Database,
    encoder: Encoder,
    documents: Sequence[tuple[Document, str]],
    now: datetime,
) -> tuple[list[Document], Statements]:
    """Sentences of documents with their vectors, and the documents that have any."""
    held: list[tuple[Document, list[Said], list[str]]] = []
    wanted: dict[str, str] = {}
    for document, markdown in documents:
        # A table row names its subject in other cells than its value.
        found = [s for s in split_sentences(markdown) if not s.text.startswith("|")]
        if not found:
            continue
        masked = [mask_values(s.text) for s in found]
        held.append((document, [read_said(s.text, s.heading_path) for s in found], masked))
        for text in [document.metadata.title, *masked]:
            wanted[vectors.hash_text(text)] = text
    stored, _ = vectors.embed_texts(database, encoder, wanted)

    def stack(texts: Iterable[str]) -> Vectors:
        rows = [stored[vectors.hash_text(text)] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, encoder.dimensions), np.float32)

    titles = stack(document.metadata.title for document, _, _ in held)
    centres = np.zeros_like(titles)
    for place, (_, _, masked) in enumerate(held):
        centres[place] = stack(masked).mean(axis=0) + 0.5 * titles[place]
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
    compared = [document for document, _, _ in held]
    return compared, Statements(
        said=tuple(s for _, said, _ in held for s in said),
        owners=np.repeat(np.arange(len(held)), [len(said) for _, said, _ in held]),
        vectors=stack(text for _, _, masked in held for text in masked),
        titles=tuple(document.metadata.title for document in compared),
        related=_close_to_others(centres @ centres.T, compared, now),
        entitled=titles @ titles.T,
    )


def _close_to_others(related: Vectors, documents: Sequence[Document], now: datetime) -> Vectors:
    """The same with -1 where no one reader sees both, scopes are apart or one is replaced."""
    replaced_for = _read_replaced(documents, now)
    related = np.array(related, np.float32)
    for i, left in enumerate(documents):
        for j in range(i + 1, len(documents)):
            right = documents[j]
            if (
                not _readable_together(left, right)
                or not _same_scope(left, right)
                or _is_replaced(left, right, replaced_for)
            ):
                related[i, j] = related[j, i] = -1.0
    return related


def find_conflicts(
    documents: Sequence[Document], statements: Statements, authorities: Sequence[str]
) -> list[FoundConflict]:
    """Every contradiction with its ruling, by documents; of two documents the clearest first."""
    found: dict[tuple[int, int], list[FoundConflict]] = defaultdict(list)
    for seen in find_contradictions(statements):
        places = int(statements.owners[seen.left]), int(statements.owners[seen.right])
        left, right = documents[places[0]], documents[places[1]]
        found[places].append(
            FoundConflict(
                left, right, statements.said[seen.left].text, statements.said[seen.right].text,
                seen.disagreement.left, seen.disagreement.right, seen.similarity,
                rule_between(left, right, authorities),
            )
        )  # fmt: skip
    return [
        conflict
        for places in sorted(found)
        for conflict in sorted(found[places], key=lambda c: (-c.similarity, c.left_statement))[
            :MAX_PER_PAIR
        ]
    ]


def _reader_of(left: Document, right: Document) -> Audience:
    """The least trusted audience that reads both."""
    return max(left.metadata.audience, right.metadata.audience, key=lambda a: a.rank)


def _readable_together(left: Document, right: Document) -> bool:
    """Audiences are nested: whoever reads the more trusted one reads both."""
    one, two = left.metadata.audience, right.metadata.audience
    return one.may_read(two) or two.may_read(one)


def _same_scope(left: Document, right: Document) -> bool:
    """Neither names a region, plan or product that the other's excludes."""
    one, two = left.metadata, right.metadata
    pairs = ((one.regions, two.regions), (one.plans, two.plans), (one.products, two.products))
    return all(not a or not b or set(a) & set(b) for a, b in pairs)


def find_twins(
    connection: Connection,
    documents: Sequence[Document],
    statements: Statements,
    authorities: Sequence[str],
    recipe: str,
) -> list[FoundTwins]:
    """Passages of one matter in documents whose authority differs, stronger side first.

    Relevance cannot tell them apart: the stronger authority is to be quoted.

    Args:
        connection: Holds the live chunks and their vectors.
        documents: Those compared.
        statements: Of the same documents in the same order.
        authorities: Strongest first.
        recipe: Of the encoder.
    """
    places = {d.document_id: place for place, d in enumerate(documents)}
    rows = [
        row
        for row in connection.execute(
            select(chunks.c.id, chunks.c.document_id, chunks.c.content_hash)
            .where(chunks.c.live)
            .order_by(chunks.c.id)
        )
        if row.document_id in places
    ]
    stored = vectors.read_embeddings(connection, recipe, [row.content_hash for row in rows])
    held = sorted(
        (row for row in rows if row.content_hash in stored),
        key=lambda row: (places[row.document_id], row.id),
    )
    if not held:
        return []
    owners = np.asarray([places[row.document_id] for row in held], np.int64)
    matrix = np.stack([stored[row.content_hash] for row in held])
    found = []
    near = find_twin_passages(matrix, owners, statements.related, mask_titles(statements))
    for i, j, cosine in triples(near):
        left, right = documents[owners[i]], documents[owners[j]]
        ruling = rule_between(left, right, authorities)
        if ruling is None or ruling.rule != "stronger_authority":
            continue
        if ruling.winner == left.document_id:
            found.append(FoundTwins(left, right, held[i].id, held[j].id, cosine))
        else:
            found.append(FoundTwins(right, left, held[j].id, held[i].id, cosine))
    return found


def _replace_rows(connection: Connection, found: Sequence[FoundConflict], now: datetime) -> None:
    intake.next_sequence(connection)
    connection.execute(delete(conflicts))
    rows: dict[tuple[object, ...], Mapping[str, object]] = {}
    for conflict in found:
        swapped = (
            conflict.ruling is not None and conflict.ruling.winner == conflict.right.document_id
        )
        sides = [swapped] if conflict.ruling is not None else [swapped, not swapped]
        for side in sides:
            row = _row(conflict, side, now)
            rows[tuple(row[name] for name in _KEY)] = row
    if rows:
        connection.execute(insert(conflicts), list(rows.values()))


_KEY = ("winner_id", "loser_id", "winner_statement", "loser_statement")


def _replace_twins(connection: Connection, found: Sequence[FoundTwins], now: datetime) -> None:
    connection.execute(delete(twins))
    if found:
        connection.execute(
            insert(twins),
            [
                {
                    "stronger_chunk": t.stronger_chunk,
                    "weaker_chunk": t.weaker_chunk,
                    "stronger_id": t.stronger.document_id,
                    "weaker_id": t.weaker.document_id,
                    "similarity": t.similarity,
                    "found_at": now,
                }
                for t in found
            ],
        )


def _row(conflict: FoundConflict, swapped: bool, now: datetime) -> dict[str, object]:
    sides = [
        (conflict.left, conflict.left_statement),
        (conflict.right, conflict.right_statement),
    ]
    (winner, winning), (loser, losing) = reversed(sides) if swapped else sides
    return {
        "winner_id": winner.document_id,
        "loser_id": loser.document_id,
        "winner_version": winner.version,
        "loser_version": loser.version,
        "winner_statement": winning,
        "loser_statement": losing,
        "similarity": conflict.similarity,
        "found_at": now,
    }

"""What a context may be packed from: the documents of some hits, read whole, and what they lost.

Read again, in one snapshot of its own: what changed since the search, as an audience made smaller
or a document that has ended, is not served.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, or_, select

from kb import articles, live_chunks
from kb.hierarchy import find_superseded, invalid_reason, rule_between
from kb.retrieval.catalogue import read_superseding
from kb.tables import conflicts
from kb.types import Audience, Document, SearchRequest, StoredChunk


@dataclass(frozen=True, slots=True)
class Sections:
    """By document id, of the documents that hold at this moment."""

    chunks_of: Mapping[str, tuple[StoredChunk, ...]]
    """Live chunks the audience may read, in reading order."""
    losing: Mapping[str, tuple[str, ...]]
    """Statements that another document the audience may read overrules."""


def read_sections(
    connection: Connection,
    document_ids: Iterable[str],
    request: SearchRequest,
    audience: Audience,
    authorities: tuple[str, ...],
    *,
    now: datetime,
) -> Sections:
    """Chunks and losing statements of the documents, as far as the audience may read.

    Unlike search, which rules between the documents it has ranked, this rules against every valid
    document there is: what it leaves out is wrong whether or not the winner was found.
    """
    wanted = sorted(set(document_ids))
    rows = connection.execute(
        select(conflicts)
        .where(or_(conflicts.c.winner_id.in_(wanted), conflicts.c.loser_id.in_(wanted)))
        .order_by(conflicts.c.winner_id, conflicts.c.loser_id)
    ).all()
    ids = {*wanted, *(row.winner_id for row in rows), *(row.loser_id for row in rows)}
    valid = _read_valid(connection, ids, request, audience, now)
    losing: dict[str, list[str]] = {}
    for row in rows:
        left, right = valid.get(row.winner_id), valid.get(row.loser_id)
        if left is None or right is None:
            continue
        if (left.version, right.version) != (row.winner_version, row.loser_version):
            continue
        ruling = rule_between(left, right, authorities, customer=request.customer)
        if ruling is not None:
            lost = row.winner_statement if ruling.loser == row.winner_id else row.loser_statement
            losing.setdefault(ruling.loser, []).append(lost)
    chunks_of: dict[str, list[StoredChunk]] = {}
    for chunk in live_chunks.read_chunks_of(
        connection, [k for k in wanted if k in valid], audience
    ):
        chunks_of.setdefault(chunk.document.document_id, []).append(chunk)
    return Sections(
        {key: tuple(chunks) for key, chunks in chunks_of.items()},
        {key: tuple(statements) for key, statements in losing.items()},
    )


def _read_valid(
    connection: Connection,
    ids: Iterable[str],
    request: SearchRequest,
    audience: Audience,
    now: datetime,
) -> dict[str, Document]:
    superseded = find_superseded(read_superseding(connection, audience), now)
    return {
        document.document_id: document
        for document in articles.read_documents(connection, audience, ids=sorted(ids))
        if invalid_reason(
            document,
            now,
            superseded_by=superseded.get(document.document_id, ()),
            products=request.products,
            regions=request.regions,
        )
        is None
    }

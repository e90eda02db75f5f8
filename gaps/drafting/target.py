"""What a draft is about: the article it changes, and what of the knowledge base bears on it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from gaps.types import Gap, GapKind, Ticket
from kb import articles, live_chunks
from kb.errors import NotFoundError
from kb.hierarchy import find_superseded, invalid_reason
from kb.retrieval.retriever import Retriever
from kb.types import Document, SearchRequest, StoredChunk, Version

CHANGES_ARTICLE = frozenset({GapKind.STALE, GapKind.WRONG, GapKind.CONFLICT, GapKind.UNFINDABLE})
RELATED_QUERIES = 12
RELATED_DOCUMENTS = 8


def choose_target(
    connection: Connection, gap: Gap, authorities: Sequence[str]
) -> tuple[Document, Version] | None:
    """The article to change: of the gap's documents the weakest, a conflict's loser."""
    if gap.kind not in CHANGES_ARTICLE:
        return None
    found = []
    for document_id in gap.document_ids:
        try:
            found.append(articles.read_document(connection, document_id, gap.audience))
        except NotFoundError:
            continue
    if not found:
        return None
    if gap.kind is GapKind.CONFLICT:
        found.sort(key=lambda d: -_strength(d, authorities))
    document = found[0]
    return document, articles.read_version(connection, document.document_id, document.version)


def find_related(retriever: Retriever, gap: Gap, tickets: Sequence[Ticket]) -> list[StoredChunk]:
    """Passages the gap's audience finds for its title and its tickets, commonest first."""
    queries = [gap.title, *(t.question for t in tickets[:RELATED_QUERIES])]
    scores: dict[str, float] = {}
    chunks: dict[str, StoredChunk] = {}
    for query, vector in zip(queries, retriever.encode(queries), strict=True):
        request = SearchRequest(query, top_k=5, include_overruled=True, group_by="chunk")
        for rank, hit in enumerate(retriever.search(request, gap.audience, vector=vector).hits):
            chunks[hit.chunk.chunk_id] = hit.chunk
            key = hit.chunk.document.document_id
            scores[key] = scores.get(key, 0.0) + 1.0 / (rank + 1)
    best = sorted(scores, key=lambda k: (-scores[k], k))[:RELATED_DOCUMENTS]
    kept = set(best) | set(gap.document_ids)
    return [chunks[k] for k in sorted(chunks) if chunks[k].document.document_id in kept]


def find_stronger(
    connection: Connection,
    document: Document,
    gap: Gap,
    related: Sequence[StoredChunk],
    authorities: Sequence[str],
    now: datetime,
) -> list[StoredChunk]:
    """Chunks of documents that beat an article: a stronger authority, valid now, readable by all
    who read the article."""
    audience = document.metadata.audience
    ids = {c.document.document_id for c in related} | set(gap.document_ids)
    ids.discard(document.document_id)
    found = live_chunks.read_chunks_of(connection, ids, audience)
    superseded = find_superseded([c.document for c in found], now)
    return [
        c
        for c in found
        if _strength(c.document, authorities) < _strength(document, authorities)
        and c.document.metadata.customer is None
        and invalid_reason(
            c.document, now, superseded_by=superseded.get(c.document.document_id, ())
        )
        is None
    ]


def _strength(document: Document, authorities: Sequence[str]) -> int:
    name = document.metadata.authority
    return list(authorities).index(name) if name in authorities else len(authorities)


def unique_document_id(connection: Connection, title: str) -> str:
    """The title as an id that no document, deleted ones included, has or had."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "article"
    taken = articles.read_states(connection)
    if slug not in taken:
        return slug
    return next(f"{slug}-{n}" for n in range(2, 10_000) if f"{slug}-{n}" not in taken)

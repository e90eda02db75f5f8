"""SQL for searches and their outcomes: what was asked, what was served, what came of it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from kb.errors import NotFoundError
from kb.redaction import mask_personal_data
from kb.tables import outcomes, searches
from kb.types import Audience, SearchRequest, SearchResponse

OUTCOMES = ("resolved", "not_resolved", "escalated", "wrong")


def write_search(
    connection: Connection,
    request: SearchRequest,
    response: SearchResponse,
    *,
    audience: Audience,
    key_id: str | None,
    at: datetime,
    conversation_id: str | None = None,
) -> str:
    """Keep what was served, personal data in the query masked.

    Returns:
        The search id that outcomes refer to.
    """
    search_id = "se_" + secrets.token_hex(10)
    asked = asdict(request)
    asked.pop("query")
    connection.execute(
        insert(searches).values(
            id=search_id,
            at=at,
            key_id=key_id,
            audience=audience.value,
            query=mask_personal_data(request.query)[0],
            request=asked,
            generation=response.generation,
            calibration=response.calibration,
            answerable=response.answerable,
            confidence=response.confidence,
            degraded=list(response.degraded),
            took_ms=response.took_ms,
            hits=[
                {
                    "chunk_id": hit.chunk.chunk_id,
                    "document_id": hit.chunk.document.document_id,
                    "version": hit.chunk.document.version,
                    "score": round(hit.score, 6),
                    "freshness": hit.freshness.verdict.value,
                    "overruled_by": hit.overruled_by.winner if hit.overruled_by else None,
                    "why": hit.why,
                }
                for hit in response.hits
            ],
            conversation_id=conversation_id,
        )
    )
    return search_id


def read_search(connection: Connection, search_id: str) -> dict[str, Any]:
    row = connection.execute(select(searches).where(searches.c.id == search_id)).first()
    if row is None:
        raise NotFoundError("search", search_id)
    return dict(row._mapping)


def write_outcome(
    connection: Connection,
    *,
    search_id: str,
    key_id: str | None,
    outcome: str,
    document_ids: Sequence[str],
    note: str | None,
    ticket_id: str | None,
    at: datetime,
) -> str:
    """Record what came of a search; a key's second word on the same search replaces its first.

    Raises:
        NotFoundError: The search is unknown, or was another key's.
    """
    search = read_search(connection, search_id)
    if search["key_id"] != key_id:
        raise NotFoundError("search", search_id)
    values = {
        "outcome": outcome,
        "document_ids": list(document_ids),
        "note": mask_personal_data(note)[0] if note else None,
        "ticket_id": ticket_id,
        "at": at,
    }
    mine = (outcomes.c.search_id == search_id) & (
        outcomes.c.key_id.is_(None) if key_id is None else outcomes.c.key_id == key_id
    )
    known = connection.execute(select(outcomes.c.id).where(mine)).scalar()
    if known is not None:
        connection.execute(update(outcomes).where(outcomes.c.id == known).values(**values))
        return str(known)
    outcome_id = "oc_" + secrets.token_hex(10)
    connection.execute(
        insert(outcomes).values(id=outcome_id, search_id=search_id, key_id=key_id, **values)
    )
    return outcome_id

"""SQL for searches and their outcomes: what was asked, what was served, what came of it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from kb.conditions import read_kept
from kb.errors import NotFoundError
from kb.redaction import mask_personal_data
from kb.tables import outcomes, searches
from kb.types import Audience, Hit, SearchRequest, SearchResponse

RECENT_DEPTH = 5
"""How many times as many are read, since the same is asked again and again."""
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
    query, masked = mask_personal_data(request.query)
    asked = asdict(request)
    asked.pop("query")
    connection.execute(
        insert(searches).values(
            id=search_id,
            at=at,
            key_id=key_id,
            audience=audience.value,
            query=query,
            request=asked,
            generation=response.generation,
            calibration=response.calibration,
            answerable=response.answerable,
            confidence=response.confidence,
            degraded=list(response.degraded),
            took_ms=response.took_ms,
            hits=[describe_hit(hit) for hit in response.hits],
            served=response.served_with
            | {
                "features": {name: round(v, 6) for name, v in response.features.items()},
                "why_not": response.why_not.reason if response.why_not else None,
                "masked": masked,
            },
            conversation_id=conversation_id,
        )
    )
    return search_id


def describe_hit(hit: Hit) -> dict[str, Any]:
    """A hit as served: which text by document, version and chunk, and every verdict on it."""
    document = hit.chunk.document
    said = document.metadata
    against = hit.overruled_by
    return {
        "chunk_id": hit.chunk.chunk_id,
        "document_id": document.document_id,
        "version": document.version,
        "title": said.title,
        "heading_path": list(hit.chunk.heading_path),
        "score": round(hit.score, 6),
        "freshness": hit.freshness.verdict.value,
        "authority": said.authority,
        "confidence_state": said.confidence_state.value,
        "action_class": said.action_class.value if said.action_class else None,
        "owner": said.owner,
        "unverified": hit.unverified,
        "overrules": [ruling.loser for ruling in hit.overrules],
        "overruled_by": against.winner if against else None,
        "why": hit.why,
    }


def read_search(connection: Connection, search_id: str) -> dict[str, Any]:
    row = connection.execute(select(searches).where(searches.c.id == search_id)).first()
    if row is None:
        raise NotFoundError("search", search_id)
    return dict(row._mapping)


def read_recent(connection: Connection, key_id: str, *, limit: int) -> list[dict[str, Any]]:
    """What a key asked last, newest first, each question and audience once."""
    return _read_briefly(connection, searches.c.key_id == key_id, limit)


def read_unanswered(
    connection: Connection, *, since: datetime, but: str, limit: int
) -> list[dict[str, Any]]:
    """What could not be answered lately, newest first; of other keys than one."""
    return _read_briefly(
        connection,
        (searches.c.at >= since)
        & searches.c.answerable.is_(False)
        & searches.c.key_id.is_not(None)
        & (searches.c.key_id != but),
        limit,
    )


def _read_briefly(
    connection: Connection, which: ColumnElement[bool], limit: int
) -> list[dict[str, Any]]:
    rows = connection.execute(
        select(
            searches.c.id, searches.c.at, searches.c.audience, searches.c.query,
            searches.c.answerable,
        )
        .where(which)
        .order_by(searches.c.at.desc(), searches.c.id)
        .limit(limit * RECENT_DEPTH)
    )  # fmt: skip
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        found.setdefault((row.query, row.audience), dict(row._mapping))
    return list(found.values())[:limit]


def delete_searches(connection: Connection, *, before: datetime) -> int:
    """Forget searches of before an instant that nothing was said of; what was said teaches.

    Returns:
        How many were forgotten.
    """
    said = select(outcomes.c.search_id)
    gone = delete(searches).where(searches.c.at < before, searches.c.id.not_in(said))
    return connection.execute(gone).rowcount


def read_request(row: Mapping[str, Any]) -> SearchRequest:
    """What was asked, as it was kept: personal data in the query is masked.

    Options that this version does not know are left out.
    """
    known = {field.name for field in fields(SearchRequest)} - {"query"}
    options: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in dict(row["request"]).items()
        if name in known
    }
    options["where"] = read_kept(options.get("where"))
    return SearchRequest(row["query"], **options)


def read_outcome(
    connection: Connection, search_id: str, key_id: str | None
) -> dict[str, Any] | None:
    """What a key said came of a search."""
    row = connection.execute(
        select(outcomes).where(outcomes.c.search_id == search_id, _said_by(key_id))
    ).first()
    return None if row is None else dict(row._mapping)


def read_outcomes(connection: Connection, search_id: str) -> list[dict[str, Any]]:
    """What everybody said came of a search, first said first."""
    rows = connection.execute(
        select(outcomes).where(outcomes.c.search_id == search_id).order_by(outcomes.c.at)
    )
    return [dict(row._mapping) for row in rows]


def _said_by(key_id: str | None) -> ColumnElement[bool]:
    return outcomes.c.key_id.is_(None) if key_id is None else outcomes.c.key_id == key_id


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
    mine = (outcomes.c.search_id == search_id) & _said_by(key_id)
    known = connection.execute(select(outcomes.c.id).where(mine)).scalar()
    if known is not None:
        connection.execute(update(outcomes).where(outcomes.c.id == known).values(**values))
        return str(known)
    outcome_id = "oc_" + secrets.token_hex(10)
    connection.execute(
        insert(outcomes).values(id=outcome_id, search_id=search_id, key_id=key_id, **values)
    )
    return outcome_id

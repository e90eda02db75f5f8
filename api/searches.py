"""Searches looked at again: what was served then, and what would be now.

Whoever asked may see it, and owners of the internal audience may see everybody's. What was served
is not shown again to a key that may no longer read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from api.keys import Caller
from api.schemas import instant_json, search_json
from kb import articles, searchlog
from kb.comparing import compare_hits
from kb.errors import NotFoundError
from kb.types import Audience, Role, SearchResponse

if TYPE_CHECKING:
    from api.wiring import Application

SEQUENCE = "index_sequence"
"""Counts every change, of whatever audience."""


def find_search(connection: Connection, search_id: str, caller: Caller) -> dict[str, Any]:
    """A kept search that the caller may see.

    Raises:
        NotFoundError: There is none, or it is somebody else's.
    """
    row = searchlog.read_search(connection, search_id)
    if not _sees_all(caller) and row["key_id"] != caller.key_id:
        raise NotFoundError("search", search_id)
    return row


def _sees_all(caller: Caller) -> bool:
    return caller.role.includes(Role.OWNER) and caller.audience is Audience.INTERNAL


def _withhold(told: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """Without what moves with documents that the caller may not know of."""
    return told if _sees_all(caller) else {k: v for k, v in told.items() if k != SEQUENCE}


def show_search(kb: Application, search_id: str, caller: Caller) -> dict[str, Any]:
    """What was asked, by whom, what was served and with what, and what came of it."""
    with kb.database.read() as connection:
        row = find_search(connection, search_id, caller)
        readable = _readable(connection, row, caller)
        said = searchlog.read_outcomes(connection, search_id)
    return _withhold(search_row_json(row, readable), caller) | {
        "outcomes": [
            {
                "outcome_id": one["id"],
                "key_id": one["key_id"],
                "outcome": one["outcome"],
                "document_ids": one["document_ids"],
                "note": one["note"],
                "ticket_id": one["ticket_id"],
                "at": instant_json(one["at"]),
            }
            for one in said
        ]
    }


def _readable(connection: Connection, row: Mapping[str, Any], caller: Caller) -> set[str]:
    """Which of the documents served the caller may read today."""
    wanted = sorted({hit["document_id"] for hit in row["hits"]})
    found = articles.read_documents(connection, caller.audience, ids=wanted)
    return {document.document_id for document in found}


def search_row_json(row: Mapping[str, Any], readable: set[str]) -> dict[str, Any]:
    """A kept search; titles only of what is readable."""
    served = dict(row["served"] or {})
    hits = [dict(hit) for hit in row["hits"]]
    for hit in hits:
        if hit["document_id"] not in readable:
            hit |= {name: None for name in ("title", "heading_path") if name in hit}
    return {
        "search_id": row["id"],
        "at": instant_json(row["at"]),
        "key_id": row["key_id"],
        "audience": row["audience"],
        "conversation_id": row["conversation_id"],
        "query": row["query"],
        "masked": served.get("masked", {}),
        "request": row["request"],
        "answerable": row["answerable"],
        "confidence": round(row["confidence"], 4),
        "calibration": row["calibration"],
        "degraded": row["degraded"],
        "why_not": served.get("why_not"),
        "generation": row["generation"],
        "index_sequence": served.get("index_sequence"),
        "encoder": served.get("encoder"),
        "learned_model": served.get("learned_model"),
        "weights": served.get("weights"),
        "threshold": served.get("threshold"),
        "authorities": served.get("authorities"),
        "features": served.get("features"),
        "took_ms": round(row["took_ms"], 2),
        "hits": hits,
    }


def replay_search(kb: Application, search_id: str, caller: Caller) -> dict[str, Any]:
    """Ask a kept question again, as the same audience, and say what is different now.

    Nothing is kept of the second asking. Where personal data was masked in the query, the masked
    query is asked: `masked` says so.

    Raises:
        NotFoundError: The search is unknown, or somebody else's.
        UnavailableError: The database is away.
    """
    with kb.database.read() as connection:
        row = find_search(connection, search_id, caller)
    response = ask_again(kb, row)
    with kb.database.read() as connection:
        readable = _readable(connection, row, caller)
    now = search_json(response, explain=True)
    difference = compare_answers(row, response)
    return {
        "search_id": search_id,
        "then": _withhold(search_row_json(row, readable), caller),
        "now": now
        | {
            "at": instant_json(kb.clock.now()),
            "served_with": _withhold(response.served_with, caller),
        },
        "difference": difference | {"answer": _withhold(difference["answer"], caller)},
    }


def ask_again(kb: Application, row: Mapping[str, Any]) -> SearchResponse:
    """Today's answer to a kept question, for the audience that asked it."""
    return kb.retriever.search(searchlog.read_request(row), Audience(row["audience"]))


def compare_answers(row: Mapping[str, Any], response: SearchResponse) -> dict[str, Any]:
    """What of the answer, of its hits and of what ranked them is not as it was."""
    by = "chunk_id" if dict(row["request"]).get("group_by") == "chunk" else "document_id"
    after = [searchlog.describe_hit(hit) for hit in response.hits]
    changes = compare_hits(row["hits"], after, by=by)
    served = dict(row["served"] or {})
    then = {name: served.get(name) for name in response.served_with} | {
        "generation": row["generation"],
        "calibration": row["calibration"],
        "answerable": row["answerable"],
        "confidence": round(row["confidence"], 4),
        "degraded": list(row["degraded"]),
    }
    now = dict(response.served_with) | {
        "generation": response.generation,
        "calibration": response.calibration,
        "answerable": response.answerable,
        "confidence": round(response.confidence, 4),
        "degraded": list(response.degraded),
    }
    return {
        "same_hits": not changes,
        "hits": [change.to_json() for change in changes],
        "answer": {
            name: {"before": then[name], "after": now[name]}
            for name in sorted(now)
            if then[name] != now[name]
        },
    }

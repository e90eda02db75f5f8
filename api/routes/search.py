"""Retrieval for agents: search, context, outcomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter

from api import escalations
from api.auth import AgentCaller, AnyCaller, Kb
from api.keys import Caller
from api.schemas import (
    ContextBody,
    EscalationBody,
    OutcomeBody,
    SearchBody,
    passage_json,
    search_json,
)
from api.wiring import Application
from kb import searchlog
from kb.context import join_passages, pack_context
from kb.errors import UnavailableError
from kb.retrieval.index import SEARCH_PATIENCE_MS
from kb.retrieval.retriever import with_search_id
from kb.section_reading import read_sections
from kb.tokens import estimate_tokens
from kb.types import SearchRequest, SearchResponse

router = APIRouter(prefix="/v1", tags=["retrieval"])
CONTEXT_HITS = 30
PASSAGES_EACH = 3
"""So that a long page cannot take all places; whole sections are read around each anyway."""


def search_and_log(
    kb: Application, caller: Caller, request: SearchRequest, conversation_id: str | None
) -> SearchResponse:
    """Answer as the caller's audience and keep what was served.

    While another process writes for long, as a large sync does, the answer goes out unlogged:
    `degraded` says "log" and there is no search id.
    """
    response = kb.retriever.search(request, caller.audience)
    kb.meters.note_search(response)
    try:
        with kb.database.write(patience_ms=SEARCH_PATIENCE_MS) as connection:
            search_id = searchlog.write_search(
                connection,
                request,
                response,
                audience=caller.audience,
                key_id=caller.key_id,
                at=kb.clock.now(),
                conversation_id=conversation_id,
            )
    except UnavailableError:
        return replace(response, degraded=(*response.degraded, "log"))
    return with_search_id(response, search_id)


@router.post("/search")
def search(body: SearchBody, kb: Kb, caller: AnyCaller) -> dict[str, Any]:
    """Hits with verdicts, as far as the key's audience may read."""
    response = search_and_log(kb, caller, body.to_request(), body.conversation_id)
    return search_json(response, explain=body.explain)


@router.post("/context")
def context(body: ContextBody, kb: Kb, caller: AnyCaller) -> dict[str, Any]:
    """Cited passages within a token budget, ready for a prompt.

    `text` is the whole of them: a line that starts with "[n]" begins a passage, and bracketed
    numbers inside passages are escaped ("\\[2]"), so that no text can pass for another citation.
    Each passage's own `text` is as written. A budget too small for any gives an empty list and the
    verdicts.
    """
    request = SearchRequest(
        body.query,
        top_k=CONTEXT_HITS,
        products=tuple(body.products),
        regions=tuple(body.regions),
        customer=body.customer,
        group_by="chunk",
        most_passages=PASSAGES_EACH,
    )
    response = search_and_log(kb, caller, request, body.conversation_id)
    authorities = kb.settings.hierarchy.authorities
    with kb.database.read() as connection:
        sections = read_sections(
            connection,
            [hit.chunk.document.document_id for hit in response.hits],
            request,
            caller.audience,
            authorities,
            now=kb.clock.now(),
        )
    packed = pack_context(
        response.hits,
        body.token_budget,
        chunks_of=sections.chunks_of,
        losing=sections.losing,
        authorities=authorities,
    )
    text = join_passages(packed)
    return {
        "search_id": response.search_id,
        "answerable": response.answerable,
        "confidence": round(response.confidence, 4),
        "calibration": response.calibration,
        "degraded": list(response.degraded),
        "generation": response.generation,
        "text": text,
        "tokens": estimate_tokens(text),
        "passages": [passage_json(passage) for passage in packed],
    }


@router.post("/outcomes")
def report_outcome(body: OutcomeBody, kb: Kb, caller: AgentCaller) -> dict[str, str]:
    """What came of a search; said again, it replaces what was said."""
    with kb.database.write() as connection:
        outcome_id = searchlog.write_outcome(
            connection,
            search_id=body.search_id,
            key_id=caller.key_id,
            outcome=body.outcome,
            document_ids=body.document_ids,
            note=body.note,
            ticket_id=body.ticket_id,
            at=kb.clock.now(),
        )
    return {"outcome_id": outcome_id}


@router.post("/escalations")
def escalate(body: EscalationBody, kb: Kb, caller: AgentCaller) -> dict[str, Any]:
    """Hand over to a person: what was found, as it stands now, and what is left to decide."""
    return escalations.escalate(kb, caller, body)

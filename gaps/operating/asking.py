"""Tickets asked again as if they came in now: what the effect is measured with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from gaps.effect.asked import Asked
from gaps.types import Ticket
from kb.retrieval.retriever import Retriever
from kb.types import SearchRequest

ASKED_DEPTH = 10


def ask_tickets(retriever: Retriever, tickets: Sequence[Ticket]) -> list[Asked]:
    """Search for each ticket's question as its requester may; in the tickets' order.

    Raises:
        UnavailableError: The encoder or the database is away.
    """
    found = []
    questions = [ticket.question for ticket in tickets]
    for ticket, vector in zip(tickets, retriever.encode(questions), strict=True):
        request = SearchRequest(ticket.question, top_k=ASKED_DEPTH)
        answer = retriever.search(request, ticket.audience, vector=vector)
        documents = tuple(hit.chunk.document.document_id for hit in answer.hits)
        found.append(Asked(ticket.ticket_id, answer.answerable, answer.confidence, documents))
    return found


def choose_controls(
    tickets: Sequence[Ticket], excluded: set[str], limit: int = 100
) -> list[Ticket]:
    """Tickets of other topics, the same ones every time, by the digest of their id."""
    others = [t for t in tickets if t.ticket_id not in excluded]
    others.sort(key=lambda t: (hashlib.sha256(t.ticket_id.encode()).hexdigest(), t.ticket_id))
    return sorted(others[:limit], key=lambda t: t.ticket_id)

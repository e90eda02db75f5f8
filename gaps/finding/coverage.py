"""Which tickets the knowledge base did not resolve, and how well it answers each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from gaps.types import Coverage, Ticket, TicketStatus
from kb.ports import Vectors
from kb.types import Audience, SearchRequest, SearchResponse

DEPTH = 10


class Searcher(Protocol):
    """What coverage needs of the retriever."""

    def encode(self, texts: Sequence[str]) -> list[Vectors]: ...

    def search(
        self, request: SearchRequest, audience: Audience, *, vector: Vectors | None = None
    ) -> SearchResponse: ...


def has_failed(ticket: Ticket) -> bool:
    """Whether the record says that the first answer did not help."""
    return ticket.reopened or ticket.escalated or ticket.helpful is False


def is_solved(ticket: Ticket) -> bool:
    """Whether nobody waits any more, by whatever means."""
    return ticket.status not in (TicketStatus.OPEN, TicketStatus.PENDING)


def is_unresolved(ticket: Ticket, live_documents: Collection[str]) -> bool:
    """Whether the knowledge base did not resolve the ticket.

    It did not where the ticket waits, failed, or was solved by hand without an article that
    still exists.
    """
    linked = any(key in live_documents for key in ticket.linked_articles)
    return not is_solved(ticket) or has_failed(ticket) or not linked


def measure_coverage(
    retriever: Searcher,
    tickets: Sequence[Ticket],
    live_documents: Collection[str],
    *,
    audience: Audience | None = None,
) -> list[Coverage]:
    """Ask the knowledge base every ticket's question, as the ticket's audience.

    Args:
        retriever: Answers as it would answer an agent.
        tickets: Any.
        live_documents: Ids of the documents that exist.
        audience: Asks as this audience instead.

    Returns:
        One a ticket, in their order.

    Raises:
        UnavailableError: Encoder or database are away; a gap is never inferred from an outage.
    """
    vectors = retriever.encode([ticket.question for ticket in tickets])
    return [
        _to_coverage(
            ticket,
            search_documents(retriever, ticket.question, audience or ticket.audience, vector),
            live_documents,
        )
        for ticket, vector in zip(tickets, vectors, strict=True)
    ]


def search_documents(
    retriever: Searcher, text: str, audience: Audience, vector: Vectors
) -> SearchResponse:
    """Documents for a text, losers of conflicts included: they are what may have to change."""
    request = SearchRequest(query=text, top_k=DEPTH, include_overruled=True)
    return retriever.search(request, audience, vector=vector)


def ranked_documents(response: SearchResponse) -> tuple[tuple[str, float], ...]:
    """Document ids with their best passage's cosine, in the order of the answer."""
    found: dict[str, float] = {}
    for hit in response.hits:
        cosine = float(hit.why.get("semantic_score", 0.0))
        found.setdefault(hit.chunk.document.document_id, cosine)
    return tuple(found.items())


def _to_coverage(
    ticket: Ticket, response: SearchResponse, live_documents: Collection[str]
) -> Coverage:
    linked = tuple(key for key in ticket.linked_articles if key in live_documents)
    failed = has_failed(ticket)
    return Coverage(
        ticket_id=ticket.ticket_id,
        probability=response.confidence,
        best_documents=ranked_documents(response),
        linked_live=linked,
        served_well=bool(linked) and not failed and is_solved(ticket),
        failed=bool(linked) and failed,
    )

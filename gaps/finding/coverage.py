"""Which tickets the knowledge base did not resolve, and how well it answers each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from gaps.types import Answer, Coverage, Ticket
from kb.ports import Vectors
from kb.types import Audience, SearchRequest, SearchResponse

DEPTH = 10


class Searcher(Protocol):
    """What coverage needs of the retriever."""

    def encode(self, texts: Sequence[str]) -> list[Vectors]: ...

    def name_state(self) -> str: ...

    def search(
        self, request: SearchRequest, audience: Audience, *, vector: Vectors | None = None
    ) -> SearchResponse: ...


def is_solved(ticket: Ticket) -> bool:
    """Whether nobody waits any more, by whatever means."""
    return ticket.is_solved


def is_unresolved(ticket: Ticket, live_documents: Collection[str]) -> bool:
    """Whether the knowledge base did not resolve the ticket.

    It did not where the ticket waits, failed, or was solved by hand without an article that
    still exists.
    """
    linked = any(key in live_documents for key in ticket.linked_articles)
    return not is_solved(ticket) or ticket.has_failed or not linked


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
        to_coverage(
            ticket,
            _answer(retriever, ticket, audience or ticket.audience, vector),
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


def _answer(retriever: Searcher, ticket: Ticket, audience: Audience, vector: Vectors) -> Answer:
    response = search_documents(retriever, ticket.question, audience, vector)
    return response.confidence, ranked_documents(response)


def to_coverage(ticket: Ticket, answer: Answer, live_documents: Collection[str]) -> Coverage:
    """An answer with what the ticket's own record says."""
    linked = tuple(key for key in ticket.linked_articles if key in live_documents)
    failed = ticket.has_failed
    return Coverage(
        ticket_id=ticket.ticket_id,
        probability=answer[0],
        best_documents=answer[1],
        linked_live=linked,
        served_well=bool(linked) and not failed and ticket.is_solved,
        failed=bool(linked) and failed,
    )

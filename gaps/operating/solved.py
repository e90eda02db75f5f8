"""Solved tickets as judgements: what people asked, and the documents that answered."""

from __future__ import annotations

from sqlalchemy import Connection

from gaps import repository
from gaps.types import Ticket, TicketStatus
from kb.learning.judgements import Judgement

SOLVED = (TicketStatus.SOLVED, TicketStatus.CLOSED)


def read_solved(connection: Connection) -> list[Judgement]:
    """Tickets that were solved with a linked document and stayed solved, oldest first.

    One that was reopened, or whose requester said it did not help, judges nothing. A ticket
    without a requester counts as somebody's of their own.
    """
    found = [_to_judgement(t) for t in repository.read_tickets(connection) if _teaches(t)]
    return sorted(found, key=lambda judgement: (judgement.at, judgement.ref))


def _teaches(ticket: Ticket) -> bool:
    solved = ticket.status in SOLVED and not ticket.reopened and ticket.helpful is not False
    return solved and bool(ticket.linked_articles)


def _to_judgement(ticket: Ticket) -> Judgement:
    own = repository.judgement_ref(ticket.ticket_id)
    return Judgement(
        ref=own,
        kind="ticket",
        question=ticket.question,
        document_ids=ticket.linked_articles,
        audience=ticket.audience,
        requester=f"requester:{ticket.requester}" if ticket.requester else own,
        at=ticket.solved_at or ticket.created_at,
    )

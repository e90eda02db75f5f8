"""Solved tickets as judgements: what people asked, and the documents that answered."""

from __future__ import annotations

from sqlalchemy import Connection

from gaps import repository
from gaps.types import Ticket
from kb.learning.judgements import Judgement
from kb.learning.serving import MOST_PRECEDENTS


def read_solved(connection: Connection) -> list[Judgement]:
    """The newest tickets that were solved with a linked document and stayed so, oldest first.

    One that was reopened, or whose requester said it did not help, judges nothing. A ticket
    without a requester counts as somebody's of their own.
    """
    solved = repository.read_solved_tickets(connection, MOST_PRECEDENTS)
    found = [_to_judgement(ticket) for ticket in solved if _teaches(ticket)]
    return sorted(found, key=lambda judgement: judgement.order)


def _teaches(ticket: Ticket) -> bool:
    return not ticket.reopened and ticket.helpful is not False


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

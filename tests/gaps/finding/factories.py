"""Builders for the tests of finding: lines, tickets and topics small enough to read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gaps import repository
from gaps.finding.finder import FinderSettings, FindReport, find_gaps
from gaps.reading.tickets import hash_ticket, import_tickets
from gaps.triage.facts import DocumentFacts, TicketFacts, TopicFacts
from gaps.types import Coverage, Ticket, TicketStatus
from kb.clock import FixedClock
from kb.encoding.hashing import HashingEncoder
from kb.fusion import FUSION_WEIGHTS
from kb.retrieval.retriever import Retriever, RetrieverRules
from kb.types import Audience
from tests.kb.factories import AUTHORITIES, Knowledge

MONDAY = datetime(2026, 8, 31, tzinfo=UTC)
"""Start of the story's ten weeks."""
END = MONDAY + timedelta(weeks=10)
CLOCK = FixedClock(END)
SETTINGS = FinderSettings(
    default_owner="tom",
    owner_topics={"ines": ("vpn", "corvid"), "jonas": ("valve", "battery")},
    authorities=AUTHORITIES,
)


def public(_product: str | None) -> Audience:
    return Audience.PUBLIC


def make_line(**fields: Any) -> bytes:
    """A valid ticket line with some fields replaced; a value of ... leaves the field out."""
    basics: dict[str, Any] = {
        "id": "T-1",
        "created_at": "2026-10-06T08:14:00Z",
        "subject": "Cannot connect",
        "body": "It does not connect since this morning.",
        "status": "solved",
    }
    found = {key: value for key, value in {**basics, **fields}.items() if value is not ...}
    return json.dumps(found).encode()


def make_ticket(number: int = 1, body: str = "a question", **fields: Any) -> Ticket:
    """A solved ticket of its own requester, on the number-th day of the story."""
    basics = Ticket(
        ticket_id=f"T-{number:04}",
        created_at=MONDAY + timedelta(days=number % 70, hours=9),
        subject="",
        body=body,
        status=TicketStatus.SOLVED,
        audience=Audience.PUBLIC,
        requester=f"r_{number:012}",
    )
    return replace(basics, **fields)


def make_facts(
    tickets: list[Ticket],
    *,
    probability: float = 0.3,
    best: tuple[tuple[str, float], ...] = (),
    documents: list[DocumentFacts] | None = None,
    **fields: Any,
) -> TopicFacts:
    """A topic whose tickets all have the same coverage; links count as live."""
    known = {document.document_id: document for document in documents or []}
    found = tuple(
        TicketFacts(t, make_coverage(t, probability=probability, best=best, known=set(known)))
        for t in tickets
    )
    return replace(TopicFacts(found, (), known), **fields)


def make_coverage(
    ticket: Ticket,
    *,
    probability: float = 0.3,
    best: tuple[tuple[str, float], ...] = (),
    known: set[str],
) -> Coverage:
    linked = tuple(key for key in ticket.linked_articles if key in known)
    failed = ticket.reopened or ticket.escalated or ticket.helpful is False
    return Coverage(
        ticket.ticket_id, probability, best, linked, bool(linked) and not failed,
        bool(linked) and failed,
    )  # fmt: skip


def make_document_facts(document_id: str = "guide", text: str = "", **fields: Any) -> DocumentFacts:
    basics = DocumentFacts(document_id, document_id, Audience.PUBLIC, "ana", 3, text, None, None)
    return replace(basics, **fields)


class Helpdesk:
    """A knowledge base with tickets, on real SQLite and hashed words."""

    def __init__(self, folder: Path) -> None:
        self.knowledge = Knowledge(folder, HashingEncoder(256))
        self.database = self.knowledge.database
        rules = RetrieverRules(AUTHORITIES, FUSION_WEIGHTS)
        self.retriever = Retriever(
            self.database, self.knowledge.index, self.knowledge.encoder, CLOCK, rules, None
        )

    def import_lines(self, lines: list[bytes]) -> dict[str, Any]:
        report = import_tickets(self.database, lines, clock=CLOCK, audience_for=public)
        return report.to_json()

    def add_tickets(self, tickets: list[Ticket]) -> None:
        with self.database.write() as connection:
            known = repository.read_ticket_hashes(connection, [t.ticket_id for t in tickets])
            for ticket in tickets:
                repository.write_ticket(
                    connection, ticket, hash_ticket(ticket),
                    exists=ticket.ticket_id in known, now=END,
                )  # fmt: skip

    def find(self, now: datetime = END, **fields: Any) -> FindReport:
        return find_gaps(
            self.database,
            self.retriever,
            self.knowledge.encoder,
            settings=replace(SETTINGS, **fields.pop("settings", {})),
            now=now,
            **fields,
        )

    def close(self) -> None:
        self.knowledge.close()

"""The tickets of one run: text, vectors, and what the knowledge base says to each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import numpy as np

from gaps import repository, signals
from gaps.discovery.duplicates import find_near_leaders
from gaps.finding.coverage import Searcher, is_unresolved, measure_coverage, to_coverage
from gaps.grouping.answers import answer_of
from gaps.grouping.likeness import Background, measure_background
from gaps.reading.cleaning import clean_ticket
from gaps.reading.coverage_rows import hash_question, read_answers, write_answers
from gaps.types import Coverage, Ticket, TicketStatus
from kb.database import Database
from kb.ports import Vectors

COVERAGE_BATCH = 50
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Window:
    """The tickets a run reads."""

    tickets: Mapping[str, Ticket]
    """Agents' signals and failed outcomes among them."""
    vectors: Mapping[str, Vectors]
    answers: Mapping[str, Vectors]
    """Of what solved a ticket, where that is known."""
    coverage: Mapping[str, Coverage]
    """Of the unresolved tickets."""
    served: tuple[Ticket, ...]
    """The tickets an article answered."""

    @cached_property
    def usual(self) -> Background:
        """How alike any two questions are."""
        return _measure_usual(self.vectors)

    @cached_property
    def usual_answers(self) -> Background:
        """How alike any two answers are."""
        return _measure_usual(self.answers)


def _measure_usual(found: Mapping[str, Vectors]) -> Background:
    """Copies count once, or a flood would be what is usual."""
    if not found:
        return measure_background(np.zeros((0, 1), np.float32))
    matrix = np.stack([found[key] for key in sorted(found)])
    leaders = find_near_leaders(matrix, np.arange(len(matrix)))
    return measure_background(matrix[leaders == np.arange(len(matrix))])


def read_tickets(database: Database, since: datetime, until: datetime) -> list[Ticket]:
    """Tickets and agents' signals of a window as they stood at its end, by id, cleaned."""
    with database.read() as connection:
        tickets = repository.read_tickets(connection, since=since, until=until)
        told = signals.read_evidence(connection, since=since, until=until)
    return [clean_ticket(as_of(ticket, until)) for ticket in (*tickets, *told)]


def as_of(ticket: Ticket, until: datetime) -> Ticket:
    """The ticket as it stood then: later solutions and replies are not seen."""
    replies = tuple(reply for reply in ticket.replies if reply.created_at < until)
    if ticket.solved_at is None or ticket.solved_at < until:
        return replace(ticket, replies=replies)
    return replace(
        ticket, replies=replies, solved_at=None, resolution=None, status=TicketStatus.OPEN
    )


def read_window(
    database: Database,
    retriever: Searcher,
    tickets: Sequence[Ticket],
    live: Collection[str],
    progress: Progress | None,
) -> Window:
    """Ask the knowledge base what it was not asked before.

    Raises:
        UnavailableError: The retriever is away.
    """
    unresolved = [ticket for ticket in tickets if is_unresolved(ticket, live)]
    coverage = _read_coverage(database, retriever, unresolved, live, progress)
    vectors = retriever.encode([ticket.question for ticket in tickets])
    said = {ticket.ticket_id: answer_of(ticket) for ticket in tickets}
    answered = [key for key, text in said.items() if text]
    answers = retriever.encode([said[key] for key in answered])
    return Window(
        tickets={ticket.ticket_id: ticket for ticket in tickets},
        vectors={t.ticket_id: v for t, v in zip(tickets, vectors, strict=True)},
        answers=dict(zip(answered, answers, strict=True)),
        coverage=coverage,
        served=tuple(ticket for ticket in tickets if ticket.ticket_id not in coverage),
    )


def _read_coverage(
    database: Database,
    retriever: Searcher,
    tickets: Sequence[Ticket],
    live: Collection[str],
    progress: Progress | None,
) -> dict[str, Coverage]:
    hashes = {t.ticket_id: hash_question(t.question, t.audience.value) for t in tickets}
    state = retriever.name_state()
    with database.read() as connection:
        kept = read_answers(connection, hashes, state)
    coverage = {
        t.ticket_id: to_coverage(t, kept[t.ticket_id], live) for t in tickets if t.ticket_id in kept
    }
    asked = [ticket for ticket in tickets if ticket.ticket_id not in kept]
    for begin in range(0, len(asked), COVERAGE_BATCH):
        batch = asked[begin : begin + COVERAGE_BATCH]
        found = {c.ticket_id: c for c in measure_coverage(retriever, batch, live)}
        answers = {key: (c.probability, c.best_documents) for key, c in found.items()}
        with database.write() as connection:
            write_answers(connection, answers, hashes, state)
        coverage |= found
        if progress is not None:
            progress(len(coverage), len(tickets))
    return coverage

"""Tickets to gaps: one run, written in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from gaps import repository
from gaps.finding import evidence, priority
from gaps.finding.answers import answer_of
from gaps.finding.coverage import Searcher, is_unresolved, measure_coverage
from gaps.finding.discovery import FoundTopic, Window, discover_topics
from gaps.finding.facts import Judgement, TopicFacts
from gaps.finding.recording import FinderSettings, FindReport, Run
from gaps.finding.triage import judge_duplicate, judge_topic
from gaps.finding.twins import find_twin_topics
from gaps.types import Coverage, Ticket, TicketStatus
from kb.database import Database
from kb.ports import Encoder
from kb.types import Audience

__all__ = ["FindReport", "FinderSettings", "as_of", "find_gaps"]

COVERAGE_BATCH = 50
Progress = Callable[[int, int], None]


def find_gaps(
    database: Database,
    retriever: Searcher,
    encoder: Encoder,
    *,
    settings: FinderSettings,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Progress | None = None,
    actor: str = "kb gaps find",
) -> FindReport:
    """Find what the tickets of a window ask in vain, and store topics, gaps and the run.

    Nothing recorded after `until` counts: later tickets are not read, later solutions and
    replies not seen. The flags of a ticket (reopened, helpful, escalated) carry no date and count
    as they stand. Documents are those that live now.

    Args:
        database: Where tickets are and gaps go.
        retriever: Answers as it would answer an agent.
        encoder: Its recipe names the vectors.
        settings: The team's.
        now: The run's instant.
        since: Start of the window; `window_weeks` before its end unless given.
        until: End of the window, exclusive; never later than `now`.
        progress: Called with tickets asked and to ask.
        actor: For the audit log.

    Raises:
        UnavailableError: The retriever is away; nothing is stored.
    """
    end = now if until is None else min(until, now)
    start = since or priority.start_of_week(end - timedelta(weeks=settings.window_weeks))
    with database.read() as connection:
        tickets = [
            as_of(t, end) for t in repository.read_tickets(connection, since=start, until=end)
        ]
        library = evidence.read_library(connection, encoder.recipe, settings.authorities)
        known = {
            stored.topic.topic_id: stored.topic.ticket_ids
            for stored in repository.read_topics(connection)
        }
    window = _read_window(retriever, tickets, set(library.documents), progress)

    def find_unknown(terms: set[str]) -> set[str]:
        with database.read() as connection:
            return evidence.read_unknown_terms(connection, terms, Audience.INTERNAL)

    found = discover_topics(window, known, find_unknown, seed=settings.seed)
    twins = find_twin_topics(window, library, found, known)
    habits = evidence.measure_habits(window.answers, window.tickets, window.coverage)
    judged = _judge(retriever, library, window, habits, found, judge_topic)
    judged += _judge(retriever, library, window, habits, twins, judge_duplicate)
    found += twins
    run = Run(f"run_{secrets.token_hex(8)}", settings, start, end, now, actor)
    with database.write() as connection:
        return run.write(connection, window, library, found, judged, encoder.recipe)


def as_of(ticket: Ticket, until: datetime) -> Ticket:
    """The ticket as it stood then: later solutions and replies are not seen."""
    replies = tuple(reply for reply in ticket.replies if reply.created_at < until)
    if ticket.solved_at is None or ticket.solved_at < until:
        return replace(ticket, replies=replies)
    return replace(
        ticket, replies=replies, solved_at=None, resolution=None, status=TicketStatus.OPEN
    )


def _judge(
    retriever: Searcher,
    library: evidence.Library,
    window: Window,
    habits: evidence.Habits,
    found: list[FoundTopic],
    judge: Callable[[TopicFacts], Judgement | None],
) -> list[tuple[FoundTopic, Judgement]]:
    judged = []
    for topic in found:
        unresolved = [t for t in topic.tickets if t.ticket_id in window.coverage]
        served = [t for t in topic.tickets if t.ticket_id not in window.coverage]
        facts = evidence.gather_facts(
            retriever,
            library,
            unresolved,
            window.coverage,
            [*served, *topic.served],
            topic.unknown_terms,
            window.answers,
            habits,
        )
        judgement = judge(facts)
        if judgement is not None:
            judged.append((topic, judgement))
    return judged


def _read_window(
    retriever: Searcher, tickets: list[Ticket], live: set[str], progress: Progress | None
) -> Window:
    unresolved = [ticket for ticket in tickets if is_unresolved(ticket, live)]
    coverage: dict[str, Coverage] = {}
    for begin in range(0, len(unresolved), COVERAGE_BATCH):
        batch = unresolved[begin : begin + COVERAGE_BATCH]
        coverage |= {found.ticket_id: found for found in measure_coverage(retriever, batch, live)}
        if progress is not None:
            progress(len(coverage), len(unresolved))
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

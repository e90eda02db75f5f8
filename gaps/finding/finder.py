"""Tickets to gaps: one run, written in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gaps.covering.judging import judge_topics
from gaps.covering.model import read_shipped_calibration
from gaps.finding.coverage import Searcher
from gaps.finding.discovery import FoundTopic
from gaps.finding.recording import FinderSettings, Run
from gaps.finding.report import FindReport
from gaps.finding.tracing import Known, trace_topics
from gaps.finding.twins import find_twin_topics
from gaps.finding.window import Progress, Window, read_tickets, read_window
from gaps.keeping import rows
from gaps.keeping.correcting import read_corrections
from gaps.keeping.corrections import sum_up
from gaps.ranking.weeks import start_of_week
from gaps.triage import evidence
from gaps.triage.facts import Judgement, TopicFacts
from gaps.triage.judging import judge_duplicate, judge_topic
from gaps.types import Ticket
from kb.database import Database
from kb.ports import Encoder
from kb.types import Audience

__all__ = ["FindReport", "FinderSettings", "find_gaps"]


def find_gaps(
    database: Database,
    retriever: Searcher,
    encoder: Encoder,
    *,
    settings: FinderSettings,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    anew: bool = False,
    progress: Progress | None = None,
    actor: str = "kb gaps find",
) -> FindReport:
    """Find what the tickets of a window ask in vain, and store topics, gaps and the run.

    New tickets are put into known topics; topics are found anew where too few of them fit
    (gaps/keeping/rediscovery.py). Nothing recorded after `until` counts: later tickets are not
    read, later solutions and replies not seen. The flags of a ticket (reopened, helpful,
    escalated) carry no date and count as they stand. Documents are those that live now.

    Args:
        database: Where tickets are and gaps go.
        retriever: Answers as it would answer an agent.
        encoder: Its recipe names the vectors.
        settings: The team's.
        now: The run's instant.
        since: Start of the window; `window_weeks` before its end unless given.
        until: End of the window, exclusive; never later than `now`.
        anew: Find all topics anew.
        progress: Called with tickets asked and to ask.
        actor: For the audit log.

    Raises:
        UnavailableError: The retriever is away; no topic and no gap is stored.
    """
    end = now if until is None else min(until, now)
    start = since or start_of_week(end - timedelta(weeks=settings.window_weeks))
    tickets = read_tickets(database, start, end)
    with database.read() as connection:
        library = evidence.read_library(connection, encoder.recipe, settings.authorities)
        known = _read_known(connection, encoder.recipe, tickets)
    window = read_window(database, retriever, tickets, set(library.documents), progress)

    def find_unknown(terms: set[str]) -> set[str]:
        with database.read() as connection:
            return evidence.read_unknown_terms(connection, terms, Audience.INTERNAL)

    traced = trace_topics(window, known, find_unknown, anew=anew, seed=settings.seed)
    twins = find_twin_topics(window, library, traced.topics, known.pairs)
    judged = _judge_all(retriever, library, window, traced.topics, twins)
    covered = judge_topics(
        window.coverage,
        {topic.topic.topic_id: topic.topic.ticket_ids for topic in traced.topics},
        read_shipped_calibration(),
        vectors=window.vectors,
    )
    traced = replace(traced, topics=traced.topics + twins)
    run = Run(f"run_{secrets.token_hex(8)}", settings, start, end, now, actor)
    with database.write() as connection:
        return run.write(
            connection, window, library, traced, judged, known, covered, encoder.recipe
        )


def _read_known(connection: Connection, recipe: str, tickets: list[Ticket]) -> Known:
    return Known(
        [stored for stored in rows.read_topics(connection) if stored.recipe == recipe],
        rows.read_memberships(connection, [ticket.ticket_id for ticket in tickets]),
        sum_up(read_corrections(connection)),
        {
            stored.topic.topic_id: stored.topic.ticket_ids
            for stored in rows.read_topics(connection, level=rows.PAIR)
        },
    )


def _judge_all(
    retriever: Searcher,
    library: evidence.Library,
    window: Window,
    topics: list[FoundTopic],
    twins: list[FoundTopic],
) -> list[tuple[FoundTopic, Judgement]]:
    habits = evidence.measure_habits(window.answers, window.tickets, window.coverage)
    judged = _judge(retriever, library, window, habits, topics, judge_topic)
    return judged + _judge(retriever, library, window, habits, twins, judge_duplicate)


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

"""Tickets to gaps: one run, written in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gaps import repository
from gaps.finding import evidence, priority, routing
from gaps.finding.coverage import Searcher, is_unresolved, measure_coverage
from gaps.finding.discovery import (
    FoundTopic,
    Window,
    discover_topics,
    nearest_documents,
    requester_of,
)
from gaps.finding.facts import Judgement, TopicFacts
from gaps.finding.triage import judge_duplicate, judge_topic
from gaps.finding.twins import find_twin_topics
from gaps.repository import StoredGap
from gaps.types import Coverage, Gap, GapStatus, Ticket, TicketStatus
from kb import audit
from kb.clock import format_instant
from kb.database import Database
from kb.ports import Encoder
from kb.types import Audience

COVERED = 0.5
QUOTES = 5
LONGEST_QUOTE = 240
COVERAGE_BATCH = 50
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class FinderSettings:
    """What the team decided about gaps."""

    default_owner: str
    owner_topics: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    authorities: tuple[str, ...] = ()
    """Strongest first."""
    window_weeks: int = 13
    reopen_growth: float = 2.0
    """A dismissed gap opens again when its topic has grown by this factor."""


@dataclass(frozen=True, slots=True)
class FindReport:
    run_id: str
    read: int
    unresolved: int
    uncovered: int
    gaps: tuple[dict[str, Any], ...]
    """As `kb gaps find --json` prints them, strongest first."""

    def to_json(self) -> dict[str, Any]:
        return {
            "run": self.run_id,
            "tickets": {
                "read": self.read,
                "unresolved": self.unresolved,
                "uncovered": self.uncovered,
            },
            "gaps": list(self.gaps),
        }


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

    found = discover_topics(window, known, find_unknown)
    twins = find_twin_topics(window, library, found, known)
    habits = evidence.measure_habits(retriever, tickets, len(window.served))
    judged = _judge(retriever, library, window, habits, found, judge_topic)
    judged += _judge(retriever, library, window, habits, twins, judge_duplicate)
    found += twins
    run = _Run(f"run_{secrets.token_hex(8)}", settings, start, end, now, actor)
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
    return Window(
        tickets={ticket.ticket_id: ticket for ticket in tickets},
        vectors={t.ticket_id: v for t, v in zip(tickets, vectors, strict=True)},
        coverage=coverage,
        served=tuple(ticket for ticket in tickets if ticket.ticket_id not in coverage),
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """One run's writing."""

    run_id: str
    settings: FinderSettings
    start: datetime
    end: datetime
    now: datetime
    actor: str

    def write(
        self,
        connection: Connection,
        window: Window,
        library: evidence.Library,
        found: list[FoundTopic],
        judged: list[tuple[FoundTopic, Judgement]],
        recipe: str,
    ) -> FindReport:
        stored = {s.gap.topic_id: s for s in repository.read_stored_gaps(connection)}
        repository.write_gap_run(
            connection, self.run_id, at=self.now, since=self.start, until=self.end, report={}
        )
        for topic in found:
            repository.write_topic(
                connection, topic.topic, topic.cluster.centroid, recipe, now=self.now
            )
        gaps = []
        for topic, judgement in judged:
            gap = self._gap(topic, judgement, window, library, stored.get(topic.topic.topic_id))
            repository.write_gap(connection, gap, run_id=self.run_id, now=self.now)
            gaps.append(gap)
        self._resolve_faded(connection, stored, {gap.topic_id for gap in gaps})
        gaps.sort(key=lambda gap: (-gap.priority, gap.gap_id))
        report = FindReport(
            run_id=self.run_id,
            read=len(window.tickets),
            unresolved=len(window.coverage),
            uncovered=sum(c.probability < COVERED for c in window.coverage.values()),
            gaps=tuple(_gap_json(gap, window.tickets) for gap in gaps),
        )
        self._close(connection, report)
        return report

    def _close(self, connection: Connection, report: FindReport) -> None:
        facts = report.to_json()
        kept = facts | {
            "gaps": [
                {k: g[k] for k in ("gap_id", "kind", "status", "priority")} for g in facts["gaps"]
            ]
        }
        repository.write_gap_run_report(connection, self.run_id, kept)
        audit.write_entry(
            connection,
            at=self.now,
            actor=self.actor,
            action="gaps.find",
            subject=self.run_id,
            details={"tickets": facts["tickets"], "gaps": len(report.gaps)},
        )

    def _gap(
        self,
        topic: FoundTopic,
        judgement: Judgement,
        window: Window,
        library: evidence.Library,
        stored: StoredGap | None,
    ) -> Gap:
        audience, tickets = routing.choose_audience(topic.tickets)
        weekly = priority.requesters_weekly(tickets, self.start, self.end)
        impact = priority.impact_per_week(judgement.kind, judgement.probability, weekly)
        seen = [ticket.created_at for ticket in tickets]
        first = min(seen) if stored is None else min(*seen, stored.gap.first_seen_at)
        status = routing.next_status(
            stored, len(tickets), reopen_growth=self.settings.reopen_growth
        )
        return Gap(
            gap_id=topic.topic.topic_id.replace("top_", "gap_"),
            topic_id=topic.topic.topic_id,
            kind=judgement.kind,
            status=status,
            title=topic.topic.title,
            terms=topic.topic.terms,
            priority=priority.priority_of(impact),
            probability=round(judgement.probability, 4),
            impact_per_week=round(impact, 2),
            audience=audience,
            owner=routing.choose_owner(
                judgement, tickets, nearest_documents(tickets, window.coverage),
                library.documents, self.settings.owner_topics, self.settings.default_owner,
            ),
            ticket_ids=tuple(ticket.ticket_id for ticket in tickets),
            document_ids=judgement.document_ids,
            reasons=judgement.reasons,
            weekly_counts=priority.count_weekly(tickets, self.start, self.end),
            first_seen_at=first,
            last_seen_at=max(seen),
            dismissed_reason=stored.gap.dismissed_reason if stored is not None else None,
        )  # fmt: skip

    def _resolve_faded(
        self, connection: Connection, stored: Mapping[str, StoredGap], found: set[str]
    ) -> None:
        for topic_id, before in stored.items():
            if topic_id not in found and routing.has_faded(before, self.end):
                repository.write_gap_status(
                    connection, before.gap.gap_id, GapStatus.RESOLVED, now=self.now
                )


def _gap_json(gap: Gap, tickets: Mapping[str, Ticket]) -> dict[str, Any]:
    shown = [tickets[key] for key in gap.ticket_ids if key in tickets]
    return {
        "gap_id": gap.gap_id,
        "kind": gap.kind.value,
        "title": gap.title,
        "terms": list(gap.terms),
        "status": gap.status.value,
        "priority": gap.priority,
        "probability": gap.probability,
        "impact_per_week": gap.impact_per_week,
        "tickets": list(gap.ticket_ids),
        "documents": list(gap.document_ids),
        "first_seen_at": format_instant(gap.first_seen_at),
        "last_seen_at": format_instant(gap.last_seen_at),
        "weekly_counts": list(gap.weekly_counts),
        "audience": gap.audience.value,
        "owner": gap.owner,
        "requesters": len({requester_of(ticket) for ticket in shown}),
        "reasons": [
            {"signal": r.signal, "text": r.text, "evidence": list(r.evidence)} for r in gap.reasons
        ],
        "quotes": [
            {"ticket_id": t.ticket_id, "text": t.question[:LONGEST_QUOTE]} for t in shown[:QUOTES]
        ],
        "dismissed_reason": gap.dismissed_reason,
    }

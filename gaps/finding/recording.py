"""What a run found, written down: topics, gaps, the run and its audit entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gaps import repository
from gaps.finding import priority, routing
from gaps.finding.clustering import SEED
from gaps.finding.discovery import FoundTopic, Window, nearest_documents, requester_of
from gaps.finding.evidence import Library
from gaps.finding.facts import Judgement
from gaps.repository import StoredGap
from gaps.types import Gap, GapStatus, Ticket
from kb import audit
from kb.clock import format_instant

COVERED = 0.5
QUOTES = 5
LONGEST_QUOTE = 240


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
    seed: int = SEED
    """Of the grouping."""


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


@dataclass(frozen=True, slots=True)
class Run:
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
        library: Library,
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
        library: Library,
        stored: StoredGap | None,
    ) -> Gap:
        about = judgement.ticket_ids
        evidence = [t for t in topic.tickets if about is None or t.ticket_id in about]
        audience, tickets = routing.choose_audience(evidence)
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

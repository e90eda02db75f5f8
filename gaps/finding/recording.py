"""What a run found, written down: topics, gaps, the run and its audit entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection

from gaps import repository
from gaps.finding import evidence, routing
from gaps.finding.discovery import FoundTopic, Window, nearest_documents
from gaps.finding.facts import Judgement
from gaps.keeping import rows
from gaps.ranking.forecast import forecast_weekly
from gaps.ranking.impact import Habit, measure_habit, measure_impact
from gaps.ranking.voices import weigh_requesters
from gaps.ranking.weeks import count_voices_weekly, count_weekly
from gaps.repository import StoredGap
from gaps.types import Gap, GapStatus, Ticket
from kb import audit
from kb.clock import format_instant

COVERED = 0.5
QUOTES = 5
RADIUS_QUANTILE = 0.1
"""A new ticket belongs to a topic when it is nearer than the farthest tenth of its tickets."""
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
            self._write_topic(connection, topic, window, recipe)
        habit = measure_habit(list(window.tickets.values()))
        gaps = []
        for topic, judgement in judged:
            gap = self._gap(topic, judgement, window, library, habit, stored)
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
        habit: Habit,
        known: Mapping[str, StoredGap],
    ) -> Gap:
        stored = known.get(topic.topic.topic_id)
        audience, tickets = routing.choose_audience(topic.tickets)
        weights = weigh_requesters(tickets)
        voices = count_voices_weekly(tickets, weights, self.start, self.end)
        impact = measure_impact(
            judgement.kind, judgement.probability, forecast_weekly(voices), tickets, habit
        )
        weekly = count_weekly(tickets, self.start, self.end)
        seen = [ticket.created_at for ticket in tickets]
        first = min(seen) if stored is None else min(*seen, stored.gap.first_seen_at)
        status = routing.next_status(stored, weekly, reopen_growth=self.settings.reopen_growth)
        return Gap(
            gap_id=topic.topic.topic_id.replace("top_", "gap_"),
            topic_id=topic.topic.topic_id,
            kind=judgement.kind,
            status=status,
            title=topic.topic.title,
            terms=topic.topic.terms,
            priority=impact.priority,
            probability=round(judgement.probability, 4),
            impact_per_week=round(impact.mean, 2),
            impact_low=round(impact.low, 2),
            impact_high=round(impact.high, 2),
            requester_count=len(weights),
            audience=audience,
            owner=routing.choose_owner(
                judgement, tickets, nearest_documents(tickets, window.coverage),
                library.documents, self.settings.owner_topics, self.settings.default_owner,
            ),
            ticket_ids=tuple(ticket.ticket_id for ticket in tickets),
            document_ids=judgement.document_ids,
            reasons=judgement.reasons,
            weekly_counts=weekly,
            first_seen_at=first,
            last_seen_at=max(seen),
            dismissed_reason=stored.gap.dismissed_reason if stored is not None else None,
        )  # fmt: skip

    def _write_topic(
        self, connection: Connection, found: FoundTopic, window: Window, recipe: str
    ) -> None:
        centroid = found.cluster.centroid
        closeness = {key: float(window.vectors[key] @ centroid) for key in found.topic.ticket_ids}
        rows.write_topic(
            connection,
            rows.StoredTopic(
                found.topic, centroid, recipe, self.now, self.now,
                radius=round(float(np.quantile(list(closeness.values()), RADIUS_QUANTILE)), 5),
            ),
        )  # fmt: skip
        rows.write_members(connection, found.topic.topic_id, closeness, now=self.now)

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
        "impact_interval": [gap.impact_low, gap.impact_high],
        "tickets": list(gap.ticket_ids),
        "documents": list(gap.document_ids),
        "first_seen_at": format_instant(gap.first_seen_at),
        "last_seen_at": format_instant(gap.last_seen_at),
        "weekly_counts": list(gap.weekly_counts),
        "audience": gap.audience.value,
        "owner": gap.owner,
        "requesters": gap.requester_count,
        "reasons": [
            {"signal": r.signal, "text": r.text, "evidence": list(r.evidence)} for r in gap.reasons
        ],
        "quotes": [
            {"ticket_id": t.ticket_id, "text": t.question[:LONGEST_QUOTE]} for t in shown[:QUOTES]
        ],
        "dismissed_reason": gap.dismissed_reason,
    }

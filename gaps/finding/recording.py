"""What a run found, written down: topics, gaps, the run and its audit entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from sqlalchemy import Connection

from gaps import repository
from gaps.covering.judging import TopicCoverage
from gaps.finding import routing
from gaps.finding.discovery import FoundTopic, nearest_documents
from gaps.finding.report import FindReport, quoted_gap_json, topics_json
from gaps.finding.tracing import Known, Traced, split_off
from gaps.finding.window import Window
from gaps.grouping.clustering import SEED
from gaps.keeping import rows
from gaps.keeping.atlas import write_atlas, write_topics
from gaps.keeping.corrections import Corrected
from gaps.keeping.lineage import EventKind, TopicEvent
from gaps.ranking.forecast import forecast_weekly
from gaps.ranking.impact import Habit, measure_habit, measure_impact
from gaps.ranking.voices import weigh_requesters
from gaps.ranking.weeks import count_voices_weekly, count_weekly
from gaps.repository import StoredGap
from gaps.triage.evidence import Library
from gaps.triage.facts import Judgement
from gaps.triage.settling import add_nearest, apply_correction, needs_look
from gaps.types import Gap, GapStatus
from kb import audit

COVERED = 0.5
RADIUS_QUANTILE = 0.1
"""A new ticket belongs to a topic when it is nearer than the farthest tenth of its tickets."""


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
        traced: Traced,
        judged: list[tuple[FoundTopic, Judgement]],
        known: Known,
        covered: Mapping[str, TopicCoverage],
        recipe: str,
    ) -> FindReport:
        """Write everything a run found.

        Args:
            connection: In a transaction.
            window: What was read.
            library: The live documents.
            traced: The topics.
            judged: What is wrong with which.
            known: What earlier runs left.
            covered: What the topics' nearest articles say, topic beside topic.
            recipe: Of the vectors.
        """
        stored = {s.gap.topic_id: s for s in repository.read_stored_gaps(connection)}
        repository.write_gap_run(
            connection, self.run_id, at=self.now, since=self.start, until=self.end, report={}
        )
        self._write_topics(connection, traced, window, known, recipe)
        habit = measure_habit(list(window.tickets.values()))
        parents = split_off(traced.events)
        names = {topic.topic.topic_id: topic.topic.title for topic in traced.topics}
        names |= {key: document.title for key, document in library.documents.items()}
        gaps = []
        for topic, judgement in judged:
            judgement = add_nearest(judgement, covered.get(topic.topic.topic_id), names)
            gap = self._gap(topic, judgement, window, library, habit, stored, known.corrected)
            gap = replace(gap, needs_look=needs_look(judgement, covered.get(gap.topic_id)))
            repository.write_gap(connection, gap, run_id=self.run_id, now=self.now)
            gap = self._inherit(connection, gap, stored, parents)
            gaps.append(gap)
        self._merge_topics(connection, traced.events, stored)
        read = {topic.topic.topic_id for topic in traced.topics}
        read |= {m.topic_id for m in known.memberships.values() if m.topic_id is not None}
        read -= set(known.corrected.kinds)
        self._resolve(connection, stored, {gap.topic_id for gap in gaps}, read)
        gaps.sort(key=lambda gap: (-gap.priority, gap.gap_id))
        report = FindReport(
            run_id=self.run_id,
            read=len(window.tickets),
            unresolved=len(window.coverage),
            uncovered=sum(c.probability < COVERED for c in window.coverage.values()),
            topics=topics_json(traced),
            gaps=tuple(quoted_gap_json(gap, window.tickets) for gap in gaps),
        )
        self._close(connection, report)
        return report

    def _write_topics(
        self,
        connection: Connection,
        traced: Traced,
        window: Window,
        known: Known,
        recipe: str,
    ) -> None:
        before = {stored.topic.topic_id: stored for stored in known.topics}
        found = []
        for topic in traced.topics:
            centroid, key = topic.cluster.centroid, topic.topic.topic_id
            closeness = {t: float(window.vectors[t] @ centroid) for t in topic.topic.ticket_ids}
            radius = float(np.quantile(list(closeness.values()), RADIUS_QUANTILE))
            title = known.corrected.titles.get(key, topic.topic.title)
            old = before.get(key)
            stored = rows.StoredTopic(
                replace(topic.topic, title=title), centroid, recipe,
                old.created_at if old is not None else self.now, self.now,
                parent_id=old.parent_id if old is not None else None,
                place=old.place if old is not None else None,
                level=topic.level, radius=round(radius, 5),
            )  # fmt: skip
            found.append((stored, closeness))
        write_topics(
            connection, found, traced.events, traced.believable,
            anew=traced.reason is not None, run_id=self.run_id, now=self.now,
        )  # fmt: skip
        write_atlas(connection, traced.coarse_of, recipe, now=self.now)

    def _inherit(
        self,
        connection: Connection,
        gap: Gap,
        stored: Mapping[str, StoredGap],
        parents: Mapping[str, str],
    ) -> Gap:
        """A part of what was dismissed is dismissed, until it grows by itself."""
        parent = stored.get(parents.get(gap.topic_id, ""))
        if parent is None or parent.gap.status is not GapStatus.DISMISSED:
            return gap
        if gap.topic_id in stored:
            return gap
        reason = parent.gap.dismissed_reason or "part of a dismissed gap"
        return repository.dismiss_gap(
            connection, gap.gap_id, reason=reason, by=parent.dismissed_by or self.actor,
            now=self.now, growth=parent.dismissed_growth,
        )  # fmt: skip

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
        habit: Habit,
        known: Mapping[str, StoredGap],
        corrected: Corrected,
    ) -> Gap:
        topic_id = topic.topic.topic_id
        stored = known.get(topic_id)
        judgement = apply_correction(judgement, corrected.kinds.get(topic_id))
        about = judgement.ticket_ids
        shown = [t for t in topic.tickets if about is None or t.ticket_id in about]
        audience, tickets = routing.choose_audience(shown)
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
            gap_id=topic_id.replace("top_", "gap_"),
            topic_id=topic_id,
            kind=judgement.kind,
            status=status,
            title=corrected.titles.get(topic_id, topic.topic.title),
            terms=topic.topic.terms,
            priority=impact.priority,
            probability=round(judgement.probability, 4),
            impact_per_week=round(impact.mean, 2),
            impact_low=round(impact.low, 2),
            impact_high=round(impact.high, 2),
            requester_count=len(weights),
            audience=audience,
            owner=corrected.owners.get(topic_id)
            or routing.choose_owner(
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

    def _merge_topics(
        self,
        connection: Connection,
        events: Sequence[TopicEvent],
        stored: Mapping[str, StoredGap],
    ) -> None:
        """What went into another topic is no gap of its own, unless somebody works on it."""
        for event in events:
            if event.kind is not EventKind.MERGED:
                continue
            gap = stored.get(event.topic_id)
            if gap is not None and gap.gap.status in (GapStatus.DRAFTING, GapStatus.PUBLISHED):
                continue
            rows.move_members(connection, event.topic_id, event.others[0])
            if gap is not None and gap.gap.status is GapStatus.OPEN:
                repository.write_gap_status(
                    connection, gap.gap.gap_id, GapStatus.RESOLVED, now=self.now
                )

    def _resolve(
        self,
        connection: Connection,
        stored: Mapping[str, StoredGap],
        found: set[str],
        read: set[str],
    ) -> None:
        """Gaps nobody asks about any more, and open ones whose topic was read and lacks nothing.

        Args:
            connection: In a transaction.
            stored: Gaps by topic id, as they stood before.
            found: Topics with a gap in this run.
            read: Topics with tickets in the window whose kind no person has set.
        """
        for topic_id, before in stored.items():
            if topic_id in found:
                continue
            answered = topic_id in read and before.gap.status is GapStatus.OPEN
            if answered or routing.has_faded(before, self.end):
                repository.write_gap_status(
                    connection, before.gap.gap_id, GapStatus.RESOLVED, now=self.now
                )

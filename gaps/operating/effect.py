"""What a publication did: whether the knowledge base now answers, and whether fewer people ask.

*Answering* is known at once: would the tickets that made the gap, and above all those the writer
never saw, now be answered, without other topics' answers getting worse? *Demand* takes weeks: the
topic's tickets after publication against matched control topics (`gaps.effect.demand`). A plain
comparison of counts before and after would call a topic picked for having risen "worked" in a
third of the cases without any effect (bench/README.md, "Effect").
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from gaps import repository
from gaps.drafting.drafts import make_id, read_draft
from gaps.drafting.publications import read_publication, read_publications
from gaps.drafting.publish import BASELINE
from gaps.effect.answering import (
    combine_verdicts,
    compare_asked,
    count_failures,
    judge_answering,
)
from gaps.effect.asked import asked_from_json, asked_to_json
from gaps.effect.demand import NOT_YET, WORSE, Demand, judge_run, measure_demand
from gaps.effect.shares import compare_tickets
from gaps.effect.weeks import WEEK, Span, plan_span
from gaps.operating.asking import ask_tickets, choose_controls
from gaps.operating.topic_weeks import TopicTickets, read_topic_tickets
from gaps.tables import effects
from gaps.types import Draft, Effect, Gap, GapStatus, Publication, Reason, Ticket
from kb import audit
from kb.database import Database
from kb.retrieval.retriever import Retriever

MOST_ASKED = 60
"""New tickets of the topic that are asked for the answered share: within ten points of it."""
REOPENED = "worse_since_publication"
"""Signal of the reason that a reopened gap is given."""


def baseline_for(database: Database, retriever: Retriever) -> Callable[[Draft], dict[str, Any]]:
    """What `publish_draft` calls as `measure_before`: asks the gap's tickets and the controls."""

    def measure(draft: Draft) -> dict[str, Any]:
        with database.read() as connection:
            gap = repository.read_gap(connection, draft.gap_id)
            tickets = repository.read_tickets(connection)
        return _ask_all(retriever, tickets, set(gap.ticket_ids), set(draft.held_back_ids))

    return measure


def _ask_all(
    retriever: Retriever, tickets: Sequence[Ticket], gap_ids: set[str], held_back: set[str]
) -> dict[str, Any]:
    own = [t for t in tickets if t.ticket_id in gap_ids]
    controls = choose_controls(tickets, gap_ids)
    return {
        "gap": asked_to_json(ask_tickets(retriever, own)),
        "controls": asked_to_json(ask_tickets(retriever, controls)),
        "held_back": sorted(held_back),
    }


@dataclass(frozen=True, slots=True)
class _Case:
    """A publication with what is known of it."""

    publication: Publication
    gap: Gap
    before: dict[str, Any] | None
    span: Span

    @property
    def changed(self) -> bool:
        return self.publication.previous_version is not None


def measure_effect(
    database: Database, retriever: Retriever, publication_id: str, *, now: datetime
) -> Effect:
    """`measure_effects` of one publication."""
    return measure_effects(database, retriever, [publication_id], now=now)[0]


def measure_effects(
    database: Database, retriever: Retriever, publication_ids: Sequence[str], *, now: datetime
) -> list[Effect]:
    """Judge and store the effects of some publications, their demand adjusted together.

    A gap whose last publication made things worse is opened again.

    Args:
        database: Holds tickets, topics and publications.
        retriever: Answers as it would answer an agent.
        publication_ids: Any; the effects come in this order.
        now: Weeks that are not over by then do not count.

    Raises:
        NotFoundError: No such publication.
        UnavailableError: The encoder or the database is away.
    """
    if not publication_ids:
        return []
    with database.read() as connection:
        tickets = repository.read_tickets(connection, until=now)
        known = min((t.created_at for t in tickets), default=now)
        cases = [_read_case(connection, key, known, now) for key in publication_ids]
        asked = read_topic_tickets(
            connection, retriever, since=min(case.span.start for case in cases), until=now,
            recipe=retriever.recipe,
        )  # fmt: skip
        touched = _read_touched(connection, asked)
    demands = judge_run([_measure_demand(case, asked, touched) for case in cases])
    found = []
    for case, demand in zip(cases, demands, strict=True):
        report = _report(retriever, case, demand, asked, tickets, now)
        effect = Effect(case.publication.publication_id, now, report.pop("verdict"), report)
        with database.write() as connection:
            _write_effect(connection, effect)
            if effect.verdict == WORSE:
                _reopen(connection, case, effect)
        found.append(effect)
    return found


def _read_case(connection: Connection, key: str, known: datetime, now: datetime) -> _Case:
    publication = read_publication(connection, key)
    draft = read_draft(connection, publication.draft_id)
    stored = repository.read_stored_gap(connection, draft.gap_id)
    span = plan_span(
        publication.published_at,
        picked_at=min(stored.created_at, draft.created_at, publication.published_at),
        known_since=known,
        now=now,
    )
    return _Case(publication, stored.gap, _read_baseline(connection, key), span)


def _read_touched(connection: Connection, asked: TopicTickets) -> list[tuple[datetime, str]]:
    """When something was published for which topic, taken back since or not."""
    found = []
    for publication in read_publications(connection):
        draft = read_draft(connection, publication.draft_id)
        gap = repository.read_gap(connection, draft.gap_id)
        found.append((publication.published_at, asked.find_topic(gap.topic_id)))
    return found


def _measure_demand(
    case: _Case, asked: TopicTickets, touched: Sequence[tuple[datetime, str]]
) -> Demand:
    own = asked.find_topic(case.gap.topic_id)
    series = asked.count(case.span)
    weeks = series.pop(own, None)
    if weeks is None:
        return Demand(NOT_YET, "the topic is not followed over time", case.span.after)
    excluded = {topic for at, topic in touched if case.span.start <= at}
    return measure_demand(weeks, series, asked.count_all(case.span), excluded=excluded)


def _report(
    retriever: Retriever,
    case: _Case,
    demand: Demand,
    asked: TopicTickets,
    tickets: Sequence[Ticket],
    now: datetime,
) -> dict[str, Any]:
    at, document_id = case.publication.published_at, case.publication.document_id
    topic, span = asked.find_topic(case.gap.topic_id), case.span
    trigger = at - span.left_out * WEEK
    own = asked.tickets_of(topic, span.start, now)
    after = [t for t in own if t.created_at >= at]
    linked = [t for t in tickets if document_id in t.linked_articles]
    details: dict[str, Any] = {
        "failures": count_failures(
            [t for t in linked if t.created_at < trigger],
            [t for t in linked if t.created_at >= at],
        )
    }
    answering = (NOT_YET, "nothing was measured before publication")
    answered = None
    if case.before is not None:
        details |= _ask_again(retriever, tickets, case.before, document_id)
        answering = judge_answering(details, changed=case.changed)
        answered = _count_answered(retriever, case.before, after)
    verdict, why = combine_verdicts(answering, (demand.verdict, demand.why), changed=case.changed)
    # In the order in which the page shows them.
    return {
        "verdict": verdict,
        "why": why,
        "answering": {"verdict": answering[0], "why": answering[1]},
        "weekly_tickets": demand.to_json() | _count_sides(case, asked, topic),
        "topic_tickets": compare_tickets(
            [t for t in own if t.created_at < trigger], after, answered=answered
        ),
    } | details


def _count_sides(case: _Case, asked: TopicTickets, topic: str) -> dict[str, Any]:
    weeks = asked.count(case.span).get(topic)
    totals = asked.count_all(case.span)
    return {
        "weeks_before": case.span.before,
        "weeks_left_out": case.span.left_out,
        "before": sum(weeks.before) if weeks else 0,
        "left_out": sum(weeks.left_out) if weeks else 0,
        "after": sum(weeks.after) if weeks else 0,
        "all_before": sum(totals.before),
        "all_after": sum(totals.after),
    }


def _ask_again(
    retriever: Retriever, tickets: Sequence[Ticket], before: dict[str, Any], document_id: str
) -> dict[str, Any]:
    known = {t.ticket_id: t for t in tickets}
    held_back = set(before["held_back"])
    report: dict[str, Any] = {}
    for group in ("gap", "controls"):
        old = [a for a in asked_from_json(before[group]) if a.ticket_id in known]
        fresh = ask_tickets(retriever, [known[a.ticket_id] for a in old])
        report[group] = compare_asked(old, fresh, document_id)
        if group == "gap":
            pairs = [(a, b) for a, b in zip(old, fresh, strict=True) if a.ticket_id in held_back]
            report["held_back"] = compare_asked(
                [a for a, _ in pairs], [b for _, b in pairs], document_id
            )
    return report


def _count_answered(
    retriever: Retriever, before: dict[str, Any], after: Sequence[Ticket]
) -> tuple[int, int, int, int]:
    """Answered and asked: the gap's tickets at publication, and the topic's tickets since."""
    old = asked_from_json(before["gap"])
    chosen = sorted(after, key=lambda t: hashlib.sha256(t.ticket_id.encode()).hexdigest())
    fresh = ask_tickets(retriever, chosen[:MOST_ASKED])
    return sum(a.answerable for a in old), len(old), sum(a.answerable for a in fresh), len(fresh)


def _write_effect(connection: Connection, effect: Effect) -> None:
    connection.execute(
        insert(effects).values(
            id=make_id("eff"), publication_id=effect.publication_id,
            measured_at=effect.measured_at, verdict=effect.verdict, report=effect.report,
        )
    )  # fmt: skip


def _reopen(connection: Connection, case: _Case, effect: Effect) -> None:
    """Open the gap again, unless a person has moved it on or a later publication is its last."""
    stored = repository.read_stored_gap(connection, case.gap.gap_id)
    live = read_publications(connection, gap_id=case.gap.gap_id, live_only=True)
    last = live[-1].publication_id if live else None
    if stored.gap.status is not GapStatus.PUBLISHED or last != effect.publication_id:
        return
    why = str(effect.report["why"])
    reason = Reason(REOPENED, f"it got worse since {case.publication.document_id} was"
                    f" published: {why}", (case.publication.document_id,))  # fmt: skip
    reopened = replace(
        stored.gap, status=GapStatus.OPEN,
        reasons=(reason, *(r for r in stored.gap.reasons if r.signal != REOPENED)),
    )  # fmt: skip
    repository.write_gap(connection, reopened, run_id=stored.run_id, now=effect.measured_at)
    audit.write_entry(
        connection, at=effect.measured_at, actor="kbops", action="gap.reopen",
        subject=case.gap.gap_id, details={"publication_id": effect.publication_id, "why": why},
    )  # fmt: skip


def _read_baseline(connection: Connection, publication_id: str) -> dict[str, Any] | None:
    row = connection.execute(
        select(effects.c.report).where(
            effects.c.publication_id == publication_id, effects.c.verdict == BASELINE
        )
    ).first()
    return dict(row.report) if row else None


def read_effects(connection: Connection, publication_id: str) -> list[Effect]:
    """Measured effects of a publication, newest first; the baseline is not one."""
    rows = connection.execute(
        select(effects)
        .where(effects.c.publication_id == publication_id, effects.c.verdict != BASELINE)
        .order_by(effects.c.measured_at.desc(), effects.c.id)
    )
    return [Effect(r.publication_id, r.measured_at, r.verdict, r.report) for r in rows]

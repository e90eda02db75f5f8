"""What a publication did: the same tickets asked before and after, beside tickets of other topics.

Two things are measured. *Answering*, at once: would the tickets that made the gap, and above all
those the writer never saw, now be answered, without other topics' answers getting worse? *Demand*,
later: do fewer people ask, and does advice fail less often? Weekly counts before and after are
reported, but a plain comparison of them calls a topic picked for having risen "worked" in 40% of
cases without any effect (design/algorithms.md §8); the quasi-Poisson difference-in-differences
with the trigger weeks left out comes once there are weeks enough, and until then they are stated
as not yet measurable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from scipy.stats import binomtest, fisher_exact
from sqlalchemy import Connection, insert, select

from gaps import repository
from gaps.drafting.drafts import make_id, read_draft
from gaps.drafting.publications import read_publication
from gaps.drafting.publish import BASELINE
from gaps.operating.asking import (
    Asked,
    ask_tickets,
    asked_from_json,
    asked_to_json,
    choose_controls,
    summarise,
)
from gaps.tables import effects
from gaps.types import Draft, Effect, Publication, Ticket
from kb.database import Database
from kb.evaluation import READ_HITS
from kb.retrieval.retriever import Retriever

WORKED, WORSE = "worked", "worse"
NO_EFFECT, NOT_YET = "no_effect_shown", "not_yet_measurable"
ALPHA = 0.05
MIN_TICKETS = 5
"""Below five asked tickets no exact test can reach 5%."""
MIN_WEEKS = 4
"""Weeks after publication before counts are worth a test: at 20 a week four weeks show a halving
with 77% power (design/algorithms.md §8)."""
MAX_CONTROL_LOSS = 0.05
"""Share of control tickets that may lose their answer."""
TRUSTED_SHARE = 0.5
"""Share of tickets that must find the published document among the first three."""


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


def measure_effect(
    database: Database, retriever: Retriever, publication_id: str, *, now: datetime
) -> Effect:
    """Ask again what was asked before publication, judge and store the effect.

    Raises:
        NotFoundError: No such publication.
        UnavailableError: The encoder or the database is away.
    """
    with database.read() as connection:
        publication = read_publication(connection, publication_id)
        draft = read_draft(connection, publication.draft_id)
        before = _read_baseline(connection, publication_id)
        tickets = repository.read_tickets(connection, until=now)
        gap = repository.read_gap(connection, draft.gap_id)
    report = _demand(tickets, set(gap.ticket_ids), publication, now)
    if before is None:
        report["why"] = "nothing was measured before publication"
        verdict = NOT_YET
    else:
        report |= _answering(retriever, tickets, before, publication.document_id)
        verdict, report["why"] = judge_effect(
            report, changed=publication.previous_version is not None
        )
    effect = Effect(publication_id, now, verdict, report)
    with database.write() as connection:
        connection.execute(
            insert(effects).values(
                id=make_id("eff"), publication_id=publication_id, measured_at=now,
                verdict=verdict, report=report,
            )
        )  # fmt: skip
    return effect


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


def _answering(
    retriever: Retriever, tickets: Sequence[Ticket], before: dict[str, Any], document_id: str
) -> dict[str, Any]:
    known = {t.ticket_id: t for t in tickets}
    held_back = set(before["held_back"])
    report: dict[str, Any] = {}
    for group in ("gap", "controls"):
        old = [a for a in asked_from_json(before[group]) if a.ticket_id in known]
        fresh = ask_tickets(retriever, [known[a.ticket_id] for a in old])
        report[group] = _compare(old, fresh, document_id)
        if group == "gap":
            pairs = [(a, b) for a, b in zip(old, fresh, strict=True) if a.ticket_id in held_back]
            report["held_back"] = _compare(
                [a for a, _ in pairs], [b for _, b in pairs], document_id
            )
    return report


def _compare(before: Sequence[Asked], after: Sequence[Asked], document_id: str) -> dict[str, Any]:
    pairs = list(zip(before, after, strict=True))
    gained = sum(_served(b, document_id) and not _served(a, document_id) for a, b in pairs)
    lost = sum(_served(a, document_id) and not _served(b, document_id) for a, b in pairs)
    moved = gained + lost
    # A confidence fitted anew since then is no doing of the article: something must have moved.
    answers_lost = sum(
        a.answerable and not b.answerable and a.documents[:READ_HITS] != b.documents[:READ_HITS]
        for a, b in pairs
    )
    first_changed = sum(a.documents[:1] != b.documents[:1] for a, b in pairs)
    return {
        "before": summarise(before, document_id),
        "after": summarise(after, document_id),
        "gained": gained,
        "lost": lost,
        # McNemar's exact test: of the tickets that changed, is one direction more than chance?
        "p_value": float(binomtest(gained, moved, 0.5, alternative="greater").pvalue)
        if moved
        else 1.0,
        "answers_lost_share": round(answers_lost / len(pairs), 4) if pairs else 0.0,
        "first_hit_changed_share": round(first_changed / len(pairs), 4) if pairs else 0.0,
    }


def _served(asked: Asked, document_id: str) -> bool:
    rank = asked.rank_of(document_id)
    return rank is not None and rank <= 3


def judge_effect(report: dict[str, Any], *, changed: bool) -> tuple[str, str]:
    """The verdict and why, from a report of `measure_effect`.

    Args:
        report: With "gap", "held_back", "controls" and "failures".
        changed: An existing article was changed rather than a new one written.
    """
    own, controls, failures = report["gap"], report["controls"], report["failures"]
    if controls["answers_lost_share"] > MAX_CONTROL_LOSS:
        return (
            WORSE,
            f"{controls['answers_lost_share']:.0%} of other topics' tickets lost an answer",
        )
    if own["answers_lost_share"] > MAX_CONTROL_LOSS and own["lost"] > own["gained"]:
        return WORSE, "the gap's own tickets find less than before"
    if changed:
        return _judge_change(failures)
    if own["before"]["tickets"] < MIN_TICKETS:
        return NOT_YET, f"{own['before']['tickets']} tickets are too few for any test"
    judged = report["held_back"] if report["held_back"]["before"]["tickets"] >= 2 else own
    share = judged["after"]["first_three_share"]
    if own["p_value"] <= ALPHA and share >= TRUSTED_SHARE:
        return WORKED, f"{share:.0%} of tickets the writer never saw find it among the first three"
    return NO_EFFECT, f"only {share:.0%} find it among the first three"


def _judge_change(failures: dict[str, Any]) -> tuple[str, str]:
    before, after = failures["before"], failures["after"]
    if before["tickets"] < MIN_TICKETS or after["tickets"] < MIN_TICKETS:
        return NOT_YET, f"{after['tickets']} tickets used the new text so far"
    if failures["p_value"] <= ALPHA:
        return WORKED, "advice with the new text fails less often"
    if failures["p_value_worse"] <= ALPHA:
        return WORSE, "advice with the new text fails more often"
    return NO_EFFECT, "advice fails about as often as before"


def _demand(
    tickets: Sequence[Ticket], gap_ids: set[str], publication: Publication, now: datetime
) -> dict[str, Any]:
    at = publication.published_at
    weeks = max(0, (now - at).days // 7)
    own = [t for t in tickets if t.ticket_id in gap_ids]
    span = timedelta(weeks=max(1, weeks))
    counts = {
        "weeks_after": weeks,
        "before": sum(at - span <= t.created_at < at for t in own),
        "after": sum(at <= t.created_at < at + span for t in own),
        "all_before": sum(at - span <= t.created_at < at for t in tickets),
        "all_after": sum(at <= t.created_at < at + span for t in tickets),
        "verdict": NOT_YET,
        "why": f"{weeks} whole week(s) since publication, at least {MIN_WEEKS} are needed"
        if weeks < MIN_WEEKS
        else "the difference-in-differences over weekly counts is not run yet",
    }
    linked = [t for t in tickets if publication.document_id in t.linked_articles]
    return {
        "weekly_tickets": counts,
        "failures": _failures(
            [t for t in linked if t.created_at < at], [t for t in linked if t.created_at >= at]
        ),
    }


def _failures(before: Sequence[Ticket], after: Sequence[Ticket]) -> dict[str, Any]:
    failed = [sum(t.has_failed for t in side) for side in (before, after)]
    table = [[failed[0], len(before) - failed[0]], [failed[1], len(after) - failed[1]]]
    return {
        "before": {"tickets": len(before), "failed": failed[0]},
        "after": {"tickets": len(after), "failed": failed[1]},
        "p_value": float(fisher_exact(table, alternative="greater").pvalue),
        "p_value_worse": float(fisher_exact(table, alternative="less").pvalue),
    }

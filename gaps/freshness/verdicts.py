"""The verdict on a version, what its doubt costs, and what closes most of that; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gaps.freshness.facts import ArticleFacts, FreshnessReason
from gaps.freshness.model import Judgement
from kb.types import ActionClass, Governance

STALE_PROBABILITY, DUE_PROBABILITY = 0.5, 0.25
LEAST_EVIDENCE = 0.25
"""No version is stale for being edited often: so much must rest on evidence."""
TRAFFIC_DAYS = 28
PARETO_SHARE = 0.8
SEVERITY: Mapping[str, float] = {
    "superseded": 1.5, "ended": 1.5, "conflict": 1.5, "marked_wrong": 1.5, "tickets": 1.25,
    "resolution_value": 1.25, "followed": 1.25,
    "dead_link": 0.5, "archived_link": 0.5, "moved_link": 0.25, "age": 0.5,
    "near_duplicate": 0.25, "never_retrieved": 0.1,
}  # fmt: skip
"""How wrong an answer is likely to be, by what is wrong with its text; 1 where not listed. A
convention: what is ruled untrue or has misled somebody weighs more than what is only old."""
ACTION_SEVERITY: Mapping[ActionClass, float] = {
    ActionClass.AUTONOMOUS: 1.5,
    ActionClass.FORBIDDEN: 1.25,
}
"""Where nobody looks before it is acted on, or where it must not be acted on at all."""
COMPLIANCE_SEVERITY = 1.25


class CheckVerdict(StrEnum):
    """What the weekly check says; finer than the verdict beside a hit."""

    FRESH = "fresh"
    DUE = "due"
    STALE = "stale"
    SUPERSEDED = "superseded"
    CONFLICT = "conflict"
    DUPLICATE = "duplicate"
    DEAD_LINK = "dead link"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FreshnessReport:
    """The verdict on one version."""

    document_id: str
    version: int
    verdict: CheckVerdict
    probability: float
    base: float
    """Of it, what rests on no evidence."""
    damage: float
    """Expected wrong answers a week, weighed by severity and authority."""
    reasons: tuple[FreshnessReason, ...]


def report_on(
    facts: ArticleFacts, judged: Judgement, authorities: Sequence[str]
) -> FreshnessReport:
    """Verdict and damage of one version.

    Args:
        facts: Of the version.
        judged: Its probability with reasons.
        authorities: Strongest first.
    """
    traffic = facts.uses.linked_month + facts.uses.named + facts.shown.month
    weekly = traffic * 7 / TRAFFIC_DAYS
    damage = judged.probability * weekly * severity_of(facts, judged.reasons)
    return FreshnessReport(
        facts.document.document_id, facts.document.version, verdict_of(facts, judged),
        judged.probability, judged.base,
        damage * authority_weight(facts.document.metadata.authority, authorities),
        judged.reasons,
    )  # fmt: skip


def severity_of(facts: ArticleFacts, reasons: Sequence[FreshnessReason]) -> float:
    """By its heaviest reason, by who acts on it, and by governance."""
    said = facts.document.metadata
    severity = SEVERITY.get(reasons[0].signal, 1.0) if reasons else 1.0
    if said.action_class is not None:
        severity *= ACTION_SEVERITY.get(said.action_class, 1.0)
    return severity * (COMPLIANCE_SEVERITY if said.governance is Governance.COMPLIANCE else 1.0)


def authority_weight(name: str, authorities: Sequence[str]) -> float:
    """1 for the strongest authority, towards one half for the weakest."""
    place = authorities.index(name) if name in authorities else len(authorities)
    return 1.0 - 0.5 * place / max(1, len(authorities))


def verdict_of(facts: ArticleFacts, judged: Judgement) -> CheckVerdict:
    """The one word that tells an owner what to do first."""
    signals = {r.signal for r in judged.reasons}
    sure = judged.probability >= STALE_PROBABILITY and judged.evidence >= LEAST_EVIDENCE
    doubtful = judged.probability >= DUE_PROBABILITY and judged.evidence > 0.0
    ladder = (
        (bool(signals & {"superseded", "ended"}), CheckVerdict.SUPERSEDED),
        ("conflict" in signals, CheckVerdict.CONFLICT),
        (sure, CheckVerdict.STALE),
        ("dead_link" in signals, CheckVerdict.DEAD_LINK),
        (doubtful or bool(signals & {"age", "ends_soon"}), CheckVerdict.DUE),
        ("near_duplicate" in signals, CheckVerdict.DUPLICATE),
        (facts.document.metadata.last_verified_at is None, CheckVerdict.UNKNOWN),
    )
    return next((verdict for holds, verdict in ladder if holds), CheckVerdict.FRESH)


def rank_by_damage(reports: Sequence[FreshnessReport]) -> list[FreshnessReport]:
    """Most damaging first; without traffic, most doubtful first."""
    return sorted(reports, key=lambda r: (-r.damage, -r.probability, r.document_id))


def pareto_line(reports: Sequence[FreshnessReport], share: float = PARETO_SHARE) -> int:
    """How many of the first, repaired, close that share of the damage; 0 where there is none.

    Args:
        reports: Most damaging first.
        share: Of the whole damage.
    """
    whole = sum(report.damage for report in reports)
    closed = 0.0
    for count, report in enumerate(reports, start=1):
        if whole <= 0.0:
            return 0
        closed += report.damage
        if closed >= share * whole * (1.0 - 1e-12):
            return count
    return 0

"""The verdict on a version at a moment, with its reasons; pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from kb.types import Document, Freshness, FreshnessVerdict

DEFAULT_REVIEW_DAYS = 180
OVERDUE_FACTOR = 2.0
"""Past twice its interval a text counts as stale rather than due; a convention, not a measurement
(on a real help centre, age alone was seen to predict change no better than chance)."""


def judge_freshness(
    document: Document,
    now: datetime,
    *,
    review_every_days: int | None = None,
    superseded_by: Collection[str] = (),
    contradicted_by: Collection[str] = (),
    reported_stale: str | None = None,
) -> Freshness:
    """Say how far a document can still be trusted to be true.

    Args:
        document: With its metadata as stored.
        now: The moment of judgement.
        review_every_days: Interval of its source, where the document names none.
        superseded_by: Ids of effective documents that replace it.
        contradicted_by: Ids of stronger documents that state other facts.
        reported_stale: What tickets say about it, if they do.
    """
    said = document.metadata
    since = said.last_verified_at or document.updated_at
    age_days = max(0, (now - since).days)
    interval = said.review_every_days or review_every_days or DEFAULT_REVIEW_DAYS
    reasons: list[str] = []
    verdict = FreshnessVerdict.FRESH
    if said.last_verified_at is None:
        verdict = FreshnessVerdict.UNKNOWN
        reasons.append("never verified by a person")
    if age_days > interval:
        verdict = FreshnessVerdict.DUE
        reasons.append(f"last confirmed {age_days} days ago, due every {interval} days")
    if age_days > interval * OVERDUE_FACTOR:
        verdict = FreshnessVerdict.STALE
    if said.effective_until is not None and now < said.effective_until <= now + timedelta(days=30):
        if verdict in (FreshnessVerdict.FRESH, FreshnessVerdict.UNKNOWN):
            verdict = FreshnessVerdict.DUE
        reasons.append(f"ends on {said.effective_until.date().isoformat()}")
    if reported_stale:
        verdict = FreshnessVerdict.STALE
        reasons.append(reported_stale)
    if contradicted_by:
        verdict = FreshnessVerdict.STALE
        reasons.append("contradicted by " + ", ".join(sorted(contradicted_by)))
    if superseded_by or (said.effective_until is not None and said.effective_until <= now):
        verdict = FreshnessVerdict.SUPERSEDED
        if superseded_by:
            reasons.append("replaced by " + ", ".join(sorted(superseded_by)))
        else:
            reasons.append(f"ended on {said.effective_until:%Y-%m-%d}")
    return Freshness(verdict, tuple(reasons), said.last_verified_at, age_days)

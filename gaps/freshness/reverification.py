"""Which articles could be confirmed anew without a look: due only by age, and used well; pure.

An article that is only old, and that helped whoever was led to it, is what a person would confirm
unread. It needs so many uses with a known outcome in 90 days, none of them bad. Ten without one bad
still allow that 26 % are (upper 95 % bound, 1 - 0.05^(1/10)), so what a machine confirmed is a
person's to confirm the next time, and compliance-governed texts are always theirs. Ten is a
convention; no data here say how often such articles were untrue.
"""

from __future__ import annotations

from collections.abc import Sequence

from gaps.freshness.facts import ArticleFacts
from gaps.freshness.verdicts import CheckVerdict, FreshnessReport
from gaps.operating.autonomy import ACTOR
from kb.types import Governance

NEEDED_USES = 10


def find_ready(facts: Sequence[ArticleFacts], reports: Sequence[FreshnessReport]) -> dict[str, str]:
    """By document, why it could be confirmed without a look; the others are left out.

    Args:
        facts: Of every version judged.
        reports: On them, in any order.
    """
    judged = {report.document_id: report for report in reports}
    return {
        article.document.document_id: _praise(article)
        for article in facts
        if find_doubt(article, judged[article.document.document_id]) is None
    }


def find_doubt(article: ArticleFacts, report: FreshnessReport) -> str | None:
    """Why a person must look before the text is confirmed; None where nobody needs to."""
    document = article.document
    if report.verdict is not CheckVerdict.DUE:
        return f"it is {report.verdict.value}"
    others = sorted({reason.signal for reason in report.reasons} - {"age"})
    if others:
        return f"more than age speaks against it: {', '.join(others)}"
    if document.metadata.governance is Governance.COMPLIANCE:
        return "compliance needs people"
    if document.metadata.last_verified_at is None:
        return "no person ever confirmed it"
    if (document.verified_by or "").startswith(ACTOR):
        return "it was confirmed without a person the last time"
    good, bad = _count_uses(article)
    if bad:
        return f"{bad} uses ended badly"
    if good < NEEDED_USES:
        return f"{good} uses with a known outcome, {NEEDED_USES} are needed"
    return None


def _count_uses(article: ArticleFacts) -> tuple[int, int]:
    """Uses on tickets and searches with an outcome, in 90 days: good and bad ones."""
    bad = article.uses.failed + article.shown.bad
    return article.uses.linked + article.shown.rated - bad, bad


def _praise(article: ArticleFacts) -> str:
    good, _ = _count_uses(article)
    return f"due only by its age; {good} uses with a known outcome in 90 days, none ended badly"

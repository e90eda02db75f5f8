"""Whether the knowledge base answers what it did not: the same tickets before and after; pure.

Known at once, and no proof that fewer people ask: see `demand`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scipy.stats import binomtest, fisher_exact

from gaps.effect.asked import Asked, summarise
from gaps.effect.demand import NO_EFFECT, NOT_YET, WORKED, WORSE
from gaps.types import Ticket
from kb.evaluation import READ_HITS

ALPHA = 0.05
MIN_TICKETS = 5
"""Below five asked tickets no exact test can reach 5%."""
MAX_CONTROL_LOSS = 0.05
"""Share of control tickets that may lose their answer."""
TRUSTED_SHARE = 0.5
"""Share of tickets that must find the published document among the first three."""


def compare_asked(
    before: Sequence[Asked], after: Sequence[Asked], document_id: str
) -> dict[str, Any]:
    """What changed for the same tickets, in the same order, and whether it is more than chance."""
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


def count_failures(before: Sequence[Ticket], after: Sequence[Ticket]) -> dict[str, Any]:
    """How often advice with the document failed; Fisher's exact test, one-sided each way."""
    failed = [sum(t.has_failed for t in side) for side in (before, after)]
    table = [[failed[0], len(before) - failed[0]], [failed[1], len(after) - failed[1]]]
    return {
        "before": {"tickets": len(before), "failed": failed[0]},
        "after": {"tickets": len(after), "failed": failed[1]},
        "p_value": float(fisher_exact(table, alternative="greater").pvalue),
        "p_value_worse": float(fisher_exact(table, alternative="less").pvalue),
    }


def judge_answering(report: dict[str, Any], *, changed: bool) -> tuple[str, str]:
    """The verdict and why.

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


def combine_verdicts(
    answering: tuple[str, str], demand: tuple[str, str], *, changed: bool
) -> tuple[str, str]:
    """One verdict and both reasons.

    Harm of either kind is harm. Otherwise demand decides once it can be measured, except that an
    article whose changed advice demonstrably fails less often did what it was changed for; until
    then the verdict is the one on answering, and says so.

    Args:
        answering: Verdict and why, known at once.
        demand: Verdict and why, from weekly counts.
        changed: An existing article was changed.
    """
    why = f"answering: {answering[1]}; demand: {demand[1]}"
    if WORSE in (answering[0], demand[0]):
        return WORSE, why
    if demand[0] == NOT_YET or (changed and answering[0] == WORKED):
        return answering[0], why
    return demand[0], why

"""Topics without an article; pure."""

from __future__ import annotations

import math

from gaps.finding.coverage import is_solved
from gaps.finding.facts import Judgement, TopicFacts, ids_of
from gaps.types import GapKind, Reason

UNKNOWN_WEIGHT = 0.8
"""How far a name no document knows takes coverage away."""
DISAGREEING_SPREADS = 2.0
AGREEING_SPREADS = 2.5
"""The made-up company's planted topics lie 2.5 to 5.8 spreads above any two resolutions, groups of
unrelated tickets at most 1.9."""
STRAY_LINK_RATE = 0.05
"""Links a topic gets although no article answers it."""
LINK_CONCENTRATION = 2.0


def judge_missing(facts: TopicFacts) -> Judgement | None:
    """Nobody was helped by an article, and what the topic names or needs stands nowhere.

    Odds against the mean coverage (lowered by the share that names what no document knows), times
    how much likelier the topic's links are without an article than with one. Halved where the
    resolutions do not agree: then it is no one thing that could be written down.
    """
    total = len(facts.tickets)
    coverage = sum(found.coverage.probability for found in facts.tickets) / total
    term, holders = _leading_unknown(facts)
    known = coverage * (1 - UNKNOWN_WEIGHT * len(holders) / total)
    odds = (1 - known) / max(known, 0.01) * _link_likelihood(facts)
    probability = odds / (1 + odds) * _agreement_factor(facts.agreement)
    reasons = [
        Reason(
            "not_covered",
            f"the knowledge base answers these with a mean probability of {coverage:.2f}; "
            f"an article helped with {len(facts.served)} tickets like them "
            f"(with {facts.link_rate:.0%} of all solved ones)",
            ids_of(facts.tickets),
        )
    ]
    if holders:
        text = f"“{term}” is named in {len(holders)} of {total} tickets and in no document"
        reasons.append(Reason("unknown_term", text, holders))
    failed = [found for found in facts.tickets if found.coverage.failed]
    if failed:
        text = f"an article was linked in {len(failed)} tickets and did not help"
        reasons.append(Reason("nearest_article_failed", text, ids_of(failed)))
    return Judgement(GapKind.MISSING, probability, tuple(reasons), ())


def _agreement_factor(agreement: float | None) -> float:
    """From a half below 2 spreads to 1 from 2.5 on; 1 where it is not known."""
    if agreement is None:
        return 1.0
    share = (agreement - DISAGREEING_SPREADS) / (AGREEING_SPREADS - DISAGREEING_SPREADS)
    return 0.5 + 0.5 * min(1.0, max(0.0, share))


def _link_likelihood(facts: TopicFacts) -> float:
    """P(links | no article) over P(links | an article), beta-binomial, within 1/8 and 8.

    Where agents link articles to half of what they solve, a topic of twenty solved tickets
    without a link has no article; where they hardly ever link, it tells next to nothing.
    """
    # Linked and never complained of: answered, though in many help centres nobody says so.
    waiting = [
        found
        for found in facts.tickets
        if not is_solved(found.ticket) and found.coverage.linked_live and not found.coverage.failed
    ]
    served = len(facts.served) + len(waiting)
    solved = served + sum(is_solved(found.ticket) for found in facts.tickets)
    rate = min(max(facts.link_rate, STRAY_LINK_RATE), 1 - STRAY_LINK_RATE)
    with_article = _log_beta_binomial(served, solved, rate)
    without = _log_beta_binomial(served, solved, STRAY_LINK_RATE)
    return min(8.0, max(0.125, math.exp(without - with_article)))


def _log_beta_binomial(count: int, total: int, rate: float) -> float:
    """Log probability of one sequence of `count` in `total` under a beta of mean `rate`."""
    a, b = rate * LINK_CONCENTRATION, (1 - rate) * LINK_CONCENTRATION
    return _log_beta(count + a, total - count + b) - _log_beta(a, b)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _leading_unknown(facts: TopicFacts) -> tuple[str, tuple[str, ...]]:
    unknown = facts.unknown_terms or {}
    term = max(unknown, key=lambda key: (len(unknown[key]), key), default="")
    return term, unknown.get(term, ())

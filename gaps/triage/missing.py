"""Topics without an article; pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence

from gaps.grouping.answers import answered_by_hand, helped_by_article
from gaps.triage.facts import FEWEST, Judgement, TicketFacts, TopicFacts, ids_of
from gaps.types import GapKind, Reason

UNKNOWN_WEIGHT = 0.8
"""How far a name no document knows takes coverage away."""
DISAGREEING_SPREADS = 1.5
AGREEING_SPREADS = 2.5
"""The made-up company's planted topics lie 2.5 to 5.8 spreads above any two resolutions, groups of
unrelated tickets at most 1.9."""
STRAY_LINK_RATE, STRAY_CONCENTRATION = 0.1, 10.0
"""Links of one article that a topic gets although that article does not answer it."""
LINK_CONCENTRATION = 3.0


def judge_missing(facts: TopicFacts) -> Judgement:
    """Nobody was helped by an article, and what the topic names or needs stands nowhere.

    About the tickets that were answered by hand, and those nobody answered that are as near: what
    an article answered shows that it is there. Odds against their mean coverage (lowered by the
    share that names what no document knows) beside that of tickets an article did answer, times
    how much likelier the topic's links are without an article than with one. Halved where the
    answers do not agree: then it is no one thing that could be written down.
    """
    about = _without_article(facts.tickets)
    if len(about) < FEWEST:
        return Judgement(GapKind.MISSING, 0.0, (), (), ())
    total = len(about)
    coverage = sum(found.coverage.probability for found in about) / total
    term, holders = _leading_unknown(facts, ids_of(about))
    known = coverage * (1 - UNKNOWN_WEIGHT * len(holders) / total)
    usual = facts.usual_coverage / (1 - facts.usual_coverage)
    odds = (1 - known) / max(known, 0.01) * usual * _link_likelihood(facts)
    probability = odds / (1 + odds) * _agreement_factor(facts.agreement)
    helped = len(facts.served) + sum(helped_by_article(found.coverage) for found in facts.tickets)
    reasons = [
        Reason(
            "not_covered",
            f"the knowledge base answers these with a mean probability of {coverage:.2f}; "
            f"an article helped with {helped} tickets like them "
            f"(with {facts.link_rate:.0%} of all answered ones)",
            ids_of(about),
        )
    ]
    if holders:
        text = f"“{term}” is named in {len(holders)} of {total} tickets and in no document"
        reasons.append(Reason("unknown_term", text, holders))
    failed = [found for found in about if found.coverage.failed]
    if failed:
        text = f"an article was linked in {len(failed)} tickets and did not help"
        reasons.append(Reason("nearest_article_failed", text, ids_of(failed)))
    return Judgement(GapKind.MISSING, probability, tuple(reasons), (), ids_of(about))


def _without_article(tickets: Sequence[TicketFacts]) -> list[TicketFacts]:
    """Tickets answered by hand, waiting ones nearer to the topic's centre than half of them, and
    what agents told. Where hardly any was answered, all that no article helped.
    """
    unhelped = [found for found in tickets if not helped_by_article(found.coverage)]
    places = [n for n, f in enumerate(unhelped) if answered_by_hand(f.ticket, f.coverage)]
    if len(places) < FEWEST:
        return unhelped
    near = places[len(places) // 2]
    by_hand = set(places)
    return [f for n, f in enumerate(unhelped) if n in by_hand or n < near or f.ticket.is_told]


def _agreement_factor(agreement: float | None) -> float:
    """From a half below 1.5 spreads to 1 from 2.5 on; 1 where it is not known."""
    if agreement is None:
        return 1.0
    share = (agreement - DISAGREEING_SPREADS) / (AGREEING_SPREADS - DISAGREEING_SPREADS)
    return 0.5 + 0.5 * min(1.0, max(0.0, share))


def _link_likelihood(facts: TopicFacts) -> float:
    """P(links | no article) over P(links | an article), beta-binomial, within 1/8 and 8.

    Where agents link articles to half of what they solve, a topic of twenty solved tickets
    without a link has no article; where they hardly ever link, it tells next to nothing. Only the
    article that is linked most counts: routine links to this and that answer no topic.
    """
    helped = [f for f in facts.tickets if helped_by_article(f.coverage)]
    links = Counter(key for found in helped for key in set(found.coverage.linked_live))
    links.update(key for ticket in facts.served for key in set(ticket.linked_articles))
    count = max(links.values(), default=0)
    by_hand = sum(answered_by_hand(f.ticket, f.coverage) for f in facts.tickets)
    answered = len(helped) + len(facts.served) + by_hand
    rate = min(max(facts.link_rate, STRAY_LINK_RATE), 1 - STRAY_LINK_RATE)
    with_article = _log_beta_binomial(count, answered, rate, LINK_CONCENTRATION)
    without = _log_beta_binomial(count, answered, STRAY_LINK_RATE, STRAY_CONCENTRATION)
    return min(8.0, max(0.125, math.exp(without - with_article)))


def _log_beta_binomial(count: int, total: int, rate: float, concentration: float) -> float:
    """Log probability of one sequence of `count` in `total` under a beta of mean `rate`."""
    a, b = rate * concentration, (1 - rate) * concentration
    return _log_beta(count + a, total - count + b) - _log_beta(a, b)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _leading_unknown(facts: TopicFacts, about: Collection[str]) -> tuple[str, tuple[str, ...]]:
    named = facts.unknown_terms or {}
    unknown = {term: tuple(key for key in ids if key in about) for term, ids in named.items()}
    term = max(unknown, key=lambda key: (len(unknown[key]), key), default="")
    return term, unknown.get(term, ())
